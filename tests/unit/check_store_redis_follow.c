/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_store_redis_follow.c - a server that tells what has changed, and makes mistakes.
 * What a real one does is in check_store_news.c.
 */
#include "common/store/redis/store_redis_follow.h"

#include <check.h>
#include <hiredis.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/redis_case.h"

#define PATIENCE (20 * SF_SECOND)
#define SHORT 50 /* ms */
#define TOLD_MAX 8

enum mistake { NONE, OLD, NO_RIGHT, NO_CHANNEL, SILENT, NONSENSE, HANGS_UP };

static struct redis_fake fake;
static struct sf_store *store;
static struct sf_temp_folder folder;
static atomic_int what; /* comes behind the next sign of life: a row of the table */

static const char *const messages[] = {
    "",
    "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*3\r\n"
    "$40\r\nsession:00000000000000000000000000000000\r\n"
    "$19\r\nsession:@user:alice\r\n"
    "$40\r\nsession:ffffffffffffffffffffffffffffffff\r\n",
    "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n",
    "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$8\r\nsession:\r\n",
};

enum { NOTHING, TWO_SESSIONS, FLUSHED, NO_SESSION };

/* ---- the server ---- */

static bool
answer_sign_of_life(const struct redisReply *command, char reply_out[REDIS_FAKE_TEXT])
{
    enum mistake now = (enum mistake)atomic_load(&fake.mistake);
    const struct redisReply *text = command->element[1];
    *reply_out = '\0';
    if (now == NONSENSE)
        redis_fake_say(reply_out, ":1\r\n");
    else if (now != SILENT)
        redis_fake_say(reply_out, "*2\r\n$4\r\npong\r\n$%zu\r\n%s\r\n%s", text->len, text->str,
                       messages[atomic_exchange(&what, NOTHING)]);
    return now != HANGS_UP;
}

/* Who listens asks for signs of life with a number alone; the PINGs around a pipeline have a dash. */
static bool
is_sign_of_life(const struct redisReply *command)
{
    return redis_fake_is(command, "PING") && strchr(command->element[1]->str, '-') == NULL;
}

static bool
answer(struct redis_fake *self, const struct redisReply *command, char reply_out[REDIS_FAKE_TEXT])
{
    enum mistake now = (enum mistake)atomic_load(&self->mistake);
    if (is_sign_of_life(command))
        return answer_sign_of_life(command, reply_out);
    if (redis_fake_greets(command, reply_out))
        return true;
    if (redis_fake_is(command, "SUBSCRIBE"))
        redis_fake_say(reply_out, now == NO_CHANNEL
                                      ? "-NOPERM no channel\r\n"
                                      : "*3\r\n$9\r\nsubscribe\r\n$20\r\n__redis__:invalidate\r\n:1\r\n");
    else if (strcmp(command->element[1]->str, "ID") == 0)
        redis_fake_say(reply_out, ":77\r\n");
    else if (now == OLD || now == NO_RIGHT)
        redis_fake_say(reply_out, now == OLD ? "-ERR Unknown subcommand\r\n" : "-NOPERM no right\r\n");
    else
        redis_fake_say(reply_out, strcmp(command->element[4]->str, "77") == 0 ? "+OK\r\n" : "-ERR no such client\r\n");
    return true;
}

/* ---- who is told ---- */

static struct {
    struct sf_key keys[TOLD_MAX];
    size_t count, all; /* so many keys, and how often "anything" */
} told;

static void
hear(void *context, const struct sf_key *key)
{
    (void)context;
    if (key == NULL)
        told.all++;
    else if (told.count < TOLD_MAX)
        told.keys[told.count++] = *key;
}

static struct sf_follow follow;

static enum sf_status
call(sf_time patience)
{
    memset(&told, 0, sizeof told);
    return store->ops->follow(store, sf_clock_steady() + patience, &follow);
}

static void
set_up(void)
{
    struct sf_error error = {.text = ""};
    char url[64];
    follow = (struct sf_follow){.news = hear, .beat = 10};
    atomic_store(&what, NOTHING);
    sf_temp_folder_init(&folder);
    redis_fake_start(&fake, answer);
    snprintf(url, sizeof url, "redis://127.0.0.1:%u", fake.port);
    ck_assert_msg(sf_store_open(&store, url, folder.path, &error) == SF_OK, "%s", error.text);
}

