/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/l2/l2.h"

#include <check.h>
#include <string.h>

#include "tests/support/fake_l2.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"

#define SERVERS 4
#define ITEMS 300 /* more than one pipeline takes */

static struct sf_fake_server servers[SERVERS];
static struct sf_l2 *l2;
static struct sf_l2_item items[ITEMS];

static void
set_up(void)
{
    l2 = sf_fake_l2_new(servers, SERVERS);
    for (unsigned i = 0; i < ITEMS; i++) {
        items[i] = (struct sf_l2_item){.key = sf_test_key(i)};
        items[i].server = sf_l2_place(l2, &items[i].key);
        sf_buffer_init(&items[i].value, 100);
    }
}

static void
tear_down(void)
{
    for (unsigned i = 0; i < ITEMS; i++)
        sf_buffer_fini(&items[i].value);
    for (unsigned i = 0; i < SERVERS; i++)
        sf_fake_server_fini(&servers[i]);
    sf_l2_close(l2);
}

static bool
get(void)
{
    return sf_l2_call(l2, SF_STORE_READS, SF_L2_GET, items, ITEMS);
}

START_TEST(test_unknown_scheme_is_refused)
{
    struct sf_l2 *none;
    struct sf_error error;
    ck_assert_int_eq(sf_l2_open(&none, "gopher://user:secret@host", &error), SF_INVALID);
    ck_assert_ptr_null(none);
    ck_assert_ptr_null(strstr(error.text, "secret"));
}
END_TEST

START_TEST(test_every_server_has_its_share)
{
    unsigned share[SERVERS] = {0};
    for (unsigned i = 0; i < ITEMS; i++)
        share[items[i].server]++;
    for (unsigned i = 0; i < SERVERS; i++)
        ck_assert_uint_gt(share[i], ITEMS / SERVERS / 2);
}
END_TEST

START_TEST(test_a_server_less_moves_only_its_keys)
{
    struct sf_l2 *fewer = sf_fake_l2_new(servers, SERVERS - 1);
    for (unsigned i = 0; i < ITEMS; i++)
        if (items[i].server != SERVERS - 1)
            ck_assert_uint_eq(sf_l2_place(fewer, &items[i].key), items[i].server);
    sf_l2_close(fewer);
}
END_TEST

START_TEST(test_all_items_get_an_answer)
{
    ck_assert(get());
    for (unsigned i = 0; i < ITEMS; i++)
        ck_assert(items[i].is_done && items[i].ticket.mark != 0);
}
END_TEST

START_TEST(test_large_values_go_in_several_pipelines)
{
    ck_assert(get());
    for (unsigned i = 0; i < 5; i++) {
        sf_buffer_fini(&items[i].value);
        sf_buffer_init(&items[i].value, 1u << 20);
        ck_assert_int_eq(sf_buffer_reserve(&items[i].value, 1u << 20), SF_OK);
        memset(items[i].value.data, 'x', 1u << 20);
        items[i].value.size = 1u << 20;
        items[i].server = 0; /* who places them elsewhere finds them elsewhere */
        items[i].ticket.mark = 1;
    }
    ck_assert(sf_l2_call(l2, SF_STORE_READS, SF_L2_FILL, items, 5));
    ck_assert_uint_eq(servers[0].calls[SF_L2_FILL], 5);
}
END_TEST

START_TEST(test_without_a_ticket_nothing_is_put)
{
    ck_assert(sf_l2_call(l2, SF_STORE_READS, SF_L2_FILL, items, ITEMS));
    for (unsigned i = 0; i < SERVERS; i++)
        ck_assert_uint_eq(servers[i].calls[SF_L2_FILL], 0);
    ck_assert(!items[0].is_done);
}
END_TEST

START_TEST(test_a_lost_server_is_no_answer_for_its_items_only)
{
    sf_fake_l2_cut(l2, 2, true);
    ck_assert(!get());
    for (unsigned i = 0; i < ITEMS; i++)
        ck_assert_int_eq(items[i].is_done, items[i].server != 2);
}
END_TEST

START_TEST(test_it_is_left_alone_after_three_failures_and_the_other_lane_is_not)
{
    struct sf_error error;
    sf_fake_l2_cut(l2, 2, true);
    ck_assert(sf_l2_is_up(l2, 2));
    for (int i = 0; i < 3; i++)
        ck_assert(!get());
    ck_assert(!sf_l2_is_up(l2, 2));
    ck_assert_int_gt(l2->servers[2].breakers[SF_STORE_READS].pause, 250); /* the next one: longer and longer */
    sf_l2_explain(l2, 2, &error);
    ck_assert_ptr_nonnull(strstr(error.text, "fake2:1"));
    sf_fake_l2_cut(l2, 2, false);
    unsigned calls = servers[2].calls[SF_L2_GET];
    ck_assert(!get());
    ck_assert_uint_eq(servers[2].calls[SF_L2_GET], calls);
    ck_assert(sf_l2_call(l2, SF_STORE_WRITES, SF_L2_HIDE, items, ITEMS));
}
END_TEST

