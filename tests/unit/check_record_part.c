/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "common/session/record.h"
#include "tests/support/run_suite.h"

#define FIELDS 9

static struct sf_buffer record;
static char long_name[SF_FIELD_NAME_MAX + 1], longer_name[SF_FIELD_NAME_MAX + 1];

/* Some names lie beyond what is read at once. */
static void
set_up(void)
{
    memset(long_name, 'o', sizeof(long_name) - 2);
    memset(longer_name, 'o', sizeof(longer_name) - 1);
    struct sf_field fields[FIELDS] = {
        {sf_span_text("a"), {.type = SF_VALUE_STRING, .bytes = sf_span_text("first")}},
        {sf_span_text("aa"), {.type = SF_VALUE_INTEGER, .integer = -5}},
        {sf_span_text("b"), {.type = SF_VALUE_BYTES, .bytes = sf_span_of("\0\1", 2)}},
        {sf_span_text("color"), {.type = SF_VALUE_STRING, .bytes = sf_span_text("blue")}},
        {sf_span_text("n"), {.type = SF_VALUE_INTEGER, .integer = 77}},
        {sf_span_text("none"), {.type = SF_VALUE_STRING, .bytes = sf_span_text("")}},
        {sf_span_text(long_name), {.type = SF_VALUE_INTEGER, .integer = 5}},
        {sf_span_text(longer_name), {.type = SF_VALUE_INTEGER, .integer = 6}},
        {sf_span_text("z"), {.type = SF_VALUE_STRING, .bytes = sf_span_text("last")}},
    };
    struct sf_record_head head = {
        .kind = SF_RECORD_SESSION,
        .version = 9,
        .last_access = 5000,
        .idle_timeout = 60 * SF_SECOND,
        .user = sf_span_text("bob"),
        .field_count = FIELDS,
    };

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_record_encode(&record, &head, fields, 4096), SF_OK);
}

static void
tear_down(void)
{
    sf_buffer_fini(&record);
}

/* Reads from a record of exactly so many bytes: anything beyond is the address sanitizer's. */
static void
read_copy(const void *context, void *to, size_t at, size_t bytes)
{
    const struct sf_buffer *from = context;

    ck_assert_uint_le(at + bytes, from->size);
    memcpy(to, from->data + at, bytes);
}

static enum sf_status
find(const char *name, struct sf_record_part *part_out)
{
    struct sf_record_brief brief;
    enum sf_status status = sf_record_find_part(part_out, &brief, read_copy, &record, record.size,
                                                sf_span_text(name));

    if (status == SF_OK) {
        ck_assert_uint_eq(brief.version, 9);
        ck_assert_int_eq(brief.kind, SF_RECORD_SESSION);
        ck_assert_int_eq(brief.last_access, 5000);
        ck_assert_int_eq(brief.idle_timeout, 60 * SF_SECOND);
    }
    return status;
}

START_TEST(test_part_is_what_find_gives)
{
    const char *const names[FIELDS] = {"a", "aa", "b", "color", "n", "none", long_name, longer_name,
                                       "z"};

    for (size_t i = 0; i < FIELDS; i++) {
        struct sf_record_part part;
        struct sf_value value;

        ck_assert_int_eq(find(names[i], &part), SF_OK);
        ck_assert_int_eq(sf_record_find(&value, sf_buffer_span(&record), sf_span_text(names[i])),
                         SF_OK);
        ck_assert_int_eq(part.type, value.type);
        ck_assert_int_eq(part.integer, value.integer);
        ck_assert(sf_span_equal(sf_span_of(record.data + part.at, part.size), value.bytes));
    }
}
END_TEST

START_TEST(test_name_that_is_not_there_is_not_found)
{
    struct sf_record_part part;

    ck_assert_int_eq(find("", &part), SF_NOT_FOUND);
    ck_assert_int_eq(find("ab", &part), SF_NOT_FOUND);
    ck_assert_int_eq(find("zz", &part), SF_NOT_FOUND);
}
END_TEST

/* As if somebody were writing over it: any answer, but nothing outside of it is asked for. */
START_TEST(test_changed_bytes_never_lead_outside)
{
    for (size_t at = 0; at < record.size; at++) {
        for (unsigned change = 1; change < 256; change += 2) {
            struct sf_record_part part = {.size = 0};
            struct sf_record_brief brief;

            record.data[at] ^= (unsigned char)change;
            enum sf_status status = sf_record_find_part(&part, &brief, read_copy, &record,
                                                        record.size, sf_span_text("color"));
            ck_assert(status == SF_OK || status == SF_NOT_FOUND || status == SF_CORRUPT);
            ck_assert(status != SF_OK ||
                      (part.at <= record.size && part.size <= record.size - part.at));
            record.data[at] ^= (unsigned char)change;
        }
    }
}
END_TEST

START_TEST(test_size_that_is_not_the_records_is_corrupt)
{
    struct sf_record_part part;
    struct sf_record_brief brief;

    for (size_t size = 0; size < record.size; size++)
        ck_assert_int_eq(sf_record_find_part(&part, &brief, read_copy, &record, size,
                                             sf_span_text("color")),
                         SF_CORRUPT);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("record_part");
    TCase *tests = tcase_create("record_part");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_part_is_what_find_gives);
    tcase_add_test(tests, test_name_that_is_not_there_is_not_found);
    tcase_add_test(tests, test_changed_bytes_never_lead_outside);
    tcase_add_test(tests, test_size_that_is_not_the_records_is_corrupt);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
