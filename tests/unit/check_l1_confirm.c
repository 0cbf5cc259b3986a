/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "common/cache/l1_index.h"
#include "tests/support/run_suite.h"
#include "tests/unit/cache_case.h"

#define TTL (5 * SF_MINUTE)

static sf_time later; /* how far the steady clock is ahead */

sf_time __real_sf_clock_steady(void);
sf_time __wrap_sf_clock_steady(void);

/* The linker puts it in the place of sf_clock_steady. */
sf_time
__wrap_sf_clock_steady(void)
{
    return __real_sf_clock_steady() + later;
}

static void
set_up_with_ttl(void)
{
    later = 0;
    set_up();
    sf_l1_set_ttl(cache.l1, TTL);
}

static bool
is_stale(uint64_t number)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_l1_view view = view_of(number, SF_OK);

    return sf_l1_is_stale(cache.l1, &key, &view);
}

static struct sf_l1_question
ask(uint64_t number)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_l1_question question;

    sf_l1_ask(cache.l1, &key, &question);
    return question;
}

static enum sf_status
confirm(uint64_t number, uint64_t version, sf_time last_access,
        const struct sf_l1_question *question)
{
    return sf_test_confirm(cache.l1, number, version, last_access, question);
}

static enum sf_status
deny(uint64_t number, const struct sf_l1_question *question)
{
    struct sf_key key = sf_test_cache_key(number);

    return sf_l1_deny(cache.l1, &key, question);
}

START_TEST(test_entry_becomes_stale_within_the_last_quarter_of_the_ttl)
{
    unsigned early = 0;

    for (uint64_t number = 0; number < 100; number++)
        ck_assert_int_eq(sf_test_fill(cache.l1, number, 3, "text"), SF_OK);
    later = TTL * 3 / 4 - SF_SECOND;
    for (uint64_t number = 0; number < 100; number++)
        ck_assert(!is_stale(number));
    later = TTL * 7 / 8;
    for (uint64_t number = 0; number < 100; number++)
        early += is_stale(number);
    ck_assert_uint_gt(early, 25);
    ck_assert_uint_lt(early, 75);
    later = TTL;
    for (uint64_t number = 0; number < 100; number++)
        ck_assert(is_stale(number));
}
END_TEST

START_TEST(test_without_a_ttl_nothing_becomes_stale)
{
    sf_l1_set_ttl(cache.l1, 0);
    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "text"), SF_OK);
    later = 365 * SF_DAY;
    ck_assert(!is_stale(1));
}
END_TEST

START_TEST(test_dirty_ones_and_tombstones_never_become_stale)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_test_create(cache.l1, 2, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_test_end(cache.l1, 2), SF_OK);
    later = 2 * TTL;
    ck_assert(!is_stale(1));
    ck_assert(!is_stale(2));
    ck_assert_uint_eq(sf_test_settle_all(cache.l1), 2);
    ck_assert(!is_stale(1)); /* the store has just got it */
    later = 4 * TTL;
    ck_assert(is_stale(1));
    ck_assert(!is_stale(2));
}
END_TEST

START_TEST(test_same_version_renews_the_age_and_nothing_else)
{
    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "text"), SF_OK);
    later = TTL;
    struct sf_l1_question question = ask(1);
    ck_assert(question.is_here);
    ck_assert_int_eq(confirm(1, 3, SF_TEST_NOW, &question), SF_OK);
    ck_assert(!is_stale(1));
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "value").text, "text");
    later = 2 * TTL;
    ck_assert(is_stale(1));
}
END_TEST

/* A copy of the store that lags behind says nothing about the session. */
START_TEST(test_older_version_renews_as_well)
{
    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "text"), SF_OK);
    later = TTL;
    struct sf_l1_question question = ask(1);
    ck_assert_int_eq(confirm(1, 2, SF_TEST_NOW, &question), SF_OK);
    ck_assert(!is_stale(1));
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "value").text, "text");
}
END_TEST

START_TEST(test_answer_renews_from_the_question_on)
{
    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "text"), SF_OK);
    struct sf_l1_question question = ask(1);
    later = TTL;
    ck_assert_int_eq(confirm(1, 3, SF_TEST_NOW, &question), SF_OK);
    ck_assert(is_stale(1));
}
END_TEST

