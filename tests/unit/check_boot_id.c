/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/boot_id.h"

#include <check.h>
#include <string.h>

#include "tests/support/run_suite.h"

START_TEST(test_the_id_is_the_same_at_each_look_and_has_no_rest_behind_it)
{
    char first[SF_BOOT_ID_BYTES], again[SF_BOOT_ID_BYTES];
    memset(first, 'x', sizeof first);
    memset(again, 'y', sizeof again);
    sf_boot_id(first);
    sf_boot_id(again);
    ck_assert_mem_eq(first, again, sizeof first);
    ck_assert_uint_gt(strnlen(first, sizeof first), 6);
    ck_assert_int_eq(first[sizeof first - 1], '\0');
    ck_assert_ptr_null(strchr(first, '\n'));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("boot_id");
    TCase *tests = tcase_create("boot_id");
    tcase_add_test(tests, test_the_id_is_the_same_at_each_look_and_has_no_rest_behind_it);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
