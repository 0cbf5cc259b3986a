/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Threads with handles of their own are processes to the cache, and ThreadSanitizer can see them.
 */
#include <check.h>
#include <pthread.h>
#include <sched.h>

#include "common/cache/l1_index.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"
#include "tests/support/workload.h"

#define PERIOD 700 /* ms */

struct actor {
    pthread_t thread;
    struct sf_workload *work;
    sf_workload_role_fn *role;
    struct sf_l1 *l1;
    unsigned seed;
};

static void *
act(void *argument)
{
    struct actor *actor = argument;

    actor->role(actor->work, actor->l1, actor->seed);
    return NULL;
}

static void
wait_ms(sf_time period)
{
    sf_time end = sf_clock_steady() + period;

    while (sf_clock_steady() < end)
        (void)sched_yield();
}

START_TEST(test_virtual_processes_agree)
{
    static sf_workload_role_fn *const roles[] = {sf_workload_write, sf_workload_write,
                                                 sf_workload_read,  sf_workload_keep,
                                                 sf_workload_keep,  sf_workload_press};
    enum { ACTORS = sizeof(roles) / sizeof(roles[0]) };
    static struct sf_workload work;
    struct actor actors[ACTORS];
    struct sf_test_cache cache;
    struct sf_error error = {.status = SF_OK};

    sf_test_cache_init(&cache, SF_L1_BYTES_MIN);
    sf_workload_begin(&work, cache.l1);
    for (unsigned i = 0; i < ACTORS; i++) {
        actors[i] = (struct actor){
            .work = &work, .role = roles[i], .l1 = sf_test_cache_attach(&cache), .seed = i};
        ck_assert_int_eq(pthread_create(&actors[i].thread, NULL, act, &actors[i]), 0);
    }
    wait_ms(PERIOD);
    atomic_store(&work.must_stop, true);
    for (unsigned i = 0; i < ACTORS; i++) {
        pthread_join(actors[i].thread, NULL);
        sf_l1_close(actors[i].l1);
    }
    ck_assert_uint_eq(sf_test_repair_all(cache.l1, SF_TEST_NOW), 0);
    ck_assert_msg(sf_l1_check(cache.l1, true, &error) == SF_OK, "%s", error.text);
    sf_workload_end(&work, cache.l1);
    ck_assert_msg(work.findings == 0, "%s", work.finding);
    ck_assert_uint_gt(work.writes, 0);
    ck_assert_uint_gt(work.fills, 0);
    sf_test_cache_fini(&cache);
}
END_TEST

/* A handle may be shared by threads, too. */
START_TEST(test_threads_share_a_handle)
{
    static sf_workload_role_fn *const roles[] = {sf_workload_write, sf_workload_write,
                                                 sf_workload_press, sf_workload_keep};
    enum { ACTORS = sizeof(roles) / sizeof(roles[0]) };
    static struct sf_workload work;
    struct actor actors[ACTORS];
    struct sf_test_cache cache;
    struct sf_error error = {.status = SF_OK};

    sf_test_cache_init(&cache, SF_L1_BYTES_MIN);
    sf_workload_begin(&work, cache.l1);
    for (unsigned i = 0; i < ACTORS; i++) {
        actors[i] = (struct actor){.work = &work, .role = roles[i], .l1 = cache.l1, .seed = i};
        ck_assert_int_eq(pthread_create(&actors[i].thread, NULL, act, &actors[i]), 0);
    }
    wait_ms(PERIOD);
    atomic_store(&work.must_stop, true);
    for (unsigned i = 0; i < ACTORS; i++)
        pthread_join(actors[i].thread, NULL);
    ck_assert_msg(sf_l1_check(cache.l1, true, &error) == SF_OK, "%s", error.text);
    sf_workload_end(&work, cache.l1);
    ck_assert_msg(work.findings == 0, "%s", work.finding);
    sf_test_cache_fini(&cache);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1_threads");
    TCase *tests = tcase_create("l1_threads");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_virtual_processes_agree);
    tcase_add_test(tests, test_threads_share_a_handle);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
