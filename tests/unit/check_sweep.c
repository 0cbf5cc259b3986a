/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/sweep.h"

#include <check.h>
#include <string.h>

#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"
#include "tests/support/test_records.h"

#define INTERVAL (10 * SF_MINUTE)
#define WALL SF_TEST_NOW

static struct sf_test_cache cache;
static struct sf_store *store;
static struct sf_sweep sweep;
static sf_time now; /* steady; moved by hand */
static int line_count;

static void
count_line(void *context, enum sf_log_level level, const char *line)
{
    (void)context;
    (void)level;
    ck_assert_ptr_nonnull(strstr(line, "SF0204: "));
    line_count++;
}

static const struct sf_log log_to_count = {.write = count_line, .level = SF_LOG_DEBUG};

static void
set_up(void)
{
    sf_test_cache_init(&cache, 4 * SF_L1_BYTES_MIN);
    store = NULL;
    line_count = 0;
    now = 1000000;
}

static void
tear_down(void)
{
    sf_store_close(store);
    sf_test_cache_fini(&cache);
}

static void
open_sweep(const char *url)
{
    struct sf_error error;
    ck_assert_msg(sf_store_open(&store, url, "/nowhere", &error) == SF_OK, "%s", error.text);
    sweep = (struct sf_sweep){.store = store, .log = &log_to_count, .interval = INTERVAL};
    sweep.l1 = cache.l1;
    ck_assert_int_eq(sf_sweep_step(&sweep, now, WALL), now + INTERVAL);
}

static void
put_row(struct sf_key key, sf_time last_access, sf_time expires)
{
    struct sf_buffer record = sf_test_record(1, NULL, sf_span_text("x"));
    struct sf_write write = sf_test_put(0, 1, &record);
    write.key = key;
    write.last_access = last_access;
    write.expires = expires;
    ck_assert_int_eq(store->ops->write(store, &write, 1, sf_clock_steady() + 1000), SF_OK);
    sf_buffer_fini(&record);
}

static bool
is_there(struct sf_key key)
{
    struct sf_stored stored;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    enum sf_status status = sf_store_load_one(store, &key, sf_clock_steady() + 1000, &stored);
    sf_buffer_fini(&stored.record);
    return status == SF_OK;
}

/* Steps until it rests for longer than between two batches. Returns the number of steps. */
static int
run_sweep(void)
{
    int steps = 0;
    sf_time next = now;
    while (next - now <= SF_SECOND) {
        now = next;
        next = sf_sweep_step(&sweep, now, WALL);
        ck_assert_int_lt(++steps, 1000);
    }
    ck_assert_int_eq(sweep.next, next);
    return steps;
}

START_TEST(test_expired_rows_go_after_an_interval)
{
    open_sweep("memory:");
    put_row(sf_test_key(1), 1000, WALL - SF_HOUR);
    put_row(sf_test_key(2), 1000, WALL + SF_HOUR);
    put_row(sf_test_key(3), 1000, 0);
    now += INTERVAL - 1;
    ck_assert_int_eq(sf_sweep_step(&sweep, now, WALL), now + 1);
    ck_assert(is_there(sf_test_key(1)));
    now++;
    run_sweep();
    ck_assert(!is_there(sf_test_key(1)));
    ck_assert(is_there(sf_test_key(2)));
    ck_assert(is_there(sf_test_key(3)));
    ck_assert_uint_eq(sweep.removed, 1);
    ck_assert_int_eq(sweep.last, WALL);
    ck_assert_int_eq(sweep.next, now + INTERVAL);
}
END_TEST

START_TEST(test_row_that_has_just_expired_is_left_alone)
{
    open_sweep("memory:");
    put_row(sf_test_key(1), 1000, WALL - SF_MINUTE);
    put_row(sf_test_key(2), 1000, WALL - SF_SWEEP_MARGIN - 1);
    now += INTERVAL;
    run_sweep();
    ck_assert(is_there(sf_test_key(1)));
    ck_assert(!is_there(sf_test_key(2)));
}
END_TEST

