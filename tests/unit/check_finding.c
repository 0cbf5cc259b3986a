/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/finding.h"

#include <check.h>

#include "tests/support/run_suite.h"
#include "tests/unit/finding_case.h"

static struct found found;

START_TEST(test_worst_is_kept)
{
    found_init(&found);
    sf_found(&found.findings, SF_FINDING_OK, "a", "", "well");
    ck_assert_int_eq(found.findings.worst, SF_FINDING_OK);
    sf_found(&found.findings, SF_FINDING_ERROR, "b", "mend it", "%d of %d", 1, 2);
    sf_found(&found.findings, SF_FINDING_WARNING, "c", "", "so");
    ck_assert_int_eq(found.findings.worst, SF_FINDING_ERROR);
    assert_found(&found, "b", SF_FINDING_ERROR, "1 of 2");
    ck_assert_str_eq(found.list[1].mend, "mend it");
}
END_TEST

START_TEST(test_time_is_told_once)
{
    found_init(&found);
    sf_found(&found.findings, SF_FINDING_OK, "a", "", "not measured");
    sf_findings_begin(&found.findings);
    sf_found(&found.findings, SF_FINDING_OK, "b", "", "measured");
    sf_found(&found.findings, SF_FINDING_OK, "c", "", "not measured");
    ck_assert_int_eq(found.list[0].microseconds, -1);
    ck_assert_int_ge(found.list[1].microseconds, 0);
    ck_assert_int_eq(found.list[2].microseconds, -1);
}
END_TEST

START_TEST(test_nothing_steers_a_terminal)
{
    found_init(&found);
    sf_found(&found.findings, SF_FINDING_OK, "a", "", "%s", "\033[2Jgone");
    ck_assert_str_eq(found.list[0].why, "?[2Jgone");
}
END_TEST

START_TEST(test_levels_have_names)
{
    ck_assert_str_eq(sf_finding_level_name(SF_FINDING_OK), "ok");
    ck_assert_str_eq(sf_finding_level_name(SF_FINDING_WARNING), "warning");
    ck_assert_str_eq(sf_finding_level_name(SF_FINDING_ERROR), "error");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("finding");
    TCase *tests = tcase_create("finding");
    tcase_add_test(tests, test_worst_is_kept);
    tcase_add_test(tests, test_time_is_told_once);
    tcase_add_test(tests, test_nothing_steers_a_terminal);
    tcase_add_test(tests, test_levels_have_names);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
