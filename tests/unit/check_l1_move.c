/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_move.h"

#include <check.h>
#include <string.h>

#include "common/cache/l1_section.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"

#define BYTES (2u << 20)
#define LATER (SF_TEST_NOW + SF_HOUR)
#define SMALL_FIRST 1000u
#define SMALL_COUNT 6000u
#define LARGE_FIRST 100000u
#define STEPS 600
#define MANY_SLABS (15u << 20)
#define MANY 2000

static struct sf_test_cache cache;
static struct sf_error error;

static void
set_up(void)
{
    sf_test_cache_init(&cache, BYTES);
    ck_assert(sf_l1_lead(cache.l1, SF_L1_SWEEPER));
}

static void
tear_down(void)
{
    ck_assert_msg(sf_l1_check(cache.l1, true, &error) == SF_OK, "%s", error.text);
    sf_test_cache_fini(&cache);
}

static uint64_t
slabs_moved(void)
{
    return atomic_load(&sf_l1_counters(cache.l1)->values[SF_COUNTER_l1_slabs_moved]);
}

/* More than fit, an hour ago. */
static void
fill_with_small(void)
{
    for (uint64_t i = 0; i < SMALL_COUNT; i++) {
        enum sf_status status = sf_test_fill(cache.l1, SMALL_FIRST + i, 5, "small");
        ck_assert(status == SF_OK || status == SF_CONFLICT);
    }
}

/* One that is in use now. */
static enum sf_status
add_large(uint64_t number)
{
    static char text[3000];
    struct sf_key key = sf_test_cache_key(LARGE_FIRST + number);

    memset(text, 'x', sizeof(text) - 1);
    enum sf_status status = sf_test_fill(cache.l1, LARGE_FIRST + number, 5, text);
    sf_l1_touch(cache.l1, &key, LATER);
    return status;
}

static void
step(void)
{
    (void)sf_l1_move_step(cache.l1, LATER);
}

static unsigned
count_here(uint64_t first, uint64_t count)
{
    unsigned here = 0;

    for (uint64_t i = 0; i < count; i++)
        here += sf_test_look(cache.l1, first + i, NULL).status == SF_OK;
    return here;
}

START_TEST(test_slabs_go_to_the_size_that_wants_them)
{
    fill_with_small();
    ck_assert_int_eq(add_large(0), SF_OK);
    for (uint64_t i = 1; i < STEPS; i++) {
        (void)add_large(i);
        step();
    }
    ck_assert_uint_ge(slabs_moved(), 3);
    /* A slab holds some forty of them. */
    ck_assert_uint_gt(count_here(LARGE_FIRST, STEPS), 100);
    ck_assert_uint_gt(count_here(SMALL_FIRST, SMALL_COUNT), 100);
    /* Where tombstones always find a place. */
    uint32_t last = sf_l1_plan_smallest_slab(&cache.l1->plan);
    ck_assert_uint_eq(sf_l1_load(&cache.l1->table[last]) & SF_L1_TABLE_CLASS, 1);
}
END_TEST

/*
 * More slabs than one look samples. Those of the size that wants room are the last ones, and as old as
 * all others: they are counted, or it would get one for having none.
 */
START_TEST(test_size_that_is_no_hotter_gets_no_slab)
{
    static char small[1000], large[3000];
    uint64_t number = 0;

    sf_test_cache_fini(&cache);
    sf_test_cache_init(&cache, MANY_SLABS);
    ck_assert(sf_l1_lead(cache.l1, SF_L1_SWEEPER));
    ck_assert_uint_gt(cache.l1->plan.slabs, 100);
    memset(small, 'x', sizeof(small) - 1);
    memset(large, 'x', sizeof(large) - 1);
    while (sf_l1_peek(&cache.l1->header->slabs_taken) < cache.l1->plan.slabs * 4 / 5)
        (void)sf_test_fill(cache.l1, ++number, 5, small);
    for (int i = 0; i < MANY; i++)
        (void)sf_test_fill(cache.l1, ++number, 5, large);
    for (int i = 0; i < MANY; i++) /* no slab has room left, which would make it the coldest */
        (void)sf_test_fill(cache.l1, ++number, 5, small);
    for (int i = 0; i < STEPS; i++) {
        (void)sf_test_fill(cache.l1, ++number, 5, large);
        step();
        ck_assert_int_le(cache.l1->move.phase, SF_L1_MOVE_NONE);
    }
}
END_TEST

START_TEST(test_nothing_moves_while_nobody_wants_room)
{
    fill_with_small();
    for (int i = 0; i < 10; i++)
        step(); /* the evictions so far count less and less */
    for (int i = 0; i < STEPS; i++)
        step();
    ck_assert_uint_eq(slabs_moved(), 0);
}
END_TEST