START_TEST(test_many_rows_go_in_batches_with_pauses)
{
    enum { ROWS = 1200 };
    open_sweep("memory:");
    for (unsigned i = 0; i < ROWS; i++)
        put_row(sf_test_key(i), 1000, WALL - SF_HOUR);
    sf_time before = now += INTERVAL;
    int steps = run_sweep();
    ck_assert_uint_eq(sweep.removed, ROWS);
    ck_assert_int_ge(steps, 3);
    ck_assert_int_ge(now - before, 200);
}
END_TEST

START_TEST(test_row_that_the_cache_knows_to_be_alive_stays)
{
    struct sf_key key = sf_test_cache_key(1);
    open_sweep("memory:");
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_uint_eq(sf_test_settle_all(cache.l1), 1);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + 20 * SF_MINUTE);
    put_row(key, WALL - SF_HOUR, WALL - SF_HOUR); /* what the store has heard so far */
    now += INTERVAL;
    run_sweep();
    ck_assert(is_there(key));
    ck_assert_uint_eq(sweep.removed, 0);
}
END_TEST

START_TEST(test_nothing_is_swept_when_touches_cannot_be_written)
{
    struct sf_key key = sf_test_cache_key(1);
    open_sweep("fail:write=OK+UNAVAILABLE");
    put_row(sf_test_key(2), 1000, WALL - SF_HOUR);
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_uint_eq(sf_test_settle_all(cache.l1), 1);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + 20 * SF_MINUTE);
    now += INTERVAL;
    run_sweep();
    ck_assert(is_there(sf_test_key(2)));
    ck_assert_int_eq(line_count, 1);
    ck_assert_int_eq(sweep.last, 0);
}
END_TEST

START_TEST(test_outage_is_logged_once_and_the_sweep_comes_back_sooner)
{
    open_sweep("fail:sweep=UNAVAILABLE*3+OK");
    put_row(sf_test_key(1), 1000, WALL - SF_HOUR);
    now += INTERVAL;
    for (int i = 0; i < 3; i++) {
        run_sweep();
        ck_assert_int_le(sweep.next, now + SF_MINUTE);
        ck_assert(is_there(sf_test_key(1)));
        now = sweep.next;
    }
    ck_assert_int_eq(line_count, 1);
    run_sweep();
    ck_assert(!is_there(sf_test_key(1)));
    ck_assert_int_eq(sweep.next, now + INTERVAL);
}
END_TEST

START_TEST(test_store_that_expires_by_itself_is_left_alone)
{
    struct sf_store_ops ops = sf_store_memory;
    struct sf_error error;
    ops.flags = SF_STORE_EXPIRES;
    ops.sweep = NULL;
    struct sf_store *other;
    ck_assert_int_eq(ops.open(&other, "memory:", "/nowhere", &error), SF_OK);
    other->ops = &ops;
    sweep = (struct sf_sweep){.l1 = cache.l1, .store = other, .interval = INTERVAL};
    ck_assert_int_eq(sf_sweep_step(&sweep, now, WALL), now + INTERVAL);
    ck_assert_int_eq(sf_sweep_step(&sweep, now + INTERVAL, WALL), now + 2 * INTERVAL);
    sf_store_close(other);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("sweep");
    TCase *steps = tcase_create("steps");
    tcase_add_checked_fixture(steps, set_up, tear_down);
    tcase_add_test(steps, test_expired_rows_go_after_an_interval);
    tcase_add_test(steps, test_row_that_has_just_expired_is_left_alone);
    tcase_add_test(steps, test_many_rows_go_in_batches_with_pauses);
    tcase_add_test(steps, test_row_that_the_cache_knows_to_be_alive_stays);
    tcase_add_test(steps, test_nothing_is_swept_when_touches_cannot_be_written);
    tcase_add_test(steps, test_outage_is_logged_once_and_the_sweep_comes_back_sooner);
    tcase_add_test(steps, test_store_that_expires_by_itself_is_left_alone);
    suite_add_tcase(suite, steps);
    return sf_run_suite(suite);
}
