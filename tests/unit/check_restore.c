/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/restore.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "common/session/user_epochs.h"
#include "common/store/store_shared.h"
#include "tests/support/kept_lines.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"
#include "tests/support/test_records.h"

#define SESSIONS 250 /* some batches */

static struct sf_test_cache cache;
static struct sf_restore restore;
static struct sf_store *store;
static struct sf_store_ops ops;   /* the store's, which tells what follows */
static uint64_t incarnation;
static int renewals;              /* of its connection */
static struct sf_kept_lines kept;
static sf_time now; /* steady */

static uint64_t
tell_incarnation(struct sf_store *of)
{
    (void)of;
    return incarnation;
}

static void
renew(struct sf_store *which)
{
    (void)which;
    renewals++;
}

static void
listen_to_store(void)
{
    ops = *store->ops;
    ops.incarnation = tell_incarnation;
    ops.renew = renew;
    store->ops = &ops;
    restore.store = store;
}

static void
open_store(const char *url)
{
    sf_store_close(store);
    ck_assert_int_eq(sf_store_open(&store, url, "/nowhere", NULL), SF_OK);
    listen_to_store();
}

/* A daemon begins; what an earlier one had in memory is gone. */
static void
begin_anew(void)
{
    restore = (struct sf_restore){.l1 = cache.l1, .store = store, .log = &kept.log, .horizon = SF_HOUR};
}

static void
set_up(void)
{
    sf_test_cache_init(&cache, 4 * SF_L1_BYTES_MIN);
    sf_kept_lines_init(&kept);
    store = NULL;
    renewals = 0;
    begin_anew();
    open_store("memory:one");
    sf_l1_set_store(cache.l1, 1);
    incarnation = 1;
    now = sf_clock_steady();
}

static void
tear_down(void)
{
    sf_store_close(store);
    sf_test_cache_fini(&cache);
}

static sf_time
step(void)
{
    now += SF_SECOND;
    return sf_restore_step(&restore, now, SF_TEST_NOW);
}

static void
run(void)
{
    while (step() != INT64_MAX)
        continue;
}

/* Sessions that the store has called stored. */
static void
have_sessions(uint64_t count)
{
    for (uint64_t number = 0; number < count; number++)
        ck_assert_int_eq(sf_test_create(cache.l1, number, "a", "b"), SF_OK);
    ck_assert_uint_eq(sf_test_settle_all(cache.l1), count);
}

/* Version 0: none. */
static struct sf_record_head
stored_head(uint64_t number)
{
    struct sf_stored stored;
    struct sf_record_head head = {.version = 0};
    struct sf_key key = sf_test_cache_key(number);
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    if (sf_store_load_one(store, &key, now, &stored) == SF_OK)
        ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&stored.record)), SF_OK);
    sf_buffer_fini(&stored.record);
    return head;
}

static uint64_t
stored_version(uint64_t number)
{
    return stored_head(number).version;
}

static void
put_row(uint64_t number, uint64_t version)
{
    struct sf_buffer record = sf_test_record(version, NULL, sf_span_text("x"));
    struct sf_write write = sf_test_put(0, version, &record);
    write.key = sf_test_cache_key(number);
    ck_assert_int_eq(store->ops->write(store, &write, 1, now), SF_OK);
    sf_buffer_fini(&record);
}

static uint64_t
stored_sessions(void)
{
    uint64_t found = 0;
    for (uint64_t number = 0; number < SESSIONS; number++)
        found += stored_version(number) != 0;
    return found;
}

START_TEST(test_same_store_is_left_alone)
{
    have_sessions(3);
    ck_assert_int_eq(step(), INT64_MAX);
    ck_assert_int_eq(renewals, 0);
    ck_assert_uint_eq(stored_version(0), 0);
    ck_assert_int_eq(kept.count, 0);
}
END_TEST

START_TEST(test_cache_that_knows_no_store_takes_over_the_first)
{
    have_sessions(3);
    sf_l1_set_store(cache.l1, 0);
    incarnation = 0;
    ck_assert_int_eq(step(), INT64_MAX);
    ck_assert_uint_eq(sf_l1_store(cache.l1), 0);
    incarnation = 7;
    ck_assert_int_eq(step(), INT64_MAX);
    ck_assert_uint_eq(sf_l1_store(cache.l1), 7);
    ck_assert_uint_eq(stored_version(0), 0);
}
END_TEST

