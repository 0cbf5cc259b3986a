/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_store_news.c - what a store tells of another host's changes. As check_store_contract.c, for
 * the stores that STORE_URLS names; those that need no server have no news.
 */
#include "common/store/store.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_records.h"

#define PATIENCE (20 * SF_SECOND)
#define SHORT 50 /* ms */
#define STORES_MAX 16
#define KEYS 400 /* more than one notice holds */

static char known[4096];
static const char *urls[STORES_MAX];
static int stores; /* so many */

static struct sf_temp_folder folder;
static struct sf_store *ours, *theirs;
static bool is_pooled;

static struct {
    unsigned heard[KEYS]; /* of the test's keys, how often */
    unsigned all, others;
} told;

static struct sf_follow follow;

/* ---- the stores ---- */

static void
find_urls(void)
{
    const char *given = getenv("STORE_URLS");
    snprintf(known, sizeof known, "%s", given != NULL ? given : "memory:news sqlite:news.db file:news.json fail:");
    char *rest = known;
    for (char *url; stores < STORES_MAX && (url = strsep(&rest, " ")) != NULL; stores++)
        urls[stores] = url;
}

/* `place`: stores of the same test and place are the same. */
static struct sf_store *
open_store(int which, int test, int place)
{
    struct sf_error error = {.text = ""};
    struct sf_store *store;
    char url[1024];
    const char *number = strstr(urls[which], "%n");
    if (number == NULL)
        snprintf(url, sizeof url, "%s", urls[which]);
    else
        snprintf(url, sizeof url, "%.*sn%d_%d_%d%s", (int)(number - urls[which]), urls[which], (int)getpid(), test,
                 place, number + 2);
    ck_assert_msg(sf_store_open(&store, url, folder.path, &error) == SF_OK, "%s", error.text);
    ck_assert_msg(store->ops->attach(store, sf_clock_steady() + PATIENCE, &error) == SF_OK, "%s", error.text);
    return store;
}

static void
hear(void *context, const struct sf_key *key)
{
    (void)context;
    for (unsigned i = 0; key != NULL && i < KEYS; i++) {
        struct sf_key one = sf_test_key(i);
        if (!sf_key_equal(&one, key))
            continue;
        told.heard[i]++;
        return;
    }
    told.all += key == NULL;
    told.others += key != NULL;
}

/* A pooler passes no notices on, and this is said. */
static bool
has_news(void)
{
    if (ours->ops->follow == NULL || !is_pooled)
        return ours->ops->follow != NULL;
    ck_assert_int_eq(ours->ops->follow(ours, 0, &follow), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(follow.error.text, "pooler"));
    return false;
}

static void
call_follow(sf_time patience)
{
    ck_assert_msg(ours->ops->follow(ours, sf_clock_steady() + patience, &follow) == SF_OK, "%s", follow.error.text);
}

static void
begin(int which)
{
    static int tests;
    sf_temp_folder_init(&folder);
    follow = (struct sf_follow){.news = hear, .beat = 20};
    memset(&told, 0, sizeof told);
    is_pooled = strstr(urls[which], "pgbouncer=1") != NULL;
    ours = open_store(which, ++tests, 0);
    theirs = strncmp(urls[which], "file:", 5) == 0 ? NULL : open_store(which, tests, 0); /* one at a time */
    if (!has_news())
        return;
    while (told.all == 0)
        call_follow(PATIENCE);
    memset(&told, 0, sizeof told);
}

static void
end(void)
{
    sf_store_close(ours);
    sf_store_close(theirs);
    sf_temp_folder_fini(&folder);
}

static void
put(struct sf_store *store, unsigned first, unsigned count, uint64_t version)
{
    static struct sf_write writes[KEYS];
    struct sf_buffer record = sf_test_record(version, "alice", sf_span_text("x"));
    for (unsigned i = 0; i < count; i++)
        writes[i] = sf_test_put(first + i, version, &record);
    ck_assert_int_eq(store->ops->write(store, writes, count, sf_clock_steady() + PATIENCE), SF_OK);
    sf_buffer_fini(&record);
}

