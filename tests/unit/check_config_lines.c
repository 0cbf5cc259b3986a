/* SPDX-License-Identifier: Apache-2.0 */
/* What lines may look like is tested through the file they stand in: check_config_file.c. Here:
 * what callers see. */
#include "common/config/config_lines.h"

#include <apr_general.h>
#include <check.h>
#include <stdlib.h>

static apr_pool_t *pool;
static struct sf_config_lines lines;
static struct sf_error error;

static void
make_pool(void)
{
    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
}

static void
drop_pool(void)
{
    apr_pool_destroy(pool);
}

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
    apr_initialize();
    Suite *suite = suite_create("config_lines");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, make_pool, drop_pool);
    tcase_add_test(all, test_lines_come_with_their_numbers_and_without_comments);
    tcase_add_test(all, test_line_is_taken_apart);
    tcase_add_test(all, test_refusal_names_file_and_line);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    apr_terminate();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
