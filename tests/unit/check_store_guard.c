/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_guard.h"

#include <check.h>
#include <string.h>

#include "tests/support/kept_lines.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"

static struct sf_store *store;
static struct sf_store_ops far_ops; /* of a store that passes for one on a network */
static struct sf_kept_lines kept;
static struct sf_counters counters;
static struct sf_store_figures figures;
static struct sf_stored stored;

static void
set_up(void)
{
    sf_kept_lines_init(&kept);
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    counters = (struct sf_counters){.values = {0}};
    store = NULL;
}

static void
tear_down(void)
{
    sf_store_close(store);
    sf_buffer_fini(&stored.record);
}

static void
open_store(const char *url, bool is_far)
{
    struct sf_store *inner;
    ck_assert_int_eq(sf_store_open(&inner, url, "/nowhere", NULL), SF_OK);
    far_ops = *inner->ops;
    if (is_far) {
        far_ops.flags |= SF_STORE_SHARED;
        inner->ops = &far_ops;
    }
    ck_assert_int_eq(sf_store_guard(&store, inner, "store", &counters, &kept.log), SF_OK);
}

static enum sf_status
load(void)
{
    struct sf_key key = sf_test_key(1);
    return sf_store_load_one(store, &key, sf_clock_steady() + SF_MINUTE, &stored);
}

static enum sf_status
put(void)
{
    struct sf_buffer record = sf_test_record(1, NULL, sf_span_text("x"));
    struct sf_write write = sf_test_put(1, 1, &record);
    enum sf_status status = store->ops->write(store, &write, 1, sf_clock_steady() + SF_MINUTE);
    ck_assert_int_eq(status, write.status);
    sf_buffer_fini(&record);
    return status;
}

static void
take_figures(void *context, const struct sf_store_figures *told)
{
    *(struct sf_store_figures *)context = *told;
}

static const struct sf_store_lane_figures *
lane(enum sf_store_lane which)
{
    sf_store_report(store, take_figures, &figures);
    return &figures.lanes[which];
}

static void
assert_lane(enum sf_store_lane which, const char *state, uint64_t calls, uint64_t failures, uint64_t refused)
{
    const struct sf_store_lane_figures *now = lane(which);
    ck_assert_str_eq(now->state, state);
    ck_assert_uint_eq(now->calls, calls);
    ck_assert_uint_eq(now->failures, failures);
    ck_assert_uint_eq(now->refused, refused);
}

static uint64_t
counted(enum sf_counter which)
{
    return atomic_load(&counters.values[which]);
}

START_TEST(test_calls_are_passed_on_and_counted)
{
    open_store("fail:", true);
    ck_assert_int_eq(load(), SF_NOT_FOUND);
    ck_assert_int_eq(put(), SF_OK);
    ck_assert_int_eq(load(), SF_OK);
    assert_lane(SF_STORE_READS, "up", 2, 0, 0);
    assert_lane(SF_STORE_WRITES, "up", 1, 0, 0);
    ck_assert_uint_eq(lane(SF_STORE_READS)->rows, 2);
    ck_assert_uint_eq(lane(SF_STORE_WRITES)->rows, 1);
    ck_assert_uint_le(figures.lanes[SF_STORE_READS].p50, figures.lanes[SF_STORE_READS].longest);
    ck_assert_str_eq(figures.name, "store");
    ck_assert_uint_eq(counted(SF_COUNTER_store_calls), 3);
    ck_assert_int_eq(kept.count, 0);
}
END_TEST

static bool
see(void *context, const struct sf_key *key, const struct sf_stored *seen)
{
    (void)key;
    (void)seen;
    ++*(int *)context;
    return true;
}

START_TEST(test_it_is_the_store_behind_it_in_all_else)
{
    int rows = 0;
    size_t removed = 1;
    struct sf_error error = {.text = "?"};
    open_store("fail:", false);
    ck_assert_str_eq(store->ops->scheme, "fail");
    ck_assert_uint_eq(store->ops->flags, sf_store_fail.flags);
    ck_assert_int_eq(store->ops->attach(store, 0, &error), SF_OK);
    ck_assert_int_eq(put(), SF_OK);
    ck_assert_int_eq(store->ops->scan(store, NULL, sf_span_text(NULL), 9, 0, see, &rows), SF_OK);
    ck_assert_int_eq(rows, 1);
    ck_assert_int_eq(store->ops->sweep(store, 1, 9, 0, &removed), SF_OK);
    ck_assert_uint_eq(removed, 0);
    store->ops->explain(store, &error);
    ck_assert_str_eq(error.text, "");
}
END_TEST

