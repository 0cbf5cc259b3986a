/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/l2/l2_epochs.h"

#include <check.h>
#include <string.h>

#include "tests/support/fake_l2.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"

#define SERVERS 2

static struct sf_fake_server servers[3];
static struct sf_l2 *l2;
static struct sf_l2_epochs epochs;
static struct sf_stored stored[SERVERS];
static struct sf_load loads[SERVERS];
static uint64_t versions[SERVERS]; /* that the store has */
static sf_time now;

static void
set_up(void)
{
    now = 1000000;
    l2 = sf_fake_l2_new(servers, SERVERS);
    sf_l2_epochs_init(&epochs, l2, SF_L2_PAUSE);
    for (size_t i = 0; i < SERVERS; i++) {
        sf_buffer_init(&stored[i].record, SF_RECORD_BYTES_MAX);
        loads[i] = (struct sf_load){.key = epochs.rows[i], .stored = &stored[i], .status = SF_NOT_FOUND};
    }
}

static void
tear_down(void)
{
    for (size_t i = 0; i < SERVERS; i++)
        sf_buffer_fini(&stored[i].record);
    sf_l2_epochs_fini(&epochs);
    sf_l2_close(l2);
}

static bool
take(void)
{
    const struct sf_l2_reading reading = sf_l2_epochs_begin(&epochs, now);
    return sf_l2_epochs_take(&epochs, loads, &reading, now);
}

/* The store has what this host would write next. */
static void
store_next(struct sf_l2_epochs *writer, unsigned server)
{
    struct sf_write write;
    sf_time wall = sf_clock_wall();
    ck_assert_int_eq(sf_l2_epochs_next(writer, server, false, &stored[server].record, &write), SF_OK);
    ck_assert_uint_ge(write.version, (uint64_t)wall); /* so that a store that went back cannot bring a number again */
    ck_assert_uint_gt(write.version, writer->epochs[server]);
    versions[server] = write.version;
    ck_assert(sf_key_equal(&write.key, &loads[server].key));
    ck_assert_int_eq(write.expires, 0);
    loads[server].status = SF_OK;
}

static void
make_both(void)
{
    store_next(&epochs, 0);
    store_next(&epochs, 1);
    ck_assert(take());
    now += SF_L2_PAUSE;
}

static uint64_t
of(unsigned server)
{
    return sf_l2_epochs_of(&epochs, server, now);
}

START_TEST(test_unknown_until_the_store_has_one)
{
    ck_assert(sf_l2_epochs_are_due(&epochs, SF_HOUR, now));
    ck_assert(take());
    ck_assert(!sf_l2_epochs_are_due(&epochs, SF_HOUR, now));
    ck_assert(!sf_l2_epochs_is_known(&epochs, 0));
    ck_assert_uint_eq(of(0), 0);
}
END_TEST

START_TEST(test_usable_when_the_pause_is_over)
{
    store_next(&epochs, 0);
    ck_assert(take());
    now += SF_L2_PAUSE - 1;
    ck_assert(sf_l2_epochs_is_known(&epochs, 0));
    ck_assert_uint_eq(of(0), 0);
    now++;
    ck_assert_uint_eq(of(0), versions[0]);
    ck_assert_uint_eq(of(1), 0);
}
END_TEST

START_TEST(test_the_first_one_is_usable_at_once)
{
    struct sf_write write;
    ck_assert_int_eq(sf_l2_epochs_next(&epochs, 0, true, &stored[0].record, &write), SF_OK);
    loads[0].status = SF_OK;
    ck_assert(take());
    ck_assert_uint_eq(of(0), write.version);
    loads[0].status = SF_NOT_FOUND;
    ck_assert(take());
    ck_assert_int_eq(sf_l2_epochs_next(&epochs, 0, false, &stored[0].record, &write), SF_OK);
    loads[0].status = SF_OK;
    ck_assert(take());
    ck_assert_uint_eq(of(0), 0);
}
END_TEST

START_TEST(test_a_move_is_another_epoch_and_another_pause)
{
    make_both();
    store_next(&epochs, 0);
    ck_assert(take());
    ck_assert_uint_eq(of(0), 0);
    ck_assert_uint_eq(of(1), versions[1]);
    now += SF_L2_PAUSE;
    ck_assert_uint_eq(of(0), versions[0]);
}
END_TEST

START_TEST(test_the_same_again_is_no_pause)
{
    make_both();
    ck_assert(take());
    ck_assert_uint_eq(of(0), versions[0]);
}
END_TEST

START_TEST(test_what_the_store_cannot_say_stays_as_it_was)
{
    make_both();
    loads[0].status = SF_UNAVAILABLE;
    ck_assert(!take());
    ck_assert_uint_eq(of(0), versions[0]);
    ck_assert(!sf_l2_epochs_are_due(&epochs, 1, now));
    now += SF_SECOND;
    ck_assert(sf_l2_epochs_are_due(&epochs, 1, now));
}
END_TEST

