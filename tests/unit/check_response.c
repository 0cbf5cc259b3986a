/* SPDX-License-Identifier: Apache-2.0 */
/* Without a front: what is about the session is in check_response_head.c. */
#include "fcgi_gateway/response.h"

#include <apr_general.h>
#include <check.h>

#include "tests/support/run_suite.h"
#include "tests/unit/gateway_case.h"

static void
start(void)
{
    start_gateway("<Route /a>\nGatewayApi On\nGatewayHeaderSize 1K\n</Route>\n");
}

static void
feed(const char *output)
{
    sf_response_feed(&at.response, sf_span_text(output));
}

START_TEST(test_answer_goes_on_as_it_comes)
{
    feed("Content-Type: a/b\nX-Other:  1\n");
    assert_output("");
    feed("\nbody");
    assert_output("Status: 200 OK\r\nContent-Type: a/b\r\nX-Other: 1\r\n\r\nbody");
    feed(" and more");
    assert_output(" and more");
    sf_response_finish(&at.response);
    ck_assert_int_eq(at.response.state, SF_RESPONSE_BODY);
}
END_TEST

START_TEST(test_redirect_to_elsewhere_is_for_the_browser)
{
    feed("Location: http://example.org/a\n\n");
    assert_output("Status: 302 Found\r\nLocation: http://example.org/a\r\n\r\n");
    ck_assert_uint_eq(at.request.redirect.size, 0);
}
END_TEST

START_TEST(test_local_redirect_is_followed_where_a_route_takes_it)
{
    feed("Location: /a/y?b=1\n\nignored");
    assert_output("");
    ck_assert(sf_span_equal(sf_buffer_span(&at.request.redirect), sf_span_text("/a/y?b=1")));
    ck_assert_int_eq(at.response.state, SF_RESPONSE_DROPPED);
}
END_TEST

START_TEST(test_local_redirect_without_a_route_is_for_the_browser)
{
    feed("Location: /elsewhere\n\n");
    assert_output("Status: 302 Found\r\nLocation: /elsewhere\r\n\r\n");
    ck_assert_uint_eq(at.request.redirect.size, 0);
}
END_TEST

START_TEST(test_redirect_with_a_status_or_to_a_host_is_not_followed)
{
    feed("Status: 303 Other\nLocation: /a/y\n\n");
    assert_output("Status: 303 Other\r\nLocation: /a/y\r\n\r\n");
    sf_response_fini(&at.response);
    sf_response_init(&at.response, &at.request);
    feed("Location: //a/y\n\n");
    assert_output("Status: 302 Found\r\nLocation: //a/y\r\n\r\n");
}
END_TEST

#define BAD_GATEWAY "Status: 502 Bad Gateway\r\nContent-Type: text/plain\r\n\r\n502 Bad Gateway\n"

START_TEST(test_malformed_headers_are_answered_502_and_the_rest_is_dropped)
{
    feed("no header\n");
    feed("more");
    assert_output(BAD_GATEWAY);
    sf_response_finish(&at.response);
    ck_assert_int_eq(at.response.state, SF_RESPONSE_FAILED);
}
END_TEST

START_TEST(test_lengths_that_contradict_each_other_are_answered_502)
{
    feed("Content-Length: 3\nA: 1\ncontent-length: 4\n\n");
    assert_output(BAD_GATEWAY);
}
END_TEST

START_TEST(test_end_before_the_body_is_answered_502)
{
    feed("A: 1\n");
    sf_response_finish(&at.response);
    assert_output(BAD_GATEWAY);
}
END_TEST

START_TEST(test_headers_above_the_limit_are_answered_502)
{
    char line[1100];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    feed(line);
    assert_output(BAD_GATEWAY);
}
END_TEST

START_TEST(test_chunked_body_is_refused)
{
    feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_output(BAD_GATEWAY);
}
END_TEST

START_TEST(test_failure_behind_the_headers_breaks_off)
{
    feed("A: 1\n\nhalf");
    sf_response_fail(&at.response, 504, "slow");
    assert_output("Status: 200 OK\r\nA: 1\r\n\r\nhalf");
    ck_assert_int_eq(at.response.state, SF_RESPONSE_BROKEN);
}
END_TEST

START_TEST(test_unavailable_says_when_to_come_again)
{
    sf_response_refuse(&at.response, 503);
    assert_output(
        "Status: 503 Service Unavailable\r\nContent-Type: text/plain\r\nRetry-After: 1\r\n\r\n"
        "503 Service Unavailable\n");
}
END_TEST

int
main(void)
{
    apr_initialize();
    Suite *suite = suite_create("response");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, finish_gateway);
    tcase_add_test(all, test_answer_goes_on_as_it_comes);
    tcase_add_test(all, test_redirect_to_elsewhere_is_for_the_browser);
    tcase_add_test(all, test_local_redirect_is_followed_where_a_route_takes_it);
    tcase_add_test(all, test_local_redirect_without_a_route_is_for_the_browser);
    tcase_add_test(all, test_redirect_with_a_status_or_to_a_host_is_not_followed);
    tcase_add_test(all, test_malformed_headers_are_answered_502_and_the_rest_is_dropped);
    tcase_add_test(all, test_lengths_that_contradict_each_other_are_answered_502);
    tcase_add_test(all, test_end_before_the_body_is_answered_502);
    tcase_add_test(all, test_headers_above_the_limit_are_answered_502);
    tcase_add_test(all, test_chunked_body_is_refused);
    tcase_add_test(all, test_failure_behind_the_headers_breaks_off);
    tcase_add_test(all, test_unavailable_says_when_to_come_again);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
