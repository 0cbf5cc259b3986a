/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/exchange.h"

#include <check.h>
#include <string.h>

#include "tests/support/run_suite.h"

static struct sf_exchange *exchange;
static struct sf_ops ops;
static struct sf_error error;

static void
start(void)
{
    exchange = sf_exchange_new();
    ck_assert_ptr_nonnull(exchange);
    sf_ops_init(&ops);
    error = (struct sf_error){.status = SF_OK};
}

static void
finish(void)
{
    sf_ops_fini(&ops);
    sf_exchange_free(exchange);
}

static void
answers(const char *header, const char *value)
{
    ck_assert_int_eq(sf_exchange_add(exchange, header, value, &error), SF_OK);
}

static enum sf_status
read_ops(void)
{
    return sf_exchange_ops(exchange, NULL, &ops, &error);
}

static enum sf_status
note_word(void *context, struct sf_span word)
{
    struct sf_buffer *text = context;
    enum sf_status status = text->size > 0 ? sf_buffer_append_text(text, " ") : SF_OK;

    return status == SF_OK ? sf_buffer_append_span(text, word) : status;
}

static void
ops_are(const char *wanted)
{
    struct sf_buffer text;

    sf_buffer_init(&text, 4096);
    ck_assert_int_eq(sf_ops_to_words(&ops, note_word, &text), SF_OK);
    ck_assert_int_eq(sf_buffer_append(&text, "", 1), SF_OK);
    ck_assert_str_eq((const char *)text.data, wanted);
    sf_buffer_fini(&text);
}

static void
is_refused(const char *header, const char *value)
{
    finish();
    start();
    answers("X-Session-Set", "fine=1");
    answers(header, value);
    ck_assert_msg(read_ops() == SF_INVALID, "%s: %s", header, value);
    ck_assert_uint_eq(ops.count, 0);
    ck_assert_msg(strstr(error.text, header) != NULL, "'%s' does not name %s", error.text, header);
}

START_TEST(test_no_headers_give_no_ops)
{
    ck_assert_int_eq(read_ops(), SF_OK);
    ck_assert_uint_eq(ops.count, 0);
}
END_TEST

START_TEST(test_each_header_becomes_its_op)
{
    answers("X-Session-Set", "theme=dark+blue&name=J%C3%BCrgen");
    answers("X-Session-Unset", "a&b");
    answers("X-Session-Increment", "count&n=-3");
    answers("X-Session-Append", "log=x");
    answers("X-Session-Login", "joe%2Bx@example.org");
    ck_assert_int_eq(read_ops(), SF_OK);
    ops_are("LOGIN joe+x@example.org UNSET a UNSET b SET theme dark blue SET name J\xc3\xbcrgen "
            "APPEND log x INCREMENT count 1 INCREMENT n -3");
}
END_TEST

START_TEST(test_order_is_fixed_whatever_came_first)
{
    answers("X-Session-Rotate", "1");
    answers("X-Session-Increment", "a");
    answers("X-Session-Set", "a=1");
    answers("X-Session-Unset", "a");
    ck_assert_int_eq(read_ops(), SF_OK);
    ops_are("UNSET a SET a 1 INCREMENT a 1 ROTATE");
}
END_TEST

START_TEST(test_headers_of_one_name_add_up)
{
    answers("X-Session-Set", "a=1");
    answers("x-session-set", " b=2\t");
    answers("X_SESSION.SET", "a=3");
    ck_assert_int_eq(read_ops(), SF_OK);
    ops_are("SET a 1 SET b 2 SET a 3");
}
END_TEST

START_TEST(test_commas_separate_headers_that_were_joined)
{
    answers("X-Session-Set", "a=1, b=2 ,\tc=3%2C4");
    answers("X-Session-Increment", "n,n=2");
    answers("X-Session-Rotate", "1, 1");
    ck_assert_int_eq(read_ops(), SF_OK);
    ops_are("SET a 1 SET b 2 SET c 3,4 INCREMENT n 1 INCREMENT n 2 ROTATE ROTATE");
}
END_TEST