static void
tear_down(void)
{
    sf_store_close(store);
    redis_fake_stop(&fake);
    sf_temp_folder_fini(&folder);
}

static void
begin(void)
{
    ck_assert_msg(call(PATIENCE) == SF_OK, "%s", follow.error.text);
    ck_assert_uint_eq(told.all, 1);
}

/* ---- */

START_TEST(test_a_new_link_says_that_all_may_have_changed)
{
    sf_time before = sf_clock_steady();
    begin();
    ck_assert_uint_eq(told.count, 0);
    ck_assert_int_ge(follow.proven, before);
}
END_TEST

START_TEST(test_sessions_are_told_and_other_keys_are_not)
{
    begin();
    atomic_store(&what, TWO_SESSIONS);
    ck_assert_int_eq(call(PATIENCE), SF_OK);
    ck_assert_uint_eq(told.count, 2);
    ck_assert_uint_eq(told.all, 0);
    ck_assert_int_eq(told.keys[0].bytes[0], 0);
    ck_assert_int_eq(told.keys[1].bytes[0], 0xff);
    atomic_store(&what, NO_SESSION);
    ck_assert_int_eq(call(SHORT), SF_OK);
    ck_assert_uint_eq(told.count + told.all, 0);
}
END_TEST

START_TEST(test_flushed_server_says_that_all_may_have_changed)
{
    begin();
    atomic_store(&what, FLUSHED);
    ck_assert_int_eq(call(PATIENCE), SF_OK);
    ck_assert_uint_eq(told.all, 1);
}
END_TEST

START_TEST(test_signs_of_life_prove_the_link)
{
    begin();
    sf_time first = follow.proven;
    while (follow.proven <= first)
        ck_assert_int_eq(call(SHORT), SF_OK);
    ck_assert_int_eq(atomic_load(&fake.connections), 1);
}
END_TEST

START_TEST(test_silent_server_is_no_link)
{
    begin();
    sf_time proven = follow.proven;
    atomic_store(&fake.mistake, SILENT);
    enum sf_status status = SF_OK;
    while (status == SF_OK)
        status = call(SHORT);
    ck_assert_int_eq(status, SF_UNAVAILABLE);
    ck_assert_int_eq(follow.proven, proven);
    ck_assert_ptr_nonnull(strstr(follow.error.text, "no sign of life"));
    atomic_store(&fake.mistake, NONE);
    begin();
}
END_TEST

START_TEST(test_lost_link_is_made_again)
{
    static const enum mistake losses[] = {HANGS_UP, NONSENSE};
    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        begin();
        atomic_store(&fake.mistake, losses[i]);
        enum sf_status status = SF_OK;
        while (status == SF_OK)
            status = call(SHORT);
        ck_assert_int_eq(status, SF_UNAVAILABLE);
        atomic_store(&fake.mistake, NONE);
    }
    begin();
}
END_TEST

START_TEST(test_servers_that_will_not_tell)
{
    static const enum mistake refusals[] = {OLD, NO_RIGHT, NO_CHANNEL};
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        atomic_store(&fake.mistake, refusals[i]);
        ck_assert_int_eq(call(PATIENCE), SF_INVALID);
        ck_assert_uint_eq(told.all, 0);
        ck_assert_ptr_nonnull(strstr(follow.error.text, refusals[i] == OLD ? "Unknown" : "lacks a right"));
    }
    atomic_store(&fake.mistake, NONE);
    begin();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_redis_follow");
    TCase *told_case = tcase_create("told");
    tcase_set_timeout(told_case, 60);
    tcase_add_checked_fixture(told_case, set_up, tear_down);
    tcase_add_test(told_case, test_a_new_link_says_that_all_may_have_changed);
    tcase_add_test(told_case, test_sessions_are_told_and_other_keys_are_not);
    tcase_add_test(told_case, test_flushed_server_says_that_all_may_have_changed);
    tcase_add_test(told_case, test_signs_of_life_prove_the_link);
    tcase_add_test(told_case, test_silent_server_is_no_link);
    tcase_add_test(told_case, test_lost_link_is_made_again);
    tcase_add_test(told_case, test_servers_that_will_not_tell);
    suite_add_tcase(suite, told_case);
    return sf_run_suite(suite);
}
