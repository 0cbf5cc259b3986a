/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_section.h"

#include <check.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"

static struct sf_test_cache cache;
static struct sf_l1 *other;

static void
set_up(void)
{
    sf_test_cache_init(&cache, SF_L1_BYTES_MIN);
    other = sf_test_cache_attach(&cache);
}

static void
tear_down(void)
{
    sf_l1_close(other);
    sf_test_cache_fini(&cache);
}

START_TEST(test_nobody_is_waited_for_when_nobody_is_in_a_section)
{
    sf_l1_grace_begin(cache.l1);
    ck_assert(sf_l1_grace_is_over(cache.l1));
}
END_TEST

START_TEST(test_section_that_began_before_is_waited_for)
{
    uint64_t section = sf_l1_enter(other);

    sf_l1_grace_begin(cache.l1);
    ck_assert(!sf_l1_grace_is_over(cache.l1));
    ck_assert(!sf_l1_grace_is_over(cache.l1));
    sf_l1_leave(other, section);
    ck_assert(sf_l1_grace_is_over(cache.l1));
}
END_TEST

/* There is always one under way, as on a busy server; but none lasts. */
START_TEST(test_sections_that_follow_each_other_are_not_waited_for)
{
    uint64_t section = sf_l1_enter(other);
    int looks = 0;

    sf_l1_grace_begin(cache.l1);
    while (!sf_l1_grace_is_over(cache.l1) && looks < 10) {
        uint64_t next = sf_l1_enter(other);

        sf_l1_leave(other, section);
        section = next;
        looks++;
    }
    ck_assert_int_lt(looks, 10);
    sf_l1_leave(other, section);
}
END_TEST

START_TEST(test_sections_may_lie_in_each_other)
{
    uint64_t outer = sf_l1_enter(other), inner = sf_l1_enter(other);

    sf_l1_grace_begin(cache.l1);
    sf_l1_leave(other, inner);
    ck_assert(!sf_l1_grace_is_over(cache.l1));
    sf_l1_leave(other, outer);
    ck_assert(sf_l1_grace_is_over(cache.l1));
}
END_TEST

START_TEST(test_section_of_a_dead_process_is_not_waited_for)
{
    pid_t child = fork();

    if (child == 0) {
        (void)sf_l1_enter(sf_test_cache_attach(&cache));
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    sf_l1_grace_begin(cache.l1);
    ck_assert(sf_l1_grace_is_over(cache.l1));
    /* Nor does his successor begin with it. */
    (void)sf_test_repair_all(cache.l1, SF_TEST_NOW);
    struct sf_l1 *next = sf_test_cache_attach(&cache);
    ck_assert_uint_eq(sf_l1_peek(next->busy), 0);
    sf_l1_close(next);
}
END_TEST

/* Every call that may change something leaves its section again. */
START_TEST(test_calls_leave_their_sections)
{
    struct sf_key key = sf_test_cache_key(1);

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "a", "c"), SF_OK);
    ck_assert_int_eq(sf_test_set(cache.l1, 2, "a", "c"), SF_NOT_FOUND);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + SF_MINUTE);
    ck_assert(!sf_l1_is_stored(cache.l1, &key, 2));
    ck_assert_uint_eq(sf_test_settle_all(cache.l1), 1);
    ck_assert_int_eq(sf_test_fill(cache.l1, 3, 1, "x"), SF_OK);
    ck_assert_int_eq(sf_test_look(cache.l1, 9, NULL).status, SF_NOT_FOUND);
    ck_assert_int_eq(sf_test_rotate(cache.l1, 1, 4, NULL), SF_OK);
    ck_assert_int_eq(sf_test_end(cache.l1, 4), SF_OK);
    ck_assert_int_eq(sf_l1_drop(cache.l1, &key), SF_CONFLICT); /* dirty */
    (void)sf_test_repair_all(cache.l1, SF_TEST_NOW);
    ck_assert_uint_eq(sf_l1_peek(cache.l1->busy), 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1_section");
    TCase *tests = tcase_create("l1_section");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_nobody_is_waited_for_when_nobody_is_in_a_section);
    tcase_add_test(tests, test_section_that_began_before_is_waited_for);
    tcase_add_test(tests, test_sections_that_follow_each_other_are_not_waited_for);
    tcase_add_test(tests, test_sections_may_lie_in_each_other);
    tcase_add_test(tests, test_section_of_a_dead_process_is_not_waited_for);
    tcase_add_test(tests, test_calls_leave_their_sections);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
