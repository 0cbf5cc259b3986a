/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/file/row_json.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/session/life.h"
#include "common/session/session.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"

static struct sf_session session;
static struct sf_stored stored, again;
static struct sf_key key;
static struct sf_error error;

static void
set_up(void)
{
    sf_session_init(&session);
    sf_session_begin(&session, 1700000000123, 30 * SF_MINUTE, SF_HOUR);
    session.head.version = 3;
    key = sf_test_key(7);
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&again.record, SF_RECORD_BYTES_MAX);
    stored.last_access = 1700000000123;
}

static void
tear_down(void)
{
    sf_session_fini(&session);
    sf_buffer_fini(&stored.record);
    sf_buffer_fini(&again.record);
}

static void
set(struct sf_span name, enum sf_value_type type, struct sf_span bytes, int64_t integer)
{
    const struct sf_value value = {.type = type, .bytes = bytes, .integer = integer};
    ck_assert_int_eq(sf_session_set(&session, name, &value), SF_OK);
}

static void
set_text(const char *name, const char *text)
{
    set(sf_span_text(name), SF_VALUE_STRING, sf_span_text(text), 0);
}

static json_t *
to_json(void)
{
    ck_assert_int_eq(sf_session_encode(&session, SF_RECORD_BYTES_MAX, &stored.record), SF_OK);
    json_t *row = sf_row_to_json(&key, sf_buffer_span(&stored.record), stored.last_access);
    ck_assert_ptr_nonnull(row);
    return row;
}

/* Through text, as a file has it. */
static void
assert_comes_back(void)
{
    json_t *row = to_json();
    char *text = json_dumps(row, JSON_INDENT(2));
    json_t *read = json_loads(text, JSON_ALLOW_NUL, NULL);
    ck_assert_msg(sf_row_from_json(&again, &key, read, &error) == SF_OK, "%s: %s", error.text, text);
    ck_assert(sf_span_equal(sf_buffer_span(&stored.record), sf_buffer_span(&again.record)));
    ck_assert_int_eq(again.last_access, stored.last_access);
    json_decref(read);
    json_decref(row);
    free(text);
}

START_TEST(test_row_is_readable)
{
    session.head.user = sf_span_text("alice");
    set_text("theme", "d\xc3\xa4mmerig");
    set(sf_span_text("visits"), SF_VALUE_INTEGER, sf_span_text(NULL), 3);
    json_t *row = to_json();
    json_object_del(row, "checksum");
    char *text = json_dumps(row, 0);
    ck_assert_str_eq(text, "{\"user\": \"alice\", \"version\": 3, \"created\": \"2023-11-14T22:13:20.123Z\", "
                           "\"last_access\": \"2023-11-14T22:13:20.123Z\", \"idle_timeout\": 1800, "
                           "\"absolute_deadline\": \"2023-11-14T23:13:20.123Z\", "
                           "\"fields\": {\"theme\": \"d\xc3\xa4mmerig\", \"visits\": 3}}");
    free(text);
    json_decref(row);
}
END_TEST

START_TEST(test_every_kind_of_content_comes_back)
{
    static const unsigned char bytes[] = {0, 255, 128, 'a', 0};
    session.head.user = sf_span_of("\xff\xfe", 2);
    session.head.generation = 4;
    session.head.user_epoch = UINT32_MAX;
    session.head.flags = SF_RECORD_BOT | SF_RECORD_CHILDREN;
    set(sf_span_text("bytes"), SF_VALUE_BYTES, sf_span_of(bytes, sizeof bytes), 0);
    set(sf_span_text("no text"), SF_VALUE_STRING, sf_span_of(bytes, sizeof bytes), 0);
    set(sf_span_text("with NUL"), SF_VALUE_STRING, sf_span_of("a\0b", 3), 0);
    set(sf_span_text("empty"), SF_VALUE_STRING, sf_span_text(""), 0);
    set(sf_span_text("no bytes"), SF_VALUE_BYTES, sf_span_text(""), 0);
    set(sf_span_text("least"), SF_VALUE_INTEGER, sf_span_text(NULL), INT64_MIN);
    set(sf_span_text("most"), SF_VALUE_INTEGER, sf_span_text(NULL), INT64_MAX);
    set(sf_span_of("\x01\xff", 2), SF_VALUE_STRING, sf_span_text("a name that is no text"), 0);
    set_text("base64:AA==", "a name that looks like one");
    set_text("base64", "x");
    session.head.lineage = sf_span_of("\7\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    set_text("quote\" and \\ and\nline", "\" \\ / \x7f \x1f");
    stored.last_access += 5;
    assert_comes_back();
}
END_TEST

