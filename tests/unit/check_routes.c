/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/routes.h"

#include <check.h>
#include <stdio.h>

#include "tests/support/run_suite.h"
#include "tests/unit/config_case.h"

static struct sf_routes routes;

static void
read_text(const char *text)
{
    enum sf_status status =
        sf_routes_read_text(&routes, sf_span_text(text), "g.conf", pool, &error);
    ck_assert_msg(status == SF_OK, "%s", error.text);
}

static void
assert_refused(const char *text, const char *why)
{
    ck_assert_msg(sf_routes_read_text(&routes, sf_span_text(text), "g.conf", pool, &error) ==
                      SF_INVALID,
                  "accepted: %s", text);
    ck_assert_str_eq(error.text, why);
}

#define API "GatewayApi On\n</Route>\n"

START_TEST(test_routes_take_what_they_do_not_say_from_the_top)
{
    read_text(
        "GatewayTimeout 5s\n"
        "<Route /a/>\nGatewayUpstream 127.0.0.1:9000\nGatewayTimeout 7s\nSessionFast On\n</Route>\n"
        "<Route /b/>\n" API "GatewayHeaderSize 2K\nGatewayThreads 3\n");
    ck_assert_uint_eq(routes.count, 2);
    ck_assert_str_eq(routes.items[0].pattern, "/a/");
    ck_assert_str_eq(routes.items[0].config.upstream, "127.0.0.1:9000");
    ck_assert_int_eq(routes.items[0].config.gateway_timeout, 7 * SF_SECOND);
    ck_assert(routes.items[0].config.enabled && !routes.items[1].config.enabled);
    ck_assert_int_eq(routes.items[1].config.gateway_timeout, 5 * SF_SECOND);
    ck_assert_uint_eq(routes.items[0].config.gateway_header_size, 2048);
    ck_assert_int_eq(routes.top.gateway_threads, 3);
    ck_assert_str_eq(routes.items[1].config.upstream, "");
}
END_TEST

START_TEST(test_brackets_may_have_blanks_and_any_case)
{
    read_text("  < ROUTE\t/a >  \n"
              "GatewayApi On\n"
              "< /route >\n");
    ck_assert_uint_eq(routes.count, 1);
    ck_assert_str_eq(routes.items[0].pattern, "/a");
}
END_TEST

static const char *
found(const char *path)
{
    const struct sf_route *route = sf_routes_find(&routes, path);
    return route == NULL ? "none" : route->pattern;
}

START_TEST(test_first_route_that_matches_counts)
{
    read_text("<Route /cgi/admin/>\n" API "<Route /cgi/>\n" API "<Route *.php>\n" API
              "<Route /one>\n" API);
    ck_assert_str_eq(found("/cgi/admin/x"), "/cgi/admin/");
    ck_assert_str_eq(found("/cgi/admin"), "/cgi/");
    ck_assert_str_eq(found("/cgi/x.php"), "/cgi/");
    ck_assert_str_eq(found("/cgi"), "none");
    ck_assert_str_eq(found("/a/x.php"), "*.php");
    ck_assert_str_eq(found("/a/x.php/path/info"), "*.php");
    ck_assert_str_eq(found("/a.php.x/y.php"), "*.php");
    ck_assert_str_eq(found("/a/x.phps"), "none");
    ck_assert_str_eq(found("/a/.php"), "none");
    ck_assert_str_eq(found("/one"), "/one");
    ck_assert_str_eq(found("/one/more"), "/one");
    ck_assert_str_eq(found("/ones"), "none");
    ck_assert_str_eq(found(""), "none");
}
END_TEST

START_TEST(test_root_matches_everything)
{
    read_text("<Route />\n" API);
    ck_assert_str_eq(found("/"), "/");
    ck_assert_str_eq(found("/a/b"), "/");
    ck_assert_uint_eq(sf_route_prefix_size(&routes.items[0]), 0);
}
END_TEST

START_TEST(test_part_of_a_suffix_ends_where_the_suffix_ends_a_part)
{
    read_text("<Route *.x>\n" API "<Route /a/>\n" API);
    ck_assert_uint_eq(sf_route_part_size(&routes.items[0], "/b.x/c"), 4);
    ck_assert_uint_eq(sf_route_part_size(&routes.items[0], "/b.xy/c.x/d"), 9);
    ck_assert_uint_eq(sf_route_part_size(&routes.items[1], "/a/b.x"), 2);
}
END_TEST

START_TEST(test_prefix_is_counted_without_its_last_slash)
{
    read_text("<Route /a/b/>\n" API "<Route /c>\n" API "<Route *.x>\n" API);
    ck_assert_uint_eq(sf_route_prefix_size(&routes.items[0]), 4);
    ck_assert_uint_eq(sf_route_prefix_size(&routes.items[1]), 2);
    ck_assert_uint_eq(sf_route_prefix_size(&routes.items[2]), 0);
}
END_TEST

