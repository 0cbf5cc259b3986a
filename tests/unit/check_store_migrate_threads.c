/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_store_migrate_threads.c - one thread writes, one loads, one moves the store back and forth, and the other store
 * fails now and then: whatever was acknowledged is what is loaded afterwards, or something later.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "tests/support/run_suite.h"
#include "tests/unit/migrate_case.h"

#define SESSIONS 64
#define CHANGES 200     /* of each session */
#define MOVES_MIN 3     /* back and forth */

static _Atomic uint64_t acknowledged[SESSIONS];
static atomic_bool is_written;
static atomic_uint findings, loads;

static void *
write_on(void *argument)
{
    (void)argument;
    for (uint64_t version = 1; version <= CHANGES; version++)
        for (unsigned i = 0; i < SESSIONS; i++)
            if (migrate_put(migrate_store, i, version) == SF_OK)
                acknowledged[i] = version;
    is_written = true;
    return NULL;
}

static void *
load_on(void *argument)
{
    (void)argument;
    for (unsigned i = 0; !is_written || i < SESSIONS; i = (i + 1) % (2 * SESSIONS)) {
        unsigned number = i % SESSIONS;
        uint64_t before = acknowledged[number];
        findings += migrate_version(migrate_store, number) < before;
        loads++;
    }
    return NULL;
}

/* Half of the steps the other store takes nothing. */
static void
move_on(unsigned *moves)
{
    struct sf_migrate_report report = migrate_look();
    enum side other = report.phase == SF_MIGRATE_FINISHED ? OLD : NEW;
    migrate_answer(other, SIDE_WRITE, report.copied % 2 == 0 ? SF_UNAVAILABLE : SF_OK);
    migrate_step(2);
    migrate_answer(other, SIDE_WRITE, SF_OK);
    migrate_step(4);
    if (report.second[0] == '\0')
        migrate_begin(50);
    else if (report.phase == SF_MIGRATE_VERIFIED)
        (void)!sf_migrate_finish(migrate, &migrate_error);
    else if (report.phase == SF_MIGRATE_FINISHED && sf_migrate_abort(migrate, &migrate_error) == SF_OK)
        ++*moves;
}

START_TEST(test_what_was_acknowledged_is_loaded_wherever_it_is)
{
    pthread_t writer, loader;
    unsigned moves = 0;
    is_written = false; /* perhaps in the process of the loop before */
    findings = loads = 0;
    for (unsigned i = 0; i < SESSIONS; i++)
        acknowledged[i] = 0;
    migrate_host = _i == 0 ? 0 : 100; /* alone on a store that others may write */
    ck_assert_int_eq(migrate_open(OLD_URL, ""), SF_OK);
    ck_assert_int_eq(pthread_create(&writer, NULL, write_on, NULL), 0);
    ck_assert_int_eq(pthread_create(&loader, NULL, load_on, NULL), 0);
    while (!is_written || moves < MOVES_MIN)
        move_on(&moves);
    pthread_join(writer, NULL);
    pthread_join(loader, NULL);
    ck_assert_uint_eq(findings, 0);
    ck_assert_uint_gt(loads, 0);
    for (unsigned i = 0; i < SESSIONS; i++)
        ck_assert_uint_eq(migrate_version(migrate_store, i), CHANGES);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_migrate_threads");
    TCase *tests = tcase_create("store_migrate_threads");
    tcase_add_checked_fixture(tests, migrate_set_up, migrate_tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, test_what_was_acknowledged_is_loaded_wherever_it_is, 0, 2);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
