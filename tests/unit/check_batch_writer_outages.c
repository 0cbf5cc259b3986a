/* SPDX-License-Identifier: Apache-2.0 */
/* What the batch writer does when the store takes nothing, or not everything. */
#include "common/writeback/batch_writer.h"

#include <check.h>
#include <string.h>

#include "common/store/store_shared.h"
#include "tests/support/run_suite.h"
#include "tests/unit/writer_case.h"

START_TEST(test_outage_is_logged_once_and_so_is_its_end)
{
    open_quiet_writer("fail:write=UNAVAILABLE*5+OK");
    change(1);
    sf_batch_writer_urge(writer);
    step();
    for (int i = 0; i < 5; i++) {
        ck_assert(!state.is_up);
        now = state.retry_at;
        step();
    }
    ck_assert(state.is_up);
    ck_assert_uint_eq(state.failures, 5);
    ck_assert_uint_eq(stored_version(1), 1);
    ck_assert_int_eq(kept.count, 2);
    ck_assert_ptr_nonnull(strstr(kept.lines[0], "SF0201: "));
    ck_assert_ptr_nonnull(strstr(kept.lines[0], "write answers UNAVAILABLE"));
    ck_assert_ptr_nonnull(strstr(kept.lines[1], "SF0202: "));
    ck_assert_ptr_nonnull(strstr(kept.lines[1], " 1 changed session"));
}
END_TEST

START_TEST(test_store_that_is_down_is_left_in_peace)
{
    open_quiet_writer("fail:write=UNAVAILABLE");
    change(1);
    sf_batch_writer_urge(writer);
    step();
    sf_time retry_at = state.retry_at;
    for (; now < retry_at; now++) {
        sf_batch_writer_urge(writer);
        ck_assert_int_eq(sf_batch_writer_step(writer, now), retry_at);
    }
    sf_batch_writer_state(writer, &state);
    ck_assert_uint_eq(state.failures, 1);
}
END_TEST

START_TEST(test_pause_ends_when_others_hear_from_the_store)
{
    open_quiet_writer("fail:write=UNAVAILABLE*2+OK");
    change(1);
    sf_batch_writer_urge(writer);
    step();
    sf_batch_writer_retry(writer);
    step();
    ck_assert_uint_eq(state.failures, 2);
    step();
    ck_assert_uint_eq(state.failures, 2); /* once, and not from now on */
    sf_batch_writer_retry(writer);
    step();
    ck_assert(state.is_up);
    ck_assert_uint_eq(stored_version(1), 1);
}
END_TEST

START_TEST(test_pauses_grow_to_ten_seconds)
{
    open_quiet_writer("fail:write=UNAVAILABLE");
    change(1);
    sf_batch_writer_urge(writer);
    sf_time expected = 250;
    for (int i = 0; i < 12; i++) {
        step();
        sf_time pause = state.retry_at - now;
        ck_assert_int_ge(pause, expected * 3 / 4);
        ck_assert_int_le(pause, expected * 5 / 4);
        expected = expected >= 5000 ? 10000 : 2 * expected;
        now = state.retry_at;
    }
}
END_TEST

START_TEST(test_nothing_is_called_stored_in_an_outage)
{
    open_quiet_writer("fail:write=UNAVAILABLE*2+OK");
    uint64_t before = sf_l1_changes(cache.l1);
    change(1);
    sf_batch_writer_urge(writer);
    step();
    struct sf_key key = sf_test_cache_key(1);
    ck_assert(!sf_l1_is_stored(cache.l1, &key, 1));
    ck_assert_uint_eq(state.stored_changes, before);
    change(1);
    now = state.retry_at;
    step();
    now = state.retry_at;
    step();
    ck_assert_uint_eq(stored_version(1), 2);
    ck_assert(sf_l1_is_stored(cache.l1, &key, 2));
    ck_assert_uint_eq(state.stored_changes, sf_l1_changes(cache.l1));
}
END_TEST

START_TEST(test_uncertain_batch_is_repeated)
{
    open_quiet_writer("fail:write=UNCERTAIN+OK");
    change(1);
    sf_batch_writer_urge(writer);
    step();
    ck_assert_uint_eq(stored_version(1), 1);
    ck_assert(!state.is_up);
    now = state.retry_at;
    step();
    ck_assert(state.is_up);
    ck_assert_uint_eq(stored_version(1), 1);
}
END_TEST