START_TEST(test_ended_rows_come_back)
{
    const struct sf_replacement replacement = {.version = 9,
                                               .successor = &key,
                                               .now = 1700000000456,
                                               .grace = SF_MINUTE,
                                               .tombstone_lifetime = SF_HOUR};
    set_text("theme", "dark");
    sf_session_replace(&session, &replacement);
    assert_comes_back();
    for (int reason = SF_END_NONE; reason <= SF_END_EXPIRED; reason++) {
        if (reason == SF_END_ROTATED)
            continue;
        sf_session_end(&session, (enum sf_end_reason)reason, 1700000000456, SF_HOUR);
        assert_comes_back();
    }
}
END_TEST

START_TEST(test_edited_row_is_taken_without_a_checksum_only)
{
    set_text("theme", "dark");
    json_t *row = to_json();
    json_object_set_new(json_object_get(row, "fields"), "theme", json_string("light"));
    ck_assert_int_eq(sf_row_from_json(&again, &key, row, &error), SF_CORRUPT);
    ck_assert_ptr_nonnull(strstr(error.text, "remove the checksum"));
    json_object_del(row, "checksum");
    ck_assert_int_eq(sf_row_from_json(&again, &key, row, &error), SF_OK);
    json_decref(row);
}
END_TEST

START_TEST(test_row_of_another_session_fails)
{
    struct sf_key other = sf_test_key(8);
    json_t *row = to_json();
    ck_assert_int_eq(sf_row_from_json(&again, &other, row, &error), SF_CORRUPT);
    json_decref(row);
}
END_TEST

static const struct {
    const char *row, *complaint;
} wrong[] = {
    {"[]", "object"},
    {"{\"surprise\": 1}", "\"surprise\": no such member"},
    {"{\"version\": -1}", "\"version\": not what"},
    {"{\"version\": 1.5}", "\"version\": not what"},
    {"{\"generation\": 4294967296}", "\"generation\": not what"},
    {"{\"created\": 5}", "\"created\": not what"},
    {"{\"created\": \"2023-02-30T00:00:00.000Z\"}", "\"created\": not what"},
    {"{\"created\": \"2023-02-03T00:00:00Z\"}", "\"created\": not what"},
    {"{\"created\": \"1969-02-03T00:00:00.000Z\"}", "\"created\": not what"},
    {"{\"ended\": \"bored\"}", "\"ended\": not what"},
    {"{\"ended\": null}", "\"ended\": not what"},
    {"{\"flags\": \"bot dog\"}", "\"flags\": not what"},
    {"{\"successor\": \"xyz\"}", "\"successor\": not what"},
    {"{\"user\": {\"base64\": \"!\"}}", "\"user\": not what"},
    {"{\"user\": {\"base64\": \"AA==\", \"more\": 1}}", "\"user\": not what"},
    {"{\"fields\": []}", "\"fields\": not what"},
    {"{\"fields\": {\"a\": true}}", "field \"a\""},
    {"{\"fields\": {\"a\": 1.5}}", "field \"a\""},
    {"{\"fields\": {\"\": 1}}", "field \"\""},
    {"{\"fields\": {\"base64:!\": 1}}", "field \"base64:!\""},
    {"{\"fields\": {\"a\": {\"base64\": 7}}}", "field \"a\""},
    {"{\"checksum\": \"12\"}", "\"checksum\": not what"},
    {"{\"ended\": \"rotated\", \"grace_until\": \"9999-12-31T23:59:59.999Z\", \"checksum\": 7}", "\"checksum\""},
};

START_TEST(test_what_is_wrong_is_named)
{
    json_t *row = json_loads(wrong[_i].row, 0, NULL);
    ck_assert_ptr_nonnull(row);
    ck_assert_int_eq(sf_row_from_json(&again, &key, row, &error), SF_INVALID);
    ck_assert_msg(strstr(error.text, wrong[_i].complaint) != NULL, "%s", error.text);
    ck_assert_int_eq(sf_row_from_json(&again, &key, row, NULL), SF_INVALID);
    json_decref(row);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("row_json");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, test_row_is_readable);
    tcase_add_test(all, test_every_kind_of_content_comes_back);
    tcase_add_test(all, test_ended_rows_come_back);
    tcase_add_test(all, test_edited_row_is_taken_without_a_checksum_only);
    tcase_add_test(all, test_row_of_another_session_fails);
    tcase_add_loop_test(all, test_what_is_wrong_is_named, 0, (int)(sizeof wrong / sizeof wrong[0]));
    suite_add_tcase(suite, all);
    return suite;
}

int
main(void)
{
    return sf_run_suite(make_suite());
}