START_TEST(test_newer_version_takes_its_place_and_is_clean)
{
    struct sf_key key = sf_test_cache_key(1);

    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "text"), SF_OK);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + SF_MINUTE);
    later = TTL;
    struct sf_l1_question question = ask(1);
    ck_assert_int_eq(confirm(1, 8, SF_TEST_NOW + SF_SECOND, &question), SF_OK);
    struct sf_test_seen seen = sf_test_look(cache.l1, 1, "value");
    ck_assert_uint_eq(seen.version, 8);
    ck_assert_str_eq(seen.text, "stored");
    ck_assert(seen.is_clean && !is_stale(1));
    ck_assert_uint_eq(sf_test_settle_all(cache.l1), 0);
    struct sf_l1_found found;
    ck_assert_int_eq(sf_l1_find(cache.l1, &key, NULL, &found), SF_OK);
    ck_assert_int_eq(found.image.last_access, SF_TEST_NOW + SF_MINUTE); /* never back */
    ck_assert_int_eq(found.image.stored_access, SF_TEST_NOW + SF_SECOND);
}
END_TEST

START_TEST(test_what_was_replaced_is_as_old_as_the_question)
{
    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 5, "x"), SF_OK);
    later = TTL;
    struct sf_l1_question question = ask(1);
    later = TTL + SF_SECOND; /* the answer was long on its way */
    ck_assert_int_eq(confirm(1, 6, SF_TEST_NOW, &question), SF_OK);
    struct sf_l1_view view = view_of(1, SF_OK);
    ck_assert(view.is_clean);
    ck_assert_int_eq(view.since, question.vacancy.seen);
}
END_TEST

START_TEST(test_later_access_that_only_the_store_knows_is_taken_over)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_found found;

    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "text"), SF_OK);
    struct sf_l1_question question = ask(1);
    ck_assert_int_eq(confirm(1, 3, SF_TEST_NOW + SF_MINUTE, &question), SF_OK);
    ck_assert_int_eq(sf_l1_find(cache.l1, &key, NULL, &found), SF_OK);
    ck_assert_int_eq(found.image.last_access, SF_TEST_NOW + SF_MINUTE);
    ck_assert_int_eq(found.image.stored_access, SF_TEST_NOW + SF_MINUTE);
}
END_TEST

START_TEST(test_dirty_one_stays_whatever_the_store_has)
{
    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "text"), SF_OK);
    struct sf_l1_question question = ask(1);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "value", "changed"), SF_OK);
    ck_assert_int_eq(confirm(1, 8, SF_TEST_NOW, &question), SF_OK);
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "value").text, "changed");
    ck_assert_int_eq(deny(1, &question), SF_CONFLICT);
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "value").text, "changed");
    question = ask(1);
    ck_assert(!question.is_here);
    ck_assert_int_eq(deny(1, &question), SF_CONFLICT);
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "value").text, "changed");
}
END_TEST

START_TEST(test_what_was_not_here_is_filled_unless_it_was_meanwhile)
{
    struct sf_l1_question question = ask(1);
    struct sf_key key = sf_test_cache_key(1);

    ck_assert(!question.is_here);
    ck_assert_int_eq(confirm(1, 3, SF_TEST_NOW, &question), SF_OK);
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "value").text, "stored");
    ck_assert_int_eq(sf_l1_drop(cache.l1, &key), SF_OK);
    ck_assert_int_eq(confirm(1, 3, SF_TEST_NOW, &question), SF_CONFLICT);
}
END_TEST

START_TEST(test_what_the_store_has_no_more_goes)
{
    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "text"), SF_OK);
    struct sf_l1_question question = ask(1);
    ck_assert_int_eq(deny(1, &question), SF_OK);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).status, SF_NOT_FOUND);
    ck_assert_int_eq(deny(1, &question), SF_OK);
}
END_TEST

START_TEST(test_no_is_about_what_was_here_when_the_store_was_asked)
{
    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "text"), SF_OK);
    struct sf_l1_question question = ask(1);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "value", "changed"), SF_OK);
    ck_assert_uint_eq(sf_test_settle_all(cache.l1), 1);
    ck_assert_int_eq(deny(1, &question), SF_CONFLICT);
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "value").text, "changed");
}
END_TEST

