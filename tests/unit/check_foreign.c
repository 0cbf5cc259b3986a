/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of Django are what Django 3.2.25 has written; PHP's text is as PHP 8.2 writes it. */
#include "common/store/foreign/foreign.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/session/session.h"
#include "common/session/user_epochs.h"
#include "tests/support/run_suite.h"

#define NOW ((sf_time)1800000000 * SF_SECOND)

#define DJANGO_PLAIN                                                                               \
    "3za78fpyfhks5s164d9u5yuhg8eqo81j\teyJhIjoxLCJfc2Vzc2lvbl9leHBpcnkiOjIwMDAwMDAwMH0:1xUlQ8:"    \
    "mgaAOfx7u1eWdhpOjyGuKDz5tukeTrYd_YuO-ApsF6Y\t2033-03-24 09:19:44.809419"
#define DJANGO_LARGE                                                                               \
    "ntc9n7r6mtf9cv5hkidlzx9mp4w6ifef\t"                                                           \
    ".eJyVj80OwiAQhN9lz4TQ2qrl6N0nUEMorFKtYPhJapq-u5D0oEf3tjOzX2ZnEDJFI1JALwYNHJoayLfYS_VAWxx9l_"  \
    "bmqHI2-qGnJUJXN9Cj0zge1uwP"                                                                   \
    "wMhg8jWr6k3Tbnf7TvZK4_XfPUOV9BH4qSIzTJl4ToxhB8uFgJcRgTPaEnAWePQJCVhns2jTOBKIBp9YfpD-"         \
    "UeoFDGFwVuD0GvwbeM3WWT5ZCVcb:1xUlQ8:"                                                         \
    "YAk-b9AMOXTrJ9hIebloh02K7cmFYS38BCHwgLFxwuo\t2033-03-24 09:19:44.851058"
#define PHP_ID "0123456789abcdef0123456789"

static struct sf_foreign_options options;
static struct sf_buffer record;
static struct sf_session session;
static struct sf_span id;
static struct sf_error error;

static void
set_up(void)
{
    options = (struct sf_foreign_options){
        .now = NOW, .idle_timeout = 30 * SF_MINUTE, .max_bytes = SF_RECORD_BYTES_MAX};
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    sf_session_init(&session);
}

static void
tear_down(void)
{
    sf_session_fini(&session);
    sf_buffer_fini(&record);
}

static enum sf_status
read_bytes(enum sf_foreign_kind kind, const void *line, size_t size)
{
    options.kind = kind;
    error.text[0] = '\0';
    enum sf_status status = sf_foreign_read(&record, &id, sf_span_of(line, size), &options, &error);
    if (status == SF_OK)
        ck_assert_int_eq(sf_session_decode(&session, sf_buffer_span(&record)), SF_OK);
    else
        ck_assert_str_ne(error.text, "");
    return status;
}

static enum sf_status
read_line(enum sf_foreign_kind kind, const char *line)
{
    return read_bytes(kind, line, strlen(line));
}

static void
assert_text(const char *name, const char *text)
{
    const struct sf_field *field = sf_session_find(&session, sf_span_text(name));
    ck_assert_msg(field != NULL, "no field %s", name);
    ck_assert_int_eq(field->value.type, SF_VALUE_STRING);
    ck_assert(sf_span_equal(field->value.bytes, sf_span_text(text)));
}

static void
assert_number(const char *name, int64_t number)
{
    const struct sf_field *field = sf_session_find(&session, sf_span_text(name));
    ck_assert_msg(field != NULL, "no field %s", name);
    ck_assert_int_eq(field->value.type, SF_VALUE_INTEGER);
    ck_assert_int_eq(field->value.integer, number);
}

static void
assert_bytes(const char *name, const char *text)
{
    const struct sf_field *field = sf_session_find(&session, sf_span_text(name));
    ck_assert_msg(field != NULL, "no field %s", name);
    ck_assert_int_eq(field->value.type, SF_VALUE_BYTES);
    ck_assert(sf_span_equal(field->value.bytes, sf_span_text(text)));
}

static void
assert_refused(enum sf_foreign_kind kind, const char *line, const char *says)
{
    ck_assert_int_eq(read_line(kind, line), SF_INVALID);
    ck_assert_msg(strstr(error.text, says) != NULL, "\"%s\" does not say \"%s\"", error.text, says);
}

/* ---- Django ---- */

