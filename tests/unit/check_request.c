/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/request.h"

#include <apr_general.h>
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/unit/cgi_case.h"
#include "tests/unit/visit_case.h"

#define SHOW "printf 'A: 1\\n\\n'; exec env\n"

static void
start(void)
{
    set_up();
    start_cgi_gateway("SessionFast On\nSessionFastLoginDurability memory\n</Route>\n"
                      "<Route /guard>\nSessionFast On\nSessionFastDataFormat none\n"
                      "GatewayAuthorizer On\n");
    at.gateway.front = test.front;
    at.connection.is_kept = true;
    signal(SIGPIPE, SIG_IGN); /* as main does */
    add_script("show", SHOW);
}

static void
finish(void)
{
    finish_cgi_gateway();
    tear_down();
}

static void
serve_request(void)
{
    at.web.has_end = false;
    sf_request_serve(&at.gateway, &at.connection, &at.params);
    hear(&at.web);
}

static void
serve_path(const char *path)
{
    set_param("SCRIPT_NAME", path);
    serve_request();
}

/* ---- the path ---- */

static const char *const urls[][2] = {
    {"/a/b", "/a/b"},
    {"/a%2Fb%c3%A4", "/a/b\xc3\xa4"},
    {"/a?b=%20", "/a"},
    {"/a#b?c", "/a"},
    {"/%", "/%"},
    {"/%4", "/%4"},
    {"/%4g%zz", "/%4g%zz"},
    {"/a%00b", "/a"},
    {"", ""},
    {"*", "*"},
    {"/", "/"},
    {"//", "/"},
    {"/a//b/", "/a/b/"},
    {"/./a/.", "/a/"},
    {"/a/b/../c", "/a/c"},
    {"/a/%2e%2E/c", "/c"},
    {"/a/..", "/"},
    {"/../..//../a/...", "/a/..."},
    {"/..a/b../.c", "/..a/b../.c"},
    {"http://host:80/a/b?c", "/a/b"},
    {"http://host", "/"},
    {"http://host?/a", "/"},
};

START_TEST(test_path_of_a_url_is_decoded_once_and_simple)
{
    char *path = sf_request_path_of(urls[_i][0]);
    ck_assert_str_eq(path, urls[_i][1]);
    free(path);
    path = sf_request_path_of("/%2541");
    ck_assert_str_eq(path, "/%41");
    free(path);
}
END_TEST

START_TEST(test_path_is_that_of_script_and_info_together)
{
    set_param("PATH_INFO", "/show/more");
    serve_path("/a");
    ck_assert(has("\nSCRIPT_NAME=/a/show\n"));
    ck_assert(has("\nPATH_INFO=/more\n"));
}
END_TEST

START_TEST(test_path_without_a_route_is_not_found)
{
    serve_path("/b/show");
    assert_begin("Status: 404 Not Found\r\n");
    ck_assert(at.web.has_end);
    ck_assert_int_eq(at.connection.state, SF_CONNECTION_OPEN);
}
END_TEST

START_TEST(test_authorizers_find_their_routes_only)
{
    at.connection.role = SF_FCGI_AUTHORIZER;
    set_param("REQUEST_URI", "/guard/x?y=1");
    serve_request();
    assert_begin("Status: 401 ");
    set_param("REQUEST_URI", "/a/show");
    sf_buffer_clear(&at.web.output);
    serve_request();
    assert_begin("Status: 404 ");
}
END_TEST

START_TEST(test_name_of_a_file_loses_what_apache_puts_in_front)
{
    set_param("SESSION_GATEWAY_MODE", "authorize"); /* which leaves the variables as they are */
    set_param("SCRIPT_FILENAME", "proxy:fcgi://127.0.0.1:9000/srv/x");
    serve_path("/guard");
    ck_assert_str_eq(sf_params_get(&at.params, "SCRIPT_FILENAME"), "/srv/x");
    set_param("SCRIPT_FILENAME", "/srv/proxy:fcgi://x/y");
    serve_path("/guard");
    ck_assert_str_eq(sf_params_get(&at.params, "SCRIPT_FILENAME"), "/srv/proxy:fcgi://x/y");
}
END_TEST

/* ---- what comes in ---- */

START_TEST(test_variables_that_nobody_may_send_do_not_arrive)
{
    set_param("HTTP_PROXY", "evil");
    set_param("SESSION_USER", "root");
    set_param("PHP_VALUE", "evil");
    set_param("PHP_ADMIN_VALUE", "evil");
    set_param("HTTP_HOST", "good");
    serve_path("/a/show");
    ck_assert(has("\nHTTP_HOST=good\n"));
    ck_assert(!has("HTTP_PROXY"));
    ck_assert(!has("SESSION_USER"));
    ck_assert(!has("PHP_"));
}
END_TEST

START_TEST(test_settings_of_php_arrive_where_that_is_said)
{
    options()->php_values = true;
    set_param("PHP_VALUE", "good");
    serve_path("/a/show");
    ck_assert(has("\nPHP_VALUE=good\n"));
}
END_TEST