START_TEST(test_joined_headers_mean_what_they_mean_apart)
{
    struct sf_session session;
    struct sf_value five = {.type = SF_VALUE_INTEGER, .integer = 5};

    sf_session_init(&session);
    ck_assert_int_eq(sf_session_set(&session, sf_span_text("count"), &five), SF_OK);
    answers("X-Session-Replace", ", a=1,");
    ck_assert_int_eq(sf_exchange_ops(exchange, &session, &ops, &error), SF_OK);
    ops_are("SET a 1 UNSET count");
    sf_session_fini(&session);
    is_refused("X-Session-Replace", "a=1, a=1");
    is_refused("X-Session-Set", "a=1,b");
    is_refused("X-Session-Login", "anna, bert");
}
END_TEST

START_TEST(test_logout_makes_the_others_void)
{
    answers("X-Session-Set", "broken=%");
    answers("X-Session-Login", "anna");
    answers("X-Session-Logout", "");
    ck_assert_int_eq(read_ops(), SF_OK);
    ops_are("END");
}
END_TEST

START_TEST(test_logout_is_done_even_beside_an_unknown_header)
{
    ck_assert_int_eq(sf_exchange_add(exchange, "X-Session-Sett", "a=1", &error), SF_INVALID);
    answers("X-Session-Logout", "1");
    ck_assert_int_eq(read_ops(), SF_OK);
    ops_are("END");
}
END_TEST

/* _i: who is logged in, or logs in. */
START_TEST(test_others_are_those_of_the_user_behind_the_response)
{
    struct sf_session current;
    sf_session_init(&current);
    current.head.user = sf_span_text("anna");
    answers("X-Session-Logout-Others", "1");
    answers("X-Session-Set", "a=1");
    if (_i == 1)
        answers("X-Session-Login", "bert");
    ck_assert_int_eq(sf_exchange_ops(exchange, &current, &ops, &error), SF_OK);
    ops_are(_i == 0 ? "SET a 1 ROTATE" : "LOGIN bert SET a 1");
    ck_assert(sf_span_equal(ops.others_of, sf_span_text(_i == 0 ? "anna" : "bert")));
    sf_session_fini(&current);
}
END_TEST

START_TEST(test_others_of_nobody_are_refused)
{
    is_refused("X-Session-Logout-Others", "1");
}
END_TEST

START_TEST(test_durability_is_the_highest_that_was_asked_for)
{
    ck_assert_int_eq(sf_exchange_durability(exchange), SF_DURABILITY_MEMORY);
    answers("X-Session-Durability", "memory");
    ck_assert_int_eq(sf_exchange_durability(exchange), SF_DURABILITY_MEMORY);
    answers("x_session_durability", " Journal ");
    ck_assert_int_eq(sf_exchange_durability(exchange), SF_DURABILITY_JOURNAL);
    answers("X-Session-Durability", "memory, store,journal");
    ck_assert_int_eq(sf_exchange_durability(exchange), SF_DURABILITY_STORE);
    ck_assert_int_eq(read_ops(), SF_OK);
    ck_assert_uint_eq(ops.count, 0);
}
END_TEST

START_TEST(test_unknown_durability_is_refused)
{
    static const char *const words[] = {"", "disk", "journal store", "journall", "store,", "1"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        finish();
        start();
        answers("X-Session-Set", "fine=1");
        ck_assert_int_eq(sf_exchange_add(exchange, "X-Session-Durability", words[i], &error), SF_INVALID);
        ck_assert_int_eq(read_ops(), SF_INVALID);
        ck_assert_ptr_nonnull(strstr(error.text, "X-Session-Durability"));
    }
}
END_TEST

START_TEST(test_malformed_headers_make_the_list_invalid)
{
    is_refused("X-Session-Set", "name");
    is_refused("X-Session-Set", "=value");
    is_refused("X-Session-Set", "a=%zz");
    is_refused("X-Session-Set", "a%00=1");
    is_refused("X-Session-Unset", "a=1");
    is_refused("X-Session-Append", "a");
    is_refused("X-Session-Increment", "a=");
    is_refused("X-Session-Increment", "a=1.5");
    is_refused("X-Session-Increment", "a=9223372036854775808");
    is_refused("X-Session-Replace", "a");
    is_refused("X-Session-Replace", "a=1&b=2&a=3");
    is_refused("X-Session-Login", "");
    is_refused("X-Session-Login", "joe+x@example.org");
    is_refused("X-Session-Login", "joe%0D%0ASet-Cookie:");
    is_refused("X-Session-Login", "joe%00");
}
END_TEST

