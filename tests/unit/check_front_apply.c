/* SPDX-License-Identifier: Apache-2.0 */
/* Changes: in the cache, in the daemon where that must do it, and how long each waits for the store. */
#include "common/front/front.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"
#include "tests/unit/front_case.h"

START_TEST(test_new_session_gets_an_id_that_parses)
{
    make_session();
    struct sf_session_id parsed;
    ck_assert(saved.created && saved.is_new_id && saved.changed && !saved.is_durable);
    ck_assert_int_eq(sf_session_id_parse(&parsed, sf_span_text(saved.id.text), sf_front_secrets(front)), SF_OK);
    ck_assert(sf_key_equal(&parsed.key, &saved.id.key));
}
END_TEST

START_TEST(test_nothing_is_created_for_nothing)
{
    add(SF_OP_TOUCH, NULL);
    ck_assert_int_eq(apply(NULL, NOW), SF_NOT_FOUND);
    add(SF_OP_UNSET, "color");
    ck_assert_int_eq(apply(NULL, NOW), SF_NOT_FOUND);
    ck_assert(!saved.is_new_id);
}
END_TEST

START_TEST(test_change_keeps_the_id)
{
    struct sf_key key = make_session();
    add_set("color", "blue");
    ck_assert_int_eq(apply(&key, NOW), SF_OK);
    ck_assert(saved.changed && !saved.is_new_id && !saved.created && !saved.rotated);
    ck_assert_str_eq(saved.id.text, "");
    ck_assert_uint_eq(saved.version, 2);
}
END_TEST

START_TEST(test_refused_ops_change_nothing)
{
    struct sf_key key = make_session();
    ck_assert_int_eq(sf_ops_add_increment(&ops, sf_span_text("color"), 1), SF_OK);
    ck_assert_int_eq(apply(&key, NOW), SF_INVALID);
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert(field_is("color", "red"));
}
END_TEST

START_TEST(test_too_large_a_session_is_full)
{
    struct sf_key key = make_session();
    static char large[3000];
    memset(large, 'x', sizeof large - 1);
    config.max_bytes = 1024;
    add_set("large", large);
    ck_assert_int_eq(apply(&key, NOW), SF_FULL);
}
END_TEST

/* _i: for the store, for the journal. */
/* The daemon would say the same: it is not asked, and there is none. */
START_TEST(test_under_pressure_visitors_are_refused_at_once)
{
    struct sf_key key = make_session();
    struct sf_l1 *l1;
    ck_assert_int_eq(sf_l1_attach(&l1, &instance, SF_L1_READ_WRITE, NULL), SF_OK);
    sf_l1_set_pressure(l1, SF_L1_PRESSURE_NO_NEW);
    add_set("a", "b");
    ck_assert_int_eq(apply(NULL, NOW), SF_FULL);
    ck_assert_int_eq(saved.pressure, SF_L1_PRESSURE_NO_NEW);
    ck_assert_str_eq(saved.id.text, "");
    add_set("a", "b");
    ck_assert_int_eq(apply(&key, NOW), SF_OK);
    ck_assert_int_eq(saved.pressure, SF_L1_PRESSURE_NONE);
    ck_assert_uint_eq(sf_front_counters(front)->values[SF_COUNTER_daemon_asked], 0);
    sf_l1_close(l1);
}
END_TEST

