/* SPDX-License-Identifier: Apache-2.0 */
#include "common/identity/cookie.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/run_suite.h"

static struct sf_buffer text;

static void
start(void)
{
    sf_buffer_init(&text, 1 << 20);
}

static void
finish(void)
{
    sf_buffer_fini(&text);
}

static bool
note_value(void *context, struct sf_span value)
{
    (void)context;
    ck_assert_int_eq(sf_buffer_append_text(&text, "<"), SF_OK);
    ck_assert_int_eq(sf_buffer_append_span(&text, value), SF_OK);
    ck_assert_int_eq(sf_buffer_append_text(&text, ">"), SF_OK);
    return true;
}

static void
finds(const char *header, const char *wanted)
{
    sf_buffer_clear(&text);
    sf_cookie_each(sf_span_text(header), "id", note_value, NULL);
    ck_assert_int_eq(sf_buffer_append(&text, "", 1), SF_OK);
    ck_assert_str_eq((const char *)text.data, wanted);
}

START_TEST(test_cookie_is_found_wherever_it_stands)
{
    finds("id=x", "<x>");
    finds("id=x; a=1", "<x>");
    finds("a=1; id=x", "<x>");
    finds("a=1;id=x;b=2", "<x>");
    finds("a=1 ;\t id = x \t; b=2", "<x>");
    finds(";;id=x;;", "<x>");
}
END_TEST

START_TEST(test_names_match_exactly)
{
    finds("ID=x", "");
    finds("xid=x; idx=x; i=x; =id; id", "");
    finds("a=id=x", "");
    finds("\"id\"=x", "");
    finds("", "");
    finds(";", "");
}
END_TEST

START_TEST(test_every_duplicate_is_offered_in_order)
{
    finds("id=x; a=1; id=y;id=x", "<x><y><x>");
}
END_TEST

START_TEST(test_quotes_around_a_value_are_taken_off)
{
    finds("id=\"x\"", "<x>");
    finds("id=\"", "<\">");
    finds("id=\"\"", "<>");
    finds("id=\"x; a=1", "<\"x>");
    finds("id=x\"", "<x\">");
}
END_TEST

START_TEST(test_commas_belong_to_values)
{
    finds("a={\"b\":1,\"id\":2}; id=x,y", "<x,y>");
    finds("a=1, id=x", "");
}
END_TEST

#define ID "abcdefghijklmnopqrstuvwxyz-_0123456789ABCDE"

START_TEST(test_line_that_was_joined_behind_an_id_is_another)
{
    finds("id=" ID ", a=1", "<" ID ">");
    finds("id=" ID ", a=1; b=2", "<" ID ">");
    finds("a=1;id=" ID ", id=x", "<" ID ">");
    finds("id=" ID ",a=1", "<" ID ",a=1>");
    finds("id=" ID "x, a=1", "<" ID "x, a=1>");
}
END_TEST

START_TEST(test_id_behind_a_comma_could_be_anybodys)
{
    finds("a=1, id=" ID, "");
    finds("a=1, id=" ID "; id=x", "<x>");
    finds("id=x, id=" ID, "<x>");
}
END_TEST

START_TEST(test_value_may_be_empty_or_hold_equals_signs)
{
    finds("id=", "<>");
    finds("id", "");
    finds("id=a=b==", "<a=b==>");
}
END_TEST

static bool
take_first(void *context, struct sf_span value)
{
    size_t *count = context;

    (void)value;
    ++*count;
    return false;
}

START_TEST(test_walk_ends_when_asked_to)
{
    size_t count = 0;

    sf_cookie_each(sf_span_text("id=1; id=2"), "id", take_first, &count);
    ck_assert_uint_eq(count, 1);
}
END_TEST

START_TEST(test_header_of_any_bytes_and_any_size_is_survived)
{
    size_t size = SF_COOKIE_HEADER_MAX;
    unsigned char *header = malloc(size); /* exact, so that a sanitizer sees one byte too many */
    char *rest = malloc(size + 1);
    size_t count = 0;

    for (size_t i = 0; i < size; i++)
        header[i] = (unsigned char)(i * 7 + i / 251);
    memcpy(header + size - 5, ";id=x", 5);
    sf_cookie_each(sf_span_of(header, size), "id", take_first, &count);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(sf_cookie_remove(sf_span_of(header, size), "id", rest), 1);
    ck_assert_mem_eq(rest, header, size - 5);
    free(header);
    free(rest);
}
END_TEST