START_TEST(test_refused_record_does_not_hold_up_the_others)
{
    open_writer_refusing(2);
    for (unsigned i = 0; i < 5; i++)
        change(i);
    sf_batch_writer_urge(writer);
    step();
    ck_assert(state.is_up);
    ck_assert_uint_eq(state.records, 4);
    ck_assert_uint_eq(state.refused, 1);
    ck_assert_int_eq(kept.count, 1);
    ck_assert_ptr_nonnull(strstr(kept.lines[0], "SF0203: the store refuses session "));
    change(7);
    sf_batch_writer_urge(writer);
    step();
    ck_assert_uint_eq(state.records, 5);
    ck_assert_uint_eq(state.batches, 2);
}
END_TEST

START_TEST(test_refused_record_comes_back_after_its_pause_without_a_word)
{
    open_writer_refusing(2);
    change(2);
    sf_batch_writer_urge(writer);
    step();
    ck_assert_uint_eq(state.batches, 1);
    step_after(9 * SF_SECOND);
    ck_assert_uint_eq(state.batches, 1);
    step_after(SF_SECOND);
    ck_assert_uint_eq(state.batches, 2);
    step_after(19 * SF_SECOND);
    ck_assert_uint_eq(state.batches, 2);
    step_after(SF_SECOND);
    ck_assert_uint_eq(state.batches, 3);
    ck_assert_int_eq(kept.count, 1);
}
END_TEST

/* Eight sessions in batches of four; one of them is on a server that is down. */
START_TEST(test_what_waits_for_one_server_does_not_hold_up_the_others)
{
    struct sf_key key = sf_test_cache_key(2);
    char url[64] = "fail:lose=";
    sf_key_format(&key, url + strlen(url));
    open_writer(url, 4);
    step();
    for (unsigned i = 0; i < 8; i++)
        change(i);
    sf_batch_writer_urge(writer);
    for (int i = 0; i < 3 && state.retry_at <= now; i++)
        step();
    ck_assert(!state.is_up);
    for (unsigned i = 0; i < 8; i++)
        ck_assert_uint_eq(stored_version(i), i != 2);
    for (int i = 0; i < 6; i++) {
        change(3);
        now = state.retry_at;
        step();
        ck_assert_uint_eq(stored_version(3), (unsigned)i + 2);
        ck_assert_int_le(state.retry_at - now, SF_SECOND * 5 / 4);
    }
    ck_assert_uint_eq(stored_version(2), 0);
}
END_TEST

/* What the server of the store is now, and what it will be in the middle of the next write. */
static uint64_t incarnation, next_incarnation;
static const struct sf_store_ops *memory_ops;

static uint64_t
tell_incarnation(struct sf_store *of)
{
    (void)of;
    return incarnation;
}

/* As if it connected first. */
static enum sf_status
write_to_whatever_it_is(struct sf_store *to, struct sf_write *writes, size_t count, sf_time deadline)
{
    incarnation = next_incarnation;
    for (size_t i = 0; i < count; i++)
        writes[i].expected = sf_store_expected(&writes[i], incarnation);
    return memory_ops->write(to, writes, count, deadline);
}

static void
open_store_that_may_be_another(void)
{
    static struct sf_store_ops ops;
    ck_assert_int_eq(sf_store_open(&store, "memory:", "/nowhere", NULL), SF_OK);
    incarnation = next_incarnation = 1;
    memory_ops = store->ops;
    ops = *store->ops;
    ops.incarnation = tell_incarnation;
    ops.write = write_to_whatever_it_is;
    store->ops = &ops;
}

/* Two hosts on one store. */
static void
open_two_writers(struct sf_test_cache *there, struct sf_batch_writer **other_out)
{
    const struct sf_batch_writer_options options = {
        .flush_batch = 10, .flush_delay = DELAY, .write_deadline = SF_MINUTE};
    now = sf_clock_steady();
    sf_test_cache_init(there, 4 * SF_L1_BYTES_MIN);
    sf_l1_set_shared(cache.l1, true);
    sf_l1_set_shared(there->l1, true);
    open_store_that_may_be_another();
    ck_assert_int_eq(sf_store_share(&store, store, NULL, NULL), SF_OK);
    ck_assert_int_eq(sf_batch_writer_new(&writer, cache.l1, store, &options, &kept.log), SF_OK);
    ck_assert_int_eq(sf_batch_writer_new(other_out, there->l1, store, &options, &kept.log), SF_OK);
}