START_TEST(test_dirty_records_move_and_none_is_lost)
{
    for (uint64_t i = 0; i < 300; i++)
        ck_assert_int_eq(sf_test_create(cache.l1, i, "a", "dirty"), SF_OK);
    fill_with_small();
    for (uint64_t i = 0; i < STEPS; i++) {
        (void)add_large(i);
        step();
    }
    ck_assert_uint_ge(slabs_moved(), 3);
    for (uint64_t i = 0; i < 300; i++) {
        struct sf_test_seen seen = sf_test_look(cache.l1, i, "a");

        ck_assert_str_eq(seen.text, "dirty");
        ck_assert(!seen.is_clean);
    }
    ck_assert_uint_eq(sf_test_settle_all(cache.l1), 300);
}
END_TEST

/* Steps until a slab is in this phase. */
static void
step_until(enum sf_l1_move_phase phase)
{
    fill_with_small();
    for (uint64_t i = 0; i < STEPS && cache.l1->move.phase != phase; i++) {
        (void)add_large(i);
        step();
    }
    ck_assert_int_eq(cache.l1->move.phase, phase);
}

START_TEST(test_nobody_takes_blocks_while_it_is_emptied)
{
    step_until(SF_L1_MOVE_DRAINING);
    uint32_t slab = cache.l1->move.slab;
    fill_with_small();
    for (uint32_t entry = 0; entry < 10; entry++) {
        uint32_t block = (slab << cache.l1->plan.entry_shift) + entry;
        struct sf_l1_place place;
        struct sf_l1_owned owned;

        ck_assert(sf_l1_block_place(cache.l1, block, &place));
        uint64_t control = sf_l1_load(&place.control->state);
        ck_assert(!sf_l1_block_take(cache.l1, block, &place, control, false, &owned));
    }
}
END_TEST

START_TEST(test_whoever_is_in_a_section_delays_it)
{
    struct sf_l1 *other = sf_test_cache_attach(&cache);

    step_until(SF_L1_MOVE_EMPTYING);
    uint64_t section = sf_l1_enter(other);
    for (int i = 0; i < 30; i++)
        step();
    ck_assert_int_eq(cache.l1->move.phase, SF_L1_MOVE_CLOSED);
    ck_assert_uint_eq(slabs_moved(), 0);
    sf_l1_leave(other, section);
    step();
    ck_assert_uint_eq(slabs_moved(), 1);
    sf_l1_close(other);
}
END_TEST

START_TEST(test_slab_that_stays_in_use_goes_on_as_it_was)
{
    struct sf_l1 *other = sf_test_cache_attach(&cache);

    step_until(SF_L1_MOVE_EMPTYING);
    uint32_t slab = cache.l1->move.slab;
    uint64_t section = sf_l1_enter(other);
    for (int i = 0; i < 300 && cache.l1->move.phase != SF_L1_MOVE_NONE; i++)
        step();
    uint64_t value = sf_l1_load(&cache.l1->table[slab]);
    ck_assert(!sf_l1_slab_is_shut(value) && !sf_l1_slab_is_draining(value));
    ck_assert_uint_eq(sf_l1_slab_base(value), 0);
    ck_assert_uint_eq(slabs_moved(), 0);
    sf_l1_leave(other, section);
    sf_l1_close(other);
}
END_TEST

/* What a leader leaves who is killed in each phase. */
static void
die_and_succeed(void)
{
    sf_l1_close(cache.l1);
    cache.l1 = sf_test_cache_attach(&cache);
    ck_assert(sf_l1_lead(cache.l1, SF_L1_SWEEPER));
    step();
    for (uint32_t slab = 0; slab < cache.l1->plan.slabs; slab++) {
        uint64_t value = sf_l1_load(&cache.l1->table[slab]);

        ck_assert(!sf_l1_slab_is_shut(value) && !sf_l1_slab_is_draining(value));
    }
}

/* Once in a while the key that goes for it counts its removal where the new one does, and the fill is refused. */
static bool
takes_large(void)
{
    for (uint64_t i = 1; i <= 5; i++) {
        if (add_large(STEPS + i) == SF_OK)
            return true;
    }
    return false;
}

START_TEST(test_next_leader_finishes_or_undoes)
{
    step_until((enum sf_l1_move_phase)_i);
    die_and_succeed();
    ck_assert(takes_large());
}
END_TEST

