/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_store_redis_follow_cluster.c - masters that come and go and disagree. What real ones do is in
 * tests/integration/test_store_redis_cluster.py.
 */
#include "common/store/redis/store_redis_follow_cluster.h"

#include <check.h>
#include <hiredis.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/redis_case.h"

#define PATIENCE (20 * SF_SECOND)
#define SHORT 50 /* ms */
#define FAKES 3
#define MESSAGE                                                                                    \
    "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$40\r\nsession:"

enum mistake { NONE, NO_NODES, SILENT };

static struct redis_fake fakes[FAKES];
static atomic_uint named[FAKES]; /* bits: which masters this one knows */
static atomic_int telling;       /* fakes that say once more that a session has changed: bits */
static struct sf_store *store;
static struct sf_temp_folder folder;
static struct sf_follow follow;
static unsigned told_all, told_one;

/* ---- the servers ---- */

static unsigned
number_of(const struct redis_fake *fake)
{
    return (unsigned)(fake - fakes);
}

static void
say_nodes(const struct redis_fake *fake, char reply_out[REDIS_FAKE_TEXT])
{
    char text[REDIS_FAKE_TEXT / 2] = "";
    size_t size = 0;
    unsigned known = atomic_load(&named[number_of(fake)]);
    for (unsigned i = 0; i < FAKES; i++)
        if ((known & 1u << i) != 0)
            size += (size_t)snprintf(text + size, sizeof text - size,
                                     "%040x 127.0.0.1:%u@1 master - 0 0 1 connected %u\n", i, fakes[i].port, i);
    redis_fake_say(reply_out, "$%zu\r\n%s\r\n", size, text);
}

static void
say_sign_of_life(const struct redis_fake *fake, const struct redisReply *text, char reply_out[REDIS_FAKE_TEXT])
{
    int bit = 1 << number_of(fake);
    bool tells = (atomic_fetch_and(&telling, ~bit) & bit) != 0;
    char news[128] = "";
    if (tells)
        snprintf(news, sizeof news, MESSAGE "%032x\r\n", number_of(fake));
    redis_fake_say(reply_out, "%s*2\r\n$4\r\npong\r\n$%zu\r\n%s\r\n", news, text->len, text->str);
}

static bool
answer(struct redis_fake *self, const struct redisReply *command, char reply_out[REDIS_FAKE_TEXT])
{
    enum mistake now = (enum mistake)atomic_load(&self->mistake);
    *reply_out = '\0';
    if (redis_fake_is(command, "PING") && strchr(command->element[1]->str, '-') == NULL) {
        if (now != SILENT)
            say_sign_of_life(self, command->element[1], reply_out);
        return true;
    }
    if (redis_fake_greets(command, reply_out))
        return true;
    if (redis_fake_is(command, "CLUSTER") && now == NO_NODES)
        redis_fake_say(reply_out, "-NOPERM no right\r\n");
    else if (redis_fake_is(command, "CLUSTER"))
        say_nodes(self, reply_out);
    else if (redis_fake_is(command, "SUBSCRIBE"))
        redis_fake_say(reply_out, "*3\r\n$9\r\nsubscribe\r\n$20\r\n__redis__:invalidate\r\n:1\r\n");
    else
        redis_fake_say(reply_out, strcmp(command->element[1]->str, "ID") == 0 ? ":77\r\n" : "+OK\r\n");
    return true;
}

static void
name_to_all(unsigned masters)
{
    for (unsigned i = 0; i < FAKES; i++)
        atomic_store(&named[i], masters);
}

/* ---- who is told ---- */

static void
hear(void *context, const struct sf_key *key)
{
    (void)context;
    told_all += key == NULL;
    told_one += key != NULL;
}

static enum sf_status
call(sf_time patience)
{
    told_all = told_one = 0;
    return store->ops->follow(store, sf_clock_steady() + patience, &follow);
}

static void
set_up(void)
{
    struct sf_error error = {.text = ""};
    char url[64];
    follow = (struct sf_follow){.news = hear, .beat = 10};
    atomic_store(&telling, 0);
    sf_temp_folder_init(&folder);
    for (unsigned i = 0; i < FAKES; i++)
        redis_fake_start(&fakes[i], answer);
    name_to_all(3);
    snprintf(url, sizeof url, "redis-cluster://127.0.0.1:%u", fakes[0].port);
    ck_assert_msg(sf_store_open(&store, url, folder.path, &error) == SF_OK, "%s", error.text);
}

