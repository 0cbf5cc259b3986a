/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/life.h"

#include <check.h>

#include "tests/support/run_suite.h"

#define NOW ((sf_time)1700000000000)

static struct sf_session session;

static void
setup(void)
{
    const struct sf_value red = {.type = SF_VALUE_STRING, .bytes = sf_span_text("red")};
    sf_session_init(&session);
    sf_session_begin(&session, NOW, SF_MINUTE, SF_HOUR);
    ck_assert_int_eq(sf_session_set(&session, sf_span_text("color"), &red), SF_OK);
    session.head.version = 4;
    session.head.user = sf_span_text("joe");
    session.head.flags = SF_RECORD_PINNED;
}

static void
teardown(void)
{
    sf_session_fini(&session);
}

START_TEST(test_new_session_is_born_now_and_empty)
{
    sf_session_begin(&session, NOW + 1, SF_MINUTE, SF_HOUR);
    ck_assert_uint_eq(session.count, 0);
    ck_assert_int_eq(session.head.kind, SF_RECORD_SESSION);
    ck_assert_uint_eq(session.head.version, 0);
    ck_assert_int_eq(session.head.created, NOW + 1);
    ck_assert_int_eq(session.head.last_access, NOW + 1);
    ck_assert_int_eq(session.head.idle_timeout, SF_MINUTE);
    ck_assert_int_eq(session.head.absolute_deadline, NOW + 1 + SF_HOUR);
}
END_TEST

START_TEST(test_session_without_absolute_timeout_has_no_deadline)
{
    sf_session_begin(&session, NOW, SF_MINUTE, 0);
    ck_assert_int_eq(session.head.absolute_deadline, 0);
}
END_TEST

START_TEST(test_ended_session_keeps_no_field_and_is_remembered)
{
    sf_session_end(&session, SF_END_ADMIN, NOW, SF_HOUR);
    ck_assert_int_eq(session.head.kind, SF_RECORD_ENDED);
    ck_assert_int_eq(session.head.end_reason, SF_END_ADMIN);
    ck_assert_uint_eq(session.count, 0);
    ck_assert_uint_eq(session.head.flags, 0);
    ck_assert_int_eq(session.head.grace_until, 0);
    ck_assert_int_eq(sf_record_expires(&session.head, NOW), NOW + SF_HOUR);
}
END_TEST

static struct sf_replacement
replacement_by(const struct sf_key *successor)
{
    return (struct sf_replacement){
        .version = 5, .successor = successor, .now = NOW, .grace = 10 * SF_SECOND, .tombstone_lifetime = SF_HOUR};
}

START_TEST(test_rotated_session_is_an_image_that_names_its_successor)
{
    const struct sf_key successor = {{1, 2, 3}};
    const struct sf_replacement replacement = replacement_by(&successor);
    sf_session_replace(&session, &replacement);
    ck_assert_int_eq(session.head.kind, SF_RECORD_ENDED);
    ck_assert_int_eq(session.head.end_reason, SF_END_ROTATED);
    ck_assert_uint_eq(session.head.version, 5);
    ck_assert_uint_eq(session.count, 1);
    ck_assert(sf_span_equal(session.head.user, sf_span_text("joe")));
    ck_assert_int_eq(session.head.grace_until, NOW + 10 * SF_SECOND);
    ck_assert(sf_key_equal(&session.head.successor, &successor));
    ck_assert_int_eq(sf_record_expires(&session.head, NOW), NOW + SF_HOUR);
}
END_TEST

START_TEST(test_nothing_leads_from_an_id_before_login_to_the_one_behind)
{
    static const struct sf_key none;
    const struct sf_replacement replacement = replacement_by(NULL);
    sf_session_replace(&session, &replacement);
    ck_assert_int_eq(session.head.end_reason, SF_END_LOGIN);
    ck_assert(sf_key_equal(&session.head.successor, &none));
}
END_TEST

START_TEST(test_image_of_an_anonymous_session_can_be_read_after_login)
{
    const struct sf_replacement replacement = replacement_by(NULL);
    session.head.user = sf_span_text("");
    sf_session_replace(&session, &replacement);
    ck_assert_int_eq(session.head.grace_until, NOW + 10 * SF_SECOND);
    ck_assert_uint_eq(session.count, 1);
}
END_TEST

START_TEST(test_image_of_somebody_who_logs_in_again_cannot_be_read)
{
    const struct sf_replacement replacement = replacement_by(NULL);
    sf_session_replace(&session, &replacement);
    ck_assert_int_eq(session.head.grace_until, 0);
    ck_assert_uint_eq(session.head.user.size, 0);
    ck_assert_uint_eq(session.count, 0);
    ck_assert_uint_eq(session.head.field_count, 0);
    ck_assert_int_eq(sf_record_expires(&session.head, NOW), NOW + SF_HOUR);
}
END_TEST

START_TEST(test_replaced_id_is_remembered_at_least_through_its_grace)
{
    const struct sf_key successor = {{1, 2, 3}};
    struct sf_replacement replacement = replacement_by(&successor);
    replacement.tombstone_lifetime = SF_SECOND;
    sf_session_replace(&session, &replacement);
    ck_assert_int_eq(sf_record_expires(&session.head, NOW), NOW + 10 * SF_SECOND);
}
END_TEST

START_TEST(test_replaced_session_can_be_encoded)
{
    struct sf_buffer record;
    const struct sf_key successor = {{1, 2, 3}};
    const struct sf_replacement replacement = replacement_by(&successor);
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    sf_session_replace(&session, &replacement);
    ck_assert_int_eq(sf_session_encode(&session, SF_RECORD_BYTES_MAX, &record), SF_OK);
    sf_session_end(&session, SF_END_LOGOUT, NOW, SF_HOUR);
    ck_assert_int_eq(sf_session_encode(&session, SF_RECORD_BYTES_MAX, &record), SF_OK);
    sf_buffer_fini(&record);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("life");
    TCase *tests = tcase_create("life");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_new_session_is_born_now_and_empty);
    tcase_add_test(tests, test_session_without_absolute_timeout_has_no_deadline);
    tcase_add_test(tests, test_ended_session_keeps_no_field_and_is_remembered);
    tcase_add_test(tests, test_rotated_session_is_an_image_that_names_its_successor);
    tcase_add_test(tests, test_nothing_leads_from_an_id_before_login_to_the_one_behind);
    tcase_add_test(tests, test_image_of_an_anonymous_session_can_be_read_after_login);
    tcase_add_test(tests, test_image_of_somebody_who_logs_in_again_cannot_be_read);
    tcase_add_test(tests, test_replaced_id_is_remembered_at_least_through_its_grace);
    tcase_add_test(tests, test_replaced_session_can_be_encoded);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