START_TEST(test_larger_header_holds_no_cookie_but_loses_ours)
{
    size_t size = SF_COOKIE_HEADER_MAX + 1, count = 0;
    char *header = malloc(size), *rest = malloc(size + 1);

    memset(header, 'a', size);
    memcpy(header, "id=x;", 5);
    sf_cookie_each(sf_span_of(header, size), "id", take_first, &count);
    ck_assert_uint_eq(count, 0);
    ck_assert_uint_eq(sf_cookie_remove(sf_span_of(header, size), "id", rest), 1);
    ck_assert_uint_eq(strlen(rest), size - 5);
    free(header);
    free(rest);
}
END_TEST

static void
leaves(const char *header, const char *wanted, size_t removed)
{
    char rest[256];

    ck_assert_uint_eq(sf_cookie_remove(sf_span_text(header), "id", rest), removed);
    ck_assert_str_eq(rest, wanted);
}

START_TEST(test_removal_keeps_the_others_as_they_are)
{
    leaves("id=x; a=1; b=\"2, 3\"", "a=1; b=\"2, 3\"", 1);
    leaves("a=1; id=x; b=2", "a=1; b=2", 1);
    leaves("a=1; b=2; id=x", "a=1; b=2", 1);
    leaves("a=1;id=x;b=2", "a=1;b=2", 1);
    leaves("a = 1 ;  id=x;  b=  2", "a = 1 ;  b=  2", 1);
}
END_TEST

START_TEST(test_removal_reaches_lines_that_were_joined)
{
    leaves("a=1, id=" ID, "a=1", 1);
    leaves("a=1, id=" ID "; b=2", "a=1; b=2", 1);
    leaves("a=1, id=" ID ", b=2", "a=1; b=2", 1);
    leaves("id=" ID ", a=1", "a=1", 1);
    leaves("id=" ID ", id=" ID, "", 2);
    leaves(" id=" ID ", a=1, b=2; id=x", "a=1, b=2", 2);
    leaves("a=1, id=" ID "x; b=1,id=" ID, "a=1, id=" ID "x; b=1,id=" ID, 0);
}
END_TEST

START_TEST(test_removal_takes_every_copy)
{
    leaves("id=x; a=1; id=\"y\"; id=; b=2", "a=1; b=2", 3);
    leaves("id=x; id=y", "", 2);
    leaves("id=x; ;", "", 1);
}
END_TEST

START_TEST(test_removal_without_a_copy_changes_no_byte)
{
    leaves(" a=1;; b ;ID=x; ", " a=1;; b ;ID=x; ", 0);
    leaves(";a=1", ";a=1", 0);
    leaves("", "", 0);
    leaves(" ;", " ;", 0);
}
END_TEST

static struct sf_cookie_options
default_options(void)
{
    return (struct sf_cookie_options){.name = "__Host-id",
                                      .domain = "",
                                      .path = "/",
                                      .secure = true,
                                      .http_only = true,
                                      .same_site = SF_SAME_SITE_LAX};
}

static void
writes(const struct sf_cookie_options *options, const char *value, const char *wanted)
{
    ck_assert_int_eq(sf_cookie_format(&text, options, value, 1700000000000), SF_OK);
    ck_assert_int_eq(sf_buffer_append(&text, "", 1), SF_OK);
    ck_assert_str_eq((const char *)text.data, wanted);
}

START_TEST(test_defaults_make_a_safe_session_cookie)
{
    struct sf_cookie_options options = default_options();

    writes(&options, "abc-_9", "__Host-id=abc-_9; Path=/; Secure; HttpOnly; SameSite=Lax");
}
END_TEST

START_TEST(test_options_become_attributes)
{
    struct sf_cookie_options options = {.name = "id",
                                        .domain = "example.org",
                                        .path = "/shop",
                                        .same_site = SF_SAME_SITE_STRICT,
                                        .max_age = 86400 * SF_SECOND};

    writes(&options, "abc",
           "id=abc; Path=/shop; Domain=example.org; SameSite=Strict; Max-Age=86400; "
           "Expires=Wed, 15 Nov 2023 22:13:20 GMT");
    options = default_options();
    options.same_site = SF_SAME_SITE_NONE;
    writes(&options, "abc", "__Host-id=abc; Path=/; Secure; HttpOnly; SameSite=None");
}
END_TEST

