/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/session.h"

#include <check.h>
#include <stdio.h>

#include "tests/support/run_suite.h"

static struct sf_value
text_value(const char *text)
{
    return (struct sf_value){.type = SF_VALUE_STRING, .bytes = sf_span_text(text)};
}

static void
set(struct sf_session *session, const char *name, const char *text)
{
    struct sf_value value = text_value(text);

    ck_assert_int_eq(sf_session_set(session, sf_span_text(name), &value), SF_OK);
}

static bool
has(const struct sf_session *session, const char *name, const char *text)
{
    const struct sf_field *field = sf_session_find(session, sf_span_text(name));

    return field != NULL && sf_span_equal(field->value.bytes, sf_span_text(text));
}

START_TEST(test_fields_stay_sorted)
{
    struct sf_session session;

    sf_session_init(&session);
    for (const char *name = "mzakq"; *name != '\0'; name++) {
        struct sf_value value = text_value("x");

        ck_assert_int_eq(sf_session_set(&session, sf_span_of(name, 1), &value), SF_OK);
    }
    ck_assert_uint_eq(session.count, 5);
    for (size_t i = 1; i < session.count; i++)
        ck_assert_int_lt(sf_span_compare(session.fields[i - 1].name, session.fields[i].name), 0);
    sf_session_fini(&session);
}
END_TEST

START_TEST(test_set_replaces_and_unset_removes)
{
    struct sf_session session;

    sf_session_init(&session);
    set(&session, "theme", "dark");
    set(&session, "theme", "light");
    set(&session, "lang", "de");
    ck_assert_uint_eq(session.count, 2);
    ck_assert(has(&session, "theme", "light"));
    ck_assert(sf_session_unset(&session, sf_span_text("theme")));
    ck_assert(!sf_session_unset(&session, sf_span_text("theme")));
    ck_assert_ptr_null(sf_session_find(&session, sf_span_text("theme")));
    ck_assert(has(&session, "lang", "de"));
    sf_session_fini(&session);
}
END_TEST

START_TEST(test_set_refuses_bad_names)
{
    struct sf_session session;
    struct sf_value value = text_value("x");

    sf_session_init(&session);
    ck_assert_int_eq(sf_session_set(&session, sf_span_text(""), &value), SF_INVALID);
    ck_assert_int_eq(sf_session_set(&session, sf_span_of("a\0", 2), &value), SF_INVALID);
    ck_assert_uint_eq(session.count, 0);
    sf_session_fini(&session);
}
END_TEST

START_TEST(test_set_is_full_beyond_the_limit)
{
    static char names[SF_FIELDS_MAX + 1][16];
    struct sf_session session;
    struct sf_value value = text_value("x");

    sf_session_init(&session);
    for (int i = 0; i < SF_FIELDS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "%d", i);
        set(&session, names[i], "x");
    }
    ck_assert_int_eq(sf_session_set(&session, sf_span_text("more"), &value), SF_FULL);
    ck_assert_int_eq(sf_session_set(&session, sf_span_text("17"), &value), SF_OK);
    sf_session_fini(&session);
}
END_TEST

START_TEST(test_decoded_session_is_the_encoded_one)
{
    struct sf_session session, decoded;
    struct sf_buffer record;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    sf_session_init(&session);
    sf_session_init(&decoded);
    session.head.version = 5;
    session.head.user = sf_span_text("anna");
    set(&session, "theme", "dark");
    set(&session, "cart", "");
    ck_assert_int_eq(sf_session_encode(&session, 1024, &record), SF_OK);
    ck_assert_int_eq(sf_session_decode(&decoded, sf_buffer_span(&record)), SF_OK);
    ck_assert_uint_eq(decoded.head.version, 5);
    ck_assert(sf_span_equal(decoded.head.user, sf_span_text("anna")));
    ck_assert_uint_eq(decoded.count, 2);
    ck_assert(has(&decoded, "theme", "dark"));
    ck_assert(has(&decoded, "cart", ""));
    sf_session_fini(&session);
    sf_session_fini(&decoded);
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_corrupt_record_leaves_the_session_as_it_was)
{
    struct sf_session session;

    sf_session_init(&session);
    set(&session, "theme", "dark");
    ck_assert_int_eq(sf_session_decode(&session, sf_span_text("no record")), SF_CORRUPT);
    ck_assert(has(&session, "theme", "dark"));
    sf_session_fini(&session);
}
END_TEST

START_TEST(test_too_large_session_is_full)
{
    struct sf_session session;
    struct sf_buffer record;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    sf_session_init(&session);
    set(&session, "theme", "dark");
    ck_assert_int_eq(sf_session_encode(&session, 100, &record), SF_FULL);
    sf_session_fini(&session);
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_numbers_become_text)
{
    char number[SF_NUMBER_TEXT];
    struct sf_value lowest = {.type = SF_VALUE_INTEGER, .integer = INT64_MIN},
                    highest = {.type = SF_VALUE_INTEGER, .integer = INT64_MAX},
                    none = {.type = SF_VALUE_INTEGER}, text = text_value("x");

    ck_assert(sf_span_equal(sf_value_text(&lowest, number), sf_span_text("-9223372036854775808")));
    ck_assert(sf_span_equal(sf_value_text(&highest, number), sf_span_text("9223372036854775807")));
    ck_assert(sf_span_equal(sf_value_text(&none, number), sf_span_text("0")));
    ck_assert(sf_span_equal(sf_value_text(&text, number), sf_span_text("x")));
}
END_TEST

START_TEST(test_values_are_equal_by_type_and_content)
{
    struct sf_value five = {.type = SF_VALUE_INTEGER, .integer = 5}, text = text_value("5"),
                    bytes = text;

    bytes.type = SF_VALUE_BYTES;
    ck_assert(sf_value_equal(&five, &five));
    ck_assert(sf_value_equal(&text, &text));
    ck_assert(!sf_value_equal(&five, &text));
    ck_assert(!sf_value_equal(&text, &bytes));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("session");
    TCase *tests = tcase_create("session");
    tcase_add_test(tests, test_fields_stay_sorted);
    tcase_add_test(tests, test_set_replaces_and_unset_removes);
    tcase_add_test(tests, test_set_refuses_bad_names);
    tcase_add_test(tests, test_set_is_full_beyond_the_limit);
    tcase_add_test(tests, test_decoded_session_is_the_encoded_one);
    tcase_add_test(tests, test_corrupt_record_leaves_the_session_as_it_was);
    tcase_add_test(tests, test_too_large_session_is_full);
    tcase_add_test(tests, test_numbers_become_text);
    tcase_add_test(tests, test_values_are_equal_by_type_and_content);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
