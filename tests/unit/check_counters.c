/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/counters.h"

#include <check.h>
#include <pthread.h>
#include <string.h>

#include "tests/support/run_suite.h"

#define ROUNDS 20000

START_TEST(test_every_counter_has_a_name_of_its_own_and_a_sentence)
{
    for (unsigned i = 0; i < SF_COUNTER_COUNT; i++) {
        const char *name = sf_counter_name((enum sf_counter)i);
        const char *help = sf_counter_help((enum sf_counter)i);
        ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name));
        ck_assert_msg(help[strlen(help) - 1] == '.', "%s: the help is no sentence", name);
        for (unsigned other = 0; other < i; other++)
            ck_assert_str_ne(name, sf_counter_name((enum sf_counter)other));
    }
}
END_TEST

START_TEST(test_counting_changes_one_counter_only)
{
    static struct sf_counters counters;
    sf_count(&counters, l1_hits);
    sf_count_add(&counters, SF_COUNTER_l1_hits, 4);
    for (unsigned i = 0; i < SF_COUNTER_COUNT; i++)
        ck_assert_uint_eq(atomic_load(&counters.values[i]), i == SF_COUNTER_l1_hits ? 5 : 0);
}
END_TEST

static void *
count_often(void *argument)
{
    struct sf_counters *counters = argument;
    for (int i = 0; i < ROUNDS; i++)
        sf_count(counters, changes);
    return NULL;
}

START_TEST(test_threads_lose_no_count)
{
    static struct sf_counters counters;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count_often, &counters), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_uint_eq(atomic_load(&counters.values[SF_COUNTER_changes]), 4 * ROUNDS);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("counters");
    TCase *tests = tcase_create("counters");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, test_every_counter_has_a_name_of_its_own_and_a_sentence);
    tcase_add_test(tests, test_counting_changes_one_counter_only);
    tcase_add_test(tests, test_threads_lose_no_count);
    return sf_run_suite(suite);
}
