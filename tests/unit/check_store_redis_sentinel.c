/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_store_redis_sentinel.c - Sentinels that lie, and servers made here. Real ones are in
 * tests/integration/test_store_redis_sentinel.py.
 */
#include "common/store/redis/store_redis_sentinel.h"

#include <check.h>
#include <hiredis.h>
#include <stdio.h>
#include <string.h>

#include "common/store/store.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"
#include "tests/unit/redis_case.h"

#define PATIENCE (20 * SF_SECOND)

enum mistake {
    NONE,
    UNKNOWN_NAME,
    NO_PAIR,
    NO_PORT,
    PATH,       /* a socket's, instead of a host */
    REFUSES,
    SILENT,
    OLD_MASTER, /* names the second server, which is a replica */
    REPLICA,    /* a server */
    CLOSES      /* the same */
};

static struct redis_fake sentinels[2], servers[2];
static struct sf_store *store;
static struct sf_error error;

static bool
answer_as_sentinel(struct redis_fake *fake, const struct redisReply *command, char reply_out[REDIS_FAKE_TEXT])
{
    char port[8];
    ck_assert(redis_fake_is(command, "SENTINEL"));
    ck_assert_str_eq(command->element[2]->str, "main");
    enum mistake mistake = atomic_load(&fake->mistake);
    snprintf(port, sizeof port, "%u", servers[mistake == OLD_MASTER].port);
    redis_fake_say(reply_out, "*2\r\n$9\r\n127.0.0.1\r\n$%zu\r\n%s\r\n", strlen(port), port);
    if (mistake == UNKNOWN_NAME)
        redis_fake_say(reply_out, "*-1\r\n");
    else if (mistake == NO_PAIR)
        redis_fake_say(reply_out, "*3\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\n1\r\n");
    else if (mistake == NO_PORT)
        redis_fake_say(reply_out, "*2\r\n$1\r\na\r\n$5\r\n99999\r\n");
    else if (mistake == PATH)
        redis_fake_say(reply_out, "*2\r\n$2\r\n/x\r\n$1\r\n1\r\n");
    else if (mistake == REFUSES)
        redis_fake_say(reply_out, "-NOAUTH Authentication required.\r\n");
    else if (mistake == SILENT)
        reply_out[0] = '\0';
    return true;
}

static bool
answer_as_server(struct redis_fake *fake, const struct redisReply *command, char reply_out[REDIS_FAKE_TEXT])
{
    enum mistake mistake = atomic_load(&fake->mistake);
    bool is_replica = mistake == REPLICA;
    if (is_replica && redis_fake_is(command, "ROLE"))
        redis_fake_say(reply_out, "*1\r\n$5\r\nslave\r\n");
    else if (!redis_fake_greets(command, reply_out))
        redis_fake_say(reply_out, is_replica ? "-READONLY You can't write.\r\n" : ":1\r\n");
    return mistake != CLOSES;
}

static void
set_up(void)
{
    char url[128];
    for (int i = 0; i < 2; i++) {
        redis_fake_start(&servers[i], answer_as_server);
        redis_fake_start(&sentinels[i], answer_as_sentinel);
    }
    atomic_store(&servers[1].mistake, REPLICA);
    snprintf(url, sizeof url, "redis-sentinel://127.0.0.1:%u,127.0.0.1:%u?master=main", sentinels[0].port,
             sentinels[1].port);
    ck_assert_msg(sf_store_open(&store, url, "/nowhere", &error) == SF_OK, "%s", error.text);
}

static void
tear_down(void)
{
    sf_store_close(store);
    for (int i = 0; i < 2; i++) {
        redis_fake_stop(&servers[i]);
        redis_fake_stop(&sentinels[i]);
    }
}

static enum sf_status
attach(sf_time patience)
{
    return store->ops->attach(store, sf_clock_steady() + patience, &error);
}

