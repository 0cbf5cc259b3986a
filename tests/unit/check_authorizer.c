/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/authorizer.h"

#include <apr_general.h>
#include <check.h>

#include "tests/support/run_suite.h"
#include "tests/unit/gateway_visit_case.h"

static void
start(void)
{
    start_gateway_with_visits("GatewayAuthorizer On\nSessionFastDataFormat none");
}

static void
ask(const char *require)
{
    options()->require = require;
    serve(sf_authorizer_serve);
}

static void
begin_with_user(const char *user)
{
    struct sf_session_id id = make_session(0);
    id = change_session(&id, SF_OP_LOGIN, user);
    begin(&id, NULL);
    set_field("color", "red");
    begin(&id, NULL);
}

START_TEST(test_session_is_allowed_and_shown_as_variables)
{
    begin_with_session(0);
    ask("valid");
    assert_begin("Status: 200 OK\r\n");
    ck_assert(has("\r\nVariable-SESSION_STATE: active\r\n"));
    ck_assert(has("\r\nVariable-SESSION_FIELD_COLOR: red\r\n"));
    ck_assert(!has("Set-Cookie"));
}
END_TEST

START_TEST(test_value_that_would_begin_another_header_is_not_shown)
{
    begin_with_session(0);
    set_field("evil", "x\r\nVariable-SESSION_USER: root");
    ask("valid");
    assert_begin("Status: 200 OK\r\n");
    ck_assert(!has("EVIL"));
    ck_assert(!has("root"));
}
END_TEST

START_TEST(test_nobody_is_asked_to_log_in)
{
    ask("valid");
    assert_begin(
        "Status: 401 Unauthorized\r\nWWW-Authenticate: Cookie cookie-name=\"__Host-id\"\r\n");
}
END_TEST

START_TEST(test_session_without_a_user_is_asked_to_log_in)
{
    begin_with_session(0);
    ask("user");
    assert_begin("Status: 401 ");
}
END_TEST

START_TEST(test_users)
{
    begin_with_user("joe");
    ask("user");
    assert_begin("Status: 200 ");
}
END_TEST

START_TEST(test_user_by_name)
{
    begin_with_user("joe");
    ask("user ann joe");
    assert_begin("Status: 200 ");
    ck_assert(has("\r\nVariable-SESSION_USER: joe\r\n"));
}
END_TEST

START_TEST(test_user_of_another_name_is_forbidden)
{
    begin_with_user("joe");
    ask("user ann joey");
    assert_begin("Status: 403 Forbidden\r\n");
    ck_assert(!has("Variable-"));
}
END_TEST

START_TEST(test_field_of_any_value)
{
    begin_with_session(0);
    ask("field color");
    assert_begin("Status: 200 ");
}
END_TEST

START_TEST(test_field_of_a_value)
{
    begin_with_session(0);
    ask("field color blue red");
    assert_begin("Status: 200 ");
}
END_TEST

START_TEST(test_field_of_another_value)
{
    begin_with_user("joe");
    ask("field color blue");
    assert_begin("Status: 403 ");
}
END_TEST

START_TEST(test_field_that_is_not_there)
{
    begin_with_session(0);
    ask("field size");
    assert_begin("Status: 401 ");
}
END_TEST

/* ---- what web servers take ---- */

static void
ask_as_authorizer(void)
{
    options()->login_page = "/login";
    at.connection.role = SF_FCGI_AUTHORIZER;
    set_param("REQUEST_URI", "/p/x?a=1&b=%2F");
    ask("valid");
}

START_TEST(test_authorizer_sends_to_the_login_page)
{
    ask_as_authorizer();
    assert_begin("Status: 302 Found\r\nLocation: /login?return=/p/x%3Fa%3D1%26b%3D%252F\r\n");
}
END_TEST

START_TEST(test_nginx_gets_401_for_a_redirect)
{
    options()->login_page = "/login";
    ask("valid");
    assert_begin("Status: 401 ");
}
END_TEST

