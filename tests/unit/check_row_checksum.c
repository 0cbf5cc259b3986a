/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/row_checksum.h"

#include <check.h>

#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"

START_TEST(test_every_part_of_a_row_counts)
{
    struct sf_key key = sf_test_key(1), other = sf_test_key(2);
    struct sf_span record = sf_span_text("record");
    uint64_t sum = sf_row_checksum(&key, 3, record);
    ck_assert(sum == sf_row_checksum(&key, 3, record));
    ck_assert(sum != sf_row_checksum(&other, 3, record));
    ck_assert(sum != sf_row_checksum(&key, 4, record));
    ck_assert(sum != sf_row_checksum(&key, 3, sf_span_text("recore")));
    ck_assert(sum != sf_row_checksum(&key, 3, sf_span_text("recor")));
}
END_TEST

/* What is on disk since the first version: a database of today is read by tomorrow's program. */
START_TEST(test_it_stays_the_same)
{
    struct sf_key key = {.bytes = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    ck_assert_uint_eq(sf_row_checksum(&key, 42, sf_span_text("session")), UINT64_C(0xd43f5ed95d3ea246));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("row_checksum");
    TCase *rows = tcase_create("row_checksum");
    tcase_add_test(rows, test_every_part_of_a_row_counts);
    tcase_add_test(rows, test_it_stays_the_same);
    suite_add_tcase(suite, rows);
    return sf_run_suite(suite);
}
