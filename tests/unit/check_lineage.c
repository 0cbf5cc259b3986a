/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/lineage.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/run_suite.h"

static struct sf_lineage lineage, again;
static struct sf_buffer bytes;

static void
set_up(void)
{
    sf_lineage_init(&lineage);
    sf_lineage_init(&again);
    sf_buffer_init(&bytes, SF_RECORD_BYTES_MAX);
}

static void
tear_down(void)
{
    sf_lineage_fini(&lineage);
    sf_lineage_fini(&again);
    sf_buffer_fini(&bytes);
}

static void
note_set(const char *name, uint64_t host, uint64_t version)
{
    struct sf_lineage_set set = {sf_span_text(name), host, version};
    ck_assert_int_eq(sf_lineage_note_set(&lineage, &set), SF_OK);
}

static void
note_sum(const char *name, uint64_t host, int64_t delta)
{
    struct sf_lineage_sum sum = {sf_span_text(name), host, delta};
    ck_assert_int_eq(sf_lineage_note_sum(&lineage, &sum), SF_OK);
}

static void
fill(void)
{
    sf_lineage_begin(&lineage, 3);
    sf_lineage_merge_to(&lineage, 7, 4);
    sf_lineage_merge_to(&lineage, 8, 2);
    note_set("theme", 8, 4);
    note_set(NULL, 7, 5);
    note_sum("n", 7, -5);
}

START_TEST(test_everything_comes_back)
{
    fill();
    ck_assert_int_eq(sf_lineage_encode(&lineage, &bytes), SF_OK);
    ck_assert_uint_eq(bytes.size, 16 + 2 * 16 + 10 + 5 + 10 + 10 + 1);
    ck_assert_int_eq(sf_lineage_check(sf_buffer_span(&bytes)), SF_OK);
    ck_assert_int_eq(sf_lineage_decode(&again, sf_buffer_span(&bytes)), SF_OK);
    ck_assert_uint_eq(again.base, 3);
    ck_assert_uint_eq(sf_lineage_merged(&again, 7), 4);
    ck_assert_uint_eq(sf_lineage_merged(&again, 8), 2);
    ck_assert_uint_eq(sf_lineage_merged(&again, 9), 0);
    ck_assert_uint_eq(again.set_count, 2);
    ck_assert(sf_span_equal(again.sets[0].name, sf_span_text("theme")));
    ck_assert_uint_eq(again.sets[0].version, 4);
    ck_assert_uint_eq(again.sets[0].host, 8);
    ck_assert_uint_eq(again.sets[1].name.size, 0);
    ck_assert_int_eq(sf_lineage_sum_of(&again, 7, sf_span_text("n")), -5);
    ck_assert_int_eq(sf_lineage_sum_of(&again, 8, sf_span_text("n")), 0);
}
END_TEST

START_TEST(test_no_bytes_are_no_lineage)
{
    fill();
    ck_assert_int_eq(sf_lineage_decode(&lineage, sf_span_text(NULL)), SF_OK);
    ck_assert_uint_eq(lineage.base + lineage.merged_count + lineage.set_count + lineage.sum_count, 0);
}
END_TEST

START_TEST(test_cut_off_and_longer_bytes_are_corrupt)
{
    fill();
    ck_assert_int_eq(sf_lineage_encode(&lineage, &bytes), SF_OK);
    for (size_t size = 1; size < bytes.size; size++)
        ck_assert_int_eq(sf_lineage_decode(&again, sf_span_of(bytes.data, size)), SF_CORRUPT);
    ck_assert_int_eq(sf_buffer_append(&bytes, "", 1), SF_OK);
    ck_assert_int_eq(sf_lineage_decode(&again, sf_buffer_span(&bytes)), SF_CORRUPT);
}
END_TEST

/* At byte `at` of what fill() makes. */
START_TEST(test_what_no_host_writes_is_corrupt)
{
    static const struct {
        size_t at;
        unsigned char byte;
    } bad[] = {
        {9, 1},           /* too many hosts */
        {14, 2},          /* an unknown flag */
        {16 + 32 + 8, 2}, /* the place of no host */
        {16 + 32 + 10, 0} /* a NUL in a name */
    };
    fill();
    ck_assert_int_eq(sf_lineage_encode(&lineage, &bytes), SF_OK);
    unsigned char *byte = &bytes.data[bad[_i].at];
    unsigned char was = *byte;
    *byte = bad[_i].byte;
    ck_assert_int_eq(sf_lineage_check(sf_buffer_span(&bytes)), SF_CORRUPT);
    ck_assert_int_eq(sf_lineage_decode(&again, sf_buffer_span(&bytes)), SF_CORRUPT);
    ck_assert_uint_eq(again.merged_count, 0);
    *byte = was;
    ck_assert_int_eq(sf_lineage_check(sf_buffer_span(&bytes)), SF_OK);
}
END_TEST

