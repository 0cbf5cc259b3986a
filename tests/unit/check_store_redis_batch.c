/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_store_redis_batch.c - a Cluster of two nodes made here, which say what the test wants. Real ones
 * are in tests/integration/test_store_redis_cluster.py.
 */
#include "common/store/redis/store_redis_batch.h"

#include <check.h>
#include <hiredis.h>
#include <stdio.h>
#include <string.h>

#include "common/store/redis/store_redis_rows.h"
#include "common/store/store.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"
#include "tests/unit/redis_case.h"

#define PATIENCE (20 * SF_SECOND)
#define PAIRS 8 /* keys in each half of the slots */

enum mistake {
    NONE,
    MOVED,          /* to the other one */
    ASK,            /* the other one, each time */
    NOWHERE,        /* MOVED to what is no address */
    TRY_AGAIN,      /* once */
    CLOSES,         /* when it is to load or write */
    SILENT,         /* the same */
    REPLICA,
    EMPTIED,        /* its marks are gone */
    INDEX_FAILS,
    NO_CLUSTER,
    FEW_REPLICAS
};

static struct redis_fake nodes[2];
static atomic_int loads[2], stores[2], entries[2], asked[2], maps;
static atomic_int runs[2]; /* of each node: it was restarted so many times */
static struct sf_redis_server names; /* for the slots of keys */
static struct sf_key keys[2][PAIRS];
static struct sf_store *store;
static struct sf_error error;

/* ---- the nodes ---- */

static void
say_map(char reply_out[REDIS_FAKE_TEXT])
{
    atomic_fetch_add(&maps, 1);
    redis_fake_say(reply_out,
                   "*2\r\n*3\r\n:0\r\n:8191\r\n*2\r\n$9\r\n127.0.0.1\r\n:%u\r\n"
                   "*3\r\n:8192\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%u\r\n",
                   nodes[0].port, nodes[1].port);
}

