/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of changes, and of the response that follows. */
#include <check.h>
#include <string.h>

#include "common/front/visit.h"
#include "tests/support/test_cache.h"
#include "tests/support/run_suite.h"
#include "tests/unit/visit_case.h"

static void
begin_with_two(void)
{
    struct sf_session_id one = make_session(0);
    struct sf_session_id other = make_session(0);
    begin(&one, &other);
}

/* ---- what may create ---- */

static void
set_pressure(enum sf_l1_pressure pressure)
{
    struct sf_l1 *l1;
    ck_assert_int_eq(sf_l1_attach(&l1, &test.instance, SF_L1_READ_WRITE, NULL), SF_OK);
    sf_l1_set_pressure(l1, pressure);
    sf_l1_close(l1);
}

START_TEST(test_first_field_makes_a_session)
{
    ck_assert_int_eq(set_field("a", "b"), SF_OK);
    ck_assert_int_eq(test.visit.state, SF_VISIT_ACTIVE);
    ck_assert_int_eq(test.visit.cookie, SF_VISIT_SEND_COOKIE);
    ck_assert(test.visit.is_new);
    ck_assert(shows("a", "b"));
    struct sf_session_id id = test.visit.id;
    begin(&id, NULL);
    ck_assert(shows("a", "b"));
}
END_TEST

START_TEST(test_what_sets_nothing_makes_no_session)
{
    ck_assert_int_eq(do_op(SF_OP_UNSET, "a"), SF_OK);
    ck_assert_int_eq(do_op(SF_OP_END, NULL), SF_OK);
    ck_assert_int_eq(test.visit.state, SF_VISIT_NONE);
    ck_assert_int_eq(test.visit.cookie, SF_VISIT_NO_COOKIE);
    ck_assert_int_eq(test.log.count, 0);
}
END_TEST

START_TEST(test_changes_of_one_request_build_on_each_other)
{
    struct sf_session_id id = begin_with_session(0);
    ck_assert(shows("color", "red"));
    ck_assert_int_eq(set_field("color", "blue"), SF_OK);
    ck_assert(shows("color", "blue"));
    ck_assert_int_eq(do_op(SF_OP_UNSET, "color"), SF_OK);
    ck_assert(!shows("color", "blue"));
    ck_assert(sf_key_equal(&test.visit.key, &id.key));
}
END_TEST

START_TEST(test_login_gives_a_new_id)
{
    struct sf_session_id id = begin_with_session(0);
    ck_assert_int_eq(do_op(SF_OP_LOGIN, "joe"), SF_OK);
    ck_assert_int_eq(test.visit.cookie, SF_VISIT_SEND_COOKIE);
    ck_assert(!test.visit.is_new);
    ck_assert(!sf_key_equal(&test.visit.key, &id.key));
    ck_assert(shows("color", "red"));
}
END_TEST

START_TEST(test_end_takes_the_session_and_its_cookie_away)
{
    struct sf_session_id id = begin_with_session(0);
    ck_assert_int_eq(do_op(SF_OP_END, NULL), SF_OK);
    ck_assert_int_eq(test.visit.state, SF_VISIT_NONE);
    ck_assert_int_eq(test.visit.cookie, SF_VISIT_CLEAR_COOKIE);
    begin(&id, NULL);
    ck_assert_int_eq(read_session(), SF_VISIT_NONE);
}
END_TEST

START_TEST(test_change_of_a_session_that_was_ended_meanwhile_is_dropped)
{
    struct sf_session_id id = begin_with_session(0);
    ck_assert_int_eq(read_session(), SF_VISIT_ACTIVE);
    change_session(&id, SF_OP_END, NULL);
    ck_assert_int_eq(set_field("a", "b"), SF_NOT_FOUND);
    ck_assert(was_logged("SF0512: the session was ended meanwhile: change dropped"));
    ck_assert_int_eq(test.visit.failure, 0);
    ck_assert_int_eq(set_field("a", "b"), SF_NOT_FOUND);
    ck_assert_int_eq(test.visit.cookie, SF_VISIT_NO_COOKIE);
}
END_TEST

