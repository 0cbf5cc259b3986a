/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_reader.h"

#include <check.h>
#include <hiredis.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/run_suite.h"

#define TOO_MANY "a reply of too many parts"

static redisReader *reader;

static void
set_up(void)
{
    reader = sf_redis_reader_new();
    ck_assert_ptr_nonnull(reader);
}

static void
tear_down(void)
{
    sf_redis_reader_free(reader);
}

static void
feed(const char *text)
{
    ck_assert_int_eq(redisReaderFeed(reader, text, strlen(text)), REDIS_OK);
}

/* NULL: there is none yet. */
static redisReply *
take(void)
{
    void *reply = NULL;
    ck_assert_msg(redisReaderGetReply(reader, &reply) == REDIS_OK, "%s", sf_redis_reader_fault(reader));
    return reply;
}

static void
assert_refused(const char *why)
{
    void *reply = NULL;
    ck_assert_int_eq(redisReaderGetReply(reader, &reply), REDIS_ERR);
    ck_assert_ptr_null(reply);
    ck_assert_msg(strstr(sf_redis_reader_fault(reader), why) != NULL, "%s", sf_redis_reader_fault(reader));
}

START_TEST(test_replies_are_hiredis_own)
{
    feed("*3\r\n$1\r\na\r\n*2\r\n:1\r\n:2\r\n*-1\r\n");
    redisReply *reply = take();
    ck_assert_uint_eq(reply->elements, 3);
    ck_assert_str_eq(reply->element[0]->str, "a");
    ck_assert_int_eq(reply->element[1]->element[1]->integer, 2);
    ck_assert_int_eq(reply->element[2]->type, REDIS_REPLY_NIL);
    freeReplyObject(reply);
}
END_TEST

/* Nothing is made ready for them: the head alone is enough to refuse it. */
START_TEST(test_a_huge_head_is_refused)
{
    static const char *const heads[] = {"*2000000000\r\n", "*2097153\r\n", "*4294967296\r\n",
                                        "*9000000000000000000\r\n"};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        tear_down();
        set_up();
        feed(heads[i]);
        assert_refused("");
    }
}
END_TEST

START_TEST(test_as_many_as_allowed_are_waited_for)
{
    feed("*2097152\r\n:1\r\n");
    ck_assert_ptr_null(take());
}
END_TEST

START_TEST(test_arrays_in_an_array_count_together)
{
    feed("*3\r\n*0\r\n*2097149\r\n");
    ck_assert_ptr_null(take());
    tear_down();
    set_up();
    feed("*3\r\n*0\r\n*2097150\r\n");
    assert_refused(TOO_MANY);
}
END_TEST

START_TEST(test_every_reply_counts_anew)
{
    for (int i = 0; i < 3; i++) {
        feed("*2\r\n*1\r\n:1\r\n:2\r\n");
        redisReply *reply = take();
        ck_assert_uint_eq(reply->elements, 2);
        freeReplyObject(reply);
    }
    feed("*2097152\r\n");
    ck_assert_ptr_null(take());
}
END_TEST

/* hiredis has bounds of its own for that, or has none: it depends on its version. */
START_TEST(test_deep_arrays_are_refused)
{
    for (int i = 0; i < 100000; i++)
        feed("*1\r\n");
    assert_refused("");
}
END_TEST

START_TEST(test_other_faults_are_told_as_they_are)
{
    feed("HTTP/1.1 400 Bad Request\r\n");
    assert_refused("Protocol error");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_redis_reader");
    TCase *tests = tcase_create("bounds");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_replies_are_hiredis_own);
    tcase_add_test(tests, test_a_huge_head_is_refused);
    tcase_add_test(tests, test_as_many_as_allowed_are_waited_for);
    tcase_add_test(tests, test_arrays_in_an_array_count_together);
    tcase_add_test(tests, test_every_reply_counts_anew);
    tcase_add_test(tests, test_deep_arrays_are_refused);
    tcase_add_test(tests, test_other_faults_are_told_as_they_are);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
