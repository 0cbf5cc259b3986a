/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/life.h"

#include <check.h>
#include <stdlib.h>

static struct sf_session session;

static void
start(void)
{
    struct sf_value dark = {.type = SF_VALUE_STRING, .bytes = sf_span_text("dark")};

    sf_session_init(&session);
    ck_assert_int_eq(sf_session_set(&session, sf_span_text("theme"), &dark), SF_OK);
    session.head.version = 7;
    session.head.user = sf_span_text("anna");
}

static void
finish(void)
{
    sf_session_fini(&session);
}

static void
encodes(void)
{
    struct sf_buffer record;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_session_encode(&session, 1024, &record), SF_OK);
    ck_assert_int_eq(sf_record_check(sf_buffer_span(&record)), SF_OK);
    sf_buffer_fini(&record);
}

START_TEST(test_session_begins_empty_with_its_limits)
{
    sf_session_begin(&session, 1000, 60000, 90000);
    ck_assert_int_eq(session.head.kind, SF_RECORD_SESSION);
    ck_assert_uint_eq(session.head.version, 0);
    ck_assert_uint_eq(session.count, 0);
    ck_assert_uint_eq(session.head.user.size, 0);
    ck_assert_int_eq(session.head.created, 1000);
    ck_assert_int_eq(session.head.last_access, 1000);
    ck_assert_int_eq(session.head.absolute_deadline, 91000);
    encodes();
}
END_TEST

START_TEST(test_session_without_an_absolute_limit_has_no_deadline)
{
    sf_session_begin(&session, 1000, 60000, 0);
    ck_assert_int_eq(session.head.absolute_deadline, 0);
    ck_assert_int_eq(sf_record_expires(&session.head, 1000), 61000);
}
END_TEST

START_TEST(test_ended_session_is_a_tombstone_without_fields)
{
    sf_session_end(&session, SF_END_LOGOUT, 1000, 5000);
    ck_assert_int_eq(session.head.kind, SF_RECORD_ENDED);
    ck_assert_int_eq(session.head.end_reason, SF_END_LOGOUT);
    ck_assert_uint_eq(session.head.version, 7);
    ck_assert_uint_eq(session.count, 0);
    ck_assert_int_eq(sf_record_expires(&session.head, 0), 6000);
    encodes();
}
END_TEST

START_TEST(test_rotated_session_keeps_its_image_and_names_its_successor)
{
    struct sf_key successor = {{1}};

    sf_session_replace(&session, &(struct sf_replacement){.version = 9,
                                                          .successor = &successor,
                                                          .now = 1000,
                                                          .grace = 100,
                                                          .tombstone_lifetime = 5000});
    ck_assert_int_eq(session.head.end_reason, SF_END_ROTATED);
    ck_assert(sf_key_equal(&session.head.successor, &successor));
    ck_assert_int_eq(session.head.grace_until, 1100);
    ck_assert_int_eq(session.head.absolute_deadline, 6000);
    ck_assert_uint_eq(session.head.version, 9);
    ck_assert_uint_eq(session.count, 1);
    encodes();
}
END_TEST

START_TEST(test_nothing_leads_from_the_id_before_a_login_to_the_one_after)
{
    sf_session_replace(
        &session,
        &(struct sf_replacement){
            .version = 9, .successor = NULL, .now = 1000, .grace = 100, .tombstone_lifetime = 50});
    ck_assert_int_eq(session.head.end_reason, SF_END_LOGIN);
    ck_assert(sf_key_equal(&session.head.successor, &(struct sf_key){{0}}));
    ck_assert_int_eq(session.head.absolute_deadline, 1100);
    encodes();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("life");
    TCase *tests = tcase_create("life");
    tcase_add_checked_fixture(tests, start, finish);
    tcase_add_test(tests, test_session_begins_empty_with_its_limits);
    tcase_add_test(tests, test_session_without_an_absolute_limit_has_no_deadline);
    tcase_add_test(tests, test_ended_session_is_a_tombstone_without_fields);
    tcase_add_test(tests, test_rotated_session_keeps_its_image_and_names_its_successor);
    tcase_add_test(tests, test_nothing_leads_from_the_id_before_a_login_to_the_one_after);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
