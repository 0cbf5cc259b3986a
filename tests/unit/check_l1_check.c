/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "common/cache/l1_index.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"

static struct sf_test_cache cache;
static struct sf_error error;
static struct sf_l1_found found; /* the record of session 1 */

static void
set_up(void)
{
    struct sf_key key = sf_test_cache_key(1);

    sf_test_cache_init(&cache, SF_L1_BYTES_MIN);
    for (uint64_t number = 0; number < 20; number++)
        ck_assert_int_eq(sf_test_create(cache.l1, number, "a", "some text"), SF_OK);
    ck_assert_int_eq(sf_l1_find(cache.l1, &key, NULL, &found), SF_OK);
}

static void
tear_down(void)
{
    sf_test_cache_fini(&cache);
}

static void
assert_finding(bool is_quiet, const char *text)
{
    ck_assert_int_eq(sf_l1_check(cache.l1, is_quiet, &error), SF_CORRUPT);
    ck_assert_msg(strstr(error.text, text) != NULL, "\"%s\" is not in: %s", text, error.text);
}

START_TEST(test_sound_cache_passes)
{
    ck_assert_msg(sf_l1_check(cache.l1, true, &error) == SF_OK, "%s", error.text);
    ck_assert_msg(sf_l1_check(cache.l1, false, &error) == SF_OK, "%s", error.text);
}
END_TEST

/* What a reader can tell without the checksum. */
START_TEST(test_damaged_header_is_never_served)
{
    static const struct {
        size_t word;
        uint64_t bits;
    } damages[] = {
        {SF_L1_AT_KEY, 1},
        {SF_L1_AT_KEY_HIGH, UINT64_C(1) << 63},
        {SF_L1_AT_LENGTH, UINT64_C(1) << 63},
    };

    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        struct sf_key key = sf_test_cache_key(i + 1);

        ck_assert_int_eq(sf_l1_find(cache.l1, &key, NULL, &found), SF_OK);
        atomic_fetch_xor(&found.place.words[damages[i].word], damages[i].bits);
        ck_assert_int_eq(sf_test_look(cache.l1, i + 1, "a").status, SF_NOT_FOUND);
    }
}
END_TEST

START_TEST(test_changed_byte_is_found_and_nothing_is_made_of_it)
{
    uint64_t values[SF_COUNTER_COUNT];

    atomic_fetch_xor(&found.place.words[SF_L1_BLOCK_WORDS + 3], 1);
    assert_finding(false, "wrong checksum");
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "a", "other"), SF_NOT_FOUND);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, "a").status, SF_NOT_FOUND);
    sf_l1_counters_sum(cache.l1, values);
    ck_assert_uint_eq(values[SF_COUNTER_l1_bad], 1);
    /* It was taken out, so that the session can at least be loaded again. */
    ck_assert_msg(sf_l1_check(cache.l1, true, &error) == SF_OK, "%s", error.text);
    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "again"), SF_OK);
}
END_TEST

START_TEST(test_every_word_of_a_block_is_covered)
{
    size_t words = SF_L1_BLOCK_WORDS + found.image.length / sizeof(uint64_t);

    for (size_t i = 0; i < words; i++) {
        for (unsigned bit = 0; bit < 64; bit += 7) {
            atomic_fetch_xor(&found.place.words[i], UINT64_C(1) << bit);
            ck_assert_int_eq(sf_l1_check(cache.l1, false, &error), SF_CORRUPT);
            atomic_fetch_xor(&found.place.words[i], UINT64_C(1) << bit);
        }
    }
    ck_assert_int_eq(sf_l1_check(cache.l1, true, &error), SF_OK);
}
END_TEST

START_TEST(test_state_that_does_not_exist_is_found)
{
    atomic_fetch_or(&found.place.control->state, UINT64_C(3) << 62);
    assert_finding(false, "in no state that exists");
}
END_TEST

