/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/l2/memcached_facts.h"

#include <check.h>
#include <stdio.h>

#include "tests/support/run_suite.h"
#include "tests/unit/finding_case.h"

#define SETTINGS "STAT inter 127.0.0.1\r\nSTAT evictions on\r\nSTAT domain_socket NULL\r\nSTAT cas_enabled yes\r\n" \
                 "STAT item_size_max 1048576\r\n"
#define STATS "STAT version 1.6.18\r\nSTAT limit_maxbytes 67108864\r\nSTAT bytes 2097152\r\nSTAT evictions 0\r\n"

static struct found found;

static void
judge_from(enum sf_reach reach, const char *settings, const char *stats)
{
    char said[1024];
    snprintf(said, sizeof said, "%sEND\r\n%sEND\r\nMN\r\n", settings, stats);
    found_init(&found);
    ck_assert(sf_memcached_facts_judge(said, reach, &found.findings));
}

static void
judge(const char *settings, const char *stats)
{
    judge_from(SF_REACH_LOOPBACK, settings, stats);
}

START_TEST(test_good_server)
{
    judge(SETTINGS, STATS);
    ck_assert_int_eq(found.findings.worst, SF_FINDING_OK);
    assert_found(&found, "version", SF_FINDING_OK, "memcached 1.6.18");
    assert_found(&found, "item size", SF_FINDING_OK, "more than 1048320 bytes");
    assert_found(&found, "memory", SF_FINDING_OK, "2 of 64 MiB");
    assert_found(&found, "evictions", SF_FINDING_OK, "on");
    assert_found(&found, "listens", SF_FINDING_OK, "127.0.0.1");
}
END_TEST

START_TEST(test_versions)
{
    static const struct {
        const char *stats;
        enum sf_finding_level level;
    } rows[] = {
        {"STAT version 1.6.9\r\n", SF_FINDING_ERROR},  {"STAT version 1.5.22\r\n", SF_FINDING_ERROR},
        {"STAT version 1.6.10\r\n", SF_FINDING_OK},    {"STAT version 1.10.0\r\n", SF_FINDING_OK},
        {"STAT version 2.0.0\r\n", SF_FINDING_OK},     {"STAT version new\r\n", SF_FINDING_ERROR},
        {"STAT versions 1.6.18\r\n", SF_FINDING_ERROR}, {"", SF_FINDING_ERROR},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        judge(SETTINGS, rows[i].stats);
        ck_assert_msg(found_level(&found, "version") == rows[i].level, "row %zu", i);
    }
    judge("STAT cas_enabled no\r\n", STATS);
    assert_found(&found, "CAS", SF_FINDING_ERROR, "off");
}
END_TEST

START_TEST(test_item_sizes)
{
    judge("STAT item_size_max 2097152\r\n", STATS);
    assert_found(&found, "item size", SF_FINDING_OK, "the largest session");
    judge("STAT item_size_max 524288\r\n", STATS);
    assert_found(&found, "item size", SF_FINDING_WARNING, "more than 524032 bytes");
}
END_TEST

START_TEST(test_memory)
{
    judge(SETTINGS, "STAT limit_maxbytes 0\r\nSTAT bytes 1\r\n");
    assert_found(&found, "memory", SF_FINDING_WARNING, "no limit");
    judge(SETTINGS, "STAT evictions 7\r\n");
    assert_found(&found, "evictions", SF_FINDING_OK, "7 since");
    judge("STAT evictions off\r\n", STATS);
    assert_found(&found, "evictions", SF_FINDING_WARNING, "void");
}
END_TEST

START_TEST(test_who_reaches_it)
{
    static const struct {
        enum sf_reach reach;
        const char *settings;
        enum sf_finding_level level;
    } rows[] = {
        {SF_REACH_LOOPBACK, "STAT inter 127.0.0.1,::1\r\n", SF_FINDING_OK},
        {SF_REACH_LOOPBACK, "STAT inter localhost,[::1]:11212\r\n", SF_FINDING_OK},
        {SF_REACH_LOOPBACK, "STAT inter 127.0.0.1,192.0.2.7\r\n", SF_FINDING_WARNING},
        {SF_REACH_LOOPBACK, "STAT inter NULL\r\n", SF_FINDING_WARNING},
        {SF_REACH_LOOPBACK, "STAT verbosity 0\r\n", SF_FINDING_WARNING},
        {SF_REACH_NETWORK, "STAT inter 127.0.0.1\r\n", SF_FINDING_WARNING},
        {SF_REACH_SOCKET, "STAT inter NULL\r\nSTAT domain_socket /run/m\r\n", SF_FINDING_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        judge_from(rows[i].reach, rows[i].settings, STATS);
        ck_assert_msg(found_level(&found, "listens") == rows[i].level, "row %zu", i);
    }
}
END_TEST

START_TEST(test_what_no_memcached_says)
{
    found_init(&found);
    ck_assert(!sf_memcached_facts_judge("ERROR\r\n", SF_REACH_LOOPBACK, &found.findings));
    ck_assert(!sf_memcached_facts_judge("", SF_REACH_LOOPBACK, &found.findings));
    ck_assert_uint_eq(found.count, 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("memcached_facts");
    TCase *tests = tcase_create("memcached_facts");
    tcase_add_test(tests, test_good_server);
    tcase_add_test(tests, test_versions);
    tcase_add_test(tests, test_item_sizes);
    tcase_add_test(tests, test_memory);
    tcase_add_test(tests, test_who_reaches_it);
    tcase_add_test(tests, test_what_no_memcached_says);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