START_TEST(test_sum_without_a_name_is_corrupt)
{
    sf_lineage_merge_to(&lineage, 7, 1);
    note_sum("", 7, 1);
    ck_assert_int_eq(sf_lineage_encode(&lineage, &bytes), SF_OK);
    ck_assert_int_eq(sf_lineage_check(sf_buffer_span(&bytes)), SF_CORRUPT);
}
END_TEST

START_TEST(test_too_much_is_full)
{
    enum { NAMES = SF_LINEAGE_BYTES_MAX / (10 + 200) };
    static char names[NAMES + 1][201];
    sf_lineage_merge_to(&lineage, 7, 1);
    for (int i = 0; i <= NAMES; i++) {
        snprintf(names[i], sizeof names[i], "%0200d", i);
        note_set(names[i], 7, 1);
    }
    ck_assert_int_eq(sf_lineage_encode(&lineage, &bytes), SF_FULL);
    lineage.set_count -= 2;
    ck_assert_int_eq(sf_lineage_encode(&lineage, &bytes), SF_OK);
}
END_TEST

START_TEST(test_with_a_host_that_is_left_out_goes_what_it_did)
{
    note_set("theme", 1, 4);
    note_sum("n", 1, 5);
    for (uint64_t host = 1; host <= SF_LINEAGE_HOSTS_MAX + 1; host++)
        sf_lineage_merge_to(&lineage, host, 100 + host);
    note_sum("n", 2, 6);
    ck_assert_int_eq(sf_lineage_encode(&lineage, &bytes), SF_OK);
    ck_assert_int_eq(sf_lineage_decode(&again, sf_buffer_span(&bytes)), SF_OK);
    ck_assert_uint_eq(again.set_count, 0);
    ck_assert_uint_eq(again.sum_count, 1);
    ck_assert_int_eq(sf_lineage_sum_of(&again, 2, sf_span_text("n")), 6);
}
END_TEST

START_TEST(test_merged_never_goes_back)
{
    sf_lineage_merge_to(&lineage, 7, 4);
    sf_lineage_merge_to(&lineage, 7, 3);
    ck_assert_uint_eq(sf_lineage_merged(&lineage, 7), 4);
}
END_TEST

/* Where earlier versions marked what came from the journal. */
START_TEST(test_mark_of_earlier_versions_means_nothing)
{
    fill();
    ck_assert_int_eq(sf_lineage_encode(&lineage, &bytes), SF_OK);
    ck_assert_uint_eq(sf_load_u16(bytes.data + 14), 0);
    sf_store_u16(bytes.data + 14, 1);
    ck_assert_int_eq(sf_lineage_decode(&again, sf_buffer_span(&bytes)), SF_OK);
    ck_assert_uint_eq(again.base, lineage.base);
    ck_assert_uint_eq(again.set_count, 2);
    sf_buffer_clear(&bytes);
    ck_assert_int_eq(sf_lineage_encode(&again, &bytes), SF_OK);
    ck_assert_uint_eq(sf_load_u16(bytes.data + 14), 0);
}
END_TEST

START_TEST(test_too_many_hosts_leave_out_the_earliest)
{
    for (uint64_t host = 1; host <= SF_LINEAGE_HOSTS_MAX; host++)
        sf_lineage_merge_to(&lineage, host, 100 + host);
    sf_lineage_merge_to(&lineage, 1000, 500);
    ck_assert_uint_eq(lineage.merged_count, SF_LINEAGE_HOSTS_MAX);
    ck_assert_uint_eq(sf_lineage_merged(&lineage, 1), 0);
    ck_assert_uint_eq(sf_lineage_merged(&lineage, 2), 102);
    ck_assert_uint_eq(sf_lineage_merged(&lineage, 1000), 500);
}
END_TEST

START_TEST(test_a_new_beginning_keeps_sums_and_hosts)
{
    fill();
    sf_lineage_begin(&lineage, 12);
    ck_assert_uint_eq(lineage.base, 12);
    ck_assert_uint_eq(sf_lineage_merged(&lineage, 7), 4);
    ck_assert_int_eq(sf_lineage_sum_of(&lineage, 7, sf_span_text("n")), -5);
}
END_TEST

START_TEST(test_a_new_beginning_keeps_the_latest_sets)
{
    enum { SETS = SF_LINEAGE_FORMER_SETS };
    static char names[SETS + 2][8];
    for (unsigned i = 0; i < SETS + 2; i++) {
        snprintf(names[i], sizeof names[i], "f%u", i);
        note_set(names[i], 7, i + 1);
    }
    note_set("f0", 7, 100);
    sf_lineage_begin(&lineage, 12);
    ck_assert_uint_eq(lineage.set_count, SETS);
    ck_assert(sf_span_equal(lineage.sets[0].name, sf_span_text("f0")));
    ck_assert_uint_eq(lineage.sets[0].version, 100);
    for (size_t i = 1; i < SETS; i++)
        ck_assert_uint_gt(lineage.sets[i].version, 3);
}
END_TEST

