/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/record.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/run_suite.h"

#define HEAD_BYTES 88
#define ENTRY_BYTES 16

static struct sf_field
text_field(const char *name, const char *value)
{
    return (struct sf_field){sf_span_text(name),
                             {.type = SF_VALUE_STRING, .bytes = sf_span_text(value)}};
}

static struct sf_field
number_field(const char *name, int64_t number)
{
    return (struct sf_field){sf_span_text(name), {.type = SF_VALUE_INTEGER, .integer = number}};
}

static struct sf_record_head
head_of(uint32_t field_count)
{
    return (struct sf_record_head){
        .kind = SF_RECORD_SESSION,
        .version = 0x0102030405060708,
        .generation = 3,
        .user_epoch = 7,
        .created = 1700000000000,
        .last_access = 1700000060000,
        .idle_timeout = 1800 * SF_SECOND,
        .absolute_deadline = 1700043200000,
        .user = sf_span_text("anna"),
        .field_count = field_count,
    };
}

/* The session of the golden bytes. */
static void
encode_sample(struct sf_buffer *record_out)
{
    struct sf_record_head head = head_of(3);
    struct sf_field fields[] = {
        {sf_span_text("blob"), {.type = SF_VALUE_BYTES, .bytes = sf_span_of("\0\xff", 2)}},
        number_field("count", -2),
        text_field("theme", "dark"),
    };

    sf_buffer_init(record_out, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_record_encode(record_out, &head, fields, 65536), SF_OK);
}

/*
 * The same bytes stand in docs/record-format.md. Stored records look like this: they must stay
 * readable.
 */
/* clang-format off */
static const unsigned char golden[] = {
    'S', 'F', 'R', 1, 0xa0, 0, 0, 0,                  /*   0 mark, size */
    8, 7, 6, 5, 4, 3, 2, 1,                           /*   8 version */
    0x00, 0x68, 0xe5, 0xcf, 0x8b, 0x01, 0, 0,         /*  16 created */
    0x60, 0x52, 0xe6, 0xcf, 0x8b, 0x01, 0, 0,         /*  24 last access */
    0x00, 0x96, 0x78, 0xd2, 0x8b, 0x01, 0, 0,         /*  32 absolute deadline */
    0, 0, 0, 0, 0, 0, 0, 0,                           /*  40 grace until */
    3, 0, 0, 0, 7, 0, 0, 0,                           /*  48 generation, user epoch */
    0x08, 0x07, 0, 0, 3, 0, 0, 0,                     /*  56 idle seconds, fields */
    1, 0, 4, 0, 0, 0, 0, 0,                           /*  64 kind, reason, user size, reserved */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,   /*  72 successor */
    'a', 'n', 'n', 'a',                               /*  88 user */
    140, 0, 0, 0, 4, 3, 0, 0,                         /*  92 blob: name */
    154, 0, 0, 0, 2, 0, 0, 0,                         /* 100 and value */
    144, 0, 0, 0, 5, 2, 0, 0,                         /* 108 count */
    0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,   /* 116 -2 */
    149, 0, 0, 0, 5, 1, 0, 0,                         /* 124 theme */
    156, 0, 0, 0, 4, 0, 0, 0,                         /* 132 dark */
    'b', 'l', 'o', 'b', 'c', 'o', 'u', 'n', 't',      /* 140 names */
    't', 'h', 'e', 'm', 'e',
    0, 0xff, 'd', 'a', 'r', 'k',                      /* 154 values */
};
/* clang-format on */

/* In a record of the size of the golden one. */
static enum sf_status
find(struct sf_value *value_out, const unsigned char *record, const char *name)
{
    return sf_record_find(value_out, sf_span_of(record, sizeof(golden)), sf_span_text(name));
}

START_TEST(test_bytes_are_those_of_the_documented_format)
{
    struct sf_buffer record;

    encode_sample(&record);
    ck_assert_uint_eq(record.size, sizeof(golden));
    ck_assert_mem_eq(record.data, golden, sizeof(golden));
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_head_reads_back)
{
    struct sf_record_head head, wanted = head_of(3);

    ck_assert_int_eq(sf_record_check(sf_span_of(golden, sizeof(golden))), SF_OK);
    ck_assert_int_eq(sf_record_head(&head, sf_span_of(golden, sizeof(golden))), SF_OK);
    ck_assert_int_eq(head.kind, SF_RECORD_SESSION);
    ck_assert_uint_eq(head.version, wanted.version);
    ck_assert_uint_eq(head.generation, 3);
    ck_assert_uint_eq(head.user_epoch, 7);
    ck_assert_int_eq(head.created, wanted.created);
    ck_assert_int_eq(head.last_access, wanted.last_access);
    ck_assert_int_eq(head.idle_timeout, wanted.idle_timeout);
    ck_assert_int_eq(head.absolute_deadline, wanted.absolute_deadline);
    ck_assert(sf_span_equal(head.user, wanted.user));
    ck_assert_uint_eq(head.field_count, 3);
}
END_TEST

