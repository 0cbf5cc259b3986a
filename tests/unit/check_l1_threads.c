/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Threads with handles of their own are processes to the cache, and ThreadSanitizer can see them.
 */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "common/cache/l1_index.h"
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

struct overtaker {
    _Atomic uint64_t *state; /* of the block that is read */
    _Atomic bool must_stop;
};

/* Each read finds another generation behind it than before it. */
static void *
overtake(void *argument)
{
    struct overtaker *overtaker = argument;

    while (!atomic_load(&overtaker->must_stop))
        atomic_fetch_add_explicit(overtaker->state, 1, memory_order_relaxed);
    return NULL;
}

/* The record may be taken for damaged when the other thread has not run for a whole read. */
static enum sf_status
get_while_overtaken(struct sf_l1 *l1, uint64_t number, const char *text)
{
    struct sf_key key = sf_test_cache_key(number);
    struct overtaker overtaker = {.must_stop = false};
    struct sf_l1_found found;
    struct sf_l1_view view;
    struct sf_buffer record;
    pthread_t thread;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_test_create(l1, number, "a", text), SF_OK);
    ck_assert_int_eq(sf_l1_find(l1, &key, NULL, &found), SF_OK);
    overtaker.state = &found.place.control->state;
    ck_assert_int_eq(pthread_create(&thread, NULL, overtake, &overtaker), 0);
    while (sf_l1_peek(overtaker.state) == found.control)
        (void)sched_yield();
    enum sf_status status = sf_l1_get(l1, &key, &record, &view);
    atomic_store(&overtaker.must_stop, true);
    pthread_join(thread, NULL);
    sf_buffer_fini(&record);
    return status;
}

static enum sf_status
get_many_while_overtaken(const char *text)
{
    struct sf_test_cache cache;
    enum sf_status status = SF_NOT_FOUND;

    sf_test_cache_init(&cache, 64 * SF_L1_BYTES_MIN);
    for (uint64_t number = 0; number < 200 && status != SF_CONFLICT; number++)
        status = get_while_overtaken(cache.l1, number, text);
    sf_test_cache_fini(&cache);
    return status;
}

/*
 * It is here all the time: whoever cannot get hold of it must not say that it is not. Both threads must
 * run at once for it, which on a busy machine may take a while.
 */
START_TEST(test_record_that_changes_under_each_look_is_a_conflict)
{
    static char text[60000]; /* takes a while to read */
    sf_time give_up = sf_clock_steady() + 30 * SF_SECOND;
    enum sf_status status = SF_NOT_FOUND;

    memset(text, 'x', sizeof(text) - 1);
    while (status != SF_CONFLICT && sf_clock_steady() < give_up)
        status = get_many_while_overtaken(text);
    ck_assert_int_eq(status, SF_CONFLICT);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1_threads");
    TCase *tests = tcase_create("l1_threads");
    SRunner *runner = srunner_create(suite);

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_virtual_processes_agree);
    tcase_add_test(tests, test_threads_share_a_handle);
    tcase_add_test(tests, test_record_that_changes_under_each_look_is_a_conflict);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
