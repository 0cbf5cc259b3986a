/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_sql_facts.h"

#include <check.h>
#include <stdio.h>

#include "tests/support/run_suite.h"
#include "tests/unit/finding_case.h"

START_TEST(test_facts_by_name)
{
    struct sf_sql_facts facts = {.count = 0};
    sf_sql_facts_add(&facts, "max", "151");
    sf_sql_facts_add(&facts, "none", NULL);
    ck_assert_str_eq(sf_sql_fact(&facts, "max"), "151");
    ck_assert_int_eq(sf_sql_fact_number(&facts, "max"), 151);
    ck_assert_str_eq(sf_sql_fact(&facts, "none"), "");
    ck_assert_int_eq(sf_sql_fact_number(&facts, "none"), 0);
}
END_TEST

START_TEST(test_what_is_too_much_is_left_out)
{
    struct sf_sql_facts facts = {.count = 0};
    char name[8];
    for (int i = 0; i < SF_SQL_FACTS_MAX + 3; i++) {
        snprintf(name, sizeof name, "%d", i);
        sf_sql_facts_add(&facts, name, name);
    }
    ck_assert_uint_eq(facts.count, SF_SQL_FACTS_MAX);
    ck_assert_str_eq(sf_sql_fact(&facts, "23"), "23");
    ck_assert_str_eq(sf_sql_fact(&facts, "24"), "");
}
END_TEST

START_TEST(test_connections)
{
    struct sf_sql_facts facts = {.count = 0};
    struct found found;
    found_init(&found);
    sf_sql_facts_add(&facts, "max", "100");
    sf_sql_facts_add(&facts, "used", "97");
    sf_sql_facts_judge_connections(&facts, &found.findings);
    assert_found(&found, "connections", SF_FINDING_OK, "97 of 100");
    facts.count = 1;
    sf_sql_facts_add(&facts, "used", "98");
    sf_sql_facts_judge_connections(&facts, &found.findings);
    assert_found(&found, "connections", SF_FINDING_WARNING, "98 of 100");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_sql_facts");
    TCase *tests = tcase_create("store_sql_facts");
    tcase_add_test(tests, test_facts_by_name);
    tcase_add_test(tests, test_what_is_too_much_is_left_out);
    tcase_add_test(tests, test_connections);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
