/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/config.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/run_suite.h"
#include "tests/unit/config_case.h"

static enum sf_status
set(const char *directive, const char *text)
{
    const struct sf_option *option = sf_option_find(directive);
    ck_assert_msg(option != NULL, "no option %s", directive);
    return sf_config_set(&config, option, text, pool, &error);
}

static const char *
format(const char *directive)
{
    return sf_config_format(&config, sf_option_find(directive), pool);
}

static void
assert_refused(const char *directive, const char *text, const char *why)
{
    struct sf_config before;
    memcpy(&before, &config, sizeof before); /* with the padding */
    ck_assert_msg(set(directive, text) == SF_INVALID, "%s takes '%s'", directive, text);
    ck_assert_str_eq(error.text, why);
    ck_assert_mem_eq(&config, &before, sizeof config);
}

START_TEST(test_every_default_is_a_value_that_an_administrator_may_write)
{
    for (size_t i = 0; i < SF_OPTION_COUNT; i++) {
        struct sf_config written = config;
        enum sf_status status =
            sf_config_set(&written, &sf_options[i], sf_options[i].default_text, pool, &error);
        ck_assert_msg(status == SF_OK, "%s", error.text);
        ck_assert_str_eq(sf_config_format(&written, &sf_options[i], pool),
                         sf_config_format(&config, &sf_options[i], pool));
    }
}
END_TEST

START_TEST(test_defaults_are_written_as_they_are_shown)
{
    for (size_t i = 0; i < SF_OPTION_COUNT; i++)
        ck_assert_str_eq(sf_config_format(&config, &sf_options[i], pool),
                         sf_options[i].default_text);
}
END_TEST

START_TEST(test_defaults_are_safe)
{
    ck_assert_str_eq(config.cookie_name, "__Host-id");
    ck_assert(config.cookie_secure && config.cookie_http_only && config.cookie_remove);
    ck_assert_int_eq(config.cookie_same_site, SF_SAME_SITE_LAX);
    ck_assert_int_eq(config.login_durability, SF_DURABILITY_JOURNAL);
    ck_assert_int_eq(config.on_error, SF_ON_ERROR_UNAVAILABLE);
    ck_assert(!config.enabled);
    ck_assert_int_eq(config.idle_timeout, 30 * SF_MINUTE);
    ck_assert_uint_eq(config.cache_size, 64 << 20);
    ck_assert_int_eq(config.flush_batch, 10);
}
END_TEST

START_TEST(test_nothing_is_set_at_first)
{
    for (size_t i = 0; i < SF_OPTION_COUNT; i++)
        ck_assert(!config.is_set[i]);
}
END_TEST

START_TEST(test_every_row_is_complete)
{
    for (size_t i = 0; i < SF_OPTION_COUNT; i++) {
        const struct sf_option *option = &sf_options[i];
        bool is_gateways = option->scope == SF_SCOPE_GATEWAY || option->scope == SF_SCOPE_ROUTE;
        const char *prefix = is_gateways ? "Gateway" : "SessionFast";
        ck_assert_int_eq(strncmp(option->directive, prefix, strlen(prefix)), 0);
        ck_assert_int_eq(is_gateways, i >= SF_OPTION_AT_gateway_listen);
        ck_assert_uint_le(option->min, option->max);
        ck_assert_int_eq(option->words != NULL, option->type == SF_OPTION_ENUM);
        ck_assert_msg(option->help[strlen(option->help) - 1] == '.', "%s: help is no sentence",
                      option->directive);
        ck_assert_ptr_eq(sf_option_find(option->directive), option);
    }
}
END_TEST

START_TEST(test_directive_is_found_in_any_case)
{
    ck_assert_ptr_eq(sf_option_find("sessionfastSTORE"), &sf_options[SF_OPTION_AT_store]);
    ck_assert_ptr_null(sf_option_find("SessionFastStor"));
    ck_assert_ptr_null(sf_option_find(""));
}
END_TEST

START_TEST(test_each_type_is_stored_in_its_field)
{
    ck_assert_int_eq(set("SessionFastIdleTimeout", "2h"), SF_OK);
    ck_assert_int_eq(set("SessionFastCacheSize", "128M"), SF_OK);
    ck_assert_int_eq(set("SessionFastFlushBatch", "25"), SF_OK);
    ck_assert_int_eq(set("SessionFast", "on"), SF_OK);
    ck_assert_int_eq(set("SessionFastStore", "sqlite:other.db"), SF_OK);
    ck_assert_int_eq(set("SessionFastCookieSameSite", "strict"), SF_OK);
    ck_assert_int_eq(config.idle_timeout, 2 * SF_HOUR);
    ck_assert_uint_eq(config.cache_size, 128 << 20);
    ck_assert_int_eq(config.flush_batch, 25);
    ck_assert(config.enabled);
    ck_assert_str_eq(config.store, "sqlite:other.db");
    ck_assert_int_eq(config.cookie_same_site, SF_SAME_SITE_STRICT);
}
END_TEST

