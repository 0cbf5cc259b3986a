/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whoever comes late changes nothing: what he holds of a word and of a block is from before others
 * used the very same word and block again. Here the others come in between step by step, where
 * torture would have to be lucky.
 */
#include <check.h>

#include "common/cache/l1_commit.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"

#define CHANGES_MAX 1000

static struct sf_test_cache cache;
static struct sf_error error;
static struct sf_buffer record;

static void
set_up(void)
{
    sf_test_cache_init(&cache, SF_L1_BYTES_MIN);
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
}

static void
tear_down(void)
{
    ck_assert_msg(sf_l1_check(cache.l1, true, &error) == SF_OK, "%s", error.text);
    sf_buffer_fini(&record);
    sf_test_cache_fini(&cache);
}

static struct sf_l1_found
find(void)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_found found;

    ck_assert_int_eq(sf_l1_find(cache.l1, &key, &record, &found), SF_OK);
    return found;
}

/*
 * Changes the session until the same word names the same block again. What was found before is late
 * from then on; what is there now has never been stored.
 */
static struct sf_l1_found
come_round(const struct sf_l1_found *late)
{
    struct sf_l1_found now;

    for (int i = 0; i < CHANGES_MAX; i++) {
        ck_assert_int_eq(sf_test_increment(cache.l1, 1, "n", NULL), SF_OK);
        now = find();
        if (now.block == late->block && now.word == late->word)
            break;
    }
    ck_assert(now.word == late->word);
    ck_assert_uint_eq(now.block, late->block);
    ck_assert_uint_ne(sf_l1_control_gen(now.control), sf_l1_control_gen(late->control));
    return now;
}

static void
assert_untouched(const struct sf_l1_found *before)
{
    struct sf_l1_found now = find();

    ck_assert(now.word == before->word);
    ck_assert_uint_eq(now.value, before->value);
    ck_assert_uint_eq(now.control, before->control);
}

START_TEST(test_late_change_is_refused)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_draft draft;

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    struct sf_l1_found late = find();
    ck_assert_int_eq(sf_l1_draft_make(&draft, cache.l1, &key, sf_buffer_span(&record), NULL), SF_OK);
    struct sf_l1_found now = come_round(&late);
    ck_assert(!sf_l1_draft_replace(cache.l1, &draft, &late));
    sf_l1_draft_drop(cache.l1, &draft);
    assert_untouched(&now);
}
END_TEST

START_TEST(test_late_removal_is_refused)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_home home = sf_l1_home_of(cache.l1, &key);

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    struct sf_l1_found late = find();
    struct sf_l1_found now = come_round(&late);
    ck_assert(!sf_l1_remove(&home, late.word, late.value));
    assert_untouched(&now);
}
END_TEST

/* It was clean when it was chosen. */
START_TEST(test_late_eviction_is_refused)
{
    struct sf_key key = sf_test_cache_key(1);

    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "stored"), SF_OK);
    struct sf_l1_found late = find();
    ck_assert(sf_l1_control_is_clean(late.control));
    struct sf_l1_found now = come_round(&late);
    ck_assert(!sf_l1_unname(cache.l1, late.block, &late.place, late.control, &key));
    assert_untouched(&now);
}
END_TEST

START_TEST(test_late_retirement_frees_nothing)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    struct sf_l1_found late = find();
    struct sf_l1_found now = come_round(&late);
    sf_l1_block_retire(cache.l1, late.block, late.control);
    assert_untouched(&now);
}
END_TEST

START_TEST(test_late_settlement_stores_nothing)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    struct sf_l1_found late = find();
    struct sf_l1_found now = come_round(&late);
    sf_l1_settle(cache.l1, &(struct sf_l1_ticket){late.block, late.control}, sf_clock_steady());
    assert_untouched(&now);
    ck_assert_uint_eq(sf_test_settle_all(cache.l1), 1);
}
END_TEST

START_TEST(test_late_reader_learns_that_he_was_overtaken)
{
    struct sf_l1_image image;

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    struct sf_l1_found late = find();
    (void)come_round(&late);
    ck_assert_int_eq(sf_l1_block_read(cache.l1, &late.place, late.control, NULL, NULL, &image),
                     SF_CONFLICT);
    ck_assert_int_eq(sf_l1_block_read(cache.l1, &late.place, late.control, NULL, &record, &image),
                     SF_CONFLICT);
}
END_TEST

/* As if its id had been drawn twice, or its creator had been asked twice. */
START_TEST(test_key_that_is_there_is_not_named_again)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_draft draft;
    struct sf_l1_committed named;

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    struct sf_l1_found before = find();
    ck_assert_int_eq(sf_l1_draft_make(&draft, cache.l1, &key, sf_buffer_span(&record), NULL), SF_OK);
    ck_assert_int_eq(sf_l1_draft_name(cache.l1, &draft, &named), SF_CONFLICT);
    sf_l1_draft_drop(cache.l1, &draft);
    assert_untouched(&before);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1_late");
    TCase *tests = tcase_create("l1_late");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_late_change_is_refused);
    tcase_add_test(tests, test_late_removal_is_refused);
    tcase_add_test(tests, test_late_eviction_is_refused);
    tcase_add_test(tests, test_late_retirement_frees_nothing);
    tcase_add_test(tests, test_late_settlement_stores_nothing);
    tcase_add_test(tests, test_late_reader_learns_that_he_was_overtaken);
    tcase_add_test(tests, test_key_that_is_there_is_not_named_again);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
