/* SPDX-License-Identifier: Apache-2.0 */
#include "common/front/visit.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "common/session/user_epochs.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"
#include "tests/unit/visit_case.h"

/* ---- state ---- */

START_TEST(test_request_without_a_cookie_has_no_session)
{
    ck_assert_int_eq(read_session(), SF_VISIT_NONE);
    ck_assert(sf_visit_is_certain(&test.visit, &test.call));
    ck_assert_ptr_null(sf_visit_fields(&test.visit, &test.call));
    ck_assert_str_eq(sf_visit_source_word(&test.visit), "none");
}
END_TEST

START_TEST(test_living_session_is_read)
{
    struct sf_session_id id = begin_with_session(0);
    ck_assert_int_eq(read_session(), SF_VISIT_ACTIVE);
    ck_assert(sf_key_equal(&test.visit.key, &id.key));
    ck_assert(shows("color", "red"));
    ck_assert(!test.visit.is_new);
    ck_assert_str_eq(sf_visit_source_word(&test.visit), "L1");
}
END_TEST

START_TEST(test_ended_session_is_none_for_certain)
{
    struct sf_session_id id = begin_with_session(0);
    change_session(&id, SF_OP_END, NULL);
    ck_assert_int_eq(read_session(), SF_VISIT_NONE);
    ck_assert(sf_visit_is_certain(&test.visit, &test.call));
    ck_assert_int_eq(sf_visit_refuse(&test.visit, &test.call), 0);
}
END_TEST

START_TEST(test_what_nobody_knows_is_not_none)
{
    begin_with_unknown();
    ck_assert_int_eq(read_session(), SF_VISIT_UNKNOWN);
    ck_assert(!sf_visit_is_certain(&test.visit, &test.call));
    ck_assert_ptr_null(sf_visit_fields(&test.visit, &test.call));
    ck_assert_str_eq(sf_visit_source_word(&test.visit), "unknown");
}
END_TEST

START_TEST(test_process_without_a_front_knows_nothing_of_any_cookie)
{
    struct sf_front *front = test.front;
    test.front = NULL;
    begin_with_header("a=b; __Host-id=x");
    ck_assert_int_eq(read_session(), SF_VISIT_UNKNOWN);
    begin_with_header("a=b");
    ck_assert_int_eq(read_session(), SF_VISIT_NONE);
    ck_assert_int_eq(set_field("a", "b"), SF_UNAVAILABLE);
    ck_assert_int_eq(sf_visit_take_failure(&test.visit), SF_HTTP_UNAVAILABLE);
    test.front = front;
}
END_TEST

START_TEST(test_session_too_old_for_the_place_is_ended)
{
    struct sf_session_id id = begin_with_session(20 * SF_MINUTE);
    test.call.idle_limit = 10 * SF_MINUTE;
    ck_assert_int_eq(read_session(), SF_VISIT_NONE);
    ck_assert_int_eq(test.visit.cookie, SF_VISIT_CLEAR_COOKIE);
    test.call.idle_limit = 0;
    begin(&id, NULL);
    ck_assert_int_eq(read_session(), SF_VISIT_NONE);
}
END_TEST

/* The browser may have another cookie by now. */
START_TEST(test_session_of_who_was_logged_out_everywhere_is_ended_and_its_cookie_left_alone)
{
    struct sf_session_id id = make_session(0);
    struct sf_l1_question question;
    struct sf_buffer row;
    size_t passed_over;
    const struct sf_user_epochs_change change = {
        .step = SF_EPOCHS_END_USER, .user = sf_span_text("joe"), .now = SF_DAY};
    struct sf_key key = sf_user_epochs_key(sf_user_epochs_row(sf_span_text("joe")));
    struct sf_test_cache same = {.instance = test.instance};
    struct sf_l1 *l1 = sf_test_cache_attach(&same);
    id = change_session(&id, SF_OP_LOGIN, "joe");
    begin(&id, NULL);
    ck_assert_int_eq(read_session(), SF_VISIT_ACTIVE);
    sf_buffer_init(&row, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_user_epochs_change(&row, &passed_over, sf_span_of(NULL, 0), &change), SF_OK);
    const struct sf_l1_answer answer = {.record = sf_buffer_span(&row)};
    sf_l1_ask(l1, &key, &question);
    ck_assert_int_eq(sf_l1_confirm(l1, &key, &answer, &question), SF_OK);
    begin(&id, NULL);
    ck_assert_int_eq(read_session(), SF_VISIT_NONE);
    ck_assert(sf_visit_is_certain(&test.visit, &test.call));
    ck_assert_int_eq(test.visit.cookie, SF_VISIT_NO_COOKIE);
    ck_assert(was_logged("SF0526: "));
    begin(&id, NULL); /* now it has ended, whatever anybody needs */
    ck_assert_int_eq(read_session(), SF_VISIT_NONE);
    ck_assert(!test.visit.loaded.is_revoked);
    sf_buffer_fini(&row);
    sf_l1_close(l1);
}
END_TEST