START_TEST(test_emptied_store_gets_everything_again)
{
    have_sessions(SESSIONS);
    incarnation = 2;
    run();
    ck_assert_uint_eq(stored_sessions(), SESSIONS);
    ck_assert_uint_eq(sf_l1_store(cache.l1), 2);
    ck_assert_int_eq(renewals, 1);
    ck_assert_uint_eq(restore.runs, 1);
    ck_assert_uint_eq(restore.put_ever, SESSIONS);
    ck_assert_uint_eq(restore.news_ever, SESSIONS);
    ck_assert_int_eq(kept.count, 1);
    ck_assert_ptr_nonnull(strstr(kept.lines[0], "SF0207: "));
    ck_assert_ptr_nonnull(strstr(kept.lines[0], "250 sessions put again, 250 of them"));
    ck_assert_int_eq(step(), INT64_MAX);
    ck_assert_uint_eq(restore.runs, 1);
}
END_TEST

START_TEST(test_store_that_has_it_all_changes_nothing)
{
    have_sessions(3);
    for (uint64_t number = 0; number < 3; number++)
        put_row(number, number == 2 ? 9 : 1);
    incarnation = 2;
    run();
    ck_assert_uint_eq(restore.put_ever, 3);
    ck_assert_uint_eq(restore.news_ever, 0);
    ck_assert_uint_eq(stored_version(2), 9);
}
END_TEST

START_TEST(test_older_snapshot_is_brought_up_to_date)
{
    have_sessions(2);
    for (uint64_t number = 0; number < 2; number++)
        put_row(number, 1);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "a", "c"), SF_OK);
    sf_test_settle_all(cache.l1);
    incarnation = 2;
    run();
    ck_assert_uint_eq(stored_version(1), 2);
    ck_assert_uint_eq(restore.news_ever, 1);
}
END_TEST

START_TEST(test_tombstones_are_put_again)
{
    have_sessions(1);
    put_row(0, 1);
    ck_assert_int_eq(sf_test_end(cache.l1, 0), SF_OK);
    sf_test_settle_all(cache.l1);
    incarnation = 2;
    restore.is_shared = true;
    restore.horizon = -SF_HOUR;
    run();
    ck_assert_uint_eq(stored_version(0), 2);
}
END_TEST

START_TEST(test_what_waits_is_left_to_the_writer)
{
    have_sessions(2);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "a", "c"), SF_OK);
    incarnation = 2;
    run();
    ck_assert_uint_eq(stored_version(0), 1);
    ck_assert_uint_eq(stored_version(1), 0);
}
END_TEST

START_TEST(test_what_the_journal_has_is_put_again_too)
{
    struct sf_l1_cursor cursor = {.hint = 0};
    struct sf_l1_dirty item = {.dirty_since = 0};
    have_sessions(2);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "a", "c"), SF_OK);
    ck_assert_uint_eq(sf_l1_dirty_take(cache.l1, &cursor, &item, 1), 1);
    sf_l1_settle_journalled(cache.l1, &item.ticket, now);
    sf_l1_dirty_fini(&item, 1);
    incarnation = 2;
    run();
    ck_assert_uint_eq(stored_version(0), 1);
    ck_assert_uint_eq(stored_version(1), 2);
}
END_TEST

START_TEST(test_expired_sessions_are_not_worth_it)
{
    have_sessions(1);
    incarnation = 2;
    while (sf_restore_step(&restore, now, SF_TEST_NOW + SF_DAY) != INT64_MAX)
        continue;
    ck_assert_uint_eq(stored_version(0), 0);
    ck_assert_uint_eq(restore.runs, 1);
}
END_TEST

/* Another host may have ended it, and the store forgotten that it did. */
START_TEST(test_what_a_shared_store_has_not_confirmed_for_long_stays_away)
{
    have_sessions(1);
    incarnation = 2;
    restore.is_shared = true;
    restore.horizon = -SF_HOUR;
    run();
    ck_assert_uint_eq(stored_version(0), 0);
    incarnation = 3;
    restore.horizon = SF_HOUR;
    run();
    ck_assert_uint_eq(stored_version(0), 1);
}
END_TEST

