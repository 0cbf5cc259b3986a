/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/response_head.h"

#include <apr_general.h>
#include <check.h>

#include "tests/support/run_suite.h"
#include "tests/unit/gateway_visit_case.h"

static void
start(void)
{
    start_gateway_with_visits("GatewayApi On");
}

/* A whole block, without a session; what comes behind it goes on. */
static void
feed(const char *output)
{
    sf_response_feed(&at.response, sf_span_text(output));
}

/* What an application answers. */
static const char *answer;

static void
give_answer(struct sf_request *request, struct sf_response *response)
{
    (void)request;
    sf_response_feed(response, sf_span_text(answer));
}

static void
serve_answer(const char *text)
{
    answer = text;
    serve(give_answer);
}

/* ---- what the application says ---- */

START_TEST(test_status_is_what_the_application_says)
{
    feed("Status: 418 Teapot\n\n");
    assert_output("Status: 418 Teapot\r\n\r\n");
}
END_TEST

START_TEST(test_status_line_of_nph_becomes_a_status)
{
    feed("HTTP/1.1 201 Made\r\nConnection: close\r\nA: 1\r\n\r\nx");
    assert_output("Status: 201 Made\r\nA: 1\r\n\r\nx");
}
END_TEST

START_TEST(test_headers_about_the_session_never_go_on)
{
    feed("X-Session-Set: a=1\nx-session-nothing: 1\nX_Session_Logout: 1\nA: 1\n\n");
    assert_output("Status: 200 OK\r\nA: 1\r\n\r\n");
}
END_TEST

START_TEST(test_headers_that_steer_the_web_server_are_taken_out)
{
    feed("X-Accel-Redirect: /inner\nx-sendfile: /etc/passwd\nX-LIGHTTPD-send-file: /x\n"
         "X-Accel-Limit-Rate: 1\nX-Sendfile2: /x 0-\nX-Accel-Buffering: no\nX-Accel: 1\n"
         "X-Send: 2\n\n");
    assert_output("Status: 200 OK\r\nX-Accel-Buffering: no\r\nX-Accel: 1\r\n"
                  "X-Send: 2\r\n\r\n");
}
END_TEST

START_TEST(test_headers_that_are_named_steer_the_web_server)
{
    options()->pass_headers = "x-sendfile X-Accel-Redirect";
    feed("X-Accel-Redirect: /inner\nX-Sendfile: /a\nX-Sendfile2: /a\nX-Accel-Buffering: no\n\n");
    assert_output("Status: 200 OK\r\nX-Accel-Redirect: /inner\r\nX-Sendfile: /a\r\n\r\n");
}
END_TEST

START_TEST(test_headers_of_a_connection_end_with_it)
{
    feed("Connection: close\nKeep-Alive: 5\nTE: x\nTrailer: y\nUpgrade: z\nA: 1\n\n");
    assert_output("Status: 200 OK\r\nA: 1\r\n\r\n");
}
END_TEST

START_TEST(test_values_are_no_formats)
{
    feed("A: %s%n\nB%d: 1\n\n");
    assert_output("Status: 200 OK\r\nA: %s%n\r\nB%d: 1\r\n\r\n");
}
END_TEST

/* ---- what the session adds ---- */

START_TEST(test_what_is_said_about_the_session_is_done)
{
    begin_with_session(0);
    serve_answer("x-session-set: color=blue\nX_Session_Set: size=9\nA: 1\n\n");
    ck_assert(shows("color", "blue"));
    ck_assert(!has("ession-"));
}
END_TEST

START_TEST(test_nothing_is_done_where_headers_are_not_heard)
{
    options()->response_headers = false;
    begin_with_session(0);
    serve_answer("X-Session-Set: color=blue\n\n");
    ck_assert(shows("color", "red"));
    ck_assert(!has("X-Session"));
}
END_TEST

START_TEST(test_cookie_of_the_session_is_ours_to_set)
{
    serve_answer("X-Session-Set: a=1\nSet-Cookie: __Host-id=forged; Path=/\nSet-Cookie: b=2\n\n");
    ck_assert(has("\r\nSet-Cookie: b=2\r\n"));
    ck_assert(has("\r\nSet-Cookie: __Host-id="));
    ck_assert(!has("forged"));
}
END_TEST

START_TEST(test_caches_are_told_in_one_line_what_all_lines_said)
{
    begin_with_session(0);
    serve_answer("Cache-Control: max-age=60\nCache-Control: public\nVary: Accept\nA: 1\n\n");
    ck_assert(!has("public"));
    ck_assert(has("private"));
    ck_assert(has("\r\nVary: Accept, Cookie\r\n"));
    const char *first = strstr(output_of(&at.web), "Cache-Control");
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_null(strstr(first + 1, "Cache-Control"));
}
END_TEST

START_TEST(test_caches_are_left_alone_where_that_is_said)
{
    options()->cache_control = false;
    begin_with_session(0);
    serve_answer("Cache-Control: public\nVary: Accept\n\n");
    assert_begin("Status: 200 OK\r\nCache-Control: public\r\nVary: Accept\r\n\r\n");
}
END_TEST

static void
refuse(struct sf_request *request, struct sf_response *response)
{
    (void)request;
    sf_response_refuse(response, 403);
}

START_TEST(test_answer_of_our_own_has_rules_for_caches_too)
{
    begin_with_session(0);
    read_session();
    serve(refuse);
    assert_begin("Status: 403 Forbidden\r\nContent-Type: text/plain\r\n");
    ck_assert(has("\r\nVary: Cookie\r\n"));
    ck_assert(has("\r\n\r\n403 Forbidden\n"));
}
END_TEST

int
main(void)
{
    apr_initialize();
    Suite *suite = suite_create("response_head");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, finish_gateway_with_visits);
    tcase_add_test(all, test_status_is_what_the_application_says);
    tcase_add_test(all, test_status_line_of_nph_becomes_a_status);
    tcase_add_test(all, test_headers_about_the_session_never_go_on);
    tcase_add_test(all, test_headers_that_steer_the_web_server_are_taken_out);
    tcase_add_test(all, test_headers_that_are_named_steer_the_web_server);
    tcase_add_test(all, test_headers_of_a_connection_end_with_it);
    tcase_add_test(all, test_values_are_no_formats);
    tcase_add_test(all, test_what_is_said_about_the_session_is_done);
    tcase_add_test(all, test_nothing_is_done_where_headers_are_not_heard);
    tcase_add_test(all, test_cookie_of_the_session_is_ours_to_set);
    tcase_add_test(all, test_caches_are_told_in_one_line_what_all_lines_said);
    tcase_add_test(all, test_caches_are_left_alone_where_that_is_said);
    tcase_add_test(all, test_answer_of_our_own_has_rules_for_caches_too);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
