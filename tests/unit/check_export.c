/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/export.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/run_suite.h"

static struct sf_session session;
static struct sf_export_options options;
static struct sf_key key;

/* What an application would see: "NAME=value" lines in order. */
static struct sf_buffer seen;

static void
start(void)
{
    sf_session_init(&session);
    sf_buffer_init(&seen, 1 << 20);
    session.head.created = 1700000000999;
    options = (struct sf_export_options){.fields = "*", .data_format = SF_DATA_NONE};
    memset(key.bytes, 0xab, sizeof(key.bytes));
}

static void
finish(void)
{
    sf_session_fini(&session);
    sf_buffer_fini(&seen);
}

static void
set_typed(const char *name, enum sf_value_type type, struct sf_span bytes)
{
    struct sf_value value = {.type = type, .bytes = bytes};

    ck_assert_int_eq(sf_session_set(&session, sf_span_text(name), &value), SF_OK);
}

static void
set(const char *name, const char *text)
{
    set_typed(name, SF_VALUE_STRING, sf_span_text(text));
}

static void
note_variable(void *context, const char *name, struct sf_span value)
{
    ck_assert_ptr_eq(context, &seen);
    ck_assert_int_eq(sf_buffer_append_format(&seen, "%s=%.*s\n", name, (int)value.size,
                                             (const char *)value.data),
                     SF_OK);
}

static void
export_as(bool is_new, sf_time expires)
{
    ck_assert_int_eq(
        sf_export_environment(&session, &key, is_new, expires, &options, note_variable, &seen),
        SF_OK);
    ck_assert_int_eq(sf_buffer_append(&seen, "", 1), SF_OK);
}

static bool
sees(const char *line)
{
    return strstr((const char *)seen.data, line) != NULL;
}

START_TEST(test_without_a_session_there_is_a_state_only)
{
    ck_assert_int_eq(sf_export_environment(NULL, NULL, false, 0, &options, note_variable, &seen),
                     SF_OK);
    ck_assert(sf_span_equal(sf_buffer_span(&seen), sf_span_text("SESSION_STATE=none\n")));
}
END_TEST

START_TEST(test_head_of_an_anonymous_session)
{
    export_as(true, 0);
    ck_assert_str_eq((const char *)seen.data,
                     "SESSION_STATE=new\nSESSION_KEY=abababab\nSESSION_CREATED=1700000000\n");
}
END_TEST

START_TEST(test_head_of_a_session_with_user_and_end)
{
    session.head.user = sf_span_text("anna");
    export_as(false, 1700003600000);
    ck_assert_str_eq((const char *)seen.data,
                     "SESSION_STATE=active\nSESSION_KEY=abababab\nSESSION_USER=anna\n"
                     "SESSION_CREATED=1700000000\nSESSION_EXPIRES=1700003600\n");
}
END_TEST

START_TEST(test_fields_have_variables_of_their_own)
{
    struct sf_value five = {.type = SF_VALUE_INTEGER, .integer = -5};

    set("theme", "dark");
    set("my-field.2", "x");
    ck_assert_int_eq(sf_session_set(&session, sf_span_text("count"), &five), SF_OK);
    export_as(false, 0);
    ck_assert(sees("\nSESSION_FIELD_THEME=dark\n"));
    ck_assert(sees("\nSESSION_FIELD_MY_FIELD_2=x\n"));
    ck_assert(sees("\nSESSION_FIELD_COUNT=-5\n"));
    ck_assert(!sees("SESSION_OMITTED"));
}
END_TEST

START_TEST(test_names_that_collide_are_left_out_all)
{
    set("a-b", "1");
    set("a_b", "2");
    set("A.b", "3");
    set("ab", "4");
    export_as(false, 0);
    ck_assert(!sees("SESSION_FIELD_A_B"));
    ck_assert(sees("SESSION_FIELD_AB=4\n"));
    ck_assert(sees("SESSION_OMITTED=3\n"));
}
END_TEST