/* More than are looked through one by one, and more again than fitted first. */
START_TEST(test_many_sets_are_found_by_their_names)
{
    enum { SETS = 1000 };
    static char names[SETS][8];
    const struct sf_lineage_set *set;
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < SETS; i++) {
            snprintf(names[i], sizeof names[i], "f%u", i);
            note_set(names[i], 7, 1000 * (unsigned)round + i + 1);
        }
        ck_assert_uint_eq(lineage.set_count, SETS);
        for (unsigned i = 0; i < SETS; i++) {
            set = sf_lineage_find_set(&lineage, sf_span_text(names[i]));
            ck_assert_ptr_nonnull(set);
            ck_assert_uint_eq(set->version, 1000 * (unsigned)round + i + 1);
        }
        ck_assert_ptr_null(sf_lineage_find_set(&lineage, sf_span_text("f1000")));
        if (round == 0)
            sf_lineage_begin(&lineage, 2000);
        else
            sf_lineage_forget(&lineage);
        ck_assert_ptr_null(sf_lineage_find_set(&lineage, sf_span_text("f1")));
        ck_assert((sf_lineage_find_set(&lineage, sf_span_text("f999")) != NULL) == (round == 0));
    }
}
END_TEST

/* A record with it, and with no field. */
static struct sf_buffer
record_with(const struct sf_lineage *of)
{
    struct sf_buffer record, lineage_bytes;
    struct sf_record_head head = {.kind = SF_RECORD_SESSION, .version = 1, .created = 1000, .last_access = 1000};
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&lineage_bytes, SF_LINEAGE_BYTES_MAX);
    ck_assert_int_eq(sf_lineage_encode(of, &lineage_bytes), SF_OK);
    head.lineage = sf_buffer_span(&lineage_bytes);
    ck_assert_int_eq(sf_record_encode(&record, &head, NULL, SF_RECORD_BYTES_MAX), SF_OK);
    sf_buffer_fini(&lineage_bytes);
    return record;
}

static void
assert_lacks(bool expected)
{
    struct sf_buffer row = record_with(&again), record = record_with(&lineage);
    ck_assert(sf_lineage_lacks(sf_buffer_span(&row), sf_buffer_span(&record)) == expected);
    sf_buffer_fini(&row);
    sf_buffer_fini(&record);
}

START_TEST(test_row_lacks_what_it_does_not_know_of_a_host)
{
    fill();
    assert_lacks(false); /* it names no host: nothing can be told */
    sf_lineage_merge_to(&again, 7, 4);
    assert_lacks(true);
    sf_lineage_merge_to(&again, 8, 1);
    assert_lacks(true);
    sf_lineage_merge_to(&again, 8, 2);
    assert_lacks(false);
    sf_lineage_merge_to(&again, 7, 9);
    sf_lineage_merge_to(&again, 9, 9);
    assert_lacks(false);
    sf_lineage_merge_to(&lineage, 10, 1);
    assert_lacks(true);
    for (uint64_t host = 100; again.merged_count < SF_LINEAGE_HOSTS_MAX; host++)
        sf_lineage_merge_to(&again, host, 50);
    assert_lacks(false); /* it may have been left out */
}
END_TEST

START_TEST(test_sums_wrap_around)
{
    note_sum("n", 7, INT64_MAX);
    note_sum("n", 7, 1);
    ck_assert_int_eq(sf_lineage_sum_of(&lineage, 7, sf_span_text("n")), INT64_MIN);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("lineage");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, test_everything_comes_back);
    tcase_add_test(all, test_no_bytes_are_no_lineage);
    tcase_add_test(all, test_cut_off_and_longer_bytes_are_corrupt);
    tcase_add_test(all, test_too_many_hosts_leave_out_the_earliest);
    tcase_add_test(all, test_a_new_beginning_keeps_sums_and_hosts);
    tcase_add_test(all, test_a_new_beginning_keeps_the_latest_sets);
    tcase_add_test(all, test_many_sets_are_found_by_their_names);
    tcase_add_test(all, test_row_lacks_what_it_does_not_know_of_a_host);
    tcase_add_test(all, test_sums_wrap_around);
    tcase_add_loop_test(all, test_what_no_host_writes_is_corrupt, 0, 4);
    tcase_add_test(all, test_sum_without_a_name_is_corrupt);
    tcase_add_test(all, test_too_much_is_full);
    tcase_add_test(all, test_with_a_host_that_is_left_out_goes_what_it_did);
    tcase_add_test(all, test_merged_never_goes_back);
    tcase_add_test(all, test_mark_of_earlier_versions_means_nothing);
    suite_add_tcase(suite, all);
    return suite;
}

int
main(void)
{
    return sf_run_suite(make_suite());
}