START_TEST(test_session_used_within_the_limit_of_the_place_goes_on)
{
    begin_with_session(5 * SF_MINUTE);
    test.call.idle_limit = 10 * SF_MINUTE;
    ck_assert_int_eq(read_session(), SF_VISIT_ACTIVE);
    ck_assert_int_eq(test.visit.cookie, SF_VISIT_NO_COOKIE);
}
END_TEST

/* ---- refusal ---- */

START_TEST(test_request_that_nobody_knows_is_refused_once)
{
    begin_with_unknown();
    ck_assert_int_eq(sf_visit_refuse(&test.visit, &test.call), SF_HTTP_UNAVAILABLE);
    ck_assert(was_logged("SF0511: "));
    ck_assert_int_eq(sf_visit_refuse(&test.visit, &test.call), 0);
}
END_TEST

START_TEST(test_request_goes_on_as_anonymous_where_that_is_wanted)
{
    begin_with_unknown();
    test.config.on_error = SF_ON_ERROR_ANONYMOUS;
    ck_assert_int_eq(sf_visit_refuse(&test.visit, &test.call), 0);
    ck_assert_int_eq(test.log.count, 0);
}
END_TEST

START_TEST(test_failure_is_answered_once_and_not_behind_a_refusal)
{
    test.visit.failure = SF_HTTP_FAILED;
    ck_assert_int_eq(sf_visit_take_failure(&test.visit), SF_HTTP_FAILED);
    ck_assert_int_eq(sf_visit_take_failure(&test.visit), 0);
    begin_with_unknown();
    ck_assert_int_eq(sf_visit_refuse(&test.visit, &test.call), SF_HTTP_UNAVAILABLE);
    test.visit.failure = SF_HTTP_FAILED;
    ck_assert_int_eq(sf_visit_take_failure(&test.visit), 0);
}
END_TEST

/* ---- environment ---- */

static char variables[500];

static void
keep_variable(void *context, const char *name, struct sf_span value)
{
    size_t used = strlen(variables);
    (void)context;
    snprintf(variables + used, sizeof variables - used, "%s=%.*s\n", name,
             (int)value.size, (const char *)value.data);
}

static void
export_all(void)
{
    variables[0] = '\0';
    sf_visit_export(&test.visit, &test.call, &test.config, keep_variable, NULL);
}

START_TEST(test_application_sees_the_state)
{
    export_all();
    ck_assert_str_eq(variables, "SESSION_STATE=none\n");
    ck_assert_int_eq(set_field("a", "b"), SF_OK);
    export_all();
    ck_assert_ptr_nonnull(strstr(variables, "SESSION_STATE=new\n"));
    begin_with_session(0);
    export_all();
    ck_assert_ptr_nonnull(strstr(variables, "SESSION_STATE=active\n"));
    ck_assert_ptr_nonnull(strstr(variables, "SESSION_FIELD_COLOR=red\n"));
}
END_TEST

START_TEST(test_application_sees_what_the_place_exports)
{
    begin_with_session(0);
    test.config.export = "";
    export_all();
    ck_assert_ptr_null(strstr(variables, "SESSION_FIELD_COLOR"));
}
END_TEST

/* ---- headers ---- */

static struct sf_buffer cookie;

static enum sf_status
cookie_is(const char *begins_with)
{
    sf_buffer_init(&cookie, SF_VISIT_COOKIE_BYTES);
    enum sf_status status = sf_visit_set_cookie(&test.visit, &test.call, &cookie);
    if (status == SF_OK) {
        ck_assert_uint_gt(cookie.size, strlen(begins_with));
        ck_assert_mem_eq(cookie.data, begins_with, strlen(begins_with));
    }
    sf_buffer_fini(&cookie);
    return status;
}

