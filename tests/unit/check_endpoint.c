/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/endpoint.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "tests/support/run_suite.h"

static struct sf_endpoint endpoint;
static struct sf_error error;

START_TEST(test_unix_path)
{
    ck_assert_int_eq(sf_endpoint_parse(&endpoint, "unix:/run/a b.sock", &error), SF_OK);
    ck_assert_int_eq(endpoint.address.ss_family, AF_UNIX);
    ck_assert_str_eq(((struct sockaddr_un *)&endpoint.address)->sun_path, "/run/a b.sock");
    ck_assert(sf_endpoint_is_local(&endpoint));
}
END_TEST

START_TEST(test_numbers_of_both_families)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&endpoint.address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&endpoint.address;
    ck_assert_int_eq(sf_endpoint_parse(&endpoint, "127.0.0.1:9000", &error), SF_OK);
    ck_assert_uint_eq(ntohl(v4->sin_addr.s_addr), INADDR_LOOPBACK);
    ck_assert_uint_eq(ntohs(v4->sin_port), 9000);
    ck_assert_uint_eq(endpoint.size, sizeof *v4);
    ck_assert_int_eq(sf_endpoint_parse(&endpoint, "[::1]:65535", &error), SF_OK);
    ck_assert_int_eq(v6->sin6_family, AF_INET6);
    ck_assert_uint_eq(ntohs(v6->sin6_port), 65535);
    ck_assert_uint_eq(endpoint.size, sizeof *v6);
    ck_assert(sf_endpoint_is_local(&endpoint));
}
END_TEST

START_TEST(test_other_hosts_are_not_local)
{
    static const char *const others[] = {"0.0.0.0:1", "192.0.2.1:80", "[::]:1",
                                         "[2001:db8::1]:9000"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        ck_assert_int_eq(sf_endpoint_parse(&endpoint, others[i], &error), SF_OK);
        ck_assert(!sf_endpoint_is_local(&endpoint));
    }
    ck_assert_int_eq(sf_endpoint_parse(&endpoint, "127.9.9.9:1", &error), SF_OK);
    ck_assert(sf_endpoint_is_local(&endpoint));
}
END_TEST

START_TEST(test_everything_else_is_refused)
{
    static const char *const wrong[] = {"",
                                        "unix:",
                                        "unix:relative",
                                        "/run/x.sock",
                                        "9000",
                                        ":9000",
                                        "127.0.0.1",
                                        "127.0.0.1:",
                                        "127.0.0.1:0",
                                        "127.0.0.1:65536",
                                        "::1:9000",
                                        "[::1]",
                                        "[::1:9000",
                                        "[]:1",
                                        "localhost:9000",
                                        "127.0.0.1:90a",
                                        "[127.0.0.1]:1",
                                        "[:1",
                                        "127.0.0.1:-1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ck_assert_msg(sf_endpoint_parse(&endpoint, wrong[i], &error) == SF_INVALID, "accepted: %s",
                      wrong[i]);
    ck_assert_str_eq(error.text,
                     "'127.0.0.1:-1' is no place to connect to (unix:/PATH of up to 107 bytes, "
                     "127.0.0.1:PORT, [::1]:PORT)");
}
END_TEST

START_TEST(test_path_as_long_as_an_address_takes)
{
    char text[sizeof "unix:" + 108] = "unix:/";
    memset(text + 6, 'x', sizeof text - 7);
    ck_assert_int_eq(sf_endpoint_parse(&endpoint, text, &error), SF_INVALID);
    text[sizeof text - 2] = '\0'; /* 107 bytes behind "unix:" */
    ck_assert_int_eq(sf_endpoint_parse(&endpoint, text, &error), SF_OK);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("endpoint");
    TCase *all = tcase_create("all");
    tcase_add_test(all, test_unix_path);
    tcase_add_test(all, test_numbers_of_both_families);
    tcase_add_test(all, test_other_hosts_are_not_local);
    tcase_add_test(all, test_everything_else_is_refused);
    tcase_add_test(all, test_path_as_long_as_an_address_takes);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
