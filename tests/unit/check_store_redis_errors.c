/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_errors.h"

#include <check.h>
#include <string.h>

#include "tests/support/run_suite.h"

static const struct sf_redis_fault *
fault(const char *reply)
{
    return sf_redis_fault(sf_span_text(reply));
}

START_TEST(test_replies_that_mean_another_server)
{
    static const char *const replies[] = {
        "READONLY You can't write against a read only replica. script: 0123, on @user_script:35.",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "NOAUTH Authentication required.",
        "WRONGPASS invalid username-password pair or user is disabled.",
        "NOPERM this user has no permissions to run the 'evalsha' command",
        "NOSCRIPT No matching script. Please use EVAL.",
        "CLUSTERDOWN The cluster is down",
        "MOVED 3999 127.0.0.1:6381",
        "ASK 3999 127.0.0.1:6381",
        "ERR max number of clients reached",
    };
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        ck_assert_int_eq(fault(replies[i])->status, SF_UNAVAILABLE);
        ck_assert_msg(fault(replies[i])->is_other_server, "%s", replies[i]);
    }
}
END_TEST

START_TEST(test_replies_that_are_waited_out)
{
    static const char *const replies[] = {
        "LOADING Redis is loading the dataset in memory",
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist on disk.",
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        "NOREPLICAS Not enough good replicas to write.",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "ERR something that nobody has foreseen",
        "",
    };
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        ck_assert_int_eq(fault(replies[i])->status, SF_UNAVAILABLE);
        ck_assert_msg(!fault(replies[i])->is_other_server, "%s", replies[i]);
    }
}
END_TEST

START_TEST(test_no_memory_is_full)
{
    ck_assert_int_eq(fault("OOM command not allowed when used memory > 'maxmemory'.")->status, SF_FULL);
    ck_assert_int_eq(fault("ERR Error running script (call to f_01): @user_script:35: @user_script: 35: "
                           "-OOM command not allowed when used memory > 'maxmemory'.")->status, SF_FULL);
}
END_TEST

START_TEST(test_only_whole_words_count)
{
    ck_assert_str_eq(fault("OOMPH")->word, "");
    ck_assert_str_eq(fault("ERR no OOM here")->word, "");
    ck_assert_str_eq(fault("somebody said -OOM x")->word, "");
    ck_assert_str_eq(fault("OOM")->word, "OOM");
}
END_TEST

START_TEST(test_wrong_type_is_this_row_s_fault_only)
{
    const char *reply = "WRONGTYPE Operation against a key holding the wrong kind of value";
    ck_assert_int_eq(fault(reply)->status, SF_INVALID);
    ck_assert(!fault(reply)->is_other_server);
}
END_TEST

START_TEST(test_words_end_where_the_server_repeats_what_it_was_sent)
{
    char text[SF_REDIS_WORDS_TEXT], many[1000];
    sf_redis_words_format(sf_span_text("ERR unknown command 'EVALSHA', with args beginning with: 'secret'"), text);
    ck_assert_str_eq(text, "ERR unknown command 'EVALSHA'");
    sf_redis_words_format(sf_span_text("ERR\r\n\x1b[2J"), text);
    ck_assert_str_eq(text, "ERR???[2J");
    sf_redis_words_format(sf_span_of(NULL, 0), text);
    ck_assert_str_eq(text, "");
    memset(many, 'x', sizeof many);
    sf_redis_words_format(sf_span_of(many, sizeof many), text);
    ck_assert_uint_eq(strlen(text), SF_REDIS_WORDS_TEXT - 1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_redis_errors");
    TCase *replies = tcase_create("replies");
    tcase_add_test(replies, test_replies_that_mean_another_server);
    tcase_add_test(replies, test_replies_that_are_waited_out);
    tcase_add_test(replies, test_no_memory_is_full);
    tcase_add_test(replies, test_only_whole_words_count);
    tcase_add_test(replies, test_wrong_type_is_this_row_s_fault_only);
    tcase_add_test(replies, test_words_end_where_the_server_repeats_what_it_was_sent);
    suite_add_tcase(suite, replies);
    return sf_run_suite(suite);
}