START_TEST(test_django)
{
    ck_assert_int_eq(read_line(SF_FOREIGN_DJANGO, DJANGO_PLAIN), SF_OK);
    ck_assert(sf_span_equal(id, sf_span_text("3za78fpyfhks5s164d9u5yuhg8eqo81j")));
    assert_number("a", 1);
    ck_assert_uint_eq(session.head.user.size, 0);
    ck_assert_uint_eq(session.head.version, 1);
    ck_assert_int_eq(session.head.absolute_deadline, (sf_time)1995268784 * SF_SECOND);
    ck_assert_int_eq(session.head.idle_timeout, session.head.absolute_deadline - NOW);
    ck_assert_int_eq(session.head.last_access, NOW);
}
END_TEST

START_TEST(test_django_compressed)
{
    ck_assert_int_eq(read_line(SF_FOREIGN_DJANGO, DJANGO_LARGE), SF_OK);
    assert_text("_auth_user_id", "42");
    assert_text("theme", "dark");
    assert_text("cart", "[1,{\"x\":\"\xc3\xa9\"}]");
    assert_text("rate", "0.5");
    assert_number("on", 1);
    ck_assert_ptr_null(sf_session_find(&session, sf_span_text("none")));
    ck_assert(sf_span_equal(session.head.user, sf_span_text("42")));
}
END_TEST

START_TEST(test_django_before_3_1)
{
    /* "0011:{"a": 1}" */
    ck_assert_int_eq(
        read_line(SF_FOREIGN_DJANGO,
                  "ntc9n7r6mtf9cv5hkidlzx9mp4w6ifef\tMDAxMTp7ImEiOiAxfQ==\t2033-03-24 09:19:44"),
        SF_OK);
    assert_number("a", 1);
}
END_TEST

START_TEST(test_django_times)
{
    static const char *const same[] = {"2033-03-24 09:19:44", "2033-03-24T09:19:44Z",
                                       "2033-03-24 11:19:44.809419+02", "2033-03-24 03:49:44-05:30",
                                       "2033-03-24 09:19:44.1+00:00"};
    char line[200];
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        snprintf(line, sizeof line, "ntc9n7r6mtf9cv5hkidlzx9mp4w6ifef\tMDAxMTp7ImEiOiAxfQ==\t%s",
                 same[i]);
        ck_assert_msg(read_line(SF_FOREIGN_DJANGO, line) == SF_OK, "%s: %s", same[i], error.text);
        ck_assert_int_eq(session.head.absolute_deadline, (sf_time)1995268784 * SF_SECOND);
    }
}
END_TEST

START_TEST(test_django_refused)
{
    static const char id_and_tab[] = "ntc9n7r6mtf9cv5hkidlzx9mp4w6ifef\t";
    static const struct {
        const char *rest, *says;
    } wrong[] = {
        {"x", "not three columns"},
        {"MDAxMTp7ImEiOiAxfQ==\ttomorrow", "expire_date"},
        {"MDAxMTp7ImEiOiAxfQ==\t2033-03-24 09:19:44+1", "expire_date"},
        {"MDAxMTp7ImEiOiAxfQ==\t", "expire_date"},
        {"MDAxMTp7ImEiOiAxfQ==\t2233-03-24 09:19:44", "year 2100"},
        {"!!!:a:b\t2033-03-24 09:19:44", "not base64"},
        {":a:b\t2033-03-24 09:19:44", "no JSON object"},
        {"\t2033-03-24 09:19:44", "no JSON object"},
        {".eJyVj80O:a:b\t2033-03-24 09:19:44", "zlib"},
        {"gASVAAAA:a:b\t2033-03-24 09:19:44", "JSONSerializer"},
    };
    char line[200];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(line, sizeof line, "%s%s", id_and_tab, wrong[i].rest);
        assert_refused(SF_FOREIGN_DJANGO, line, wrong[i].says);
    }
}
END_TEST

START_TEST(test_what_has_expired_is_told_apart)
{
    options.now = (sf_time)1995268784 * SF_SECOND;
    ck_assert_int_eq(read_line(SF_FOREIGN_DJANGO, DJANGO_PLAIN), SF_NOT_FOUND);
    options.now -= 1;
    ck_assert_int_eq(read_line(SF_FOREIGN_DJANGO, DJANGO_PLAIN), SF_OK);
}
END_TEST

START_TEST(test_larger_than_a_session_may_be)
{
    options.max_bytes = 200;
    ck_assert_int_eq(read_line(SF_FOREIGN_DJANGO, DJANGO_LARGE), SF_FULL);
}
END_TEST

/* ---- express and Spring ---- */

