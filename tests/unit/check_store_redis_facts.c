/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_facts.h"

#include <check.h>
#include <stdio.h>

#include "tests/support/run_suite.h"
#include "tests/unit/finding_case.h"

static struct found found;
static struct sf_redis_facts facts;

/* One to keep sessions in. */
static const char good[] = "# Server\r\nredis_version:7.0.15\r\n# Memory\r\nused_memory:1048576\r\n"
                           "maxmemory:4294967296\r\n"
                           "maxmemory_policy:noeviction\r\nevicted_keys:0\r\nloading:0\r\nrdb_last_bgsave_status:ok\r\n"
                           "aof_enabled:1\r\naof_last_write_status:ok\r\nrole:master\r\nconnected_slaves:1\r\n";

static void
set_up(void)
{
    facts = (struct sf_redis_facts){
        .info = good, .save = "3600 1", .appendfsync = "always", .stop_writes = "yes", .layout = "1 0011223344556677"};
}

static void
judge(const char *info)
{
    found_init(&found);
    facts.info = info;
    sf_redis_facts_judge(&facts, &found.findings);
}

START_TEST(test_good_server)
{
    judge(good);
    ck_assert_int_eq(found.findings.worst, SF_FINDING_OK);
    assert_found(&found, "version", SF_FINDING_OK, "Redis 7.0.15");
    assert_found(&found, "maxmemory", SF_FINDING_OK, "1 of 4096 MiB");
    assert_found(&found, "persistence", SF_FINDING_OK, "appendfsync always");
    assert_found(&found, "replicas", SF_FINDING_OK, "1 connected");
    assert_found(&found, "layout", SF_FINDING_OK, "version 1");
}
END_TEST

START_TEST(test_facts_are_found_by_whole_names)
{
    char value[SF_REDIS_FACT_TEXT];
    facts.info = "xrole:no\r\nrole:master\r\nempty:\r\n";
    ck_assert(sf_redis_fact(&facts, "role", value));
    ck_assert_str_eq(value, "master");
    ck_assert(sf_redis_fact(&facts, "empty", value));
    ck_assert_str_eq(value, "");
    ck_assert(!sf_redis_fact(&facts, "rol", value));
    facts.info = NULL;
    ck_assert(!sf_redis_fact(&facts, "role", value));
}
END_TEST

START_TEST(test_versions)
{
    judge("redis_version:5.0.14\r\n");
    assert_found(&found, "version", SF_FINDING_WARNING, "not told");
    judge("redis_version:4.0.9\r\n");
    assert_found(&found, "version", SF_FINDING_ERROR, "4.0.9");
    judge("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\n");
    assert_found(&found, "version", SF_FINDING_OK, "Valkey 8.0.1");
    facts.layout = "2 0011223344556677";
    judge(good);
    assert_found(&found, "layout", SF_FINDING_ERROR, "later version");
}
END_TEST