/* What could not be marked, and what may be an older server, is counted for who writes. */
START_TEST(test_losses_are_counted)
{
    ck_assert(sf_l2_call(l2, SF_STORE_WRITES, SF_L2_HIDE, items, ITEMS));
    ck_assert_uint_eq(l2->servers[1].losses, 0);
    sf_fake_l2_relink(l2, 1);
    ck_assert(sf_l2_call(l2, SF_STORE_WRITES, SF_L2_HIDE, items, ITEMS));
    ck_assert_uint_eq(l2->servers[1].losses, 1);
    sf_fake_l2_cut(l2, 1, true);
    ck_assert(!sf_l2_call(l2, SF_STORE_WRITES, SF_L2_HIDE, items, ITEMS));
    ck_assert_uint_gt(l2->servers[1].losses, 1);
    ck_assert_uint_eq(l2->servers[0].losses, 0);
}
END_TEST

START_TEST(test_all_servers_are_asked_at_once)
{
    sf_fake_l2_meet(l2, SERVERS);
    ck_assert(get());
    sf_fake_l2_meet(l2, SERVERS);
    ck_assert(sf_l2_call(l2, SF_STORE_WRITES, SF_L2_HIDE, items, ITEMS));
}
END_TEST

/* Not once for each of its pipelines. */
START_TEST(test_one_that_fails_is_not_asked_again_in_the_same_call)
{
    struct sf_store_figures figures;
    for (unsigned i = 0; i < ITEMS; i++)
        items[i].server = 1;
    sf_fake_l2_silence(l2, 1);
    l2->timeout = 5;
    ck_assert(!sf_l2_call(l2, SF_STORE_WRITES, SF_L2_HIDE, items, ITEMS));
    sf_l2_figures(l2, &figures);
    ck_assert_uint_eq(figures.lanes[SF_STORE_WRITES].calls, 1);
    ck_assert(sf_l2_is_up(l2, 1));
    for (unsigned i = 0; i < ITEMS; i++)
        ck_assert(!items[i].is_done && items[i].ticket.mark == 0);
    /* Nobody knows what has become of those that were not asked for. */
    ck_assert_uint_gt(l2->servers[1].losses, 0);
}
END_TEST

START_TEST(test_what_is_measured)
{
    struct sf_store_figures figures;
    const struct sf_store_lane_figures *loads = &figures.lanes[SF_STORE_READS];
    ck_assert(get());
    sf_l2_figures(l2, &figures);
    ck_assert_str_eq(loads->state, "up");
    ck_assert_uint_eq(loads->calls, SERVERS);
    ck_assert_uint_eq(loads->rows, ITEMS);
    ck_assert_uint_eq(loads->failures + loads->late + loads->refused, 0);
    ck_assert_uint_eq(figures.lanes[SF_STORE_WRITES].calls, 0);
    sf_fake_l2_cut(l2, 0, true);
    sf_fake_l2_silence(l2, 1);
    l2->timeout = 100;
    for (unsigned i = 0; i < 2; i++)
        l2->servers[i].breakers[SF_STORE_READS].pause = SF_SECOND * 10;
    for (int i = 0; i < 4; i++)
        ck_assert(!get());
    sf_l2_figures(l2, &figures);
    ck_assert_str_eq(loads->state, "down");
    ck_assert_uint_eq(loads->failures, 6);
    ck_assert_uint_eq(loads->late, 3);
    ck_assert_uint_eq(loads->refused, 2);
    ck_assert_uint_eq(loads->calls, SERVERS + 3 * SERVERS + SERVERS - 2);
    ck_assert_uint_ge(loads->longest, 99000);
    ck_assert_uint_le(loads->p50, loads->p99);
    ck_assert_str_eq(figures.lanes[SF_STORE_WRITES].state, "up");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l2");
    TCase *tests = tcase_create("calls");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_unknown_scheme_is_refused);
    tcase_add_test(tests, test_every_server_has_its_share);
    tcase_add_test(tests, test_a_server_less_moves_only_its_keys);
    tcase_add_test(tests, test_all_items_get_an_answer);
    tcase_add_test(tests, test_large_values_go_in_several_pipelines);
    tcase_add_test(tests, test_without_a_ticket_nothing_is_put);
    tcase_add_test(tests, test_a_lost_server_is_no_answer_for_its_items_only);
    tcase_add_test(tests, test_it_is_left_alone_after_three_failures_and_the_other_lane_is_not);
    tcase_add_test(tests, test_losses_are_counted);
    tcase_add_test(tests, test_all_servers_are_asked_at_once);
    tcase_add_test(tests, test_one_that_fails_is_not_asked_again_in_the_same_call);
    tcase_add_test(tests, test_what_is_measured);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
