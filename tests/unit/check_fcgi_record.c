/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/fcgi_record.h"

#include <check.h>
#include <stdlib.h>

#include "tests/support/run_suite.h"

static struct sf_buffer bytes;

static void
start(void)
{
    sf_buffer_init(&bytes, 1 << 20);
}

static void
finish(void)
{
    sf_buffer_fini(&bytes);
}

/* ---- fixed parts ---- */

START_TEST(test_header_is_as_the_specification_says)
{
    static const unsigned char expected[] = {1, 6, 0x12, 0x34, 0xab, 0xcd, 7, 0};
    struct sf_fcgi_header header = {SF_FCGI_STDOUT, 0x1234, 0xabcd, 7}, decoded;
    unsigned char encoded[SF_FCGI_HEADER_BYTES];
    sf_fcgi_header_encode(&header, encoded);
    ck_assert_mem_eq(encoded, expected, sizeof expected);
    ck_assert_int_eq(sf_fcgi_header_decode(encoded, &decoded), SF_OK);
    ck_assert_uint_eq(decoded.type, SF_FCGI_STDOUT);
    ck_assert_uint_eq(decoded.id, 0x1234);
    ck_assert_uint_eq(decoded.content_size, 0xabcd);
    ck_assert_uint_eq(decoded.padding_size, 7);
    encoded[0] = 2;
    ck_assert_int_eq(sf_fcgi_header_decode(encoded, &decoded), SF_INVALID);
}
END_TEST

START_TEST(test_begin_has_role_and_keep)
{
    static const unsigned char expected[] = {0, 2, 1, 0, 0, 0, 0, 0};
    unsigned char body[SF_FCGI_BODY_BYTES];
    struct sf_fcgi_begin begin = {SF_FCGI_AUTHORIZER, true}, decoded;
    sf_fcgi_begin_encode(&begin, body);
    ck_assert_mem_eq(body, expected, sizeof expected);
    sf_fcgi_begin_decode(body, &decoded);
    ck_assert_uint_eq(decoded.role, SF_FCGI_AUTHORIZER);
    ck_assert(decoded.is_kept);
    body[2] = 0xfe; /* bits that nobody knows */
    sf_fcgi_begin_decode(body, &decoded);
    ck_assert(!decoded.is_kept);
}
END_TEST

START_TEST(test_end_has_both_statuses)
{
    static const unsigned char expected[] = {0xff, 0xee, 0xdd, 0xcc, 2, 0, 0, 0};
    unsigned char body[SF_FCGI_BODY_BYTES];
    struct sf_fcgi_end end = {0xffeeddcc, SF_FCGI_OVERLOADED}, decoded;
    sf_fcgi_end_encode(&end, body);
    ck_assert_mem_eq(body, expected, sizeof expected);
    sf_fcgi_end_decode(body, &decoded);
    ck_assert_uint_eq(decoded.application_status, 0xffeeddcc);
    ck_assert_uint_eq(decoded.protocol_status, SF_FCGI_OVERLOADED);
}
END_TEST

/* ---- pairs ---- */

