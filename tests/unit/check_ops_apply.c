/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/ops.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/run_suite.h"

#define NOW ((sf_time)5000)

/* One session with theme=dark and count=5 (INTEGER), one list, and what applying it said. */
static struct sf_session session;
static struct sf_ops ops;
static struct sf_buffer scratch;
static struct sf_ops_outcome outcome;

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
start(void)
{
    struct sf_value dark = text_value("dark"), five = number_value(5);

    sf_session_init(&session);
    sf_ops_init(&ops);
    sf_buffer_init(&scratch, SF_RECORD_BYTES_MAX);
    session.head.version = 7;
    session.head.generation = 1;
    session.head.last_access = 1000;
    ck_assert_int_eq(sf_session_set(&session, sf_span_text("theme"), &dark), SF_OK);
    ck_assert_int_eq(sf_session_set(&session, sf_span_text("count"), &five), SF_OK);
}

static void
finish(void)
{
    sf_session_fini(&session);
    sf_ops_fini(&ops);
    sf_buffer_fini(&scratch);
}

static void
add(enum sf_op_kind kind, const char *name, struct sf_value value)
{
    struct sf_op op = {.kind = kind, .name = sf_span_text(name), .value = value};

    ck_assert_int_eq(sf_ops_add(&ops, &op), SF_OK);
}

static void
add_compare(const char *name, struct sf_value expected, const char *text)
{
    struct sf_op op = {.kind = SF_OP_COMPARE_AND_SET,
                       .name = sf_span_text(name),
                       .value = text_value(text),
                       .expected = expected};

    ck_assert_int_eq(sf_ops_add(&ops, &op), SF_OK);
}

static void
add_plain(enum sf_op_kind kind, const char *name)
{
    ck_assert_int_eq(sf_ops_add_name(&ops, kind, sf_span_text(name)), SF_OK);
}

static enum sf_status
apply(void)
{
    enum sf_status status = sf_ops_apply(&session, &ops, NOW, &scratch, &outcome);

    ops.count = 0;
    return status;
}

static bool
has_text(const char *name, const char *text)
{
    const struct sf_field *field = sf_session_find(&session, sf_span_text(name));

    return field != NULL && field->value.type == SF_VALUE_STRING &&
           sf_span_equal(field->value.bytes, sf_span_text(text));
}

static bool
has_number(const char *name, int64_t number)
{
    const struct sf_field *field = sf_session_find(&session, sf_span_text(name));

    return field != NULL && field->value.type == SF_VALUE_INTEGER && field->value.integer == number;
}

START_TEST(test_set_changes_the_field_the_version_and_the_time)
{
    add(SF_OP_SET, "theme", text_value("light"));
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert(has_text("theme", "light"));
    ck_assert(outcome.changed);
    ck_assert_uint_eq(session.head.version, 8);
    ck_assert_uint_eq(session.head.generation, 1);
    ck_assert_int_eq(session.head.last_access, NOW);
}
END_TEST

START_TEST(test_list_that_changes_nothing_makes_no_version)
{
    add(SF_OP_SET, "theme", text_value("dark"));
    add_plain(SF_OP_UNSET, "absent");
    add_plain(SF_OP_POP, "absent");
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert(!outcome.changed);
    ck_assert_int_eq(outcome.popped.type, 0);
    ck_assert_uint_eq(session.head.version, 7);
    ck_assert_int_eq(session.head.last_access, 1000);
}
END_TEST

START_TEST(test_touch_moves_the_last_access_only)
{
    add_plain(SF_OP_TOUCH, "");
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert(!outcome.changed);
    ck_assert_uint_eq(session.head.version, 7);
    ck_assert_int_eq(session.head.last_access, NOW);
}
END_TEST

START_TEST(test_last_access_never_moves_back)
{
    session.head.last_access = NOW + 1;
    add_plain(SF_OP_TOUCH, "");
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert_int_eq(session.head.last_access, NOW + 1);
}
END_TEST

START_TEST(test_increments_add_up)
{
    ck_assert_int_eq(sf_ops_add_increment(&ops, sf_span_text("count"), 2), SF_OK);
    ck_assert_int_eq(sf_ops_add_increment(&ops, sf_span_text("count"), -10), SF_OK);
    ck_assert_int_eq(sf_ops_add_increment(&ops, sf_span_text("fresh"), 1), SF_OK);
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert(has_number("count", -3));
    ck_assert(has_number("fresh", 1));
    ck_assert_uint_eq(session.head.version, 8);
}
END_TEST

