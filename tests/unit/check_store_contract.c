/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_store_contract.c - what every store promises, those of contract_case.h.
 */
#include "common/store/store.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"
#include "tests/unit/contract_case.h"

static enum sf_status
write_one(struct sf_write write)
{
    enum sf_status worst = store->ops->write(store, &write, 1, soon());
    ck_assert_int_eq(worst, write.status);
    return worst;
}

/* A record that says `text`; expires at `expires`. */
static enum sf_status
put(unsigned number, uint64_t version, const char *text, sf_time expires)
{
    struct sf_buffer record = sf_test_record(version, NULL, sf_span_text(text));
    struct sf_write write = sf_test_put(number, version, &record);
    write.expires = expires;
    enum sf_status status = write_one(write);
    sf_buffer_fini(&record);
    return status;
}

static enum sf_status
load(unsigned number)
{
    struct sf_key key = sf_test_key(number);
    return sf_store_load_one(store, &key, soon(), &stored);
}

static void
assert_loads(unsigned number, struct sf_span expected)
{
    struct sf_value value;
    ck_assert_int_eq(load(number), SF_OK);
    ck_assert_int_eq(sf_record_check(sf_buffer_span(&stored.record)), SF_OK);
    ck_assert_int_eq(sf_record_find(&value, sf_buffer_span(&stored.record), sf_span_text("value")),
                     SF_OK);
    ck_assert(sf_span_equal(value.bytes, expected));
}

static void
assert_loads_text(unsigned number, const char *expected)
{
    assert_loads(number, sf_span_text(expected));
}

/* Where `time`, counted from the beginning of the test, is; a store that drops rows by itself knows the year. */
static sf_time
at(sf_time time)
{
    return (store->ops->flags & SF_STORE_EXPIRES) != 0 ? sf_clock_wall() + time : time;
}

/* Expired for everybody. */
static sf_time
long_ago(void)
{
    return (store->ops->flags & SF_STORE_EXPIRES) != 0 ? sf_clock_wall() - SF_HOUR : 2000;
}

static bool
drops_rows(void)
{
    return (store->ops->flags & SF_STORE_EXPIRES) != 0;
}

/* How many; 0 of a store that drops them by itself. */
static size_t
sweep(sf_time now, size_t limit)
{
    size_t removed = 0;
    if (store->ops->sweep == NULL)
        ck_assert(drops_rows());
    else
        ck_assert_int_eq(store->ops->sweep(store, now, limit, soon(), &removed), SF_OK);
    return removed;
}

/* ---- loading and writing ---- */