/* The cache has a row of epochs that this many users were logged out in. */
static void
have_epochs(unsigned row, int users)
{
    struct sf_key key = sf_user_epochs_key(row);
    struct sf_buffer records[2];
    struct sf_l1_question question;
    size_t passed_over;
    sf_buffer_init(&records[0], SF_RECORD_BYTES_MAX);
    sf_buffer_init(&records[1], SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_user_epochs_first(&records[0]), SF_OK);
    for (int i = 0; i < users; i++) {
        const struct sf_user_epochs_change change = {
            .step = SF_EPOCHS_END_USER, .user = sf_span_text("alice"), .now = SF_TEST_NOW};
        ck_assert_int_eq(sf_user_epochs_change(&records[1], &passed_over, sf_buffer_span(&records[0]), &change), SF_OK);
        struct sf_buffer former = records[0];
        records[0] = records[1];
        records[1] = former;
    }
    const struct sf_l1_answer answer = {.record = sf_buffer_span(&records[0])};
    sf_l1_ask(cache.l1, &key, &question);
    ck_assert_int_eq(sf_l1_confirm(cache.l1, &key, &answer, &question), SF_OK);
    sf_buffer_fini(&records[0]);
    sf_buffer_fini(&records[1]);
}

/* But for a row that the store never had. */
START_TEST(test_who_was_logged_out_everywhere_is_told_however_long_ago)
{
    struct sf_stored stored;
    struct sf_key key = sf_user_epochs_key(1), none = sf_user_epochs_key(2);
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    have_epochs(1, 3);
    have_epochs(2, 0);
    incarnation = 2;
    restore.is_shared = true;
    restore.horizon = -SF_HOUR;
    run();
    ck_assert_int_eq(sf_store_load_one(store, &key, now, &stored), SF_OK);
    ck_assert_int_eq(sf_store_load_one(store, &none, now, &stored), SF_NOT_FOUND);
    ck_assert_uint_eq(restore.news_ever, 1);
    sf_buffer_fini(&stored.record);
}
END_TEST

START_TEST(test_failed_batch_is_repeated_after_a_pause)
{
    have_sessions(SESSIONS);
    open_store("fail:write=OK+UNAVAILABLE*2+OK");
    incarnation = 2;
    (void)step();
    sf_time pause = step() - now;
    ck_assert_int_eq(pause, 250);
    ck_assert_int_eq(step() - now, 500);
    ck_assert_uint_eq(sf_l1_store(cache.l1), 1);
    run();
    ck_assert_uint_eq(stored_sessions(), SESSIONS);
    ck_assert_uint_eq(restore.put_ever, SESSIONS);
}
END_TEST

START_TEST(test_refused_record_holds_up_nothing)
{
    have_sessions(3);
    char url[64], key[SF_KEY_TEXT + 1];
    struct sf_key refused = sf_test_cache_key(1);
    sf_key_format(&refused, key);
    snprintf(url, sizeof url, "fail:refuse=%s", key);
    open_store(url);
    incarnation = 2;
    run();
    ck_assert_uint_eq(stored_version(0), 1);
    ck_assert_uint_eq(stored_version(1), 0);
    ck_assert_uint_eq(restore.put_ever, 2);
}
END_TEST

START_TEST(test_another_restart_in_the_middle_begins_again)
{
    have_sessions(SESSIONS);
    incarnation = 2;
    (void)step();
    (void)step();
    ck_assert_uint_eq(stored_sessions(), 2 * SF_RESTORE_BATCH);
    open_store("memory:another");
    incarnation = 3;
    run();
    ck_assert_uint_eq(stored_sessions(), SESSIONS);
    ck_assert_uint_eq(sf_l1_store(cache.l1), 3);
    ck_assert_int_eq(kept.count, 1);
}
END_TEST

START_TEST(test_successor_of_a_killed_daemon_begins_again)
{
    have_sessions(SESSIONS);
    incarnation = 2;
    (void)step();
    begin_anew();
    run();
    ck_assert_uint_eq(stored_sessions(), SESSIONS);
    ck_assert_uint_eq(restore.put_ever, SESSIONS);
    ck_assert_uint_eq(restore.news_ever, SESSIONS - SF_RESTORE_BATCH);
}
END_TEST