START_TEST(test_values_that_a_variable_cannot_hold_are_omitted)
{
    static char large[SF_EXPORT_VALUE_MAX + 2];

    memset(large, 'x', SF_EXPORT_VALUE_MAX + 1);
    set("large", large);
    set_typed("nul", SF_VALUE_STRING, sf_span_of("a\0b", 3));
    set_typed("bytes", SF_VALUE_BYTES, sf_span_text("plain"));
    export_as(false, 0);
    ck_assert(!sees("SESSION_FIELD_"));
    ck_assert(sees("SESSION_OMITTED=3\n"));
}
END_TEST

START_TEST(test_all_variables_together_are_bounded)
{
    static char half[SF_EXPORT_VALUE_MAX + 1];

    memset(half, 'x', SF_EXPORT_VALUE_MAX);
    set("a", half);
    set("b", half);
    set("c", "small");
    export_as(false, 0);
    ck_assert(sees("SESSION_FIELD_A="));
    ck_assert(!sees("SESSION_FIELD_B="));
    ck_assert(sees("SESSION_FIELD_C=small\n"));
    ck_assert(sees("SESSION_OMITTED=1\n"));
}
END_TEST

START_TEST(test_only_exported_fields_are_shown)
{
    set("theme", "dark");
    set("secret", "x");
    options = (struct sf_export_options){.fields = "lang theme", .data_format = SF_DATA_FORM};
    export_as(false, 0);
    ck_assert(sees("SESSION_FIELD_THEME=dark\n"));
    ck_assert(sees("SESSION_DATA=theme=dark\n"));
    ck_assert(!sees("SECRET") && !sees("secret") && !sees("OMITTED"));
}
END_TEST

START_TEST(test_data_is_form_encoded)
{
    set("a b", "c&d");
    set_typed("bytes", SF_VALUE_BYTES, sf_span_of("\0", 1));
    options.data_format = SF_DATA_FORM;
    export_as(false, 0);
    ck_assert(sees("\nSESSION_DATA=a+b=c%26d&bytes=%00\n"));
}
END_TEST

START_TEST(test_data_is_json_when_asked_for)
{
    set("a", "\"");
    options.data_format = SF_DATA_JSON;
    export_as(false, 0);
    ck_assert(sees("\nSESSION_DATA={\"a\":\"\\\"\"}\n"));
}
END_TEST

START_TEST(test_empty_session_has_empty_data)
{
    options.data_format = SF_DATA_FORM;
    export_as(false, 0);
    ck_assert(sees("\nSESSION_DATA=\n"));
}
END_TEST

START_TEST(test_data_that_is_too_large_is_announced_instead)
{
    static char large[SF_EXPORT_DATA_MAX + 1];

    memset(large, 'x', SF_EXPORT_DATA_MAX - 1);
    set("a", large);
    options.data_format = SF_DATA_FORM;
    export_as(false, 0);
    ck_assert(!sees("SESSION_DATA"));
    ck_assert(sees("SESSION_TRUNCATED=1\n"));
}
END_TEST

START_TEST(test_data_up_to_the_limit_is_shown)
{
    static char large[SF_EXPORT_DATA_MAX + 1];

    memset(large, 'x', SF_EXPORT_DATA_MAX - 2);
    set("a", large);
    options.data_format = SF_DATA_FORM;
    export_as(false, 0);
    ck_assert(sees("SESSION_DATA=a="));
}
END_TEST

START_TEST(test_a_session_of_many_fields_stays_bounded)
{
    static char names[SF_FIELDS_MAX][24];

    for (int i = 0; i < SF_FIELDS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "field-%d", i);
        set(names[i], "0123456789");
    }
    options.data_format = SF_DATA_JSON;
    export_as(false, 0);
    ck_assert(sees("SESSION_TRUNCATED=1\n"));
    ck_assert(sees("SESSION_OMITTED="));
    ck_assert_uint_lt(seen.size, 32768);
}
END_TEST

