/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/status.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#include "tests/support/run_suite.h"

START_TEST(test_every_status_has_its_name_and_a_text)
{
#define S(name, text)                                   \
    ck_assert_str_eq(sf_status_name(SF_##name), #name); \
    ck_assert_str_eq(sf_status_text(SF_##name), text);
    SF_STATUS_LIST(S)
#undef S
}
END_TEST

START_TEST(test_number_outside_the_list_has_a_name_too)
{
    enum sf_status unknown = (enum sf_status)99;
    ck_assert_str_eq(sf_status_name(unknown), "UNKNOWN");
    ck_assert_str_eq(sf_status_text(unknown), "unknown status");
}
END_TEST

START_TEST(test_error_set_returns_the_status_and_keeps_the_text)
{
    struct sf_error error;
    enum sf_status status = sf_error_set(&error, SF_INVALID, "%s: line %d", "a.conf", 7);
    ck_assert_int_eq(status, SF_INVALID);
    ck_assert_int_eq(error.status, SF_INVALID);
    ck_assert_str_eq(error.text, "a.conf: line 7");
}
END_TEST

START_TEST(test_error_set_without_an_error_returns_the_status)
{
    ck_assert_int_eq(sf_error_set(NULL, SF_FULL, "nobody reads this"), SF_FULL);
}
END_TEST

START_TEST(test_error_of_ok_has_no_text)
{
    struct sf_error error = {.text = "left over"};
    ck_assert_int_eq(sf_error_set(&error, SF_OK, "fine"), SF_OK);
    ck_assert_str_eq(error.text, "");
}
END_TEST

START_TEST(test_error_text_is_one_line_without_control_characters)
{
    struct sf_error error;
    sf_error_set(&error, SF_INVALID, "a\nb\x1b[31m\x7f%c", '\r');
    ck_assert_str_eq(error.text, "a?b?[31m??");
}
END_TEST

START_TEST(test_error_from_errno_says_what_cannot_be_done_and_why)
{
    struct sf_error error;
    errno = EACCES;
    ck_assert_int_eq(sf_error_set_errno(&error, "/a/b", "be opened"), SF_UNAVAILABLE);
    ck_assert_str_eq(error.text, "/a/b: cannot be opened: Permission denied");
}
END_TEST

START_TEST(test_long_error_text_is_cut)
{
    struct sf_error error;
    char text[1000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    sf_error_set(&error, SF_INVALID, "%s", text);
    ck_assert_uint_eq(strlen(error.text), sizeof error.text - 1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("status");
    TCase *tests = tcase_create("status");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, test_every_status_has_its_name_and_a_text);
    tcase_add_test(tests, test_number_outside_the_list_has_a_name_too);
    tcase_add_test(tests, test_error_set_returns_the_status_and_keeps_the_text);
    tcase_add_test(tests, test_error_set_without_an_error_returns_the_status);
    tcase_add_test(tests, test_error_of_ok_has_no_text);
    tcase_add_test(tests, test_error_text_is_one_line_without_control_characters);
    tcase_add_test(tests, test_error_from_errno_says_what_cannot_be_done_and_why);
    tcase_add_test(tests, test_long_error_text_is_cut);
    return sf_run_suite(suite);
}