/* The store has taken it for expired: its user, whom only L1 has seen, must not be logged out. */
START_TEST(test_session_that_lives_by_its_touch_is_not_denied)
{
    struct sf_key key = sf_test_cache_key(1);

    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "text"), SF_OK);
    sf_l1_touch(cache.l1, &key, sf_clock_wall());
    later = TTL;
    struct sf_l1_question question = ask(1);
    ck_assert_int_eq(deny(1, &question), SF_CONFLICT);
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "value").text, "text");
    ck_assert(!is_stale(1));
}
END_TEST

START_TEST(test_postponed_question_is_asked_again_after_a_second)
{
    struct sf_key key = sf_test_cache_key(1);

    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "text"), SF_OK);
    later = 3 * TTL;
    struct sf_l1_question question = ask(1);
    sf_l1_postpone(cache.l1, &key, &question);
    ck_assert(!is_stale(1));
    later += 2 * SF_SECOND;
    ck_assert(is_stale(1));
}
END_TEST

START_TEST(test_postponing_makes_nothing_older)
{
    struct sf_key key = sf_test_cache_key(1);

    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "text"), SF_OK);
    struct sf_l1_question question = ask(1);
    sf_l1_postpone(cache.l1, &key, &question);
    later = TTL / 2;
    ck_assert(!is_stale(1));
}
END_TEST

/* A machine that has been up for less than the TTL. */
START_TEST(test_postponing_within_a_ttl_of_the_boot_is_not_for_ever)
{
    struct sf_key key = sf_test_cache_key(1);

    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "text"), SF_OK);
    sf_l1_set_ttl(cache.l1, 2 * sf_clock_steady());
    struct sf_l1_question question = ask(1);
    sf_l1_postpone(cache.l1, &key, &question);
    sf_l1_set_ttl(cache.l1, TTL);
    later = 3 * TTL;
    ck_assert(is_stale(1));
}
END_TEST

/* ---- while others tell what they change ---- */

#define LEASE (30 * SF_SECOND)

/* An entry of a second ago, and a lease that began a little before. */
static void
begin_lease(void)
{
    later = 0;
    sf_l1_set_ttl(cache.l1, SF_SECOND);
    sf_l1_distrust(cache.l1);
    later = 10;
    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "text"), SF_OK);
    sf_l1_lease(cache.l1, TTL, sf_clock_steady() + LEASE);
    later += SF_SECOND;
}

START_TEST(test_lease_keeps_fresh_what_was_confirmed_under_it)
{
    begin_lease();
    ck_assert(!is_stale(1));
    later += LEASE - 2 * SF_SECOND;
    ck_assert(!is_stale(1));
}
END_TEST

START_TEST(test_lease_that_nobody_renews_runs_out)
{
    begin_lease();
    later += LEASE;
    ck_assert(is_stale(1));
    sf_l1_lease(cache.l1, TTL, sf_clock_steady() + LEASE);
    ck_assert(!is_stale(1)); /* nothing was missed: that would have been said */
    sf_l1_lease(cache.l1, TTL, 0);
    ck_assert(is_stale(1));
}
END_TEST

START_TEST(test_lease_has_a_ttl_too)
{
    begin_lease();
    later += TTL;
    sf_l1_lease(cache.l1, TTL, sf_clock_steady() + LEASE);
    ck_assert(is_stale(1));
    sf_l1_lease(cache.l1, 0, sf_clock_steady() + LEASE);
    ck_assert(!is_stale(1));
}
END_TEST

START_TEST(test_lease_is_not_for_what_was_there_before)
{
    begin_lease();
    sf_l1_distrust(cache.l1);
    ck_assert(is_stale(1));
    struct sf_l1_question question = ask(1);
    later += 10;
    ck_assert_int_eq(confirm(1, 3, 0, &question), SF_OK);
    ck_assert(!is_stale(1)); /* asked a moment ago */
    later += SF_SECOND;
    ck_assert(is_stale(1)); /* but in the same moment */
    question = ask(1);
    ck_assert_int_eq(confirm(1, 3, 0, &question), SF_OK);
    later += 10 * SF_SECOND;
    ck_assert(!is_stale(1));
}
END_TEST