START_TEST(test_connect_redis)
{
    ck_assert_int_eq(read_line(SF_FOREIGN_CONNECT_REDIS,
                               "app:sess:hJjSvKpZQ0aWn3mVx2yLr8tQ-1_bCdEf\t{\"cookie\":{"
                               "\"originalMaxAge\":86400000,\"expires\":"
                               "\"2033-03-24T09:19:44.000Z\",\"httpOnly\":true,\"path\":\"/"
                               "\"},\"views\":7,\"passport\":{\"user\":"
                               "\"alice\"},\"name\":\"alice\"}"),
                     SF_OK);
    ck_assert(sf_span_equal(id, sf_span_text("hJjSvKpZQ0aWn3mVx2yLr8tQ-1_bCdEf")));
    assert_number("views", 7);
    assert_text("passport", "{\"user\":\"alice\"}");
    ck_assert_ptr_null(sf_session_find(&session, sf_span_text("cookie")));
    ck_assert_int_eq(session.head.absolute_deadline, (sf_time)1995268784 * SF_SECOND);
    ck_assert_uint_eq(session.head.user.size, 0);
}
END_TEST

/* He may have been logged out everywhere before he came in. */
START_TEST(test_user_is_logged_in_now)
{
    uint32_t logins[SF_USER_EPOCH_ROWS] = {0};
    logins[sf_user_epochs_row(sf_span_text("42"))] = 7;
    options.logins = logins;
    ck_assert_int_eq(read_line(SF_FOREIGN_DJANGO, DJANGO_LARGE), SF_OK);
    ck_assert_uint_eq(session.head.user_epoch, 7);
}
END_TEST

START_TEST(test_user_field)
{
    options.user_field = "name";
    ck_assert_int_eq(
        read_line(SF_FOREIGN_CONNECT_REDIS, "sess:hJjSvKpZQ0aWn3mVx2yLr8tQ-1_bCdEf\t{\"cookie\":{"
                                            "\"expires\":null},\"name\":\"alice\"}"),
        SF_OK);
    ck_assert(sf_span_equal(session.head.user, sf_span_text("alice")));
    ck_assert_int_eq(session.head.idle_timeout, 30 * SF_MINUTE);
    ck_assert_int_eq(session.head.absolute_deadline, 0);
    ck_assert_int_eq(
        read_line(
            SF_FOREIGN_CONNECT_REDIS,
            "sess:hJjSvKpZQ0aWn3mVx2yLr8tQ-1_bCdEf\t{\"cookie\":{\"expires\":null},\"name\":17}"),
        SF_OK);
    ck_assert(sf_span_equal(session.head.user, sf_span_text("17")));
}
END_TEST

START_TEST(test_connect_redis_refused)
{
    assert_refused(SF_FOREIGN_CONNECT_REDIS, "sess:x", "a tab");
    assert_refused(SF_FOREIGN_CONNECT_REDIS, "sess:x\t[]", "JSON object");
    assert_refused(SF_FOREIGN_CONNECT_REDIS, "sess:x\t{", "JSON object");
    assert_refused(SF_FOREIGN_CONNECT_REDIS, "sess:x\t{\"a\":1}", "express-session");
    assert_refused(SF_FOREIGN_CONNECT_REDIS, "sess:x\t{\"cookie\":{\"expires\":\"soon\"}}",
                   "expires");
    assert_refused(SF_FOREIGN_CONNECT_REDIS, "sess:x\t{\"cookie\":{},\"\":1}", "name");
}
END_TEST

START_TEST(test_spring)
{
    ck_assert_int_eq(
        read_line(SF_FOREIGN_SPRING,
                  "spring:session:sessions:33fdc9e0-a5f4-4c1b-9232-1d54847bde0f\t{\"creationTime\":"
                  "\"1799999000000\","
                  "\"lastAccessedTime\":\"1799999900000\",\"maxInactiveInterval\":\"1800\","
                  "\"sessionAttr:user\":\"\\\"alice\\\"\",\"sessionAttr:n\":\"5\",\"sessionAttr:"
                  "plain\":\"a b\"}"),
        SF_OK);
    ck_assert(sf_span_equal(id, sf_span_text("33fdc9e0-a5f4-4c1b-9232-1d54847bde0f")));
    assert_text("user", "alice");
    assert_text("plain", "a b");
    assert_number("n", 5);
    ck_assert_int_eq(session.head.created, (sf_time)1799999000 * SF_SECOND);
    ck_assert_int_eq(session.head.last_access, (sf_time)1799999900 * SF_SECOND);
    ck_assert_int_eq(session.head.idle_timeout, 1800 * SF_SECOND);
}
END_TEST