START_TEST(test_two_logins_are_refused)
{
    answers("X-Session-Login", "anna");
    answers("X-Session-Login", "bert");
    ck_assert_int_eq(read_ops(), SF_INVALID);
}
END_TEST

START_TEST(test_unknown_header_is_refused_now_and_later)
{
    ck_assert_int_eq(sf_exchange_add(exchange, "X-Session-Sett", "a=1", &error), SF_INVALID);
    ck_assert_int_eq(sf_exchange_add(exchange, "X-Session-", "a=1", &error), SF_INVALID);
    ck_assert_int_eq(sf_exchange_add(exchange, "X-Session-Set2", "a=1", &error), SF_INVALID);
    answers("X-Session-Set", "a=1");
    ck_assert_int_eq(read_ops(), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "X-Session-Sett"));
}
END_TEST

START_TEST(test_values_together_are_bounded)
{
    static char half[SF_EXCHANGE_BYTES_MAX / 2 + 1];

    memset(half, 'x', sizeof(half) - 1);
    half[1] = '=';
    answers("X-Session-Set", half);
    answers("X-Session-Set", half);
    ck_assert_int_eq(sf_exchange_add(exchange, "X-Session-Set", "a=1", &error), SF_INVALID);
    ck_assert_int_eq(read_ops(), SF_INVALID);
}
END_TEST

START_TEST(test_number_of_headers_is_bounded)
{
    for (int i = 0; i < SF_EXCHANGE_HEADERS_MAX; i += 2)
        answers("X-Session-Rotate", ",");
    ck_assert_int_eq(sf_exchange_add(exchange, "X-Session-Rotate", "", &error), SF_INVALID);
}
END_TEST

START_TEST(test_number_of_changes_is_bounded)
{
    static char many[2 * (SF_OPS_MAX + 1) + 1];

    for (int i = 0; i <= SF_OPS_MAX; i++)
        memcpy(many + (size_t)2 * (size_t)i, "a&", 2);
    answers("X-Session-Unset", many);
    ck_assert_int_eq(read_ops(), SF_INVALID);
}
END_TEST

START_TEST(test_replace_becomes_the_difference)
{
    struct sf_session session;
    struct sf_value five = {.type = SF_VALUE_INTEGER, .integer = 5};

    sf_session_init(&session);
    ck_assert_int_eq(sf_session_set(&session, sf_span_text("count"), &five), SF_OK);
    ck_assert_int_eq(sf_session_set(&session, sf_span_text("gone"), &five), SF_OK);
    ck_assert_int_eq(sf_session_set(&session, sf_span_text("same"), &five), SF_OK);
    answers("X-Session-Replace", "same=5&theme=dark&count=6");
    ck_assert_int_eq(sf_exchange_ops(exchange, &session, &ops, &error), SF_OK);
    ops_are("SETINT count 6 UNSET gone SET theme dark");
    sf_session_fini(&session);
}
END_TEST

START_TEST(test_empty_replace_removes_everything)
{
    struct sf_session session;
    struct sf_value five = {.type = SF_VALUE_INTEGER, .integer = 5};

    sf_session_init(&session);
    ck_assert_int_eq(sf_session_set(&session, sf_span_text("count"), &five), SF_OK);
    answers("X-Session-Replace", "");
    ck_assert_int_eq(sf_exchange_ops(exchange, &session, &ops, &error), SF_OK);
    ops_are("UNSET count");
    sf_session_fini(&session);
}
END_TEST

static void
has_fields(struct sf_session *session, const char *const *names, const char *value)
{
    struct sf_value text = {.type = SF_VALUE_STRING, .bytes = sf_span_text(value)};

    for (; *names != NULL; names++)
        ck_assert_int_eq(sf_session_set(session, sf_span_text(*names), &text), SF_OK);
}

START_TEST(test_replace_by_somebody_else_is_complete)
{
    struct sf_session session;

    sf_session_init(&session);
    has_fields(&session, (const char *const[]){"gone", "same", NULL}, "5");
    session.head.user = sf_span_text("anna");
    answers("X-Session-Replace", "same=5");
    answers("X-Session-Login", "bert");
    ck_assert_int_eq(sf_exchange_ops(exchange, &session, &ops, &error), SF_OK);
    ops_are("LOGIN bert SET same 5");
    sf_session_fini(&session);
}
END_TEST