static enum sf_status
put(void)
{
    struct sf_buffer record = sf_test_record(1, "alice", sf_span_text("x"));
    struct sf_write write = sf_test_put(1, 1, &record);
    enum sf_status status = store->ops->write(store, &write, 1, sf_clock_steady() + PATIENCE);
    sf_buffer_fini(&record);
    return status;
}

static void
change_master(void)
{
    atomic_store(&servers[0].mistake, REPLICA);
    atomic_store(&servers[1].mistake, NONE);
    atomic_store(&sentinels[0].mistake, OLD_MASTER);
    atomic_store(&sentinels[1].mistake, OLD_MASTER);
}

START_TEST(test_master_is_found)
{
    ck_assert_msg(attach(PATIENCE) == SF_OK, "%s", error.text);
    ck_assert_int_eq(atomic_load(&servers[0].connections), 1);
    ck_assert_int_eq(atomic_load(&servers[1].connections), 0);
    ck_assert_int_eq(atomic_load(&sentinels[1].connections), 0);
}
END_TEST

START_TEST(test_answers_that_are_none)
{
    static const enum mistake mistakes[] = {UNKNOWN_NAME, NO_PAIR, NO_PORT, PATH, REFUSES};
    static const char *const said[] = {"knows no master", "knows no master", "is none", "is none", "NOAUTH"};
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        atomic_store(&sentinels[0].mistake, mistakes[i]);
        atomic_store(&sentinels[1].mistake, mistakes[i]);
        ck_assert_int_eq(attach(PATIENCE), SF_UNAVAILABLE);
        ck_assert_msg(strstr(error.text, said[i]) != NULL, "%s", error.text);
    }
    ck_assert_int_eq(atomic_load(&servers[0].connections), 0);
}
END_TEST

START_TEST(test_next_sentinel_is_asked_and_then_goes_first)
{
    atomic_store(&sentinels[0].mistake, SILENT);
    ck_assert_int_eq(attach(4 * SF_SECOND), SF_OK);
    atomic_store(&servers[0].mistake, CLOSES);
    ck_assert_int_eq(put(), SF_UNCERTAIN);
    atomic_store(&servers[0].mistake, NONE);
    ck_assert_int_eq(put(), SF_OK);
    ck_assert_int_eq(atomic_load(&sentinels[0].connections), 1);
    ck_assert_int_eq(atomic_load(&sentinels[1].connections), 2);
}
END_TEST

/* Who is told of a server that is none any more asks somebody else. */
START_TEST(test_what_a_sentinel_says_is_not_believed_blindly)
{
    atomic_store(&sentinels[0].mistake, OLD_MASTER);
    ck_assert_int_eq(attach(PATIENCE), SF_OK);
    ck_assert_int_eq(atomic_load(&servers[1].connections), 1);
    ck_assert_int_eq(atomic_load(&sentinels[1].connections), 1);
}
END_TEST

START_TEST(test_write_follows_a_master_that_was_demoted)
{
    ck_assert_int_eq(attach(PATIENCE), SF_OK);
    change_master();
    ck_assert_int_eq(put(), SF_OK);
    ck_assert_int_eq(atomic_load(&servers[1].connections), 1);
}
END_TEST

START_TEST(test_no_sentinel_there)
{
    redis_fake_stop(&sentinels[0]);
    redis_fake_stop(&sentinels[1]);
    ck_assert_int_eq(attach(PATIENCE), SF_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "redis-sentinel://"));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_redis_sentinel");
    TCase *answers = tcase_create("answers");
    tcase_set_timeout(answers, 60);
    tcase_add_checked_fixture(answers, set_up, tear_down);
    tcase_add_test(answers, test_master_is_found);
    tcase_add_test(answers, test_answers_that_are_none);
    tcase_add_test(answers, test_next_sentinel_is_asked_and_then_goes_first);
    tcase_add_test(answers, test_what_a_sentinel_says_is_not_believed_blindly);
    tcase_add_test(answers, test_write_follows_a_master_that_was_demoted);
    tcase_add_test(answers, test_no_sentinel_there);
    suite_add_tcase(suite, answers);
    return sf_run_suite(suite);
}
