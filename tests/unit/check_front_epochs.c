/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of users who were logged out everywhere, and what logins are stamped with. */
#include <check.h>
#include <string.h>

#include "common/session/user_epochs.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"
#include "tests/support/test_records.h"
#include "tests/unit/front_case.h"

static struct sf_l1 *l1;
static struct sf_buffer row;

static void
begin(void)
{
    set_up();
    struct sf_test_cache same = {.instance = instance};
    l1 = sf_test_cache_attach(&same);
    sf_buffer_init(&row, SF_RECORD_BYTES_MAX);
}

static void
end(void)
{
    sf_buffer_fini(&row);
    sf_l1_close(l1);
    tear_down();
}

static uint32_t
change_row(enum sf_user_epochs_step step, const char *user)
{
    struct sf_buffer next;
    struct sf_user_epoch epoch;
    size_t passed_over;
    const struct sf_user_epochs_change change = {.step = step, .user = sf_span_text(user), .now = NOW};
    sf_buffer_init(&next, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_user_epochs_change(&next, &passed_over, sf_buffer_span(&row), &change), SF_OK);
    sf_buffer_fini(&row);
    row = next;
    ck_assert_int_eq(sf_user_epochs_read(&epoch, sf_buffer_span(&row), sf_span_text(user)), SF_OK);
    return epoch.next;
}

/* The cache gets the row of joe as the store has it. */
static void
put_row(void)
{
    struct sf_key key = sf_user_epochs_key(sf_user_epochs_row(sf_span_text("joe")));
    const struct sf_l1_answer answer = {.record = sf_buffer_span(&row)};
    struct sf_l1_question question;
    sf_l1_ask(l1, &key, &question);
    ck_assert_int_eq(sf_l1_confirm(l1, &key, &answer, &question), SF_OK);
}

static struct sf_key
log_in(const char *user)
{
    add(SF_OP_LOGIN, user);
    ck_assert_int_eq(apply(NULL, NOW), SF_OK);
    return saved.id.key;
}

static uint64_t
asked(void)
{
    return atomic_load(&sf_front_counters(front)->values[SF_COUNTER_daemon_asked]);
}

START_TEST(test_login_is_stamped_with_what_the_cache_knows_of_a_store_of_its_own)
{
    uint32_t epoch = change_row(SF_EPOCHS_END_USER, "joe");
    put_row();
    struct sf_key key = log_in("joe");
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert_uint_eq(loaded.session.head.user_epoch, epoch);
    ck_assert_uint_eq(asked(), 0);
}
END_TEST

START_TEST(test_login_on_a_shared_store_asks_for_the_truth)
{
    START({.reply = ":1700000009\r\n"});
    change_row(SF_EPOCHS_END_USER, "joe");
    put_row();
    sf_l1_set_shared(l1, true);
    struct sf_key key = log_in("joe");
    ck_assert_str_eq(fake.requests[0], "SESSION.EPOCH LOGIN joe");
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert_uint_eq(loaded.session.head.user_epoch, 1700000009);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_login_that_nobody_answers_has_what_the_cache_knows)
{
    START({.reply = "-UNAVAILABLE\r\n"});
    uint32_t epoch = change_row(SF_EPOCHS_END_USER, "joe");
    put_row();
    sf_l1_set_shared(l1, true);
    struct sf_key key = log_in("joe");
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert_uint_eq(loaded.session.head.user_epoch, epoch);
    (void)log_in("joe");
    ck_assert_uint_eq(asked(), 1); /* nobody waits again so soon */
    sf_fake_daemon_stop(&fake);
}
END_TEST

/* _i: he, or everybody. */
START_TEST(test_session_from_before_is_refused_and_is_still_there)
{
    change_row(SF_EPOCHS_MOVE, "joe");
    put_row();
    struct sf_key before = log_in("joe"), visitor = make_session();
    ck_assert_int_eq(load(&before, NOW), SF_OK);
    ck_assert(!loaded.is_revoked);
    change_row(_i == 0 ? SF_EPOCHS_END_USER : SF_EPOCHS_END_ALL, "joe");
    put_row();
    ck_assert_int_eq(load(&before, NOW), SF_NOT_FOUND);
    ck_assert(loaded.is_revoked);
    ck_assert_int_eq(load(&visitor, NOW), SF_OK);
    ck_assert(!loaded.is_revoked);
    struct sf_key after = log_in("joe");
    ck_assert_int_eq(load(&after, NOW), SF_OK);
    ck_assert_uint_eq(asked(), 0);
}
END_TEST