START_TEST(test_increment_takes_digits_as_a_number)
{
    add(SF_OP_SET, "visits", text_value("41"));
    ck_assert_int_eq(sf_ops_add_increment(&ops, sf_span_text("visits"), 1), SF_OK);
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert(has_number("visits", 42));
}
END_TEST

START_TEST(test_increment_of_text_is_refused)
{
    ck_assert_int_eq(sf_ops_add_increment(&ops, sf_span_text("theme"), 1), SF_OK);
    ck_assert_int_eq(apply(), SF_INVALID);
}
END_TEST

START_TEST(test_increment_beyond_the_range_is_refused)
{
    add(SF_OP_SET, "count", number_value(INT64_MAX));
    ck_assert_int_eq(sf_ops_add_increment(&ops, sf_span_text("count"), 1), SF_OK);
    ck_assert_int_eq(apply(), SF_INVALID);
    ck_assert(has_number("count", 5));
}
END_TEST

START_TEST(test_append_joins_in_order)
{
    add(SF_OP_APPEND, "theme", text_value("er"));
    add(SF_OP_APPEND, "log", text_value("a"));
    add(SF_OP_APPEND, "theme", text_value("!"));
    add(SF_OP_APPEND, "log", text_value("b"));
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert(has_text("theme", "darker!"));
    ck_assert(has_text("log", "ab"));
}
END_TEST

START_TEST(test_append_of_nothing_changes_nothing)
{
    add(SF_OP_APPEND, "theme", text_value(""));
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert(!outcome.changed);
}
END_TEST

START_TEST(test_append_to_a_number_is_refused)
{
    add(SF_OP_APPEND, "count", text_value("1"));
    ck_assert_int_eq(apply(), SF_INVALID);
}
END_TEST

START_TEST(test_joined_values_survive_a_growing_scratch)
{
    static char many[SF_OPS_MAX + 5] = "dark";
    static const char letters[] = "abcdefghij";

    for (int i = 0; i < SF_OPS_MAX / 2; i++) {
        add(SF_OP_APPEND, "theme",
            (struct sf_value){SF_VALUE_STRING, sf_span_of(&letters[i % 10], 1), 0});
        add(SF_OP_APPEND, "other",
            (struct sf_value){SF_VALUE_STRING, sf_span_of(&letters[i % 10], 1), 0});
        many[4 + i] = letters[i % 10];
    }
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert(has_text("theme", many));
    ck_assert(has_text("other", many + 4));
    add(SF_OP_APPEND, "third", text_value("x"));
    add(SF_OP_APPEND, "third",
        (struct sf_value){SF_VALUE_STRING, sf_span_of(many, SF_OPS_MAX / 2), 0});
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert(has_text("theme", many));
}
END_TEST

START_TEST(test_appends_to_one_field_copy_each_byte_once)
{
    static const char kilobyte[1024];

    for (int i = 0; i < 500; i++)
        add(SF_OP_APPEND, "log",
            (struct sf_value){SF_VALUE_STRING, sf_span_of(kilobyte, sizeof(kilobyte)), 0});
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert_uint_le(scratch.size, 500 * sizeof(kilobyte));
}
END_TEST

START_TEST(test_failed_list_leaves_joined_values_of_an_earlier_one)
{
    static char filler[4096];

    add(SF_OP_APPEND, "theme", text_value("er"));
    ck_assert_int_eq(apply(), SF_OK);
    memset(filler, 'x', sizeof(filler));
    add(SF_OP_APPEND, "theme",
        (struct sf_value){SF_VALUE_STRING, sf_span_of(filler, sizeof(filler)), 0});
    add(SF_OP_APPEND, "count", text_value("1"));
    ck_assert_int_eq(apply(), SF_INVALID);
    ck_assert(has_text("theme", "darker"));
}
END_TEST

START_TEST(test_append_beyond_the_scratch_is_full)
{
    scratch.limit = 5;
    add(SF_OP_APPEND, "theme", text_value("er"));
    ck_assert_int_eq(apply(), SF_FULL);
    ck_assert(has_text("theme", "dark"));
}
END_TEST

START_TEST(test_compare_and_set_sets_when_the_value_is_the_expected)
{
    add_compare("theme", text_value("dark"), "light");
    add_compare("count", text_value("5"), "6");
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert(has_text("theme", "light"));
    ck_assert(has_text("count", "6"));
}
END_TEST