START_TEST(test_back_to_the_store_that_it_knows_nothing_is_to_be_done)
{
    have_sessions(SESSIONS);
    incarnation = 2;
    (void)step();
    incarnation = 1;
    ck_assert_int_eq(step(), INT64_MAX);
    ck_assert(!sf_restore_doubts(&restore, true, now));
    ck_assert_int_eq(kept.count, 0);
}
END_TEST

START_TEST(test_what_is_not_there_yet_is_not_called_missing)
{
    have_sessions(SESSIONS);
    ck_assert(!sf_restore_doubts(&restore, true, now));
    incarnation = 2;
    ck_assert(sf_restore_doubts(&restore, false, now)); /* before the writer has seen it, too */
    (void)step();
    ck_assert(sf_restore_doubts(&restore, false, now + SF_RESTORE_GRACE - 1));
    ck_assert(!sf_restore_doubts(&restore, false, now + SF_RESTORE_GRACE));
    ck_assert(sf_restore_doubts(&restore, true, now + SF_RESTORE_GRACE));
    run();
    ck_assert(!sf_restore_doubts(&restore, true, now));
}
END_TEST

START_TEST(test_other_hosts_are_waited_for_when_something_was_missing)
{
    have_sessions(1);
    restore.is_shared = true;
    incarnation = 2;
    sf_time began = now + SF_SECOND;
    run();
    ck_assert(sf_restore_doubts(&restore, false, began + SF_RESTORE_GRACE - 1));
    ck_assert(!sf_restore_doubts(&restore, false, began + SF_RESTORE_GRACE));
    incarnation = 3;
    run(); /* now nothing is missing */
    ck_assert(!sf_restore_doubts(&restore, false, now));
}
END_TEST

/* ---- other hosts ---- */

static struct sf_test_cache there; /* of another host */

/* As its daemon does it, but for taking back what was merged. */
static void
store_what_waits(struct sf_l1 *l1)
{
    struct sf_l1_cursor cursor = {.hint = 0};
    struct sf_l1_dirty item = {.dirty_since = 0};
    struct sf_record_head head;
    ck_assert_uint_eq(sf_l1_dirty_take(l1, &cursor, &item, 1), 1);
    ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&item.record)), SF_OK);
    struct sf_write write = sf_test_put(0, head.version, &item.record);
    write.key = item.key;
    ck_assert_int_eq(store->ops->write(store, &write, 1, sf_clock_steady() + SF_MINUTE), SF_OK);
    sf_l1_settle(l1, &item.ticket, sf_clock_steady());
    sf_l1_dirty_fini(&item, 1);
}

/* Both have session 0, in the same version, and so has the store that they share. */
static void
share(void)
{
    sf_test_cache_init(&there, 4 * SF_L1_BYTES_MIN);
    sf_l1_set_shared(cache.l1, true);
    sf_l1_set_shared(there.l1, true);
    sf_store_close(store);
    ck_assert_int_eq(sf_store_open(&store, "memory:shared", "/nowhere", NULL), SF_OK);
    ck_assert_int_eq(sf_store_share(&store, store, NULL, NULL), SF_OK);
    listen_to_store();
    restore.is_shared = true;
    ck_assert_int_eq(sf_test_create(cache.l1, 0, "a", "b"), SF_OK);
    store_what_waits(cache.l1);
    sf_test_hand_over(there.l1, cache.l1, 0);
}

/* The store has it, and loses it. */
static void
set_and_lose(const char *name)
{
    ck_assert_int_eq(sf_test_set(cache.l1, 0, name, "lost"), SF_OK);
    ck_assert_uint_eq(sf_test_settle_all(cache.l1), 1);
}

static void
set_there(const char *name)
{
    ck_assert_int_eq(sf_test_set(there.l1, 0, name, "there"), SF_OK);
    store_what_waits(there.l1);
}

/* As its daemon does it. */
static void
load_there(void)
{
    struct sf_key key = sf_test_cache_key(0);
    struct sf_l1_question question;
    struct sf_stored stored;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    sf_l1_ask(there.l1, &key, &question);
    ck_assert_int_eq(sf_store_load_one(store, &key, sf_clock_steady() + SF_MINUTE, &stored), SF_OK);
    sf_l1_meet_store(there.l1, incarnation);
    const struct sf_l1_answer answer = {sf_buffer_span(&stored.record), stored.last_access, false};
    ck_assert_int_eq(sf_l1_confirm(there.l1, &key, &answer, &question), SF_OK);
    sf_buffer_fini(&stored.record);
}

