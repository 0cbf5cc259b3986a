/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_plan.h"

#include <check.h>

#include "common/cache/l1.h"
#include "tests/support/run_suite.h"

#define MIB (UINT64_C(1) << 20)

static void
assert_sound(uint64_t bytes)
{
    struct sf_l1_plan plan;

    ck_assert(sf_l1_plan_make(&plan, bytes));
    ck_assert_uint_ge(plan.slots, 1024);
    ck_assert_uint_le(plan.slots, SF_L1_OWNER_LIMIT);
    ck_assert_uint_gt(plan.slabs, 0);
    ck_assert_uint_le(plan.slabs_at + ((uint64_t)plan.slabs << plan.slab_shift), bytes);
    ck_assert_uint_le(plan.table_at + plan.slabs * sizeof(uint64_t), plan.slabs_at);
    ck_assert_uint_eq(plan.index_at % 64, 0);
    ck_assert_uint_eq(plan.hints & (plan.hints - 1), 0);
    ck_assert_uint_lt((uint64_t)plan.slabs << plan.entry_shift, SF_L1_BLOCK_LIMIT);
    for (uint32_t i = 0; i < plan.class_count; i++) {
        const struct sf_l1_class *class = &plan.classes[i];

        ck_assert_uint_eq(class->bytes % 64, 0);
        ck_assert_uint_le(class->blocks, 1u << plan.entry_shift);
        ck_assert_uint_le((uint64_t)class->blocks * class->bytes,
                          UINT64_C(1) << plan.slab_shift);
        if (i > 0 && plan.classes[i - 1].blocks > 4) /* no block wastes more than a fifth */
            ck_assert_uint_le(class->bytes * 4, plan.classes[i - 1].bytes * 5 + 256);
    }
}

START_TEST(test_every_size_is_sound)
{
    static const uint64_t sizes[] = {1, 2, 3, 8, 15, 16, 17, 63, 64, 65, 640, 1024, 4096, 65536};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        assert_sound(sizes[i] * MIB);
    assert_sound(5 * MIB + 4096);
}
END_TEST

START_TEST(test_sizes_out_of_range_are_refused)
{
    struct sf_l1_plan plan;

    ck_assert(!sf_l1_plan_make(&plan, 0));
    ck_assert(!sf_l1_plan_make(&plan, MIB - 4096));
    ck_assert(!sf_l1_plan_make(&plan, MIB + 1));
    ck_assert(!sf_l1_plan_make(&plan, 65536 * MIB + 4096));
}
END_TEST

START_TEST(test_class_is_the_smallest_that_fits)
{
    struct sf_l1_plan plan;

    ck_assert(sf_l1_plan_make(&plan, 64 * MIB));
    for (uint64_t bytes = 1; bytes < 300000; bytes += 97) {
        uint32_t found = sf_l1_plan_class(&plan, bytes);

        ck_assert_uint_lt(found, plan.class_count);
        ck_assert_uint_ge(plan.classes[found].bytes, bytes + SF_L1_BLOCK_HEADER);
        ck_assert(found == 0 || plan.classes[found - 1].bytes < bytes + SF_L1_BLOCK_HEADER);
    }
    ck_assert_uint_eq(sf_l1_plan_class(&plan, 2 * MIB), plan.class_count);
}
END_TEST

/* What the design promises, at the sizes it names. */
START_TEST(test_bookkeeping_is_at_most_96_bytes_a_session)
{
    struct sf_l1_plan plan;

    ck_assert(sf_l1_plan_make(&plan, 640 * MIB));
    uint64_t class_bytes = plan.classes[sf_l1_plan_class(&plan, 512)].bytes;
    uint64_t words = (uint64_t)plan.buckets * SF_L1_BUCKET_WORDS;
    ck_assert_uint_le(
        SF_L1_BLOCK_HEADER + words * sizeof(uint64_t) / 1000000, 96);
    ck_assert_uint_gt(words, 1000000);
    ck_assert_uint_ge((uint64_t)plan.slabs * plan.classes[sf_l1_plan_class(&plan, 512)].blocks,
                      1000000);
    ck_assert_uint_le(class_bytes, 640);
    ck_assert(sf_l1_plan_make(&plan, 8 * MIB));
    ck_assert_uint_ge((uint64_t)plan.slabs * plan.classes[sf_l1_plan_class(&plan, 512)].blocks,
                      10000);
}
END_TEST

START_TEST(test_what_fits_is_what_there_is_room_for)
{
    struct sf_l1_plan plan;

    ck_assert(sf_l1_plan_make(&plan, 8 * MIB));
    ck_assert_uint_ge(sf_l1_plan_fits(&plan, 512), 10000);
    ck_assert_uint_lt(sf_l1_plan_fits(&plan, 512), 8 * MIB / 512);
    ck_assert_uint_eq(sf_l1_plan_fits(&plan, MIB), 0);
    ck_assert(sf_l1_plan_make(&plan, 640 * MIB));
    ck_assert_uint_ge(sf_l1_plan_fits(&plan, 512), 1000000);
    /* Of the smallest there are more blocks than words to name them. */
    ck_assert_uint_lt(sf_l1_plan_fits(&plan, 1), 640 * MIB / SF_L1_BLOCK_MIN);
}
END_TEST

START_TEST(test_words_and_controls_keep_what_they_are_made_of)
{
    uint64_t word = sf_l1_word_make(SF_L1_BLOCK_LIMIT - 1, 0xABC, 0xFFFFFF);

    ck_assert_uint_eq(sf_l1_word_block(word), SF_L1_BLOCK_LIMIT - 1);
    ck_assert_uint_eq(sf_l1_word_tag(word), 0xABC);
    ck_assert_uint_eq(word & 0xFFFFFF, 0);
    ck_assert(!sf_l1_word_is_empty(word));
    ck_assert(sf_l1_word_is_empty(sf_l1_word_emptied(word)));
    ck_assert(sf_l1_word_is_empty(0));
    uint64_t control = sf_l1_control_make(SF_L1_OWNED, 4095, SF_L1_GEN_MASK) | SF_L1_CLEAN;
    ck_assert_uint_eq(sf_l1_control_state(control), SF_L1_OWNED);
    ck_assert_uint_eq(sf_l1_control_owner(control), 4095);
    ck_assert_uint_eq(sf_l1_control_gen(control), SF_L1_GEN_MASK);
    ck_assert(sf_l1_control_is_clean(control));
    ck_assert(sf_l1_control_is_stored(control));
    ck_assert(!sf_l1_control_is_stored(control | SF_L1_JOURNALLED));
    ck_assert_uint_eq(sf_l1_control_owner(control | SF_L1_JOURNALLED), 4095);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1_plan");
    TCase *tests = tcase_create("l1_plan");

    tcase_add_test(tests, test_every_size_is_sound);
    tcase_add_test(tests, test_sizes_out_of_range_are_refused);
    tcase_add_test(tests, test_class_is_the_smallest_that_fits);
    tcase_add_test(tests, test_bookkeeping_is_at_most_96_bytes_a_session);
    tcase_add_test(tests, test_what_fits_is_what_there_is_room_for);
    tcase_add_test(tests, test_words_and_controls_keep_what_they_are_made_of);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
