/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/migrate_words.h"

#include <check.h>
#include <string.h>

#include "tests/support/run_suite.h"

static char url[32];
static int percent;
static struct sf_error error;

static enum sf_status
parse(const char *text)
{
    return sf_migrate_words_parse(text, url, sizeof url, &percent, &error);
}

START_TEST(test_a_url_and_a_percentage)
{
    static const struct { const char *text; int percent; } known[] = {
        {"redis://host percent=10", 10}, {"redis://host", 0}, {"  redis://host \t percent=0", 0},
        {"redis://host percent=100", 100}};
    ck_assert_int_eq(parse(known[_i].text), SF_OK);
    ck_assert_str_eq(url, "redis://host");
    ck_assert_int_eq(percent, known[_i].percent);
}
END_TEST

START_TEST(test_anything_else_is_refused_and_its_password_not_told)
{
    static const char *const wrong[] = {
        "", " ", "redis://secret 10", "redis://secret percent=", "redis://secret percent=101",
        "redis://secret percent=-1",
        "redis://secret percent=1 more", "redis://secret-and-much-too-long-for-its-place percent=1"};
    ck_assert_int_eq(parse(wrong[_i]), SF_INVALID);
    ck_assert_ptr_null(strstr(error.text, "secret"));
}
END_TEST

START_TEST(test_a_percentage_is_a_whole_number)
{
    ck_assert_int_eq(sf_percent_parse("37", &percent), SF_OK);
    ck_assert_int_eq(percent, 37);
    ck_assert_int_eq(sf_percent_parse("3.5", &percent), SF_INVALID);
    ck_assert_int_eq(sf_percent_parse("", &percent), SF_INVALID);
    ck_assert_int_eq(percent, 37);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("migrate_words");
    TCase *tests = tcase_create("migrate_words");
    tcase_add_loop_test(tests, test_a_url_and_a_percentage, 0, 4);
    tcase_add_loop_test(tests, test_anything_else_is_refused_and_its_password_not_told, 0, 8);
    tcase_add_test(tests, test_a_percentage_is_a_whole_number);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
