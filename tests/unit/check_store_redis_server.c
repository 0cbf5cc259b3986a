/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_server.h"

#include <check.h>
#include <string.h>

#include "tests/support/run_suite.h"

static struct sf_redis_server server;
static struct sf_error error;

static void
set_up(void)
{
    memset(&server, 0, sizeof server);
}

static void
tear_down(void)
{
    sf_redis_server_fini(&server);
}

static void
read_url(const char *url)
{
    sf_redis_server_fini(&server);
    memset(&server, 0, sizeof server);
    ck_assert_msg(sf_redis_server_init(&server, url, &error) == SF_OK, "%s: %s", url, error.text);
}

START_TEST(test_single_server)
{
    read_url("redis://app:secret@host/3?prefix=x:");
    ck_assert_int_eq(server.kind, SF_REDIS_SINGLE);
    ck_assert(!server.is_tls);
    ck_assert_int_eq(server.database, 3);
    ck_assert_str_eq(server.prefix, "x:");
    ck_assert_int_eq(server.url.hosts[0].port, 6379);
    read_url("rediss://host");
    ck_assert_int_eq(server.kind, SF_REDIS_SINGLE);
    ck_assert(server.is_tls);
    ck_assert_str_eq(server.prefix, "session:");
}
END_TEST

START_TEST(test_cache_is_one_of_the_hosts)
{
    static const char *const options[] = {"prefix", "ca", "cert", "key", NULL};
    static const struct sf_store_url_rules rules = {.port = 5, .options = options};
    ck_assert_int_eq(sf_redis_server_init_cache(&server, "rediss://one,two:7/3?ca=/x", &rules, 1, &error), SF_OK);
    ck_assert(server.is_cache && server.is_tls);
    ck_assert_uint_eq(server.url.host_count, 1);
    ck_assert_str_eq(server.url.hosts[0].name, "two");
    ck_assert_int_eq(server.database, 3);
    ck_assert_str_eq(server.prefix, "session-");
    ck_assert_str_eq(server.tls.ca, "/x");
}
END_TEST

START_TEST(test_sentinels)
{
    read_url("redis-sentinel://a,b:7000/1?master=main&sentinel-user=app");
    ck_assert_int_eq(server.kind, SF_REDIS_SENTINEL);
    ck_assert(!server.is_tls);
    ck_assert_str_eq(server.master, "main");
    ck_assert_int_eq(server.url.hosts[0].port, 26379);
    ck_assert_int_eq(server.url.hosts[1].port, 7000);
    read_url("rediss-sentinel://a?master=main");
    ck_assert_int_eq(server.kind, SF_REDIS_SENTINEL);
    ck_assert(server.is_tls);
}
END_TEST

START_TEST(test_what_is_refused)
{
    static const char *const wrong[][2] = {
        {"redis://host/name", "number of a database"},
        {"redis://host?ca=/x", "rediss:"},
        {"rediss://?socket=/x", "needs no TLS"},
        {"redis-sentinel://a", "option master: is missing"},
        {"redis-sentinel://a?master=", "option master: is missing"},
        {"redis-sentinel://?socket=/x&master=m", "by host and port"},
        {"redis://a?master=m", "are for redis-sentinel:"},
        {"redis://a?sentinel-password-file=/x", "are for redis-sentinel:"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        set_up();
        ck_assert_int_eq(sf_redis_server_init(&server, wrong[i][0], &error), SF_INVALID);
        ck_assert_msg(strstr(error.text, wrong[i][1]) != NULL, "%s: %s", wrong[i][0], error.text);
        sf_redis_server_fini(&server);
    }
    set_up();
}
END_TEST

static enum sf_status
set_place(const char *host, int64_t port)
{
    struct sf_redis_place place;
    return sf_redis_place_set(&place, sf_span_text(host), port);
}

START_TEST(test_places)
{
    char long_name[SF_REDIS_HOST_TEXT + 1];
    memset(long_name, 'a', sizeof long_name);
    long_name[SF_REDIS_HOST_TEXT] = '\0';
    ck_assert_int_eq(set_place("::1", 65535), SF_OK);
    ck_assert_int_eq(set_place(long_name + 1, 1), SF_OK);
    ck_assert_int_eq(set_place(long_name, 1), SF_INVALID);
    ck_assert_int_eq(set_place("", 1), SF_INVALID);
    ck_assert_int_eq(set_place("/run/x.sock", 1), SF_INVALID);
    ck_assert_int_eq(set_place("a", 0), SF_INVALID);
    ck_assert_int_eq(set_place("a", -1), SF_INVALID);
    ck_assert_int_eq(set_place("a", 65536), SF_INVALID);
    struct sf_redis_place a, b;
    ck_assert_int_eq(sf_redis_place_set(&a, sf_span_of("a\0b", 3), 1), SF_INVALID);
    ck_assert_int_eq(sf_redis_place_set(&a, sf_span_text("host"), 1), SF_OK);
    ck_assert_int_eq(sf_redis_place_set(&b, sf_span_text("host"), 1), SF_OK);
    ck_assert(sf_redis_place_equal(&a, &b));
    b.port = 2;
    ck_assert(!sf_redis_place_equal(&a, &b));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_redis_server");
    TCase *urls = tcase_create("urls");
    tcase_add_checked_fixture(urls, set_up, tear_down);
    tcase_add_test(urls, test_single_server);
    tcase_add_test(urls, test_cache_is_one_of_the_hosts);
    tcase_add_test(urls, test_sentinels);
    tcase_add_test(urls, test_what_is_refused);
    tcase_add_test(urls, test_places);
    suite_add_tcase(suite, urls);
    return sf_run_suite(suite);
}
