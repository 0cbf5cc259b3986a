/* SPDX-License-Identifier: Apache-2.0 */
/* Merges of anything, in any order: some hosts, their journals and the store. Nothing is lost, nothing counts twice. */
#include "common/session/merge.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/run_suite.h"
#include "tests/unit/merge_case.h"

struct expectation {
    int64_t sum;
    int own[HOSTS]; /* what each host has set last in a field that is its own */
};

static void
do_something(struct host *host, size_t number, struct expectation *expected, unsigned *seed)
{
    char name[16], text[16];
    int amount = rand_r(seed) % 20 - 8;
    bool is_store_up = rand_r(seed) % 2 == 0;
    switch (rand_r(seed) % 14) {
    case 0:
    case 1:
    case 2:
        increment(host, "n", amount);
        expected->sum += amount;
        break;
    case 3:
        snprintf(name, sizeof name, "own%zu", number);
        snprintf(text, sizeof text, "%d", ++expected->own[number]);
        set(host, name, text);
        break;
    case 4:
        set(host, "shared", "anything");
        break;
    case 5: { /* the store takes it, and the host changes it before it hears of that, or never does */
        struct sf_buffer taken = new_buffer();
        copy(&taken, &host->record);
        if (!host->is_clean)
            write_of(host, &taken);
        if (rand_r(seed) % 2 == 0) {
            increment(host, "n", amount);
            expected->sum += amount;
        }
        if (rand_r(seed) % 2 == 0)
            refresh(host);
        sf_buffer_fini(&taken);
        break;
    }
    case 6:
    case 7:
        store(host);
        break;
    case 8: /* it was evicted */
        forget(host, host->id, is_store_up);
        break;
    case 9: /* all caches of that host are gone */
        if (amount == 0)
            forget(host, host->id + 100, is_store_up);
        break;
    case 10:
        drain(host);
        break;
    case 11:
        hear(host);
        break;
    case 12:
        spill(host);
        break;
    default:
        refresh(host);
    }
}

START_TEST(test_nothing_is_lost_and_nothing_counts_twice)
{
    unsigned seed = (unsigned)_i;
    struct expectation expected = {.sum = 0};
    char name[16], text[24];
    for (int i = 0; i < 300; i++) {
        size_t number = (size_t)rand_r(&seed) % HOSTS;
        do_something(&hosts[number], number, &expected, &seed);
    }
    for (size_t i = 0; i < HOSTS; i++)
        drain(&hosts[i]);
    for (size_t i = 0; i < 2 * HOSTS; i++)
        store(&hosts[i % HOSTS]);
    snprintf(text, sizeof text, "%lld", (long long)expected.sum);
    if (strcmp(look(&row, "n"), "-") != 0 || expected.sum != 0)
        ck_assert_str_eq(look(&row, "n"), text);
    for (size_t i = 0; i < HOSTS; i++) {
        snprintf(name, sizeof name, "own%zu", i);
        snprintf(text, sizeof text, "%d", expected.own[i]);
        ck_assert_str_eq(look(&row, name), expected.own[i] == 0 ? "-" : text);
        refresh(&hosts[i]);
        ck_assert(sf_span_equal(sf_buffer_span(&hosts[i].record), sf_buffer_span(&row)));
    }
}
END_TEST

/*
 * The store goes back to what it had a while ago. One host has seen the last row; another one has only what
 * the store has now, and changes that before the caches put again what they have.
 */
static void
lose_and_restore(struct expectation *expected, unsigned *seed, const struct sf_buffer *backup)
{
    size_t late = (size_t)rand_r(seed) % HOSTS;
    for (size_t i = 0; i < HOSTS; i++)
        store(&hosts[i]);
    refresh(&hosts[(late + 1) % HOSTS]);
    copy(&row, backup);
    forget(&hosts[late], hosts[late].id + 100, true);
    for (int i = rand_r(seed) % 4; i > 0; i--) {
        increment(&hosts[late], "n", 1);
        expected->sum++;
        store(&hosts[late]);
    }
    for (size_t i = 0; i < HOSTS; i++)
        restore(&hosts[(late + i) % HOSTS]);
}

