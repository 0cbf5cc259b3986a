/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"
#include "tests/unit/cache_case.h"

static enum sf_status
fill_with(uint64_t number, const struct sf_l1_vacancy *vacancy, struct sf_span record)
{
    struct sf_key key = sf_test_cache_key(number);

    return sf_l1_fill(cache.l1, &key, record, SF_TEST_NOW, vacancy);
}

static struct sf_l1_vacancy
look_for_vacancy(uint64_t number)
{
    return view_of(number, SF_NOT_FOUND).vacancy;
}

static struct sf_buffer
record_of(uint64_t version)
{
    struct sf_record_head head = {
        .kind = SF_RECORD_SESSION, .version = version, .created = 1, .last_access = 1};
    struct sf_buffer record;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_record_encode(&record, &head, NULL, SF_RECORD_BYTES_MAX), SF_OK);
    return record;
}

START_TEST(test_filled_record_is_clean)
{
    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 7, "text"), SF_OK);
    struct sf_test_seen seen = sf_test_look(cache.l1, 1, "value");
    ck_assert_str_eq(seen.text, "text");
    ck_assert_uint_eq(seen.version, 7);
    ck_assert(seen.is_clean);
    ck_assert_uint_eq(sf_test_settle_all(cache.l1), 0);
}
END_TEST

START_TEST(test_fill_knows_a_later_access_than_the_record)
{
    struct sf_l1_vacancy vacancy = look_for_vacancy(1);
    struct sf_buffer record = record_of(3);

    ck_assert_int_eq(fill_with(1, &vacancy, sf_buffer_span(&record)), SF_OK);
    ck_assert_int_eq(view_of(1, SF_OK).last_access, SF_TEST_NOW);
    sf_buffer_fini(&record);
}
END_TEST

/* Another host may have changed it in the store since, however long the answer was on its way. */
START_TEST(test_fill_is_as_old_as_the_look_that_missed)
{
    struct sf_l1_vacancy vacancy = look_for_vacancy(1);
    struct sf_buffer record = record_of(3);

    vacancy.seen -= SF_SECOND;
    ck_assert_int_eq(fill_with(1, &vacancy, sf_buffer_span(&record)), SF_OK);
    ck_assert_int_eq(view_of(1, SF_OK).since, vacancy.seen);
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_fill_does_not_replace_what_is_there)
{
    struct sf_l1_vacancy vacancy = look_for_vacancy(1);
    struct sf_buffer record = record_of(3);

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(fill_with(1, &vacancy, sf_buffer_span(&record)), SF_OK);
    ck_assert_uint_eq(sf_test_look(cache.l1, 1, NULL).version, 1);
    sf_buffer_fini(&record);
}
END_TEST

/*
 * Loaded at version 3; meanwhile somebody else has filled it, changed it, and it was stored and has
 * left again.
 */
START_TEST(test_record_that_grew_old_while_it_was_loaded_is_refused)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_vacancy vacancy = look_for_vacancy(1);
    struct sf_buffer record = record_of(3);

    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "old"), SF_OK);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "value", "new"), SF_OK);
    sf_test_settle_all(cache.l1);
    ck_assert_int_eq(sf_l1_drop(cache.l1, &key), SF_OK);
    ck_assert_int_eq(fill_with(1, &vacancy, sf_buffer_span(&record)), SF_CONFLICT);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).status, SF_NOT_FOUND);
    vacancy = look_for_vacancy(1);
    ck_assert_int_eq(fill_with(1, &vacancy, sf_buffer_span(&record)), SF_OK);
    sf_buffer_fini(&record);
}
END_TEST

/* The same, where there is no room for it: whoever hands it on would show what is over. */
START_TEST(test_record_without_room_that_grew_old_is_refused)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_vacancy vacancy = look_for_vacancy(1);
    static unsigned char bytes[300000]; /* more than a slab has */
    struct sf_buffer large = sf_test_record(3, NULL, sf_span_of(bytes, sizeof(bytes)));

    ck_assert_int_eq(fill_with(1, &vacancy, sf_buffer_span(&large)), SF_FULL);
    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "old"), SF_OK);
    ck_assert_int_eq(sf_l1_drop(cache.l1, &key), SF_OK);
    ck_assert_int_eq(fill_with(1, &vacancy, sf_buffer_span(&large)), SF_CONFLICT);
    vacancy = look_for_vacancy(1);
    ck_assert_int_eq(fill_with(1, &vacancy, sf_buffer_span(&large)), SF_FULL);
    sf_buffer_fini(&large);
}
END_TEST

START_TEST(test_fill_refuses_what_is_no_record)
{
    struct sf_l1_vacancy vacancy = look_for_vacancy(1);

    ck_assert_int_eq(fill_with(1, &vacancy, sf_span_text("no record")), SF_CORRUPT);
}
END_TEST

START_TEST(test_drop_takes_only_what_is_stored)
{
    struct sf_key key = sf_test_cache_key(1);

    ck_assert_int_eq(sf_l1_drop(cache.l1, &key), SF_NOT_FOUND);
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_l1_drop(cache.l1, &key), SF_CONFLICT);
    sf_test_settle_all(cache.l1);
    ck_assert_int_eq(sf_l1_drop(cache.l1, &key), SF_OK);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).status, SF_NOT_FOUND);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1_fill");
    TCase *tests = tcase_create("l1_fill");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_filled_record_is_clean);
    tcase_add_test(tests, test_fill_knows_a_later_access_than_the_record);
    tcase_add_test(tests, test_fill_is_as_old_as_the_look_that_missed);
    tcase_add_test(tests, test_fill_does_not_replace_what_is_there);
    tcase_add_test(tests, test_record_that_grew_old_while_it_was_loaded_is_refused);
    tcase_add_test(tests, test_record_without_room_that_grew_old_is_refused);
    tcase_add_test(tests, test_fill_refuses_what_is_no_record);
    tcase_add_test(tests, test_drop_takes_only_what_is_stored);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
