/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_nodes.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/run_suite.h"

#define A "07c37dfeb235213a872192d90877d0cd55635b91"
#define B "67ed2db8d677e59ec4a4cefb06858cf2a1a89fa1"
#define C "292f8b365bb7edb5e285caf0b7e6ddc7265d2f4f"
#define REST " - 0 1426238317239 4 connected"

static struct sf_redis_nodes nodes;
static const struct sf_redis_place asked = {.host = "asked.example", .port = 7000};

static void
set_up(void)
{
    nodes.count = 0;
}

static enum sf_status
nodes_read(const char *text, bool is_tls)
{
    return sf_redis_nodes_read(&nodes, sf_span_text(text), is_tls, &asked);
}

static void
assert_node(size_t number, const char *id, const char *host, uint16_t port)
{
    ck_assert_uint_lt(number, nodes.count);
    ck_assert_str_eq(nodes.list[number].id, id);
    ck_assert_str_eq(nodes.list[number].place.host, host);
    ck_assert_uint_eq(nodes.list[number].place.port, port);
}

START_TEST(test_masters_with_and_without_slots)
{
    ck_assert_int_eq(nodes_read(A " 127.0.0.1:30001@31001 myself,master" REST " 0-5460 [77->-" B "]\n" B
                                  " 127.0.0.1:30002@31002,localhost master" REST "\n" C
                                  " 127.0.0.1:30003@31003 slave " A " 0 1426238316232 3 connected\n",
                                false),
                     SF_OK);
    ck_assert_uint_eq(nodes.count, 2);
    assert_node(0, A, "127.0.0.1", 30001);
    assert_node(1, B, "127.0.0.1", 30002);
}
END_TEST

START_TEST(test_each_once_of_several_answers)
{
    ck_assert_int_eq(nodes_read(A " 127.0.0.1:1@2 master" REST " 0-5460\n", false), SF_OK);
    ck_assert_int_eq(nodes_read(A " 127.0.0.9:1@2 master" REST " 0-5460\n" B " 127.0.0.2:1@2 master" REST "\n", false),
                     SF_OK);
    ck_assert_uint_eq(nodes.count, 2);
    assert_node(0, A, "127.0.0.1", 1);
    assert_node(1, B, "127.0.0.2", 1);
}
END_TEST

START_TEST(test_failed_ones)
{
    ck_assert_int_eq(nodes_read(A " 127.0.0.1:1@2 master,fail" REST " 0-5460\n" /* nobody has taken over yet */
                                B " 127.0.0.1:2@3 master,fail" REST "\n" C " :0@0 master,noaddr" REST " 5461\n",
                                false),
                     SF_OK);
    ck_assert_uint_eq(nodes.count, 1);
    assert_node(0, A, "127.0.0.1", 1);
    nodes.count = 0;
    ck_assert_int_eq(nodes_read(A " 127.0.0.1:1@2 master,fail?" REST "\n" B " 127.0.0.1:2@3 handshake,master" REST "\n",
                                false),
                     SF_OK);
    ck_assert_uint_eq(nodes.count, 1);
}
END_TEST

START_TEST(test_names_and_numbers)
{
    ck_assert_int_eq(nodes_read(A " ::1:30001@31001,a.example,shard-id=1 master" REST "\n" B
                                  " :30002@31002 myself,master" REST "\n" C " 10.0.0.3:30003@31003, master" REST "\n",
                                true),
                     SF_OK);
    assert_node(0, A, "a.example", 30001);
    assert_node(1, B, "asked.example", 30002);
    assert_node(2, C, "10.0.0.3", 30003);
    nodes.count = 0;
    ck_assert_int_eq(nodes_read(A " ::1:30001@31001,a.example master" REST "\n", false), SF_OK);
    assert_node(0, A, "::1", 30001);
}
END_TEST

START_TEST(test_what_is_no_answer)
{
    static const char *const texts[] = {
        "",
        "\n",
        "OK\n",
        A " 127.0.0.1:1@2 master\n",
        "07c3 127.0.0.1:1@2 master" REST "\n",
        A " 127.0.0.1 master" REST "\n",
        A " 127.0.0.1:0@2 master" REST "\n",
        A " 127.0.0.1:x@2 master" REST "\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        nodes.count = 0;
        ck_assert_msg(nodes_read(texts[i], false) == SF_INVALID, "row %zu", i);
    }
}
END_TEST

START_TEST(test_too_many)
{
    char line[128];
    for (unsigned i = 0; i <= SF_REDIS_NODES_MAX; i++) {
        snprintf(line, sizeof line, "%040x 127.0.0.1:1@2 master" REST "\n", i);
        ck_assert_int_eq(nodes_read(line, false), i < SF_REDIS_NODES_MAX ? SF_OK : SF_INVALID);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_redis_nodes");
    TCase *tests = tcase_create("store_redis_nodes");
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, test_masters_with_and_without_slots);
    tcase_add_test(tests, test_each_once_of_several_answers);
    tcase_add_test(tests, test_failed_ones);
    tcase_add_test(tests, test_names_and_numbers);
    tcase_add_test(tests, test_what_is_no_answer);
    tcase_add_test(tests, test_too_many);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