START_TEST(test_wrong_brackets_are_refused_with_their_line)
{
    assert_refused("<Route /a>\n<Route /b>\n",
                   "g.conf:2: a <Route> cannot stand in another (</Route> ends it)");
    assert_refused("\n</Route>\n", "g.conf:2: </Route> without a <Route>");
    assert_refused("<Route /a>\nGatewayApi On\n", "g.conf:1: <Route /a> is not closed by </Route>");
    static const char *const wrong[] = {
        "<Route>", "<Route /a /b>", "<Route /a", "<Location /a>", "<>", "<", "</Route /a>"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_refused(wrong[i], "g.conf:1: neither <Route PATTERN> nor </Route>");
    assert_refused("<Route a>\n",
                   "g.conf:1: <Route>: 'a' is no pattern (/PREFIX/, /NAME, *.SUFFIX)");
    static const char *const patterns[] = {"<Route *>",   "<Route *.>",    "<Route *.a/b>",
                                           "<Route /a*>", "<Route /a//b>", "<Route *a>",
                                           "<Route *.a*>"};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        ck_assert_int_eq(
            sf_routes_read_text(&routes, sf_span_text(patterns[i]), "g.conf", pool, &error),
            SF_INVALID);
}
END_TEST

START_TEST(test_each_option_has_its_place)
{
    assert_refused(
        "<Route /a>\nGatewayThreads 5\n",
        "g.conf:2: GatewayThreads holds for the whole gateway: it cannot stand in a <Route>");
    assert_refused(
        "<Route /a>\nSessionFastStore sqlite:x\n",
        "g.conf:2: SessionFastStore holds for the whole gateway: it cannot stand in a <Route>");
    assert_refused("GatewayApi On\n", "g.conf:1: GatewayApi stands in a <Route> only");
    assert_refused("\nGatewayThreads 0\n",
                   "g.conf:2: GatewayThreads: '0' is out of range (1 to 4096)");
}
END_TEST

START_TEST(test_route_has_exactly_one_task)
{
    static const char names[] =
        "GatewayCgiDirectory, GatewayCgiProgram, GatewayUpstream, GatewayAuthorizer, GatewayApi";
    char why[256];
    snprintf(why, sizeof why, "g.conf:2: <Route /a> needs one of %s", names);
    assert_refused("\n<Route /a>\nGatewayApi Off\n</Route>\n", why);
    snprintf(why, sizeof why, "g.conf:1: <Route /a> needs only one of %s", names);
    assert_refused("<Route /a>\nGatewayCgiProgram /x\nGatewayApi On\n</Route>\n", why);
}
END_TEST

START_TEST(test_places_to_listen_are_checked)
{
    read_text("GatewayListen inherited unix:/run/x.sock 127.0.0.1:9000 "
              "[::1]:9000\nGatewayListenMode 600\n");
    assert_refused("\nGatewayListen unix:/x 0.0.0.0:9000\n",
                   "g.conf:2: GatewayListen: '0.0.0.0:9000' is not of this host (unix:, 127.0.0.1, "
                   "[::1]): whoever can "
                   "connect can forge everything");
    assert_refused("GatewayListen nothing\n", "g.conf:1: GatewayListen: 'nothing' is no place to "
                                              "connect to (unix:/PATH of up to 107 bytes, "
                                              "127.0.0.1:PORT, [::1]:PORT)");
    assert_refused("GatewayListenMode 0880\n",
                   "g.conf:1: GatewayListenMode: '0880' is not an octal number such as 0660");
    assert_refused("GatewayListenMode 662\n",
                   "g.conf:1: GatewayListenMode: '662' lets everybody of this host connect, and "
                   "whoever can connect can forge everything (0660, and the web server in "
                   "GatewayGroup)");
    assert_refused("GatewayThreads 5\nGatewayListenMode 0666\n",
                   "g.conf:2: GatewayListenMode: '0666' lets everybody of this host connect, and "
                   "whoever can connect can forge everything (0660, and the web server in "
                   "GatewayGroup)");
}
END_TEST

START_TEST(test_places_of_applications_are_checked)
{
    assert_refused("<Route /a>\nGatewayUpstream php\n</Route>\n",
                   "g.conf:2: GatewayUpstream: 'php' is no place to connect to (unix:/PATH of up "
                   "to 107 bytes, "
                   "127.0.0.1:PORT, [::1]:PORT)");
    assert_refused("<Route /a>\n\nGatewayCgiDirectory cgi-bin\n</Route>\n",
                   "g.conf:3: GatewayCgiDirectory: 'cgi-bin' does not begin with '/'");
    assert_refused("<Route /a>\nGatewayCgiProgram x\n</Route>\n",
                   "g.conf:2: GatewayCgiProgram: 'x' does not begin with '/'");
}
END_TEST

START_TEST(test_what_authorizers_want_is_checked)
{
    assert_refused("<Route /a>\nGatewayAuthorizer On\nGatewayRequire users joe\n</Route>\n",
                   "g.conf:3: GatewayRequire: neither valid nor user [NAME...] nor field NAME "
                   "[VALUE...]");
    assert_refused("<Route /a>\nGatewayAuthorizer On\nGatewayLoginPage login\n</Route>\n",
                   "g.conf:3: GatewayLoginPage: neither /PATH nor https://HOST/PATH, without ? "
                   "and #");
}
END_TEST

START_TEST(test_authorizers_and_others_are_found_apart)
{
    read_text("<Route /a>\nGatewayApi On\n</Route>\n<Route />\nGatewayAuthorizer On\n"
              "GatewayRequire field role admin\nGatewayLoginPage https://example.org/in\n"
              "</Route>\n");
    ck_assert_str_eq(sf_routes_find(&routes, "/a")->pattern, "/a");
    ck_assert_str_eq(sf_routes_find_authorizer(&routes, "/a")->pattern, "/");
    ck_assert_ptr_null(sf_routes_find(&routes, "/b"));
}
END_TEST

START_TEST(test_route_that_is_never_reached_is_refused)
{
    static const char *const pairs[][2] = {
        {"/a/", "/a/"},   {"/a", "/a/"},      {"/a", "/a/b"},         {"/a/", "/a/b/"}, {"/", "/a"},
        {"/", "*.php"},   {"*.php", "*.php"}, {"*.php", "/x/y.php/"}, {"*.gz", "*.tar.gz"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char text[200], why[200];
        snprintf(text, sizeof text, "<Route %s>\n" API "<Route %s>\n" API, pairs[i][0], pairs[i][1]);
        snprintf(why, sizeof why, "g.conf:4: <Route %s> is never reached: <Route %s> in line 1 takes all of it",
                 pairs[i][1], pairs[i][0]);
        assert_refused(text, why);
    }
    read_text("<Route /a/>\n" API "<Route /a>\n" API "<Route /ab>\n" API "<Route *.php>\n" API
              "<Route *.php5>\n" API "<Route />\n" API);
}
END_TEST

START_TEST(test_authorizers_and_pages_hide_each_other_never)
{
#define AUTHORIZER "GatewayAuthorizer On\n</Route>\n"
    read_text("<Route />\n" API "<Route /a>\n" AUTHORIZER);
    assert_refused("<Route />\n" API "<Route /a>\n" AUTHORIZER "<Route /a>\n" AUTHORIZER,
                   "g.conf:7: <Route /a> is never reached: <Route /a> in line 4 takes all of it");
    read_text("<Route />\n" AUTHORIZER "<Route /a>\n" API);
}
END_TEST

START_TEST(test_what_must_go_together_names_the_line_that_broke_it)
{
    assert_refused("\nSessionFastCookieSecure Off\n",
                   "g.conf:2: SessionFastCookieName: '__Host-id' needs SessionFastCookieSecure On");
    assert_refused(
        "SessionFastCookieName a\nSessionFastCookieSecure Off\n<Route /a>\nGatewayApi On\n"
        "SessionFastCookieName __Host-b\n</Route>\n",
        "g.conf:5: SessionFastCookieName: '__Host-b' needs SessionFastCookieSecure On");
}
END_TEST

START_TEST(test_missing_file_is_unavailable)
{
    ck_assert_int_eq(sf_routes_read(&routes, "/nonexistent/g.conf", pool, &error), SF_UNAVAILABLE);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("routes");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, make_defaults, drop_pool);
    tcase_add_test(all, test_routes_take_what_they_do_not_say_from_the_top);
    tcase_add_test(all, test_brackets_may_have_blanks_and_any_case);
    tcase_add_test(all, test_first_route_that_matches_counts);
    tcase_add_test(all, test_root_matches_everything);
    tcase_add_test(all, test_part_of_a_suffix_ends_where_the_suffix_ends_a_part);
    tcase_add_test(all, test_prefix_is_counted_without_its_last_slash);
    tcase_add_test(all, test_wrong_brackets_are_refused_with_their_line);
    tcase_add_test(all, test_each_option_has_its_place);
    tcase_add_test(all, test_route_has_exactly_one_task);
    tcase_add_test(all, test_places_to_listen_are_checked);
    tcase_add_test(all, test_places_of_applications_are_checked);
    tcase_add_test(all, test_what_authorizers_want_is_checked);
    tcase_add_test(all, test_authorizers_and_others_are_found_apart);
    tcase_add_test(all, test_route_that_is_never_reached_is_refused);
    tcase_add_test(all, test_authorizers_and_pages_hide_each_other_never);
    tcase_add_test(all, test_what_must_go_together_names_the_line_that_broke_it);
    tcase_add_test(all, test_missing_file_is_unavailable);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