START_TEST(test_compare_and_set_conflicts_otherwise_and_nothing_changes)
{
    add(SF_OP_SET, "other", text_value("x"));
    add_compare("theme", text_value("blue"), "light");
    ck_assert_int_eq(apply(), SF_CONFLICT);
    ck_assert(has_text("theme", "dark"));
    ck_assert_ptr_null(sf_session_find(&session, sf_span_text("other")));
    ck_assert_uint_eq(session.head.version, 7);
}
END_TEST

START_TEST(test_compare_with_absent_adds_only_a_new_field)
{
    add_compare("fresh", (struct sf_value){.integer = 0}, "1");
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert(has_text("fresh", "1"));
    add_compare("fresh", (struct sf_value){.integer = 0}, "2");
    ck_assert_int_eq(apply(), SF_CONFLICT);
    add_compare("absent", text_value("1"), "2");
    ck_assert_int_eq(apply(), SF_CONFLICT);
}
END_TEST

START_TEST(test_pop_removes_and_hands_out)
{
    add_plain(SF_OP_POP, "theme");
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert_ptr_null(sf_session_find(&session, sf_span_text("theme")));
    ck_assert_int_eq(outcome.popped.type, SF_VALUE_STRING);
    ck_assert(sf_span_equal(outcome.popped.bytes, sf_span_text("dark")));
}
END_TEST

START_TEST(test_clear_removes_all_fields_and_keeps_the_user)
{
    session.head.user = sf_span_text("anna");
    add_plain(SF_OP_CLEAR, "");
    add(SF_OP_SET, "fresh", text_value("1"));
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert_uint_eq(session.count, 1);
    ck_assert(sf_span_equal(session.head.user, sf_span_text("anna")));
}
END_TEST

START_TEST(test_login_sets_the_user_and_wants_a_new_id)
{
    add_plain(SF_OP_LOGIN, "anna");
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert(outcome.wants_new_id && outcome.user_changed && outcome.changed);
    ck_assert(sf_span_equal(session.head.user, sf_span_text("anna")));
    ck_assert_uint_eq(session.head.generation, 2);
    ck_assert_uint_eq(session.head.version, 8);
}
END_TEST

START_TEST(test_login_of_the_same_user_wants_a_new_id_too)
{
    session.head.user = sf_span_text("anna");
    add_plain(SF_OP_LOGIN, "anna");
    add_plain(SF_OP_ROTATE, "");
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert(outcome.wants_new_id && !outcome.user_changed);
    ck_assert_uint_eq(session.head.generation, 2);
}
END_TEST

START_TEST(test_login_from_anonymous_keeps_the_fields)
{
    add_plain(SF_OP_LOGIN, "anna");
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert(has_text("theme", "dark") && has_number("count", 5));
    add_plain(SF_OP_LOGIN, "anna");
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert_uint_eq(session.count, 2);
}
END_TEST

START_TEST(test_login_as_somebody_else_clears_what_was_there)
{
    session.head.user = sf_span_text("anna");
    add(SF_OP_SET, "before", text_value("1"));
    add_plain(SF_OP_LOGIN, "bert");
    add(SF_OP_SET, "behind", text_value("1"));
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert(outcome.wants_new_id && outcome.user_changed);
    ck_assert_uint_eq(session.count, 1);
    ck_assert(has_text("behind", "1"));
}
END_TEST

START_TEST(test_mark_and_unmark_change_the_flags)
{
    add_plain(SF_OP_MARK, "pinned");
    add_plain(SF_OP_MARK, "bot");
    add_plain(SF_OP_UNMARK, "bot");
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert(outcome.changed);
    ck_assert_uint_eq(session.head.flags, SF_RECORD_PINNED);
    ck_assert_uint_eq(session.head.version, 8);
    sf_ops_fini(&ops);
    add_plain(SF_OP_MARK, "pinned");
    add_plain(SF_OP_UNMARK, "children");
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert(!outcome.changed);
}
END_TEST

START_TEST(test_login_as_somebody_else_drops_the_flags)
{
    session.head.user = sf_span_text("anna");
    session.head.flags = SF_RECORD_PINNED;
    add_plain(SF_OP_LOGIN, "anna");
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert_uint_eq(session.head.flags, SF_RECORD_PINNED);
    add_plain(SF_OP_LOGIN, "bert");
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert_uint_eq(session.head.flags, 0);
}
END_TEST

START_TEST(test_end_is_told_and_makes_a_version)
{
    add(SF_OP_SET, "last", text_value("words"));
    add_plain(SF_OP_END, "");
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert(outcome.ended && outcome.changed);
    ck_assert_uint_eq(session.head.version, 8);
    ck_assert_int_eq(session.head.kind, SF_RECORD_SESSION);
}
END_TEST

