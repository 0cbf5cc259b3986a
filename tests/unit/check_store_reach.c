/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_reach.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/unit/finding_case.h"

#define DEADLINE (sf_clock_steady() + 10 * SF_SECOND)

static struct found found;

static void
set_up(void)
{
    found_init(&found);
}

/* Bound to a port that nobody has; it listens only when it is told to. */
static int
bind_loopback(uint16_t *port_out)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(listener, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&here, size), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&here, &size), 0);
    *port_out = ntohs(here.sin_port);
    return listener;
}

START_TEST(test_each_step_is_told_with_its_time)
{
    uint16_t port;
    int listener = bind_loopback(&port);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(sf_reach_examine("127.0.0.1", port, DEADLINE, &found.findings), SF_REACH_LOOPBACK);
    assert_found(&found, "look up", SF_FINDING_OK, "1 address");
    assert_found(&found, "connect", SF_FINDING_OK, "127.0.0.1");
    ck_assert_int_ge(found.list[0].microseconds, 0);
    ck_assert_int_ge(found.list[1].microseconds, 0);
    close(listener);
}
END_TEST

START_TEST(test_nobody_listens)
{
    uint16_t port;
    int listener = bind_loopback(&port);
    ck_assert_int_eq(sf_reach_examine("127.0.0.1", port, DEADLINE, &found.findings), SF_REACH_FAILED);
    assert_found(&found, "connect", SF_FINDING_ERROR, "refused");
    close(listener);
}
END_TEST

START_TEST(test_deadline)
{
    ck_assert_int_eq(sf_reach_examine("no-such-host.invalid", 1, sf_clock_steady() - 1, &found.findings),
                     SF_REACH_FAILED);
    ck_assert_int_eq(found_level(&found, "look up"), SF_FINDING_ERROR);
}
END_TEST

START_TEST(test_unix_socket)
{
    struct sockaddr_un here = {.sun_family = AF_UNIX};
    snprintf(here.sun_path, sizeof here.sun_path, "/tmp/sf-reach-%d", (int)getpid());
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&here, sizeof here), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(sf_reach_examine(here.sun_path, 0, DEADLINE, &found.findings), SF_REACH_SOCKET);
    close(listener);
    unlink(here.sun_path);
    ck_assert_int_eq(sf_reach_examine(here.sun_path, 0, DEADLINE, &found.findings), SF_REACH_FAILED);
}
END_TEST

START_TEST(test_secrecy)
{
    static const struct {
        enum sf_reach reach;
        bool is_tls, is_checked;
        enum sf_finding_level level;
    } rows[] = {
        {SF_REACH_SOCKET, false, false, SF_FINDING_OK},    {SF_REACH_LOOPBACK, false, false, SF_FINDING_OK},
        {SF_REACH_NETWORK, false, false, SF_FINDING_WARNING}, {SF_REACH_NETWORK, true, false, SF_FINDING_WARNING},
        {SF_REACH_NETWORK, true, true, SF_FINDING_OK},     {SF_REACH_LOOPBACK, true, false, SF_FINDING_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        found_init(&found);
        sf_reach_examine_secrecy(rows[i].reach, rows[i].is_tls, rows[i].is_checked, "", &found.findings);
        ck_assert_msg(found_level(&found, "secrecy") == rows[i].level, "row %zu", i);
    }
}
END_TEST

START_TEST(test_clock)
{
    static const struct {
        sf_time server;
        enum sf_finding_level level;
    } rows[] = {
        {10000, SF_FINDING_OK},      {10999, SF_FINDING_OK},       {11050, SF_FINDING_WARNING}, {8000,
                                                                                                 SF_FINDING_WARNING},
        {140000, SF_FINDING_ERROR}, {-120000, SF_FINDING_ERROR},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        found_init(&found);
        sf_reach_examine_clock(rows[i].server, 9990, 10010, &found.findings);
        ck_assert_msg(found_level(&found, "clock") == rows[i].level, "row %zu", i);
    }
    assert_found(&found, "clock", SF_FINDING_ERROR, "behind ours");
}
END_TEST

START_TEST(test_who_we_are_there)
{
    const struct sf_reach_login plain = {.user = "app", .mend = "look"}, tls = {.is_tls = true, .user = "app"};
    const struct sf_error error = {.text = "wrong password"};
    sf_reach_examine_login(&plain, NULL, &found.findings);
    assert_found(&found, "log in", SF_FINDING_OK, "as app");
    sf_reach_examine_login(&plain, &error, &found.findings);
    assert_found(&found, "log in", SF_FINDING_ERROR, "wrong password");
    ck_assert_str_eq(found.list[1].mend, "look");
    sf_reach_examine_login(&tls, NULL, &found.findings);
    assert_found(&found, "TLS, log in", SF_FINDING_OK, "as app");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_reach");
    TCase *tests = tcase_create("store_reach");
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, test_each_step_is_told_with_its_time);
    tcase_add_test(tests, test_nobody_listens);
    tcase_add_test(tests, test_deadline);
    tcase_add_test(tests, test_unix_socket);
    tcase_add_test(tests, test_secrecy);
    tcase_add_test(tests, test_clock);
    tcase_add_test(tests, test_who_we_are_there);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
