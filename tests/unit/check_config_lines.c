/* SPDX-License-Identifier: Apache-2.0 */
/* What lines may look like is tested through the file they stand in: check_config_file.c. Here:
 * what callers see. */
#include "common/config/config_lines.h"

#include <check.h>

#include "tests/support/run_suite.h"
#include "tests/unit/config_case.h"

static struct sf_config_lines lines;

START_TEST(test_lines_come_with_their_numbers_and_without_comments)
{
    sf_config_lines_init(&lines, sf_span_text("\n  # comment\n  <a>\nb \\\nc\n\nd"), "f");
    ck_assert_int_eq(sf_config_lines_next(&lines, &error), SF_OK);
    ck_assert_str_eq(lines.line, "<a>");
    ck_assert_uint_eq(lines.number, 3);
    ck_assert_int_eq(sf_config_lines_next(&lines, &error), SF_OK);
    ck_assert_str_eq(lines.line, "b c");
    ck_assert_uint_eq(lines.number, 4);
    ck_assert_int_eq(sf_config_lines_next(&lines, &error), SF_OK);
    ck_assert_str_eq(lines.line, "d");
    ck_assert_uint_eq(lines.number, 7);
    ck_assert_int_eq(sf_config_lines_next(&lines, &error), SF_NOT_FOUND);
    ck_assert_int_eq(sf_config_lines_next(&lines, &error), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_line_is_taken_apart)
{
    const struct sf_option *option;
    const char *value;
    sf_config_lines_init(&lines, sf_span_text("sessionfastexport a \"b\"  c\nNothing 1\n"), "f");
    ck_assert_int_eq(sf_config_lines_next(&lines, &error), SF_OK);
    ck_assert_int_eq(sf_config_lines_option(&lines, pool, &option, &value, &error), SF_OK);
    ck_assert_str_eq(option->directive, "SessionFastExport");
    ck_assert_str_eq(value, "a b c");
    ck_assert_int_eq(sf_config_lines_next(&lines, &error), SF_OK);
    ck_assert_int_eq(sf_config_lines_option(&lines, pool, &option, &value, &error), SF_INVALID);
    ck_assert_str_eq(error.text, "f:2: unknown directive 'Nothing'");
}
END_TEST

START_TEST(test_refusal_names_file_and_line)
{
    sf_config_lines_init(&lines, sf_span_text("\na"), "some.conf");
    ck_assert_int_eq(sf_config_lines_next(&lines, &error), SF_OK);
    ck_assert_int_eq(sf_config_lines_refuse(&lines, &error, "%d is wrong", 7), SF_INVALID);
    ck_assert_str_eq(error.text, "some.conf:2: 7 is wrong");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("config_lines");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, make_defaults, drop_pool);
    tcase_add_test(all, test_lines_come_with_their_numbers_and_without_comments);
    tcase_add_test(all, test_line_is_taken_apart);
    tcase_add_test(all, test_refusal_names_file_and_line);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
