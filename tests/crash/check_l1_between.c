/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Somebody else comes between any two instructions, once for each of them.
 */
#include <check.h>
#include <stdio.h>
#include <unistd.h>

#include "common/cache/l1_evict.h"
#include "tests/crash/stepper.h"
#include "tests/support/run_suite.h"
#include "tests/unit/cache_case.h"

#define EXIT_SKIPPED 77

struct meeting {
    sf_step_fn *act;
    void (*intervene)(void *context);
    void *context;
    long at;
};

static void
look_at_step(void *context, long steps, bool was_call)
{
    const struct meeting *meeting = context;

    (void)was_call;
    if (steps < meeting->at)
        return;
    meeting->intervene(meeting->context);
    sf_step_stop();
}

/* false: there is no such instruction any more. */
static bool
meet(struct meeting *meeting, long at)
{
    meeting->at = at;
    return sf_step(meeting->act, meeting->context, look_at_step, meeting) >= at;
}

/* ---- another key with the same tag changes ---- */

struct look {
    struct sf_key key;
    struct sf_l1_found other;
    bool is_here;
};

static void
look_for_key(void *context)
{
    struct look *look = context;

    look->is_here = sf_l1_find_other(cache.l1, &look->key, NULL);
}

/* As a commit does; the record stays the same. */
static void
change_word(void *context)
{
    struct look *look = context;

    if (sf_l1_replace(look->other.word, look->other.value, look->other.block))
        look->other.value = sf_l1_load(look->other.word);
}

static struct sf_key
key_like(const struct sf_key *model)
{
    struct sf_l1_home home = sf_l1_home_of(cache.l1, model), other;
    struct sf_key key;

    for (uint64_t number = 1000;; number++) {
        key = sf_test_cache_key(number);
        other = sf_l1_home_of(cache.l1, &key);
        if (other.tag == home.tag && other.buckets[0] == home.buckets[0])
            return key;
    }
}

/* Or its creator would be refused. */
START_TEST(test_key_is_not_mistaken_for_one_that_changes)
{
    const struct sf_key model = sf_test_cache_key(1);
    struct look look = {.key = key_like(&model)};
    struct meeting meeting = {look_for_key, change_word, &look, 0};

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_l1_find(cache.l1, &model, NULL, &look.other), SF_OK);
    for (long at = 1; meet(&meeting, at); at++)
        ck_assert_msg(!look.is_here, "at instruction %ld", at);
}
END_TEST

/* ---- the block that is looked at becomes another session's ---- */

#define CHANGES 12 /* more than a handle keeps freed blocks */

struct reader {
    struct sf_l1 *other;
    enum sf_status status;
};

static void
read_field(void *context)
{
    struct reader *reader = context;
    const struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_field field;
    char text[8];

    reader->status =
        sf_l1_get_field(cache.l1, &key, sf_span_text("a"), text, sizeof(text), &field);
}

static void
give_block_to_another(void *context)
{
    const struct reader *reader = context;

    ck_assert_int_eq(sf_test_increment(reader->other, 1, "n", NULL), SF_OK);
    for (int i = 0; i < CHANGES; i++)
        ck_assert_int_eq(sf_test_increment(reader->other, 2, "n", NULL), SF_OK);
}

START_TEST(test_session_is_not_missed_while_it_changes)
{
    struct reader reader = {.other = sf_test_cache_attach(&cache)};
    struct meeting meeting = {read_field, give_block_to_another, &reader, 0};

    ck_assert_int_eq(sf_test_create(reader.other, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_test_create(reader.other, 2, "a", "b"), SF_OK);
    for (long at = 1; meet(&meeting, at); at++)
        ck_assert_msg(reader.status == SF_OK, "at instruction %ld", at);
    sf_l1_close(reader.other);
}
END_TEST

/* ---- the owner of a fill confirms it and leaves while the sweeper looks at it ---- */

struct fill {
    struct sf_l1 *owner;
    struct sf_l1_owned owned;
};

static void
begin_fill(struct fill *fill)
{
    const struct sf_key key = sf_test_cache_key(2);
    _Atomic uint64_t *word;
    struct sf_l1_found found;
    struct sf_buffer record;
    uint64_t value;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_test_fill(cache.l1, 2, 5, "stored"), SF_OK);
    ck_assert_int_eq(sf_l1_find(cache.l1, &key, &record, &found), SF_OK);
    ck_assert_int_eq(sf_l1_drop(cache.l1, &key), SF_OK);
    fill->owner = sf_test_cache_attach(&cache);
    ck_assert_int_eq(sf_l1_room_for(fill->owner, record.size, SF_L1_FOR_FILL, &fill->owned), SF_OK);
    sf_l1_block_fill(fill->owner, &fill->owned, &found.image, sf_buffer_span(&record));
    ck_assert_int_eq(sf_l1_insert(fill->owner, &key, fill->owned.block, &word, &value), SF_OK);
    sf_buffer_fini(&record);
}