START_TEST(test_login_waits_for_store_or_journal)
{
    struct sf_key key = make_session();
    char old_text[SF_KEY_TEXT + 1], new_text[SF_KEY_TEXT + 1], expected[200];
    START({.reply = ":7\r\n"}, {.reply = "+OK\r\n"});
    config.login_durability = _i == 0 ? SF_DURABILITY_STORE : SF_DURABILITY_JOURNAL;
    add(SF_OP_LOGIN, "joe");
    ck_assert_int_eq(apply(&key, NOW), SF_OK);
    ck_assert(saved.is_durable && saved.is_new_id);
    sf_key_format(&key, old_text);
    sf_key_format(&saved.id.key, new_text);
    snprintf(expected, sizeof expected, "SESSION.FLUSH WAIT 3000 %s%s 2 %s 1", _i == 0 ? "" : "JOURNAL ",
             new_text, old_text);
    ck_assert_str_eq(fake.requests[0], "SESSION.EPOCH LOGIN joe");
    ck_assert_str_eq(fake.requests[1], expected);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_higher_of_route_and_login_counts)
{
    START({.reply = "+OK\r\n"}, {.reply = "+OK\r\n"});
    config.durability = SF_DURABILITY_STORE;
    config.login_durability = SF_DURABILITY_JOURNAL;
    struct sf_key key = make_session();
    config.durability = SF_DURABILITY_JOURNAL;
    config.login_durability = SF_DURABILITY_STORE;
    add_set("color", "blue");
    ck_assert_int_eq(apply(&key, NOW), SF_OK);
    ck_assert_ptr_null(strstr(fake.requests[0], "JOURNAL"));
    ck_assert_ptr_nonnull(strstr(fake.requests[1], "JOURNAL"));
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_login_that_the_store_does_not_confirm_is_uncertain_and_has_its_id)
{
    struct sf_key key = make_session();
    START({.reply = ":7\r\n"}, {.reply = "-UNAVAILABLE the store did not take it\r\n"});
    config.login_durability = SF_DURABILITY_STORE;
    add(SF_OP_LOGIN, "joe");
    ck_assert_int_eq(apply(&key, NOW), SF_UNCERTAIN);
    ck_assert(saved.is_new_id && saved.rotated && !saved.is_durable);
    struct sf_key fresh = saved.id.key;
    ck_assert_int_eq(load(&fresh, NOW), SF_OK);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_slow_store_has_a_deadline_of_its_own)
{
    struct sf_key key = make_session();
    START({.reply = ":7\r\n"}, {.reply = "+OK\r\n", .delay_ms = 200});
    config.login_durability = SF_DURABILITY_STORE;
    config.deadline = 50;
    add(SF_OP_LOGIN, "joe");
    ck_assert_int_eq(apply(&key, NOW), SF_OK);
    ck_assert(saved.is_durable);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_store_that_is_too_slow_is_waited_for_until_its_deadline)
{
    struct sf_key key = make_session();
    START({.reply = NULL});
    config.login_durability = SF_DURABILITY_STORE;
    config.deadline = 20;
    config.store_deadline = 30;
    add(SF_OP_LOGIN, "joe");
    sf_time before = sf_clock_steady();
    ck_assert_int_eq(apply(&key, NOW), SF_UNCERTAIN);
    ck_assert_int_le(sf_clock_steady() - before, 50 + SLACK);
    ck_assert(saved.rotated && !saved.is_durable);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_route_that_wants_the_store_waits_for_every_change)
{
    START({.reply = "+OK\r\n"}, {.reply = "+OK\r\n"});
    config.durability = SF_DURABILITY_STORE;
    struct sf_key key = make_session();
    ck_assert(saved.is_durable && request_begins(0, "SESSION.FLUSH "));
    add(SF_OP_TOUCH, NULL);
    ck_assert_int_eq(apply(&key, NOW), SF_OK); /* no change: nothing to wait for */
    ck_assert_uint_eq(fake.answered, 1);
    add_set("color", "red");
    ck_assert_int_eq(apply(&key, NOW), SF_OK); /* it is there already, but the store may not have it yet */
    ck_assert_uint_eq(fake.answered, 2);
    sf_fake_daemon_stop(&fake);
}
END_TEST

