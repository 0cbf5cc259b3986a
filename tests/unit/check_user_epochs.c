/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/user_epochs.h"

#include <check.h>
#include <stdio.h>

#include "common/session/merge.h"
#include "tests/support/run_suite.h"

#define NOW ((sf_time)1700000000000)
#define SECONDS 1700000000u

static struct sf_buffer row, other, joined;
static size_t passed_over;

static void
set_up(void)
{
    sf_buffer_init(&row, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&other, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&joined, SF_RECORD_BYTES_MAX);
}

static void
tear_down(void)
{
    sf_buffer_fini(&row);
    sf_buffer_fini(&other);
    sf_buffer_fini(&joined);
}

/* *of becomes the row that follows; what a login gets then. */
static uint32_t
change(struct sf_buffer *of, enum sf_user_epochs_step step, const char *user, uint32_t least, sf_time now)
{
    struct sf_buffer next;
    struct sf_user_epoch epoch;
    const struct sf_user_epochs_change what = {.step = step, .user = sf_span_text(user), .least = least, .now = now};
    sf_buffer_init(&next, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_user_epochs_change(&next, &passed_over, sf_buffer_span(of), &what), SF_OK);
    sf_buffer_fini(of);
    *of = next;
    ck_assert_int_eq(sf_record_check(sf_buffer_span(of)), SF_OK);
    ck_assert_int_eq(sf_user_epochs_read(&epoch, sf_buffer_span(of), sf_span_text("x")), SF_OK);
    return epoch.next;
}

static uint32_t
end_user(struct sf_buffer *of, const char *user, sf_time now)
{
    return change(of, SF_EPOCHS_END_USER, user, 0, now);
}

static uint32_t
login(const struct sf_buffer *of)
{
    struct sf_user_epoch epoch;
    ck_assert_int_eq(sf_user_epochs_read(&epoch, sf_buffer_span(of), sf_span_text("x")), SF_OK);
    return epoch.next;
}

static bool
is_valid(const struct sf_buffer *of, const char *user, uint32_t session)
{
    struct sf_user_epoch epoch;
    ck_assert_int_eq(sf_user_epochs_read(&epoch, sf_buffer_span(of), sf_span_text(user)), SF_OK);
    return session >= epoch.least;
}

START_TEST(test_where_there_is_no_row_every_session_is_valid)
{
    struct sf_record_head head;
    ck_assert_int_eq(sf_user_epochs_first(&row), SF_OK);
    ck_assert(is_valid(&row, "alice", 0) && is_valid(&row, "alice", login(&row)));
    ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&row)), SF_OK);
    ck_assert(sf_user_epochs_are(&head));
    ck_assert_int_eq(sf_record_expires(&head, 0), 0);
}
END_TEST

START_TEST(test_sessions_from_before_are_over_and_later_ones_are_not)
{
    uint32_t before = 0;
    ck_assert_int_eq(sf_user_epochs_first(&row), SF_OK);
    for (int i = 0; i < 5; i++) { /* within one second */
        uint32_t after = end_user(&row, "alice", NOW);
        ck_assert(!is_valid(&row, "alice", before) && is_valid(&row, "alice", after));
        ck_assert(is_valid(&row, "bob", 0));
        before = after;
    }
    ck_assert_uint_eq(before, SECONDS + 4);
    ck_assert(!is_valid(&row, "alice", SECONDS + 3));
    end_user(&row, "bob", NOW - SF_HOUR); /* a clock that goes back, or of another host */
    ck_assert(is_valid(&row, "alice", before) && !is_valid(&row, "bob", before));
    ck_assert(is_valid(&row, "bob", login(&row)));
}
END_TEST

START_TEST(test_all_users_are_ended_at_once)
{
    uint32_t alice = end_user(&row, "alice", NOW);
    uint32_t all = change(&row, SF_EPOCHS_END_ALL, "", 0, NOW);
    struct sf_record_head head;
    ck_assert(!is_valid(&row, "alice", alice) && !is_valid(&row, "bob", 0) && !is_valid(&row, "bob", alice));
    ck_assert(is_valid(&row, "alice", all) && is_valid(&row, "bob", all));
    ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&row)), SF_OK);
    ck_assert_uint_eq(head.field_count, 0);
}
END_TEST

