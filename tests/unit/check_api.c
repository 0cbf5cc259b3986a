/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/api.h"

#include <apr_general.h>
#include <check.h>

#include "tests/support/run_suite.h"
#include "tests/unit/gateway_visit_case.h"

static void
start(void)
{
    start_gateway_with_visits("GatewayApi On\nGatewayApiFields lang visits color");
    set_path("/a");
    set_param("HTTP_HOST", "example.org:8443");
}

static void
call(const char *method)
{
    set_param("REQUEST_METHOD", method);
    serve(sf_api_serve);
}

static void
post(const char *body)
{
    set_param("CONTENT_TYPE", "application/json; charset=utf-8");
    send_body(body);
    call("POST");
}

START_TEST(test_no_session_is_none)
{
    call("GET");
    assert_begin("Status: 200 OK\r\nContent-Type: application/json\r\n");
    ck_assert(has("\r\nCache-Control: no-store"));
    ck_assert(has("\r\n\r\n{\"state\":\"none\"}\n"));
}
END_TEST

START_TEST(test_session_is_shown)
{
    begin_with_session(0);
    call("GET");
    ck_assert(has("{\"state\":\"active\",\"user\":null,\"created\":"));
    ck_assert(has("\"expires\":"));
    ck_assert(has("\"fields\":{\"color\":\"red\"}}"));
}
END_TEST

START_TEST(test_user_is_shown_as_json)
{
    struct sf_session_id id = make_session(0);
    id = change_session(&id, SF_OP_LOGIN, "jo\"e");
    begin(&id, NULL);
    call("GET");
    ck_assert(has("\"user\":\"jo\\\"e\""));
}
END_TEST

START_TEST(test_fields_are_set_and_incremented_and_shown)
{
    begin_with_session(0);
    post("{\"set\": {\"lang\": \"de\", \"visits\": 3}, \"increment\": {\"visits\": 4}}");
    assert_begin("Status: 200 ");
    ck_assert(has("\"fields\":{\"color\":\"red\",\"lang\":\"de\",\"visits\":7}"));
    ck_assert(!has("Set-Cookie"));
}
END_TEST

START_TEST(test_first_field_makes_a_session)
{
    post("{\"set\": {\"lang\": \"de\"}}");
    assert_begin("Status: 200 ");
    ck_assert(has("{\"state\":\"new\""));
    ck_assert(has("\r\nSet-Cookie: __Host-id="));
}
END_TEST

START_TEST(test_fields_that_are_not_named_stay_as_they_are)
{
    begin_with_session(0);
    post("{\"set\": {\"lang\": \"de\", \"admin\": 1}}");
    assert_begin("Status: 403 Forbidden\r\n");
    ck_assert(has("\"error\":\"field-not-allowed\""));
    ck_assert(shows("color", "red"));
    ck_assert(!shows("lang", "de"));
}
END_TEST

START_TEST(test_increment_of_a_text_is_a_conflict)
{
    begin_with_session(0);
    post("{\"increment\": {\"color\": 1}}");
    assert_begin("Status: 409 Conflict\r\n");
    ck_assert(has("\"error\":\"does-not-fit\""));
}
END_TEST

static const char *const bad_bodies[] = {
    "",
    "{",
    "[]",
    "{}",
    "{\"set\": {}}",
    "{\"set\": 1}",
    "{\"set\": {\"lang\": 1.5}}",
    "{\"set\": {\"lang\": null}}",
    "{\"increment\": {\"visits\": \"1\"}}",
    "{\"unset\": {\"lang\": 1}}",
    "{\"set\": {\"lang\": \"a\", \"lang\": \"b\"}}",
    "{\"set\": {\"lang\": \"a\\u0000\"}}",
    "{\"set\": {\"lang\": \"a\"}} more",
};

START_TEST(test_bad_body_is_refused)
{
    begin_with_session(0);
    post(bad_bodies[_i]);
    assert_begin("Status: 400 Bad Request\r\n");
    ck_assert(has("\"error\":\"bad-request\""));
    ck_assert(!shows("lang", "a"));
}
END_TEST