START_TEST(test_login_leaves_no_other_login_behind)
{
    struct sf_session session;

    sf_session_init(&session);
    has_fields(&session, (const char *const[]){"a-pw", "a-user", "b-user", "my-site", NULL}, "anna");
    answers("X-Session-Login", "anna");
    ck_assert_int_eq(sf_exchange_ops(exchange, &session, &ops, &error), SF_OK);
    ops_are("LOGIN anna");
    finish();
    start();
    answers("X-Session-Login", "bert");
    answers("X-Session-Set", "b-user=bert");
    ck_assert_int_eq(sf_exchange_ops(exchange, &session, &ops, &error), SF_OK);
    ops_are("LOGIN bert UNSET a-pw UNSET a-user UNSET b-user SET b-user bert");
    sf_session_fini(&session);
}
END_TEST

START_TEST(test_ops_can_be_read_again)
{
    answers("X-Session-Set", "a=1");
    answers("X-Session-Replace", "b=2");
    ck_assert_int_eq(read_ops(), SF_OK);
    ops_are("SET b 2 SET a 1");
    ops.count = 0;
    ck_assert_int_eq(read_ops(), SF_OK);
    ops_are("SET b 2 SET a 1");
}
END_TEST

START_TEST(test_control_headers_are_known_in_any_spelling)
{
    ck_assert(sf_exchange_is_control("X-Session-Set"));
    ck_assert(sf_exchange_is_control("x_session.anything"));
    ck_assert(!sf_exchange_is_control("X-Session"));
    ck_assert(!sf_exchange_is_control("X-Sessions"));
    ck_assert(!sf_exchange_is_control("Session"));
    ck_assert(!sf_exchange_is_control(""));
}
END_TEST

START_TEST(test_spoofed_request_headers_are_known_in_any_spelling)
{
    for (const char *const *name =
             (const char *const[]){"Session", "session", "SESSION.USER", "Session_User",
                                   "X-Session-User", "x_session_user", "X.Session~User", "Session ",
                                   "X-Session", NULL};
         *name != NULL; name++)
        ck_assert_msg(sf_exchange_is_spoof(*name), "%s", *name);
    for (const char *const *name =
             (const char *const[]){"", "Cookie", "Sess", "X-Sess", "My-Session", "XSession", "Sessions",
                                   "SessionExtra", "X-SessionToken", NULL};
         *name != NULL; name++)
        ck_assert_msg(!sf_exchange_is_spoof(*name), "%s", *name);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("exchange");
    TCase *tests = tcase_create("exchange");
    tcase_add_checked_fixture(tests, start, finish);
    tcase_add_test(tests, test_no_headers_give_no_ops);
    tcase_add_test(tests, test_each_header_becomes_its_op);
    tcase_add_test(tests, test_order_is_fixed_whatever_came_first);
    tcase_add_test(tests, test_headers_of_one_name_add_up);
    tcase_add_test(tests, test_commas_separate_headers_that_were_joined);
    tcase_add_test(tests, test_joined_headers_mean_what_they_mean_apart);
    tcase_add_test(tests, test_logout_makes_the_others_void);
    tcase_add_test(tests, test_logout_is_done_even_beside_an_unknown_header);
    tcase_add_loop_test(tests, test_others_are_those_of_the_user_behind_the_response, 0, 2);
    tcase_add_test(tests, test_others_of_nobody_are_refused);
    tcase_add_test(tests, test_durability_is_the_highest_that_was_asked_for);
    tcase_add_test(tests, test_unknown_durability_is_refused);
    tcase_add_test(tests, test_malformed_headers_make_the_list_invalid);
    tcase_add_test(tests, test_two_logins_are_refused);
    tcase_add_test(tests, test_unknown_header_is_refused_now_and_later);
    tcase_add_test(tests, test_values_together_are_bounded);
    tcase_add_test(tests, test_number_of_headers_is_bounded);
    tcase_add_test(tests, test_number_of_changes_is_bounded);
    tcase_add_test(tests, test_replace_becomes_the_difference);
    tcase_add_test(tests, test_empty_replace_removes_everything);
    tcase_add_test(tests, test_replace_by_somebody_else_is_complete);
    tcase_add_test(tests, test_login_leaves_no_other_login_behind);
    tcase_add_test(tests, test_ops_can_be_read_again);
    tcase_add_test(tests, test_control_headers_are_known_in_any_spelling);
    tcase_add_test(tests, test_spoofed_request_headers_are_known_in_any_spelling);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