START_TEST(test_set_marks_its_own_option_only)
{
    ck_assert_int_eq(set("SessionFastDeadline", "1s"), SF_OK);
    for (size_t i = 0; i < SF_OPTION_COUNT; i++)
        ck_assert_int_eq(config.is_set[i], i == SF_OPTION_AT_deadline);
}
END_TEST

START_TEST(test_text_is_copied)
{
    char text[] = "sqlite:mine.db";
    ck_assert_int_eq(set("SessionFastStore", text), SF_OK);
    text[0] = 'X';
    ck_assert_str_eq(config.store, "sqlite:mine.db");
}
END_TEST

START_TEST(test_words_stand_in_the_order_of_their_enum)
{
    static const struct {
        const char *directive, *word;
        size_t option;
        int value;
    } cases[] = {
        {"SessionFastCookieSameSite", "Strict", SF_OPTION_AT_cookie_same_site, SF_SAME_SITE_STRICT},
        {"SessionFastCookieSameSite", "Lax", SF_OPTION_AT_cookie_same_site, SF_SAME_SITE_LAX},
        {"SessionFastCookieSameSite", "None", SF_OPTION_AT_cookie_same_site, SF_SAME_SITE_NONE},
        {"SessionFastDurability", "memory", SF_OPTION_AT_durability, SF_DURABILITY_MEMORY},
        {"SessionFastDurability", "journal", SF_OPTION_AT_durability, SF_DURABILITY_JOURNAL},
        {"SessionFastDurability", "store", SF_OPTION_AT_durability, SF_DURABILITY_STORE},
        {"SessionFastLoginDurability", "memory", SF_OPTION_AT_login_durability,
         SF_DURABILITY_MEMORY},
        {"SessionFastLoginDurability", "journal", SF_OPTION_AT_login_durability,
         SF_DURABILITY_JOURNAL},
        {"SessionFastLoginDurability", "store", SF_OPTION_AT_login_durability, SF_DURABILITY_STORE},
        {"SessionFastOnError", "unavailable", SF_OPTION_AT_on_error, SF_ON_ERROR_UNAVAILABLE},
        {"SessionFastOnError", "anonymous", SF_OPTION_AT_on_error, SF_ON_ERROR_ANONYMOUS},
        {"SessionFastDataFormat", "form", SF_OPTION_AT_data_format, SF_DATA_FORM},
        {"SessionFastDataFormat", "json", SF_OPTION_AT_data_format, SF_DATA_JSON},
        {"SessionFastDataFormat", "none", SF_OPTION_AT_data_format, SF_DATA_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int value;
        ck_assert_int_eq(set(cases[i].directive, cases[i].word), SF_OK);
        memcpy(&value, (const char *)&config + sf_options[cases[i].option].offset, sizeof value);
        ck_assert_int_eq(value, cases[i].value);
        ck_assert_str_eq(format(cases[i].directive), cases[i].word);
    }
}
END_TEST

START_TEST(test_list_is_kept_as_words_with_single_blanks)
{
    ck_assert_int_eq(set("SessionFastExport", "  theme \t cart\tlang "), SF_OK);
    ck_assert_str_eq(config.export, "theme cart lang");
    ck_assert_int_eq(set("SessionFastExport", " \t"), SF_OK);
    ck_assert_str_eq(config.export, "");
}
END_TEST

START_TEST(test_malformed_values_are_refused_with_directive_value_and_range)
{
    assert_refused("SessionFastCacheSize", "12X",
                   "SessionFastCacheSize: '12X' is not a size (0 to 64G)");
    assert_refused("SessionFastFlushDelay", "soon",
                   "SessionFastFlushDelay: 'soon' is not a duration (10ms to 1h)");
    assert_refused("SessionFastFlushBatch", "-1",
                   "SessionFastFlushBatch: '-1' is not a number (1 to 100000)");
    assert_refused("SessionFast", "yes", "SessionFast: 'yes' is neither On nor Off");
    assert_refused("SessionFastCookieSameSite", "Loose",
                   "SessionFastCookieSameSite: 'Loose' is unknown (Strict, Lax, None)");
}
END_TEST

START_TEST(test_values_out_of_range_are_refused)
{
    assert_refused("SessionFastMaxBytes", "1023",
                   "SessionFastMaxBytes: '1023' is out of range (1K to 1M)");
    assert_refused("SessionFastCacheSize", "65G",
                   "SessionFastCacheSize: '65G' is out of range (0 to 64G)");
    assert_refused("SessionFastFlushBatch", "0",
                   "SessionFastFlushBatch: '0' is out of range (1 to 100000)");
    assert_refused("SessionFastDeadline", "0",
                   "SessionFastDeadline: '0' is out of range (1ms to 1min)");
    assert_refused("SessionFastCookieMaxAge", "401d",
                   "SessionFastCookieMaxAge: '401d' is out of range (0 to 400d)");
}
END_TEST

START_TEST(test_every_number_takes_its_limits_and_nothing_beyond)
{
    for (size_t i = 0; i < SF_OPTION_COUNT; i++) {
        const struct sf_option *option = &sf_options[i];
        const char *unit = option->type == SF_OPTION_DURATION ? "ms" : "";
        if (option->type != SF_OPTION_DURATION && option->type != SF_OPTION_SIZE &&
            option->type != SF_OPTION_INTEGER)
            continue;
        char text[40];
        snprintf(text, sizeof text, "%llu%s", (unsigned long long)option->min, unit);
        ck_assert_int_eq(set(option->directive, text), SF_OK);
        snprintf(text, sizeof text, "%llu%s", (unsigned long long)option->max, unit);
        ck_assert_int_eq(set(option->directive, text), SF_OK);
        snprintf(text, sizeof text, "%llu%s", (unsigned long long)option->max + 1, unit);
        ck_assert_int_eq(set(option->directive, text), SF_INVALID);
        if (option->min == 0)
            continue;
        snprintf(text, sizeof text, "%llu%s", (unsigned long long)option->min - 1, unit);
        ck_assert_int_eq(set(option->directive, text), SF_INVALID);
    }
}
END_TEST

START_TEST(test_every_text_takes_its_limits_and_nothing_beyond)
{
    static char text[8192];
    for (size_t i = 0; i < SF_OPTION_COUNT; i++) {
        const struct sf_option *option = &sf_options[i];
        if (option->type != SF_OPTION_TEXT && option->type != SF_OPTION_LIST)
            continue;
        memset(text, 'x', sizeof text);
        text[option->max + 1] = '\0';
        ck_assert_int_eq(set(option->directive, text), SF_INVALID);
        text[option->max] = '\0';
        ck_assert_int_eq(set(option->directive, text), SF_OK);
        text[option->min] = '\0';
        ck_assert_int_eq(set(option->directive, text), SF_OK);
        if (option->min == 0)
            continue;
        text[option->min - 1] = '\0';
        ck_assert_int_eq(set(option->directive, text), SF_INVALID);
    }
}
END_TEST

START_TEST(test_text_errors_do_not_repeat_the_text)
{
    assert_refused("SessionFastStore", "abc",
                   "SessionFastStore: a text of 3 bytes is out of range (4 to 1024 bytes)");
    assert_refused("SessionFastStore", "redis://:password@host\n",
                   "SessionFastStore: control characters are not allowed (4 to 1024 bytes)");
}
END_TEST

START_TEST(test_control_characters_of_a_value_are_shown_as_question_marks)
{
    assert_refused("SessionFastFlushBatch", "1\n2\x1b",
                   "SessionFastFlushBatch: '1?2?' is not a number (1 to 100000)");
}
END_TEST

START_TEST(test_long_value_is_cut_so_that_the_range_is_seen)
{
    char text[1000];
    memset(text, '9', sizeof text);
    text[sizeof text - 1] = '\0';
    ck_assert_int_eq(set("SessionFastFlushBatch", text), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "9' is not a number (1 to 100000)"));
}
END_TEST