START_TEST(test_fields_read_back_in_order)
{
    struct sf_span record = sf_span_of(golden, sizeof(golden));
    struct sf_field field;

    ck_assert_int_eq(sf_record_field(&field, record, 1), SF_OK);
    ck_assert(sf_span_equal(field.name, sf_span_text("count")));
    ck_assert_int_eq(field.value.type, SF_VALUE_INTEGER);
    ck_assert_int_eq(field.value.integer, -2);
    ck_assert_int_eq(sf_record_field(&field, record, 3), SF_NOT_FOUND);
    ck_assert_int_eq(sf_record_field(&field, record, UINT32_MAX), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_find_sees_every_field_and_no_other)
{
    struct sf_span record = sf_span_of(golden, sizeof(golden));
    struct sf_value value;

    ck_assert_int_eq(sf_record_find(&value, record, sf_span_text("blob")), SF_OK);
    ck_assert(sf_span_equal(value.bytes, sf_span_of("\0\xff", 2)));
    ck_assert_int_eq(sf_record_find(&value, record, sf_span_text("count")), SF_OK);
    ck_assert_int_eq(value.integer, -2);
    ck_assert_int_eq(sf_record_find(&value, record, sf_span_text("theme")), SF_OK);
    ck_assert(sf_span_equal(value.bytes, sf_span_text("dark")));
    for (const char *const *name = (const char *const[]){"", "a", "them", "themes", "zoo", NULL};
         *name != NULL; name++)
        ck_assert_int_eq(sf_record_find(&value, record, sf_span_text(*name)), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_find_works_among_many_fields)
{
    enum { COUNT = SF_FIELDS_MAX };
    static char names[COUNT][16];
    struct sf_field *fields = calloc(COUNT, sizeof(*fields));
    struct sf_record_head head = head_of(COUNT);
    struct sf_buffer record;
    struct sf_value value;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof(names[i]), "f%05d", i);
        fields[i] = number_field(names[i], i);
    }
    ck_assert_int_eq(sf_record_encode(&record, &head, fields, SF_RECORD_BYTES_MAX), SF_OK);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(sf_record_find(&value, sf_buffer_span(&record), sf_span_text(names[i])),
                         SF_OK);
        ck_assert_int_eq(value.integer, i);
    }
    sf_buffer_fini(&record);
    free(fields);
}
END_TEST

START_TEST(test_empty_session_is_a_head_only)
{
    struct sf_record_head head = {.kind = SF_RECORD_SESSION};
    struct sf_buffer record;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_record_encode(&record, &head, NULL, HEAD_BYTES), SF_OK);
    ck_assert_uint_eq(record.size, HEAD_BYTES);
    ck_assert_int_eq(sf_record_check(sf_buffer_span(&record)), SF_OK);
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_every_cut_record_is_corrupt)
{
    for (size_t size = 0; size < sizeof(golden); size++) {
        unsigned char *cut = malloc(size + (size == 0)); /* a sanitizer sees one byte too many */
        struct sf_record_head head;

        memcpy(cut, golden, size);
        ck_assert_int_eq(sf_record_check(sf_span_of(cut, size)), SF_CORRUPT);
        ck_assert_int_eq(sf_record_head(&head, sf_span_of(cut, size)), SF_CORRUPT);
        free(cut);
    }
}
END_TEST

START_TEST(test_longer_span_is_corrupt)
{
    unsigned char longer[sizeof(golden) + 1] = {0};

    memcpy(longer, golden, sizeof(golden));
    ck_assert_int_eq(sf_record_check(sf_span_of(longer, sizeof(longer))), SF_CORRUPT);
}
END_TEST

static enum sf_status
check_with(size_t at, unsigned char byte)
{
    unsigned char record[sizeof(golden)];

    memcpy(record, golden, sizeof(golden));
    record[at] = byte;
    return sf_record_check(sf_span_of(record, sizeof(record)));
}