/* An id that was replaced shows an image of a session only while that is valid, and by what that is stamped with. */
START_TEST(test_images_are_as_valid_as_what_has_taken_their_place)
{
    change_row(SF_EPOCHS_MOVE, "joe");
    put_row();
    struct sf_key before = log_in("joe");
    ops.user_epoch = change_row(SF_EPOCHS_MOVE, "joe");
    ops.stamps = true;
    add(SF_OP_ROTATE, NULL);
    ck_assert_int_eq(apply(&before, NOW), SF_OK);
    struct sf_key next = saved.id.key;
    change_row(SF_EPOCHS_MOVE, "joe");
    put_row();
    ck_assert_int_eq(load(&next, NOW), SF_OK);
    ck_assert_int_eq(load(&before, NOW), SF_OK);
    ck_assert(loaded.is_former);
    change_row(SF_EPOCHS_END_USER, "joe");
    put_row();
    ck_assert_int_eq(load(&next, NOW), SF_NOT_FOUND);
    ck_assert_int_eq(load(&before, NOW), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_row_that_the_cache_lacks_is_asked_for)
{
    change_row(SF_EPOCHS_END_USER, "joe");
    struct sf_buffer reply = make_reply(&row);
    const struct sf_fake_step steps[] = {
        {.reply = ":1\r\n"},
        {.reply = (const char *)reply.data, .bytes = reply.size},
    };
    sf_fake_daemon_start(&fake, instance.socket_path, steps, 2);
    struct sf_key key = log_in("joe");
    ck_assert_int_eq(load(&key, NOW), SF_NOT_FOUND);
    ck_assert(loaded.is_revoked && request_begins(1, "SESSION.LOAD "));
    sf_fake_daemon_stop(&fake);
    sf_buffer_fini(&reply);
}
END_TEST

START_TEST(test_nobody_in_the_cache_is_logged_out_because_nobody_knows)
{
    START({.reply = ":1\r\n"}, {.reply = "-UNAVAILABLE\r\n"});
    struct sf_key key = log_in("joe");
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert_uint_eq(fake.answered, 2);
    sf_fake_daemon_stop(&fake);
}
END_TEST

/* The session itself may have come to the cache from there. */
START_TEST(test_session_waits_for_what_a_store_that_has_gone_back_has_forgotten)
{
    START({.reply = ":1\r\n"}, {.reply = "-CONFLICT\r\n"}, {.reply = "-CONFLICT\r\n"});
    struct sf_key key = log_in("joe");
    ck_assert_int_eq(load(&key, NOW), SF_UNAVAILABLE);
    ck_assert_int_eq(load(&key, NOW), SF_UNAVAILABLE); /* each is asked for: it does not last long */
    change_row(SF_EPOCHS_END_USER, "joe");
    put_row();
    ck_assert_int_eq(load(&key, NOW), SF_NOT_FOUND);
    ck_assert_uint_eq(fake.answered, 3);
    sf_fake_daemon_stop(&fake);
}
END_TEST

/* _i: what the daemon says of the epoch. The store itself is there: it has just given the session. */
START_TEST(test_session_from_the_store_is_valid_unless_that_has_gone_back)
{
    static const char *const answers[] = {"-CONFLICT\r\n", "-UNAVAILABLE\r\n", "rubbish\r\n"};
    struct sf_key key = sf_test_key(1);
    struct sf_buffer record = sf_test_record(3, "joe", sf_span_text("green"));
    struct sf_buffer reply = make_reply(&record);
    const struct sf_fake_step steps[] = {
        {.reply = (const char *)reply.data, .bytes = reply.size},
        {.reply = answers[_i]},
    };
    sf_fake_daemon_start(&fake, instance.socket_path, steps, 2);
    ck_assert_int_eq(load(&key, NOW), _i == 0 ? SF_UNAVAILABLE : SF_OK);
    sf_fake_daemon_stop(&fake);
    sf_buffer_fini(&reply);
    sf_buffer_fini(&record);
}
END_TEST

/* ---- all others ---- */

static enum sf_status
end_others(const struct sf_key *key)
{
    ops.others_of = sf_span_text("joe");
    add(SF_OP_ROTATE, NULL);
    return apply(key, NOW);
}

START_TEST(test_others_end_when_this_one_is_stamped)
{
    START({.reply = ":1700000001\r\n"}, {.reply = ":1700000002\r\n"});
    change_row(SF_EPOCHS_MOVE, "joe");
    put_row();
    struct sf_key key = log_in("joe");
    ck_assert_int_eq(end_others(&key), SF_OK);
    ck_assert_str_eq(fake.requests[0], "SESSION.EPOCH MOVE joe");
    ck_assert_str_eq(fake.requests[1], "SESSION.EPOCH END joe 1700000001");
    ck_assert_int_eq(load(&saved.id.key, NOW), SF_OK);
    ck_assert_uint_eq(loaded.session.head.user_epoch, 1700000001);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_others_that_the_store_does_not_end_are_not_said_to_be)
{
    START({.reply = "-UNAVAILABLE\r\n"}, {.reply = ":1700000001\r\n"}, {.reply = "-UNCERTAIN\r\n"});
    change_row(SF_EPOCHS_MOVE, "joe");
    put_row();
    struct sf_key key = log_in("joe");
    ck_assert_int_eq(end_others(&key), SF_UNAVAILABLE); /* and nothing has changed */
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert(!loaded.is_former);
    ck_assert_int_eq(end_others(&key), SF_UNCERTAIN);
    ck_assert(saved.is_new_id);
    sf_fake_daemon_stop(&fake);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("front_epochs");
    TCase *tests = tcase_create("front_epochs");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, test_login_is_stamped_with_what_the_cache_knows_of_a_store_of_its_own);
    tcase_add_test(tests, test_login_on_a_shared_store_asks_for_the_truth);
    tcase_add_test(tests, test_login_that_nobody_answers_has_what_the_cache_knows);
    tcase_add_loop_test(tests, test_session_from_before_is_refused_and_is_still_there, 0, 2);
    tcase_add_test(tests, test_images_are_as_valid_as_what_has_taken_their_place);
    tcase_add_test(tests, test_row_that_the_cache_lacks_is_asked_for);
    tcase_add_test(tests, test_nobody_in_the_cache_is_logged_out_because_nobody_knows);
    tcase_add_test(tests, test_session_waits_for_what_a_store_that_has_gone_back_has_forgotten);
    tcase_add_loop_test(tests, test_session_from_the_store_is_valid_unless_that_has_gone_back, 0, 3);
    tcase_add_test(tests, test_others_end_when_this_one_is_stamped);
    tcase_add_test(tests, test_others_that_the_store_does_not_end_are_not_said_to_be);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
