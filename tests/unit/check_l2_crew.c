/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/l2/l2_crew.h"

#include <check.h>
#include <pthread.h>

#include "tests/support/run_suite.h"

struct piece {
    unsigned times;
    pthread_t who;
    pthread_barrier_t *barrier; /* NULL: it waits for nobody */
};

static struct sf_l2_crew crew;
static struct piece pieces[SF_L2_CREW_MAX];
static void *all[SF_L2_CREW_MAX];

static void
set_up(void)
{
    sf_l2_crew_init(&crew);
    for (size_t i = 0; i < SF_L2_CREW_MAX; i++) {
        pieces[i] = (struct piece){.times = 0};
        all[i] = &pieces[i];
    }
}

static void
tear_down(void)
{
    sf_l2_crew_fini(&crew);
}

static void
work(void *context)
{
    struct piece *piece = context;
    piece->times++;
    piece->who = pthread_self();
    if (piece->barrier != NULL)
        pthread_barrier_wait(piece->barrier);
}

static bool
is_mine(size_t i)
{
    return pthread_equal(pieces[i].who, pthread_self());
}

START_TEST(test_each_is_done_once_however_often_and_however_many)
{
    unsigned times[SF_L2_CREW_MAX] = {0};
    sf_l2_crew_run(&crew, work, all, 0);
    for (size_t count = 1; count <= SF_L2_CREW_MAX; count++) {
        for (int i = 0; i < 100; i++)
            sf_l2_crew_run(&crew, work, all, count);
        for (size_t i = 0; i < count; i++)
            times[i] += 100;
        for (size_t i = 0; i < SF_L2_CREW_MAX; i++)
            ck_assert_uint_eq(pieces[i].times, times[i]);
    }
}
END_TEST

/* The barrier opens when all are there. */
START_TEST(test_all_at_once)
{
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, SF_L2_CREW_MAX);
    for (size_t i = 0; i < SF_L2_CREW_MAX; i++)
        pieces[i].barrier = &barrier;
    sf_l2_crew_run(&crew, work, all, SF_L2_CREW_MAX);
    pthread_barrier_destroy(&barrier);
    for (size_t i = 0; i < SF_L2_CREW_MAX; i++)
        ck_assert_int_eq(is_mine(i), i == 0);
}
END_TEST

START_TEST(test_one_alone_is_done_by_who_calls)
{
    sf_l2_crew_run(&crew, work, all, 1);
    ck_assert(is_mine(0));
    ck_assert(!crew.mates[0].is_there);
}
END_TEST

/* Such a stack nobody has. */
START_TEST(test_without_threads_one_after_another)
{
    pthread_attr_t before, huge;
    ck_assert_int_eq(pthread_getattr_default_np(&before), 0);
    ck_assert_int_eq(pthread_attr_init(&huge), 0);
    ck_assert_int_eq(pthread_attr_setstacksize(&huge, (size_t)1 << 50), 0);
    ck_assert_int_eq(pthread_setattr_default_np(&huge), 0);
    sf_l2_crew_run(&crew, work, all, 3);
    ck_assert_int_eq(pthread_setattr_default_np(&before), 0);
    for (size_t i = 0; i < 3; i++)
        ck_assert(pieces[i].times == 1 && is_mine(i));
    sf_l2_crew_run(&crew, work, all, 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert(pieces[i].times == 2 && is_mine(i) == (i == 0));
    pthread_attr_destroy(&before);
    pthread_attr_destroy(&huge);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l2_crew");
    TCase *tests = tcase_create("work");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_each_is_done_once_however_often_and_however_many);
    tcase_add_test(tests, test_all_at_once);
    tcase_add_test(tests, test_one_alone_is_done_by_who_calls);
    tcase_add_test(tests, test_without_threads_one_after_another);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