/* An emptied store: nothing from before may be believed when the row is made again. */
START_TEST(test_a_row_that_is_gone_makes_it_unknown)
{
    make_both();
    loads[0].status = SF_NOT_FOUND;
    ck_assert(take());
    ck_assert_uint_eq(of(0), 0);
    ck_assert(!sf_l2_epochs_is_known(&epochs, 0));
}
END_TEST

START_TEST(test_another_list_of_servers_disputes_all)
{
    struct sf_l2 *longer = sf_fake_l2_new(servers, 3);
    struct sf_l2_epochs others;
    sf_l2_epochs_init(&others, longer, SF_L2_PAUSE);
    make_both();
    ck_assert(!sf_l2_epochs_are_disputed(&epochs));
    store_next(&others, 0);
    ck_assert(take());
    now += SF_L2_PAUSE;
    ck_assert(sf_l2_epochs_are_disputed(&epochs));
    ck_assert_uint_eq(of(0), 0);
    ck_assert_uint_eq(of(1), 0);
    store_next(&epochs, 0);
    ck_assert(take());
    ck_assert(!sf_l2_epochs_are_disputed(&epochs));
    sf_l2_epochs_fini(&others);
    sf_l2_close(longer);
}
END_TEST

START_TEST(test_due_when_old_or_in_doubt)
{
    make_both();
    ck_assert(!sf_l2_epochs_are_due(&epochs, SF_L2_PAUSE + 1, now));
    ck_assert(sf_l2_epochs_are_due(&epochs, SF_L2_PAUSE, now));
    ck_assert(take());
    sf_l2_epochs_doubt(&epochs);
    ck_assert(sf_l2_epochs_are_due(&epochs, SF_HOUR, now));
}
END_TEST

static sf_time
believe(unsigned server, uint64_t epoch)
{
    return sf_l2_epochs_believe(&epochs, server, epoch, now);
}

START_TEST(test_believed_as_of_the_reading)
{
    make_both();
    sf_time read_at = now;
    ck_assert(take());
    now += SF_SECOND;
    ck_assert_int_eq(believe(0, versions[0]), read_at);
    ck_assert_int_eq(believe(0, versions[0] - 1), 0);
    ck_assert_int_eq(believe(1, versions[1]), read_at);
}
END_TEST

/* A reading that was under way when the doubt came up may have seen what was there before. */
START_TEST(test_in_doubt_nothing_is_believed)
{
    make_both();
    const struct sf_l2_reading before = sf_l2_epochs_begin(&epochs, now);
    sf_l2_epochs_doubt(&epochs);
    ck_assert_int_eq(believe(0, versions[0]), 0);
    ck_assert(sf_l2_epochs_take(&epochs, loads, &before, now));
    ck_assert_int_eq(believe(0, versions[0]), 0);
    ck_assert(sf_l2_epochs_are_due(&epochs, SF_HOUR, now));
    loads[1].status = SF_UNAVAILABLE;
    ck_assert(!take());
    ck_assert_int_eq(believe(0, versions[0]), 0);
    loads[1].status = SF_OK;
    ck_assert(take());
    ck_assert_int_eq(believe(0, versions[0]), now);
}
END_TEST

START_TEST(test_it_is_known_whether_anything_was_believed)
{
    make_both();
    ck_assert(!sf_l2_epochs_have_believed(&epochs));
    ck_assert_int_ne(believe(0, versions[0]), 0);
    ck_assert_int_eq(believe(1, versions[1] - 1), 0);
    ck_assert(sf_l2_epochs_have_believed(&epochs));
    ck_assert(!sf_l2_epochs_have_believed(&epochs));
}
END_TEST

START_TEST(test_rows_are_told_from_sessions)
{
    struct sf_key session = sf_test_key(1);
    ck_assert(sf_l2_epochs_has_row(&epochs.rows[0]));
    ck_assert(sf_l2_epochs_has_row(&epochs.rows[1]));
    ck_assert(!sf_key_equal(&epochs.rows[0], &epochs.rows[1]));
    ck_assert(!sf_l2_epochs_has_row(&session));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l2_epochs");
    TCase *tests = tcase_create("epochs");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_unknown_until_the_store_has_one);
    tcase_add_test(tests, test_usable_when_the_pause_is_over);
    tcase_add_test(tests, test_the_first_one_is_usable_at_once);
    tcase_add_test(tests, test_a_move_is_another_epoch_and_another_pause);
    tcase_add_test(tests, test_the_same_again_is_no_pause);
    tcase_add_test(tests, test_what_the_store_cannot_say_stays_as_it_was);
    tcase_add_test(tests, test_a_row_that_is_gone_makes_it_unknown);
    tcase_add_test(tests, test_another_list_of_servers_disputes_all);
    tcase_add_test(tests, test_due_when_old_or_in_doubt);
    tcase_add_test(tests, test_believed_as_of_the_reading);
    tcase_add_test(tests, test_in_doubt_nothing_is_believed);
    tcase_add_test(tests, test_it_is_known_whether_anything_was_believed);
    tcase_add_test(tests, test_rows_are_told_from_sessions);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
