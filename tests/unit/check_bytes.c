/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/bytes.h"

#include <check.h>
#include <string.h>

#include "tests/support/run_suite.h"

static struct sf_span
text(const char *characters)
{
    return sf_span_text(characters);
}

static int
sign(int number)
{
    return (number > 0) - (number < 0);
}

START_TEST(test_span_of_null_text_is_empty)
{
    ck_assert_uint_eq(text(NULL).size, 0);
    ck_assert(sf_span_equal(text(NULL), text("")));
}
END_TEST

START_TEST(test_spans_are_equal_by_bytes_and_length)
{
    ck_assert(sf_span_equal(sf_span_of("a\0b", 3), sf_span_of("a\0b", 3)));
    ck_assert(!sf_span_equal(sf_span_of("a\0b", 3), sf_span_of("a\0c", 3)));
    ck_assert(!sf_span_equal(text("ab"), text("abc")));
}
END_TEST

START_TEST(test_spans_compare_bytewise_and_shorter_first)
{
    ck_assert_int_eq(sf_span_compare(text("abc"), text("abc")), 0);
    ck_assert_int_eq(sign(sf_span_compare(text("ab"), text("abc"))), -1);
    ck_assert_int_eq(sign(sf_span_compare(text("b"), text("abc"))), 1);
    ck_assert_int_eq(sign(sf_span_compare(text("\xff"), text("a"))), 1);
    ck_assert_int_eq(sf_span_compare(text(NULL), text("")), 0);
}
END_TEST

START_TEST(test_buffer_grows_and_keeps_its_bytes)
{
    struct sf_buffer buffer;
    sf_buffer_init(&buffer, 100000);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(sf_buffer_append_format(&buffer, "%04d,", i), SF_OK);
    ck_assert_uint_eq(buffer.size, 5000);
    ck_assert(sf_span_equal(sf_span_of(buffer.data + 4995, 5), text("0999,")));
    sf_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_buffer_fills_up_to_its_limit_and_not_beyond)
{
    struct sf_buffer buffer;
    sf_buffer_init(&buffer, 10);
    ck_assert_int_eq(sf_buffer_append_text(&buffer, "123456"), SF_OK);
    ck_assert_int_eq(sf_buffer_append_text(&buffer, "12345"), SF_FULL);
    ck_assert_int_eq(sf_buffer_append_format(&buffer, "%d", 7), SF_OK);
    ck_assert_int_eq(sf_buffer_append_format(&buffer, "%s", "12345"), SF_FULL);
    ck_assert_str_eq((const char *)buffer.data, "1234567"); /* nothing of what found no room */
    ck_assert_int_eq(sf_buffer_append_format(&buffer, "%d", 890), SF_OK);
    ck_assert(sf_span_equal(sf_buffer_span(&buffer), text("1234567890")));
    sf_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_refused_append_leaves_the_buffer_as_it_was)
{
    struct sf_buffer buffer;
    sf_buffer_init(&buffer, 4);
    ck_assert_int_eq(sf_buffer_append_text(&buffer, "abc"), SF_OK);
    ck_assert_int_eq(sf_buffer_append_text(&buffer, "de"), SF_FULL);
    ck_assert(sf_span_equal(sf_buffer_span(&buffer), text("abc")));
    sf_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_reserve_beyond_any_size_is_full)
{
    struct sf_buffer buffer;
    sf_buffer_init(&buffer, SIZE_MAX);
    ck_assert_int_eq(sf_buffer_append_text(&buffer, "a"), SF_OK);
    ck_assert_int_eq(sf_buffer_reserve(&buffer, SIZE_MAX), SF_FULL);
    ck_assert_int_eq(sf_buffer_reserve(&buffer, SIZE_MAX - 1), SF_NO_MEMORY);
    sf_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_reserve_of_nothing_gives_memory_to_point_at)
{
    struct sf_buffer buffer;
    sf_buffer_init(&buffer, 0);
    ck_assert_int_eq(sf_buffer_reserve(&buffer, 0), SF_OK);
    ck_assert_ptr_nonnull(buffer.data);
    ck_assert_int_eq(sf_buffer_append(&buffer, NULL, 0), SF_OK);
    sf_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_clear_keeps_the_memory)
{
    struct sf_buffer buffer;
    sf_buffer_init(&buffer, 100);
    ck_assert_int_eq(sf_buffer_append_text(&buffer, "abc"), SF_OK);
    const unsigned char *before = buffer.data;
    sf_buffer_clear(&buffer);
    ck_assert_uint_eq(buffer.size, 0);
    ck_assert_int_eq(sf_buffer_append_text(&buffer, "de"), SF_OK);
    ck_assert_ptr_eq(buffer.data, before);
    sf_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_fini_twice_is_harmless)
{
    struct sf_buffer buffer;
    sf_buffer_init(&buffer, 100);
    ck_assert_int_eq(sf_buffer_append_text(&buffer, "abc"), SF_OK);
    sf_buffer_fini(&buffer);
    sf_buffer_fini(&buffer);
    ck_assert_ptr_null(buffer.data);
}
END_TEST

