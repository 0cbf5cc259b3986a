/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_l2_redis.c - against a server made here, which does what Redis does with the few commands that it is asked, and
 * makes mistakes that a real one does not make. What a real one does is in tests/integration/test_l2.py.
 */
#include <check.h>
#include <hiredis.h>
#include <stdio.h>
#include <string.h>

#include "common/store/l2/l2.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"
#include "tests/unit/redis_case.h"

#define ITEMS 3
#define ROWS 8
#define WROTE "abc"

enum mistake {
    NONE,
    SILENT,
    CLOSES,
    NO_RUN,      /* INFO is not for us */
    REPLICA,
    NO_SCRIPT,   /* forgotten, once */
    FULL,        /* SET takes nothing */
    WRONG_TYPE,  /* somebody else's key */
    WRONG_KIND,  /* a number for a question */
    ODD_SET,     /* a number for SET */
    READ_ONLY
};

/* What it holds: the server's thread changes it, and the test while nothing is asked. */
struct row {
    char name[128];
    unsigned char bytes[256];
    size_t size;
};

static struct redis_fake fake;
static struct row rows[ROWS];
static size_t row_count;
static atomic_int run;
static char last_ttl[32];
static struct sf_l2 *l2;
static struct sf_l2_item items[ITEMS];

/* ---- the server ---- */

static struct row *
find_row(const char *name)
{
    for (size_t i = 0; i < row_count; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

static void
set_row(const char *name, struct sf_span bytes)
{
    struct row *row = find_row(name);
    if (row == NULL) {
        row = &rows[row_count++];
        snprintf(row->name, sizeof row->name, "%s", name);
    }
    memcpy(row->bytes, bytes.data, bytes.size);
    row->size = bytes.size;
}

static struct sf_span
word_of(const redisReply *command, size_t index)
{
    return sf_span_of(command->element[index]->str, command->element[index]->len);
}

static void
answer_set(const redisReply *command, char *reply)
{
    enum mistake now = atomic_load(&fake.mistake);
    const char *name = command->element[1]->str;
    bool is_lease = command->elements == 6;
    ck_assert_str_eq(command->element[3]->str, "PX");
    snprintf(last_ttl, sizeof last_ttl, "%s", command->element[4]->str);
    if (now == READ_ONLY)
        redis_fake_say(reply, "-READONLY You can't write against a read only replica.\r\n");
    else if (now == FULL)
        redis_fake_say(reply, "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    else if (now == ODD_SET)
        redis_fake_say(reply, ":1\r\n");
    else if (is_lease && find_row(name) != NULL)
        redis_fake_say(reply, "$-1\r\n");
    else
        redis_fake_say(reply, "+OK\r\n");
    if (strcmp(reply, "+OK\r\n") == 0)
        set_row(name, word_of(command, 2));
}

static void
answer_get(const redisReply *command, char *reply)
{
    enum mistake now = atomic_load(&fake.mistake);
    const struct row *row = find_row(command->element[1]->str);
    if (now == WRONG_TYPE)
        redis_fake_say(reply, "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    else if (now == WRONG_KIND)
        redis_fake_say(reply, ":3\r\n");
    else if (row == NULL)
        redis_fake_say(reply, "$-1\r\n");
    else
        redis_fake_say_bytes(&fake, reply, sf_span_of(row->bytes, row->size));
}

/* As sf_redis_cache_script does. */
static int
change(const redisReply *command)
{
    struct row *row = find_row(command->element[3]->str);
    struct sf_span ticket = word_of(command, 4);
    if (row == NULL || row->size < 9)
        return 0;
    if (memcmp(row->bytes + 1, ticket.data, 8) != 0)
        return 2;
    if (command->elements == 5) {
        *row = rows[--row_count];
        return 1;
    }
    set_row(row->name, word_of(command, 5));
    snprintf(last_ttl, sizeof last_ttl, "%s", command->element[6]->str);
    return 1;
}

static void
answer_script(const redisReply *command, char *reply)
{
    if (atomic_load(&fake.mistake) == NO_SCRIPT) {
        atomic_store(&fake.mistake, NONE);
        redis_fake_say(reply, "-NOSCRIPT No matching script.\r\n");
        return;
    }
    redis_fake_say(reply, ":%d\r\n", change(command));
}

static void
answer_info(char *reply)
{
    char text[64];
    int size = snprintf(text, sizeof text, "run_id:%d\r\ntcp_port:1\r\n", atomic_load(&run));
    if (atomic_load(&fake.mistake) == NO_RUN)
        redis_fake_say(reply, "-NOPERM this user has no permissions to run the 'info' command\r\n");
    else
        redis_fake_say(reply, "$%d\r\n%s\r\n", size, text);
}

static bool
answer(struct redis_fake *me, const redisReply *command, char reply[REDIS_FAKE_TEXT])
{
    enum mistake now = atomic_load(&me->mistake);
    bool is_ours = redis_fake_is(command, "GET") || redis_fake_is(command, "SET") || redis_fake_is(command, "EVALSHA");
    if (is_ours && now == SILENT)
        redis_fake_say(reply, "%s", "");
    else if (redis_fake_is(command, "GET"))
        answer_get(command, reply);
    else if (redis_fake_is(command, "SET"))
        answer_set(command, reply);
    else if (redis_fake_is(command, "EVALSHA"))
        answer_script(command, reply);
    else if (redis_fake_is(command, "INFO"))
        answer_info(reply);
    else if (redis_fake_is(command, "ROLE") && now == REPLICA)
        redis_fake_say(reply, "*1\r\n$5\r\nslave\r\n");
    else
        ck_assert(redis_fake_greets(command, reply));
    return !is_ours || now != CLOSES;
}

/* ---- */

static void
open_l2(const char *options)
{
    struct sf_error error;
    char url[256];
    snprintf(url, sizeof url, "redis://127.0.0.1:%u?%s", fake.port, options);
    sf_l2_close(l2);
    ck_assert_msg(sf_l2_open(&l2, url, &error) == SF_OK, "%s", error.text);
}

static void
set_up(void)
{
    row_count = 0;
    atomic_store(&run, 1);
    redis_fake_start(&fake, answer);
    open_l2("timeout=10000");
    for (unsigned i = 0; i < ITEMS; i++) {
        items[i] = (struct sf_l2_item){.key = sf_test_key(i), .ttl = SF_MINUTE};
        sf_buffer_init(&items[i].value, 200);
    }
}

static void
tear_down(void)
{
    for (unsigned i = 0; i < ITEMS; i++)
        sf_buffer_fini(&items[i].value);
    sf_l2_close(l2);
    l2 = NULL;
    redis_fake_stop(&fake);
}

static bool
call(enum sf_l2_call what)
{
    bool is_read = what == SF_L2_GET || what == SF_L2_FILL;
    return sf_l2_call(l2, is_read ? SF_STORE_READS : SF_STORE_WRITES, what, items, ITEMS);
}

static void
fill(void)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        sf_buffer_clear(&items[i].value);
        ck_assert_int_eq(sf_buffer_append_text(&items[i].value, WROTE), SF_OK);
    }
    ck_assert(call(SF_L2_FILL));
}

static void
assert_empty(bool has_ticket)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        ck_assert(items[i].is_done);
        ck_assert_uint_eq(items[i].value.size, 0);
        ck_assert_int_eq(items[i].ticket.mark != 0, has_ticket);
    }
}