START_TEST(test_spring_expired_and_refused)
{
    ck_assert_int_eq(
        read_line(SF_FOREIGN_SPRING,
                  "s:s:x\t{\"lastAccessedTime\":\"1799999900000\",\"maxInactiveInterval\":\"60\"}"),
        SF_NOT_FOUND);
    assert_refused(SF_FOREIGN_SPRING, "s:s:x\t{\"creationTime\":\"1\"}", "lastAccessedTime");
    assert_refused(SF_FOREIGN_SPRING, "s:s:x\t{\"lastAccessedTime\":\"-1\"}", "lastAccessedTime");
    assert_refused(SF_FOREIGN_SPRING, "s:s:x\t{\"lastAccessedTime\":\"soon\"}", "lastAccessedTime");
    assert_refused(SF_FOREIGN_SPRING, "s:s:x\t\xac\xed", "Java");
}
END_TEST

/* ---- PHP ---- */

START_TEST(test_php)
{
    options.last_access = NOW - SF_MINUTE;
    ck_assert_int_eq(read_line(SF_FOREIGN_PHP, PHP_ID
                               "\tuser|s:5:\"alice\";n|i:-7;on|b:1;off|b:0;none|N;rate|d:0.5;"
                               "list|a:2:{i:0;s:1:\"a\";i:1;i:2;}map|a:2:{s:1:\"k\";a:0:{}i:5;b:1;}"
                               "quoted|s:9:\"a\";b|i:1;\";"),
                     SF_OK);
    ck_assert(sf_span_equal(id, sf_span_text(PHP_ID)));
    assert_text("user", "alice");
    assert_number("n", -7);
    assert_number("on", 1);
    assert_number("off", 0);
    ck_assert_ptr_null(sf_session_find(&session, sf_span_text("none")));
    assert_text("rate", "0.5");
    assert_text("list", "[\"a\",2]");
    assert_text("map", "{\"k\":[],\"5\":true}");
    assert_text("quoted", "a\";b|i:1;");
    ck_assert_int_eq(session.head.last_access, NOW - SF_MINUTE);
    ck_assert_int_eq(session.head.idle_timeout, 30 * SF_MINUTE);
}
END_TEST

START_TEST(test_php_that_json_has_no_form_for_stays_as_it_is)
{
    static const char *const values[] = {"O:3:\"Foo\":1:{s:1:\"a\";i:1;}",
                                         "a:1:{i:0;O:3:\"Foo\":0:{}}",
                                         "C:3:\"Foo\":4:{}}}}}",
                                         "E:7:\"Foo:Bar\";",
                                         "r:1;",
                                         "a:1:{i:0;R:1;}",
                                         "a:1:{i:0;s:1:\"\xff\";}",
                                         "d:INF;"};
    char line[200];
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        snprintf(line, sizeof line, PHP_ID "\ta|%sb|i:2;", values[i]);
        ck_assert_msg(read_line(SF_FOREIGN_PHP, line) == SF_OK, "%s: %s", values[i], error.text);
        assert_bytes("a", values[i]);
        assert_number("b", 2);
    }
}
END_TEST

START_TEST(test_php_texts_may_be_any_bytes)
{
    static const char line[] = PHP_ID "\ta|s:3:\"\xff\0\n\";";
    ck_assert_int_eq(read_bytes(SF_FOREIGN_PHP, line, sizeof line - 1), SF_OK);
    const struct sf_field *field = sf_session_find(&session, sf_span_text("a"));
    ck_assert_ptr_nonnull(field);
    ck_assert(sf_span_equal(field->value.bytes, sf_span_of("\xff\0\n", 3)));
}
END_TEST

START_TEST(test_php_refused)
{
    static const char *const values[] = {"i:1",
                                         "i:x;",
                                         "s:5:\"abc\";",
                                         "s:-1:\"\";",
                                         "s:3:\"abc;",
                                         "a:1:{i:0;i:1;",
                                         "a:9999999999:{}",
                                         "a:-1:{}",
                                         "a:2:{i:0;i:1;}",
                                         "b:",
                                         "d:;",
                                         "d:abc;",
                                         "O:3:\"Foo\":",
                                         "C:3:\"Foo\":9:{}",
                                         "X:1;",
                                         "",
                                         "r:;",
                                         "N",
                                         "d:1;;"};
    char line[200];
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        snprintf(line, sizeof line, PHP_ID "\ta|%s", values[i]);
        ck_assert_msg(read_line(SF_FOREIGN_PHP, line) == SF_INVALID, "%s", values[i]);
    }
    assert_refused(SF_FOREIGN_PHP, PHP_ID "\tnothing", "session.serialize_handler=php");
}
END_TEST

