/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/export.h"

#include <check.h>
#include <string.h>

#include "tests/support/run_suite.h"

static struct sf_session session;
static struct sf_buffer json;

static void
start(void)
{
    sf_session_init(&session);
    sf_buffer_init(&json, 1 << 16);
}

static void
finish(void)
{
    sf_session_fini(&session);
    sf_buffer_fini(&json);
}

static void
set(const char *name, enum sf_value_type type, struct sf_span bytes)
{
    struct sf_value value = {.type = type, .bytes = bytes};

    ck_assert_int_eq(sf_session_set(&session, sf_span_text(name), &value), SF_OK);
}

static void
set_text(const char *name, const char *text)
{
    set(name, SF_VALUE_STRING, sf_span_text(text));
}

static void
gives(const char *wanted)
{
    sf_buffer_clear(&json);
    ck_assert_int_eq(sf_export_json(&session, "*", &json), SF_OK);
    ck_assert_int_eq(sf_buffer_append(&json, "", 1), SF_OK);
    ck_assert_str_eq((const char *)json.data, wanted);
}

START_TEST(test_empty_session_is_an_empty_object)
{
    gives("{}");
}
END_TEST

START_TEST(test_members_are_sorted_and_separated)
{
    struct sf_value number = {.type = SF_VALUE_INTEGER, .integer = INT64_MIN};

    set_text("theme", "dark");
    set_text("cart", "");
    ck_assert_int_eq(sf_session_set(&session, sf_span_text("count"), &number), SF_OK);
    gives("{\"cart\":\"\",\"count\":-9223372036854775808,\"theme\":\"dark\"}");
}
END_TEST

START_TEST(test_quotes_and_control_characters_are_escaped)
{
    set("a\"\\", SF_VALUE_STRING, sf_span_of("\"\\\n\0\x1f\x7f/", 7));
    gives("{\"a\\\"\\\\\":\"\\\"\\\\\\u000a\\u0000\\u001f\\u007f/\"}");
}
END_TEST

START_TEST(test_utf8_passes_through)
{
    set_text("name", "J\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x99\x82");
    set("bytes", SF_VALUE_BYTES, sf_span_text("\xc3\xbc"));
    gives("{\"bytes\":\"\xc3\xbc\",\"name\":\"J\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x99\x82\"}");
}
END_TEST

START_TEST(test_values_that_are_not_utf8_become_base64)
{
    set("b", SF_VALUE_BYTES, sf_span_of("\x00\xff\xfe", 3));
    set("s", SF_VALUE_STRING, sf_span_text("a\xff"));
    gives("{\"b\":{\"base64\":\"AP/+\"},\"s\":{\"base64\":\"Yf8=\"}}");
}
END_TEST

START_TEST(test_false_utf8_is_seen)
{
    static const char *const wrong[] = {
        "\x80",             /* nothing to continue */
        "\xc3",             /* cut */
        "\xc0\xaf",         /* overlong */
        "\xe0\x80\xaf",     /* overlong */
        "\xf0\x80\x80\xaf", /* overlong */
        "\xed\xa0\x80",     /* surrogate */
        "\xf4\x90\x80\x80", /* behind the last character */
        "\xf5\x80\x80\x80",
        "\xe2\x82",
        "\xf0\x9f\x99",
        "\xe2\x28\xa1",
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        set_text("a", wrong[i]);
        sf_buffer_clear(&json);
        ck_assert_int_eq(sf_export_json(&session, "*", &json), SF_OK);
        ck_assert_ptr_nonnull(memmem(json.data, json.size, "base64", 6));
    }
}
END_TEST

START_TEST(test_names_that_are_not_utf8_are_marked)
{
    set_text("a\xff"
             "b",
             "1");
    gives("{\"a\\ufffdb\":\"1\"}");
}
END_TEST

START_TEST(test_only_exported_fields_are_shown)
{
    set_text("a", "1");
    set_text("b", "2");
    set_text("c", "3");
    ck_assert_int_eq(sf_export_json(&session, "b c", &json), SF_OK);
    ck_assert(sf_span_equal(sf_buffer_span(&json), sf_span_text("{\"b\":\"2\",\"c\":\"3\"}")));
}
END_TEST

START_TEST(test_json_that_does_not_fit_leaves_the_buffer)
{
    json.limit = 12;
    ck_assert_int_eq(sf_buffer_append_text(&json, "before"), SF_OK);
    set_text("name", "value");
    ck_assert_int_eq(sf_export_json(&session, "*", &json), SF_FULL);
    ck_assert(sf_span_equal(sf_buffer_span(&json), sf_span_text("before")));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("export_json");
    TCase *tests = tcase_create("export_json");
    tcase_add_checked_fixture(tests, start, finish);
    tcase_add_test(tests, test_empty_session_is_an_empty_object);
    tcase_add_test(tests, test_members_are_sorted_and_separated);
    tcase_add_test(tests, test_quotes_and_control_characters_are_escaped);
    tcase_add_test(tests, test_utf8_passes_through);
    tcase_add_test(tests, test_values_that_are_not_utf8_become_base64);
    tcase_add_test(tests, test_false_utf8_is_seen);
    tcase_add_test(tests, test_names_that_are_not_utf8_are_marked);
    tcase_add_test(tests, test_only_exported_fields_are_shown);
    tcase_add_test(tests, test_json_that_does_not_fit_leaves_the_buffer);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