START_TEST(test_merge_takes_what_the_inner_level_sets)
{
    struct sf_config outer, merged;
    ck_assert_int_eq(set("SessionFastIdleTimeout", "2h"), SF_OK);
    ck_assert_int_eq(set("SessionFastCookieName", "outer"), SF_OK);
    ck_assert_int_eq(set("SessionFast", "On"), SF_OK);
    outer = config;
    sf_config_init(&config);
    ck_assert_int_eq(set("SessionFastCookieName", "inner"), SF_OK);
    ck_assert_int_eq(set("SessionFast", "Off"), SF_OK);
    sf_config_merge(&merged, &outer, &config);
    ck_assert_int_eq(merged.idle_timeout, 2 * SF_HOUR);
    ck_assert_str_eq(merged.cookie_name, "inner");
    ck_assert(!merged.enabled);
    ck_assert(merged.is_set[SF_OPTION_AT_idle_timeout]);
    ck_assert(merged.is_set[SF_OPTION_AT_cookie_name]);
    ck_assert(!merged.is_set[SF_OPTION_AT_store]);
}
END_TEST

START_TEST(test_merge_lets_a_default_that_is_written_out_win)
{
    struct sf_config outer, merged;
    ck_assert_int_eq(set("SessionFastIdleTimeout", "2h"), SF_OK);
    outer = config;
    sf_config_init(&config);
    ck_assert_int_eq(set("SessionFastIdleTimeout", "30min"), SF_OK);
    sf_config_merge(&merged, &outer, &config);
    ck_assert_int_eq(merged.idle_timeout, 30 * SF_MINUTE);
}
END_TEST