/* What of sf_l1_close others see, and a signal handler may do. */
static void
confirm_and_leave(void *context)
{
    const struct fill *fill = context;

    sf_l1_block_publish(&fill->owned, SF_L1_CLEAN);
    atomic_fetch_and(&cache.l1->slots.slots[fill->owner->slot].word, ~UINT64_C(1));
}

static void
sweep_block(void *context)
{
    const struct fill *fill = context;
    uint32_t cursor = fill->owned.block;

    (void)sf_l1_repair(cache.l1, SF_TEST_NOW, &cursor, 1);
}

START_TEST(test_fill_that_was_confirmed_stays)
{
    const struct sf_key key = sf_test_cache_key(2);
    struct fill fill;
    struct meeting meeting = {sweep_block, confirm_and_leave, &fill, 0};
    bool was_met = true;

    for (long at = 1; was_met; at++) {
        begin_fill(&fill);
        ck_assert_uint_ne(fill.owned.block, 0); /* with which a pass begins */
        was_met = meet(&meeting, at);
        if (!was_met)
            confirm_and_leave(&fill);
        ck_assert_msg(sf_test_look(cache.l1, 2, NULL).status == SF_OK, "at instruction %ld", at);
        sf_l1_close(fill.owner);
        ck_assert_int_eq(sf_l1_drop(cache.l1, &key), SF_OK);
    }
}
END_TEST

/* ---- a reader looks while a comparison is put off ---- */

struct waiter {
    struct sf_l1_question question;
    sf_time since;
    bool is_leased; /* what has not been compared since */
};

static void
put_off(void *context)
{
    const struct waiter *waiter = context;
    const struct sf_key key = sf_test_cache_key(1);

    sf_l1_postpone(cache.l1, &key, &waiter->question);
}

/* As sf_l1_is_stale does, when the entry is past its TTL again. */
static void
look_at_lease(void *context)
{
    struct waiter *waiter = context;
    const struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_found found;

    ck_assert_int_eq(sf_l1_find(cache.l1, &key, NULL, &found), SF_OK);
    waiter->is_leased = found.image.since != waiter->since &&
                        (uint64_t)found.image.since > sf_l1_peek(&cache.l1->header->lease_from);
}

START_TEST(test_what_is_put_off_is_never_leased)
{
    const struct sf_key key = sf_test_cache_key(1);
    struct waiter waiter;
    struct meeting meeting = {put_off, look_at_lease, &waiter, 0};
    struct sf_l1_found found;
    bool was_met = true;

    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 5, "stored"), SF_OK);
    for (long at = 1; was_met; at++) {
        usleep(1000); /* `since` is in milliseconds, and moves forward only */
        sf_l1_ask(cache.l1, &key, &waiter.question);
        ck_assert_int_eq(sf_l1_find(cache.l1, &key, NULL, &found), SF_OK);
        waiter.since = found.image.since;
        waiter.is_leased = false;
        was_met = meet(&meeting, at);
        ck_assert_msg(!waiter.is_leased, "at instruction %ld", at);
    }
}
END_TEST

int
main(void)
{
    if (!sf_stepper_works()) {
        printf("skipped: no single steps here\n");
        return EXIT_SKIPPED;
    }
    Suite *suite = suite_create("l1_between");
    TCase *tests = tcase_create("l1_between");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_key_is_not_mistaken_for_one_that_changes);
    tcase_add_test(tests, test_session_is_not_missed_while_it_changes);
    tcase_add_test(tests, test_fill_that_was_confirmed_stays);
    tcase_add_test(tests, test_what_is_put_off_is_never_leased);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