static const char *const bad_lengths[] = {
    "+5", "-1", " 5", "5 ", "0x5", "5, 6", "9999999999999999999"};
static const char *const good_lengths[] = {"", "0", "5", "005", "999999999999999999"};

START_TEST(test_length_that_is_no_number_is_refused)
{
    set_param("CONTENT_LENGTH", bad_lengths[_i]);
    serve_path("/a/show");
    assert_begin("Status: 400 Bad Request\r\n");
}
END_TEST

START_TEST(test_length_that_is_a_number_is_taken)
{
    set_param("CONTENT_LENGTH", good_lengths[_i]);
    serve_path("/a/show");
    assert_begin("Status: 200 ");
}
END_TEST

/* ---- the session ---- */

static void
bring(const struct sf_session_id *id)
{
    char header[200];
    snprintf(header, sizeof header, "a=b; %s=%s; c=d", test.config.cookie_name, id->text);
    set_param("HTTP_COOKIE", header);
}

START_TEST(test_session_is_shown_and_its_cookie_is_not)
{
    struct sf_session_id id = make_session(0);
    bring(&id);
    serve_path("/a/show");
    ck_assert(has("\nSESSION_STATE=active\n"));
    ck_assert(has("\nSESSION_FIELD_COLOR=red\n"));
    ck_assert(has("\nHTTP_COOKIE=a=b; c=d\n"));
    ck_assert(!has(id.text));
}
END_TEST

START_TEST(test_cookie_is_shown_where_that_is_said)
{
    struct sf_session_id id = make_session(0);
    options()->cookie_remove = false;
    bring(&id);
    serve_path("/a/show");
    ck_assert(has(id.text));
}
END_TEST

START_TEST(test_what_a_program_says_of_the_session_is_done_before_its_answer_goes_on)
{
    struct sf_session_id id = make_session(0);
    bring(&id);
    add_script("set", "printf 'X-Session-Set: color=blue\\nA: 1\\n\\n'");
    serve_path("/a/set");
    assert_begin("Status: 200 OK\r\nA: 1\r\n");
    ck_assert(!has("X-Session"));
    begin(&id, NULL);
    ck_assert(shows("color", "blue"));
}
END_TEST

START_TEST(test_session_that_nobody_knows_now_keeps_the_program_from_running)
{
    struct sf_session_id id = unknown_id();
    bring(&id);
    add_script("mark", "echo x > marked; printf 'A: 1\\n\\n'");
    serve_path("/a/mark");
    assert_begin("Status: 503 ");
    ck_assert(has("\r\nRetry-After: 1\r\n"));
    ck_assert_int_ne(access(sf_temp_folder_path(&scripts, "marked"), F_OK), 0);
}
END_TEST

START_TEST(test_session_without_room_for_its_variables_is_an_error)
{
    static char much[4096 + SF_PARAMS_OWN_BYTES - 100];
    struct sf_session_id id = make_session(0);
    memset(much, 'x', sizeof much - 1);
    bring(&id);
    set_param("SCRIPT_NAME", "/a/show");
    much[sizeof much - 1 - at.params.text.size] = '\0';
    set_param("A", much);
    serve_request();
    assert_begin("Status: 500 ");
    ck_assert(was_told("SF0721: /a/show: "));
}
END_TEST

/* ---- going on inside ---- */

START_TEST(test_redirect_inside_is_a_new_request_without_a_body)
{
    add_script("go", "printf 'Location: /a/show/%%2Bmore?b=2\\nX-Session-Set: seen=1\\n\\n'");
    set_param("REQUEST_METHOD", "POST");
    set_param("CONTENT_LENGTH", "4");
    set_param("DOCUMENT_ROOT", "/srv");
    send_body("text");
    serve_path("/a/go");
    ck_assert(has("\nREQUEST_METHOD=GET\n"));
    ck_assert(has("\nSCRIPT_NAME=/a/show\n"));
    ck_assert(has("\nPATH_INFO=/+more\n"));
    ck_assert(has("\nQUERY_STRING=b=2\n"));
    ck_assert(has("\nREQUEST_URI=/a/show/%2Bmore?b=2\n"));
    ck_assert(has("\nREDIRECT_URL=/a/go\n"));
    ck_assert(has("\nREDIRECT_STATUS=200\n"));
    ck_assert(!has("CONTENT_LENGTH"));
    ck_assert(has("\nSESSION_FIELD_SEEN=1\n"));
    ck_assert(has("\r\nSet-Cookie: __Host-id="));
    ck_assert_int_eq(at.connection.state, SF_CONNECTION_OPEN);
}
END_TEST

START_TEST(test_head_stays_head_inside)
{
    add_script("go", "printf 'Location: /a/show\\n\\n'");
    set_param("REQUEST_METHOD", "HEAD");
    serve_path("/a/go");
    ck_assert(has("\nREQUEST_METHOD=HEAD\n"));
    ck_assert(has("\nQUERY_STRING=\n"));
}
END_TEST