START_TEST(test_login_makes_a_session_in_place_of_one_that_was_ended_meanwhile)
{
    struct sf_session_id id = begin_with_session(0);
    ck_assert_int_eq(read_session(), SF_VISIT_ACTIVE);
    change_session(&id, SF_OP_END, NULL);
    ck_assert_int_eq(do_op(SF_OP_LOGIN, "joe"), SF_OK);
    ck_assert_int_eq(test.visit.cookie, SF_VISIT_SEND_COOKIE);
    ck_assert(test.visit.is_new);
    ck_assert(!shows("color", "red"));
}
END_TEST

START_TEST(test_change_of_several_sessions_is_dropped)
{
    begin_with_two();
    ck_assert_int_eq(set_field("a", "b"), SF_NOT_FOUND);
    ck_assert(was_logged("SF0512: the request has several sessions: change dropped"));
    ck_assert_int_eq(test.visit.failure, 0);
}
END_TEST

START_TEST(test_login_ends_the_doubt_about_several_sessions)
{
    begin_with_two();
    ck_assert_int_eq(do_op(SF_OP_LOGIN, "joe"), SF_OK);
    ck_assert(!test.visit.is_ambiguous);
    ck_assert(!shows("color", "red"));
    ck_assert_int_eq(set_field("a", "b"), SF_OK);
}
END_TEST

START_TEST(test_nothing_takes_the_place_of_a_session_that_may_be_alive)
{
    begin_with_unknown();
    ck_assert_int_eq(set_field("a", "b"), SF_UNAVAILABLE);
    ck_assert(was_logged("SF0513: a change was not made, answered 503: "));
    ck_assert_int_eq(test.visit.cookie, SF_VISIT_NO_COOKIE);
    ck_assert_int_eq(sf_visit_take_failure(&test.visit), SF_HTTP_UNAVAILABLE);
}
END_TEST

START_TEST(test_login_takes_the_place_of_what_nobody_knows)
{
    begin_with_unknown();
    ck_assert_int_eq(do_op(SF_OP_LOGIN, "joe"), SF_OK);
    ck_assert_int_eq(test.visit.state, SF_VISIT_ACTIVE);
    ck_assert_int_eq(test.visit.cookie, SF_VISIT_SEND_COOKIE);
}
END_TEST

START_TEST(test_change_without_a_cookie_that_can_be_sent_is_dropped)
{
    test.call.is_too_late = true;
    ck_assert_int_eq(set_field("a", "b"), SF_INVALID);
    ck_assert(was_logged("SF0515: "));
    ck_assert_int_eq(test.visit.state, SF_VISIT_NONE);
    ck_assert_int_eq(test.visit.failure, 0);
    begin_with_session(0);
    ck_assert_int_eq(do_op(SF_OP_LOGIN, "joe"), SF_INVALID);
    ck_assert_int_eq(set_field("a", "b"), SF_OK);
}
END_TEST

/* ---- how it is made ---- */

START_TEST(test_limit_of_the_place_holds_for_sessions_made_there)
{
    test.call.idle_limit = SF_MINUTE;
    ck_assert_int_eq(set_field("a", "b"), SF_OK);
    ck_assert_int_eq(sf_visit_fields(&test.visit, &test.call)->head.idle_timeout, SF_MINUTE);
    begin(NULL, NULL);
    test.call.idle_limit = 2 * test.config.idle_timeout;
    ck_assert_int_eq(set_field("a", "b"), SF_OK);
    ck_assert_int_eq(sf_visit_fields(&test.visit, &test.call)->head.idle_timeout,
                     test.config.idle_timeout);
}
END_TEST

START_TEST(test_session_of_a_bot_is_marked)
{
    uint8_t bot = sf_record_flag_parse(sf_span_text("bot"));
    test.call.is_bot = true;
    ck_assert_int_eq(set_field("a", "b"), SF_OK);
    ck_assert(sf_visit_fields(&test.visit, &test.call)->head.flags & bot);
    begin_with_session(0);
    ck_assert_int_eq(set_field("a", "b"), SF_OK);
    ck_assert(!(sf_visit_fields(&test.visit, &test.call)->head.flags & bot));
}
END_TEST