static void
tear_down(void)
{
    sf_store_close(store);
    for (unsigned i = 0; i < FAKES; i++)
        redis_fake_stop(&fakes[i]);
    sf_temp_folder_fini(&folder);
}

static void
begin(unsigned links)
{
    ck_assert_msg(call(PATIENCE) == SF_OK, "%s", follow.error.text);
    ck_assert_uint_eq(told_all, links);
}

static void
wait_for_failure(void)
{
    enum sf_status status = SF_OK;
    while (status == SF_OK)
        status = call(SHORT);
    ck_assert_int_eq(status, SF_UNAVAILABLE);
}

static void
wait_for_proof(void)
{
    sf_time since = sf_clock_steady();
    while (follow.proven <= since)
        ck_assert_msg(call(SHORT) == SF_OK, "%s", follow.error.text);
}

/* ---- */

START_TEST(test_each_master_is_listened_to)
{
    sf_time before = sf_clock_steady();
    begin(2);
    ck_assert_int_ge(follow.proven, before);
    for (unsigned i = 0; i < 2; i++) {
        atomic_store(&telling, 1 << i);
        for (unsigned heard = 0; heard == 0; heard = told_one)
            ck_assert_int_eq(call(PATIENCE), SF_OK);
        ck_assert_uint_eq(told_all, 0);
    }
    wait_for_proof();
}
END_TEST

START_TEST(test_one_that_is_silent_proves_nothing)
{
    begin(2);
    atomic_store(&fakes[1].mistake, SILENT);
    sf_time since = sf_clock_steady();
    wait_for_failure();
    ck_assert_int_le(follow.proven, since);
    ck_assert_ptr_nonnull(strstr(follow.error.text, "no sign of life"));
    atomic_store(&fakes[1].mistake, NONE);
    ck_assert_int_eq(call(PATIENCE), SF_OK);
    wait_for_proof();
}
END_TEST

/* Its replica has its slots now. */
START_TEST(test_master_that_dies_is_replaced)
{
    begin(2);
    redis_fake_stop(&fakes[1]);
    wait_for_failure();
    ck_assert_int_eq(call(SHORT), SF_UNAVAILABLE);
    name_to_all(5);
    while (call(SHORT) != SF_OK)
        continue;
    wait_for_proof();
    atomic_store(&telling, 4);
    for (unsigned heard = 0; heard == 0; heard = told_one)
        ck_assert_int_eq(call(PATIENCE), SF_OK);
    redis_fake_start(&fakes[1], answer);
}
END_TEST

/* Whether or not the others have heard of it. */
START_TEST(test_master_of_which_one_has_heard_is_listened_to)
{
    begin(2);
    atomic_store(&named[1], 7);
    unsigned all = 0;
    for (int i = 0; i < 1000 && all == 0; i++, all += told_all)
        ck_assert_int_eq(call(SHORT), SF_OK);
    ck_assert_uint_eq(all, 1);
    wait_for_proof();
    ck_assert_int_gt(atomic_load(&fakes[2].connections), 0);
}
END_TEST

START_TEST(test_who_does_not_say_who_is_there_proves_nothing)
{
    begin(2);
    atomic_store(&fakes[1].mistake, NO_NODES);
    wait_for_failure();
    ck_assert_ptr_nonnull(strstr(follow.error.text, "lacks a right"));
    atomic_store(&fakes[1].mistake, NONE);
    ck_assert_int_eq(call(SHORT), SF_OK);
    wait_for_proof();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_redis_follow_cluster");
    TCase *tests = tcase_create("told");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_each_master_is_listened_to);
    tcase_add_test(tests, test_one_that_is_silent_proves_nothing);
    tcase_add_test(tests, test_master_that_dies_is_replaced);
    tcase_add_test(tests, test_master_of_which_one_has_heard_is_listened_to);
    tcase_add_test(tests, test_who_does_not_say_who_is_there_proves_nothing);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