START_TEST(test_php_nested_too_deep)
{
    char line[2000];
    int used = snprintf(line, sizeof line, PHP_ID "\ta|");
    for (int i = 0; i < 60; i++)
        used += snprintf(line + used, sizeof line - (size_t)used, "a:1:{i:0;");
    ck_assert_int_eq(read_line(SF_FOREIGN_PHP, line), SF_INVALID);
}
END_TEST

START_TEST(test_an_empty_file_is_an_empty_session)
{
    ck_assert_int_eq(read_line(SF_FOREIGN_PHP, PHP_ID "\t"), SF_OK);
    ck_assert_uint_eq(session.count, 0);
}
END_TEST

START_TEST(test_plain)
{
    ck_assert_int_eq(read_line(SF_FOREIGN_PLAIN,
                               "J\xc3\xbcrgen\t0b54c4dc-6a5e-4b58-a6e0-8f0ba2a3c1de\t{\"expire_time\": "
                               "\"2027-01-15T08:30:00\", \"created_at\": \"2027-01-15T07:50:00.5\", "
                               "\"last_activity\": \"2027-01-15T08:00:00\", \"n\": 1}"),
                     SF_OK);
    ck_assert(sf_span_equal(id, sf_span_text("0b54c4dc-6a5e-4b58-a6e0-8f0ba2a3c1de")));
    ck_assert(sf_span_equal(session.head.user, sf_span_text("J\xc3\xbcrgen")));
    ck_assert_int_eq(session.head.created, NOW - 10 * SF_MINUTE);
    ck_assert_int_eq(session.head.last_access, NOW);
    ck_assert_int_eq(session.head.idle_timeout, 30 * SF_MINUTE);
    ck_assert_int_eq(session.head.absolute_deadline, 0);
    ck_assert_uint_eq(session.count, 1);
}
END_TEST

START_TEST(test_plain_refused)
{
    static const char *const lines[] = {
        "alice\t{}", "alice\tid\t7", "alice\tid\t{}", "alice\tid\t{\"expire_time\": 7}",
        "alice\tid\t{\"expire_time\": \"tomorrow\"}",
        "alice\tid\t{\"expire_time\": \"2027-01-15T08:30:00\", \"created_at\": null}"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        ck_assert_int_eq(read_line(SF_FOREIGN_PLAIN, lines[i]), SF_INVALID);
    ck_assert_int_eq(read_line(SF_FOREIGN_PLAIN, "alice\tid\t{\"expire_time\": \"2027-01-15T08:00:00\"}"),
                     SF_NOT_FOUND);
}
END_TEST

START_TEST(test_kinds_by_name)
{
    enum sf_foreign_kind kind;
    ck_assert_int_eq(sf_foreign_kind_parse(&kind, "spring", &error), SF_OK);
    ck_assert_int_eq(kind, SF_FOREIGN_SPRING);
    ck_assert_int_eq(sf_foreign_kind_parse(&kind, "rails", &error), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "connect-redis"));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("foreign");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_django);
    tcase_add_test(tests, test_django_compressed);
    tcase_add_test(tests, test_django_before_3_1);
    tcase_add_test(tests, test_django_times);
    tcase_add_test(tests, test_django_refused);
    tcase_add_test(tests, test_what_has_expired_is_told_apart);
    tcase_add_test(tests, test_larger_than_a_session_may_be);
    tcase_add_test(tests, test_connect_redis);
    tcase_add_test(tests, test_user_is_logged_in_now);
    tcase_add_test(tests, test_user_field);
    tcase_add_test(tests, test_connect_redis_refused);
    tcase_add_test(tests, test_spring);
    tcase_add_test(tests, test_spring_expired_and_refused);
    tcase_add_test(tests, test_php);
    tcase_add_test(tests, test_php_that_json_has_no_form_for_stays_as_it_is);
    tcase_add_test(tests, test_php_texts_may_be_any_bytes);
    tcase_add_test(tests, test_php_refused);
    tcase_add_test(tests, test_php_nested_too_deep);
    tcase_add_test(tests, test_an_empty_file_is_an_empty_session);
    tcase_add_test(tests, test_plain);
    tcase_add_test(tests, test_plain_refused);
    tcase_add_test(tests, test_kinds_by_name);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
