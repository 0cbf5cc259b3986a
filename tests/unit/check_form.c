/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/form.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/run_suite.h"

static struct sf_buffer scratch, seen;

static void
start(void)
{
    sf_buffer_init(&scratch, 1 << 20);
    sf_buffer_init(&seen, 1 << 20);
}

static void
finish(void)
{
    sf_buffer_fini(&scratch);
    sf_buffer_fini(&seen);
}

/* Writes what it is given as "<name|value>", "<name>" without a value. */
static enum sf_status
note_pair(void *context, struct sf_span name, struct sf_span value, bool has_value)
{
    ck_assert_ptr_eq(context, &seen);
    ck_assert_int_eq(sf_buffer_append_text(&seen, "<"), SF_OK);
    ck_assert_int_eq(sf_buffer_append_span(&seen, name), SF_OK);
    ck_assert_int_eq(sf_buffer_append_text(&seen, has_value ? "|" : ""), SF_OK);
    ck_assert_int_eq(sf_buffer_append_span(&seen, value), SF_OK);
    ck_assert_int_eq(sf_buffer_append_text(&seen, ">"), SF_OK);
    return SF_OK;
}

static enum sf_status
parse(const char *text)
{
    sf_buffer_clear(&seen);
    return sf_form_parse(sf_span_text(text), &scratch, note_pair, &seen);
}

static bool
saw(const char *text)
{
    return sf_span_equal(sf_buffer_span(&seen), sf_span_text(text));
}

START_TEST(test_pairs_come_in_order_and_decoded)
{
    ck_assert_int_eq(parse("a=1&b+c=d%26%3d+e&f"), SF_OK);
    ck_assert(saw("<a|1><b c|d&= e><f>"));
}
END_TEST

START_TEST(test_value_may_be_empty_and_hold_equals_signs)
{
    ck_assert_int_eq(parse("a=&b=c=d"), SF_OK);
    ck_assert(saw("<a|><b|c=d>"));
}
END_TEST

START_TEST(test_empty_pairs_are_skipped)
{
    ck_assert_int_eq(parse(""), SF_OK);
    ck_assert(saw(""));
    ck_assert_int_eq(parse("&a=1&&b=2&"), SF_OK);
    ck_assert(saw("<a|1><b|2>"));
}
END_TEST

START_TEST(test_broken_escapes_are_refused)
{
    for (const char *const *text =
             (const char *const[]){"a=%", "a=%4", "a=%4g", "a=%g4", "%=1", "a=%%41", NULL};
         *text != NULL; text++)
        ck_assert_int_eq(parse(*text), SF_INVALID);
}
END_TEST

START_TEST(test_empty_name_and_nul_in_name_are_refused)
{
    ck_assert_int_eq(parse("=1"), SF_INVALID);
    ck_assert_int_eq(parse("a=1&="), SF_INVALID);
    ck_assert_int_eq(parse("a%00b=1"), SF_INVALID);
}
END_TEST

START_TEST(test_value_may_hold_any_byte)
{
    ck_assert_int_eq(parse("a=%00%ff"), SF_OK);
    ck_assert(sf_span_equal(sf_buffer_span(&seen), sf_span_of("<a|\0\xff>", 6)));
}
END_TEST

static enum sf_status
refuse_pair(void *context, struct sf_span name, struct sf_span value, bool has_value)
{
    (void)context, (void)name, (void)value, (void)has_value;
    return SF_CONFLICT;
}

START_TEST(test_status_of_the_callback_ends_the_walk)
{
    ck_assert_int_eq(sf_form_parse(sf_span_text("a=1&=broken"), &scratch, refuse_pair, NULL),
                     SF_CONFLICT);
}
END_TEST

START_TEST(test_text_larger_than_scratch_may_get_is_full)
{
    scratch.limit = 3;
    ck_assert_int_eq(parse("a=12"), SF_FULL);
}
END_TEST

struct kept {
    struct sf_span names[64];
    size_t count;
};

static enum sf_status
keep_pair(void *context, struct sf_span name, struct sf_span value, bool has_value)
{
    struct kept *kept = context;

    (void)value, (void)has_value;
    kept->names[kept->count++] = name;
    return SF_OK;
}

START_TEST(test_spans_stay_while_the_text_is_parsed)
{
    struct kept kept = {.count = 0};
    char text[64 * 8 + 1] = "";

    for (int i = 0; i < 64; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "n%02d=xx&", i % 100);
    ck_assert_int_eq(sf_form_parse(sf_span_text(text), &scratch, keep_pair, &kept), SF_OK);
    ck_assert_uint_eq(kept.count, 64);
    ck_assert(sf_span_equal(kept.names[0], sf_span_text("n00")));
    ck_assert(sf_span_equal(kept.names[63], sf_span_text("n63")));
}
END_TEST