/* The journal has taken it over, or it is not to be seen any more: only the daemon knows what that means. */
START_TEST(test_what_only_the_journal_has_is_not_in_the_store)
{
    struct sf_l1 *l1;
    struct sf_l1_cursor cursor = {.hint = 0};
    struct sf_l1_dirty item = {.dirty_since = 0};
    struct sf_key key = make_session();
    START({.reply = "+OK\r\n"}, {.reply = "+OK\r\n"});
    ck_assert_int_eq(sf_l1_attach(&l1, &instance, SF_L1_READ_WRITE, NULL), SF_OK);
    ck_assert_uint_eq(sf_l1_dirty_take(l1, &cursor, &item, 1), 1);
    sf_l1_settle_journalled(l1, &item.ticket, sf_clock_steady());
    config.durability = SF_DURABILITY_STORE;
    add_set("color", "red");
    ck_assert_int_eq(apply(&key, NOW), SF_OK);
    ck_assert(!saved.changed && request_begins(0, "SESSION.FLUSH "));
    sf_l1_settle_key(l1, &key, 1, sf_clock_steady());
    add_set("color", "red");
    ck_assert_int_eq(apply(&key, NOW), SF_OK);
    ck_assert_uint_eq(fake.answered, 1);
    sf_l1_dirty_fini(&item, 1);
    sf_l1_close(l1);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_change_of_an_unknown_session_asks_first)
{
    struct sf_key key = sf_test_key(9);
    START({.reply = "$-1\r\n"}, {.reply = "-UNAVAILABLE\r\n"});
    add_set("color", "blue");
    ck_assert_int_eq(apply(&key, NOW), SF_NOT_FOUND);
    ck_assert(request_begins(0, "SESSION.LOAD 00000009"));
    add_set("color", "blue");
    ck_assert_int_eq(apply(&key, NOW), SF_UNAVAILABLE);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_session_that_the_cache_cannot_keep_is_changed_by_the_daemon)
{
    struct sf_key key = sf_test_key(9);
    struct sf_buffer record = sf_test_record(3, "joe", sf_span_text("green"));
    struct sf_buffer reply = make_reply(&record);
    const struct sf_fake_step steps[] = {
        {.reply = (const char *)reply.data, .bytes = reply.size},
        {.reply = "*3\r\n$32\r\n0000000900000000000000000000005f\r\n:4\r\n$14\r\nchanged stored\r\n"},
    };
    sf_fake_daemon_start(&fake, instance.socket_path, steps, 2);
    config.durability = SF_DURABILITY_STORE;
    add_set("color", "blue");
    ck_assert_int_eq(apply(&key, NOW), SF_OK);
    ck_assert(saved.changed && saved.is_durable && !saved.is_new_id);
    ck_assert_uint_eq(saved.version, 4);
    ck_assert_str_eq(fake.requests[1],
                     "SESSION.APPLY 0000000900000000000000000000005f MAXBYTES 65536 IDLE 1800000 ABSOLUTE 43200000 "
                     "GRACE 10000 TOMBSTONE 3600000 WAIT 3000 STORE OPS SET color blue");
    sf_fake_daemon_stop(&fake);
    sf_buffer_fini(&reply);
    sf_buffer_fini(&record);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("front_apply");
    TCase *tests = tcase_create("front_apply");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_new_session_gets_an_id_that_parses);
    tcase_add_test(tests, test_nothing_is_created_for_nothing);
    tcase_add_test(tests, test_change_keeps_the_id);
    tcase_add_test(tests, test_refused_ops_change_nothing);
    tcase_add_test(tests, test_too_large_a_session_is_full);
    tcase_add_test(tests, test_under_pressure_visitors_are_refused_at_once);
    tcase_add_loop_test(tests, test_login_waits_for_store_or_journal, 0, 2);
    tcase_add_test(tests, test_higher_of_route_and_login_counts);
    tcase_add_test(tests, test_login_that_the_store_does_not_confirm_is_uncertain_and_has_its_id);
    tcase_add_test(tests, test_slow_store_has_a_deadline_of_its_own);
    tcase_add_test(tests, test_store_that_is_too_slow_is_waited_for_until_its_deadline);
    tcase_add_test(tests, test_route_that_wants_the_store_waits_for_every_change);
    tcase_add_test(tests, test_what_only_the_journal_has_is_not_in_the_store);
    tcase_add_test(tests, test_change_of_an_unknown_session_asks_first);
    tcase_add_test(tests, test_session_that_the_cache_cannot_keep_is_changed_by_the_daemon);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