/* Until when the cache remembers that it was ended. */
static sf_time
remembered_until(const struct sf_key *key)
{
    struct sf_test_cache same = {.instance = test.instance};
    struct sf_l1 *l1 = sf_test_cache_attach(&same);
    struct sf_l1_view view;
    struct sf_buffer record;
    sf_buffer_init(&record, 4096);
    ck_assert_int_eq(sf_l1_get(l1, key, &record, &view), SF_OK);
    struct sf_record_brief brief = sf_record_brief(record.data);
    sf_buffer_fini(&record);
    sf_l1_close(l1);
    ck_assert_int_eq(brief.kind, SF_RECORD_ENDED);
    return brief.absolute_deadline;
}

START_TEST(test_ended_session_is_remembered_as_the_instance_says)
{
    struct sf_config instance = test.config;
    instance.tombstone_lifetime = 9 * SF_HOUR;
    struct sf_session_id id = begin_with_session(0);
    test.visit.instance = &instance;
    ck_assert_int_eq(do_op(SF_OP_END, NULL), SF_OK);
    ck_assert_int_ge(remembered_until(&id.key), sf_clock_wall() + 8 * SF_HOUR);
}
END_TEST

/* ---- what it means for the response ---- */

START_TEST(test_change_that_does_not_fit_is_the_applications_fault)
{
    begin_with_session(0);
    test.config.on_error = SF_ON_ERROR_ANONYMOUS;
    ck_assert_int_eq(do_op(SF_OP_INCREMENT, "color"), SF_INVALID);
    ck_assert(was_logged("SF0513: a change was not made, answered 500: an operation does not fit"));
    ck_assert_int_eq(sf_visit_take_failure(&test.visit), SF_HTTP_FAILED);
}
END_TEST

START_TEST(test_session_that_would_be_too_large_is_answered_503)
{
    char large[1500];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    begin_with_session(0);
    test.config.max_bytes = 1024;
    ck_assert_int_eq(set_field("a", large), SF_FULL);
    ck_assert(was_logged("SF0513: a change was not made, answered 503: the session would be larger"));
    ck_assert_int_eq(test.visit.failure, SF_HTTP_UNAVAILABLE);
    ck_assert(shows("color", "red"));
}
END_TEST

START_TEST(test_under_pressure_a_visitor_gets_his_page_without_a_session)
{
    begin(NULL, NULL);
    set_pressure(SF_L1_PRESSURE_NO_NEW);
    ck_assert_int_eq(set_field("a", "b"), SF_FULL);
    ck_assert(was_logged("SF0514: a change was not made, the response goes on: level 1: no new anonymous"));
    ck_assert_int_eq(test.visit.failure, 0);
    ck_assert_int_eq(test.visit.state, SF_VISIT_NONE);
    ck_assert_int_eq(test.visit.cookie, SF_VISIT_NO_COOKIE);
    ck_assert_int_eq(do_op(SF_OP_LOGIN, "joe"), SF_OK);
}
END_TEST

START_TEST(test_under_pressure_a_session_that_must_not_be_lost_is_answered_503)
{
    set_pressure(SF_L1_PRESSURE_NO_NEW);
    begin(NULL, NULL);
    sf_visit_add_header(&test.visit, "X-Session-Set", "a=b");
    sf_visit_add_header(&test.visit, "X-Session-Durability", "journal");
    sf_visit_commit(&test.visit, &test.call);
    ck_assert(was_logged("SF0513: a change was not made, answered 503: level 1: "));
    begin(NULL, NULL);
    test.config.durability = SF_DURABILITY_STORE;
    ck_assert_int_eq(set_field("a", "b"), SF_FULL);
    ck_assert_int_eq(test.visit.failure, SF_HTTP_UNAVAILABLE);
    ck_assert(was_logged("SF0513: a change was not made, answered 503: level 1: "));
}
END_TEST

