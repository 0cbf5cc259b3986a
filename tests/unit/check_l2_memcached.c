/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_l2_memcached.c - against a server made here, a thread that makes mistakes which a real one does not make. What
 * a real one does is in tests/integration/test_l2.py.
 */
#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/store/l2/l2.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"
#include "tests/unit/stream_case.h"

#define ITEMS 3

enum mistake {
    NONE,
    SILENT,
    CLOSES,
    WRONG_NUMBER,
    ONE_TOO_MANY,   /* a reply that nobody asked for, behind the last one */
    NO_META,        /* an old server */
    NO_LINE,        /* bytes without end */
    HUGE_VALUE,
    BAD_END,        /* of a value */
    OTHER_KIND,     /* HD for a question */
    MARKED,
    OTHERS_LEASE,
    REFUSED         /* as what is too large */
};

static atomic_int mistake;
static struct sf_l2 *l2;
static struct sf_l2_item items[ITEMS];

/* ---- the server ---- */

static void
answer_get(int client, unsigned number)
{
    char text[128];
    switch ((enum mistake)atomic_load(&mistake)) {
    case WRONG_NUMBER: snprintf(text, sizeof text, "VA 0 c9 O%u W\r\n\r\n", number + 1); break;
    case NO_META: snprintf(text, sizeof text, "ERROR\r\n"); break;
    case NO_LINE: snprintf(text, sizeof text, "%0100d", 0); break;
    case HUGE_VALUE: snprintf(text, sizeof text, "VA 2000000000 c9 O%u\r\n", number); break;
    case BAD_END: snprintf(text, sizeof text, "VA 3 c9 O%u\r\nabcde", number); break;
    case OTHER_KIND: snprintf(text, sizeof text, "HD O%u\r\n", number); break;
    case MARKED: snprintf(text, sizeof text, "VA 1 c9 O%u\r\n-\r\n", number); break;
    case OTHERS_LEASE: snprintf(text, sizeof text, "VA 0 c9 O%u Z\r\n\r\n", number); break;
    case NONE:
    case SILENT:
    case CLOSES:
    case ONE_TOO_MANY:
    case REFUSED: snprintf(text, sizeof text, "VA 3 c9 O%u\r\nabc\r\n", number); break;
    }
    stream_say(client, text);
}

/* false: the connection is to be closed. */
static bool
answer(int client, char *line)
{
    char text[64];
    enum mistake now = atomic_load(&mistake);
    const char *opaque = strstr(line, " O");
    unsigned number = opaque == NULL ? 0 : (unsigned)strtoul(opaque + 2, NULL, 10);
    snprintf(text, sizeof text, "HD c%d O%u\r\n", 5, number);
    if (now == CLOSES)
        return false;
    if (now == SILENT)
        return true;
    if (strncmp(line, "mg ", 3) == 0)
        answer_get(client, number);
    else if (strcmp(line, "mn") == 0)
        stream_say(client, now == ONE_TOO_MANY ? "MN\r\nEX O1\r\n" : "MN\r\n");
    else if (opaque != NULL) /* not what is behind ms */
        stream_say(client, now == REFUSED ? "SERVER_ERROR object too large for cache\r\n" : text);
    return true;
}

static bool
answer_lines(int client, char *text)
{
    char *rest = text;
    for (char *end; (end = strstr(rest, "\r\n")) != NULL; rest = end + 2) {
        *end = '\0';
        if (!answer(client, rest))
            return false;
    }
    memmove(text, rest, strlen(rest) + 1);
    return true;
}

static void
serve_client(int client)
{
    char text[65536];
    bool goes_on = true;
    size_t used = 0;
    while (goes_on) {
        ssize_t got = stream_receive(client, text + used, sizeof text - 1 - used);
        text[used + (size_t)(got > 0 ? got : 0)] = '\0';
        goes_on = got > 0 && answer_lines(client, text);
        used = strlen(text);
    }
}

static void
open_l2(const char *options)
{
    struct sf_error error;
    char whole[256];
    snprintf(whole, sizeof whole, "memcached:///?socket=%s%s", stream_path, options);
    ck_assert_msg(sf_l2_open(&l2, whole, &error) == SF_OK, "%s", error.text);
}

static void
set_up(void)
{
    atomic_store(&mistake, NONE);
    stream_start(serve_client);
    open_l2("&timeout=10000");
    for (unsigned i = 0; i < ITEMS; i++) {
        items[i] = (struct sf_l2_item){.key = sf_test_key(i)};
        sf_buffer_init(&items[i].value, 100);
    }
}

static void
tear_down(void)
{
    for (unsigned i = 0; i < ITEMS; i++)
        sf_buffer_fini(&items[i].value);
    sf_l2_close(l2);
    stream_stop();
}

static bool
call(enum sf_l2_call what)
{
    bool is_read = what == SF_L2_GET || what == SF_L2_FILL;
    return sf_l2_call(l2, is_read ? SF_STORE_READS : SF_STORE_WRITES, what, items, ITEMS);
}

START_TEST(test_values_and_tickets)
{
    ck_assert(call(SF_L2_GET));
    for (unsigned i = 0; i < ITEMS; i++) {
        ck_assert(items[i].is_done);
        ck_assert_uint_eq(items[i].ticket.mark, 9);
        ck_assert(sf_span_equal(sf_buffer_span(&items[i].value), sf_span_text("abc")));
        items[i].ttl = SF_MINUTE;
    }
    ck_assert(call(SF_L2_FILL));
    for (unsigned i = 0; i < ITEMS; i++)
        ck_assert(items[i].is_done);
    ck_assert_int_eq(atomic_load(&stream_connections), 1);
}
END_TEST