START_TEST(test_store_that_drops_rows_by_itself_still_has_no_sweep)
{
    struct sf_store *inner;
    ck_assert_int_eq(sf_store_open(&inner, "memory:x", "/nowhere", NULL), SF_OK);
    far_ops = *inner->ops;
    far_ops.sweep = NULL;
    inner->ops = &far_ops;
    ck_assert_int_eq(sf_store_guard(&store, inner, "store", NULL, NULL), SF_OK);
    ck_assert_ptr_null(store->ops->sweep);
    ck_assert_int_eq(load(), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_who_does_not_answer_is_left_alone)
{
    open_store("fail:load=UNAVAILABLE*3+OK", true);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(load(), SF_UNAVAILABLE);
    assert_lane(SF_STORE_READS, "down", 3, 3, 0);
    sf_time began = sf_clock_steady();
    while (load() == SF_UNAVAILABLE)
        continue;
    ck_assert_int_gt(sf_clock_steady() - began, 180); /* the shortest first pause, chance taken away */
    ck_assert_str_eq(lane(SF_STORE_READS)->state, "probed");
    ck_assert_int_eq(load(), SF_NOT_FOUND);
    const struct sf_store_lane_figures *reads = lane(SF_STORE_READS);
    ck_assert_uint_gt(reads->refused, 0);
    ck_assert_uint_eq(counted(SF_COUNTER_store_calls_refused), reads->refused);
    assert_lane(SF_STORE_READS, "up", 5, 3, reads->refused);
    ck_assert_int_eq(sf_kept_lines_with(&kept, "SF0205: store: loads"), 1);
    ck_assert_int_eq(sf_kept_lines_with(&kept, "SF0206: store: loads"), 1);
    ck_assert_int_eq(kept.count, 2);
}
END_TEST

START_TEST(test_probes_that_fail_are_no_news)
{
    open_store("fail:load=UNAVAILABLE*5+OK", true);
    while (load() == SF_UNAVAILABLE)
        continue;
    ck_assert_int_eq(load(), SF_NOT_FOUND);
    ck_assert_uint_eq(lane(SF_STORE_READS)->calls, 7);
    ck_assert_int_eq(kept.count, 2);
}
END_TEST

START_TEST(test_store_on_this_host_is_asked_each_time)
{
    open_store("fail:load=UNAVAILABLE", false);
    for (int i = 0; i < 9; i++)
        ck_assert_int_eq(load(), SF_UNAVAILABLE);
    assert_lane(SF_STORE_READS, "up", 9, 9, 0);
    ck_assert_int_eq(kept.count, 0);
}
END_TEST

START_TEST(test_lanes_go_down_one_by_one)
{
    open_store("fail:write=UNAVAILABLE", true);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(put(), SF_UNAVAILABLE);
    ck_assert_int_eq(put(), SF_UNAVAILABLE);
    ck_assert_int_eq(load(), SF_NOT_FOUND);
    assert_lane(SF_STORE_WRITES, "down", 3, 3, 1);
    assert_lane(SF_STORE_READS, "up", 1, 0, 0);
    ck_assert_int_eq(sf_kept_lines_with(&kept, "SF0205: store: writes"), 1);
}
END_TEST

START_TEST(test_answer_in_one_lane_lets_the_other_ask_at_once)
{
    open_store("fail:write=UNAVAILABLE*3+OK", true);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(put(), SF_UNAVAILABLE);
    ck_assert_int_eq(load(), SF_NOT_FOUND);
    ck_assert_int_eq(put(), SF_OK);
}
END_TEST

START_TEST(test_sweep_is_of_the_lane_of_writes)
{
    size_t removed = 7;
    open_store("fail:write=UNAVAILABLE", true);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(put(), SF_UNAVAILABLE);
    ck_assert_int_eq(store->ops->sweep(store, 1, 1, 0, &removed), SF_UNAVAILABLE);
    ck_assert_uint_eq(removed, 0);
    assert_lane(SF_STORE_WRITES, "down", 3, 3, 1);
}
END_TEST

START_TEST(test_refusal_of_a_record_is_an_answer)
{
    open_store("fail:refuse=00", true);
    for (int i = 0; i < 9; i++)
        ck_assert_int_eq(put(), SF_INVALID);
    assert_lane(SF_STORE_WRITES, "up", 9, 0, 0);
    ck_assert_uint_eq(lane(SF_STORE_WRITES)->rows, 0);
}
END_TEST

START_TEST(test_failure_behind_its_deadline_is_late)
{
    struct sf_key key = sf_test_key(1);
    open_store("fail:load=UNAVAILABLE*2+OK", true);
    ck_assert_int_eq(sf_store_load_one(store, &key, sf_clock_steady(), &stored), SF_UNAVAILABLE);
    ck_assert_int_eq(load(), SF_UNAVAILABLE);
    ck_assert_int_eq(sf_store_load_one(store, &key, sf_clock_steady(), &stored), SF_NOT_FOUND);
    ck_assert_uint_eq(lane(SF_STORE_READS)->late, 1);
    ck_assert_uint_eq(counted(SF_COUNTER_store_calls_late), 1);
    ck_assert_uint_eq(counted(SF_COUNTER_store_calls_failed), 2);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_guard");
    TCase *guard = tcase_create("guard");
    tcase_add_checked_fixture(guard, set_up, tear_down);
    tcase_add_test(guard, test_calls_are_passed_on_and_counted);
    tcase_add_test(guard, test_it_is_the_store_behind_it_in_all_else);
    tcase_add_test(guard, test_store_that_drops_rows_by_itself_still_has_no_sweep);
    tcase_add_test(guard, test_who_does_not_answer_is_left_alone);
    tcase_add_test(guard, test_probes_that_fail_are_no_news);
    tcase_add_test(guard, test_store_on_this_host_is_asked_each_time);
    tcase_add_test(guard, test_lanes_go_down_one_by_one);
    tcase_add_test(guard, test_answer_in_one_lane_lets_the_other_ask_at_once);
    tcase_add_test(guard, test_sweep_is_of_the_lane_of_writes);
    tcase_add_test(guard, test_refusal_of_a_record_is_an_answer);
    tcase_add_test(guard, test_failure_behind_its_deadline_is_late);
    suite_add_tcase(suite, guard);
    return sf_run_suite(suite);
}
