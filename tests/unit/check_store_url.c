/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_url.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"

static const char *const options[] = {"prefix", "timeout", NULL};
static const struct sf_store_url_rules rules = {.port = 6379, .options = options};

static struct sf_store_url url;
static struct sf_error error;

static void
parse(const char *text)
{
    error.text[0] = '\0';
    ck_assert_msg(sf_store_url_parse(&url, text, &rules, &error) == SF_OK, "%s: %s", text, error.text);
}

static void
assert_refused(const char *text, const char *reason)
{
    ck_assert_msg(sf_store_url_parse(&url, text, &rules, &error) == SF_INVALID, "%s", text);
    ck_assert_msg(strstr(error.text, reason) != NULL, "%s: %s", text, error.text);
    ck_assert_ptr_null(url.text);
}

START_TEST(test_host_alone)
{
    parse("redis://cache.example");
    ck_assert_uint_eq(url.host_count, 1);
    ck_assert_str_eq(url.hosts[0].name, "cache.example");
    ck_assert_uint_eq(url.hosts[0].port, 6379);
    ck_assert_str_eq(url.user, "");
    ck_assert_str_eq(url.name, "");
    ck_assert_ptr_null(url.password);
    ck_assert_str_eq(url.label, "redis://cache.example:6379");
    sf_store_url_fini(&url);
}
END_TEST

START_TEST(test_one_host_of_several)
{
    parse("redis://one:1,two/7");
    sf_store_url_keep_host(&url, 1);
    ck_assert_uint_eq(url.host_count, 1);
    ck_assert_str_eq(url.hosts[0].name, "two");
    ck_assert_str_eq(url.label, "redis://two:6379/7");
    sf_store_url_fini(&url);
}
END_TEST

START_TEST(test_every_part)
{
    parse("rediss://alice:p%40ss%2F%25@one:1,[::1]:65535,three/7?prefix=a%26b:&timeout=250");
    ck_assert_str_eq(url.user, "alice");
    ck_assert_str_eq(url.password, "p@ss/%");
    ck_assert_uint_eq(url.host_count, 3);
    ck_assert_str_eq(url.hosts[0].name, "one");
    ck_assert_uint_eq(url.hosts[0].port, 1);
    ck_assert_str_eq(url.hosts[1].name, "::1");
    ck_assert_uint_eq(url.hosts[1].port, 65535);
    ck_assert_str_eq(url.hosts[2].name, "three");
    ck_assert_uint_eq(url.hosts[2].port, 6379);
    ck_assert_str_eq(url.name, "7");
    ck_assert_str_eq(sf_store_url_option(&url, "prefix"), "a&b:");
    ck_assert_ptr_null(sf_store_url_option(&url, "other"));
    ck_assert_str_eq(url.label, "rediss://alice@one:1,[::1]:65535,three:6379/7");
    sf_store_url_fini(&url);
}
END_TEST

START_TEST(test_password_without_user)
{
    parse("redis://:secret@host");
    ck_assert_str_eq(url.user, "");
    ck_assert_str_eq(url.password, "secret");
    ck_assert_str_eq(url.label, "redis://host:6379");
    sf_store_url_fini(&url);
    parse("redis://alice@host");
    ck_assert_str_eq(url.user, "alice");
    ck_assert_ptr_null(url.password);
    sf_store_url_fini(&url);
}
END_TEST

START_TEST(test_unix_sockets)
{
    parse("redis://%2Frun%2Fredis.sock/3");
    ck_assert_str_eq(url.hosts[0].name, "/run/redis.sock");
    ck_assert_str_eq(url.name, "3");
    ck_assert_str_eq(url.label, "redis:///run/redis.sock/3");
    sf_store_url_fini(&url);
    parse("redis://alice@/3?socket=/run/redis.sock");
    ck_assert_uint_eq(url.host_count, 1);
    ck_assert_str_eq(url.hosts[0].name, "/run/redis.sock");
    ck_assert_str_eq(url.user, "alice");
    sf_store_url_fini(&url);
    parse("redis://?socket=/run/redis.sock");
    ck_assert_str_eq(url.hosts[0].name, "/run/redis.sock");
    sf_store_url_fini(&url);
}
END_TEST

