/* SPDX-License-Identifier: Apache-2.0 */
/* Loads: what the cache has, what the daemon says of the rest. */
#include "common/front/front.h"

#include <check.h>

#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"
#include "tests/support/test_records.h"
#include "tests/unit/front_case.h"

/* So many looks into the cache are to find a record that changes meanwhile. */
static unsigned conflicts;

enum sf_status __real_sf_l1_get(struct sf_l1 *l1, const struct sf_key *key, struct sf_buffer *record_out,
                                struct sf_l1_view *view_out);
enum sf_status __wrap_sf_l1_get(struct sf_l1 *l1, const struct sf_key *key, struct sf_buffer *record_out,
                                struct sf_l1_view *view_out);

/* The linker puts it in the place of sf_l1_get. */
enum sf_status
__wrap_sf_l1_get(struct sf_l1 *l1, const struct sf_key *key, struct sf_buffer *record_out,
                 struct sf_l1_view *view_out)
{
    if (conflicts > 0) {
        conflicts--;
        return SF_CONFLICT;
    }
    return __real_sf_l1_get(l1, key, record_out, view_out);
}

START_TEST(test_hit_comes_from_the_cache_and_asks_nobody)
{
    struct sf_key key = make_session();
    START({.reply = NULL});
    ck_assert_int_eq(load(&key, NOW + SF_MINUTE), SF_OK);
    ck_assert_int_eq(loaded.source, SF_FROM_CACHE);
    ck_assert(field_is("color", "red"));
    ck_assert(!loaded.is_former);
    ck_assert_int_eq(loaded.expires, NOW + SF_MINUTE + config.idle_timeout);
    ck_assert_uint_eq(fake.accepted, 0);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_load_keeps_the_session_alive)
{
    struct sf_key key = make_session();
    for (int i = 1; i <= 5; i++)
        ck_assert_int_eq(load(&key, NOW + i * (config.idle_timeout - SF_SECOND)), SF_OK);
}
END_TEST