START_TEST(test_reserved_bytes_must_be_zero)
{
    for (size_t at = 68; at < 72; at++)
        ck_assert_int_eq(check_with(at, 1), SF_CORRUPT);
    ck_assert_int_eq(check_with(92 + 6, 1), SF_CORRUPT);
    ck_assert_int_eq(check_with(92 + 7, 1), SF_CORRUPT);
}
END_TEST

START_TEST(test_flags_of_a_session_survive_and_unknown_ones_are_corrupt)
{
    struct sf_record_head head = head_of(0);
    struct sf_buffer record;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    head.flags = SF_RECORD_PINNED | SF_RECORD_CHILDREN;
    ck_assert_int_eq(sf_record_encode(&record, &head, NULL, 65536), SF_OK);
    ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&record)), SF_OK);
    ck_assert_uint_eq(head.flags, SF_RECORD_PINNED | SF_RECORD_CHILDREN);
    ck_assert_int_eq(check_with(67, SF_RECORD_BOT), SF_OK);
    ck_assert_int_eq(check_with(67, SF_RECORD_EPOCHS), SF_OK);
    ck_assert_int_eq(check_with(67, 16), SF_CORRUPT);
    head.flags = 16;
    ck_assert_int_eq(sf_record_encode(&record, &head, NULL, 65536), SF_INVALID);
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_ended_session_has_no_flags)
{
    struct sf_record_head head = head_of(0);
    struct sf_buffer record;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    head.kind = SF_RECORD_ENDED;
    ck_assert_int_eq(sf_record_encode(&record, &head, NULL, 65536), SF_OK);
    record.data[67] = SF_RECORD_PINNED;
    ck_assert_int_eq(sf_record_check(sf_buffer_span(&record)), SF_CORRUPT);
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_words_for_flags_are_known_in_any_case)
{
    ck_assert_uint_eq(sf_record_flag_parse(sf_span_text("bot")), SF_RECORD_BOT);
    ck_assert_uint_eq(sf_record_flag_parse(sf_span_text("Pinned")), SF_RECORD_PINNED);
    ck_assert_uint_eq(sf_record_flag_parse(sf_span_text("CHILDREN")), SF_RECORD_CHILDREN);
    ck_assert_uint_eq(sf_record_flag_parse(sf_span_text("bots")), 0);
    ck_assert_uint_eq(sf_record_flag_parse(sf_span_text("")), 0);
}
END_TEST

START_TEST(test_flags_are_written_as_words)
{
    char text[SF_RECORD_FLAGS_TEXT];

    sf_record_flags_format(0, text);
    ck_assert_str_eq(text, "");
    sf_record_flags_format(SF_RECORD_BOT | SF_RECORD_PINNED | SF_RECORD_CHILDREN, text);
    ck_assert_str_eq(text, "bot pinned children");
}
END_TEST

START_TEST(test_unknown_format_kind_type_and_reason_are_corrupt)
{
    ck_assert_int_eq(check_with(3, 2), SF_CORRUPT);
    ck_assert_int_eq(check_with(64, 0), SF_CORRUPT);
    ck_assert_int_eq(check_with(64, 3), SF_CORRUPT);
    ck_assert_int_eq(check_with(65, SF_END_LOGOUT), SF_CORRUPT); /* a live session has no reason */
    ck_assert_int_eq(check_with(92 + 5, 0), SF_CORRUPT);
    ck_assert_int_eq(check_with(92 + 5, 4), SF_CORRUPT);
}
END_TEST

START_TEST(test_negative_time_is_corrupt)
{
    ck_assert_int_eq(check_with(23, 0x80), SF_CORRUPT);
    ck_assert_int_eq(check_with(31, 0xff), SF_CORRUPT);
}
END_TEST

START_TEST(test_offsets_outside_are_corrupt_for_check_and_find)
{
    struct sf_value value;
    unsigned char record[sizeof(golden)];

    memcpy(record, golden, sizeof(golden));
    sf_store_u32(record + 108, UINT32_MAX); /* name of the middle field */
    ck_assert_int_eq(sf_record_check(sf_span_of(record, sizeof(record))), SF_CORRUPT);
    ck_assert_int_eq(find(&value, record, "theme"), SF_CORRUPT);
    memcpy(record, golden, sizeof(golden));
    sf_store_u32(record + 124 + 12, UINT32_MAX - 4); /* size of the last value */
    ck_assert_int_eq(find(&value, record, "theme"), SF_CORRUPT);
    ck_assert_int_eq(find(&value, record, "blob"), SF_OK);
}
END_TEST