static char *
text_of(size_t size)
{
    char *text = malloc(size + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', size);
    text[size] = '\0';
    return text;
}

START_TEST(test_pairs_of_all_lengths_come_back)
{
    static const size_t sizes[] = {0, 1, 127, 128, 255, 256, 65536};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    struct sf_span name, value;
    for (size_t i = 0; i < COUNT * COUNT; i++) {
        char *wanted_name = text_of(sizes[i % COUNT]), *wanted_value = text_of(sizes[i / COUNT]);
        sf_buffer_clear(&bytes);
        ck_assert_int_eq(
            sf_fcgi_pair_append(&bytes, sf_span_text(wanted_name), sf_span_text(wanted_value)),
            SF_OK);
        struct sf_span rest = sf_buffer_span(&bytes);
        ck_assert_int_eq(sf_fcgi_pair_take(&rest, &name, &value), SF_OK);
        ck_assert(sf_span_equal(name, sf_span_text(wanted_name)));
        ck_assert(sf_span_equal(value, sf_span_text(wanted_value)));
        ck_assert_uint_eq(rest.size, 0);
        free(wanted_name);
        free(wanted_value);
    }
}
END_TEST

START_TEST(test_pair_that_is_cut_off_is_not_taken)
{
    char *long_name = text_of(200);
    ck_assert_int_eq(sf_fcgi_pair_append(&bytes, sf_span_text(long_name), sf_span_text("value")),
                     SF_OK);
    for (size_t size = 0; size < bytes.size; size++) {
        struct sf_span name, value, rest = sf_span_of(bytes.data, size);
        ck_assert_int_eq(sf_fcgi_pair_take(&rest, &name, &value), SF_NOT_FOUND);
        ck_assert_uint_eq(rest.size, size);
    }
    free(long_name);
}
END_TEST

START_TEST(test_hostile_lengths_are_not_added_up)
{
    static const unsigned char hostile[] = {0xff, 0xff, 0xff, 0xff, 0xff,
                                            0xff, 0xff, 0xff, 'a',  'b'};
    static const unsigned char beyond[] = {0x80, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 'a', 'b'};
    struct sf_span name, value, rest = sf_span_of(hostile, sizeof hostile);
    ck_assert_int_eq(sf_fcgi_pair_take(&rest, &name, &value), SF_NOT_FOUND);
    rest = sf_span_of(beyond, sizeof beyond);
    ck_assert_int_eq(sf_fcgi_pair_take(&rest, &name, &value), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_pair_without_room_leaves_the_buffer)
{
    struct sf_buffer small;
    sf_buffer_init(&small, 8);
    ck_assert_int_eq(sf_fcgi_pair_append(&small, sf_span_text("a"), sf_span_text("b")), SF_OK);
    ck_assert_int_eq(sf_fcgi_pair_append(&small, sf_span_text("abc"), sf_span_text("d")), SF_FULL);
    ck_assert_uint_eq(small.size, 4);
    sf_buffer_fini(&small);
}
END_TEST

/* ---- records ---- */

/* All pieces of `input`, given `step` bytes at a time: "type:id:content;" with '!' at the end of
 * each record. */
static enum sf_status
read_all(struct sf_span input, size_t step, struct sf_buffer *seen, bool *is_idle_out)
{
    struct sf_fcgi_reader reader = {.head_size = 0};
    struct sf_fcgi_piece piece;
    enum sf_status status = SF_NOT_FOUND;
    bool is_inside = false;
    for (size_t at = 0; at < input.size && status == SF_NOT_FOUND; at += step) {
        struct sf_span part =
            sf_span_of(input.data + at, step < input.size - at ? step : input.size - at);
        while ((status = sf_fcgi_reader_take(&reader, &part, &piece)) == SF_OK) {
            if (!is_inside)
                ck_assert_int_eq(sf_buffer_append_format(seen, "%u:%u:%u:", piece.type, piece.id,
                                                         piece.record_size),
                                 SF_OK);
            ck_assert_int_eq(sf_buffer_append_span(seen, piece.content), SF_OK);
            ck_assert_int_eq(sf_buffer_append_text(seen, piece.is_last ? "!" : ""), SF_OK);
            is_inside = !piece.is_last;
        }
        ck_assert(status != SF_NOT_FOUND || part.size == 0);
    }
    *is_idle_out = sf_fcgi_reader_is_idle(&reader);
    return status;
}

static void
add_record(uint8_t type, uint16_t id, const char *content, uint8_t padding)
{
    unsigned char head[SF_FCGI_HEADER_BYTES];
    struct sf_fcgi_header header = {type, id, (uint16_t)strlen(content), padding};
    sf_fcgi_header_encode(&header, head);
    ck_assert_int_eq(sf_buffer_append(&bytes, head, sizeof head), SF_OK);
    ck_assert_int_eq(sf_buffer_append_text(&bytes, content), SF_OK);
    for (unsigned i = 0; i < padding; i++)
        ck_assert_int_eq(sf_buffer_append(&bytes, "\1", 1), SF_OK);
}

START_TEST(test_records_are_the_same_however_they_are_split)
{
    struct sf_buffer seen;
    bool is_idle;
    add_record(SF_FCGI_PARAMS, 1, "first", 3);
    add_record(SF_FCGI_PARAMS, 1, "", 0);
    add_record(SF_FCGI_STDIN, 7, "", 255);
    add_record(200, 65535, "unknown", 0);
    for (size_t step = 1; step <= bytes.size; step++) {
        sf_buffer_init(&seen, 1000);
        ck_assert_int_eq(read_all(sf_buffer_span(&bytes), step, &seen, &is_idle), SF_NOT_FOUND);
        ck_assert(is_idle);
        ck_assert(sf_span_equal(sf_buffer_span(&seen),
                                sf_span_text("4:1:5:first!4:1:0:!5:7:0:!200:65535:7:unknown!")));
        sf_buffer_fini(&seen);
    }
}
END_TEST

START_TEST(test_another_version_is_refused_at_its_first_byte)
{
    struct sf_fcgi_reader reader = {.head_size = 0};
    struct sf_fcgi_piece piece;
    struct sf_span input = sf_span_text("G");
    ck_assert_int_eq(sf_fcgi_reader_take(&reader, &input, &piece), SF_INVALID);
}
END_TEST

START_TEST(test_reader_is_not_idle_inside_a_record)
{
    struct sf_buffer seen;
    bool is_idle;
    sf_buffer_init(&seen, 1000);
    add_record(SF_FCGI_STDIN, 1, "abc", 5);
    for (size_t size = 1; size < SF_FCGI_HEADER_BYTES + 3; size++) {
        ck_assert_int_eq(read_all(sf_span_of(bytes.data, size), size, &seen, &is_idle),
                         SF_NOT_FOUND);
        ck_assert(!is_idle);
    }
    sf_buffer_fini(&seen);
}
END_TEST

START_TEST(test_long_content_is_split_and_padded)
{
    char *content = text_of(2 * SF_FCGI_CHUNK + 3);
    struct sf_fcgi_header header;
    ck_assert_int_eq(sf_fcgi_record_append(&bytes, SF_FCGI_STDOUT, 1, sf_span_text(content)),
                     SF_OK);
    ck_assert_uint_eq(bytes.size, 3 * SF_FCGI_HEADER_BYTES + 2 * SF_FCGI_CHUNK + 8);
    ck_assert_int_eq(
        sf_fcgi_header_decode(bytes.data + 2 * (SF_FCGI_HEADER_BYTES + SF_FCGI_CHUNK), &header),
        SF_OK);
    ck_assert_uint_eq(header.content_size, 3);
    ck_assert_uint_eq(header.padding_size, 5);
    free(content);
}
END_TEST

START_TEST(test_stream_has_one_end)
{
    struct sf_buffer seen;
    bool is_idle;
    sf_buffer_init(&seen, 1000);
    ck_assert_int_eq(sf_fcgi_stream_append(&bytes, SF_FCGI_STDIN, 1, sf_span_text("body")), SF_OK);
    ck_assert_int_eq(sf_fcgi_stream_append(&bytes, SF_FCGI_STDIN, 2, sf_span_text("")), SF_OK);
    ck_assert_int_eq(read_all(sf_buffer_span(&bytes), bytes.size, &seen, &is_idle), SF_NOT_FOUND);
    ck_assert(sf_span_equal(sf_buffer_span(&seen), sf_span_text("5:1:4:body!5:1:0:!5:2:0:!")));
    sf_buffer_fini(&seen);
}
END_TEST

START_TEST(test_stream_without_room_leaves_the_buffer)
{
    struct sf_buffer small;
    sf_buffer_init(&small, 2 * SF_FCGI_HEADER_BYTES);
    ck_assert_int_eq(sf_fcgi_stream_append(&small, SF_FCGI_STDIN, 1, sf_span_text("12345678")),
                     SF_FULL);
    ck_assert_uint_eq(small.size, 0);
    sf_buffer_fini(&small);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("fcgi_record");
    TCase *fixed = tcase_create("fixed"), *pairs = tcase_create("pairs"),
          *records = tcase_create("records");
    tcase_add_test(fixed, test_header_is_as_the_specification_says);
    tcase_add_test(fixed, test_begin_has_role_and_keep);
    tcase_add_test(fixed, test_end_has_both_statuses);
    tcase_add_checked_fixture(pairs, start, finish);
    tcase_add_test(pairs, test_pairs_of_all_lengths_come_back);
    tcase_add_test(pairs, test_pair_that_is_cut_off_is_not_taken);
    tcase_add_test(pairs, test_hostile_lengths_are_not_added_up);
    tcase_add_test(pairs, test_pair_without_room_leaves_the_buffer);
    tcase_add_checked_fixture(records, start, finish);
    tcase_add_test(records, test_records_are_the_same_however_they_are_split);
    tcase_add_test(records, test_another_version_is_refused_at_its_first_byte);
    tcase_add_test(records, test_reader_is_not_idle_inside_a_record);
    tcase_add_test(records, test_long_content_is_split_and_padded);
    tcase_add_test(records, test_stream_has_one_end);
    tcase_add_test(records, test_stream_without_room_leaves_the_buffer);
    suite_add_tcase(suite, fixed);
    suite_add_tcase(suite, pairs);
    suite_add_tcase(suite, records);
    return sf_run_suite(suite);
}