/* It seems to be confirmed later than it is. */
START_TEST(test_lease_is_not_for_what_was_postponed)
{
    struct sf_key key = sf_test_cache_key(1);

    begin_lease();
    sf_l1_distrust(cache.l1);
    later += 10;
    struct sf_l1_question question = ask(1);
    sf_l1_postpone(cache.l1, &key, &question);
    ck_assert(!is_stale(1));
    later += 2 * SF_SECOND;
    ck_assert(is_stale(1));
}
END_TEST

START_TEST(test_distrust_never_moves_back)
{
    begin_lease();
    sf_l1_distrust(cache.l1);
    later = 0;
    sf_l1_distrust(cache.l1);
    later = 10 + SF_SECOND;
    ck_assert(is_stale(1));
}
END_TEST

START_TEST(test_late_answer_leaves_the_next_record_of_the_block_alone)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_found found;

    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "text"), SF_OK);
    struct sf_l1_question question = ask(1);
    for (uint64_t number = 2; number < 1000; number++) {
        ck_assert_int_eq(sf_l1_drop(cache.l1, &key), SF_OK);
        ck_assert_int_eq(sf_test_fill(cache.l1, number, 3, "text"), SF_OK);
        key = sf_test_cache_key(number);
        ck_assert_int_eq(sf_l1_find(cache.l1, &key, NULL, &found), SF_OK);
        if (found.block == question.ticket.block)
            break;
    }
    ck_assert_uint_eq(found.block, question.ticket.block);
    sf_time since = found.image.since;
    later = 3 * TTL;
    sf_l1_postpone(cache.l1, &key, &question);
    ck_assert_int_eq(sf_l1_find(cache.l1, &key, NULL, &found), SF_OK);
    ck_assert_int_eq(found.image.since, since);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1_confirm");
    TCase *tests = tcase_create("l1_confirm");

    tcase_add_checked_fixture(tests, set_up_with_ttl, tear_down);
    tcase_add_test(tests, test_entry_becomes_stale_within_the_last_quarter_of_the_ttl);
    tcase_add_test(tests, test_without_a_ttl_nothing_becomes_stale);
    tcase_add_test(tests, test_dirty_ones_and_tombstones_never_become_stale);
    tcase_add_test(tests, test_same_version_renews_the_age_and_nothing_else);
    tcase_add_test(tests, test_older_version_renews_as_well);
    tcase_add_test(tests, test_answer_renews_from_the_question_on);
    tcase_add_test(tests, test_newer_version_takes_its_place_and_is_clean);
    tcase_add_test(tests, test_what_was_replaced_is_as_old_as_the_question);
    tcase_add_test(tests, test_later_access_that_only_the_store_knows_is_taken_over);
    tcase_add_test(tests, test_dirty_one_stays_whatever_the_store_has);
    tcase_add_test(tests, test_what_was_not_here_is_filled_unless_it_was_meanwhile);
    tcase_add_test(tests, test_what_the_store_has_no_more_goes);
    tcase_add_test(tests, test_no_is_about_what_was_here_when_the_store_was_asked);
    tcase_add_test(tests, test_session_that_lives_by_its_touch_is_not_denied);
    tcase_add_test(tests, test_postponed_question_is_asked_again_after_a_second);
    tcase_add_test(tests, test_postponing_makes_nothing_older);
    tcase_add_test(tests, test_lease_keeps_fresh_what_was_confirmed_under_it);
    tcase_add_test(tests, test_lease_that_nobody_renews_runs_out);
    tcase_add_test(tests, test_lease_has_a_ttl_too);
    tcase_add_test(tests, test_lease_is_not_for_what_was_there_before);
    tcase_add_test(tests, test_lease_is_not_for_what_was_postponed);
    tcase_add_test(tests, test_distrust_never_moves_back);
    tcase_add_test(tests, test_postponing_within_a_ttl_of_the_boot_is_not_for_ever);
    tcase_add_test(tests, test_late_answer_leaves_the_next_record_of_the_block_alone);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
