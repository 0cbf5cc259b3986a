/* SPDX-License-Identifier: Apache-2.0 */
/* As the store meets such a file: json_plain.h. */
#include "common/store/file/json_plain.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/identity/imported_id.h"
#include "common/session/session.h"
#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"

#define FILE_NAME "sessions.json"
#define ALICE "0b54c4dc-6a5e-4b58-a6e0-8f0ba2a3c1de"
#define ALICE_TOO "5f0e6b44-95ad-4d5f-9a5b-6de5ab0b8a3c"
#define BOB "c1b0cf2c-2c56-4df7-8a6a-0d8f2d0c9f11"

#define TIMES(year)                                                                                \
    "\"expire_time\": \"" year "-01-31T09:30:00.654321\", \"created_at\": \"2025-01-31T09:00:00.123456\","  \
    " \"last_activity\": \"2025-01-31T09:10:00\""
#define NAME "J\xc3\xbcrgen \xe6\xb1\x89"
#define FIELDS \
    "\"name\": \"" NAME "\", \"visits\": 7, \"trusted\": true, \"tags\": [1, 2], \"none\": null"

static struct sf_temp_folder folder;
static struct sf_store *store;
static struct sf_stored stored;
static struct sf_session session;
static struct sf_error error;

static const char *
path(const char *name)
{
    return sf_temp_folder_path(&folder, name);
}

static void
set_up(void)
{
    sf_temp_folder_init(&folder);
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    sf_session_init(&session);
    store = NULL;
}

static void
tear_down(void)
{
    sf_store_close(store);
    sf_session_fini(&session);
    sf_buffer_fini(&stored.record);
    sf_temp_folder_fini(&folder);
}

static void
write_file(const char *text)
{
    FILE *stream = fopen(path(FILE_NAME), "w");
    ck_assert_ptr_nonnull(stream);
    ck_assert_int_ge(fputs(text, stream), 0);
    ck_assert_int_eq(fclose(stream), 0);
}

/* With a NUL behind it; the caller frees it. */
static char *
read_file(const char *name)
{
    FILE *stream = fopen(path(name), "r");
    ck_assert_msg(stream != NULL, "%s is missing", name);
    char *text = calloc(1, 1 << 16);
    (void)!fread(text, 1, (1 << 16) - 1, stream);
    fclose(stream);
    return text;
}

static void
assert_file(const char *name, const char *expected)
{
    char *found = read_file(name);
    ck_assert_str_eq(found, expected);
    free(found);
}

static enum sf_status
attach(void)
{
    sf_store_close(store);
    ck_assert_int_eq(sf_store_open(&store, "file:" FILE_NAME, folder.path, &error), SF_OK);
    return store->ops->attach(store, sf_clock_steady() + SF_MINUTE, &error);
}

/* By the id with which the browser comes. */
static enum sf_status
load(const char *id)
{
    struct sf_secrets secrets;
    struct sf_key key;
    ck_assert_int_eq(sf_secrets_load(&secrets, path("secret.keys"), &error), SF_OK);
    sf_imported_id_key(&key, sf_span_text(id), &secrets, 0);
    enum sf_status status = sf_store_load_one(store, &key, sf_clock_steady() + SF_MINUTE, &stored);
    if (status == SF_OK)
        ck_assert_int_eq(sf_session_decode(&session, sf_buffer_span(&stored.record)), SF_OK);
    return status;
}

static void
assert_field(const char *name, const char *expected)
{
    char number[SF_NUMBER_TEXT];
    const struct sf_field *field = sf_session_find(&session, sf_span_text(name));
    ck_assert_msg(field != NULL, "no field %s", name);
    ck_assert(sf_span_equal(sf_value_text(&field->value, number), sf_span_text(expected)));
}

static void
assert_alice(void)
{
    ck_assert_int_eq(load(ALICE), SF_OK);
    ck_assert(sf_span_equal(session.head.user, sf_span_text("alice")));
    ck_assert_uint_eq(session.count, 4);
    assert_field("name", NAME);
    assert_field("visits", "7");
    assert_field("trusted", "1");
    assert_field("tags", "[1,2]");
    ck_assert_int_eq(session.head.last_access - session.head.created, 10 * SF_MINUTE);
    ck_assert_int_eq(session.head.last_access, (sf_time)1738314600 * SF_SECOND);
    ck_assert_int_eq(sf_record_expires(&session.head, session.head.last_access), (sf_time)3316152600 * SF_SECOND);
    ck_assert_int_eq(session.head.absolute_deadline, 0);
}

