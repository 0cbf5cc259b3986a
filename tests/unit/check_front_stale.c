/* SPDX-License-Identifier: Apache-2.0 */
/* What a front does with sessions that the store has not confirmed for SessionFastCacheTTL. */
#include <check.h>

#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"
#include "tests/support/test_records.h"
#include "tests/unit/front_case.h"

static enum sf_status
set_color(const struct sf_key *key, const char *color)
{
    add_set("color", color);
    return apply(key, NOW);
}

/* A session with color=red that the store has, as old as may be. */
static struct sf_key
make_stale_session(void)
{
    struct sf_test_cache same = {.instance = instance};
    struct sf_l1 *l1 = sf_test_cache_attach(&same);
    struct sf_key key = make_session();
    ck_assert_uint_eq(sf_test_settle_all(l1), 1);
    sf_l1_set_ttl(l1, 1);
    sf_l1_close(l1);
    for (sf_time begun = sf_clock_steady(); sf_clock_steady() < begun + 2;)
        continue;
    return key;
}

static uint64_t
stale_served(void)
{
    return atomic_load(&sf_front_counters(front)->values[SF_COUNTER_l1_stale_served]);
}

START_TEST(test_stale_session_is_asked_for)
{
    struct sf_key key = make_stale_session();
    START({.reply = "$-1\r\n"});
    ck_assert_int_eq(load(&key, NOW), SF_NOT_FOUND);
    ck_assert(request_begins(0, "SESSION.LOAD"));
    ck_assert_uint_eq(stale_served(), 0);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_what_the_daemon_says_of_a_stale_session_counts)
{
    struct sf_key key = make_stale_session();
    struct sf_buffer record = sf_test_record(9, "joe", sf_span_text("new"));
    struct sf_buffer reply = make_reply(&record);
    const struct sf_fake_step step = {.reply = (const char *)reply.data, .bytes = reply.size};
    sf_fake_daemon_start(&fake, instance.socket_path, &step, 1);
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert_uint_eq(loaded.session.head.version, 9);
    ck_assert_int_eq(loaded.source, SF_FROM_STORE);
    sf_fake_daemon_stop(&fake);
    sf_buffer_fini(&reply);
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_stale_session_goes_on_where_nobody_knows_better)
{
    struct sf_key key = make_stale_session();
    START({.reply = "-UNAVAILABLE\r\n"});
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert(field_is("color", "red"));
    ck_assert_int_eq(loaded.source, SF_FROM_CACHE);
    ck_assert_uint_eq(stale_served(), 1);
    ck_assert_int_eq(load(&key, NOW), SF_OK); /* nobody waits again so soon */
    ck_assert_uint_eq(fake.answered, 1);
    ck_assert_uint_eq(stale_served(), 2);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_stale_session_goes_on_without_a_daemon)
{
    struct sf_key key = make_stale_session();
    config.deadline = 20;
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert_int_eq(set_color(&key, "blue"), SF_OK);
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert(field_is("color", "blue"));
}
END_TEST

START_TEST(test_change_of_a_stale_session_asks_first)
{
    struct sf_key key = make_stale_session();
    START({.reply = "$-1\r\n"}, {.reply = "-UNAVAILABLE\r\n"});
    ck_assert_int_eq(set_color(&key, "blue"), SF_NOT_FOUND);
    ck_assert(request_begins(0, "SESSION.LOAD"));
    ck_assert_int_eq(set_color(&key, "green"), SF_OK);
    ck_assert(request_begins(1, "SESSION.LOAD"));
    ck_assert_uint_eq(fake.answered, 2);
    sf_fake_daemon_stop(&fake);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("front_stale");
    TCase *tests = tcase_create("front_stale");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_stale_session_is_asked_for);
    tcase_add_test(tests, test_what_the_daemon_says_of_a_stale_session_counts);
    tcase_add_test(tests, test_stale_session_goes_on_where_nobody_knows_better);
    tcase_add_test(tests, test_stale_session_goes_on_without_a_daemon);
    tcase_add_test(tests, test_change_of_a_stale_session_asks_first);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
