/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/crowd.h"

#include <check.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "common/base/clock.h"
#include "tests/support/run_suite.h"

#define WORKERS 12

/* Shared with the processes. */
struct scene {
    _Atomic unsigned prepared;
    unsigned trouble; /* which worker makes it */
};

static struct scene *scene;

static void
set_up(void)
{
    scene = mmap(NULL, sizeof *scene, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(scene, MAP_FAILED);
    scene->trouble = WORKERS;
}

static void
tear_down(void)
{
    munmap(scene, sizeof *scene);
}

struct result {
    unsigned index_and_one, prepared;
    uint64_t begin_ns;
};

static bool
prepare(struct sf_crowd_worker *worker)
{
    atomic_fetch_add(&scene->prepared, 1);
    worker->state = scene;
    return worker->context == scene && worker->index != scene->trouble;
}

static bool
work(struct sf_crowd_worker *worker)
{
    struct scene *seen = worker->state;
    struct result *result = worker->result;

    result->index_and_one = worker->index + 1;
    result->prepared = atomic_load(&seen->prepared);
    result->begin_ns = worker->begin_ns;
    return true;
}

static bool
work_badly(struct sf_crowd_worker *worker)
{
    return worker->index != scene->trouble;
}

static bool
die(struct sf_crowd_worker *worker)
{
    worker->state = scene;
    if (worker->index == scene->trouble)
        raise(SIGKILL);
    return true;
}

static enum sf_status
run(bool is_threads, sf_crowd_step_fn *how_to_prepare, sf_crowd_step_fn *how_to_work,
    struct result results[WORKERS])
{
    const struct sf_crowd crowd = {
        .is_threads = is_threads,
        .count = WORKERS,
        .prepare = how_to_prepare,
        .work = how_to_work,
        .context = scene,
        .result_bytes = sizeof results[0],
    };

    return sf_crowd_run(&crowd, results);
}

START_TEST(test_nobody_begins_before_all_are_ready)
{
    struct result results[WORKERS];
    uint64_t before = sf_clock_ns();

    ck_assert_int_eq(run(_i == 1, prepare, work, results), SF_OK);
    for (unsigned i = 0; i < WORKERS; i++) {
        ck_assert_uint_eq(results[i].index_and_one, i + 1);
        ck_assert_uint_eq(results[i].prepared, WORKERS);
        ck_assert_uint_gt(results[i].begin_ns, before);
        ck_assert_uint_eq(results[i].begin_ns, results[0].begin_ns);
    }
}
END_TEST

START_TEST(test_a_worker_that_cannot_prepare_is_told)
{
    struct result results[WORKERS];

    scene->trouble = 5;
    ck_assert_int_eq(run(_i == 1, prepare, work, results), SF_UNAVAILABLE);
    ck_assert_uint_eq(results[5].index_and_one, 0);
}
END_TEST

START_TEST(test_a_worker_that_fails_is_told)
{
    struct result results[WORKERS];

    ck_assert_int_eq(run(_i == 1, NULL, work_badly, results), SF_OK);
    scene->trouble = 0;
    ck_assert_int_eq(run(_i == 1, NULL, work_badly, results), SF_UNAVAILABLE);
}
END_TEST

START_TEST(test_a_killed_process_is_told_and_holds_nobody)
{
    struct result results[WORKERS];

    scene->trouble = WORKERS - 1;
    ck_assert_int_eq(run(false, NULL, die, results), SF_UNAVAILABLE);
    ck_assert_int_eq(run(false, die, work, results), SF_UNAVAILABLE);
    scene->trouble = WORKERS;
    ck_assert_int_eq(run(false, die, work, results), SF_OK);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("crowd");
    TCase *tests = tcase_create("crowd");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, test_nobody_begins_before_all_are_ready, 0, 2);
    tcase_add_loop_test(tests, test_a_worker_that_cannot_prepare_is_told, 0, 2);
    tcase_add_loop_test(tests, test_a_worker_that_fails_is_told, 0, 2);
    tcase_add_test(tests, test_a_killed_process_is_told_and_holds_nobody);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