START_TEST(test_body_that_is_too_large_is_refused)
{
    static char body[SF_API_BODY_MAX + 2];
    memset(body, ' ', sizeof body - 1);
    post(body);
    assert_begin("Status: 413 ");
}
END_TEST

START_TEST(test_body_of_another_type_is_refused)
{
    set_param("CONTENT_TYPE", "text/plain");
    send_body("{\"set\": {\"lang\": \"de\"}}");
    call("POST");
    assert_begin("Status: 415 ");
}
END_TEST

START_TEST(test_session_is_ended)
{
    begin_with_session(0);
    call("DELETE");
    assert_begin("Status: 200 ");
    ck_assert(has("{\"state\":\"none\"}"));
    ck_assert(has("\r\nSet-Cookie: __Host-id=;"));
}
END_TEST

START_TEST(test_session_is_ended_by_post)
{
    begin_with_session(0);
    set_path("/a/end");
    call("POST");
    ck_assert(has("{\"state\":\"none\"}"));
}
END_TEST

START_TEST(test_other_methods_are_refused)
{
    call("PUT");
    assert_begin("Status: 405 Method Not Allowed\r\n");
    ck_assert(has("\r\nAllow: GET, HEAD, POST, DELETE\r\n"));
}
END_TEST

START_TEST(test_other_places_are_not_there)
{
    set_path("/a/other");
    call("GET");
    assert_begin("Status: 404 Not Found\r\n");
}
END_TEST

/* ---- other sites ---- */

static void
end_from(const char *name, const char *value)
{
    begin_with_session(0);
    set_param(name, value);
    call("DELETE");
}

START_TEST(test_change_from_another_site_is_refused)
{
    end_from("HTTP_SEC_FETCH_SITE", _i == 0 ? "cross-site" : "same-site");
    assert_begin("Status: 403 Forbidden\r\n");
    ck_assert(shows("color", "red"));
}
END_TEST

static const char *const other_origins[] = {"https://evil.example", "null", "https://example.org",
                                            "https://example.org:8443.evil.example"};

START_TEST(test_change_from_another_origin_is_refused)
{
    end_from("HTTP_ORIGIN", other_origins[_i]);
    assert_begin("Status: 403 Forbidden\r\n");
    ck_assert(shows("color", "red"));
}
END_TEST

START_TEST(test_change_from_our_own_pages_is_made)
{
    end_from("HTTP_ORIGIN", "https://EXAMPLE.org:8443");
    assert_begin("Status: 200 ");
}
END_TEST

START_TEST(test_place_without_sessions_is_an_error)
{
    sf_api_serve(&at.request, &at.response);
    ck_assert_int_eq(at.response.state, SF_RESPONSE_FAILED);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("api");
    TCase *tests = tcase_create("api");
    apr_initialize();
    tcase_add_checked_fixture(tests, start, finish_gateway_with_visits);
    tcase_add_test(tests, test_no_session_is_none);
    tcase_add_test(tests, test_session_is_shown);
    tcase_add_test(tests, test_user_is_shown_as_json);
    tcase_add_test(tests, test_fields_are_set_and_incremented_and_shown);
    tcase_add_test(tests, test_first_field_makes_a_session);
    tcase_add_test(tests, test_fields_that_are_not_named_stay_as_they_are);
    tcase_add_test(tests, test_increment_of_a_text_is_a_conflict);
    tcase_add_loop_test(tests, test_bad_body_is_refused, 0,
                        sizeof bad_bodies / sizeof bad_bodies[0]);
    tcase_add_test(tests, test_body_that_is_too_large_is_refused);
    tcase_add_test(tests, test_body_of_another_type_is_refused);
    tcase_add_test(tests, test_session_is_ended);
    tcase_add_test(tests, test_session_is_ended_by_post);
    tcase_add_test(tests, test_other_methods_are_refused);
    tcase_add_test(tests, test_other_places_are_not_there);
    tcase_add_loop_test(tests, test_change_from_another_site_is_refused, 0, 2);
    tcase_add_loop_test(tests, test_change_from_another_origin_is_refused, 0, 4);
    tcase_add_test(tests, test_change_from_our_own_pages_is_made);
    tcase_add_test(tests, test_place_without_sessions_is_an_error);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