START_TEST(test_marks_are_set_and_taken_away)
{
    ck_assert(call(SF_L2_HIDE));
    ck_assert_uint_eq(items[0].ticket.mark, 5);
    ck_assert(call(SF_L2_SHOW));
    ck_assert(items[ITEMS - 1].is_done);
}
END_TEST

/* After each of them the connection is closed, and the next one is as good as new. */
START_TEST(test_a_wrong_answer_is_none)
{
    static const enum mistake all[] = {CLOSES,     WRONG_NUMBER, ONE_TOO_MANY, NO_META,
                                       NO_LINE,    HUGE_VALUE,   BAD_END,      OTHER_KIND};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        atomic_store(&mistake, all[i]);
        if (all[i] == NO_LINE) {
            sf_l2_close(l2);
            open_l2("&timeout=20");
        }
        ck_assert_msg(!call(SF_L2_GET), "%d", (int)all[i]);
        for (unsigned j = 0; j < ITEMS; j++) {
            ck_assert(!items[j].is_done);
            ck_assert_uint_eq(items[j].ticket.mark, 0);
            ck_assert_uint_eq(items[j].value.size, 0);
        }
        sf_l2_close(l2);
        open_l2("&timeout=10000");
        atomic_store(&mistake, NONE);
        ck_assert(call(SF_L2_GET));
    }
}
END_TEST

START_TEST(test_silence_ends_at_the_timeout)
{
    struct sf_error error;
    sf_l2_close(l2);
    open_l2("&timeout=30");
    atomic_store(&mistake, SILENT);
    sf_time began = sf_clock_steady();
    ck_assert(!call(SF_L2_GET));
    ck_assert_int_ge(sf_clock_steady() - began, 30);
    sf_l2_explain(l2, 0, &error);
    ck_assert_ptr_nonnull(strstr(error.text, "no answer in time"));
}
END_TEST

START_TEST(test_a_mark_is_no_value_and_gives_no_ticket)
{
    static const enum mistake all[] = {MARKED, OTHERS_LEASE};
    for (size_t i = 0; i < 2; i++) {
        atomic_store(&mistake, all[i]);
        ck_assert(call(SF_L2_GET));
        ck_assert(items[0].is_done);
        ck_assert_uint_eq(items[0].value.size, 0);
        ck_assert_uint_eq(items[0].ticket.mark, 0);
    }
}
END_TEST

START_TEST(test_what_is_refused_is_not_done_and_breaks_nothing)
{
    atomic_store(&mistake, REFUSED);
    ck_assert(call(SF_L2_HIDE));
    ck_assert(!items[0].is_done);
    ck_assert_uint_eq(items[0].ticket.mark, 0);
    atomic_store(&mistake, NONE);
    ck_assert(call(SF_L2_HIDE));
    ck_assert_int_eq(atomic_load(&stream_connections), 1);
}
END_TEST

/* The server may be another one, that counts from 1 again. */
START_TEST(test_tickets_of_a_lost_connection_are_worth_nothing)
{
    ck_assert(call(SF_L2_HIDE));
    for (unsigned i = 0; i < ITEMS; i++)
        items[i].ticket.link++;
    ck_assert(call(SF_L2_SHOW));
    for (unsigned i = 0; i < ITEMS; i++)
        ck_assert(!items[i].is_done);
}
END_TEST

START_TEST(test_urls_that_are_refused)
{
    static const char *const urls[] = {"memcached://user:secret@host", "memcached://host/7", "memcached://host?ca=x",
                                       "memcached://host?timeout=0", "memcached://",
                                       "memcached://one,two?names=a", "memcached://one?names=a,b",
                                       "memcached://one,two?names=,b", "memcached://one?names="};
    struct sf_l2 *none;
    struct sf_error error;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        ck_assert_msg(sf_l2_open(&none, urls[i], &error) == SF_INVALID, "%s", urls[i]);
        ck_assert_ptr_null(strstr(error.text, "secret"));
    }
}
END_TEST

START_TEST(test_servers_are_named_as_in_the_url)
{
    struct sf_l2 *three;
    struct sf_error error;
    ck_assert_int_eq(sf_l2_open(&three, "memcached://one,two:1234,%2Frun%2Fm.sock", &error), SF_OK);
    ck_assert_uint_eq(three->server_count, 3);
    ck_assert_str_eq(three->servers[0].name, "one:11211");
    ck_assert_str_eq(three->servers[1].name, "two:1234");
    ck_assert_str_eq(three->servers[2].name, "/run/m.sock");
    ck_assert_int_eq(three->timeout, 50);
    sf_l2_close(three);
    ck_assert_int_eq(sf_l2_open(&three, "memcached://one,two?names=first,second", &error), SF_OK);
    ck_assert_str_eq(three->servers[0].name, "first");
    ck_assert_str_eq(three->servers[1].name, "second");
    sf_l2_close(three);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l2_memcached");
    TCase *tests = tcase_create("memcached");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_values_and_tickets);
    tcase_add_test(tests, test_marks_are_set_and_taken_away);
    tcase_add_test(tests, test_a_wrong_answer_is_none);
    tcase_add_test(tests, test_silence_ends_at_the_timeout);
    tcase_add_test(tests, test_a_mark_is_no_value_and_gives_no_ticket);
    tcase_add_test(tests, test_what_is_refused_is_not_done_and_breaks_nothing);
    tcase_add_test(tests, test_tickets_of_a_lost_connection_are_worth_nothing);
    tcase_add_test(tests, test_urls_that_are_refused);
    tcase_add_test(tests, test_servers_are_named_as_in_the_url);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
