/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/lineage.h"

#include <check.h>
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
fill(void)
{
    sf_lineage_begin(&lineage, 7, 3);
    sf_lineage_merge_to(&lineage, 7, 4);
    sf_lineage_merge_to(&lineage, 8, 2);
    ck_assert_int_eq(sf_lineage_note_set(&lineage, sf_span_text("theme"), 4), SF_OK);
    ck_assert_int_eq(sf_lineage_note_set(&lineage, sf_span_text(NULL), 5), SF_OK);
    ck_assert_int_eq(sf_lineage_note_sum(&lineage, sf_span_text("n"), -5), SF_OK);
}

START_TEST(test_everything_comes_back)
{
    fill();
    ck_assert_int_eq(sf_lineage_encode(&lineage, &bytes), SF_OK);
    ck_assert_uint_eq(bytes.size, 24 + 2 * 16 + 9 + 5 + 9 + 17 + 1);
    ck_assert_int_eq(sf_lineage_decode(&again, sf_buffer_span(&bytes)), SF_OK);
    ck_assert_uint_eq(again.host, 7);
    ck_assert_uint_eq(again.base, 3);
    ck_assert_uint_eq(sf_lineage_merged(&again, 7), 4);
    ck_assert_uint_eq(sf_lineage_merged(&again, 8), 2);
    ck_assert_uint_eq(sf_lineage_merged(&again, 9), 0);
    ck_assert_uint_eq(again.set_count, 2);
    ck_assert(sf_span_equal(again.sets[0].name, sf_span_text("theme")));
    ck_assert_uint_eq(again.sets[0].version, 4);
    ck_assert_uint_eq(again.sets[1].name.size, 0);
    ck_assert_int_eq(sf_lineage_sum_of(&again, 7, sf_span_text("n")), -5);
    ck_assert_int_eq(sf_lineage_sum_of(&again, 8, sf_span_text("n")), 0);
}
END_TEST

START_TEST(test_no_bytes_are_no_lineage)
{
    fill();
    ck_assert_int_eq(sf_lineage_decode(&lineage, sf_span_text(NULL)), SF_OK);
    ck_assert_uint_eq(lineage.host + lineage.base + lineage.merged_count + lineage.set_count + lineage.sum_count, 0);
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
    sf_lineage_begin(&lineage, 9, 12);
    ck_assert_uint_eq(lineage.set_count, 0);
    ck_assert_uint_eq(lineage.base, 12);
    ck_assert_uint_eq(sf_lineage_merged(&lineage, 7), 4);
    ck_assert_int_eq(sf_lineage_sum_of(&lineage, 7, sf_span_text("n")), -5);
}
END_TEST

START_TEST(test_sums_wrap_around)
{
    sf_lineage_begin(&lineage, 7, 1);
    ck_assert_int_eq(sf_lineage_note_sum(&lineage, sf_span_text("n"), INT64_MAX), SF_OK);
    ck_assert_int_eq(sf_lineage_note_sum(&lineage, sf_span_text("n"), 1), SF_OK);
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
    tcase_add_test(all, test_sums_wrap_around);
    suite_add_tcase(suite, all);
    return suite;
}

int
main(void)
{
    return sf_run_suite(make_suite());
}
