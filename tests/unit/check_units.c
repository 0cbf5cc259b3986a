/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/units.h"

#include <check.h>

#include "tests/support/run_suite.h"

static void
assert_duration(const char *text, sf_time expected)
{
    sf_time duration = -1;
    ck_assert_msg(sf_duration_parse(text, &duration) == SF_OK, "'%s' is refused", text);
    ck_assert_int_eq(duration, expected);
}

static void
assert_size(const char *text, uint64_t expected)
{
    uint64_t size = 1;
    ck_assert_msg(sf_size_parse(text, &size) == SF_OK, "'%s' is refused", text);
    ck_assert_uint_eq(size, expected);
}

START_TEST(test_every_unit_of_time_is_understood)
{
    assert_duration("250ms", 250);
    assert_duration("5s", 5000);
    assert_duration("30min", 1800000);
    assert_duration("30m", 1800000);
    assert_duration("12h", 43200000);
    assert_duration("400d", 34560000000);
    assert_duration("2w", 1209600000);
    assert_duration("2W", 1209600000);
    assert_duration("3Min", 180000);
}
END_TEST

START_TEST(test_bare_duration_is_in_seconds)
{
    assert_duration("0", 0);
    assert_duration("90", 90000);
    assert_duration("0090", 90000);
}
END_TEST

START_TEST(test_anything_else_is_no_duration)
{
    static const char *const refused[] = {
        "",
        "s",
        "-5s",
        "+5s",
        "1.5h",
        "5 s",
        " 5s",
        "5s ",
        "5x",
        "5ss",
        "5y",
        "1h30min",
        "1e3",
        "0x10",
        "5us",
        "9223372036854775807",
        "9223372036854775808ms",
        "15250284452472w",
    };
    sf_time duration = 42;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        ck_assert_msg(sf_duration_parse(refused[i], &duration) == SF_INVALID, "'%s'", refused[i]);
    ck_assert_int_eq(duration, 42);
}
END_TEST

START_TEST(test_duration_is_written_in_its_largest_unit)
{
    static const struct {
        sf_time duration;
        const char *text;
    } cases[] = {
        {0, "0"},          {250, "250ms"},
        {5000, "5s"},      {1800000, "30min"},
        {43200000, "12h"}, {86400000, "1d"},
        {604800000, "7d"}, {5400000, "90min"},
        {1001, "1001ms"},  {INT64_MAX, "9223372036854775807ms"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[SF_UNITS_TEXT_BYTES];
        sf_duration_format(cases[i].duration, text);
        ck_assert_str_eq(text, cases[i].text);
        assert_duration(text, cases[i].duration);
    }
}
END_TEST

START_TEST(test_sizes_count_in_units_of_1024)
{
    assert_size("0", 0);
    assert_size("1000", 1000);
    assert_size("64K", 65536);
    assert_size("64k", 65536);
    assert_size("64M", 67108864);
    assert_size("64G", 68719476736);
}
END_TEST

START_TEST(test_anything_else_is_no_size)
{
    static const char *const refused[] = {
        "", "K", "12X", "12KB", "1.5G", "-1", "1 K", "8589934592G", "9223372036854775808", "1T",
    };
    uint64_t size = 42;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        ck_assert_msg(sf_size_parse(refused[i], &size) == SF_INVALID, "'%s'", refused[i]);
    ck_assert_uint_eq(size, 42);
}
END_TEST

START_TEST(test_size_is_written_in_its_largest_unit)
{
    static const struct {
        uint64_t size;
        const char *text;
    } cases[] = {
        {0, "0"},          {1000, "1000"},       {65536, "64K"},
        {67108864, "64M"}, {68719476736, "64G"}, {1536, "1536"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[SF_UNITS_TEXT_BYTES];
        sf_size_format(cases[i].size, text);
        ck_assert_str_eq(text, cases[i].text);
        assert_size(text, cases[i].size);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("units");
    TCase *tests = tcase_create("units");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, test_every_unit_of_time_is_understood);
    tcase_add_test(tests, test_bare_duration_is_in_seconds);
    tcase_add_test(tests, test_anything_else_is_no_duration);
    tcase_add_test(tests, test_duration_is_written_in_its_largest_unit);
    tcase_add_test(tests, test_sizes_count_in_units_of_1024);
    tcase_add_test(tests, test_anything_else_is_no_size);
    tcase_add_test(tests, test_size_is_written_in_its_largest_unit);
    return sf_run_suite(suite);
}