static void
wait_for(unsigned key)
{
    while (told.heard[key] == 0)
        call_follow(PATIENCE);
}

/* ---- */

START_TEST(test_what_another_host_stores_is_told)
{
    begin(_i);
    if (has_news()) {
        put(theirs, 7, 1, 3);
        wait_for(7);
        ck_assert_uint_eq(told.all, 0);
    }
    end();
}
END_TEST

START_TEST(test_each_session_of_a_large_batch_is_told)
{
    begin(_i);
    if (has_news()) {
        put(theirs, 0, KEYS, 1);
        for (unsigned i = 0; i < KEYS; i++)
            wait_for(i);
        ck_assert_uint_eq(told.all, 0);
    }
    end();
}
END_TEST

START_TEST(test_moved_access_is_told)
{
    begin(_i);
    if (has_news()) {
        put(theirs, 1, 1, 1);
        wait_for(1);
        memset(&told, 0, sizeof told);
        sf_time now = sf_clock_wall();
        struct sf_write touch = sf_test_touch(1, now + SF_MINUTE, now + SF_HOUR);
        ck_assert_int_eq(theirs->ops->write(theirs, &touch, 1, sf_clock_steady() + PATIENCE), SF_OK);
        wait_for(1);
    }
    end();
}
END_TEST

START_TEST(test_link_proves_itself_while_nothing_happens)
{
    begin(_i);
    sf_time first = follow.proven;
    while (has_news() && follow.proven <= first)
        call_follow(SHORT);
    ck_assert_uint_eq(told.all + told.others, 0);
    end();
}
END_TEST

/* What is proven has been told: no change that was stored before may come after that. */
START_TEST(test_news_come_before_the_proof)
{
    begin(_i);
    for (unsigned i = 0; i < 20 && has_news(); i++) {
        put(theirs, i, 1, 1);
        sf_time stored = sf_clock_steady();
        while (follow.proven <= stored)
            call_follow(SHORT);
        ck_assert_uint_ge(told.heard[i], 1);
    }
    end();
}
END_TEST

START_TEST(test_sessions_of_other_places_are_not_told)
{
    begin(_i);
    if (has_news() && strstr(urls[_i], "%n") != NULL) {
        struct sf_store *elsewhere = open_store(_i, 0, 1);
        put(elsewhere, 1, 5, 1);
        put(theirs, 9, 1, 1);
        wait_for(9);
        ck_assert_uint_eq(told.heard[1] + told.heard[5] + told.others, 0);
        sf_store_close(elsewhere);
    }
    end();
}
END_TEST

/* It may have found another server. Of several, each is asked who the others are. */
START_TEST(test_link_is_made_anew_when_the_store_has_connected)
{
    struct sf_stored stored = {.last_access = 0};
    struct sf_key key = sf_test_key(1);
    begin(_i);
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    if (has_news() && (ours->ops->flags & SF_STORE_PARTS) == 0) {
        ck_assert_int_eq(sf_store_load_one(ours, &key, sf_clock_steady() + PATIENCE, &stored), SF_NOT_FOUND);
        while (told.all == 0)
            call_follow(PATIENCE);
    }
    sf_buffer_fini(&stored.record);
    end();
}
END_TEST

int
main(void)
{
    find_urls();
    Suite *suite = suite_create("store_news");
    TCase *each = tcase_create("each");
    tcase_set_timeout(each, 120);
    tcase_add_loop_test(each, test_what_another_host_stores_is_told, 0, stores);
    tcase_add_loop_test(each, test_each_session_of_a_large_batch_is_told, 0, stores);
    tcase_add_loop_test(each, test_moved_access_is_told, 0, stores);
    tcase_add_loop_test(each, test_link_proves_itself_while_nothing_happens, 0, stores);
    tcase_add_loop_test(each, test_news_come_before_the_proof, 0, stores);
    tcase_add_loop_test(each, test_sessions_of_other_places_are_not_told, 0, stores);
    tcase_add_loop_test(each, test_link_is_made_anew_when_the_store_has_connected, 0, stores);
    suite_add_tcase(suite, each);
    return sf_run_suite(suite);
}
