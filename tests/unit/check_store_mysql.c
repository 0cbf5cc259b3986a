/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What needs no server: URLs, and servers that are none.
 * tests/integration/test_store_mysql.py has real ones.
 */
#include <check.h>

#include "tests/support/run_suite.h"
#include "tests/unit/no_server_case.h"

#define URL "mysql://joe:s3cret@127.0.0.1:%u/sessions"
#define PATIENCE (10 * SF_SECOND)
#define SHORT 300 /* ms */

START_TEST(test_url_that_is_none_is_refused)
{
    no_server_refuses("mysql:sessions", "//");
    no_server_refuses("mysql://joe:s3cret@localhost", "name of a database");
    no_server_refuses("mysql://joe:s3cret@localhost/?tls=off", "name of a database");
    no_server_refuses("mysql://joe:s3cret@localhost/x?schema=y", "prefix");
    no_server_refuses("mysql://joe:s3cret@localhost/x?prefix=a;b", "prefix");
    no_server_refuses("mysql://joe:s3cret@localhost/x?prefix=abcdefghijklmnopqrstuvwxyz0123456",
                      "prefix");
    no_server_refuses("mysql://joe:s3cret@localhost/x?tls=yes", "tls");
}
END_TEST

START_TEST(test_nobody_listens)
{
    no_server_open(URL);
    no_server_is_unavailable(PATIENCE, "error 2002");
}
END_TEST

START_TEST(test_silent_server_is_left_at_the_deadline)
{
    no_server_listen();
    no_server_open(URL);
    sf_time began = sf_clock_steady();
    no_server_is_unavailable(SHORT, "no answer before the deadline");
    ck_assert_int_ge(sf_clock_steady() - began, 4 * SHORT);
}
END_TEST

START_TEST(test_no_time_at_all)
{
    no_server_open(URL);
    no_server_is_unavailable(0, "no time left");
}
END_TEST

START_TEST(test_server_that_hangs_up)
{
    no_server_open(URL);
    no_server_is_unavailable_after_welcome("", "connect");
}
END_TEST

START_TEST(test_server_of_another_kind)
{
    no_server_open(URL);
    no_server_is_unavailable_after_welcome("HTTP/1.1 400 Bad Request\r\n\r\n", "127.0.0.1");
}
END_TEST

START_TEST(test_name_that_hangs_does_not_keep_from_the_next_host)
{
    no_server_is_reached_behind_a_name_that_hangs(
        "mysql://joe:s3cret@" NO_SERVER_NAME_THAT_HANGS ",127.0.0.1:%u/sessions", "handshake");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_mysql");
    TCase *alone = tcase_create("without_server");
    tcase_set_timeout(alone, 60);
    tcase_add_checked_fixture(alone, no_server_set_up, no_server_tear_down);
    tcase_add_test(alone, test_url_that_is_none_is_refused);
    tcase_add_test(alone, test_nobody_listens);
    tcase_add_test(alone, test_silent_server_is_left_at_the_deadline);
    tcase_add_test(alone, test_no_time_at_all);
    tcase_add_test(alone, test_server_that_hangs_up);
    tcase_add_test(alone, test_server_of_another_kind);
    tcase_add_test(alone, test_name_that_hangs_does_not_keep_from_the_next_host);
    suite_add_tcase(suite, alone);
    return sf_run_suite(suite);
}