START_TEST(test_merge_of_every_option_alone_changes_it_alone)
{
    static const struct sf_config zero;
    struct sf_config outer, merged;
    sf_config_init(&outer);
    for (size_t i = 0; i < SF_OPTION_COUNT; i++) {
        struct sf_config inner = zero;
        ck_assert_int_eq(sf_config_set(&inner, &sf_options[i], sf_options[i].default_text, pool,
                                       &error),
                         SF_OK);
        sf_config_merge(&merged, &outer, &inner);
        for (size_t at = 0; at < SF_OPTION_COUNT; at++)
            ck_assert_str_eq(sf_config_format(&merged, &sf_options[at], pool),
                             sf_options[at].default_text);
    }
}
END_TEST

START_TEST(test_merge_replaces_lists)
{
    struct sf_config outer, merged;
    ck_assert_int_eq(set("SessionFastExport", "a b"), SF_OK);
    outer = config;
    ck_assert_int_eq(set("SessionFastExport", "c"), SF_OK);
    sf_config_merge(&merged, &outer, &config);
    ck_assert_str_eq(merged.export, "c");
}
END_TEST

static TCase *
table_tests(void)
{
    TCase *tests = tcase_create("table");
    tcase_add_checked_fixture(tests, make_defaults, drop_pool);
    tcase_add_test(tests, test_every_default_is_a_value_that_an_administrator_may_write);
    tcase_add_test(tests, test_defaults_are_written_as_they_are_shown);
    tcase_add_test(tests, test_defaults_are_safe);
    tcase_add_test(tests, test_nothing_is_set_at_first);
    tcase_add_test(tests, test_every_row_is_complete);
    tcase_add_test(tests, test_directive_is_found_in_any_case);
    tcase_add_test(tests, test_merge_takes_what_the_inner_level_sets);
    tcase_add_test(tests, test_merge_lets_a_default_that_is_written_out_win);
    tcase_add_test(tests, test_merge_of_every_option_alone_changes_it_alone);
    tcase_add_test(tests, test_merge_replaces_lists);
    return tests;
}

static TCase *
value_tests(void)
{
    TCase *tests = tcase_create("values");
    tcase_add_checked_fixture(tests, make_defaults, drop_pool);
    tcase_add_test(tests, test_each_type_is_stored_in_its_field);
    tcase_add_test(tests, test_set_marks_its_own_option_only);
    tcase_add_test(tests, test_text_is_copied);
    tcase_add_test(tests, test_words_stand_in_the_order_of_their_enum);
    tcase_add_test(tests, test_list_is_kept_as_words_with_single_blanks);
    tcase_add_test(tests, test_malformed_values_are_refused_with_directive_value_and_range);
    tcase_add_test(tests, test_values_out_of_range_are_refused);
    tcase_add_test(tests, test_every_number_takes_its_limits_and_nothing_beyond);
    tcase_add_test(tests, test_every_text_takes_its_limits_and_nothing_beyond);
    tcase_add_test(tests, test_text_errors_do_not_repeat_the_text);
    tcase_add_test(tests, test_control_characters_of_a_value_are_shown_as_question_marks);
    tcase_add_test(tests, test_long_value_is_cut_so_that_the_range_is_seen);
    return tests;
}

int
main(void)
{
    Suite *suite = suite_create("config");
    suite_add_tcase(suite, table_tests());
    suite_add_tcase(suite, value_tests());
    return sf_run_suite(suite);
}