/* false: it is one that is answered without a mistake. */
static bool
err(struct redis_fake *fake, const struct redisReply *command, char reply_out[REDIS_FAKE_TEXT])
{
    int me = fake == &nodes[1];
    bool is_entry = redis_fake_is(command, "EVALSHA") && command->elements == 7;
    enum mistake mistake = atomic_load(&fake->mistake);
    if (mistake == MOVED || (mistake == ASK && !is_entry))
        redis_fake_say(reply_out, "-%s 1 127.0.0.1:%u\r\n", mistake == ASK ? "ASK" : "MOVED", nodes[!me].port);
    else if (mistake == NOWHERE)
        redis_fake_say(reply_out, "-MOVED 99999 x\r\n");
    else if (mistake == SILENT)
        reply_out[0] = '\0';
    else if (mistake == TRY_AGAIN && atomic_exchange(&fake->mistake, NONE) == TRY_AGAIN)
        redis_fake_say(reply_out, "-TRYAGAIN Multiple keys request during rehashing of slot\r\n");
    else if (mistake == REPLICA && !redis_fake_is(command, "HGETALL"))
        redis_fake_say(reply_out, "-READONLY You can't write against a read only replica.\r\n");
    else if (mistake == INDEX_FAILS && is_entry)
        redis_fake_say(reply_out, "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    else
        return false;
    return true;
}

static void
answer_session(struct redis_fake *fake, const struct redisReply *command, char reply_out[REDIS_FAKE_TEXT])
{
    int me = fake == &nodes[1];
    if (err(fake, command, reply_out))
        return;
    bool is_load = redis_fake_is(command, "HGETALL");
    atomic_fetch_add(is_load ? &loads[me] : command->elements == 7 ? &entries[me] : &stores[me], 1);
    redis_fake_say(reply_out, is_load ? "*0\r\n" : ":1\r\n");
}

static bool
answer(struct redis_fake *fake, const struct redisReply *command, char reply_out[REDIS_FAKE_TEXT])
{
    enum mistake mistake = atomic_load(&fake->mistake);
    bool is_session = redis_fake_is(command, "HGETALL") || redis_fake_is(command, "EVALSHA");
    if (redis_fake_is(command, "CLUSTER") && mistake == NO_CLUSTER)
        redis_fake_say(reply_out, "-ERR This instance has cluster support disabled\r\n");
    else if (redis_fake_is(command, "CLUSTER"))
        say_map(reply_out);
    else if (redis_fake_is(command, "INFO"))
        redis_fake_say(reply_out, "$12\r\nrun_id:%d-%03d\r\n", fake == &nodes[1],
                       atomic_load(&runs[fake == &nodes[1]]));
    else if (redis_fake_is(command, "ASKING") && atomic_fetch_add(&asked[fake == &nodes[1]], 1) >= 0)
        redis_fake_say(reply_out, "+OK\r\n");
    else if (redis_fake_is(command, "WAIT"))
        redis_fake_say(reply_out, mistake == FEW_REPLICAS ? ":1\r\n" : ":2\r\n");
    else if (mistake == EMPTIED && redis_fake_is(command, "EXISTS"))
        redis_fake_say(reply_out, ":0\r\n");
    else if (mistake == EMPTIED && redis_fake_is(command, "GET"))
        redis_fake_say(reply_out, "$-1\r\n");
    else if (is_session)
        answer_session(fake, command, reply_out);
    else if (!redis_fake_greets(command, reply_out))
        redis_fake_say(reply_out, "-ERR unknown command\r\n");
    return !(is_session && mistake == CLOSES);
}

/* ---- set-up ---- */

static void
open_store(const char *options)
{
    char url[160];
    sf_store_close(store);
    snprintf(url, sizeof url, "redis-cluster://127.0.0.1:%u,127.0.0.1:%u%s", nodes[0].port, nodes[1].port, options);
    ck_assert_msg(sf_store_open(&store, url, "/nowhere", &error) == SF_OK, "%s", error.text);
}

static void
find_keys(void)
{
    size_t found[2] = {0, 0};
    names = (struct sf_redis_server){.kind = SF_REDIS_CLUSTER, .prefix = "session:"};
    for (unsigned number = 1; found[0] < PAIRS || found[1] < PAIRS; number++) {
        struct sf_key key = sf_test_key(number);
        int half = sf_redis_key_slot(&names, &key) >= SF_REDIS_SLOTS / 2;
        if (found[half] < PAIRS)
            keys[half][found[half]++] = key;
    }
}

static void
set_up(void)
{
    for (int i = 0; i < 2; i++) {
        atomic_store(&loads[i], 0);
        atomic_store(&stores[i], 0);
        atomic_store(&entries[i], 0);
        atomic_store(&asked[i], 0);
        atomic_store(&runs[i], 0);
        redis_fake_start(&nodes[i], answer);
    }
    atomic_store(&maps, 0);
    find_keys();
    store = NULL;
    open_store("");
}

static void
tear_down(void)
{
    sf_store_close(store);
    for (int i = 0; i < 2; i++)
        redis_fake_stop(&nodes[i]);
}

/* All keys of both halves, in turn; those of each half must have this status. */
static void
assert_loads(sf_time patience, enum sf_status first, enum sf_status second)
{
    struct sf_stored stored[2 * PAIRS];
    struct sf_load batch[2 * PAIRS];
    for (size_t i = 0; i < 2 * PAIRS; i++) {
        sf_buffer_init(&stored[i].record, SF_RECORD_BYTES_MAX);
        batch[i] = (struct sf_load){.key = keys[i % 2][i / 2], .stored = &stored[i]};
    }
    store->ops->load(store, batch, 2 * PAIRS, sf_clock_steady() + patience);
    for (size_t i = 0; i < 2 * PAIRS; i++) {
        sf_buffer_fini(&stored[i].record);
        ck_assert_int_eq(batch[i].status, i % 2 == 0 ? first : second);
    }
}

static void
assert_puts(const char *user, sf_time patience, enum sf_status first, enum sf_status second)
{
    struct sf_buffer record = sf_test_record(1, user, sf_span_text("x"));
    struct sf_write batch[2 * PAIRS];
    for (size_t i = 0; i < 2 * PAIRS; i++) {
        batch[i] = sf_test_put(1, 1, &record);
        batch[i].key = keys[i % 2][i / 2];
    }
    (void)!store->ops->write(store, batch, 2 * PAIRS, sf_clock_steady() + patience);
    for (size_t i = 0; i < 2 * PAIRS; i++)
        ck_assert_int_eq(batch[i].status, i % 2 == 0 ? first : second);
    sf_buffer_fini(&record);
}

static void
assert_counts(const atomic_int counts[2], int first, int second)
{
    ck_assert_int_eq(atomic_load(&counts[0]), first);
    ck_assert_int_eq(atomic_load(&counts[1]), second);
}

static void
assert_explained(const char *expected)
{
    store->ops->explain(store, &error);
    ck_assert_msg(strstr(error.text, expected) != NULL, "%s", error.text);
}

/* ---- without mistakes ---- */

START_TEST(test_each_key_goes_to_its_node)
{
    assert_loads(PATIENCE, SF_NOT_FOUND, SF_NOT_FOUND);
    assert_puts(NULL, PATIENCE, SF_OK, SF_OK);
    assert_counts(loads, PAIRS, PAIRS);
    assert_counts(stores, PAIRS, PAIRS);
    ck_assert_int_eq(atomic_load(&entries[0]) + atomic_load(&entries[1]), 0);
    ck_assert_int_eq(atomic_load(&maps), 2); /* one for each thread */
}
END_TEST

START_TEST(test_index_of_a_user_is_written_where_it_is)
{
    assert_puts("alice", PATIENCE, SF_OK, SF_OK);
    int node = sf_redis_index_slot(&names, sf_span_text("alice")) >= SF_REDIS_SLOTS / 2;
    ck_assert_int_eq(atomic_load(&entries[node]), 2 * PAIRS);
    ck_assert_int_eq(atomic_load(&entries[!node]), 0);
}
END_TEST

/* ---- redirects ---- */

START_TEST(test_slots_that_have_moved)
{
    atomic_store(&nodes[0].mistake, MOVED);
    assert_loads(PATIENCE, SF_NOT_FOUND, SF_NOT_FOUND);
    assert_counts(loads, 0, 2 * PAIRS);
    int before = atomic_load(&nodes[0].commands);
    assert_loads(PATIENCE, SF_NOT_FOUND, SF_NOT_FOUND);
    ck_assert_int_eq(atomic_load(&nodes[0].commands), before); /* nobody asks there any more */
    assert_puts(NULL, PATIENCE, SF_OK, SF_OK);
    assert_counts(stores, 0, 2 * PAIRS);
}
END_TEST

START_TEST(test_slots_that_are_moving)
{
    atomic_store(&nodes[0].mistake, ASK);
    assert_loads(PATIENCE, SF_NOT_FOUND, SF_NOT_FOUND);
    assert_counts(asked, 0, PAIRS);
    assert_puts("alice", PATIENCE, SF_OK, SF_OK);
    assert_counts(asked, 0, 2 * PAIRS);
    atomic_store(&nodes[0].mistake, NONE);
    assert_loads(PATIENCE, SF_NOT_FOUND, SF_NOT_FOUND);
    assert_counts(asked, 0, 2 * PAIRS);
}
END_TEST

START_TEST(test_redirects_have_an_end)
{
    atomic_store(&nodes[0].mistake, MOVED);
    atomic_store(&nodes[1].mistake, MOVED);
    assert_loads(PATIENCE, SF_UNAVAILABLE, SF_UNAVAILABLE);
    assert_puts(NULL, PATIENCE, SF_UNAVAILABLE, SF_UNAVAILABLE);
    atomic_store(&nodes[0].mistake, ASK);
    atomic_store(&nodes[1].mistake, ASK);
    assert_loads(PATIENCE, SF_UNAVAILABLE, SF_UNAVAILABLE);
}
END_TEST

START_TEST(test_redirect_to_what_is_no_address)
{
    atomic_store(&nodes[0].mistake, NOWHERE);
    assert_loads(PATIENCE, SF_UNAVAILABLE, SF_NOT_FOUND);
    assert_puts(NULL, PATIENCE, SF_UNAVAILABLE, SF_OK);
}
END_TEST

START_TEST(test_try_again)
{
    atomic_store(&nodes[0].mistake, TRY_AGAIN);
    assert_puts(NULL, PATIENCE, SF_OK, SF_OK);
}
END_TEST

/* ---- one node fails ---- */

START_TEST(test_node_that_closes_loses_its_part_only)
{
    assert_puts(NULL, PATIENCE, SF_OK, SF_OK);
    atomic_store(&nodes[1].mistake, CLOSES);
    assert_loads(PATIENCE, SF_NOT_FOUND, SF_UNAVAILABLE);
    assert_puts(NULL, PATIENCE, SF_OK, SF_UNCERTAIN);
    atomic_store(&nodes[1].mistake, NONE);
    assert_puts(NULL, PATIENCE, SF_OK, SF_OK);
}
END_TEST

START_TEST(test_node_that_is_down_loses_its_part_only)
{
    redis_fake_stop(&nodes[1]);
    assert_loads(PATIENCE, SF_NOT_FOUND, SF_UNAVAILABLE);
    assert_puts(NULL, PATIENCE, SF_OK, SF_UNAVAILABLE);
    assert_explained("127.0.0.1");
}
END_TEST

START_TEST(test_node_that_is_silent_is_left_alone_after_a_while)
{
    assert_loads(PATIENCE, SF_NOT_FOUND, SF_NOT_FOUND);
    atomic_store(&nodes[0].mistake, SILENT);
    assert_puts(NULL, 3 * SF_SECOND, SF_UNCERTAIN, SF_OK);
    int before;
    do {
        before = atomic_load(&nodes[0].commands);
        assert_loads(3 * SF_SECOND, SF_UNAVAILABLE, SF_NOT_FOUND);
    } while (atomic_load(&nodes[0].commands) != before);
    assert_explained("left alone");
}
END_TEST

START_TEST(test_node_that_is_a_replica_now)
{
    assert_puts(NULL, PATIENCE, SF_OK, SF_OK);
    int before = atomic_load(&maps);
    atomic_store(&nodes[0].mistake, REPLICA);
    do
        assert_puts(NULL, PATIENCE, SF_UNAVAILABLE, SF_OK);
    while (atomic_load(&maps) == before); /* somebody may know its successor */
    assert_explained("READONLY");
}
END_TEST

START_TEST(test_node_that_was_emptied_has_lost_its_sessions_and_not_ended_them)
{
    assert_loads(PATIENCE, SF_NOT_FOUND, SF_NOT_FOUND);
    atomic_store(&nodes[1].mistake, EMPTIED);
    assert_loads(PATIENCE, SF_NOT_FOUND, SF_UNAVAILABLE);
    assert_explained("are gone");
    assert_loads(PATIENCE, SF_NOT_FOUND, SF_UNAVAILABLE);
}
END_TEST

START_TEST(test_change_without_its_index_is_uncertain)
{
    int node = sf_redis_index_slot(&names, sf_span_text("alice")) >= SF_REDIS_SLOTS / 2;
    atomic_store(&nodes[node].mistake, INDEX_FAILS);
    assert_puts("alice", PATIENCE, SF_UNCERTAIN, SF_UNCERTAIN);
    assert_counts(stores, PAIRS, PAIRS);
    atomic_store(&nodes[node].mistake, NONE);
    assert_puts("alice", PATIENCE, SF_OK, SF_OK);
}
END_TEST

/* ---- the map ---- */

START_TEST(test_server_that_is_in_no_cluster)
{
    atomic_store(&nodes[0].mistake, NO_CLUSTER);
    atomic_store(&nodes[1].mistake, NO_CLUSTER);
    ck_assert_int_eq(store->ops->attach(store, sf_clock_steady() + PATIENCE, &error), SF_UNAVAILABLE);
    ck_assert_msg(strstr(error.text, "cluster support disabled") != NULL, "%s", error.text);
    assert_loads(PATIENCE, SF_UNAVAILABLE, SF_UNAVAILABLE);
}
END_TEST

START_TEST(test_next_host_gives_the_map)
{
    redis_fake_stop(&nodes[0]);
    ck_assert_int_eq(store->ops->attach(store, sf_clock_steady() + PATIENCE, &error), SF_UNAVAILABLE);
    assert_puts(NULL, PATIENCE, SF_UNAVAILABLE, SF_OK);
}
END_TEST

static uint64_t
attached_incarnation(void)
{
    sf_store_renew(store);
    ck_assert_int_eq(store->ops->attach(store, sf_clock_steady() + PATIENCE, &error), SF_OK);
    return sf_store_incarnation(store);
}

START_TEST(test_restart_of_any_node_is_another_incarnation)
{
    ck_assert_uint_eq(sf_store_incarnation(store), 0);
    uint64_t first = attached_incarnation();
    ck_assert_uint_ne(first, 0);
    ck_assert_uint_eq(attached_incarnation(), first);
    atomic_fetch_add(&runs[1], 1);
    uint64_t second = attached_incarnation();
    ck_assert_uint_ne(second, first);
    atomic_fetch_add(&runs[0], 1);
    uint64_t third = attached_incarnation();
    ck_assert_uint_ne(third, second);
    open_store("");
    ck_assert_uint_eq(attached_incarnation(), third); /* of the Cluster, and not of this process */
}
END_TEST

/* ---- replicas ---- */

START_TEST(test_too_few_replicas_leave_a_write_uncertain)
{
    open_store("?wait=2");
    assert_puts(NULL, PATIENCE, SF_OK, SF_OK);
    atomic_store(&nodes[1].mistake, FEW_REPLICAS);
    assert_puts(NULL, PATIENCE, SF_OK, SF_UNCERTAIN);
    assert_explained("too few replicas");
    assert_loads(PATIENCE, SF_NOT_FOUND, SF_NOT_FOUND);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_redis_batch");
    TCase *cluster = tcase_create("cluster");
    tcase_set_timeout(cluster, 60);
    tcase_add_checked_fixture(cluster, set_up, tear_down);
    tcase_add_test(cluster, test_each_key_goes_to_its_node);
    tcase_add_test(cluster, test_index_of_a_user_is_written_where_it_is);
    tcase_add_test(cluster, test_slots_that_have_moved);
    tcase_add_test(cluster, test_slots_that_are_moving);
    tcase_add_test(cluster, test_redirects_have_an_end);
    tcase_add_test(cluster, test_redirect_to_what_is_no_address);
    tcase_add_test(cluster, test_try_again);
    tcase_add_test(cluster, test_node_that_closes_loses_its_part_only);
    tcase_add_test(cluster, test_node_that_is_down_loses_its_part_only);
    tcase_add_test(cluster, test_node_that_is_silent_is_left_alone_after_a_while);
    tcase_add_test(cluster, test_node_that_is_a_replica_now);
    tcase_add_test(cluster, test_node_that_was_emptied_has_lost_its_sessions_and_not_ended_them);
    tcase_add_test(cluster, test_change_without_its_index_is_uncertain);
    tcase_add_test(cluster, test_server_that_is_in_no_cluster);
    tcase_add_test(cluster, test_next_host_gives_the_map);
    tcase_add_test(cluster, test_restart_of_any_node_is_another_incarnation);
    tcase_add_test(cluster, test_too_few_replicas_leave_a_write_uncertain);
    suite_add_tcase(suite, cluster);
    return sf_run_suite(suite);
}