START_TEST(test_cookie_is_sent_for_a_new_id_only)
{
    char expected[80];
    ck_assert_int_eq(cookie_is(""), SF_NOT_FOUND);
    ck_assert_int_eq(set_field("a", "b"), SF_OK);
    snprintf(expected, sizeof expected, "__Host-id=%s; Path=/; Secure", test.visit.id.text);
    ck_assert_int_eq(cookie_is(expected), SF_OK);
    begin_with_session(0);
    ck_assert_int_eq(set_field("a", "b"), SF_OK);
    ck_assert_int_eq(cookie_is(""), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_cookie_with_an_age_is_sent_again_while_it_is_used)
{
    char expected[80];
    test.config.cookie_max_age = 10 * SF_MINUTE;
    struct sf_session_id id = begin_with_session(SF_MINUTE + SF_SECOND);
    ck_assert_int_eq(read_session(), SF_VISIT_ACTIVE);
    snprintf(expected, sizeof expected, "__Host-id=%s; Path=/; ", id.text);
    ck_assert_int_eq(cookie_is(expected), SF_OK);
    ck_assert_int_eq(sf_visit_cache_rule(&test.visit), SF_CACHE_NO_STORE);
    begin(&id, NULL);
    ck_assert_int_eq(read_session(), SF_VISIT_ACTIVE);
    ck_assert_int_eq(cookie_is(""), SF_NOT_FOUND); /* once */
}
END_TEST

START_TEST(test_cookie_is_not_sent_again_before_it_is_time)
{
    test.config.cookie_max_age = 10 * SF_MINUTE;
    begin_with_session(58 * SF_SECOND);
    ck_assert_int_eq(read_session(), SF_VISIT_ACTIVE);
    ck_assert_int_eq(cookie_is(""), SF_NOT_FOUND);
    test.config.cookie_max_age = 0;
    begin_with_session(20 * SF_MINUTE);
    ck_assert_int_eq(read_session(), SF_VISIT_ACTIVE);
    ck_assert_int_eq(cookie_is(""), SF_NOT_FOUND); /* it lasts until the browser ends */
}
END_TEST

START_TEST(test_replaced_id_is_not_sent_again)
{
    test.config.cookie_max_age = 10 * SF_MINUTE;
    struct sf_session_id former = begin_with_session(2 * SF_MINUTE);
    change_session(&former, SF_OP_ROTATE, NULL);
    begin(&former, NULL);
    ck_assert_int_eq(read_session(), SF_VISIT_ACTIVE);
    ck_assert(test.visit.loaded.is_former);
    ck_assert_int_eq(cookie_is(""), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_cookie_is_taken_away_at_the_end)
{
    begin_with_session(0);
    ck_assert_int_eq(do_op(SF_OP_END, NULL), SF_OK);
    ck_assert_int_eq(cookie_is("__Host-id=; "), SF_OK);
}
END_TEST

START_TEST(test_cookie_that_cannot_be_written_is_logged)
{
    ck_assert_int_eq(set_field("a", "b"), SF_OK);
    test.config.cookie_path = "/; Domain=evil.example";
    ck_assert_int_eq(cookie_is(""), SF_INVALID);
    ck_assert(was_logged("SF0523: "));
}
END_TEST

START_TEST(test_caches_keep_what_is_nobodys)
{
    ck_assert_int_eq(read_session(), SF_VISIT_NONE);
    ck_assert_int_eq(sf_visit_cache_rule(&test.visit), SF_CACHE_BY_COOKIE);
}
END_TEST

START_TEST(test_caches_may_not_share_what_is_somebodys)
{
    begin_with_session(0);
    ck_assert_int_eq(read_session(), SF_VISIT_ACTIVE);
    ck_assert_int_eq(sf_visit_cache_rule(&test.visit), SF_CACHE_PRIVATE);
}
END_TEST

START_TEST(test_caches_may_not_keep_a_cookie_or_what_nobody_knows)
{
    ck_assert_int_eq(set_field("a", "b"), SF_OK);
    ck_assert_int_eq(sf_visit_cache_rule(&test.visit), SF_CACHE_NO_STORE);
    ck_assert_int_eq(do_op(SF_OP_END, NULL), SF_OK);
    ck_assert_int_eq(sf_visit_cache_rule(&test.visit), SF_CACHE_NO_STORE);
    begin_with_unknown();
    ck_assert_int_eq(read_session(), SF_VISIT_UNKNOWN);
    ck_assert_int_eq(sf_visit_cache_rule(&test.visit), SF_CACHE_NO_STORE);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("visit");
    TCase *tests = tcase_create("visit");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_request_without_a_cookie_has_no_session);
    tcase_add_test(tests, test_living_session_is_read);
    tcase_add_test(tests, test_ended_session_is_none_for_certain);
    tcase_add_test(tests, test_what_nobody_knows_is_not_none);
    tcase_add_test(tests, test_process_without_a_front_knows_nothing_of_any_cookie);
    tcase_add_test(tests, test_session_too_old_for_the_place_is_ended);
    tcase_add_test(tests, test_session_of_who_was_logged_out_everywhere_is_ended_and_its_cookie_left_alone);
    tcase_add_test(tests, test_session_used_within_the_limit_of_the_place_goes_on);
    tcase_add_test(tests, test_request_that_nobody_knows_is_refused_once);
    tcase_add_test(tests, test_request_goes_on_as_anonymous_where_that_is_wanted);
    tcase_add_test(tests, test_failure_is_answered_once_and_not_behind_a_refusal);
    tcase_add_test(tests, test_application_sees_the_state);
    tcase_add_test(tests, test_application_sees_what_the_place_exports);
    tcase_add_test(tests, test_cookie_is_sent_for_a_new_id_only);
    tcase_add_test(tests, test_cookie_with_an_age_is_sent_again_while_it_is_used);
    tcase_add_test(tests, test_cookie_is_not_sent_again_before_it_is_time);
    tcase_add_test(tests, test_replaced_id_is_not_sent_again);
    tcase_add_test(tests, test_cookie_is_taken_away_at_the_end);
    tcase_add_test(tests, test_cookie_that_cannot_be_written_is_logged);
    tcase_add_test(tests, test_caches_keep_what_is_nobodys);
    tcase_add_test(tests, test_caches_may_not_share_what_is_somebodys);
    tcase_add_test(tests, test_caches_may_not_keep_a_cookie_or_what_nobody_knows);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
