/* SPDX-License-Identifier: Apache-2.0 */
/* What a front does where sessions are in the store only: the cache, and what it has, are passed by. */
#include <check.h>
#include <string.h>

#include "common/session/user_epochs.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"
#include "tests/support/test_records.h"
#include "tests/unit/front_case.h"

#define CHANGED "*3\r\n$32\r\n0000000900000000000000000000005f\r\n:4\r\n$14\r\nchanged stored\r\n"

static struct sf_l1 *l1; /* as the daemon sees it */

static void
set_up_bypassed(void)
{
    set_up();
    struct sf_test_cache same = {.instance = instance};
    l1 = sf_test_cache_attach(&same);
}

static void
tear_down_bypassed(void)
{
    sf_l1_close(l1);
    tear_down();
}

/* A session with color=red that stands in the cache, from before. */
static struct sf_key
make_bypassed(void)
{
    struct sf_key key = make_session();
    ck_assert_uint_eq(sf_test_settle_all(l1), 1);
    sf_l1_set_bypassed(l1, true);
    return key;
}

START_TEST(test_what_the_cache_has_is_no_answer)
{
    struct sf_key key = make_bypassed();
    struct sf_buffer record = sf_test_record(9, "joe", sf_span_text("new"));
    struct sf_buffer reply = make_reply(&record);
    struct sf_buffer row;
    sf_buffer_init(&row, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_user_epochs_first(&row), SF_OK);
    struct sf_buffer epochs = make_reply(&row);
    const struct sf_fake_step steps[] = {
        {.reply = (const char *)reply.data, .bytes = reply.size},
        {.reply = (const char *)epochs.data, .bytes = epochs.size},
        {.reply = (const char *)reply.data, .bytes = reply.size},
        {.reply = "-UNAVAILABLE\r\n"},
    };
    sf_fake_daemon_start(&fake, instance.socket_path, steps, sizeof steps / sizeof steps[0]);
    ck_assert_int_eq(load(&key, NOW + SF_MINUTE), SF_OK);
    ck_assert(request_begins(0, "SESSION.LOAD") && request_begins(1, "SESSION.LOAD"));
    ck_assert_uint_eq(loaded.session.head.version, 9);
    ck_assert_int_eq(loaded.source, SF_FROM_STORE);
    ck_assert_int_eq(load(&key, NOW + SF_MINUTE), SF_UNAVAILABLE); /* is he still logged in? */
    sf_fake_daemon_stop(&fake);
    sf_buffer_fini(&epochs);
    sf_buffer_fini(&row);
    sf_buffer_fini(&reply);
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_without_an_answer_nothing_old_is_shown)
{
    struct sf_key key = make_bypassed();
    START({.reply = "-UNAVAILABLE\r\n"}, {.reply = "-UNAVAILABLE\r\n"}, {.reply = "-UNAVAILABLE\r\n"});
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(load(&key, NOW), SF_UNAVAILABLE);
    add_set("color", "blue");
    ck_assert_int_eq(apply(&key, NOW), SF_UNAVAILABLE);
    ck_assert_uint_eq(fake.answered, 3);
    sf_fake_daemon_stop(&fake);
    config.deadline = 20;
    ck_assert_int_eq(load(&key, NOW), SF_UNAVAILABLE);
}
END_TEST

START_TEST(test_every_change_is_stored_before_it_is_acknowledged)
{
    struct sf_key key = make_bypassed();
    uint64_t before = sf_l1_changes(l1);
    START({.reply = CHANGED}, {.reply = CHANGED});
    add_set("color", "blue");
    ck_assert_int_eq(apply(&key, NOW), SF_OK);
    ck_assert(request_begins(0, "SESSION.APPLY"));
    ck_assert_ptr_nonnull(strstr(fake.requests[0], " STORE OPS"));
    ck_assert(saved.is_durable && saved.changed);
    add_set("color", "blue");
    ck_assert_int_eq(apply(NULL, NOW), SF_OK);
    ck_assert(request_begins(1, "SESSION.APPLY -"));
    ck_assert_ptr_nonnull(strstr(fake.requests[1], " STORE OPS"));
    ck_assert_uint_eq(fake.answered, 2);
    ck_assert_uint_eq(sf_l1_changes(l1), before);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_cache_is_used_again_when_there_is_one_again)
{
    struct sf_key key = make_bypassed();
    sf_l1_set_bypassed(l1, false);
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert_int_eq(loaded.source, SF_FROM_CACHE);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("front_store_only");
    TCase *tests = tcase_create("front_store_only");
    tcase_add_checked_fixture(tests, set_up_bypassed, tear_down_bypassed);
    tcase_add_test(tests, test_what_the_cache_has_is_no_answer);
    tcase_add_test(tests, test_without_an_answer_nothing_old_is_shown);
    tcase_add_test(tests, test_every_change_is_stored_before_it_is_acknowledged);
    tcase_add_test(tests, test_cache_is_used_again_when_there_is_one_again);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
