/* SPDX-License-Identifier: Apache-2.0 */
/* A front that begins without a cache: what the daemon does for it, and when a cache comes, goes or cannot be used. */
#include "common/front/front.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cache/l1_layout.h"
#include "tests/support/run_suite.h"
#include "tests/unit/front_case.h"

START_TEST(test_without_a_cache_the_daemon_does_it)
{
    START({.reply = "*3\r\n$32\r\n0000000900000000000000000000005f\r\n:1\r\n$15\r\ncreated changed\r\n"});
    add_set("color", "red");
    ck_assert_int_eq(apply(NULL, NOW), SF_OK);
    ck_assert(saved.created && saved.is_new_id);
    ck_assert(request_begins(0, "SESSION.APPLY - NEWKEY "));
    ck_assert_ptr_nonnull(strstr(fake.requests[0], " CREATE OPS SET color red"));
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_journalled_change_of_the_daemon_is_durable)
{
    START({.reply = "*3\r\n$32\r\n0000000900000000000000000000005f\r\n:1\r\n$26\r\ncreated changed journalled\r\n"});
    config.durability = SF_DURABILITY_JOURNAL;
    add_set("color", "red");
    ck_assert_int_eq(apply(NULL, NOW), SF_OK);
    ck_assert(saved.created && saved.is_durable);
    ck_assert_ptr_nonnull(strstr(fake.requests[0], " CREATE JOURNAL OPS SET color red"));
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_change_without_an_answer_claims_nothing)
{
    START({.reply = NULL, .closes = true});
    add_set("color", "red");
    ck_assert_int_eq(apply(NULL, NOW), SF_UNCERTAIN);
    ck_assert(!saved.created && !saved.is_new_id);
    ck_assert_str_eq(saved.id.text, "");
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_change_that_only_the_store_has_not_confirmed_has_its_id)
{
    START({.reply = "-UNCERTAIN changed in the cache, but the store has not confirmed\r\n"});
    add_set("color", "red");
    ck_assert_int_eq(apply(NULL, NOW), SF_UNCERTAIN);
    ck_assert(saved.created && saved.is_new_id);
    ck_assert_uint_eq(strlen(saved.id.text), SF_ID_TEXT);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_cache_is_attached_when_it_appears)
{
    make_cache();
    struct sf_key key = make_session();
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert_int_eq(loaded.source, SF_FROM_CACHE);
}
END_TEST

/* As the daemon does when it must begin anew. */
static void
replace_cache(void)
{
    uint64_t retired = 1;
    int fd = open(instance.cache_path, O_WRONLY | O_CLOEXEC);
    off_t where = (off_t)offsetof(struct sf_l1_header, retired);
    ck_assert_int_eq(pwrite(fd, &retired, sizeof retired, where), sizeof retired);
    close(fd);
    ck_assert_int_eq(unlink(instance.cache_path), 0);
    make_cache();
}

START_TEST(test_replaced_segment_is_attached_instead)
{
    make_cache();
    struct sf_key key = make_session();
    replace_cache();
    START({.reply = "$-1\r\n"});
    ck_assert_int_eq(load(&key, NOW), SF_NOT_FOUND); /* the new segment does not know it: the store was asked */
    ck_assert_uint_eq(fake.answered, 1);
    struct sf_key other = make_session();
    ck_assert_int_eq(load(&other, NOW), SF_OK);
    ck_assert_uint_eq(fake.answered, 1);
    sf_fake_daemon_stop(&fake);
}
END_TEST

static uint64_t
count_of(enum sf_counter which)
{
    return atomic_load(&sf_front_counters(front)->values[which]);
}

START_TEST(test_what_is_counted_without_a_cache_stands_in_the_next_one)
{
    sf_count(sf_front_counters(front), gateway_requests);
    make_cache();
    ck_assert_uint_eq(count_of(SF_COUNTER_gateway_requests), 1);
    struct sf_counters *alone = sf_front_counters(front);
    sf_front_attach(front);
    ck_assert_ptr_ne(sf_front_counters(front), alone);
    ck_assert_uint_eq(count_of(SF_COUNTER_gateway_requests), 1);
}
END_TEST

START_TEST(test_who_only_counts_finds_the_replaced_segment)
{
    make_cache();
    sf_front_attach(front);
    struct sf_counters *first = sf_front_counters(front);
    sf_count(first, gateway_requests);
    replace_cache();
    sf_front_attach(front);
    ck_assert_ptr_ne(sf_front_counters(front), first);
    ck_assert_uint_eq(count_of(SF_COUNTER_gateway_requests), 0);
}
END_TEST

START_TEST(test_open_says_why_secrets_are_refused)
{
    struct sf_front *other;
    struct sf_error error = {.text = ""};
    FILE *file = fopen(instance.secret_path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("too short\n", file);
    fclose(file);
    ck_assert_int_eq(sf_front_open(&other, &instance, NULL, &error), SF_INVALID);
    ck_assert_ptr_null(other);
    ck_assert_str_ne(error.text, "");
}
END_TEST

static void
count_line(void *context, enum sf_log_level level, const char *line)
{
    ck_assert_int_eq(level, SF_LOG_WARNING);
    *(int *)context += strncmp(line, "SF0401", 6) == 0;
}

START_TEST(test_segment_that_cannot_be_used_is_waited_for)
{
    int lines = 0;
    const struct sf_log log = {.write = count_line, .context = &lines, .level = SF_LOG_WARNING};
    struct sf_error error = {.text = ""};
    sf_front_close(front);
    make_cache();
    ck_assert_int_eq(chmod(instance.cache_path, 0666), 0);
    ck_assert_int_eq(sf_front_open(&front, &instance, &log, &error), SF_OK);
    ck_assert_int_eq(lines, 1);
    ck_assert_int_eq(chmod(instance.cache_path, 0600), 0);
    struct sf_key key = make_session();
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert_int_eq(loaded.source, SF_FROM_CACHE);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("front_attach");
    TCase *tests = tcase_create("front_attach");
    tcase_add_checked_fixture(tests, set_up_without_cache, tear_down);
    tcase_add_test(tests, test_without_a_cache_the_daemon_does_it);
    tcase_add_test(tests, test_journalled_change_of_the_daemon_is_durable);
    tcase_add_test(tests, test_change_without_an_answer_claims_nothing);
    tcase_add_test(tests, test_change_that_only_the_store_has_not_confirmed_has_its_id);
    tcase_add_test(tests, test_cache_is_attached_when_it_appears);
    tcase_add_test(tests, test_replaced_segment_is_attached_instead);
    tcase_add_test(tests, test_what_is_counted_without_a_cache_stands_in_the_next_one);
    tcase_add_test(tests, test_who_only_counts_finds_the_replaced_segment);
    tcase_add_test(tests, test_open_says_why_secrets_are_refused);
    tcase_add_test(tests, test_segment_that_cannot_be_used_is_waited_for);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