/* The one that stays is stamped in between: it is valid at every moment. */
START_TEST(test_others_end_and_one_stays)
{
    uint32_t before = end_user(&row, "alice", NOW);
    uint32_t stays = change(&row, SF_EPOCHS_MOVE, "alice", 0, NOW);
    ck_assert_uint_gt(stays, before);
    ck_assert(is_valid(&row, "alice", before) && is_valid(&row, "alice", stays));
    change(&row, SF_EPOCHS_END_USER, "alice", stays, NOW);
    ck_assert(!is_valid(&row, "alice", before) && is_valid(&row, "alice", stays));
    uint32_t later = end_user(&row, "alice", NOW); /* somebody has ended all of them */
    change(&row, SF_EPOCHS_END_USER, "alice", stays, NOW);
    ck_assert(!is_valid(&row, "alice", stays) && is_valid(&row, "alice", later));
}
END_TEST

START_TEST(test_a_full_row_passes_the_earlier_half_over_to_everybody)
{
    char user[16];
    uint32_t epochs[SF_USER_EPOCHS_MAX + 1];
    struct sf_record_head head;
    for (unsigned i = 0; i <= SF_USER_EPOCHS_MAX; i++) {
        ck_assert_uint_eq(passed_over, 0);
        snprintf(user, sizeof user, "user%u", i);
        epochs[i] = end_user(&row, user, NOW);
    }
    ck_assert_uint_eq(passed_over, SF_USER_EPOCHS_MAX / 2 + 1);
    ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&row)), SF_OK);
    ck_assert_uint_eq(head.field_count, SF_USER_EPOCHS_MAX / 2);
    ck_assert_uint_eq(head.user_epoch, epochs[SF_USER_EPOCHS_MAX / 2]);
    ck_assert(!is_valid(&row, "somebody else", 0) && is_valid(&row, "somebody else", head.user_epoch));
    for (unsigned i = 0; i <= SF_USER_EPOCHS_MAX; i++) {
        snprintf(user, sizeof user, "user%u", i);
        ck_assert(!is_valid(&row, user, epochs[i] - 1) && is_valid(&row, user, login(&row)));
    }
}
END_TEST

START_TEST(test_many_ended_together_leave_a_row_that_fits)
{
    char user[SF_USER_MAX + 1];
    for (unsigned i = 0; i < 2 * SF_USER_EPOCHS_MAX; i++) {
        snprintf(user, sizeof user, "%0*u", SF_USER_MAX, i);
        end_user(&row, user, NOW);
        ck_assert(!is_valid(&row, user, login(&row) - 1));
        ck_assert_uint_lt(row.size, SF_RECORD_BYTES_MAX / 4);
    }
}
END_TEST

/* ---- two copies ---- */

static bool
join(const struct sf_buffer *stored, const struct sf_buffer *ours)
{
    bool is_new;
    ck_assert_int_eq(sf_record_merge(&joined, &is_new, sf_buffer_span(stored), sf_buffer_span(ours)), SF_OK);
    ck_assert_int_eq(sf_record_check(sf_buffer_span(&joined)), SF_OK);
    return is_new;
}

static void
copy(struct sf_buffer *to, const struct sf_buffer *from)
{
    sf_buffer_clear(to);
    ck_assert_int_eq(sf_buffer_append_span(to, sf_buffer_span(from)), SF_OK);
}

START_TEST(test_a_store_that_has_gone_back_gets_what_is_later)
{
    end_user(&row, "alice", NOW);
    copy(&other, &row);
    uint32_t bob = end_user(&other, "bob", NOW + SF_MINUTE);
    ck_assert(join(&row, &other));
    ck_assert(sf_span_equal(sf_buffer_span(&joined), sf_buffer_span(&other)));
    ck_assert(!join(&other, &row));
    ck_assert(sf_span_equal(sf_buffer_span(&joined), sf_buffer_span(&other)));
    ck_assert(!is_valid(&joined, "bob", bob - 1));
    ck_assert(!join(&other, &other));
}
END_TEST