/* When the writer learns that it is another store: before the call, in the middle of it, or when all was put again. */
enum when { BEFORE, WITHIN, LATE };

static void
be_another_store(enum when when)
{
    next_incarnation = 2;
    if (when != WITHIN)
        incarnation = 2;
    if (when == LATE)
        sf_l1_set_store(cache.l1, 2);
}

/* The row has the number that ours grew from, and is another one: what that had the store has lost. */
START_TEST(test_change_of_what_the_store_has_lost_is_merged)
{
    struct sf_test_cache there;
    struct sf_batch_writer *other;
    open_two_writers(&there, &other);
    sf_l1_set_store(cache.l1, 1);
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    step();
    sf_test_hand_over(there.l1, cache.l1, 1);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "one", "lost"), SF_OK);
    ck_assert_uint_eq(sf_test_settle_all(cache.l1), 1);
    ck_assert_int_eq(sf_test_set(there.l1, 1, "two", "there"), SF_OK);
    (void)sf_batch_writer_step(other, now);
    ck_assert_uint_eq(stored_version(1), 2);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "three", "here"), SF_OK);
    be_another_store((enum when)_i);
    sf_batch_writer_urge(writer);
    step();
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "one").text, "lost");
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "two").text, "there");
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "three").text, "here");
    ck_assert_uint_eq(stored_version(1), sf_test_look(cache.l1, 1, "a").version);
    ck_assert(state.is_up);
    sf_batch_writer_free(other);
    sf_test_cache_fini(&there);
}
END_TEST

/* Two such fields are more than a block. */
static void
set_large_field(struct sf_l1 *l1, const char *name)
{
    static unsigned char text[100000];
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_applied applied;
    struct sf_ops ops;
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add_set(&ops, sf_span_text(name), sf_span_of(text, sizeof text)), SF_OK);
    struct sf_l1_change large = sf_test_change(&ops, SF_TEST_NOW);
    large.max_bytes = sizeof text + 1000;
    ck_assert_int_eq(sf_l1_apply(l1, &key, &large, NULL, &applied), SF_OK);
    sf_ops_fini(&ops);
}

START_TEST(test_what_the_cache_has_no_room_for_is_merged_again_later)
{
    struct sf_test_cache there;
    struct sf_batch_writer *other;
    open_two_writers(&there, &other);
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    step();
    sf_test_hand_over(there.l1, cache.l1, 1);
    set_large_field(there.l1, "two");
    (void)sf_batch_writer_step(other, now);
    set_large_field(cache.l1, "three");
    sf_batch_writer_urge(writer);
    step();
    ck_assert_uint_gt(stored_version(1), sf_test_look(cache.l1, 1, "a").version);
    ck_assert_int_eq(sf_test_set(there.l1, 1, "two", "small"), SF_OK);
    sf_batch_writer_urge(other);
    (void)sf_batch_writer_step(other, now);
    step();
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "two").text, "");
    now += SF_SECOND;
    step();
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "two").text, "small");
    ck_assert(sf_test_look(cache.l1, 1, "a").is_clean);
    sf_batch_writer_free(other);
    sf_test_cache_fini(&there);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("batch_writer_outages");
    TCase *tests = tcase_create("batch_writer_outages");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_outage_is_logged_once_and_so_is_its_end);
    tcase_add_test(tests, test_store_that_is_down_is_left_in_peace);
    tcase_add_test(tests, test_pause_ends_when_others_hear_from_the_store);
    tcase_add_test(tests, test_pauses_grow_to_ten_seconds);
    tcase_add_test(tests, test_nothing_is_called_stored_in_an_outage);
    tcase_add_test(tests, test_uncertain_batch_is_repeated);
    tcase_add_test(tests, test_refused_record_does_not_hold_up_the_others);
    tcase_add_test(tests, test_what_waits_for_one_server_does_not_hold_up_the_others);
    tcase_add_test(tests, test_refused_record_comes_back_after_its_pause_without_a_word);
    tcase_add_loop_test(tests, test_change_of_what_the_store_has_lost_is_merged, BEFORE, LATE + 1);
    tcase_add_test(tests, test_what_the_cache_has_no_room_for_is_merged_again_later);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