START_TEST(test_load_of_what_never_was_is_not_found)
{
    open_store(_i);
    ck_assert_int_eq(load(1), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_load_gives_what_was_put)
{
    open_store(_i);
    ck_assert_int_eq(put(1, 1, "hello", 0), SF_OK);
    assert_loads_text(1, "hello");
    ck_assert_int_eq(stored.last_access, 1000);
    ck_assert_int_eq(load(2), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_later_version_replaces)
{
    open_store(_i);
    ck_assert_int_eq(put(1, 1, "one", 0), SF_OK);
    ck_assert_int_eq(put(1, 5, "five", 0), SF_OK);
    assert_loads_text(1, "five");
}
END_TEST

START_TEST(test_older_version_is_ok_and_changes_nothing)
{
    open_store(_i);
    ck_assert_int_eq(put(1, 5, "five", 0), SF_OK);
    ck_assert_int_eq(put(1, 4, "four", 0), SF_OK);
    assert_loads_text(1, "five");
}
END_TEST

START_TEST(test_same_version_again_is_harmless)
{
    open_store(_i);
    ck_assert_int_eq(put(1, 5, "five", 0), SF_OK);
    ck_assert_int_eq(put(1, 5, "again", 0), SF_OK);
    assert_loads_text(1, "five");
}
END_TEST

/* Of several in one batch, each for itself. */
START_TEST(test_put_says_whether_the_store_had_it)
{
    open_store(_i);
    struct sf_buffer five = sf_test_record(5, NULL, sf_span_text("five"));
    struct sf_buffer six = sf_test_record(6, NULL, sf_span_text("six"));
    ck_assert_int_eq(put(2, 5, "five", 0), SF_OK);
    ck_assert_int_eq(put(3, 5, "five", 0), SF_OK);
    struct sf_write writes[] = {sf_test_put(1, 5, &five), sf_test_put(2, 5, &five), sf_test_put(3, 6, &six)};
    writes[1].is_news = true;
    ck_assert_int_eq(store->ops->write(store, writes, 3, soon()), SF_OK);
    ck_assert(writes[0].is_news);
    ck_assert(!writes[1].is_news);
    ck_assert(writes[2].is_news);
    sf_buffer_fini(&five);
    sf_buffer_fini(&six);
}
END_TEST

START_TEST(test_incarnation_stays_while_nothing_happens)
{
    open_store(_i);
    uint64_t attached = sf_store_incarnation(store);
    ck_assert_int_eq(put(1, 5, "five", 0), SF_OK);
    assert_loads_text(1, "five");
    ck_assert_uint_eq(sf_store_incarnation(store), attached);
    ck_assert((store->ops->incarnation == NULL) == (attached == 0));
}
END_TEST

/* In one batch, so that what is told apart is the single write. */
START_TEST(test_expected_version_is_of_one_incarnation)
{
    open_store(_i);
    uint64_t current = sf_store_incarnation(store);
    if (current == 0)
        return; /* it is never another one */
    struct sf_buffer five = sf_test_record(5, NULL, sf_span_text("five"));
    struct sf_buffer six = sf_test_record(6, NULL, sf_span_text("six"));
    for (unsigned i = 1; i <= 3; i++)
        ck_assert_int_eq(put(i, 5, "five", 0), SF_OK);
    struct sf_write writes[] = {sf_test_put(1, 6, &six), sf_test_put(2, 6, &six), sf_test_put(3, 6, &six),
                                sf_test_put(4, 5, &five)};
    writes[0].expected = writes[1].expected = 5;
    writes[3].expected = SF_EXPECTED_NONE;
    for (int i = 0; i < 4; i++)
        writes[i].of_store = current + (i != 1);
    ck_assert_int_eq(store->ops->write(store, writes, 4, soon()), SF_CONFLICT);
    ck_assert_int_eq(writes[0].status, SF_CONFLICT);
    assert_loads_text(1, "five");
    assert_loads_text(2, "six");
    assert_loads_text(3, "six");
    assert_loads_text(4, "five");
    sf_buffer_fini(&five);
    sf_buffer_fini(&six);
}
END_TEST

START_TEST(test_two_versions_in_one_batch_leave_the_later)
{
    open_store(_i);
    struct sf_buffer one = sf_test_record(1, NULL, sf_span_text("one"));
    struct sf_buffer two = sf_test_record(2, NULL, sf_span_text("two"));
    struct sf_write writes[] = {sf_test_put(7, 2, &two), sf_test_put(7, 1, &one)};
    ck_assert_int_eq(store->ops->write(store, writes, 2, soon()), SF_OK);
    assert_loads_text(7, "two");
    sf_buffer_fini(&one);
    sf_buffer_fini(&two);
}
END_TEST

/* Puts `version` where it expects `expected`. */
static enum sf_status
replace(unsigned number, uint64_t expected, uint64_t version, const char *text)
{
    struct sf_buffer record = sf_test_record(version, NULL, sf_span_text(text));
    struct sf_write write = sf_test_put(number, version, &record);
    write.expected = expected;
    enum sf_status status = write_one(write);
    sf_buffer_fini(&record);
    return status;
}

START_TEST(test_what_expects_a_version_replaces_no_other)
{
    open_store(_i);
    ck_assert_int_eq(replace(1, 3, 4, "nothing there"), SF_CONFLICT);
    ck_assert_int_eq(load(1), SF_NOT_FOUND);
    ck_assert_int_eq(put(1, 3, "three", 0), SF_OK);
    ck_assert_int_eq(replace(1, 2, 9, "late"), SF_CONFLICT);
    ck_assert_int_eq(replace(1, 4, 9, "early"), SF_CONFLICT);
    assert_loads_text(1, "three");
    ck_assert_int_eq(replace(1, 3, 7, "seven"), SF_OK);
    assert_loads_text(1, "seven");
    ck_assert_int_eq(replace(1, 3, 7, "seven again"), SF_CONFLICT);
    assert_loads_text(1, "seven");
}
END_TEST

START_TEST(test_what_expects_nothing_replaces_nothing)
{
    open_store(_i);
    ck_assert_int_eq(replace(1, SF_EXPECTED_NONE, 4, "four"), SF_OK);
    assert_loads_text(1, "four");
    ck_assert_int_eq(replace(1, SF_EXPECTED_NONE, 5, "five"), SF_CONFLICT);
    ck_assert_int_eq(replace(1, SF_EXPECTED_NONE, 4, "four again"), SF_CONFLICT);
    assert_loads_text(1, "four");
}
END_TEST

START_TEST(test_conflict_does_not_hold_up_the_others)
{
    open_store(_i);
    ck_assert_int_eq(put(1, 5, "five", 0), SF_OK);
    struct sf_buffer record = sf_test_record(6, NULL, sf_span_text("six"));
    ck_assert_int_eq(put(4, 5, "five", 0), SF_OK);
    struct sf_write writes[] = {sf_test_put(0, 6, &record), sf_test_put(1, 6, &record),
                                sf_test_put(2, 6, &record), sf_test_put(3, 6, &record),
                                sf_test_put(4, 6, &record)};
    writes[1].expected = 4;
    writes[3].expected = writes[4].expected = SF_EXPECTED_NONE;
    ck_assert_int_eq(store->ops->write(store, writes, 5, soon()), SF_CONFLICT);
    ck_assert_int_eq(writes[0].status, SF_OK);
    ck_assert_int_eq(writes[1].status, SF_CONFLICT);
    ck_assert_int_eq(writes[2].status, SF_OK);
    ck_assert_int_eq(writes[3].status, SF_OK);
    ck_assert_int_eq(writes[4].status, SF_CONFLICT);
    assert_loads_text(0, "six");
    assert_loads_text(1, "five");
    assert_loads_text(2, "six");
    assert_loads_text(3, "six");
    assert_loads_text(4, "five");
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_loads_at_once_have_an_answer_each)
{
    enum { WANTED = 100 };
    struct sf_stored found[WANTED];
    struct sf_load loads[WANTED];
    open_store(_i);
    for (unsigned i = 0; i < WANTED; i += 2)
        ck_assert_int_eq(put(i, i + 1, i % 4 == 0 ? "fourth" : "second", 0), SF_OK);
    for (unsigned i = 0; i < WANTED; i++) {
        sf_buffer_init(&found[i].record, SF_RECORD_BYTES_MAX);
        loads[i] = (struct sf_load){.key = sf_test_key(WANTED - 1 - i), .stored = &found[i]};
    }
    store->ops->load(store, loads, WANTED, soon());
    for (unsigned i = 0; i < WANTED; i++) {
        unsigned number = WANTED - 1 - i;
        struct sf_record_head head;
        ck_assert_int_eq(loads[i].status, number % 2 == 0 ? SF_OK : SF_NOT_FOUND);
        if (loads[i].status == SF_OK) {
            ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&found[i].record)), SF_OK);
            ck_assert_uint_eq(head.version, number + 1);
        }
        sf_buffer_fini(&found[i].record);
    }
}
END_TEST