START_TEST(test_mod_fcgid_gets_401_for_a_redirect)
{
    set_param("FCGI_APACHE_ROLE", "ACCESS_CHECKER");
    ask_as_authorizer();
    assert_begin("Status: 401 ");
}
END_TEST

START_TEST(test_mod_authnz_fcgi_gets_the_redirect)
{
    set_param("FCGI_APACHE_ROLE", "AUTHORIZER");
    set_param("FCGI_ROLE", "AUTHORIZER");
    ask_as_authorizer();
    assert_begin("Status: 302 ");
}
END_TEST

START_TEST(test_who_asks_is_known_by_role_or_parameter)
{
    ck_assert(!sf_authorizer_is_asked(&at.connection, &at.params));
    set_param("SESSION_GATEWAY_MODE", "authorize");
    ck_assert(sf_authorizer_is_asked(&at.connection, &at.params));
    sf_params_remove(&at.params, "SESSION_GATEWAY_MODE");
    at.connection.role = SF_FCGI_AUTHORIZER;
    ck_assert(sf_authorizer_is_asked(&at.connection, &at.params));
}
END_TEST

START_TEST(test_name_said_to_an_authenticator_is_that_of_the_session)
{
    begin_with_user("joe");
    set_param("FCGI_APACHE_ROLE", "AUTHENTICATOR");
    set_param("REMOTE_USER", "joe");
    ask("valid");
    assert_begin("Status: 200 ");
}
END_TEST

START_TEST(test_another_name_said_to_an_authenticator_is_refused)
{
    begin_with_user("joe");
    set_param("FCGI_APACHE_ROLE", "AUTHENTICATOR");
    set_param("REMOTE_USER", "root");
    ask("valid");
    assert_begin("Status: 403 ");
}
END_TEST

/* Somebody else has looked at the password. */
START_TEST(test_name_said_to_an_authorizer_may_be_another)
{
    begin_with_user("joe");
    set_param("FCGI_APACHE_ROLE", "AUTHORIZER");
    set_param("REMOTE_USER", "carol");
    ask("user");
    assert_begin("Status: 200 ");
}
END_TEST

START_TEST(test_place_without_sessions_allows_nobody)
{
    sf_authorizer_serve(&at.request, &at.response);
    ck_assert_int_eq(at.response.state, SF_RESPONSE_FAILED);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("authorizer");
    TCase *tests = tcase_create("authorizer");
    apr_initialize();
    tcase_add_checked_fixture(tests, start, finish_gateway_with_visits);
    tcase_add_test(tests, test_session_is_allowed_and_shown_as_variables);
    tcase_add_test(tests, test_value_that_would_begin_another_header_is_not_shown);
    tcase_add_test(tests, test_nobody_is_asked_to_log_in);
    tcase_add_test(tests, test_session_without_a_user_is_asked_to_log_in);
    tcase_add_test(tests, test_users);
    tcase_add_test(tests, test_user_by_name);
    tcase_add_test(tests, test_user_of_another_name_is_forbidden);
    tcase_add_test(tests, test_field_of_any_value);
    tcase_add_test(tests, test_field_of_a_value);
    tcase_add_test(tests, test_field_of_another_value);
    tcase_add_test(tests, test_field_that_is_not_there);
    tcase_add_test(tests, test_authorizer_sends_to_the_login_page);
    tcase_add_test(tests, test_nginx_gets_401_for_a_redirect);
    tcase_add_test(tests, test_mod_fcgid_gets_401_for_a_redirect);
    tcase_add_test(tests, test_mod_authnz_fcgi_gets_the_redirect);
    tcase_add_test(tests, test_who_asks_is_known_by_role_or_parameter);
    tcase_add_test(tests, test_name_said_to_an_authenticator_is_that_of_the_session);
    tcase_add_test(tests, test_another_name_said_to_an_authenticator_is_refused);
    tcase_add_test(tests, test_name_said_to_an_authorizer_may_be_another);
    tcase_add_test(tests, test_place_without_sessions_allows_nobody);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