START_TEST(test_taking_the_cookie_away_uses_the_same_attributes)
{
    struct sf_cookie_options options = default_options();

    writes(&options, NULL,
           "__Host-id=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0; Expires=Thu, 01 Jan "
           "1970 00:00:00 GMT");
}
END_TEST

START_TEST(test_values_outside_base64url_are_refused)
{
    struct sf_cookie_options options = default_options();

    for (const char *const *value =
             (const char *const[]){"", "a b", "a;b", "a\r\nb", "a=b", "\xc3\xbc", "\"a\"", NULL};
         *value != NULL; value++)
        ck_assert_int_eq(sf_cookie_format(&text, &options, *value, 0), SF_INVALID);
}
END_TEST

START_TEST(test_options_cannot_smuggle_attributes_or_headers)
{
    struct sf_cookie_options options = default_options();

    options.path = "/; Domain=evil.example";
    ck_assert_int_eq(sf_cookie_format(&text, &options, "a", 0), SF_INVALID);
    options = default_options();
    options.domain = "a\r\nSet-Cookie: b";
    ck_assert_int_eq(sf_cookie_format(&text, &options, "a", 0), SF_INVALID);
    options = default_options();
    options.name = "a=b";
    ck_assert_int_eq(sf_cookie_format(&text, &options, "a", 0), SF_INVALID);
}
END_TEST

START_TEST(test_cookies_that_others_set_are_known_by_their_name)
{
    ck_assert(sf_cookie_is_set_by("id=abc; Path=/", "id"));
    ck_assert(sf_cookie_is_set_by(" \tid \t=", "id"));
    ck_assert(!sf_cookie_is_set_by("idea=abc", "id"));
    ck_assert(!sf_cookie_is_set_by("id", "id"));
    ck_assert(!sf_cookie_is_set_by("i", "id"));
    ck_assert(!sf_cookie_is_set_by("a=b; id=abc", "id"));
    ck_assert(!sf_cookie_is_set_by("ID=abc", "id"));
}
END_TEST

START_TEST(test_configuration_becomes_options)
{
    struct sf_config config;
    struct sf_cookie_options options;

    sf_config_init(&config);
    sf_cookie_options_from(&options, &config);
    writes(&options, "abc", "__Host-id=abc; Path=/; Secure; HttpOnly; SameSite=Lax");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cookie");
    TCase *tests = tcase_create("cookie");
    tcase_add_checked_fixture(tests, start, finish);
    tcase_add_test(tests, test_cookie_is_found_wherever_it_stands);
    tcase_add_test(tests, test_names_match_exactly);
    tcase_add_test(tests, test_every_duplicate_is_offered_in_order);
    tcase_add_test(tests, test_quotes_around_a_value_are_taken_off);
    tcase_add_test(tests, test_commas_belong_to_values);
    tcase_add_test(tests, test_line_that_was_joined_behind_an_id_is_another);
    tcase_add_test(tests, test_id_behind_a_comma_could_be_anybodys);
    tcase_add_test(tests, test_value_may_be_empty_or_hold_equals_signs);
    tcase_add_test(tests, test_walk_ends_when_asked_to);
    tcase_add_test(tests, test_header_of_any_bytes_and_any_size_is_survived);
    tcase_add_test(tests, test_larger_header_holds_no_cookie_but_loses_ours);
    tcase_add_test(tests, test_removal_keeps_the_others_as_they_are);
    tcase_add_test(tests, test_removal_reaches_lines_that_were_joined);
    tcase_add_test(tests, test_removal_takes_every_copy);
    tcase_add_test(tests, test_removal_without_a_copy_changes_no_byte);
    tcase_add_test(tests, test_defaults_make_a_safe_session_cookie);
    tcase_add_test(tests, test_options_become_attributes);
    tcase_add_test(tests, test_taking_the_cookie_away_uses_the_same_attributes);
    tcase_add_test(tests, test_values_outside_base64url_are_refused);
    tcase_add_test(tests, test_options_cannot_smuggle_attributes_or_headers);
    tcase_add_test(tests, test_cookies_that_others_set_are_known_by_their_name);
    tcase_add_test(tests, test_configuration_becomes_options);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