START_TEST(test_store_that_goes_back_and_back_loses_nothing_that_a_cache_has)
{
    unsigned seed = (unsigned)_i;
    struct expectation expected = {.sum = 0};
    struct sf_buffer backup = new_buffer();
    char text[24];
    increment(&hosts[0], "n", 0);
    store(&hosts[0]);
    for (int round = 0; round < 4; round++) {
        copy(&backup, &row);
        for (int i = rand_r(&seed) % 12; i > 0; i--) {
            struct host *host = &hosts[(size_t)rand_r(&seed) % HOSTS];
            increment(host, "n", 10);
            expected.sum += 10;
            snprintf(text, sizeof text, "f%d", round);
            set(host, text, "set");
            if (rand_r(&seed) % 2 == 0)
                store(host);
        }
        bool is_set = false;
        for (size_t i = 0; i < HOSTS; i++)
            is_set |= strcmp(look(&hosts[i].record, text), "set") == 0;
        lose_and_restore(&expected, &seed, &backup);
        ck_assert(!is_set || strcmp(look(&row, text), "set") == 0);
        snprintf(text, sizeof text, "%lld", (long long)expected.sum);
        ck_assert_str_eq(look(&row, "n"), text);
    }
    sf_buffer_fini(&backup);
}
END_TEST

static void
add(struct host *host, int64_t amount, struct expectation *expected)
{
    increment(host, "n", amount);
    expected->sum += amount;
}

/*
 * The same, where the caches are not lost, and some changes wait: one host has evicted the session, loads what the
 * store has now, and so counts on from a version behind which it has counted before. Each takes another number first.
 */
static void
lose_and_renumber(struct expectation *expected, unsigned *seed, const struct sf_buffer *backup)
{
    size_t late = (size_t)rand_r(seed) % HOSTS, first = (size_t)rand_r(seed) % HOSTS;
    for (size_t i = 0; i < HOSTS; i++)
        if (i == late || rand_r(seed) % 2 == 0)
            store(&hosts[i]);
    refresh(&hosts[(late + 1) % HOSTS]);
    copy(&row, backup);
    for (size_t i = 0; i < HOSTS; i++)
        hosts[i].id += 100;
    forget(&hosts[late], hosts[late].id, true);
    for (int i = rand_r(seed) % 6; i > 0; i--) {
        add(&hosts[late], 1, expected);
        store(&hosts[late]);
    }
    for (size_t i = 0; i < HOSTS; i++)
        if (rand_r(seed) % 2 == 0)
            add(&hosts[i], 100, expected);
    for (size_t i = 0; i < HOSTS; i++)
        restore(&hosts[(first + i) % HOSTS]);
}

START_TEST(test_host_that_counts_on_from_older_data_loses_nothing_under_another_number)
{
    unsigned seed = (unsigned)_i;
    struct expectation expected = {.sum = 0};
    struct sf_buffer backup = new_buffer();
    char text[24];
    add(&hosts[0], 1, &expected);
    store(&hosts[0]);
    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < HOSTS; i++)
            store(&hosts[i]);
        copy(&backup, &row);
        for (int i = rand_r(&seed) % 12; i > 0; i--) {
            struct host *host = &hosts[(size_t)rand_r(&seed) % HOSTS];
            add(host, 10, &expected);
            if (rand_r(&seed) % 2 == 0)
                store(host);
        }
        lose_and_renumber(&expected, &seed, &backup);
        for (size_t i = 0; i < HOSTS; i++)
            store(&hosts[i]);
        snprintf(text, sizeof text, "%lld", (long long)expected.sum);
        ck_assert_str_eq(look(&row, "n"), text);
    }
    sf_buffer_fini(&backup);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("merge_orders");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_loop_test(all, test_nothing_is_lost_and_nothing_counts_twice, 0, 500);
    tcase_add_loop_test(all, test_store_that_goes_back_and_back_loses_nothing_that_a_cache_has, 0, 200);
    tcase_add_loop_test(all, test_host_that_counts_on_from_older_data_loses_nothing_under_another_number, 0, 200);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