static void
assert_values(void)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        ck_assert(items[i].is_done);
        ck_assert(sf_span_equal(sf_buffer_span(&items[i].value), sf_span_text(WROTE)));
        ck_assert_uint_ne(items[i].ticket.mark, 0);
    }
}

static void
assert_explained(const char *expected)
{
    struct sf_error error;
    sf_l2_explain(l2, 0, &error);
    ck_assert_msg(strstr(error.text, expected) != NULL, "%s", error.text);
}

START_TEST(test_a_lease_lets_a_value_in)
{
    ck_assert(call(SF_L2_GET));
    assert_empty(true);
    ck_assert_str_eq(last_ttl, "10000");
    fill();
    ck_assert(items[ITEMS - 1].is_done);
    ck_assert_str_eq(last_ttl, "60000");
    ck_assert(call(SF_L2_GET));
    assert_values();
    ck_assert_int_eq(atomic_load(&fake.connections), 1);
}
END_TEST

START_TEST(test_another_hosts_lease_gives_no_ticket)
{
    ck_assert(call(SF_L2_GET));
    open_l2("timeout=10000");
    ck_assert(call(SF_L2_GET));
    assert_empty(false);
}
END_TEST

START_TEST(test_a_mark_keeps_everything_out_until_it_is_taken_away)
{
    ck_assert(call(SF_L2_GET));
    struct sf_l2_ticket lease = items[0].ticket;
    ck_assert(call(SF_L2_HIDE));
    ck_assert_str_eq(last_ttl, "30000");
    struct sf_l2_ticket mark = items[0].ticket;
    items[0].ticket = lease;
    fill();
    ck_assert(!items[0].is_done);
    ck_assert(call(SF_L2_GET));
    assert_empty(false);
    items[0].ticket = mark;
    (void)call(SF_L2_SHOW);
    ck_assert(items[0].is_done);
    ck_assert(call(SF_L2_GET));
    ck_assert_uint_ne(items[0].ticket.mark, 0);
}
END_TEST