START_TEST(test_what_is_no_url_is_refused)
{
    assert_refused("redis:host", "scheme://host");
    assert_refused("redis://", "no name");
    assert_refused("redis:///3", "no name");
    assert_refused("redis://a,,b", "no name");
    assert_refused("redis://[::1", "[::1]:PORT");
    assert_refused("redis://[::1]x", "[::1]:PORT");
    assert_refused("redis://host:0", "port");
    assert_refused("redis://host:65536", "port");
    assert_refused("redis://host:", "port");
    assert_refused("redis://a%4", "no name");
    assert_refused("redis://a%00", "no name");
    assert_refused("redis://a%zz@host", "hex");
    assert_refused("redis://host/%", "hex");
    assert_refused("redis://host?socket=/x", "no host beside it");
    assert_refused("redis://?socket=x", "begins with /");
    assert_refused("redis://1,2,3,4,5,6,7,8,9", "8 hosts");
}
END_TEST

START_TEST(test_options_that_are_wrong_are_refused)
{
    assert_refused("redis://host?colour=red", "known are socket password-file prefix timeout");
    assert_refused("redis://host?prefix", "prefix=VALUE");
    assert_refused("redis://host?prefix=%f", "prefix=VALUE");
    assert_refused("redis://host?prefix=a&prefix=b", "twice");
    assert_refused("redis://:x@host?password-file=/x", "password-file");
    assert_refused("redis://host?&prefix=a", "unknown");
}
END_TEST

/* Not even half of one that should have been written with %XX. */
START_TEST(test_no_text_holds_the_password)
{
    static const char *const wrong[] = {
        "redis://u:hush/hush@host", "redis://u:hush?hush@host", "redis://u:hush%h@host",
        "redis://u:hush@host:hush", "redis://:hush",            "redis://u:hush@host?hush=hush",
        "redis://u:hush@?socket=x",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_refused(wrong[i], "URL: ");
        ck_assert_msg(strstr(error.text, "hush") == NULL, "%s", error.text);
    }
    parse("redis://u:hush@host");
    ck_assert_ptr_null(strstr(url.label, "hush"));
    sf_store_url_fini(&url);
}
END_TEST

START_TEST(test_numbers)
{
    int64_t number;
    parse("redis://host?timeout=250");
    ck_assert_int_eq(sf_store_url_number(&number, &url, "timeout", 1, 0, 250, &error), SF_OK);
    ck_assert_int_eq(number, 250);
    ck_assert_int_eq(sf_store_url_number(&number, &url, "other", 7, 0, 10, &error), SF_OK);
    ck_assert_int_eq(number, 7);
    ck_assert_int_eq(sf_store_url_number(&number, &url, "timeout", 1, 0, 249, &error), SF_INVALID);
    ck_assert_str_eq(error.text, "URL: option timeout: is not a number from 0 to 249");
    sf_store_url_fini(&url);
}
END_TEST

START_TEST(test_label_of_a_long_url_is_cut)
{
    char text[600];
    memset(text, 'h', sizeof text);
    memcpy(text, "redis://", 8);
    memcpy(text + 500, "/name", 6);
    parse(text);
    ck_assert_uint_eq(strlen(url.label), sizeof url.label - 1);
    sf_store_url_fini(&url);
    parse("redis://%0A%1b[2J/x");
    ck_assert_str_eq(url.label, "redis://??[2J:6379/x");
    sf_store_url_fini(&url);
}
END_TEST

/* ---- passwords ---- */

static struct sf_temp_folder folder;
static char password[SF_STORE_PASSWORD_MAX];