START_TEST(test_late_failure_undoes_everything)
{
    add(SF_OP_SET, "theme", text_value("light"));
    add_plain(SF_OP_CLEAR, "");
    add_plain(SF_OP_LOGIN, "anna");
    add(SF_OP_SET, "word", text_value("x"));
    ck_assert_int_eq(sf_ops_add_increment(&ops, sf_span_text("word"), 1), SF_OK);
    ck_assert_int_eq(apply(), SF_INVALID);
    ck_assert(has_text("theme", "dark"));
    ck_assert(has_number("count", 5));
    ck_assert_uint_eq(session.count, 2);
    ck_assert_uint_eq(session.head.user.size, 0);
    ck_assert_uint_eq(session.head.version, 7);
    ck_assert_uint_eq(session.head.generation, 1);
}
END_TEST

START_TEST(test_too_many_fields_are_full)
{
    static char names[SF_FIELDS_MAX][16];
    struct sf_value value = text_value("x");

    for (int i = 0; i < SF_FIELDS_MAX - 2; i++) {
        snprintf(names[i], sizeof(names[i]), "%d", i);
        ck_assert_int_eq(sf_session_set(&session, sf_span_text(names[i]), &value), SF_OK);
    }
    add(SF_OP_SET, "more", value);
    ck_assert_int_eq(apply(), SF_FULL);
    ck_assert_uint_eq(session.count, SF_FIELDS_MAX);
}
END_TEST

START_TEST(test_applied_session_encodes)
{
    struct sf_buffer record;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    add(SF_OP_APPEND, "theme", text_value("er"));
    add_plain(SF_OP_LOGIN, "anna");
    ck_assert_int_eq(apply(), SF_OK);
    ck_assert_int_eq(sf_session_encode(&session, 1024, &record), SF_OK);
    ck_assert_int_eq(sf_record_check(sf_buffer_span(&record)), SF_OK);
    sf_buffer_fini(&record);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("ops_apply");
    TCase *tests = tcase_create("ops_apply");
    tcase_add_checked_fixture(tests, start, finish);
    tcase_add_test(tests, test_set_changes_the_field_the_version_and_the_time);
    tcase_add_test(tests, test_list_that_changes_nothing_makes_no_version);
    tcase_add_test(tests, test_touch_moves_the_last_access_only);
    tcase_add_test(tests, test_last_access_never_moves_back);
    tcase_add_test(tests, test_increments_add_up);
    tcase_add_test(tests, test_increment_takes_digits_as_a_number);
    tcase_add_test(tests, test_increment_of_text_is_refused);
    tcase_add_test(tests, test_increment_beyond_the_range_is_refused);
    tcase_add_test(tests, test_append_joins_in_order);
    tcase_add_test(tests, test_append_of_nothing_changes_nothing);
    tcase_add_test(tests, test_append_to_a_number_is_refused);
    tcase_add_test(tests, test_joined_values_survive_a_growing_scratch);
    tcase_add_test(tests, test_appends_to_one_field_copy_each_byte_once);
    tcase_add_test(tests, test_failed_list_leaves_joined_values_of_an_earlier_one);
    tcase_add_test(tests, test_append_beyond_the_scratch_is_full);
    tcase_add_test(tests, test_compare_and_set_sets_when_the_value_is_the_expected);
    tcase_add_test(tests, test_compare_and_set_conflicts_otherwise_and_nothing_changes);
    tcase_add_test(tests, test_compare_with_absent_adds_only_a_new_field);
    tcase_add_test(tests, test_pop_removes_and_hands_out);
    tcase_add_test(tests, test_clear_removes_all_fields_and_keeps_the_user);
    tcase_add_test(tests, test_login_sets_the_user_and_wants_a_new_id);
    tcase_add_test(tests, test_login_of_the_same_user_wants_a_new_id_too);
    tcase_add_test(tests, test_login_from_anonymous_keeps_the_fields);
    tcase_add_test(tests, test_login_as_somebody_else_clears_what_was_there);
    tcase_add_test(tests, test_mark_and_unmark_change_the_flags);
    tcase_add_test(tests, test_login_as_somebody_else_drops_the_flags);
    tcase_add_test(tests, test_end_is_told_and_makes_a_version);
    tcase_add_test(tests, test_late_failure_undoes_everything);
    tcase_add_test(tests, test_too_many_fields_are_full);
    tcase_add_test(tests, test_applied_session_encodes);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