START_TEST(test_under_pressure_a_visitors_change_is_answered_503)
{
    begin_with_session(0);
    set_pressure(SF_L1_PRESSURE_NO_ANONYMOUS);
    ck_assert_int_eq(set_field("a", "b"), SF_FULL);
    ck_assert(was_logged("SF0513: a change was not made, answered 503: level 2: "));
    ck_assert_int_eq(test.visit.failure, SF_HTTP_UNAVAILABLE);
    ck_assert(shows("color", "red"));
    ck_assert_int_eq(do_op(SF_OP_END, NULL), SF_OK);
}
END_TEST

START_TEST(test_response_goes_on_without_the_change_where_that_is_wanted)
{
    begin_with_unknown();
    test.config.on_error = SF_ON_ERROR_ANONYMOUS;
    ck_assert_int_eq(set_field("a", "b"), SF_UNAVAILABLE);
    ck_assert(was_logged("SF0514: a change was not made, the response goes on: "));
    ck_assert_int_eq(test.visit.failure, 0);
}
END_TEST

START_TEST(test_unconfirmed_login_keeps_its_id_and_promises_nothing)
{
    begin_with_session(0);
    test.config.login_durability = SF_DURABILITY_JOURNAL;
    ck_assert_int_eq(do_op(SF_OP_LOGIN, "joe"), SF_UNCERTAIN);
    ck_assert(was_logged("SF0513: a change was not confirmed, answered 503: "));
    ck_assert_int_eq(test.visit.cookie, SF_VISIT_SEND_COOKIE);
    ck_assert_int_eq(sf_visit_take_failure(&test.visit), SF_HTTP_UNAVAILABLE);
}
END_TEST

/* ---- headers of the application ---- */

static void
commit(void)
{
    sf_visit_commit(&test.visit, &test.call);
}

START_TEST(test_headers_are_one_list)
{
    sf_visit_add_header(&test.visit, "X-Session-Set", "a=b&n=1");
    sf_visit_add_header(&test.visit, "x-session-increment", "n");
    sf_visit_add_header(&test.visit, "X-Session-Login", "joe");
    commit();
    ck_assert_int_eq(test.visit.failure, 0);
    ck_assert(shows("a", "b"));
    ck_assert(shows("n", "2"));
    const struct sf_session *fields = sf_visit_fields(&test.visit, &test.call);
    ck_assert(sf_span_equal(fields->head.user, sf_span_text("joe")));
    ck_assert_uint_eq(fields->head.version, 1);
}
END_TEST

START_TEST(test_headers_are_committed_once)
{
    begin_with_session(0);
    sf_visit_add_header(&test.visit, "X-Session-Increment", "n");
    commit();
    commit();
    ck_assert(shows("n", "1"));
    sf_visit_add_header(&test.visit, "X-Session-Increment", "n");
    commit();
    ck_assert(shows("n", "2"));
}
END_TEST

START_TEST(test_replacement_is_of_what_this_request_had_read)
{
    struct sf_session_id id = begin_with_session(0);
    ck_assert_int_eq(read_session(), SF_VISIT_ACTIVE);
    change_session(&id, SF_OP_INCREMENT, "visits");
    sf_visit_add_header(&test.visit, "X-Session-Replace", "size=9");
    commit();
    ck_assert(shows("size", "9"));
    ck_assert(!shows("color", "red"));
    ck_assert(shows("visits", "1"));
}
END_TEST

START_TEST(test_malformed_header_makes_all_void_and_is_answered_500)
{
    begin_with_session(0);
    sf_visit_add_header(&test.visit, "X-Session-Set", "a=b");
    sf_visit_add_header(&test.visit, "X-Session-Sett", "a=c");
    commit();
    ck_assert_int_eq(sf_visit_take_failure(&test.visit), SF_HTTP_FAILED);
    ck_assert(was_logged("SF0519: the application's session headers were refused, answered 500: "));
    ck_assert(!shows("a", "b"));
}
END_TEST