START_TEST(test_decode_takes_separators_as_they_are)
{
    struct sf_span decoded;

    ck_assert_int_eq(sf_form_decode(sf_span_text("uid=a&b%2C+c"), &scratch, &decoded), SF_OK);
    ck_assert(sf_span_equal(decoded, sf_span_text("uid=a&b, c")));
    ck_assert_int_eq(sf_form_decode(sf_span_text("%"), &scratch, &decoded), SF_INVALID);
}
END_TEST

START_TEST(test_append_encodes_what_parse_decodes)
{
    char every[256];

    for (int i = 0; i < 256; i++)
        every[i] = (char)i;
    ck_assert_int_eq(sf_form_append(&scratch, sf_span_of(every + 1, 255), sf_span_of(every, 256)),
                     SF_OK);
    ck_assert_int_eq(sf_form_append(&scratch, sf_span_text("b"), sf_span_text("")), SF_OK);

    struct sf_buffer text = scratch;

    sf_buffer_init(&scratch, 1 << 20);
    ck_assert_int_eq(sf_form_parse(sf_buffer_span(&text), &scratch, note_pair, &seen), SF_OK);
    ck_assert_uint_eq(seen.size, 1 + 255 + 1 + 256 + 1 + strlen("<b|>"));
    ck_assert_mem_eq(seen.data + 1, every + 1, 255);
    ck_assert_mem_eq(seen.data + 1 + 255 + 1, every, 256);
    sf_buffer_fini(&text);
}
END_TEST

static void
spell(char text_out[4], unsigned char byte)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._*";

    if (byte == ' ')
        snprintf(text_out, 4, "+");
    else
        snprintf(text_out, 4, memchr(plain, byte, sizeof(plain) - 1) != NULL ? "%c" : "%%%02X", byte);
}

START_TEST(test_append_finds_each_special_byte_at_each_place)
{
    char value[40], expected[64], spelt[4];

    for (int byte = 0; byte < 256; byte++) {
        spell(spelt, (unsigned char)byte);
        for (int at = 0; at < 40; at++) {
            memset(value, 'x', sizeof(value));
            value[at] = (char)byte;
            snprintf(expected, sizeof(expected), "a=%.*s%s%.*s", at, value, spelt, 39 - at,
                     value + at + 1);
            sf_buffer_clear(&scratch);
            ck_assert_int_eq(sf_form_append(&scratch, sf_span_text("a"), sf_span_of(value, 40)),
                             SF_OK);
            ck_assert(sf_span_equal(sf_buffer_span(&scratch), sf_span_text(expected)));
        }
    }
}
END_TEST

START_TEST(test_append_that_does_not_fit_leaves_the_text)
{
    scratch.limit = 8;
    ck_assert_int_eq(sf_form_append(&scratch, sf_span_text("a"), sf_span_text("1")), SF_OK);
    ck_assert_int_eq(sf_form_append(&scratch, sf_span_text("b"), sf_span_text("\xff")), SF_FULL);
    ck_assert(sf_span_equal(sf_buffer_span(&scratch), sf_span_text("a=1")));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("form");
    TCase *tests = tcase_create("form");
    tcase_add_checked_fixture(tests, start, finish);
    tcase_add_test(tests, test_pairs_come_in_order_and_decoded);
    tcase_add_test(tests, test_value_may_be_empty_and_hold_equals_signs);
    tcase_add_test(tests, test_empty_pairs_are_skipped);
    tcase_add_test(tests, test_broken_escapes_are_refused);
    tcase_add_test(tests, test_empty_name_and_nul_in_name_are_refused);
    tcase_add_test(tests, test_value_may_hold_any_byte);
    tcase_add_test(tests, test_status_of_the_callback_ends_the_walk);
    tcase_add_test(tests, test_text_larger_than_scratch_may_get_is_full);
    tcase_add_test(tests, test_spans_stay_while_the_text_is_parsed);
    tcase_add_test(tests, test_decode_takes_separators_as_they_are);
    tcase_add_test(tests, test_append_encodes_what_parse_decodes);
    tcase_add_test(tests, test_append_finds_each_special_byte_at_each_place);
    tcase_add_test(tests, test_append_that_does_not_fit_leaves_the_text);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