START_TEST(test_base64url_has_the_form_of_the_rfc)
{
    char encoded[16];
    sf_base64url_encode("foobar", 6, encoded);
    ck_assert_str_eq(encoded, "Zm9vYmFy");
    sf_base64url_encode("fooba", 5, encoded);
    ck_assert_str_eq(encoded, "Zm9vYmE");
    sf_base64url_encode("\xfb\xff", 2, encoded);
    ck_assert_str_eq(encoded, "-_8");
    sf_base64url_encode("", 0, encoded);
    ck_assert_str_eq(encoded, "");
}
END_TEST

START_TEST(test_base64url_decodes_what_it_encodes)
{
    unsigned char bytes[64], back[64];
    char encoded[SF_BASE64URL_BYTES(sizeof bytes)];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 37);
    for (size_t size = 0; size <= sizeof bytes; size++) {
        sf_base64url_encode(bytes, size, encoded);
        ck_assert_uint_eq(strlen(encoded) + 1, SF_BASE64URL_BYTES(size));
        ck_assert_int_eq(sf_base64url_decode(text(encoded), back, size), SF_OK);
        ck_assert(sf_span_equal(sf_span_of(back, size), sf_span_of(bytes, size)));
    }
}
END_TEST

START_TEST(test_base64url_refuses_every_other_spelling)
{
    unsigned char bytes[2];
    ck_assert_int_eq(sf_base64url_decode(text("-_8"), bytes, 2), SF_OK);
    ck_assert_int_eq(sf_base64url_decode(text("+/8"), bytes, 2), SF_INVALID);
    ck_assert_int_eq(sf_base64url_decode(text("-_8="), bytes, 2), SF_INVALID);
    ck_assert_int_eq(sf_base64url_decode(text("-_9"), bytes, 2), SF_INVALID); /* stray bits */
    ck_assert_int_eq(sf_base64url_decode(text("-_"), bytes, 2), SF_INVALID);
    ck_assert_int_eq(sf_base64url_decode(text("-_8A"), bytes, 2), SF_INVALID);
    ck_assert_int_eq(sf_base64url_decode(text("-\n8"), bytes, 2), SF_INVALID);
}
END_TEST

START_TEST(test_base64url_takes_its_64_characters_and_no_other_byte)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (int byte = 0; byte < 256; byte++) {
        unsigned char encoded[4] = {'A', (unsigned char)byte, 'A', 'A'}, bytes[3];
        bool is_known = memchr(alphabet, byte, sizeof alphabet - 1) != NULL;
        enum sf_status status = sf_base64url_decode(sf_span_of(encoded, 4), bytes, 3);
        ck_assert_msg(status == (is_known ? SF_OK : SF_INVALID), "byte %d", byte);
    }
}
END_TEST

/* A change is refused, or it is another spelling of other bytes. */
static bool
decodes_as_spelt(const char *encoded, size_t size)
{
    unsigned char bytes[64];
    char again[SF_BASE64URL_BYTES(sizeof bytes)];
    if (sf_base64url_decode(text(encoded), bytes, size) != SF_OK)
        return false;
    sf_base64url_encode(bytes, size, again);
    ck_assert_str_eq(again, encoded);
    return true;
}

START_TEST(test_base64url_looks_at_every_place_of_a_long_text)
{
    char encoded[SF_BASE64URL_BYTES(32)];
    sf_base64url_encode("the 32 bytes of which ids are...", 32, encoded);
    size_t last = strlen(encoded) - 1;
    for (size_t at = 0; at <= last; at++) {
        char kept = encoded[at];
        int taken = 0;
        for (int byte = 1; byte < 256; byte++) {
            encoded[at] = (char)byte;
            taken += decodes_as_spelt(encoded, 32);
        }
        ck_assert_int_eq(taken, at < last ? 64 : 16); /* two bits of the last are none of a byte */
        encoded[at] = kept;
    }
}
END_TEST

START_TEST(test_hex_takes_its_22_characters_and_no_other_byte)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    for (int byte = 0; byte < 256; byte++) {
        unsigned char encoded[2] = {'0', (unsigned char)byte}, decoded;
        bool is_known = memchr(digits, byte, sizeof digits - 1) != NULL;
        enum sf_status status = sf_hex_decode(sf_span_of(encoded, 2), &decoded, 1);
        ck_assert_msg(status == (is_known ? SF_OK : SF_INVALID), "byte %d", byte);
    }
}
END_TEST

START_TEST(test_hex_decodes_what_it_encodes)
{
    char encoded[9];
    unsigned char back[4];
    sf_hex_encode("\x00\x7f\xa0\xff", 4, encoded);
    ck_assert_str_eq(encoded, "007fa0ff");
    ck_assert_int_eq(sf_hex_decode(text(encoded), back, 4), SF_OK);
    ck_assert_mem_eq(back, "\x00\x7f\xa0\xff", 4);
}
END_TEST