START_TEST(test_unsorted_or_repeated_names_are_corrupt)
{
    ck_assert_int_eq(check_with(140, 'x'), SF_CORRUPT);
    ck_assert_int_eq(check_with(141, 0), SF_CORRUPT);
}
END_TEST

START_TEST(test_too_many_fields_are_corrupt)
{
    ck_assert_int_eq(check_with(63, 0xff), SF_CORRUPT);
    ck_assert_int_eq(check_with(61, 0x10), SF_CORRUPT);
    ck_assert_int_eq(check_with(60, 4), SF_CORRUPT);
}
END_TEST

START_TEST(test_no_single_changed_byte_makes_readers_leave_the_record)
{
    for (size_t at = 0; at < sizeof(golden); at++) {
        for (int byte = 0; byte < 256; byte++) {
            unsigned char *record = malloc(sizeof(golden));
            struct sf_value value;
            struct sf_field field;

            memcpy(record, golden, sizeof(golden));
            record[at] = (unsigned char)byte;
            (void)!sf_record_check(sf_span_of(record, sizeof(golden)));
            (void)!find(&value, record, "count");
            if (sf_record_field(&field, sf_span_of(record, sizeof(golden)), 2) == SF_OK)
                ck_assert(field.name.data + field.name.size <= record + sizeof(golden));
            free(record);
        }
    }
}
END_TEST

START_TEST(test_too_large_is_full)
{
    struct sf_record_head head = head_of(1);
    struct sf_field field = text_field("theme", "dark");
    struct sf_buffer record;
    size_t exact = HEAD_BYTES + 4 + ENTRY_BYTES + 5 + 4;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_record_encode(&record, &head, &field, exact - 1), SF_FULL);
    ck_assert_int_eq(sf_record_encode(&record, &head, &field, exact), SF_OK);
    field.value.bytes.size = SIZE_MAX - 2;
    ck_assert_int_eq(sf_record_encode(&record, &head, &field, SIZE_MAX), SF_FULL);
    field.value.bytes.size = SF_RECORD_BYTES_MAX;
    ck_assert_int_eq(sf_record_encode(&record, &head, &field, SIZE_MAX), SF_FULL);
    sf_buffer_fini(&record);
}
END_TEST

static enum sf_status
encode(const struct sf_record_head *head, const struct sf_field *fields)
{
    struct sf_buffer record;
    enum sf_status status;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    status = sf_record_encode(&record, head, fields, SF_RECORD_BYTES_MAX);
    if (status == SF_OK)
        ck_assert_int_eq(sf_record_check(sf_buffer_span(&record)), SF_OK);
    sf_buffer_fini(&record);
    return status;
}

START_TEST(test_bad_names_are_refused)
{
    static char name[SF_FIELD_NAME_MAX + 1];
    struct sf_record_head head = head_of(1);
    struct sf_field field = text_field("", "x");

    ck_assert_int_eq(encode(&head, &field), SF_INVALID);
    field.name = sf_span_of("a\0b", 3);
    ck_assert_int_eq(encode(&head, &field), SF_INVALID);
    memset(name, 'n', sizeof(name));
    field.name = sf_span_of(name, sizeof(name));
    ck_assert_int_eq(encode(&head, &field), SF_INVALID);
    field.name = sf_span_of(name, SF_FIELD_NAME_MAX);
    ck_assert_int_eq(encode(&head, &field), SF_OK);
}
END_TEST

START_TEST(test_bad_heads_are_refused)
{
    static char user[SF_USER_MAX + 1] = {'u'};
    struct sf_record_head head = head_of(0);

    head.user = sf_span_of(user, 2);
    ck_assert_int_eq(encode(&head, NULL), SF_INVALID);
    memset(user, 'u', sizeof(user));
    head.user = sf_span_of(user, sizeof(user));
    ck_assert_int_eq(encode(&head, NULL), SF_INVALID);
    head.user = sf_span_of(user, SF_USER_MAX);
    ck_assert_int_eq(encode(&head, NULL), SF_OK);
    head.created = -1;
    ck_assert_int_eq(encode(&head, NULL), SF_INVALID);
    head = head_of(SF_FIELDS_MAX + 1);
    ck_assert_int_eq(encode(&head, NULL), SF_INVALID);
}
END_TEST