START_TEST(test_owner_that_does_not_exist_is_found)
{
    atomic_store(&found.place.control->state,
                 sf_l1_control_make(SF_L1_OWNED, 8000, sf_l1_control_gen(found.control)));
    assert_finding(false, "a slot that does not exist");
}
END_TEST

START_TEST(test_unnamed_block_is_found_when_quiet)
{
    ck_assert(sf_l1_withdraw(found.word, found.value));
    assert_finding(true, "not in the index");
    ck_assert_int_eq(sf_l1_check(cache.l1, false, &error), SF_OK);
}
END_TEST

START_TEST(test_word_to_nowhere_is_found)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_home home = sf_l1_home_of(cache.l1, &key);

    atomic_store(&home.buckets[0]->words[7], sf_l1_word_make(SF_L1_BLOCK_LIMIT - 1, home.tag, 0));
    assert_finding(false, "names no block in use");
    ck_assert_int_eq(sf_test_look(cache.l1, 77, "a").status, SF_NOT_FOUND);
}
END_TEST

START_TEST(test_key_that_stands_twice_is_found)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_home home = sf_l1_home_of(cache.l1, &key);

    atomic_store(&home.buckets[1]->words[7], sf_l1_word_make(found.block, home.tag, 0));
    assert_finding(true, "in the index twice");
}
END_TEST

START_TEST(test_word_in_a_foreign_bucket_is_found)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_home home = sf_l1_home_of(cache.l1, &key);
    struct sf_l1_bucket *other = cache.l1->index;

    while (other == home.buckets[0] || other == home.buckets[1])
        other++;
    atomic_store(&other->words[7], found.value);
    assert_finding(false, "not its key's");
}
END_TEST

START_TEST(test_size_class_that_does_not_exist_is_found)
{
    atomic_store(&cache.l1->table[3], 200);
    assert_finding(false, "no such size class");
}
END_TEST

/* Whatever the bytes are: no crash, no hang, no foreign memory. */
START_TEST(test_random_bytes_are_survived)
{
    unsigned state = 12345;
    unsigned char *bytes = cache.l1->mapping.base;
    size_t begin = cache.l1->plan.removals_at, end = cache.l1->plan.slabs_at + 150000;

    for (int round = 0; round < 60; round++) {
        for (int i = 0; i < 400; i++) {
            state = state * 1664525u + 1013904223u;
            bytes[begin + (state >> 3) % (end - begin)] ^= (unsigned char)(1u << (state & 7));
        }
        for (uint64_t number = 0; number < 40; number++) {
            (void)sf_test_look(cache.l1, number, "a");
            (void)!sf_test_set(cache.l1, number, "a", "new");
            (void)!sf_test_fill(cache.l1, number, 3, "x");
            (void)!sf_test_create(cache.l1, 1000 + number, "a", "b");
        }
        (void)!sf_l1_check(cache.l1, true, &error);
        (void)sf_test_repair_all(cache.l1, SF_TEST_NOW);
        (void)sf_test_settle_all(cache.l1);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1_check");
    TCase *tests = tcase_create("l1_check");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_sound_cache_passes);
    tcase_add_test(tests, test_damaged_header_is_never_served);
    tcase_add_test(tests, test_changed_byte_is_found_and_nothing_is_made_of_it);
    tcase_add_test(tests, test_every_word_of_a_block_is_covered);
    tcase_add_test(tests, test_state_that_does_not_exist_is_found);
    tcase_add_test(tests, test_owner_that_does_not_exist_is_found);
    tcase_add_test(tests, test_unnamed_block_is_found_when_quiet);
    tcase_add_test(tests, test_word_to_nowhere_is_found);
    tcase_add_test(tests, test_key_that_stands_twice_is_found);
    tcase_add_test(tests, test_word_in_a_foreign_bucket_is_found);
    tcase_add_test(tests, test_size_class_that_does_not_exist_is_found);
    tcase_add_test(tests, test_random_bytes_are_survived);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