START_TEST(test_empty_batch_is_ok)
{
    open_store(_i);
    ck_assert_int_eq(store->ops->write(store, NULL, 0, soon()), SF_OK);
}
END_TEST

START_TEST(test_bad_item_does_not_hold_up_the_others)
{
    open_store(_i);
    struct sf_buffer good = sf_test_record(1, NULL, sf_span_text("good"));
    struct sf_buffer bad;
    sf_buffer_init(&bad, 16);
    ck_assert_int_eq(sf_buffer_append_text(&bad, "no record"), SF_OK);
    struct sf_write writes[] = {sf_test_put(1, 1, &good), sf_test_put(2, 1, &bad),
                                sf_test_put(3, 1, &good)};
    ck_assert_int_eq(store->ops->write(store, writes, 3, soon()), SF_INVALID);
    ck_assert_int_eq(writes[0].status, SF_OK);
    ck_assert_int_eq(writes[1].status, SF_INVALID);
    ck_assert_int_eq(writes[2].status, SF_OK);
    assert_loads_text(1, "good");
    assert_loads_text(3, "good");
    ck_assert_int_eq(load(2), SF_NOT_FOUND);
    sf_buffer_fini(&good);
    sf_buffer_fini(&bad);
}
END_TEST

START_TEST(test_large_batch_is_written_whole)
{
    enum { ROWS = 1500 };
    open_store(_i);
    struct sf_buffer record = sf_test_record(1, NULL, sf_span_text("many"));
    struct sf_write *writes = calloc(ROWS, sizeof *writes);
    for (unsigned i = 0; i < ROWS; i++)
        writes[i] = sf_test_put(i, 1, &record);
    ck_assert_int_eq(store->ops->write(store, writes, ROWS, soon()), SF_OK);
    for (unsigned i = 0; i < ROWS; i += 100)
        assert_loads_text(i, "many");
    free(writes);
    sf_buffer_fini(&record);
}
END_TEST