START_TEST(test_logout_behind_a_malformed_header_counts)
{
    begin_with_session(0);
    sf_visit_add_header(&test.visit, "X-Session-Set", "%");
    sf_visit_add_header(&test.visit, "X-Session-Logout", "1");
    commit();
    ck_assert_int_eq(test.visit.failure, 0);
    ck_assert_int_eq(test.visit.state, SF_VISIT_NONE);
    ck_assert_int_eq(test.visit.cookie, SF_VISIT_CLEAR_COOKIE);
}
END_TEST

START_TEST(test_headers_behind_a_failure_do_nothing)
{
    begin_with_session(0);
    test.visit.failure = SF_HTTP_FAILED;
    sf_visit_add_header(&test.visit, "X-Session-Set", "a=b");
    commit();
    ck_assert(!shows("a", "b"));
}
END_TEST

START_TEST(test_header_asks_for_more_durability)
{
    begin_with_session(0);
    sf_visit_add_header(&test.visit, "X-Session-Set", "a=b");
    sf_visit_add_header(&test.visit, "X-Session-Durability", "journal");
    commit();
    ck_assert(was_logged("SF0513: a change was not confirmed, answered 503: "));
    ck_assert(shows("a", "b"));
}
END_TEST

static void
add_creating_tests(TCase *tests)
{
    tcase_add_test(tests, test_first_field_makes_a_session);
    tcase_add_test(tests, test_what_sets_nothing_makes_no_session);
    tcase_add_test(tests, test_changes_of_one_request_build_on_each_other);
    tcase_add_test(tests, test_login_gives_a_new_id);
    tcase_add_test(tests, test_end_takes_the_session_and_its_cookie_away);
    tcase_add_test(tests, test_change_of_a_session_that_was_ended_meanwhile_is_dropped);
    tcase_add_test(tests, test_login_makes_a_session_in_place_of_one_that_was_ended_meanwhile);
    tcase_add_test(tests, test_change_of_several_sessions_is_dropped);
    tcase_add_test(tests, test_login_ends_the_doubt_about_several_sessions);
    tcase_add_test(tests, test_nothing_takes_the_place_of_a_session_that_may_be_alive);
    tcase_add_test(tests, test_login_takes_the_place_of_what_nobody_knows);
    tcase_add_test(tests, test_change_without_a_cookie_that_can_be_sent_is_dropped);
}

int
main(void)
{
    Suite *suite = suite_create("visit_commit");
    TCase *tests = tcase_create("visit_commit");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    add_creating_tests(tests);
    tcase_add_test(tests, test_limit_of_the_place_holds_for_sessions_made_there);
    tcase_add_test(tests, test_session_of_a_bot_is_marked);
    tcase_add_test(tests, test_ended_session_is_remembered_as_the_instance_says);
    tcase_add_test(tests, test_change_that_does_not_fit_is_the_applications_fault);
    tcase_add_test(tests, test_session_that_would_be_too_large_is_answered_503);
    tcase_add_test(tests, test_under_pressure_a_visitor_gets_his_page_without_a_session);
    tcase_add_test(tests, test_under_pressure_a_session_that_must_not_be_lost_is_answered_503);
    tcase_add_test(tests, test_under_pressure_a_visitors_change_is_answered_503);
    tcase_add_test(tests, test_response_goes_on_without_the_change_where_that_is_wanted);
    tcase_add_test(tests, test_unconfirmed_login_keeps_its_id_and_promises_nothing);
    tcase_add_test(tests, test_headers_are_one_list);
    tcase_add_test(tests, test_headers_are_committed_once);
    tcase_add_test(tests, test_replacement_is_of_what_this_request_had_read);
    tcase_add_test(tests, test_malformed_header_makes_all_void_and_is_answered_500);
    tcase_add_test(tests, test_logout_behind_a_malformed_header_counts);
    tcase_add_test(tests, test_headers_behind_a_failure_do_nothing);
    tcase_add_test(tests, test_header_asks_for_more_durability);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
