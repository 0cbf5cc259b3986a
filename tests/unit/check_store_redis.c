/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_store_redis.c - against a server made here, a thread that says what the test wants: mistakes
 * that a real one does not make. What a real one does is in tests/integration/test_store_redis.py.
 */
#include "common/store/store.h"

#include <check.h>
#include <hiredis.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"
#include "tests/unit/stream_case.h"

#define PATIENCE (20 * SF_SECOND)
#define SHA "0123456789012345678901234567890123456789"

enum mistake {
    NONE,
    REPLICA,       /* ROLE says so */
    LATER_LAYOUT,
    EMPTIED,       /* the mark is gone, until another one is made */
    EMPTIED_FULL,  /* and none can be made */
    ONE_TOO_MANY,  /* a reply that nobody asked for, before all others */
    ONE_TOO_FEW,   /* loads are not answered */
    NO_PROTOCOL,
    NO_SCRIPT,     /* once */
    READ_ONLY,
    CLOSES         /* when it is to load or write */
};

static char url[160];
static atomic_int mistake;
static atomic_int pages; /* that it was asked for */
static atomic_int runs; /* of the server: how often it was started */
static char mark[40];   /* server's thread */
static struct sf_store *store;
static struct sf_stored stored;
static struct sf_error error;

/* ---- the server ---- */

static void
say_bulk(int client, const char *text)
{
    char reply[256];
    snprintf(reply, sizeof reply, "$%zu\r\n%s\r\n", strlen(text), text);
    stream_say(client, reply);
}

static bool
is_emptied(enum mistake now)
{
    return now == EMPTIED || now == EMPTIED_FULL;
}