static void
put_and_load_bytes(size_t size)
{
    unsigned char *bytes = malloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)i;
    struct sf_buffer record = sf_test_record(1, NULL, sf_span_of(bytes, size));
    ck_assert_int_eq(write_one(sf_test_put(1, 1, &record)), SF_OK);
    assert_loads(1, sf_span_of(bytes, size));
    ck_assert(sf_span_equal(sf_buffer_span(&stored.record), sf_buffer_span(&record)));
    sf_buffer_fini(&record);
    free(bytes);
}

START_TEST(test_every_byte_comes_back)
{
    open_store(_i);
    put_and_load_bytes(256);
}
END_TEST

START_TEST(test_record_of_64_kib)
{
    open_store(_i);
    put_and_load_bytes(65536);
}
END_TEST

START_TEST(test_record_of_almost_1_mib)
{
    open_store(_i);
    put_and_load_bytes(SF_RECORD_BYTES_MAX - 1024);
}
END_TEST

START_TEST(test_user_with_any_bytes)
{
    open_store(_i);
    struct sf_buffer record =
        sf_test_record(1, "o'brien \xff\xc3\x28 \"; DROP TABLE session; --", sf_span_text("x"));
    ck_assert_int_eq(write_one(sf_test_put(1, 1, &record)), SF_OK);
    assert_loads_text(1, "x");
    sf_buffer_fini(&record);
}
END_TEST

/* ---- touches ---- */

START_TEST(test_touch_moves_the_last_access_forward_only)
{
    open_store(_i);
    ck_assert_int_eq(put(1, 1, "x", 0), SF_OK);
    ck_assert_int_eq(write_one(sf_test_touch(1, 5000, 0)), SF_OK);
    ck_assert_int_eq(load(1), SF_OK);
    ck_assert_int_eq(stored.last_access, 5000);
    ck_assert_int_eq(write_one(sf_test_touch(1, 4000, 0)), SF_OK);
    ck_assert_int_eq(load(1), SF_OK);
    ck_assert_int_eq(stored.last_access, 5000);
}
END_TEST