START_TEST(test_idle_session_is_not_found)
{
    struct sf_key key = make_session();
    ck_assert_int_eq(load(&key, NOW + config.idle_timeout), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_old_session_is_not_found_however_busy)
{
    config.absolute_timeout = SF_HOUR;
    struct sf_key key = make_session();
    ck_assert_int_eq(load(&key, NOW + 20 * SF_MINUTE), SF_OK);
    ck_assert_int_eq(load(&key, NOW + 40 * SF_MINUTE), SF_OK);
    ck_assert_int_eq(loaded.expires, NOW + SF_HOUR);
    ck_assert_int_eq(load(&key, NOW + 60 * SF_MINUTE), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_ended_session_is_not_found)
{
    struct sf_key key = make_session();
    add(SF_OP_END, NULL);
    ck_assert_int_eq(apply(&key, NOW), SF_OK);
    ck_assert(saved.ended && !saved.is_new_id);
    ck_assert_str_eq(saved.id.text, "");
    ck_assert_int_eq(load(&key, NOW), SF_NOT_FOUND);
    add_set("color", "blue");
    ck_assert_int_eq(apply(&key, NOW), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_replaced_id_shows_what_was_until_the_grace_ends)
{
    struct sf_key key = make_session();
    add(SF_OP_LOGIN, "joe");
    ck_assert_int_eq(apply(&key, NOW), SF_OK);
    ck_assert(saved.rotated && saved.is_new_id);
    struct sf_key fresh = saved.id.key;
    ck_assert_int_eq(load(&key, NOW + SF_SECOND), SF_OK);
    ck_assert(loaded.is_former);
    ck_assert_uint_eq(loaded.session.head.user.size, 0);
    ck_assert_int_eq(load(&key, NOW + config.rotate_grace), SF_NOT_FOUND);
    ck_assert_int_eq(load(&fresh, NOW + config.rotate_grace), SF_OK);
    ck_assert(sf_span_equal(loaded.session.head.user, sf_span_text("joe")));
}
END_TEST

/* The session gets a new id, which becomes its key; NULL: ROTATE. */
static struct sf_key
make_new_id(const struct sf_key *key, const char *user)
{
    add(user != NULL ? SF_OP_LOGIN : SF_OP_ROTATE, user);
    ck_assert_int_eq(apply(key, NOW), SF_OK);
    ck_assert(saved.rotated && saved.is_new_id);
    return saved.id.key;
}

START_TEST(test_logout_ends_the_ids_from_before)
{
    struct sf_key anonymous = make_session();
    struct sf_key first = make_new_id(&anonymous, "joe");
    struct sf_key second = make_new_id(&first, NULL);
    struct sf_key third = make_new_id(&second, NULL);
    ck_assert_int_eq(load(&first, NOW), SF_OK);
    ck_assert(loaded.is_former && sf_span_equal(loaded.session.head.user, sf_span_text("joe")));
    add(SF_OP_END, NULL);
    ck_assert_int_eq(apply(&third, NOW), SF_OK);
    ck_assert_int_eq(load(&second, NOW), SF_NOT_FOUND);
    ck_assert_int_eq(load(&first, NOW), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_another_login_ends_the_ids_from_before)
{
    struct sf_key anonymous = make_session();
    struct sf_key first = make_new_id(&anonymous, "joe");
    struct sf_key second = make_new_id(&first, NULL);
    struct sf_key third = make_new_id(&second, "joe");
    ck_assert_int_eq(load(&first, NOW), SF_NOT_FOUND);
    ck_assert_int_eq(load(&second, NOW), SF_NOT_FOUND);
    ck_assert_int_eq(load(&third, NOW), SF_OK);
}
END_TEST

START_TEST(test_replaced_id_gets_no_new_one)
{
    struct sf_key old = make_session();
    struct sf_key fresh = make_new_id(&old, NULL);
    add(SF_OP_LOGIN, "eve");
    ck_assert_int_eq(apply(&old, NOW), SF_NOT_FOUND);
    add(SF_OP_ROTATE, NULL);
    ck_assert_int_eq(apply(&old, NOW), SF_NOT_FOUND);
    ck_assert(!saved.is_new_id);
    add_set("color", "blue");
    ck_assert_int_eq(apply(&old, NOW), SF_OK);
    ck_assert_int_eq(load(&fresh, NOW), SF_OK);
    ck_assert(field_is("color", "blue"));
}
END_TEST

/* The cache has everything but `key`, which is in the store. */
static void
forget(const struct sf_key *key)
{
    struct sf_l1 *l1;
    struct sf_error error = {.text = ""};
    ck_assert_int_eq(sf_l1_attach(&l1, &instance, SF_L1_READ_WRITE, &error), SF_OK);
    ck_assert_uint_gt(sf_test_settle_all(l1), 0);
    ck_assert_int_eq(sf_l1_drop(l1, key), SF_OK);
    sf_l1_close(l1);
}

START_TEST(test_store_decides_about_an_id_whose_session_is_not_in_the_cache)
{
    struct sf_key old = make_session();
    struct sf_key fresh = make_new_id(&old, NULL);
    START({.reply = "-UNAVAILABLE\r\n"}, {.reply = "$-1\r\n"});
    forget(&fresh);
    ck_assert_int_eq(load(&old, NOW), SF_UNAVAILABLE); /* nobody knows: that is no logout */
    ck_assert_int_eq(load(&old, NOW), SF_NOT_FOUND);
    sf_fake_daemon_stop(&fake);
}
END_TEST

/* And of its user nobody knows more. */
static struct sf_buffer
start_with_record(const struct sf_buffer *record)
{
    static struct sf_fake_step steps[2];
    struct sf_buffer reply = make_reply(record);
    steps[0] = (struct sf_fake_step){.reply = (const char *)reply.data, .bytes = reply.size};
    steps[1] = (struct sf_fake_step){.reply = "-UNAVAILABLE\r\n"};
    sf_fake_daemon_start(&fake, instance.socket_path, steps, 2);
    return reply;
}

START_TEST(test_miss_asks_the_daemon)
{
    struct sf_key key = sf_test_key(1);
    struct sf_buffer record = sf_test_record(3, "joe", sf_span_text("green"));
    struct sf_buffer reply = start_with_record(&record);
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert_int_eq(loaded.source, SF_FROM_STORE);
    ck_assert(field_is("value", "green"));
    ck_assert(request_begins(0, "SESSION.LOAD 00000001"));
    ck_assert(sf_front_daemon_is_up(front));
    sf_fake_daemon_stop(&fake);
    sf_buffer_fini(&reply);
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_tombstone_from_the_daemon_is_not_found)
{
    struct sf_key key = sf_test_key(1);
    struct sf_buffer record = sf_test_tombstone(3, NOW + SF_HOUR);
    struct sf_buffer reply = start_with_record(&record);
    ck_assert_int_eq(load(&key, NOW), SF_NOT_FOUND);
    sf_fake_daemon_stop(&fake);
    sf_buffer_fini(&reply);
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_nil_from_the_daemon_is_not_found)
{
    struct sf_key key = sf_test_key(1);
    START({.reply = "$-1\r\n"});
    ck_assert_int_eq(load(&key, NOW), SF_NOT_FOUND);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_whatever_the_daemon_does_wrong_is_no_end_of_a_session)
{
    struct sf_key key = sf_test_key(1);
    START({.reply = "-UNAVAILABLE the store is away\r\n"}, {.reply = "-NO_MEMORY\r\n"}, {.reply = "+OK\r\n"},
          {.reply = ":1\r\n"}, {.reply = "*2\r\n$3\r\nabc\r\n:1\r\n"}, {.reply = "*0\r\n"}, {.reply = "-ERR what\r\n"},
          {.reply = "*2\r\n$0\r\n\r\n:1\r\n"}, {.reply = "rubbish\r\n"}, {.closes = true});
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        enum sf_status status = load(&key, NOW);
        ck_assert_msg(status == SF_UNAVAILABLE || status == SF_UNCERTAIN || status == SF_NO_MEMORY, "%zu: %s", i,
                      sf_status_name(status));
    }
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_dead_daemon_is_unavailable_at_the_deadline)
{
    struct sf_key key = sf_test_key(1);
    config.deadline = 50;
    sf_time before = sf_clock_steady();
    ck_assert_int_eq(load(&key, NOW), SF_UNAVAILABLE);
    ck_assert_int_le(sf_clock_steady() - before, 50 + SLACK);
    ck_assert(!sf_front_daemon_is_up(front));
}
END_TEST

START_TEST(test_hits_go_on_without_a_daemon)
{
    struct sf_key key = make_session();
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    add_set("color", "blue");
    ck_assert_int_eq(apply(&key, NOW), SF_OK);
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert(field_is("color", "blue"));
}
END_TEST

START_TEST(test_record_that_changes_under_each_look_is_looked_at_again)
{
    struct sf_key key = make_session();
    START({.reply = NULL});
    conflicts = 10;
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert_int_eq(loaded.source, SF_FROM_CACHE);
    ck_assert_uint_eq(fake.accepted, 0);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_record_that_never_stands_still_is_no_end_of_a_session)
{
    struct sf_key key = make_session();
    conflicts = 1000000;
    config.deadline = 50;
    ck_assert_int_eq(load(&key, NOW), SF_UNAVAILABLE);
    conflicts = 0;
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("front");
    TCase *tests = tcase_create("front");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_hit_comes_from_the_cache_and_asks_nobody);
    tcase_add_test(tests, test_load_keeps_the_session_alive);
    tcase_add_test(tests, test_idle_session_is_not_found);
    tcase_add_test(tests, test_old_session_is_not_found_however_busy);
    tcase_add_test(tests, test_ended_session_is_not_found);
    tcase_add_test(tests, test_replaced_id_shows_what_was_until_the_grace_ends);
    tcase_add_test(tests, test_logout_ends_the_ids_from_before);
    tcase_add_test(tests, test_another_login_ends_the_ids_from_before);
    tcase_add_test(tests, test_replaced_id_gets_no_new_one);
    tcase_add_test(tests, test_store_decides_about_an_id_whose_session_is_not_in_the_cache);
    tcase_add_test(tests, test_miss_asks_the_daemon);
    tcase_add_test(tests, test_tombstone_from_the_daemon_is_not_found);
    tcase_add_test(tests, test_nil_from_the_daemon_is_not_found);
    tcase_add_test(tests, test_whatever_the_daemon_does_wrong_is_no_end_of_a_session);
    tcase_add_test(tests, test_dead_daemon_is_unavailable_at_the_deadline);
    tcase_add_test(tests, test_hits_go_on_without_a_daemon);
    tcase_add_test(tests, test_record_that_changes_under_each_look_is_looked_at_again);
    tcase_add_test(tests, test_record_that_never_stands_still_is_no_end_of_a_session);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