START_TEST(test_redirects_inside_have_an_end)
{
    char times[100] = "";
    add_script("loop", "printf x >> times; printf 'Location: /a/loop\\n\\n'");
    serve_path("/a/loop");
    assert_begin("Status: 500 ");
    ck_assert(was_told("SF0722: /a/loop: more than 10 redirects"));
    FILE *file = fopen(sf_temp_folder_path(&scripts, "times"), "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(times, sizeof times, file));
    fclose(file);
    ck_assert_uint_eq(strlen(times), SF_REDIRECTS_MAX + 1);
}
END_TEST

/* ---- the end ---- */

START_TEST(test_requests_follow_each_other_on_a_kept_connection)
{
    const struct sf_connection_times times = {SOON, SOON, SOON};
    add_script("fails", "printf 'A: 1\\n\\n'; exit 3");
    send_body("left unread");
    serve_path("/a/fails");
    ck_assert(at.web.has_end);
    ck_assert_uint_eq(at.web.end.application_status, 3);
    ck_assert_int_eq(at.connection.state, SF_CONNECTION_OPEN);
    add_begin(&at.web, 1, SF_FCGI_RESPONDER, true);
    add_param(&at.web, 1, "SCRIPT_NAME", "/a/show");
    say_all(&at.web);
    ck_assert_int_eq(sf_connection_begin(&at.connection, &at.params, &times, -1), SF_OK);
    add_stream(&at.web, SF_FCGI_STDIN, 1, sf_span_text(""));
    say_all(&at.web);
    serve_request();
    ck_assert(at.web.has_end);
    ck_assert_uint_eq(at.web.end.application_status, 0);
    ck_assert_int_eq(at.connection.state, SF_CONNECTION_OPEN);
}
END_TEST

START_TEST(test_connection_that_is_not_kept_ends_behind_the_answer)
{
    at.connection.is_kept = false;
    serve_path("/a/show");
    ck_assert(at.web.has_end);
    ck_assert_int_eq(at.connection.state, SF_CONNECTION_LOST);
}
END_TEST

START_TEST(test_answer_that_is_broken_off_has_no_end)
{
    eventfd_write(at.gateway.cutting, 1);
    add_script("long", "exec sleep 60");
    serve_path("/a/long");
    ck_assert(!at.web.has_end);
    ck_assert_uint_eq(at.web.output.size, 0);
    ck_assert_int_eq(at.connection.state, SF_CONNECTION_LOST);
}
END_TEST

START_TEST(test_request_that_was_not_read_is_answered)
{
    sf_request_refuse(&at.gateway, &at.connection, 431);
    assert_begin("Status: 431 Request Header Fields Too Large\r\n");
    ck_assert(at.web.has_end);
    ck_assert_int_eq(at.connection.state, SF_CONNECTION_LOST);
}
END_TEST

START_TEST(test_limit_counts_from_the_beginning)
{
    ck_assert_int_eq(sf_request_limit(&at.request), INT64_MAX);
    options()->gateway_time_limit = 5 * SF_SECOND;
    ck_assert_int_eq(sf_request_limit(&at.request), at.request.begun + 5 * SF_SECOND);
}
END_TEST

#define COUNT(items) ((int)(sizeof(items) / sizeof(items)[0]))

int
main(void)
{
    apr_initialize();
    Suite *suite = suite_create("request");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, finish);
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, test_path_of_a_url_is_decoded_once_and_simple, 0, COUNT(urls));
    tcase_add_test(all, test_path_is_that_of_script_and_info_together);
    tcase_add_test(all, test_path_without_a_route_is_not_found);
    tcase_add_test(all, test_authorizers_find_their_routes_only);
    tcase_add_test(all, test_name_of_a_file_loses_what_apache_puts_in_front);
    tcase_add_test(all, test_variables_that_nobody_may_send_do_not_arrive);
    tcase_add_test(all, test_settings_of_php_arrive_where_that_is_said);
    tcase_add_loop_test(all, test_length_that_is_no_number_is_refused, 0, COUNT(bad_lengths));
    tcase_add_loop_test(all, test_length_that_is_a_number_is_taken, 0, COUNT(good_lengths));
    tcase_add_test(all, test_session_is_shown_and_its_cookie_is_not);
    tcase_add_test(all, test_cookie_is_shown_where_that_is_said);
    tcase_add_test(all, test_what_a_program_says_of_the_session_is_done_before_its_answer_goes_on);
    tcase_add_test(all, test_session_that_nobody_knows_now_keeps_the_program_from_running);
    tcase_add_test(all, test_session_without_room_for_its_variables_is_an_error);
    tcase_add_test(all, test_redirect_inside_is_a_new_request_without_a_body);
    tcase_add_test(all, test_head_stays_head_inside);
    tcase_add_test(all, test_redirects_inside_have_an_end);
    tcase_add_test(all, test_requests_follow_each_other_on_a_kept_connection);
    tcase_add_test(all, test_connection_that_is_not_kept_ends_behind_the_answer);
    tcase_add_test(all, test_answer_that_is_broken_off_has_no_end);
    tcase_add_test(all, test_request_that_was_not_read_is_answered);
    tcase_add_test(all, test_limit_counts_from_the_beginning);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