START_TEST(test_touch_of_a_missing_row_is_not_found)
{
    open_store(_i);
    ck_assert_int_eq(write_one(sf_test_touch(1, 5000, 0)), SF_NOT_FOUND);
    ck_assert_int_eq(load(1), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_put_keeps_a_later_touch)
{
    open_store(_i);
    ck_assert_int_eq(put(1, 1, "x", 0), SF_OK);
    ck_assert_int_eq(write_one(sf_test_touch(1, 5000, 0)), SF_OK);
    ck_assert_int_eq(put(1, 2, "y", 0), SF_OK);
    assert_loads_text(1, "y");
    ck_assert_int_eq(stored.last_access, 5000);
}
END_TEST

/* Put over version 1, either way. */
static enum sf_status
put_over(bool expects, const struct sf_buffer *record, sf_time last_access, sf_time expires)
{
    struct sf_write write = sf_test_put(1, 2, record);
    write.last_access = last_access;
    write.expires = expires;
    write.expected = expects ? 1 : 0;
    return write_one(write);
}

/* Of another host, on which nobody has used the session meanwhile. `until` 0: never. */
static void
assert_late_put_keeps(bool expects, sf_time until)
{
    struct sf_buffer record = sf_test_record(2, NULL, sf_span_text("late"));
    ck_assert_int_eq(put(1, 1, "early", at(3000)), SF_OK);
    ck_assert_int_eq(write_one(sf_test_touch(1, 5000, until)), SF_OK);
    ck_assert_int_eq(put_over(expects, &record, 4000, long_ago()), SF_OK);
    ck_assert_uint_eq(sweep(80000, 10), 0);
    assert_loads_text(1, "late");
    ck_assert_int_eq(stored.last_access, 5000);
    sf_buffer_fini(&record);
}

START_TEST(test_late_put_makes_no_life_shorter)
{
    open_store(_i / 2);
    assert_late_put_keeps(_i % 2 == 1, at(90000));
}
END_TEST

START_TEST(test_late_put_ends_no_life_without_end)
{
    open_store(_i / 2);
    assert_late_put_keeps(_i % 2 == 1, 0);
}
END_TEST

START_TEST(test_late_put_that_lives_longer_does)
{
    open_store(_i / 2);
    struct sf_buffer record = sf_test_record(2, NULL, sf_span_text("late"));
    ck_assert_int_eq(put(1, 1, "early", at(3000)), SF_OK);
    ck_assert_int_eq(write_one(sf_test_touch(1, 5000, at(7000))), SF_OK);
    ck_assert_int_eq(put_over(_i % 2 == 1, &record, 4000, 0), SF_OK);
    ck_assert_uint_eq(sweep(80000, 10), 0);
    assert_loads_text(1, "late");
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_end_and_later_access_set_the_time_to_go)
{
    open_store(_i / 2);
    struct sf_buffer alive = sf_test_record(2, NULL, sf_span_text("later"));
    struct sf_buffer ended = sf_test_tombstone(2, at(9000));
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(put(1, 1, "early", at(3000)), SF_OK);
        ck_assert_int_eq(write_one(sf_test_touch(1, 5000, 0)), SF_OK);
        ck_assert_int_eq(put_over(_i % 2 == 1, i == 0 ? &alive : &ended, i == 0 ? 5000 : 4000, long_ago()), SF_OK);
        ck_assert_uint_eq(sweep(80000, 10), drops_rows() ? 0 : 1);
        ck_assert_int_eq(load(1), SF_NOT_FOUND);
    }
    sf_buffer_fini(&alive);
    sf_buffer_fini(&ended);
}
END_TEST

START_TEST(test_touch_of_a_tombstone_changes_nothing)
{
    open_store(_i);
    struct sf_buffer ended = sf_test_tombstone(2, at(9000));
    struct sf_write write = sf_test_put(1, 2, &ended);
    write.expires = at(9000);
    ck_assert_int_eq(write_one(write), SF_OK);
    ck_assert_int_eq(write_one(sf_test_touch(1, 5000, long_ago())), SF_OK);
    ck_assert_uint_eq(sweep(7000, 10), 0);
    ck_assert_int_eq(load(1), SF_OK);
    ck_assert_int_eq(stored.last_access, 1000);
    sf_buffer_fini(&ended);
}
END_TEST

START_TEST(test_tombstone_is_kept_and_loaded)
{
    struct sf_record_head head;
    open_store(_i);
    ck_assert_int_eq(put(1, 1, "alive", 0), SF_OK);
    struct sf_buffer ended = sf_test_tombstone(2, 9000);
    ck_assert_int_eq(write_one(sf_test_put(1, 2, &ended)), SF_OK);
    ck_assert_int_eq(put(1, 1, "late", 0), SF_OK);
    ck_assert_int_eq(load(1), SF_OK);
    ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&stored.record)), SF_OK);
    ck_assert_int_eq(head.kind, SF_RECORD_ENDED);
    ck_assert_int_eq(head.end_reason, SF_END_LOGOUT);
    sf_buffer_fini(&ended);
}
END_TEST