START_TEST(test_hex_refuses_wrong_length_and_letters)
{
    unsigned char bytes[2];
    ck_assert_int_eq(sf_hex_decode(text("00FF"), bytes, 2), SF_OK);
    ck_assert_int_eq(sf_hex_decode(text("00f"), bytes, 2), SF_INVALID);
    ck_assert_int_eq(sf_hex_decode(text("00fff"), bytes, 2), SF_INVALID);
    ck_assert_int_eq(sf_hex_decode(text("00fg"), bytes, 2), SF_INVALID);
    ck_assert_int_eq(sf_hex_decode(text("0 ff"), bytes, 2), SF_INVALID);
    ck_assert_int_eq(sf_hex_decode(text(NULL), bytes, 2), SF_INVALID);
}
END_TEST

START_TEST(test_numbers_parse_over_their_whole_range)
{
    int64_t value;
    ck_assert_int_eq(sf_int64_parse(text("0"), &value), SF_OK);
    ck_assert_int_eq(value, 0);
    ck_assert_int_eq(sf_int64_parse(text("9223372036854775807"), &value), SF_OK);
    ck_assert(value == INT64_MAX);
    ck_assert_int_eq(sf_int64_parse(text("-9223372036854775808"), &value), SF_OK);
    ck_assert(value == INT64_MIN);
}
END_TEST

START_TEST(test_numbers_refuse_overflow_and_anything_else)
{
    static const char *const refused[] = {
        "",
        "-",
        "+1",
        " 1",
        "1 ",
        "1.0",
        "0x1",
        "--1",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999",
        "1e3",
    };
    int64_t value = 42;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        ck_assert_msg(sf_int64_parse(text(refused[i]), &value) == SF_INVALID, "'%s'", refused[i]);
    ck_assert_int_eq(sf_int64_parse(sf_span_of("1\0", 2), &value), SF_INVALID);
    ck_assert_int_eq(value, 42);
}
END_TEST

START_TEST(test_clean_text_keeps_everything_but_control_characters)
{
    char line[] = "a\tb\x01\x1f\x7f\xc3\xa9 ~";
    sf_text_clean(line);
    ck_assert_str_eq(line, "a?b???\xc3\xa9 ~");
}
END_TEST

START_TEST(test_little_endian_words_survive_any_alignment)
{
    unsigned char bytes[16] = {0};
    sf_store_u16(bytes + 1, 0x0102);
    sf_store_u32(bytes + 3, 0x03040506);
    sf_store_u64(bytes + 7, 0x0708090a0b0c0d0eU);
    ck_assert_mem_eq(bytes, "\0\x02\x01\x06\x05\x04\x03\x0e\x0d\x0c\x0b\x0a\x09\x08\x07\0", 16);
    ck_assert_uint_eq(sf_load_u16(bytes + 1), 0x0102);
    ck_assert_uint_eq(sf_load_u32(bytes + 3), 0x03040506);
    ck_assert_uint_eq(sf_load_u64(bytes + 7), 0x0708090a0b0c0d0eU);
}
END_TEST

static TCase *
buffer_tests(void)
{
    TCase *tests = tcase_create("spans and buffers");
    tcase_add_test(tests, test_span_of_null_text_is_empty);
    tcase_add_test(tests, test_spans_are_equal_by_bytes_and_length);
    tcase_add_test(tests, test_spans_compare_bytewise_and_shorter_first);
    tcase_add_test(tests, test_buffer_grows_and_keeps_its_bytes);
    tcase_add_test(tests, test_buffer_fills_up_to_its_limit_and_not_beyond);
    tcase_add_test(tests, test_refused_append_leaves_the_buffer_as_it_was);
    tcase_add_test(tests, test_reserve_beyond_any_size_is_full);
    tcase_add_test(tests, test_reserve_of_nothing_gives_memory_to_point_at);
    tcase_add_test(tests, test_clear_keeps_the_memory);
    tcase_add_test(tests, test_fini_twice_is_harmless);
    return tests;
}

static TCase *
text_form_tests(void)
{
    TCase *tests = tcase_create("text forms");
    tcase_add_test(tests, test_base64url_has_the_form_of_the_rfc);
    tcase_add_test(tests, test_base64url_decodes_what_it_encodes);
    tcase_add_test(tests, test_base64url_refuses_every_other_spelling);
    tcase_add_test(tests, test_base64url_takes_its_64_characters_and_no_other_byte);
    tcase_add_test(tests, test_base64url_looks_at_every_place_of_a_long_text);
    tcase_add_test(tests, test_hex_takes_its_22_characters_and_no_other_byte);
    tcase_add_test(tests, test_hex_decodes_what_it_encodes);
    tcase_add_test(tests, test_hex_refuses_wrong_length_and_letters);
    tcase_add_test(tests, test_numbers_parse_over_their_whole_range);
    tcase_add_test(tests, test_numbers_refuse_overflow_and_anything_else);
    tcase_add_test(tests, test_clean_text_keeps_everything_but_control_characters);
    tcase_add_test(tests, test_little_endian_words_survive_any_alignment);
    return tests;
}

int
main(void)
{
    Suite *suite = suite_create("bytes");
    suite_add_tcase(suite, buffer_tests());
    suite_add_tcase(suite, text_form_tests());
    return sf_run_suite(suite);
}