START_TEST(test_next_leader_opens_what_was_being_opened)
{
    step_until(SF_L1_MOVE_CLOSED);
    uint32_t slab = cache.l1->move.slab;
    uint64_t value = sf_l1_load(&cache.l1->table[slab]);
    uint32_t class_index = cache.l1->move.class_index;

    atomic_store(&cache.l1->table[slab], sf_l1_slab_opening(77, class_index));
    die_and_succeed();
    ck_assert_uint_ne(value, 0);
    ck_assert_uint_eq(sf_l1_load(&cache.l1->table[slab]), sf_l1_slab_open(77, class_index));
    struct sf_l1_place place;
    ck_assert(sf_l1_block_place(cache.l1, slab << cache.l1->plan.entry_shift, &place));
    ck_assert_uint_eq(sf_l1_load(&place.control->state), sf_l1_control_make(SF_L1_FREE, 0, 77));
}
END_TEST

/* A generation that was used under the old class never comes again. */
START_TEST(test_generations_begin_above_those_that_were)
{
    step_until(SF_L1_MOVE_CLOSED);
    uint32_t slab = cache.l1->move.slab;
    uint64_t value = sf_l1_load(&cache.l1->table[slab]), highest = 0;
    const struct sf_l1_class *class = &cache.l1->plan.classes[sf_l1_slab_kept_class(value)];
    unsigned char *base = cache.l1->slabs + ((size_t)slab << cache.l1->plan.slab_shift);

    for (uint32_t i = 0; i < class->blocks; i++) {
        struct sf_l1_control *control = (void *)(base + (size_t)i * class->bytes);
        uint64_t gen = sf_l1_control_gen(sf_l1_load(&control->state));

        highest = gen > highest ? gen : highest;
    }
    step();
    value = sf_l1_load(&cache.l1->table[slab]);
    ck_assert_uint_gt(sf_l1_slab_base(value), highest);
    ck_assert_uint_gt(highest, 0);
}
END_TEST

/* A reader that was stopped all the while. */
START_TEST(test_reader_of_a_slab_that_has_moved_is_overtaken)
{
    struct sf_l1_found found = {.block = SF_L1_NO_BLOCK};
    struct sf_l1_image image;

    fill_with_small();
    for (uint64_t i = 0; i < STEPS && slabs_moved() == 0; i++) {
        if (cache.l1->move.phase == SF_L1_MOVE_DRAINING) {
            found.block = cache.l1->move.slab << cache.l1->plan.entry_shift;
            ck_assert(sf_l1_block_place(cache.l1, found.block, &found.place));
            found.control = sf_l1_load(&found.place.control->state);
        }
        (void)add_large(i);
        step();
    }
    ck_assert_uint_eq(slabs_moved(), 1);
    ck_assert_uint_ne(found.block, SF_L1_NO_BLOCK);
    /* Even if the bytes in the place of its control were the same by chance. */
    atomic_store(&found.place.control->state, found.control);
    ck_assert_int_eq(
        sf_l1_block_read(cache.l1, &found.place, found.control, NULL, NULL, &image), SF_CONFLICT);
    atomic_store(&found.place.control->state,
                 sf_l1_control_make(SF_L1_FREE, 0, UINT64_C(1) << 40));
}
END_TEST

START_TEST(test_only_the_leader_moves)
{
    struct sf_l1 *other = sf_test_cache_attach(&cache);

    ck_assert(!sf_l1_move_step(other, LATER));
    ck_assert_int_eq(other->move.phase, SF_L1_MOVE_UNKNOWN);
    sf_l1_close(other);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1_move");
    TCase *tests = tcase_create("l1_move");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_slabs_go_to_the_size_that_wants_them);
    tcase_add_test(tests, test_size_that_is_no_hotter_gets_no_slab);
    tcase_add_test(tests, test_nothing_moves_while_nobody_wants_room);
    tcase_add_test(tests, test_dirty_records_move_and_none_is_lost);
    tcase_add_test(tests, test_nobody_takes_blocks_while_it_is_emptied);
    tcase_add_test(tests, test_whoever_is_in_a_section_delays_it);
    tcase_add_test(tests, test_slab_that_stays_in_use_goes_on_as_it_was);
    tcase_add_loop_test(tests, test_next_leader_finishes_or_undoes, SF_L1_MOVE_DRAINING,
                        SF_L1_MOVE_CLOSED + 1);
    tcase_add_test(tests, test_next_leader_opens_what_was_being_opened);
    tcase_add_test(tests, test_generations_begin_above_those_that_were);
    tcase_add_test(tests, test_reader_of_a_slab_that_has_moved_is_overtaken);
    tcase_add_test(tests, test_only_the_leader_moves);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
