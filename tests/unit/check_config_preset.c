/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/config.h"

#include <check.h>

#include "tests/support/run_suite.h"
#include "tests/unit/config_case.h"

static void
set(const char *directive, const char *text)
{
    enum sf_status status = sf_config_set(&config, sf_option_find(directive), text, pool, &error);
    ck_assert_msg(status == SF_OK, "%s", error.text);
}

START_TEST(test_preset_changes_the_default_and_sets_nothing_else)
{
    ck_assert_int_eq(config.cache_ttl, 5 * SF_MINUTE);
    set("SessionFastPreset", "read-heavy");
    ck_assert_int_eq(config.cache_ttl, 10 * SF_MINUTE);
    for (size_t i = 0; i < SF_OPTION_COUNT; i++)
        ck_assert_int_eq(config.is_set[i], i == SF_OPTION_AT_preset);
    set("SessionFastPreset", "Write-Heavy");
    ck_assert_int_eq(config.cache_ttl, SF_MINUTE);
    set("SessionFastPreset", "none");
    ck_assert_int_eq(config.cache_ttl, 5 * SF_MINUTE);
}
END_TEST

START_TEST(test_what_is_set_itself_stays_in_any_order)
{
    set("SessionFastCacheTTL", "7s");
    set("SessionFastPreset", "read-heavy");
    ck_assert_int_eq(config.cache_ttl, 7 * SF_SECOND);
    sf_config_init(&config);
    set("SessionFastPreset", "read-heavy");
    set("SessionFastCacheTTL", "7s");
    ck_assert_int_eq(config.cache_ttl, 7 * SF_SECOND);
}
END_TEST

START_TEST(test_what_is_set_on_another_level_stays)
{
    struct sf_config outer, inner, merged;

    set("SessionFastCacheTTL", "7s");
    outer = config;
    sf_config_init(&config);
    set("SessionFastPreset", "write-heavy");
    inner = config;
    sf_config_merge(&merged, &outer, &inner);
    ck_assert_int_eq(merged.cache_ttl, 7 * SF_SECOND);
    sf_config_merge(&merged, &inner, &outer);
    ck_assert_int_eq(merged.cache_ttl, 7 * SF_SECOND);
    sf_config_init(&outer);
    sf_config_merge(&merged, &outer, &inner);
    ck_assert_int_eq(merged.cache_ttl, SF_MINUTE);
    ck_assert(!merged.is_set[SF_OPTION_AT_cache_ttl]);
}
END_TEST

START_TEST(test_django_has_the_defaults_of_cached_db)
{
    set("SessionFastPreset", "django");
    ck_assert_int_eq(config.cookie_max_age, 1209600 * SF_SECOND);
    ck_assert_int_eq(config.idle_timeout, 1209600 * SF_SECOND);
    ck_assert_int_eq(config.absolute_timeout, 0);
    ck_assert(config.cookie_http_only && config.cookie_secure);
    ck_assert_int_eq(config.cookie_same_site, SF_SAME_SITE_LAX);
    ck_assert_int_eq(config.l2_ttl, 3600 * SF_SECOND);
    ck_assert_int_eq(sf_config_check(&config, &error), SF_OK);
}
END_TEST

START_TEST(test_places_have_the_preset_of_the_server)
{
    struct sf_config server, merged;

    set("SessionFastPreset", "django");
    server = config;
    sf_config_init(&config);
    set("SessionFastIdleTimeout", "1h");
    sf_config_merge(&merged, &server, &config);
    ck_assert_int_eq(merged.idle_timeout, SF_HOUR);
    ck_assert_int_eq(merged.cookie_max_age, 1209600 * SF_SECOND);
    ck_assert_int_eq(merged.absolute_timeout, 0);
}
END_TEST

START_TEST(test_unknown_preset_is_refused)
{
    const struct sf_option *option = sf_option_find("SessionFastPreset");

    ck_assert_int_eq(sf_config_set(&config, option, "heavy", pool, &error), SF_INVALID);
    ck_assert_str_eq(error.text,
                     "SessionFastPreset: 'heavy' is unknown (none, read-heavy, write-heavy, django)");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("config_preset");
    TCase *tests = tcase_create("config_preset");
    tcase_add_checked_fixture(tests, make_defaults, drop_pool);
    tcase_add_test(tests, test_preset_changes_the_default_and_sets_nothing_else);
    tcase_add_test(tests, test_what_is_set_itself_stays_in_any_order);
    tcase_add_test(tests, test_what_is_set_on_another_level_stays);
    tcase_add_test(tests, test_django_has_the_defaults_of_cached_db);
    tcase_add_test(tests, test_places_have_the_preset_of_the_server);
    tcase_add_test(tests, test_unknown_preset_is_refused);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
