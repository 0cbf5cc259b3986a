/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_map.h"

#include <check.h>
#include <hiredis.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/run_suite.h"

static const struct sf_redis_place asked = {"seed", 7000};
static struct sf_redis_map map;
static struct sf_redis_redirect redirect;

/* ---- slots ---- */

START_TEST(test_slots_of_the_specification)
{
    ck_assert_uint_eq(sf_redis_slot(sf_span_text("123456789")), 0x31c3);
    ck_assert_uint_eq(sf_redis_slot(sf_span_text("foo")), 12182);
    ck_assert_uint_eq(sf_redis_slot(sf_span_text("")), 0);
    ck_assert_uint_eq(sf_redis_slot(sf_span_of(NULL, 0)), 0);
}
END_TEST

START_TEST(test_only_what_is_in_the_first_braces_counts)
{
    unsigned user = sf_redis_slot(sf_span_text("user1000"));
    ck_assert_uint_eq(sf_redis_slot(sf_span_text("{user1000}.following")), user);
    ck_assert_uint_eq(sf_redis_slot(sf_span_text("a{user1000}b{c}")), user);
    ck_assert_uint_eq(sf_redis_slot(sf_span_text("foo{{bar}}zap")), sf_redis_slot(sf_span_text("{bar")));
    ck_assert_uint_ne(sf_redis_slot(sf_span_text("foo{}{user1000}")), user);
    ck_assert_uint_ne(sf_redis_slot(sf_span_text("foo{user1000")), user);
    ck_assert_uint_ne(sf_redis_slot(sf_span_text("}{user1000")), user);
}
END_TEST

/* ---- maps ---- */

static enum sf_status
read_map(const char *text)
{
    void *reply = NULL;
    redisReader *reader = redisReaderCreate();
    ck_assert_int_eq(redisReaderFeed(reader, text, strlen(text)), REDIS_OK);
    ck_assert_int_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
    ck_assert_msg(reply != NULL, "half a reply: %s", text);
    enum sf_status status = sf_redis_map_read(&map, reply, &asked);
    freeReplyObject(reply);
    redisReaderFree(reader);
    return status;
}

#define RANGE(first, last, host, port) "*3\r\n:" #first "\r\n:" #last "\r\n*2\r\n" host ":" #port "\r\n"
#define A "$1\r\na\r\n"
#define B "$1\r\nb\r\n"

START_TEST(test_map)
{
    ck_assert_int_eq(read_map("*3\r\n" RANGE(0, 99, A, 1) RANGE(200, 16383, B, 2) RANGE(100, 100, A, 1)), SF_OK);
    ck_assert_uint_eq(map.count, 2);
    ck_assert_str_eq(map.nodes[0].host, "a");
    ck_assert_uint_eq(map.nodes[1].port, 2);
    ck_assert_uint_eq(map.owner[0], 0);
    ck_assert_uint_eq(map.owner[100], 0);
    ck_assert_uint_eq(map.owner[101], SF_REDIS_NO_NODE);
    ck_assert_uint_eq(map.owner[199], SF_REDIS_NO_NODE);
    ck_assert_uint_eq(map.owner[16383], 1);
}
END_TEST

/* With its replica, and the fields that later versions have; nodes that do not know their own host. */
START_TEST(test_map_of_nodes_without_a_host)
{
    static const char *const hosts[] = {"$-1\r\n", "$0\r\n\r\n", "$1\r\n?\r\n"};
    for (size_t i = 0; i < 3; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "*1\r\n*4\r\n:0\r\n:16383\r\n*4\r\n%s:7001\r\n$2\r\nid\r\n*0\r\n*3\r\n$1\r\nr\r\n:1\r\n$1\r\nx\r\n",
                 hosts[i]);
        ck_assert_int_eq(read_map(text), SF_OK);
        ck_assert_uint_eq(map.count, 1);
        ck_assert_str_eq(map.nodes[0].host, "seed");
        ck_assert_uint_eq(map.nodes[0].port, 7001);
    }
}
END_TEST