START_TEST(test_policies)
{
    static const struct {
        const char *info;
        enum sf_finding_level level;
    } rows[] = {
        {"maxmemory:1000\r\nmaxmemory_policy:allkeys-lru\r\n", SF_FINDING_ERROR},
        {"maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n", SF_FINDING_WARNING},
        {"maxmemory:1000\r\nmaxmemory_policy:volatile-ttl\r\n", SF_FINDING_WARNING},
        {"maxmemory:1000\r\nmaxmemory_policy:volatile-lru\r\n", SF_FINDING_WARNING},
        {"maxmemory:1000\r\nmaxmemory_policy:noeviction\r\n", SF_FINDING_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        judge(rows[i].info);
        ck_assert_msg(found_level(&found, "maxmemory-policy") == rows[i].level, "row %zu", i);
    }
}
END_TEST

START_TEST(test_memory)
{
    judge("maxmemory:0\r\n");
    assert_found(&found, "maxmemory", SF_FINDING_WARNING, "no limit");
    judge("maxmemory:1000000\r\nused_memory:950000\r\nevicted_keys:3\r\n");
    ck_assert_int_eq(found_level(&found, "maxmemory"), SF_FINDING_WARNING);
    assert_found(&found, "evicted keys", SF_FINDING_WARNING, "3 since");
}
END_TEST

START_TEST(test_persistence)
{
    judge("aof_enabled:0\r\n");
    assert_found(&found, "persistence", SF_FINDING_WARNING, "snapshots alone (save 3600 1)");
    facts.stop_writes = "no";
    judge("aof_enabled:0\r\nrdb_last_bgsave_status:err\r\n");
    ck_assert_int_eq(found_level(&found, "stop-writes-on-bgsave-error"), SF_FINDING_WARNING);
    ck_assert_int_eq(found_level(&found, "last snapshot"), SF_FINDING_ERROR);
    facts.save = "";
    judge("aof_enabled:0\r\n");
    assert_found(&found, "persistence", SF_FINDING_ERROR, "forgets all");
    facts.save = NULL;
    judge("aof_enabled:0\r\n");
    assert_found(&found, "persistence", SF_FINDING_WARNING, "may not see");
    judge("aof_enabled:1\r\naof_last_write_status:err\r\n");
    assert_found(&found, "persistence", SF_FINDING_ERROR, "cannot be written");
    facts.appendfsync = "everysec";
    judge("aof_enabled:1\r\nloading:1\r\n");
    assert_found(&found, "persistence", SF_FINDING_OK, "everysec");
    ck_assert_int_eq(found_level(&found, "loading"), SF_FINDING_WARNING);
    facts.appendfsync = "no";
    judge("aof_enabled:1\r\n");
    ck_assert_int_eq(found_level(&found, "persistence"), SF_FINDING_WARNING);
}
END_TEST

START_TEST(test_replicas)
{
    judge("connected_slaves:0\r\n");
    ck_assert_int_eq(found_level(&found, "replicas"), SF_FINDING_OK);
    facts.kind = SF_REDIS_SENTINEL;
    judge("connected_slaves:0\r\n");
    assert_found(&found, "replicas", SF_FINDING_WARNING, "take over");
    facts.replicas_wanted = 2;
    judge("connected_slaves:1\r\n");
    assert_found(&found, "replicas", SF_FINDING_ERROR, "wait=2");
}
END_TEST

START_TEST(test_user_who_may_not_ask)
{
    judge(NULL);
    assert_found(&found, "INFO", SF_FINDING_WARNING, "refused");
}
END_TEST

/* What is right for a store is not for a cache, and the other way round. */
START_TEST(test_cache)
{
    static const struct {
        const char *policy;
        enum sf_finding_level level;
        const char *says;
    } rows[] = {
        {"noeviction", SF_FINDING_WARNING, "is full"},    {"allkeys-lru", SF_FINDING_OK, ""},
        {"volatile-lfu", SF_FINDING_OK, ""},              {"volatile-ttl", SF_FINDING_WARNING, "marks first"},
    };
    facts = (struct sf_redis_facts){.is_cache = true};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char info[256];
        snprintf(info, sizeof info,
                 "redis_version:7.0.15\r\nmaxmemory:2097152\r\nevicted_keys:3\r\nmaxmemory_policy:%s\r\n",
                 rows[i].policy);
        judge(info);
        assert_found(&found, "maxmemory-policy", rows[i].level, rows[i].says);
        ck_assert_int_eq(found.findings.worst, rows[i].level);
        assert_found(&found, "maxmemory", SF_FINDING_OK, "3 keys evicted");
    }
    judge("redis_version:5.0.14\r\nmaxmemory:0\r\naof_enabled:1\r\n");
    assert_found(&found, "version", SF_FINDING_WARNING, "5.0.14: it gets no");
    assert_found(&found, "maxmemory", SF_FINDING_WARNING, "no limit");
    assert_found(&found, "persistence", SF_FINDING_OK, "of no use");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_redis_facts");
    TCase *tests = tcase_create("store_redis_facts");
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, test_good_server);
    tcase_add_test(tests, test_facts_are_found_by_whole_names);
    tcase_add_test(tests, test_versions);
    tcase_add_test(tests, test_policies);
    tcase_add_test(tests, test_memory);
    tcase_add_test(tests, test_persistence);
    tcase_add_test(tests, test_replicas);
    tcase_add_test(tests, test_cache);
    tcase_add_test(tests, test_user_who_may_not_ask);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