/* Whichever of both versions is the later, or if they are the same. */
START_TEST(test_what_another_host_made_of_older_data_is_merged)
{
    share();
    set_and_lose("one");
    set_and_lose("two");
    for (int i = 0; i <= _i; i++)
        set_there(i == 0 ? "first" : "second");
    incarnation = 2;
    run();
    ck_assert_str_eq(sf_test_look(cache.l1, 0, "one").text, "lost");
    ck_assert_str_eq(sf_test_look(cache.l1, 0, "two").text, "lost");
    ck_assert_str_eq(sf_test_look(cache.l1, 0, "first").text, "there");
    ck_assert_str_eq(sf_test_look(cache.l1, 0, "second").text, _i == 0 ? "" : "there");
    ck_assert(sf_test_look(cache.l1, 0, "first").is_clean);
    ck_assert_uint_eq(stored_version(0), sf_test_look(cache.l1, 0, "a").version);
    ck_assert_uint_eq(restore.news_ever, 1);
    sf_test_cache_fini(&there);
}
END_TEST

START_TEST(test_who_was_logged_out_on_another_host_stays_so)
{
    share();
    set_and_lose("one");
    set_and_lose("two");
    ck_assert_int_eq(sf_test_end(there.l1, 0), SF_OK);
    store_what_waits(there.l1);
    incarnation = 2;
    run();
    ck_assert_int_eq(stored_head(0).kind, SF_RECORD_ENDED);
    sf_test_cache_fini(&there);
}
END_TEST

/* Though another host has gone on with the session since. */
START_TEST(test_who_was_logged_out_before_the_store_lost_it_stays_so)
{
    share();
    ck_assert_int_eq(sf_test_end(cache.l1, 0), SF_OK);
    ck_assert_uint_eq(sf_test_settle_all(cache.l1), 1);
    set_there("first");
    set_there("second");
    incarnation = 2;
    run();
    ck_assert_int_eq(stored_head(0).kind, SF_RECORD_ENDED);
    ck_assert_int_eq(sf_test_look(cache.l1, 0, "a").kind, SF_RECORD_ENDED);
    sf_test_cache_fini(&there);
}
END_TEST

/*
 * The other host has given numbers, which this one has seen; the store has lost them, and that host loads what there is
 * now, and changes it.
 */
START_TEST(test_numbers_that_a_host_would_give_again_hide_no_change)
{
    struct sf_key key = sf_test_cache_key(0);
    share();
    sf_l1_meet_store(there.l1, 1);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(sf_test_increment(there.l1, 0, "n", NULL), SF_OK);
    ck_assert_uint_eq(sf_test_settle_all(there.l1), 1);
    ck_assert_int_eq(sf_l1_drop(cache.l1, &key), SF_OK);
    sf_test_hand_over(cache.l1, there.l1, 0);
    ck_assert_int_eq(sf_l1_drop(there.l1, &key), SF_OK);
    incarnation = 2;
    load_there();
    ck_assert_int_eq(sf_test_increment(there.l1, 0, "n", NULL), SF_OK);
    set_there("first");
    run();
    ck_assert_str_eq(sf_test_look(cache.l1, 0, "first").text, "there");
    ck_assert_int_eq(sf_test_look(cache.l1, 0, "n").integer, 4);
    sf_test_cache_fini(&there);
}
END_TEST

static uint32_t
end_user_there(struct sf_buffer *row, const char *user, sf_time when)
{
    struct sf_buffer next;
    struct sf_user_epoch epoch;
    size_t passed_over;
    const struct sf_user_epochs_change change = {.step = SF_EPOCHS_END_USER, .user = sf_span_text(user), .now = when};
    sf_buffer_init(&next, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_user_epochs_change(&next, &passed_over, sf_buffer_span(row), &change), SF_OK);
    sf_buffer_fini(row);
    *row = next;
    ck_assert_int_eq(sf_user_epochs_read(&epoch, sf_buffer_span(row), sf_span_text(user)), SF_OK);
    return epoch.least;
}

