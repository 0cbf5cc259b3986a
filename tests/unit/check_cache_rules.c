/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/cache_rules.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/run_suite.h"

/* The memory is as large as the header says, so that a sanitizer sees one byte more. */
static char *
room_for(const char *value)
{
    char *text = malloc(SF_CACHE_RULES_BYTES(value == NULL ? 0 : strlen(value)));
    ck_assert_ptr_nonnull(text);
    return text;
}

static void
control_is(enum sf_cache_rule rule, const char *value, const char *expected)
{
    char *text = room_for(value);
    sf_cache_rules_control(rule, value, text);
    ck_assert_str_eq(text, expected);
    free(text);
}

static void
vary_is(const char *value, const char *expected)
{
    char *text = room_for(value);
    sf_cache_rules_vary(value, text);
    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(test_rule_stands_alone_where_nothing_was_said)
{
    control_is(SF_CACHE_BY_COOKIE, NULL, "");
    control_is(SF_CACHE_PRIVATE, NULL, "private");
    control_is(SF_CACHE_NO_STORE, NULL, "private, no-store");
    ck_assert_str_eq(sf_cache_rules_alone(SF_CACHE_BY_COOKIE), "");
    ck_assert_str_eq(sf_cache_rules_alone(SF_CACHE_PRIVATE), "private");
    ck_assert_str_eq(sf_cache_rules_alone(SF_CACHE_NO_STORE), "private, no-store");
    vary_is(NULL, SF_CACHE_RULES_VARY);
    control_is(SF_CACHE_NO_STORE, " , ,", "private, no-store");
}
END_TEST

START_TEST(test_what_else_was_said_stays)
{
    control_is(SF_CACHE_BY_COOKIE, "public, max-age=60", "public, max-age=60");
    control_is(SF_CACHE_PRIVATE, "max-age=60,no-cache", "private, max-age=60, no-cache");
    control_is(SF_CACHE_NO_STORE, "no-cache=\"a, b\\\", c\", max-age=0",
               "private, no-store, no-cache=\"a, b\\\", c\", max-age=0");
}
END_TEST

START_TEST(test_what_invites_shared_caches_goes)
{
    control_is(SF_CACHE_PRIVATE, "Public, s-maxage=60, max-age=5", "private, max-age=5");
    control_is(SF_CACHE_NO_STORE, "private=\"Set-Cookie, X\", PUBLIC", "private, no-store");
    control_is(SF_CACHE_PRIVATE, "publicity, s-maxage-x", "private, publicity, s-maxage-x");
}
END_TEST

START_TEST(test_nothing_is_said_twice)
{
    control_is(SF_CACHE_NO_STORE, "No-Store, no-cache, No-Cache", "private, no-store, no-cache");
}
END_TEST

START_TEST(test_quote_without_an_end_ends_with_the_value)
{
    control_is(SF_CACHE_PRIVATE, "x=\"a, b", "private, x=\"a, b");
    control_is(SF_CACHE_PRIVATE, "x=\"a\\\0, behind it", "private, x=\"a\\");
}
END_TEST

START_TEST(test_many_short_items_fit)
{
    control_is(SF_CACHE_NO_STORE, "a,b,c,d,e,f,g,h,i,j",
               "private, no-store, a, b, c, d, e, f, g, h, i, j");
}
END_TEST

START_TEST(test_vary_names_the_cookie_once)
{
    vary_is(NULL, "Cookie");
    vary_is("", "Cookie");
    vary_is("Accept-Encoding", "Accept-Encoding, Cookie");
    vary_is("Accept, cookie", "Accept, cookie");
    vary_is("Cookies", "Cookies, Cookie");
}
END_TEST

START_TEST(test_vary_of_everything_is_enough)
{
    vary_is("*", "*");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cache_rules");
    TCase *tests = tcase_create("cache_rules");
    tcase_add_test(tests, test_rule_stands_alone_where_nothing_was_said);
    tcase_add_test(tests, test_what_else_was_said_stays);
    tcase_add_test(tests, test_what_invites_shared_caches_goes);
    tcase_add_test(tests, test_nothing_is_said_twice);
    tcase_add_test(tests, test_quote_without_an_end_ends_with_the_value);
    tcase_add_test(tests, test_many_short_items_fit);
    tcase_add_test(tests, test_vary_names_the_cookie_once);
    tcase_add_test(tests, test_vary_of_everything_is_enough);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
