/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/ops.h"

#include <check.h>
#include <string.h>

#include "tests/support/run_suite.h"

#define WORDS_MAX 64

static struct sf_ops ops;
static struct sf_error error;
static struct sf_buffer formatted;

static void
start(void)
{
    sf_ops_init(&ops);
    sf_buffer_init(&formatted, 4096);
}

static void
finish(void)
{
    sf_ops_fini(&ops);
    sf_buffer_fini(&formatted);
}

/* Words are separated by one blank; "''" is an empty one. */
static enum sf_status
parse(const char *line)
{
    struct sf_span words[WORDS_MAX];
    size_t count = 0;

    while (*line != '\0') {
        size_t size = strcspn(line, " ");

        ck_assert_uint_lt(count, WORDS_MAX);
        words[count++] = sf_span_of(line, size == 2 && memcmp(line, "''", 2) == 0 ? 0 : size);
        line += size + (line[size] == ' ');
    }
    return sf_ops_from_words(&ops, words, count, &error);
}

static enum sf_status
note_word(void *context, struct sf_span word)
{
    struct sf_buffer *text = context;
    enum sf_status status = text->size > 0 ? sf_buffer_append_text(text, " ") : SF_OK;

    if (status == SF_OK)
        status = sf_buffer_append_span(text, word.size > 0 ? word : sf_span_text("''"));
    return status;
}

static void
formats_as(const char *wanted)
{
    sf_buffer_clear(&formatted);
    ck_assert_int_eq(sf_ops_to_words(&ops, note_word, &formatted), SF_OK);
    ck_assert_int_eq(sf_buffer_append(&formatted, "", 1), SF_OK);
    ck_assert_str_eq((const char *)formatted.data, wanted);
}

START_TEST(test_every_op_survives_the_way_through_words)
{
    static const char line[] =
        "SET a 1 SETINT a -1 SETBYTES a x UNSET a INCREMENT a 7 APPEND a '' APPENDBYTES a y "
        "CAS a '' new CASINT a 5 6 CASBYTES a b c ADD a 1 ADDINT a 2 ADDBYTES a 3 POP a CLEAR "
        "LOGIN anna ROTATE MARK pinned UNMARK bot TOUCH END";

    ck_assert_int_eq(parse(line), SF_OK);
    ck_assert_uint_eq(ops.count, 21);
    formats_as(line);
}
END_TEST

START_TEST(test_words_name_ops_in_any_case)
{
    ck_assert_int_eq(parse("set a 1 Increment b 2"), SF_OK);
    formats_as("SET a 1 INCREMENT b 2");
}
END_TEST

START_TEST(test_values_that_look_like_words_are_values)
{
    ck_assert_int_eq(parse("SET END CLEAR UNSET SET"), SF_OK);
    formats_as("SET END CLEAR UNSET SET");
}
END_TEST

START_TEST(test_expected_number_is_written_as_text)
{
    struct sf_op op = {.kind = SF_OP_COMPARE_AND_SET,
                       .name = sf_span_text("a"),
                       .value = {.type = SF_VALUE_INTEGER, .integer = 6},
                       .expected = {.type = SF_VALUE_INTEGER, .integer = 5}};

    ck_assert_int_eq(sf_ops_add(&ops, &op), SF_OK);
    formats_as("CASINT a 5 6");
}
END_TEST

START_TEST(test_no_words_are_no_ops)
{
    ck_assert_int_eq(parse(""), SF_OK);
    ck_assert_uint_eq(ops.count, 0);
}
END_TEST

START_TEST(test_unknown_word_is_refused_with_its_place)
{
    ck_assert_int_eq(parse("SET a 1 DANCE"), SF_INVALID);
    ck_assert_str_eq(error.text, "word 4 is no operation");
    ck_assert_int_eq(parse("''"), SF_INVALID);
}
END_TEST

START_TEST(test_missing_words_are_refused)
{
    ck_assert_int_eq(parse("CLEAR SET a"), SF_INVALID);
    ck_assert_str_eq(error.text, "SET at word 2 needs 2 more words");
    ck_assert_int_eq(parse("CAS a b"), SF_INVALID);
    ck_assert_int_eq(parse("LOGIN"), SF_INVALID);
}
END_TEST

START_TEST(test_bad_names_and_numbers_are_refused)
{
    ck_assert_int_eq(parse("SET '' x"), SF_INVALID);
    ck_assert_int_eq(parse("INCREMENT a x"), SF_INVALID);
    ck_assert_int_eq(parse("SETINT a 1.5"), SF_INVALID);
    ck_assert_int_eq(parse("CASINT a 1 x"), SF_INVALID);
    ck_assert_int_eq(parse("LOGIN ''"), SF_INVALID);
    ck_assert_int_eq(parse("MARK precious"), SF_INVALID);
}
END_TEST

START_TEST(test_nothing_follows_end)
{
    ck_assert_int_eq(parse("END TOUCH"), SF_INVALID);
}
END_TEST

static enum sf_status
refuse_word(void *context, struct sf_span word)
{
    size_t *count = context;

    (void)word;
    return ++*count == 2 ? SF_FULL : SF_OK;
}

START_TEST(test_status_of_the_callback_ends_the_walk)
{
    size_t count = 0;

    ck_assert_int_eq(parse("SET a 1 CLEAR"), SF_OK);
    ck_assert_int_eq(sf_ops_to_words(&ops, refuse_word, &count), SF_FULL);
    ck_assert_uint_eq(count, 2);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("ops_words");
    TCase *tests = tcase_create("ops_words");
    tcase_add_checked_fixture(tests, start, finish);
    tcase_add_test(tests, test_every_op_survives_the_way_through_words);
    tcase_add_test(tests, test_words_name_ops_in_any_case);
    tcase_add_test(tests, test_values_that_look_like_words_are_values);
    tcase_add_test(tests, test_expected_number_is_written_as_text);
    tcase_add_test(tests, test_no_words_are_no_ops);
    tcase_add_test(tests, test_unknown_word_is_refused_with_its_place);
    tcase_add_test(tests, test_missing_words_are_refused);
    tcase_add_test(tests, test_bad_names_and_numbers_are_refused);
    tcase_add_test(tests, test_nothing_follows_end);
    tcase_add_test(tests, test_status_of_the_callback_ends_the_walk);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