/* The store went back, and another host has logged somebody out before we put what it had forgotten. */
START_TEST(test_logouts_everywhere_of_two_histories_are_joined)
{
    struct sf_key key = sf_user_epochs_key(1);
    struct sf_user_epoch alice, bob;
    struct sf_stored row;
    share();
    have_epochs(1, 2);
    sf_buffer_init(&row.record, SF_RECORD_BYTES_MAX);
    uint32_t epoch = end_user_there(&row.record, "bob", SF_TEST_NOW + SF_HOUR);
    struct sf_buffer record = row.record;
    sf_buffer_init(&row.record, SF_RECORD_BYTES_MAX);
    struct sf_write write = sf_test_put(0, epoch, &record);
    write.key = key;
    write.expected = SF_EXPECTED_NONE;
    ck_assert_int_eq(store->ops->write(store, &write, 1, now + SF_HOUR), SF_OK);
    incarnation = 2;
    run();
    ck_assert_int_eq(sf_store_load_one(store, &key, now + SF_HOUR, &row), SF_OK);
    ck_assert_int_eq(sf_user_epochs_read(&alice, sf_buffer_span(&row.record), sf_span_text("alice")), SF_OK);
    ck_assert_int_eq(sf_user_epochs_read(&bob, sf_buffer_span(&row.record), sf_span_text("bob")), SF_OK);
    ck_assert_uint_eq(alice.least, SF_TEST_NOW / SF_SECOND + 1);
    ck_assert_uint_eq(bob.least, epoch);
    /* Who has read an earlier row does not write over this one, nor is what he writes merged. */
    ck_assert_int_eq(store->ops->write(store, &write, 1, now + SF_HOUR), SF_CONFLICT);
    sf_buffer_fini(&record);
    sf_buffer_fini(&row.record);
    sf_test_cache_fini(&there);
}
END_TEST

START_TEST(test_shared_store_that_has_it_all_changes_nothing)
{
    share();
    uint64_t before = stored_version(0);
    incarnation = 2;
    run();
    ck_assert_uint_eq(stored_version(0), before);
    ck_assert_uint_eq(restore.put_ever, 1);
    ck_assert_uint_eq(restore.news_ever, 0);
    sf_test_cache_fini(&there);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("restore");
    TCase *all = tcase_create("restore");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, test_same_store_is_left_alone);
    tcase_add_test(all, test_cache_that_knows_no_store_takes_over_the_first);
    tcase_add_test(all, test_emptied_store_gets_everything_again);
    tcase_add_test(all, test_store_that_has_it_all_changes_nothing);
    tcase_add_test(all, test_older_snapshot_is_brought_up_to_date);
    tcase_add_test(all, test_tombstones_are_put_again);
    tcase_add_test(all, test_what_waits_is_left_to_the_writer);
    tcase_add_test(all, test_what_the_journal_has_is_put_again_too);
    tcase_add_test(all, test_expired_sessions_are_not_worth_it);
    tcase_add_test(all, test_what_a_shared_store_has_not_confirmed_for_long_stays_away);
    tcase_add_test(all, test_who_was_logged_out_everywhere_is_told_however_long_ago);
    tcase_add_test(all, test_failed_batch_is_repeated_after_a_pause);
    tcase_add_test(all, test_refused_record_holds_up_nothing);
    tcase_add_test(all, test_another_restart_in_the_middle_begins_again);
    tcase_add_test(all, test_successor_of_a_killed_daemon_begins_again);
    tcase_add_test(all, test_back_to_the_store_that_it_knows_nothing_is_to_be_done);
    tcase_add_test(all, test_what_is_not_there_yet_is_not_called_missing);
    tcase_add_test(all, test_other_hosts_are_waited_for_when_something_was_missing);
    tcase_add_loop_test(all, test_what_another_host_made_of_older_data_is_merged, 0, 2);
    tcase_add_test(all, test_who_was_logged_out_on_another_host_stays_so);
    tcase_add_test(all, test_who_was_logged_out_before_the_store_lost_it_stays_so);
    tcase_add_test(all, test_numbers_that_a_host_would_give_again_hide_no_change);
    tcase_add_test(all, test_logouts_everywhere_of_two_histories_are_joined);
    tcase_add_test(all, test_shared_store_that_has_it_all_changes_nothing);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