/* ---- expiry ---- */

START_TEST(test_sweep_removes_what_expired_and_nothing_else)
{
    open_store(_i);
    ck_assert_int_eq(put(1, 1, "expired", long_ago()), SF_OK);
    ck_assert_int_eq(put(2, 1, "now", at(3000)), SF_OK);
    ck_assert_int_eq(put(3, 1, "later", at(9000)), SF_OK);
    ck_assert_int_eq(put(4, 1, "never", 0), SF_OK);
    ck_assert_uint_eq(sweep(3000, 10), drops_rows() ? 0 : 1);
    ck_assert_int_eq(load(1), SF_NOT_FOUND);
    assert_loads_text(2, "now");
    assert_loads_text(3, "later");
    assert_loads_text(4, "never");
}
END_TEST

START_TEST(test_sweep_stops_at_its_limit_and_goes_on_next_time)
{
    open_store(_i);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_int_eq(put(i, 1, "expired", long_ago()), SF_OK);
    ck_assert_uint_eq(sweep(3000, 3), drops_rows() ? 0 : 3);
    ck_assert_uint_eq(sweep(3000, 3), drops_rows() ? 0 : 2);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_int_eq(load(i), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_row_that_was_refreshed_is_not_swept)
{
    open_store(_i);
    ck_assert_int_eq(put(1, 1, "touched", at(2000)), SF_OK);
    ck_assert_int_eq(write_one(sf_test_touch(1, 1500, at(9000))), SF_OK);
    ck_assert_int_eq(put(2, 1, "changed", at(2000)), SF_OK);
    ck_assert_int_eq(put(2, 2, "changed", at(9000)), SF_OK);
    ck_assert_uint_eq(sweep(3000, 10), 0);
    ck_assert_int_eq(load(1), SF_OK);
    ck_assert_int_eq(load(2), SF_OK);
}
END_TEST

/* Some cache may know of an access that the store has not heard of. */
START_TEST(test_expired_row_is_loaded_as_it_is)
{
    open_store(_i);
    bool drops_it = (store->ops->flags & SF_STORE_EXPIRES) != 0;
    ck_assert_int_eq(put(1, 1, "expired", drops_it ? sf_clock_wall() - SF_MINUTE : 1), SF_OK);
    assert_loads_text(1, "expired");
}
END_TEST

/* ---- scanning ---- */

struct seen {
    unsigned numbers[16];
    size_t count, stop_at;
};

static bool
note(void *context, const struct sf_key *key, const struct sf_stored *row)
{
    struct seen *seen = context;
    ck_assert_int_eq(sf_record_check(sf_buffer_span(&row->record)), SF_OK);
    ck_assert_uint_lt(seen->count, 16);
    seen->numbers[seen->count++] = key->bytes[3];
    return seen->count != seen->stop_at;
}

static enum sf_status
scan(const struct sf_key *after, const char *user, size_t limit, struct seen *seen)
{
    sf_time deadline = soon();
    enum sf_status status;
    do
        status = store->ops->scan(store, after, sf_span_text(user), limit, deadline, note, seen);
    while (status == SF_FULL);
    return status;
}

static void
assert_scan(const unsigned *after, const char *user, size_t limit, const char *expected)
{
    struct seen seen = {.count = 0};
    struct sf_key key;
    if (after != NULL)
        key = sf_test_key(*after);
    ck_assert_int_eq(scan(after == NULL ? NULL : &key, user, limit, &seen), SF_OK);
    char found[64] = "";
    for (size_t i = 0; i < seen.count; i++)
        found[i] = (char)('0' + seen.numbers[i]);
    ck_assert_str_eq(found, expected);
}

static void
fill_for_scan(void)
{
    static const unsigned order[] = {5, 2, 9, 1, 7};
    for (size_t i = 0; i < 5; i++) {
        struct sf_buffer record =
            sf_test_record(1, order[i] > 4 ? "alice" : NULL, sf_span_text("x"));
        ck_assert_int_eq(write_one(sf_test_put(order[i], 1, &record)), SF_OK);
        sf_buffer_fini(&record);
    }
}

START_TEST(test_scan_goes_in_key_order)
{
    open_store(_i);
    assert_scan(NULL, NULL, 10, "");
    fill_for_scan();
    assert_scan(NULL, NULL, 10, "12579");
    assert_scan(NULL, NULL, 2, "12");
    assert_scan(NULL, NULL, 0, "");
}
END_TEST

START_TEST(test_scan_goes_on_behind_a_key)
{
    open_store(_i);
    fill_for_scan();
    assert_scan(NULL, NULL, 1, "1");
    assert_scan(&(unsigned){2}, NULL, 2, "57");
    assert_scan(&(unsigned){3}, NULL, 10, "579");
    assert_scan(&(unsigned){9}, NULL, 10, "");
}
END_TEST

START_TEST(test_scan_of_one_user)
{
    open_store(_i);
    fill_for_scan();
    assert_scan(NULL, "alice", 10, "579");
    assert_scan(&(unsigned){5}, "alice", 1, "7");
    assert_scan(NULL, "alic", 10, "");
}
END_TEST

START_TEST(test_scan_ends_when_its_visitor_has_enough)
{
    open_store(_i);
    fill_for_scan();
    struct seen seen = {.stop_at = 2};
    ck_assert_int_eq(scan(NULL, NULL, 10, &seen), SF_OK);
    ck_assert_uint_eq(seen.count, 2);
    assert_scan(NULL, NULL, 10, "12579");
}
END_TEST

/* ---- two threads, time ---- */

static atomic_bool is_done;

static void *
write_for_a_while(void *unused)
{
    (void)unused;
    for (uint64_t version = 2; version < 60; version++)
        if (put(1, version, "written meanwhile", 0) != SF_OK)
            abort();
    atomic_store(&is_done, true);
    return NULL;
}

START_TEST(test_loads_go_on_during_writes)
{
    pthread_t writer;
    open_store(_i);
    ck_assert_int_eq(put(1, 1, "written meanwhile", 0), SF_OK);
    atomic_store(&is_done, false);
    ck_assert_int_eq(pthread_create(&writer, NULL, write_for_a_while, NULL), 0);
    do
        assert_loads_text(1, "written meanwhile");
    while (!atomic_load(&is_done));
    pthread_join(writer, NULL);
    struct sf_record_head head;
    ck_assert_int_eq(load(1), SF_OK);
    ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&stored.record)), SF_OK);
    ck_assert_uint_eq(head.version, 59);
}
END_TEST