static void
set_up(void)
{
    char text[128];
    sf_temp_folder_init(&folder);
    snprintf(text, sizeof text, "redis://alice@host?password-file=%s", sf_temp_folder_path(&folder, "password"));
    parse(text);
}

static void
tear_down(void)
{
    sf_store_url_fini(&url);
    sf_temp_folder_fini(&folder);
}

static void
write_password(const char *text, size_t size, mode_t mode)
{
    const char *path = sf_temp_folder_path(&folder, "password");
    unlink(path);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, text, size), (ssize_t)size);
    ck_assert_int_eq(fchmod(file, mode), 0);
    close(file);
}

static void
assert_password(const char *expected)
{
    ck_assert_msg(sf_store_url_password(password, &url, &error) == SF_OK, "%s", error.text);
    ck_assert_str_eq(password, expected);
}

START_TEST(test_password_is_the_first_line_of_its_file)
{
    write_password("first\nsecond\n", 13, 0600);
    assert_password("first");
    write_password("changed", 7, 0640);
    assert_password("changed");
    write_password("", 0, 0600);
    assert_password("");
}
END_TEST

START_TEST(test_password_file_that_others_read_is_refused)
{
    static const mode_t modes[] = {0644, 0604, 0602, 0660, 0620};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        write_password("hush", 4, modes[i]);
        ck_assert_int_eq(sf_store_url_password(password, &url, &error), SF_INVALID);
        ck_assert_ptr_nonnull(strstr(error.text, "must be 0600 or 0640"));
        ck_assert_str_eq(password, "");
    }
}
END_TEST

START_TEST(test_password_file_that_is_none)
{
    char text[SF_STORE_PASSWORD_MAX + 1];
    ck_assert_int_eq(sf_store_url_password(password, &url, &error), SF_UNAVAILABLE);
    ck_assert_int_eq(mkdir(sf_temp_folder_path(&folder, "password"), 0700), 0);
    ck_assert_int_eq(sf_store_url_password(password, &url, &error), SF_INVALID);
    ck_assert_int_eq(rmdir(sf_temp_folder_path(&folder, "password")), 0);
    memset(text, 'x', sizeof text);
    write_password(text, sizeof text, 0600);
    ck_assert_int_eq(sf_store_url_password(password, &url, &error), SF_INVALID);
    ck_assert_str_eq(password, "");
    text[sizeof text - 2] = '\n';
    write_password(text, sizeof text, 0600);
    ck_assert_int_eq(sf_store_url_password(password, &url, &error), SF_OK);
    ck_assert_uint_eq(strlen(password), SF_STORE_PASSWORD_MAX - 1);
}
END_TEST

START_TEST(test_password_of_the_url)
{
    parse("redis://:hush@host");
    assert_password("hush");
    sf_store_url_fini(&url);
    parse("redis://host");
    assert_password("");
    sf_store_url_fini(&url);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_url");
    TCase *parts = tcase_create("parts");
    tcase_add_test(parts, test_host_alone);
    tcase_add_test(parts, test_one_host_of_several);
    tcase_add_test(parts, test_every_part);
    tcase_add_test(parts, test_password_without_user);
    tcase_add_test(parts, test_unix_sockets);
    tcase_add_test(parts, test_what_is_no_url_is_refused);
    tcase_add_test(parts, test_options_that_are_wrong_are_refused);
    tcase_add_test(parts, test_no_text_holds_the_password);
    tcase_add_test(parts, test_numbers);
    tcase_add_test(parts, test_label_of_a_long_url_is_cut);
    tcase_add_test(parts, test_password_of_the_url);
    suite_add_tcase(suite, parts);
    TCase *files = tcase_create("password_files");
    tcase_add_checked_fixture(files, set_up, tear_down);
    tcase_add_test(files, test_password_is_the_first_line_of_its_file);
    tcase_add_test(files, test_password_file_that_others_read_is_refused);
    tcase_add_test(files, test_password_file_that_is_none);
    suite_add_tcase(suite, files);
    return sf_run_suite(suite);
}