/* One store went back, and was changed before the caches had told it what it had forgotten. */
START_TEST(test_two_histories_end_what_either_has_ended)
{
    uint32_t alice = end_user(&row, "alice", NOW);
    copy(&other, &row);
    uint32_t bob = end_user(&other, "bob", NOW + SF_SECOND);
    end_user(&other, "bob", NOW + SF_SECOND);
    uint32_t dave = end_user(&other, "dave", NOW + SF_SECOND);
    uint32_t later = end_user(&row, "carol", NOW + SF_MINUTE);
    end_user(&row, "bob", NOW + SF_MINUTE);
    for (int i = 0; i < 2; i++) {
        ck_assert(i == 0 ? join(&row, &other) : join(&other, &row));
        ck_assert(!is_valid(&joined, "alice", alice - 1) && is_valid(&joined, "alice", alice));
        ck_assert(!is_valid(&joined, "bob", bob + 1) && !is_valid(&joined, "carol", later - 1));
        ck_assert(!is_valid(&joined, "dave", dave - 1) && is_valid(&joined, "dave", dave));
        ck_assert_uint_gt(login(&joined), login(&row));
        struct sf_buffer third = joined;
        sf_buffer_init(&joined, SF_RECORD_BYTES_MAX);
        ck_assert(!join(&third, &other) && !join(&third, &row)); /* and that is the end of it */
        sf_buffer_fini(&third);
    }
}
END_TEST

START_TEST(test_floors_are_joined)
{
    end_user(&row, "alice", NOW);
    copy(&other, &row);
    uint32_t all = change(&other, SF_EPOCHS_END_ALL, "", 0, NOW);
    uint32_t bob = end_user(&row, "bob", NOW + SF_MINUTE);
    ck_assert(join(&row, &other));
    ck_assert(!is_valid(&joined, "carol", all - 1) && is_valid(&joined, "carol", all));
    ck_assert(!is_valid(&joined, "bob", bob - 1) && is_valid(&joined, "bob", bob));
}
END_TEST

/* ---- keys ---- */

START_TEST(test_rows_have_keys_of_their_own)
{
    unsigned seen[SF_USER_EPOCH_ROWS] = {0};
    struct sf_key session = {{1, 2, 3}};
    char user[16];
    for (unsigned i = 0; i < SF_USER_EPOCH_ROWS; i++) {
        struct sf_key key = sf_user_epochs_key(i);
        ck_assert(sf_user_epochs_has_key(&key));
        for (unsigned j = 0; j < i; j++) {
            struct sf_key former = sf_user_epochs_key(j);
            ck_assert(!sf_key_equal(&key, &former));
        }
    }
    ck_assert(!sf_user_epochs_has_key(&session));
    for (unsigned i = 0; i < 100 * SF_USER_EPOCH_ROWS; i++) {
        snprintf(user, sizeof user, "user%u", i);
        seen[sf_user_epochs_row(sf_span_text(user))]++;
    }
    for (unsigned i = 0; i < SF_USER_EPOCH_ROWS; i++)
        ck_assert(seen[i] > 50 && seen[i] < 150);
    ck_assert_uint_eq(sf_user_epochs_row(sf_span_text("alice")), 188); /* the same on all hosts, for ever */
}
END_TEST

START_TEST(test_what_is_no_such_row_is_corrupt)
{
    struct sf_user_epoch epoch;
    ck_assert_int_eq(sf_user_epochs_read(&epoch, sf_span_text("rubbish"), sf_span_text("x")), SF_CORRUPT);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("user_epochs");
    TCase *tests = tcase_create("user_epochs");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_where_there_is_no_row_every_session_is_valid);
    tcase_add_test(tests, test_sessions_from_before_are_over_and_later_ones_are_not);
    tcase_add_test(tests, test_all_users_are_ended_at_once);
    tcase_add_test(tests, test_others_end_and_one_stays);
    tcase_add_test(tests, test_a_full_row_passes_the_earlier_half_over_to_everybody);
    tcase_add_test(tests, test_many_ended_together_leave_a_row_that_fits);
    tcase_add_test(tests, test_a_store_that_has_gone_back_gets_what_is_later);
    tcase_add_test(tests, test_two_histories_end_what_either_has_ended);
    tcase_add_test(tests, test_floors_are_joined);
    tcase_add_test(tests, test_rows_have_keys_of_their_own);
    tcase_add_test(tests, test_what_is_no_such_row_is_corrupt);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