START_TEST(test_only_a_rotated_record_names_a_successor)
{
    struct sf_record_head head = head_of(0);

    head.successor.bytes[15] = 1;
    ck_assert_int_eq(encode(&head, NULL), SF_INVALID);
    head.kind = SF_RECORD_ENDED;
    head.end_reason = SF_END_LOGIN;
    ck_assert_int_eq(encode(&head, NULL), SF_INVALID);
    head.end_reason = SF_END_ROTATED;
    ck_assert_int_eq(encode(&head, NULL), SF_OK);
}
END_TEST

START_TEST(test_idle_timeout_is_rounded_up_to_seconds)
{
    struct sf_record_head head = head_of(0), decoded;
    struct sf_buffer record;

    head.idle_timeout = 1001;
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_record_encode(&record, &head, NULL, 1024), SF_OK);
    ck_assert_int_eq(sf_record_head(&decoded, sf_buffer_span(&record)), SF_OK);
    ck_assert_int_eq(decoded.idle_timeout, 2000);
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_session_expires_at_the_earlier_of_its_two_limits)
{
    struct sf_record_head head = {.kind = SF_RECORD_SESSION};

    ck_assert_int_eq(sf_record_expires(&head, 100), 0);
    head.idle_timeout = 50;
    ck_assert_int_eq(sf_record_expires(&head, 100), 150);
    head.absolute_deadline = 140;
    ck_assert_int_eq(sf_record_expires(&head, 100), 140);
    head.absolute_deadline = 160;
    ck_assert_int_eq(sf_record_expires(&head, 100), 150);
    head.idle_timeout = 0;
    ck_assert_int_eq(sf_record_expires(&head, 100), 160);
}
END_TEST

START_TEST(test_far_last_access_does_not_overflow)
{
    struct sf_record_head head = {.kind = SF_RECORD_SESSION, .idle_timeout = 50};

    ck_assert_int_eq(sf_record_expires(&head, INT64_MAX - 1), INT64_MAX);
}
END_TEST

START_TEST(test_ended_record_is_forgotten_at_its_deadline)
{
    struct sf_record_head head = {
        .kind = SF_RECORD_ENDED, .idle_timeout = 50, .absolute_deadline = 900};

    ck_assert_int_eq(sf_record_expires(&head, 100), 900);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("record");
    TCase *tests = tcase_create("record");
    tcase_add_test(tests, test_bytes_are_those_of_the_documented_format);
    tcase_add_test(tests, test_head_reads_back);
    tcase_add_test(tests, test_fields_read_back_in_order);
    tcase_add_test(tests, test_find_sees_every_field_and_no_other);
    tcase_add_test(tests, test_find_works_among_many_fields);
    tcase_add_test(tests, test_empty_session_is_a_head_only);
    tcase_add_test(tests, test_every_cut_record_is_corrupt);
    tcase_add_test(tests, test_longer_span_is_corrupt);
    tcase_add_test(tests, test_reserved_bytes_must_be_zero);
    tcase_add_test(tests, test_flags_of_a_session_survive_and_unknown_ones_are_corrupt);
    tcase_add_test(tests, test_ended_session_has_no_flags);
    tcase_add_test(tests, test_words_for_flags_are_known_in_any_case);
    tcase_add_test(tests, test_flags_are_written_as_words);
    tcase_add_test(tests, test_unknown_format_kind_type_and_reason_are_corrupt);
    tcase_add_test(tests, test_negative_time_is_corrupt);
    tcase_add_test(tests, test_offsets_outside_are_corrupt_for_check_and_find);
    tcase_add_test(tests, test_unsorted_or_repeated_names_are_corrupt);
    tcase_add_test(tests, test_too_many_fields_are_corrupt);
    tcase_add_test(tests, test_no_single_changed_byte_makes_readers_leave_the_record);
    tcase_add_test(tests, test_too_large_is_full);
    tcase_add_test(tests, test_bad_names_are_refused);
    tcase_add_test(tests, test_bad_heads_are_refused);
    tcase_add_test(tests, test_only_a_rotated_record_names_a_successor);
    tcase_add_test(tests, test_idle_timeout_is_rounded_up_to_seconds);
    tcase_add_test(tests, test_session_expires_at_the_earlier_of_its_two_limits);
    tcase_add_test(tests, test_far_last_access_does_not_overflow);
    tcase_add_test(tests, test_ended_record_is_forgotten_at_its_deadline);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