static const char two_users[] = "{\n  \"alice\": {\n    \"sessions\": {\n"
                                "      \"" ALICE "\": {" TIMES("2075") ", " FIELDS "},\n"
                                "      \"" ALICE_TOO "\": {\"expire_time\": \"2075-01-31 09:30:00+00:00\"}\n"
                                "    }\n  },\n"
                                "  \"bob\": {\"sessions\": {\"" BOB "\": {" TIMES("2026") "}}}\n}";

START_TEST(test_file_is_taken_over_in_place)
{
    write_file(two_users);
    ck_assert_msg(attach() == SF_OK, "%s", error.text);
    assert_alice();
    ck_assert_int_eq(load(ALICE_TOO), SF_OK);
    ck_assert_uint_eq(session.count, 0);
    ck_assert_int_eq(session.head.absolute_deadline, (sf_time)3316152600 * SF_SECOND);
    ck_assert_int_eq(load(BOB), SF_NOT_FOUND);
    assert_file(FILE_NAME ".old", two_users);
    ck_assert_int_eq(attach(), SF_OK);
    assert_alice();
    char *ours = read_file(FILE_NAME);
    ck_assert_ptr_nonnull(strstr(ours, "\"format\": \"session-fast 1\""));
    ck_assert_ptr_nonnull(strstr(ours, "\"name\": \"" NAME "\""));
    ck_assert_ptr_null(strstr(ours, ALICE));
    free(ours);
}
END_TEST

START_TEST(test_file_of_nobody)
{
    write_file("{}");
    ck_assert_int_eq(attach(), SF_OK);
    ck_assert_int_eq(load(ALICE), SF_NOT_FOUND);
    assert_file(FILE_NAME ".old", "{}");
}
END_TEST

START_TEST(test_what_is_no_session_is_left_out_and_told)
{
    write_file("{\"alice\": {\"sessions\": {\"" ALICE "\": {" TIMES("2075") ", " FIELDS "},"
               " \"" ALICE_TOO "\": {\"created_at\": \"2025-01-31T09:00:00\"}, \"" BOB "\": 7,"
               " \"short\": {" TIMES("2075") "}}}}");
    ck_assert_int_eq(attach(), SF_OK);
    store->ops->explain(store, &error);
    ck_assert_msg(strstr(error.text, "3 sessions were left out") != NULL, "%s", error.text);
    assert_alice();
    ck_assert_int_eq(load(ALICE_TOO), SF_NOT_FOUND);
    ck_assert_int_eq(load(BOB), SF_NOT_FOUND);
}
END_TEST

/* Killed between the copy and the new file: they are one. */
START_TEST(test_a_killed_start_is_repeated)
{
    char copy[256];
    write_file(two_users);
    snprintf(copy, sizeof copy, "%s", path(FILE_NAME ".old"));
    ck_assert_int_eq(link(path(FILE_NAME), copy), 0);
    ck_assert_msg(attach() == SF_OK, "%s", error.text);
    assert_alice();
    assert_file(FILE_NAME ".old", two_users);
}
END_TEST

START_TEST(test_an_earlier_copy_is_never_overwritten)
{
    write_file("{}");
    ck_assert_int_eq(attach(), SF_OK);
    sf_store_close(store);
    store = NULL;
    write_file(two_users);
    ck_assert_int_eq(attach(), SF_INVALID);
    ck_assert_msg(strstr(error.text, "is in the way") != NULL, "%s", error.text);
    assert_file(FILE_NAME, two_users);
    assert_file(FILE_NAME ".old", "{}");
}
END_TEST

START_TEST(test_without_its_secret_nothing_is_touched)
{
    write_file(two_users);
    ck_assert_int_eq(mkdir(path("secret.keys"), 0700), 0);
    ck_assert_int_ne(attach(), SF_OK);
    assert_file(FILE_NAME, two_users);
    ck_assert_int_ne(access(path(FILE_NAME ".old"), F_OK), 0);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("json_plain");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, test_file_is_taken_over_in_place);
    tcase_add_test(all, test_file_of_nobody);
    tcase_add_test(all, test_what_is_no_session_is_left_out_and_told);
    tcase_add_test(all, test_a_killed_start_is_repeated);
    tcase_add_test(all, test_an_earlier_copy_is_never_overwritten);
    tcase_add_test(all, test_without_its_secret_nothing_is_touched);
    suite_add_tcase(suite, all);
    return suite;
}

int
main(void)
{
    return sf_run_suite(make_suite());
}