static void
set_mark(int client, const char *text)
{
    if (atomic_load(&mistake) == EMPTIED_FULL) {
        stream_say(client, "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
        return;
    }
    snprintf(mark, sizeof mark, "%s", text);
    atomic_store(&mistake, NONE);
    stream_say(client, "+OK\r\n");
}

static void
say_mark(int client)
{
    enum mistake now = atomic_load(&mistake);
    if (is_emptied(now))
        stream_say(client, "$-1\r\n");
    else
        say_bulk(client, now == LATER_LAYOUT ? "2 aa" : mark);
}

static void
say_info(int client)
{
    char info[80];
    snprintf(info, sizeof info, "# Server\r\nrun_id:%040d\r\ntcp_port:1\r\n", atomic_load(&runs));
    say_bulk(client, info);
}

/* false: the connection is to be closed. */
static bool
answer_session(int client, const char *word)
{
    enum mistake now = atomic_load(&mistake);
    bool is_load = strcmp(word, "HGETALL") == 0;
    if (now == CLOSES)
        return false;
    if (now == NO_SCRIPT && !is_load) {
        atomic_store(&mistake, NONE);
        stream_say(client, "-NOSCRIPT No matching script.\r\n");
    } else if (now == READ_ONLY && !is_load) {
        stream_say(client, "-READONLY You can't write against a read only replica.\r\n");
    } else if (now == NO_PROTOCOL) {
        stream_say(client, "HTTP/1.1 400 Bad Request\r\n\r\n");
    } else if (now != ONE_TOO_FEW) {
        stream_say(client, is_load ? "*0\r\n" : ":1\r\n");
    }
    return true;
}

/* Two pages, on each connection. */
static void
say_page(int client, const char *cursor)
{
    atomic_fetch_add(&pages, 1);
    stream_say(client, strcmp(cursor, "0") == 0 ? "*2\r\n$1\r\n7\r\n*0\r\n" : "*2\r\n$1\r\n0\r\n*0\r\n");
}

static bool
answer(int client, const redisReply *command)
{
    const char *word = command->element[0]->str;
    enum mistake now = atomic_load(&mistake);
    if (strcmp(word, "PING") == 0)
        say_bulk(client, command->element[1]->str);
    else if (strcmp(word, "ROLE") == 0)
        stream_say(client, now == REPLICA ? "*1\r\n$5\r\nslave\r\n" : "*1\r\n$6\r\nmaster\r\n");
    else if (strcmp(word, "SCRIPT") == 0)
        say_bulk(client, SHA);
    else if (strcmp(word, "GET") == 0)
        say_mark(client);
    else if (strcmp(word, "SET") == 0)
        set_mark(client, command->element[2]->str);
    else if (strcmp(word, "SCAN") == 0)
        say_page(client, command->element[1]->str);
    else if (strcmp(word, "INFO") == 0)
        say_info(client);
    else if (strcmp(word, "EXISTS") == 0)
        stream_say(client, is_emptied(now) ? ":0\r\n" : ":1\r\n");
    else
        return answer_session(client, word);
    return true;
}

static bool
answer_all(int client, redisReader *reader)
{
    void *command = NULL;
    bool goes_on = true;
    while (goes_on && redisReaderGetReply(reader, &command) == REDIS_OK && command != NULL) {
        goes_on = answer(client, command);
        freeReplyObject(command);
    }
    return goes_on;
}

/* Only loads, or only writes, are under way in each test. */
static void
serve_client(int client)
{
    char bytes[65536];
    redisReader *reader = redisReaderCreate();
    bool goes_on = true;
    if (atomic_load(&mistake) == ONE_TOO_MANY)
        stream_say(client, "*0\r\n");
    while (goes_on) {
        ssize_t got = stream_receive(client, bytes, sizeof bytes);
        goes_on = got > 0 && redisReaderFeed(reader, bytes, (size_t)got) == REDIS_OK && answer_all(client, reader);
    }
    redisReaderFree(reader);
}

static void
set_up(void)
{
    atomic_store(&mistake, NONE);
    atomic_store(&pages, 0);
    snprintf(mark, sizeof mark, "1 aa");
    stream_start(serve_client);
    snprintf(url, sizeof url, "redis:///?socket=%s", stream_path);
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    ck_assert_msg(sf_store_open(&store, url, stream_folder.path, &error) == SF_OK, "%s", error.text);
}

static void
tear_down(void)
{
    sf_store_close(store);
    stream_stop();
    sf_buffer_fini(&stored.record);
}

static enum sf_status
load(sf_time patience)
{
    struct sf_key key = sf_test_key(1);
    return sf_store_load_one(store, &key, sf_clock_steady() + patience, &stored);
}

static enum sf_status
put(sf_time patience)
{
    struct sf_buffer record = sf_test_record(1, "alice", sf_span_text("x"));
    struct sf_write write = sf_test_put(1, 1, &record);
    enum sf_status status = store->ops->write(store, &write, 1, sf_clock_steady() + patience);
    ck_assert_int_eq(status, write.status);
    sf_buffer_fini(&record);
    return status;
}

static void
assert_explained(const char *expected)
{
    store->ops->explain(store, &error);
    ck_assert_msg(strstr(error.text, expected) != NULL, "%s", error.text);
}

/* ---- */

START_TEST(test_without_mistakes_one_connection_serves_all)
{
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(load(PATIENCE), SF_NOT_FOUND);
    ck_assert_int_eq(atomic_load(&stream_connections), 1);
    assert_explained("");
}
END_TEST

START_TEST(test_reply_that_nobody_asked_for_is_never_believed)
{
    atomic_store(&mistake, ONE_TOO_MANY);
    ck_assert_int_eq(load(PATIENCE), SF_UNAVAILABLE);
    assert_explained("was not asked");
    ck_assert_int_eq(put(PATIENCE), SF_UNAVAILABLE);
}
END_TEST

/* What follows is taken for the reply that is missing, and the last PING finds it out. */
START_TEST(test_missing_reply_is_noticed)
{
    ck_assert_int_eq(load(PATIENCE), SF_NOT_FOUND);
    atomic_store(&mistake, ONE_TOO_FEW);
    ck_assert_int_eq(load(100), SF_UNAVAILABLE);
    atomic_store(&mistake, NONE);
    ck_assert_int_eq(load(PATIENCE), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_missing_answer_leaves_a_write_uncertain)
{
    ck_assert_int_eq(put(PATIENCE), SF_OK);
    atomic_store(&mistake, ONE_TOO_FEW);
    ck_assert_int_eq(put(100), SF_UNCERTAIN);
    atomic_store(&mistake, CLOSES);
    ck_assert_int_eq(put(PATIENCE), SF_UNCERTAIN);
    atomic_store(&mistake, NONE);
    ck_assert_int_eq(put(PATIENCE), SF_OK);
}
END_TEST

START_TEST(test_what_is_not_the_protocol)
{
    atomic_store(&mistake, NO_PROTOCOL);
    ck_assert_int_eq(load(PATIENCE), SF_UNAVAILABLE);
    assert_explained("not the Redis protocol");
}
END_TEST

START_TEST(test_connection_that_has_died_is_made_again)
{
    ck_assert_int_eq(load(PATIENCE), SF_NOT_FOUND);
    atomic_store(&mistake, CLOSES);
    ck_assert_int_eq(load(PATIENCE), SF_UNAVAILABLE);
    atomic_store(&mistake, NONE);
    ck_assert_int_eq(load(PATIENCE), SF_NOT_FOUND);
    ck_assert_int_eq(atomic_load(&stream_connections), 3);
}
END_TEST

START_TEST(test_forgotten_script_is_given_again)
{
    atomic_store(&mistake, NO_SCRIPT);
    ck_assert_int_eq(put(PATIENCE), SF_OK);
    ck_assert_int_eq(atomic_load(&stream_connections), 2);
}
END_TEST

START_TEST(test_replica_writes_nothing_and_says_so)
{
    atomic_store(&mistake, READ_ONLY);
    ck_assert_int_eq(put(PATIENCE), SF_UNAVAILABLE);
    assert_explained("READONLY");
    atomic_store(&mistake, REPLICA);
    ck_assert_int_eq(put(PATIENCE), SF_UNAVAILABLE);
    assert_explained("replica, and not the master");
}
END_TEST

START_TEST(test_later_layout_is_refused_at_the_start)
{
    atomic_store(&mistake, LATER_LAYOUT);
    ck_assert_int_eq(store->ops->attach(store, sf_clock_steady() + PATIENCE, &error), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "later version"));
    ck_assert_int_eq(load(PATIENCE), SF_UNAVAILABLE);
}
END_TEST

START_TEST(test_emptied_server_has_lost_its_sessions_and_not_ended_them)
{
    ck_assert_int_eq(load(PATIENCE), SF_NOT_FOUND);
    atomic_store(&mistake, EMPTIED_FULL);
    ck_assert_int_eq(load(PATIENCE), SF_UNAVAILABLE);
    assert_explained("are gone");
    ck_assert_int_eq(load(PATIENCE), SF_UNAVAILABLE);
}
END_TEST

/* As soon as it can be marked again; but whoever is asked can be seen to be another one. */
START_TEST(test_emptied_server_is_another_one)
{
    ck_assert_uint_eq(sf_store_incarnation(store), 0);
    ck_assert_int_eq(load(PATIENCE), SF_NOT_FOUND);
    uint64_t before = sf_store_incarnation(store);
    ck_assert_uint_ne(before, 0);
    atomic_store(&mistake, EMPTIED);
    ck_assert_int_eq(load(PATIENCE), SF_NOT_FOUND);
    ck_assert_uint_ne(sf_store_incarnation(store), before);
}
END_TEST

START_TEST(test_restarted_server_is_another_one)
{
    ck_assert_int_eq(load(PATIENCE), SF_NOT_FOUND);
    uint64_t before = sf_store_incarnation(store);
    atomic_fetch_add(&runs, 1);
    atomic_store(&mistake, CLOSES);
    ck_assert_int_eq(load(PATIENCE), SF_UNAVAILABLE);
    atomic_store(&mistake, NONE);
    ck_assert_int_eq(load(PATIENCE), SF_NOT_FOUND);
    ck_assert_uint_ne(sf_store_incarnation(store), before);
}
END_TEST

/* ---- scans ---- */

static enum sf_status
scan(sf_time deadline)
{
    return store->ops->scan(store, NULL, sf_span_text(NULL), 10, deadline, NULL, NULL);
}

START_TEST(test_loads_have_their_turn_between_two_pages_of_keys)
{
    sf_time deadline = sf_clock_steady() + PATIENCE;
    ck_assert_int_eq(scan(deadline), SF_FULL);
    ck_assert_int_eq(load(PATIENCE), SF_NOT_FOUND);
    ck_assert_int_eq(scan(deadline), SF_OK);
    ck_assert_int_eq(atomic_load(&pages), 2);
    ck_assert_int_eq(atomic_load(&stream_connections), 1);
}
END_TEST

START_TEST(test_another_scan_waits_until_the_first_has_its_keys_or_no_time)
{
    sf_time now = sf_clock_steady();
    ck_assert_int_eq(scan(now + PATIENCE), SF_FULL);
    ck_assert_int_eq(scan(now + PATIENCE + 1), SF_CONFLICT);
    ck_assert_int_eq(scan(now - 1), SF_UNAVAILABLE);
    ck_assert_int_eq(atomic_load(&pages), 1);
    ck_assert_int_eq(scan(now + PATIENCE), SF_OK);
    ck_assert_int_eq(scan(now + PATIENCE + 1), SF_FULL);
    ck_assert_int_eq(scan(now + PATIENCE + 1), SF_OK);
    ck_assert_int_eq(atomic_load(&pages), 4);
}
END_TEST

/* The cursor is worth nothing on another connection. */
START_TEST(test_a_listing_ends_with_its_connection)
{
    sf_time deadline = sf_clock_steady() + PATIENCE;
    ck_assert_int_eq(scan(deadline), SF_FULL);
    atomic_store(&mistake, CLOSES);
    ck_assert_int_eq(load(PATIENCE), SF_UNAVAILABLE);
    atomic_store(&mistake, NONE);
    ck_assert_int_eq(scan(deadline), SF_UNAVAILABLE);
    assert_explained("while keys were listed");
    ck_assert_int_eq(scan(deadline), SF_FULL);
    ck_assert_int_eq(scan(deadline), SF_OK);
}
END_TEST

/* ---- URLs ---- */

START_TEST(test_urls_that_are_refused)
{
    static const char *const wrong[][2] = {
        {"redis://host/name", "number of a database"}, {"redis://host/-1", "number of a database"},
        {"rediss://?socket=/x", "needs no TLS"},       {"redis://host?ca=/x", "rediss:"},
        {"redis://host?what=1", "known are"},
    };
    struct sf_store *none;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_int_eq(sf_store_open(&none, wrong[i][0], stream_folder.path, &error), SF_INVALID);
        ck_assert_msg(strstr(error.text, wrong[i][1]) != NULL, "%s: %s", wrong[i][0], error.text);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_redis");
    TCase *mistakes = tcase_create("mistakes");
    tcase_set_timeout(mistakes, 60);
    tcase_add_checked_fixture(mistakes, set_up, tear_down);
    tcase_add_test(mistakes, test_without_mistakes_one_connection_serves_all);
    tcase_add_test(mistakes, test_reply_that_nobody_asked_for_is_never_believed);
    tcase_add_test(mistakes, test_missing_reply_is_noticed);
    tcase_add_test(mistakes, test_missing_answer_leaves_a_write_uncertain);
    tcase_add_test(mistakes, test_what_is_not_the_protocol);
    tcase_add_test(mistakes, test_connection_that_has_died_is_made_again);
    tcase_add_test(mistakes, test_forgotten_script_is_given_again);
    tcase_add_test(mistakes, test_replica_writes_nothing_and_says_so);
    tcase_add_test(mistakes, test_later_layout_is_refused_at_the_start);
    tcase_add_test(mistakes, test_emptied_server_has_lost_its_sessions_and_not_ended_them);
    tcase_add_test(mistakes, test_emptied_server_is_another_one);
    tcase_add_test(mistakes, test_restarted_server_is_another_one);
    tcase_add_test(mistakes, test_loads_have_their_turn_between_two_pages_of_keys);
    tcase_add_test(mistakes, test_another_scan_waits_until_the_first_has_its_keys_or_no_time);
    tcase_add_test(mistakes, test_a_listing_ends_with_its_connection);
    tcase_add_test(mistakes, test_urls_that_are_refused);
    suite_add_tcase(suite, mistakes);
    return sf_run_suite(suite);
}
