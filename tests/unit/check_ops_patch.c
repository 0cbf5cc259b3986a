/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/ops.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/run_suite.h"

#define NOW ((sf_time)5000)
#define LISTS 20000

/* A session with count=5, theme="dark" and token=3 bytes, one list, and what became of both. */
static struct sf_buffer record, before, expected, scratch;
static struct sf_record_head head;
static struct sf_ops ops;
static bool changed;

static struct sf_value
text_value(const char *text)
{
    return (struct sf_value){.type = SF_VALUE_STRING, .bytes = sf_span_text(text)};
}

static struct sf_value
number_value(int64_t number)
{
    return (struct sf_value){.type = SF_VALUE_INTEGER, .integer = number};
}

static void
encode(int64_t number)
{
    const struct sf_field fields[] = {
        {sf_span_text("count"), number_value(number)},
        {sf_span_text("theme"), text_value("dark")},
        {sf_span_text("token"), {.type = SF_VALUE_BYTES, .bytes = sf_span_of("\0\1\2", 3)}},
    };

    head = (struct sf_record_head){.kind = SF_RECORD_SESSION,
                                   .version = 7,
                                   .created = 900,
                                   .last_access = 1000,
                                   .user = sf_span_text("ann"),
                                   .field_count = 3};
    ck_assert_int_eq(sf_record_encode(&record, &head, fields, SF_RECORD_BYTES_MAX), SF_OK);
    sf_buffer_clear(&before);
    ck_assert_int_eq(sf_buffer_append_span(&before, sf_buffer_span(&record)), SF_OK);
}

static void
set_up(void)
{
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&before, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&expected, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&scratch, SF_RECORD_BYTES_MAX);
    sf_ops_init(&ops);
    encode(5);
}

static void
tear_down(void)
{
    sf_buffer_fini(&record);
    sf_buffer_fini(&before);
    sf_buffer_fini(&expected);
    sf_buffer_fini(&scratch);
    sf_ops_fini(&ops);
}

static void
add(enum sf_op_kind kind, const char *name, struct sf_value value, int64_t delta)
{
    const struct sf_op op = {
        .kind = kind, .name = sf_span_text(name), .value = value, .delta = delta};

    ck_assert_int_eq(sf_ops_add(&ops, &op), SF_OK);
}

static void
add_set(const char *name, const char *text)
{
    add(SF_OP_SET, name, text_value(text), 0);
}

static void
add_increment(const char *name, int64_t delta)
{
    ck_assert_int_eq(sf_ops_add_increment(&ops, sf_span_text(name), delta), SF_OK);
}

static bool
patch(void)
{
    return sf_ops_patch(&record, &head, &ops, NOW, &changed);
}

/* What taking it to pieces makes of the record as it was. */
static enum sf_status
apply_the_long_way(sf_time last_access, struct sf_ops_outcome *outcome_out)
{
    struct sf_session session;

    sf_session_init(&session);
    sf_buffer_clear(&scratch);
    ck_assert_int_eq(sf_session_decode(&session, sf_buffer_span(&before)), SF_OK);
    session.head.last_access = last_access;
    enum sf_status status = sf_ops_apply(&session, &ops, NOW, &scratch, outcome_out);
    if (status == SF_OK)
        status = sf_session_encode(&session, SF_RECORD_BYTES_MAX, &expected);
    sf_session_fini(&session);
    return status;
}

static void
assert_untouched(void)
{
    ck_assert(sf_span_equal(sf_buffer_span(&record), sf_buffer_span(&before)));
    ck_assert_uint_eq(head.version, 7);
    ck_assert_int_eq(head.last_access, 1000);
}

static void
assert_left_alone(void)
{
    ck_assert(!patch());
    assert_untouched();
}

static void
assert_same_as_the_long_way(void)
{
    sf_time last_access = head.last_access;
    struct sf_ops_outcome outcome;

    ck_assert(patch());
    ck_assert_int_eq(apply_the_long_way(last_access, &outcome), SF_OK);
    ck_assert_int_eq(changed, outcome.changed);
    if (changed)
        ck_assert(sf_span_equal(sf_buffer_span(&record), sf_buffer_span(&expected)));
    else
        assert_untouched();
}

START_TEST(test_values_of_the_same_size_are_changed_in_place)
{
    add_set("theme", "blue");
    add_increment("count", -7);
    add(SF_OP_SET, "token", (struct sf_value){SF_VALUE_BYTES, sf_span_of("\3\0\1", 3), 0}, 0);
    assert_same_as_the_long_way();
    ck_assert(changed);
    ck_assert_uint_eq(head.version, 8);
    ck_assert_int_eq(head.last_access, NOW);
    ck_assert_int_eq(sf_record_check(sf_buffer_span(&record)), SF_OK);
}
END_TEST