START_TEST(test_deadline_in_the_past_is_never_a_not_found)
{
    open_store(_i);
    ck_assert_int_eq(put(1, 1, "here", 0), SF_OK);
    struct sf_key key = sf_test_key(1);
    enum sf_status status = sf_store_load_one(store, &key, sf_clock_steady() - 1, &stored);
    ck_assert(status == SF_OK || status == SF_UNAVAILABLE);
    struct sf_buffer record = sf_test_record(2, NULL, sf_span_text("late"));
    struct sf_write write = sf_test_put(1, 2, &record);
    status = store->ops->write(store, &write, 1, sf_clock_steady() - 1);
    ck_assert_int_eq(status, write.status);
    ck_assert(status == SF_OK || status == SF_UNAVAILABLE);
    assert_loads_text(1, status == SF_OK ? "late" : "here");
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_nothing_went_wrong_nothing_to_explain)
{
    struct sf_error error;
    open_store(_i);
    ck_assert_int_eq(load(1), SF_NOT_FOUND);
    store->ops->explain(store, &error);
    ck_assert_str_eq(error.text, "");
}
END_TEST

static Suite *
make_suite(void)
{
    find_urls();
    Suite *suite = suite_create("store_contract");
    TCase *each = tcase_create("each_store");
    tcase_set_timeout(each, 60);
    tcase_add_checked_fixture(each, set_up, tear_down);
    tcase_add_loop_test(each, test_load_of_what_never_was_is_not_found, 0, stores);
    tcase_add_loop_test(each, test_load_gives_what_was_put, 0, stores);
    tcase_add_loop_test(each, test_later_version_replaces, 0, stores);
    tcase_add_loop_test(each, test_older_version_is_ok_and_changes_nothing, 0, stores);
    tcase_add_loop_test(each, test_same_version_again_is_harmless, 0, stores);
    tcase_add_loop_test(each, test_put_says_whether_the_store_had_it, 0, stores);
    tcase_add_loop_test(each, test_incarnation_stays_while_nothing_happens, 0, stores);
    tcase_add_loop_test(each, test_expected_version_is_of_one_incarnation, 0, stores);
    tcase_add_loop_test(each, test_two_versions_in_one_batch_leave_the_later, 0, stores);
    tcase_add_loop_test(each, test_what_expects_a_version_replaces_no_other, 0, stores);
    tcase_add_loop_test(each, test_what_expects_nothing_replaces_nothing, 0, stores);
    tcase_add_loop_test(each, test_conflict_does_not_hold_up_the_others, 0, stores);
    tcase_add_loop_test(each, test_loads_at_once_have_an_answer_each, 0, stores);
    tcase_add_loop_test(each, test_empty_batch_is_ok, 0, stores);
    tcase_add_loop_test(each, test_bad_item_does_not_hold_up_the_others, 0, stores);
    tcase_add_loop_test(each, test_large_batch_is_written_whole, 0, stores);
    tcase_add_loop_test(each, test_every_byte_comes_back, 0, stores);
    tcase_add_loop_test(each, test_record_of_64_kib, 0, stores);
    tcase_add_loop_test(each, test_record_of_almost_1_mib, 0, stores);
    tcase_add_loop_test(each, test_user_with_any_bytes, 0, stores);
    tcase_add_loop_test(each, test_touch_moves_the_last_access_forward_only, 0, stores);
    tcase_add_loop_test(each, test_touch_of_a_missing_row_is_not_found, 0, stores);
    tcase_add_loop_test(each, test_put_keeps_a_later_touch, 0, stores);
    tcase_add_loop_test(each, test_late_put_makes_no_life_shorter, 0, 2 * stores);
    tcase_add_loop_test(each, test_late_put_ends_no_life_without_end, 0, 2 * stores);
    tcase_add_loop_test(each, test_late_put_that_lives_longer_does, 0, 2 * stores);
    tcase_add_loop_test(each, test_end_and_later_access_set_the_time_to_go, 0, 2 * stores);
    tcase_add_loop_test(each, test_touch_of_a_tombstone_changes_nothing, 0, stores);
    tcase_add_loop_test(each, test_tombstone_is_kept_and_loaded, 0, stores);
    tcase_add_loop_test(each, test_sweep_removes_what_expired_and_nothing_else, 0, stores);
    tcase_add_loop_test(each, test_sweep_stops_at_its_limit_and_goes_on_next_time, 0, stores);
    tcase_add_loop_test(each, test_row_that_was_refreshed_is_not_swept, 0, stores);
    tcase_add_loop_test(each, test_expired_row_is_loaded_as_it_is, 0, stores);
    tcase_add_loop_test(each, test_scan_goes_in_key_order, 0, stores);
    tcase_add_loop_test(each, test_scan_goes_on_behind_a_key, 0, stores);
    tcase_add_loop_test(each, test_scan_of_one_user, 0, stores);
    tcase_add_loop_test(each, test_scan_ends_when_its_visitor_has_enough, 0, stores);
    tcase_add_loop_test(each, test_loads_go_on_during_writes, 0, stores);
    tcase_add_loop_test(each, test_deadline_in_the_past_is_never_a_not_found, 0, stores);
    tcase_add_loop_test(each, test_nothing_went_wrong_nothing_to_explain, 0, stores);
    suite_add_tcase(suite, each);
    return suite;
}

int
main(void)
{
    return sf_run_suite(make_suite());
}