START_TEST(test_ours_are_all_names_that_could_be_taken_for_ours)
{
    for (const char *const *name =
             (const char *const[]){"SESSION", "SESSION_USER", "SESSION_FIELD_X", "session_user",
                                   "HTTP_SESSION", "HTTP_SESSION_USER", "HTTP_X_SESSION",
                                   "HTTP_X_SESSION_SET", "REDIRECT_SESSION_FIELD_X",
                                   "REDIRECT_REDIRECT_HTTP_SESSION", NULL};
         *name != NULL; name++)
        ck_assert_msg(sf_export_is_ours(*name), "%s", *name);
    for (const char *const *name = (const char *const[]){"", "PATH", "SESSIONS", "MY_SESSION",
                                                         "HTTP_COOKIE", "HTTP_X_SESS", "HTTP_SESSIONTOKEN",
                                                         "HTTP_X_SESSIONS", "REDIRECT_", NULL};
         *name != NULL; name++)
        ck_assert_msg(!sf_export_is_ours(*name), "%s", *name);
}
END_TEST

START_TEST(test_lists_of_fields_match_whole_names)
{
    ck_assert(sf_export_allows("*", sf_span_text("a")));
    ck_assert(sf_export_allows("ab a", sf_span_text("a")));
    ck_assert(sf_export_allows("ab a", sf_span_text("ab")));
    ck_assert(!sf_export_allows("ab a", sf_span_text("b")));
    ck_assert(!sf_export_allows("ab a", sf_span_text("ab a")));
    ck_assert(!sf_export_allows("ab a", sf_span_text("*")));
    ck_assert(!sf_export_allows("", sf_span_text("a")));
    ck_assert(!sf_export_allows("", sf_span_text("")));
    ck_assert(!sf_export_allows("*", sf_span_text("members-pw")));
    ck_assert(!sf_export_allows("*", sf_span_text("members-SITE")));
    ck_assert(sf_export_allows("members-pw", sf_span_text("members-pw")));
    ck_assert(sf_export_allows("*", sf_span_text("-pw")));
}
END_TEST

START_TEST(test_realms_are_what_stands_before_the_suffixes)
{
    ck_assert(sf_span_equal(sf_export_realm(sf_span_text("members-user")), sf_span_text("members")));
    ck_assert(sf_span_equal(sf_export_realm(sf_span_text("a-b-PW")), sf_span_text("a-b")));
    ck_assert(sf_span_equal(sf_export_realm(sf_span_text("m-site")), sf_span_text("m")));
    ck_assert_uint_eq(sf_export_realm(sf_span_text("-user")).size, 0);
    ck_assert_uint_eq(sf_export_realm(sf_span_text("user")).size, 0);
    ck_assert(sf_export_is_user(sf_span_text("members-user")));
    ck_assert(!sf_export_is_user(sf_span_text("members-pw")));
    ck_assert(!sf_export_is_user(sf_span_text("-user")));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("export");
    TCase *tests = tcase_create("export");
    tcase_add_checked_fixture(tests, start, finish);
    tcase_add_test(tests, test_without_a_session_there_is_a_state_only);
    tcase_add_test(tests, test_head_of_an_anonymous_session);
    tcase_add_test(tests, test_head_of_a_session_with_user_and_end);
    tcase_add_test(tests, test_fields_have_variables_of_their_own);
    tcase_add_test(tests, test_names_that_collide_are_left_out_all);
    tcase_add_test(tests, test_values_that_a_variable_cannot_hold_are_omitted);
    tcase_add_test(tests, test_all_variables_together_are_bounded);
    tcase_add_test(tests, test_only_exported_fields_are_shown);
    tcase_add_test(tests, test_data_is_form_encoded);
    tcase_add_test(tests, test_data_is_json_when_asked_for);
    tcase_add_test(tests, test_empty_session_has_empty_data);
    tcase_add_test(tests, test_data_that_is_too_large_is_announced_instead);
    tcase_add_test(tests, test_data_up_to_the_limit_is_shown);
    tcase_add_test(tests, test_a_session_of_many_fields_stays_bounded);
    tcase_add_test(tests, test_ours_are_all_names_that_could_be_taken_for_ours);
    tcase_add_test(tests, test_lists_of_fields_match_whole_names);
    tcase_add_test(tests, test_realms_are_what_stands_before_the_suffixes);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