START_TEST(test_a_mark_goes_over_a_value_and_only_ours_goes)
{
    ck_assert(call(SF_L2_GET));
    fill();
    ck_assert(call(SF_L2_HIDE));
    for (unsigned i = 0; i < ITEMS; i++)
        items[i].ticket.mark += i; /* the first one is as it was */
    ck_assert(call(SF_L2_SHOW));
    ck_assert(items[0].is_done);
    ck_assert(!items[2].is_done);
    row_count = 0;
    ck_assert(call(SF_L2_HIDE));
    row_count = 0;
    ck_assert(call(SF_L2_SHOW));
    ck_assert(items[0].is_done); /* it has gone by itself */
}
END_TEST

/* It may have lost the marks that came after what it still holds. */
START_TEST(test_values_of_another_run_of_the_server_do_not_count)
{
    ck_assert(call(SF_L2_GET));
    fill();
    atomic_store(&run, 2);
    open_l2("timeout=10000");
    ck_assert(call(SF_L2_GET));
    assert_empty(true);
    fill();
    ck_assert(call(SF_L2_GET));
    assert_values();
}
END_TEST

START_TEST(test_tickets_of_a_lost_connection_are_worth_nothing)
{
    ck_assert(call(SF_L2_HIDE));
    atomic_store(&fake.mistake, CLOSES);
    ck_assert(!call(SF_L2_HIDE));
    atomic_store(&fake.mistake, NONE);
    ck_assert(call(SF_L2_HIDE));
    for (unsigned i = 0; i < ITEMS; i++)
        items[i].ticket.link++;
    ck_assert(call(SF_L2_SHOW));
    for (unsigned i = 0; i < ITEMS; i++)
        ck_assert(!items[i].is_done);
    ck_assert_uint_eq(row_count, ITEMS);
}
END_TEST

/* Whoever opens it says that it is none; and it does not stay. */
START_TEST(test_foreign_bytes_are_handed_on_and_replaced)
{
    ck_assert(call(SF_L2_GET));
    for (size_t i = 0; i < row_count; i++)
        set_row(rows[i].name, sf_span_text("somebody else's"));
    ck_assert(call(SF_L2_GET));
    ck_assert(sf_span_equal(sf_buffer_span(&items[0].value), sf_span_text("somebody else's")));
    fill();
    ck_assert(call(SF_L2_GET));
    assert_values();
    for (size_t i = 0; i < row_count; i++)
        set_row(rows[i].name, sf_span_text("x"));
    ck_assert(call(SF_L2_GET));
    ck_assert_uint_eq(items[0].value.size, 1);
    ck_assert_uint_eq(items[0].ticket.mark, 0);
}
END_TEST

/* ---- mistakes ---- */

START_TEST(test_a_wrong_answer_is_none)
{
    static const struct {
        enum mistake mistake;
        const char *why;
    } all[] = {{CLOSES, "closed"}, {WRONG_KIND, "was not asked"}, {ODD_SET, "was not asked"}, {READ_ONLY, "READONLY"}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        atomic_store(&fake.mistake, all[i].mistake);
        ck_assert_msg(!call(SF_L2_GET), "%zu", i);
        assert_explained(all[i].why);
        for (unsigned j = 0; j < ITEMS; j++) {
            ck_assert(!items[j].is_done);
            ck_assert_uint_eq(items[j].ticket.mark, 0);
            ck_assert_uint_eq(items[j].value.size, 0);
        }
        atomic_store(&fake.mistake, NONE);
        ck_assert(call(SF_L2_GET));
    }
}
END_TEST

START_TEST(test_silence_ends_at_the_timeout)
{
    open_l2("timeout=100");
    atomic_store(&fake.mistake, SILENT);
    sf_time began = sf_clock_steady();
    ck_assert(!call(SF_L2_GET));
    ck_assert_int_ge(sf_clock_steady() - began, 100);
    assert_explained("no answer in time");
}
END_TEST

START_TEST(test_a_server_that_will_not_do_is_refused)
{
    static const struct {
        enum mistake mistake;
        const char *why;
    } all[] = {{REPLICA, "a replica"}, {NO_RUN, "NOPERM"}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        open_l2("timeout=10000");
        atomic_store(&fake.mistake, all[i].mistake);
        ck_assert(!call(SF_L2_GET));
        assert_explained(all[i].why);
    }
}
END_TEST

