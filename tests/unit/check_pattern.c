/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/pattern.h"

#include <check.h>
#include <string.h>

#include "tests/support/run_suite.h"

#define BYTES_MAX 1100

static unsigned char value[BYTES_MAX], other[BYTES_MAX];
static uint64_t version;

START_TEST(test_a_value_is_recognised_at_every_size)
{
    for (size_t bytes = SF_PATTERN_BYTES_MIN; bytes <= BYTES_MAX; bytes++) {
        sf_pattern_make(value, bytes, 17, bytes);
        ck_assert(sf_pattern_check(value, bytes, 17, &version));
        ck_assert_uint_eq(version, bytes);
        ck_assert(sf_pattern_check_whole(value, bytes, 17, &version));
    }
}
END_TEST

START_TEST(test_somebody_elses_value_is_refused)
{
    sf_pattern_make(value, 500, 17, 1);
    ck_assert(!sf_pattern_check(value, 500, 18, &version));
}
END_TEST

START_TEST(test_a_value_cut_short_is_refused)
{
    sf_pattern_make(value, 500, 17, 1);
    ck_assert(!sf_pattern_check(value, 499, 17, &version));
    ck_assert(!sf_pattern_check(value, SF_PATTERN_BYTES_MIN, 17, &version));
    ck_assert(!sf_pattern_check(value, 0, 17, &version));
}
END_TEST

START_TEST(test_halves_of_two_versions_are_refused_wherever_they_meet)
{
    sf_pattern_make(value, BYTES_MAX, 17, 1);
    sf_pattern_make(other, BYTES_MAX, 17, 2);
    for (size_t cut = 64; cut < BYTES_MAX - BYTES_MAX % 64; cut += 64) {
        unsigned char torn[BYTES_MAX];
        memcpy(torn, value, cut);
        memcpy(torn + cut, other + cut, BYTES_MAX - cut);
        ck_assert_msg(!sf_pattern_check(torn, BYTES_MAX, 17, &version), "cut at %zu", cut);
    }
}
END_TEST

START_TEST(test_every_damaged_byte_is_seen_by_the_whole_check)
{
    sf_pattern_make(value, BYTES_MAX, 17, 1);
    for (size_t at = 0; at < BYTES_MAX; at++) {
        value[at] ^= 0x10;
        ck_assert_msg(!sf_pattern_check_whole(value, BYTES_MAX, 17, &version), "byte %zu", at);
        value[at] ^= 0x10;
    }
    ck_assert(sf_pattern_check_whole(value, BYTES_MAX, 17, &version));
}
END_TEST

START_TEST(test_a_restamped_value_is_as_one_made_anew)
{
    sf_pattern_make(value, 777, 17, 1);
    sf_pattern_restamp(value, 777, 18, 9);
    sf_pattern_make(other, 777, 18, 9);
    ck_assert_mem_eq(value, other, 777);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("pattern");
    TCase *tests = tcase_create("pattern");
    tcase_add_test(tests, test_a_value_is_recognised_at_every_size);
    tcase_add_test(tests, test_somebody_elses_value_is_refused);
    tcase_add_test(tests, test_a_value_cut_short_is_refused);
    tcase_add_test(tests, test_halves_of_two_versions_are_refused_wherever_they_meet);
    tcase_add_test(tests, test_every_damaged_byte_is_seen_by_the_whole_check);
    tcase_add_test(tests, test_a_restamped_value_is_as_one_made_anew);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