START_TEST(test_what_is_no_map)
{
    static const char *const wrong[] = {
        "+OK\r\n", ":1\r\n", "*-1\r\n", "*0\r\n", "*1\r\n:1\r\n", "*1\r\n*2\r\n:0\r\n:1\r\n",
        "*1\r\n" RANGE(-1, 5, A, 1), "*1\r\n" RANGE(5, 4, A, 1), "*1\r\n" RANGE(0, 16384, A, 1),
        "*1\r\n" RANGE(0, 9999999999, A, 1), "*1\r\n" RANGE(0, 1, A, 0), "*1\r\n" RANGE(0, 1, A, 65536),
        "*1\r\n" RANGE(0, 1, "$2\r\n/x\r\n", 1), "*1\r\n*3\r\n:0\r\n:1\r\n*1\r\n" A,
        "*1\r\n*3\r\n:0\r\n:1\r\n" A, "*1\r\n*3\r\n$1\r\n0\r\n:1\r\n*2\r\n" A ":1\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n" A "$1\r\n1\r\n",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ck_assert_msg(read_map(wrong[i]) == SF_INVALID, "%s", wrong[i]);
}
END_TEST

START_TEST(test_too_many_masters)
{
    char text[64 * (SF_REDIS_NODES_MAX + 2)];
    for (int count = SF_REDIS_NODES_MAX; count <= SF_REDIS_NODES_MAX + 1; count++) {
        size_t used = (size_t)snprintf(text, sizeof text, "*%d\r\n", count);
        for (int i = 0; i < count; i++)
            used += (size_t)snprintf(text + used, sizeof text - used,
                                     "*3\r\n:%d\r\n:%d\r\n*2\r\n$1\r\na\r\n:%d\r\n", i, i, i + 1);
        ck_assert_int_eq(read_map(text), count == SF_REDIS_NODES_MAX ? SF_OK : SF_INVALID);
    }
}
END_TEST

/* ---- redirects ---- */

static bool
read_redirect(const char *text)
{
    return sf_redis_redirect_read(&redirect, sf_span_text(text), &asked);
}

START_TEST(test_redirects)
{
    ck_assert(read_redirect("MOVED 3999 127.0.0.1:6381"));
    ck_assert(!redirect.is_ask);
    ck_assert_uint_eq(redirect.slot, 3999);
    ck_assert_str_eq(redirect.place.host, "127.0.0.1");
    ck_assert_uint_eq(redirect.place.port, 6381);
    ck_assert(read_redirect("ASK 0 2001:db8::1:6381"));
    ck_assert(redirect.is_ask);
    ck_assert_str_eq(redirect.place.host, "2001:db8::1");
    ck_assert(read_redirect("MOVED 1 :6381"));
    ck_assert_str_eq(redirect.place.host, "seed");
    ck_assert(read_redirect("MOVED 1 ?:6381"));
    ck_assert_str_eq(redirect.place.host, "seed");
}
END_TEST

START_TEST(test_what_is_no_redirect)
{
    static const char *const wrong[] = {
        "", "MOVED", "MOVED ", "MOVED 3999", "MOVED 3999 ", "MOVED 3999 host", "MOVED 3999 host:", "MOVED 3999 host:x",
        "MOVED 3999 host:0", "MOVED 3999 host:65536", "MOVED 16384 host:1", "MOVED -1 host:1", "MOVED x host:1",
        "MOVED  1 host:1", "MOVEDX 1 host:1", "ASKING 1 host:1", "ERR MOVED 1 host:1", "TRYAGAIN", "MOVED 1 /x:1",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ck_assert_msg(!read_redirect(wrong[i]), "%s", wrong[i]);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_redis_map");
    TCase *all = tcase_create("all");
    tcase_add_test(all, test_slots_of_the_specification);
    tcase_add_test(all, test_only_what_is_in_the_first_braces_counts);
    tcase_add_test(all, test_map);
    tcase_add_test(all, test_map_of_nodes_without_a_host);
    tcase_add_test(all, test_what_is_no_map);
    tcase_add_test(all, test_too_many_masters);
    tcase_add_test(all, test_redirects);
    tcase_add_test(all, test_what_is_no_redirect);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