/* The old value may be there still: not done, so that its epoch moves; the connection stays. */
START_TEST(test_without_room_a_mark_is_not_done_and_nothing_breaks)
{
    atomic_store(&fake.mistake, FULL);
    ck_assert(call(SF_L2_GET));
    assert_empty(false);
    ck_assert(call(SF_L2_HIDE));
    assert_explained("OOM");
    for (unsigned i = 0; i < ITEMS; i++) {
        ck_assert(!items[i].is_done);
        ck_assert_uint_eq(items[i].ticket.mark, 0);
    }
    ck_assert_int_eq(atomic_load(&fake.connections), 2);
}
END_TEST

START_TEST(test_somebody_elses_key_is_no_answer_and_breaks_nothing)
{
    atomic_store(&fake.mistake, WRONG_TYPE);
    ck_assert(call(SF_L2_GET));
    ck_assert(!items[0].is_done);
    assert_explained("WRONGTYPE");
    atomic_store(&fake.mistake, NONE);
    ck_assert(call(SF_L2_GET));
    ck_assert_int_eq(atomic_load(&fake.connections), 1);
}
END_TEST

START_TEST(test_a_forgotten_script_is_given_again)
{
    ck_assert(call(SF_L2_HIDE));
    atomic_store(&fake.mistake, NO_SCRIPT);
    ck_assert(!call(SF_L2_SHOW));
    ck_assert(call(SF_L2_HIDE));
    ck_assert(call(SF_L2_SHOW));
    ck_assert(items[0].is_done);
}
END_TEST

/* ---- URLs ---- */

START_TEST(test_urls_that_are_refused)
{
    static const char *const urls[][2] = {
        {"redis://user:secret@host/name", "number of a database"},
        {"redis://user:secret@host?wait=1", "unknown"},
        {"redis://host?ca=/x", "rediss:"},
        {"rediss://?socket=/x", "needs no TLS"},
        {"redis://host?timeout=0", "timeout"},
        {"redis://one,two?names=a", "names"},
        {"redis-cluster://user:secret@host", "no Cluster"},
        {"redis-sentinel://user:secret@host?master=m", "no Sentinels"},
        {"redis://", "host"},
    };
    struct sf_l2 *none;
    struct sf_error error;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        ck_assert_msg(sf_l2_open(&none, urls[i][0], &error) == SF_INVALID, "%s", urls[i][0]);
        ck_assert_msg(strstr(error.text, urls[i][1]) != NULL, "%s: %s", urls[i][0], error.text);
        ck_assert_ptr_null(strstr(error.text, "secret"));
    }
}
END_TEST

/* Two hosts that mean other keys must not take each other's marks for their own. */
START_TEST(test_servers_are_named_with_their_database_and_prefix)
{
    static const char *const names[][2] = {
        {"redis://one,two:1234/7", "one:6379/7"},
        {"redis://%2Frun%2Fr.sock", "/run/r.sock/0"},
        {"rediss://one", "one:6379/0"},
        {"redis://one/7?names=first", "first/7"},
        {"redis://one/7?prefix=mine-", "one:6379/7 mine-"},
    };
    struct sf_l2 *one;
    struct sf_error error;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ck_assert_msg(sf_l2_open(&one, names[i][0], &error) == SF_OK, "%s", error.text);
        ck_assert_str_eq(one->servers[0].name, names[i][1]);
        ck_assert_uint_eq(one->server_count, i == 0 ? 2 : 1);
        ck_assert_int_eq(one->timeout, 50);
        sf_l2_close(one);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l2_redis");
    TCase *tests = tcase_create("redis");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_a_lease_lets_a_value_in);
    tcase_add_test(tests, test_another_hosts_lease_gives_no_ticket);
    tcase_add_test(tests, test_a_mark_keeps_everything_out_until_it_is_taken_away);
    tcase_add_test(tests, test_a_mark_goes_over_a_value_and_only_ours_goes);
    tcase_add_test(tests, test_values_of_another_run_of_the_server_do_not_count);
    tcase_add_test(tests, test_tickets_of_a_lost_connection_are_worth_nothing);
    tcase_add_test(tests, test_foreign_bytes_are_handed_on_and_replaced);
    tcase_add_test(tests, test_a_wrong_answer_is_none);
    tcase_add_test(tests, test_silence_ends_at_the_timeout);
    tcase_add_test(tests, test_a_server_that_will_not_do_is_refused);
    tcase_add_test(tests, test_without_room_a_mark_is_not_done_and_nothing_breaks);
    tcase_add_test(tests, test_somebody_elses_key_is_no_answer_and_breaks_nothing);
    tcase_add_test(tests, test_a_forgotten_script_is_given_again);
    tcase_add_test(tests, test_urls_that_are_refused);
    tcase_add_test(tests, test_servers_are_named_with_their_database_and_prefix);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