START_TEST(test_what_differs_in_nothing_is_no_change)
{
    add_set("theme", "dark");
    add_increment("count", 0);
    assert_same_as_the_long_way();
    ck_assert(!changed);
}
END_TEST

START_TEST(test_later_access_is_kept)
{
    add_set("theme", "blue");
    head.last_access = NOW + 1;
    assert_same_as_the_long_way();
    ck_assert_int_eq(head.last_access, NOW + 1);
}
END_TEST

START_TEST(test_other_size_is_left_alone)
{
    add_set("theme", "blue");
    add_set("token", "longer");
    assert_left_alone();
}
END_TEST

START_TEST(test_other_type_is_left_alone)
{
    add_set("token", "abc");
    assert_left_alone();
}
END_TEST

START_TEST(test_number_for_a_text_is_left_alone)
{
    add(SF_OP_SET, "theme", number_value(4), 0);
    assert_left_alone();
}
END_TEST

START_TEST(test_increment_of_a_text_is_left_alone)
{
    add_increment("theme", 1);
    assert_left_alone();
}
END_TEST

START_TEST(test_overflow_is_left_alone)
{
    encode(INT64_MAX);
    add_set("theme", "blue");
    add_increment("count", 1);
    assert_left_alone();
}
END_TEST

START_TEST(test_two_ops_on_one_field_are_left_alone)
{
    add_increment("count", 1);
    add_increment("count", 1);
    assert_left_alone();
}
END_TEST

START_TEST(test_missing_field_is_left_alone)
{
    add_set("other", "dark");
    assert_left_alone();
}
END_TEST

START_TEST(test_other_ops_are_left_alone)
{
    add_set("theme", "blue");
    ck_assert_int_eq(sf_ops_add_name(&ops, SF_OP_TOUCH, sf_span_text(NULL)), SF_OK);
    assert_left_alone();
}
END_TEST

START_TEST(test_long_list_is_left_alone)
{
    for (int i = 0; i < 100; i++)
        add_set("theme", "blue");
    assert_left_alone();
}
END_TEST

START_TEST(test_damaged_record_is_left_alone)
{
    add_set("theme", "blue");
    for (size_t size = 0; size < before.size; size++) {
        record.size = size;
        ck_assert(!patch());
    }
}
END_TEST

/* Any op on any field, in any order: whenever the short way is taken, it leads where the long one does. */
static void
add_by_chance(void)
{
    static const char *const names[] = {"count", "theme", "token", "none"};
    static const char *const texts[] = {"dark", "blue", "red", "", "0123456789"};
    static const int64_t numbers[] = {0, 1, -1, 5, INT64_MAX, INT64_MIN};
    const struct sf_value values[] = {
        text_value(texts[random() % 5]),
        number_value(numbers[random() % 6]),
        {.type = SF_VALUE_BYTES, .bytes = sf_span_text(texts[random() % 5])},
    };
    enum sf_op_kind kind = (enum sf_op_kind)(random() % (SF_OP_APPEND + 1));
    struct sf_value value = values[random() % (kind == SF_OP_APPEND ? 1 : 3)];

    add(kind, names[random() % 4], value, numbers[random() % 6]);
}

START_TEST(test_short_way_and_long_way_agree)
{
    unsigned patched = 0;

    srandom(1);
    for (int i = 0; i < LISTS; i++) {
        struct sf_ops_outcome outcome;

        encode(random() % 3);
        ops.count = 0;
        for (long op = random() % 3; op >= 0; op--)
            add_by_chance();
        if (!patch()) {
            assert_untouched();
            continue;
        }
        patched++;
        ck_assert_int_eq(apply_the_long_way(1000, &outcome), SF_OK);
        ck_assert_int_eq(changed, outcome.changed);
        if (changed)
            ck_assert(sf_span_equal(sf_buffer_span(&record), sf_buffer_span(&expected)));
    }
    ck_assert_uint_gt(patched, LISTS / 50);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("ops_patch");
    TCase *tests = tcase_create("ops_patch");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_values_of_the_same_size_are_changed_in_place);
    tcase_add_test(tests, test_what_differs_in_nothing_is_no_change);
    tcase_add_test(tests, test_later_access_is_kept);
    tcase_add_test(tests, test_other_size_is_left_alone);
    tcase_add_test(tests, test_other_type_is_left_alone);
    tcase_add_test(tests, test_number_for_a_text_is_left_alone);
    tcase_add_test(tests, test_increment_of_a_text_is_left_alone);
    tcase_add_test(tests, test_overflow_is_left_alone);
    tcase_add_test(tests, test_two_ops_on_one_field_are_left_alone);
    tcase_add_test(tests, test_missing_field_is_left_alone);
    tcase_add_test(tests, test_other_ops_are_left_alone);
    tcase_add_test(tests, test_long_list_is_left_alone);
    tcase_add_test(tests, test_damaged_record_is_left_alone);
    tcase_add_test(tests, test_short_way_and_long_way_agree);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
