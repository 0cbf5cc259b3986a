/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_shared.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/session/life.h"
#include "common/session/merge.h"
#include "common/session/ops.h"
#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_records.h"

#define HOSTS 3
#define SESSIONS 5
#define ROUNDS 60

/* A host with a store of its own, all on one database, and a copy of each session. */
struct host {
    uint64_t id;
    struct sf_store *store;
    struct sf_buffer records[SESSIONS];
    bool is_stored[SESSIONS];
    unsigned seed;
    pthread_t thread;
};

static struct sf_temp_folder folder;
static struct host hosts[HOSTS];

static sf_time
soon(void)
{
    return sf_clock_steady() + 30 * SF_SECOND;
}

static void
begin_host(struct host *host, uint64_t id)
{
    struct sf_store *inner;
    struct sf_error error;
    *host = (struct host){.id = id, .seed = (unsigned)id};
    ck_assert_int_eq(sf_store_open(&inner, "sqlite:shared.db", folder.path, &error), SF_OK);
    ck_assert_int_eq(sf_store_share(&host->store, inner, NULL, NULL), SF_OK);
    ck_assert_msg(host->store->ops->attach(host->store, soon(), &error) == SF_OK, "%s", error.text);
    for (size_t i = 0; i < SESSIONS; i++)
        sf_buffer_init(&host->records[i], SF_RECORD_BYTES_MAX);
}

static void
set_up(void)
{
    (void)sf_temp_folder_want_memory();
    sf_temp_folder_init(&folder);
    for (size_t i = 0; i < HOSTS; i++)
        begin_host(&hosts[i], 100 + i);
}

static void
tear_down(void)
{
    for (size_t i = 0; i < HOSTS; i++) {
        sf_store_close(hosts[i].store);
        for (size_t j = 0; j < SESSIONS; j++)
            sf_buffer_fini(&hosts[i].records[j]);
    }
    sf_temp_folder_fini(&folder);
}

static void
increment(struct host *host, unsigned number)
{
    struct sf_ops ops;
    struct sf_session session;
    struct sf_ops_outcome outcome;
    struct sf_buffer scratch, record;
    sf_ops_init(&ops);
    sf_buffer_init(&scratch, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    sf_session_init(&session);
    ops.host = host->id;
    ck_assert_int_eq(sf_ops_add_increment(&ops, sf_span_text("n"), 1), SF_OK);
    if (host->records[number].size > 0)
        ck_assert_int_eq(sf_session_decode(&session, sf_buffer_span(&host->records[number])), SF_OK);
    else
        sf_session_begin(&session, 1000, SF_HOUR, 0);
    session.is_stored = host->is_stored[number];
    ck_assert_int_eq(sf_ops_apply(&session, &ops, 1000, &scratch, &outcome), SF_OK);
    ck_assert_int_eq(sf_session_encode(&session, SF_RECORD_BYTES_MAX, &record), SF_OK);
    struct sf_buffer former = host->records[number];
    host->records[number] = record;
    host->is_stored[number] = false;
    sf_buffer_fini(&former);
    sf_buffer_fini(&scratch);
    sf_session_fini(&session);
    sf_ops_fini(&ops);
}

static struct sf_write
put_of(struct host *host, unsigned number, struct sf_buffer *merged)
{
    struct sf_record_head head;
    ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&host->records[number])), SF_OK);
    struct sf_write write = sf_test_put(number, head.version, &host->records[number]);
    write.merged = merged;
    return write;
}

static void
store_all(struct host *host)
{
    struct sf_write writes[SESSIONS];
    struct sf_buffer merged[SESSIONS];
    unsigned numbers[SESSIONS];
    size_t count = 0;
    for (unsigned i = 0; i < SESSIONS; i++) {
        if (host->records[i].size == 0 || host->is_stored[i])
            continue;
        sf_buffer_init(&merged[count], SF_RECORD_BYTES_MAX);
        writes[count] = put_of(host, i, &merged[count]);
        numbers[count++] = i;
    }
    ck_assert_int_eq(host->store->ops->write(host->store, writes, count, soon()), SF_OK);
    for (size_t i = 0; i < count; i++) {
        struct sf_buffer *record = &host->records[numbers[i]];
        if (merged[i].size > 0) {
            sf_buffer_clear(record);
            ck_assert_int_eq(sf_buffer_append_span(record, sf_buffer_span(&merged[i])), SF_OK);
        }
        host->is_stored[numbers[i]] = true;
        sf_buffer_fini(&merged[i]);
    }
}

static int64_t
stored_number(unsigned number)
{
    struct sf_stored stored;
    struct sf_value value;
    struct sf_key key = sf_test_key(number);
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_store_load_one(hosts[0].store, &key, soon(), &stored), SF_OK);
    ck_assert_int_eq(sf_record_find(&value, sf_buffer_span(&stored.record), sf_span_text("n")), SF_OK);
    sf_buffer_fini(&stored.record);
    return value.integer;
}

static void
lose_row(unsigned number)
{
    size_t removed;
    struct sf_write expires = sf_test_touch(number, 2000, 3000);
    ck_assert_int_eq(hosts[1].store->ops->write(hosts[1].store, &expires, 1, soon()), SF_OK);
    ck_assert_int_eq(hosts[1].store->ops->sweep(hosts[1].store, 4000, 10, soon(), &removed), SF_OK);
    ck_assert_uint_eq(removed, 1);
}

static void
copy_record(struct host *to, const struct host *from, unsigned number)
{
    ck_assert_int_eq(sf_buffer_append_span(&to->records[number], sf_buffer_span(&from->records[number])), SF_OK);
    to->is_stored[number] = true;
}

static void *
be_busy(void *context)
{
    struct host *host = context;
    for (int i = 0; i < ROUNDS; i++) {
        for (unsigned j = 0; j < SESSIONS; j++)
            increment(host, j);
        if (rand_r(&host->seed) % 3 > 0)
            store_all(host);
    }
    store_all(host);
    return NULL;
}

START_TEST(test_increments_of_all_hosts_add_up)
{
    for (unsigned j = 0; j < SESSIONS; j++)
        increment(&hosts[0], j);
    store_all(&hosts[0]);
    for (size_t i = 1; i < HOSTS; i++)
        for (unsigned j = 0; j < SESSIONS; j++) {
            struct sf_stored stored;
            struct sf_key key = sf_test_key(j);
            sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
            ck_assert_int_eq(sf_store_load_one(hosts[i].store, &key, soon(), &stored), SF_OK);
            hosts[i].records[j] = stored.record;
            hosts[i].is_stored[j] = true;
        }
    for (size_t i = 0; i < HOSTS; i++)
        ck_assert_int_eq(pthread_create(&hosts[i].thread, NULL, be_busy, &hosts[i]), 0);
    for (size_t i = 0; i < HOSTS; i++)
        ck_assert_int_eq(pthread_join(hosts[i].thread, NULL), 0);
    for (unsigned j = 0; j < SESSIONS; j++)
        ck_assert_int_eq(stored_number(j), 1 + HOSTS * ROUNDS);
}
END_TEST

START_TEST(test_write_whose_answer_was_lost_counts_once)
{
    increment(&hosts[0], 1);
    struct sf_write write = put_of(&hosts[0], 1, NULL);
    ck_assert_int_eq(hosts[0].store->ops->write(hosts[0].store, &write, 1, soon()), SF_OK);
    increment(&hosts[0], 1); /* not knowing that */
    store_all(&hosts[0]);
    ck_assert_int_eq(stored_number(1), 2);
}
END_TEST

/* Whoever writes it so begins again with what is there. */
START_TEST(test_exact_change_of_another_record_is_refused)
{
    increment(&hosts[0], 1);
    store_all(&hosts[0]);
    copy_record(&hosts[1], &hosts[0], 1);
    increment(&hosts[0], 1);
    increment(&hosts[1], 1);
    struct sf_write write = put_of(&hosts[0], 1, NULL);
    write.is_exact = true;
    ck_assert_int_eq(hosts[0].store->ops->write(hosts[0].store, &write, 1, soon()), SF_OK);
    write = put_of(&hosts[1], 1, NULL);
    write.is_exact = true;
    ck_assert_int_eq(hosts[1].store->ops->write(hosts[1].store, &write, 1, soon()), SF_CONFLICT);
    ck_assert_int_eq(stored_number(1), 2);
    write.is_exact = false;
    ck_assert_int_eq(hosts[1].store->ops->write(hosts[1].store, &write, 1, soon()), SF_OK);
    ck_assert_int_eq(stored_number(1), 3);
}
END_TEST

START_TEST(test_row_that_was_lost_is_written_again)
{
    increment(&hosts[0], 1);
    store_all(&hosts[0]);
    increment(&hosts[0], 1);
    lose_row(1);
    store_all(&hosts[0]);
    ck_assert_int_eq(stored_number(1), 2);
}
END_TEST

static void
put_again(struct host *host, struct sf_buffer *merged, bool is_news)
{
    struct sf_write write = put_of(host, 1, merged);
    write.is_again = true;
    ck_assert_int_eq(host->store->ops->write(host->store, &write, 1, soon()), SF_OK);
    ck_assert(write.is_news == is_news);
}

START_TEST(test_what_is_put_again_and_there_changes_nothing)
{
    struct sf_buffer merged;
    sf_buffer_init(&merged, SF_RECORD_BYTES_MAX);
    increment(&hosts[0], 1);
    store_all(&hosts[0]);
    increment(&hosts[0], 1);
    store_all(&hosts[0]);
    put_again(&hosts[0], &merged, false);
    ck_assert_uint_eq(merged.size, 0);
    ck_assert_int_eq(stored_number(1), 2);
    sf_buffer_fini(&merged);
}
END_TEST

START_TEST(test_row_that_was_lost_is_put_again)
{
    increment(&hosts[0], 1);
    store_all(&hosts[0]);
    lose_row(1);
    put_again(&hosts[0], NULL, true);
    ck_assert_int_eq(stored_number(1), 1);
}
END_TEST

/* The store went back to the first version, from which another host has gone on, to the same version or farther. */
START_TEST(test_what_is_put_again_is_merged_with_what_became_of_older_data)
{
    struct sf_buffer merged;
    sf_buffer_init(&merged, SF_RECORD_BYTES_MAX);
    increment(&hosts[0], 1);
    store_all(&hosts[0]);
    copy_record(&hosts[1], &hosts[0], 1);
    increment(&hosts[0], 1);
    store_all(&hosts[0]);
    lose_row(1);
    put_again(&hosts[1], NULL, true);
    for (int i = 0; i <= _i; i++) {
        increment(&hosts[1], 1);
        store_all(&hosts[1]);
    }
    put_again(&hosts[0], &merged, true);
    ck_assert_uint_gt(merged.size, 0);
    ck_assert_int_eq(stored_number(1), 3 + _i);
    sf_buffer_fini(&merged);
}
END_TEST

/* A batch has both, and touches. */
START_TEST(test_what_is_put_again_does_not_hold_up_the_others)
{
    struct sf_buffer alone = sf_test_record(5, NULL, sf_span_text("alone"));
    for (unsigned i = 1; i < 4; i++)
        increment(&hosts[0], i);
    struct sf_write writes[] = {put_of(&hosts[0], 1, NULL), put_of(&hosts[0], 2, NULL), sf_test_put(4, 5, &alone),
                                put_of(&hosts[0], 3, NULL), sf_test_touch(0, 5000, 0)};
    for (size_t i = 0; i < 3; i++)
        writes[i].is_again = true;
    ck_assert_int_eq(hosts[0].store->ops->write(hosts[0].store, writes, 5, soon()), SF_NOT_FOUND);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(writes[i].status, SF_OK);
    ck_assert_int_eq(writes[4].status, SF_NOT_FOUND);
    for (unsigned i = 1; i < 4; i++)
        ck_assert_int_eq(stored_number(i), 1);
    sf_buffer_fini(&alone);
}
END_TEST

/* ---- one load at a time ---- */

/* A store in which every put is a conflict, and that is told from loads at once. */
static _Atomic int inside, most;

static void
slow_load(struct sf_store *store, struct sf_load *loads, size_t count, sf_time deadline)
{
    (void)store, (void)deadline;
    int now = atomic_fetch_add(&inside, 1) + 1;
    if (now > atomic_load(&most))
        atomic_store(&most, now);
    for (int i = 0; i < 50; i++)
        sched_yield();
    sf_store_answer_loads(loads, count, SF_NOT_FOUND);
    atomic_fetch_sub(&inside, 1);
}

static enum sf_status
refuse_write(struct sf_store *store, struct sf_write *writes, size_t count, sf_time deadline)
{
    (void)store, (void)deadline;
    for (size_t i = 0; i < count; i++)
        writes[i].status = SF_CONFLICT;
    return SF_CONFLICT;
}

static void
close_nothing(struct sf_store *store)
{
    (void)store;
}

static void *
load_all_the_time(void *context)
{
    struct sf_store *shared = context;
    struct sf_key key = sf_test_key(1);
    struct sf_stored stored;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(sf_store_load_one(shared, &key, soon(), &stored), SF_NOT_FOUND);
    sf_buffer_fini(&stored.record);
    return NULL;
}

START_TEST(test_who_merges_does_not_load_beside_the_loader)
{
    static const struct sf_store_ops ops = {
        .scheme = "slow", .load = slow_load, .write = refuse_write, .close = close_nothing};
    struct sf_store inner = {.ops = &ops}, *shared;
    pthread_t thread;
    atomic_store(&most, 0);
    increment(&hosts[0], 1);
    ck_assert_int_eq(sf_store_share(&shared, &inner, NULL, NULL), SF_OK);
    ck_assert_int_eq(pthread_create(&thread, NULL, load_all_the_time, shared), 0);
    for (int i = 0; i < 10; i++) {
        struct sf_write write = put_of(&hosts[0], 1, NULL);
        ck_assert_int_eq(shared->ops->write(shared, &write, 1, soon()), SF_UNAVAILABLE);
    }
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(atomic_load(&most), 1);
    sf_store_close(shared);
}
END_TEST

/* ---- what the store is asked for ---- */

static uint64_t asked_for;

static enum sf_status
note_expected(struct sf_store *store, struct sf_write *writes, size_t count, sf_time deadline)
{
    (void)store, (void)deadline, (void)count;
    asked_for = writes->expected;
    writes->status = SF_OK;
    return SF_OK;
}

/* A lineage of which not more than the head can be read, as where there is no memory, is one all the same. */
START_TEST(test_lineage_is_expected_by_its_head)
{
    static const struct sf_store_ops ops = {.scheme = "note", .write = note_expected, .close = close_nothing};
    struct sf_store inner = {.ops = &ops}, *shared;
    struct sf_record_head head;
    ck_assert_int_eq(sf_store_share(&shared, &inner, NULL, NULL), SF_OK);
    for (int i = 0; i < 2; i++) {
        increment(&hosts[0], 1);
        hosts[0].is_stored[1] = true;
        ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&hosts[0].records[1])), SF_OK);
        hosts[0].records[1].data[hosts[0].records[1].size - head.lineage.size + 14] = 0xff;
        struct sf_write write = put_of(&hosts[0], 1, NULL);
        ck_assert_int_eq(shared->ops->write(shared, &write, 1, soon()), SF_OK);
        ck_assert_uint_eq(asked_for, i == 0 ? SF_EXPECTED_NONE : 1);
        hosts[0].records[1].data[hosts[0].records[1].size - head.lineage.size + 14] = 0;
    }
    sf_store_close(shared);
}
END_TEST

static uint64_t incarnation, met;

/* A server is asked who it is when a connection is made. */
static void
load_from_another(struct sf_store *store, struct sf_load *loads, size_t count, sf_time deadline)
{
    (void)store, (void)deadline;
    incarnation++;
    sf_store_answer_loads(loads, count, SF_NOT_FOUND);
}

static uint64_t
tell_incarnation(struct sf_store *store)
{
    (void)store;
    return incarnation;
}

static void
meet(void *context, uint64_t which)
{
    ck_assert_ptr_eq(context, &met);
    met = which;
}

START_TEST(test_it_is_told_which_store_has_answered)
{
    static const struct sf_store_ops ops = {
        .scheme = "other", .load = load_from_another, .incarnation = tell_incarnation, .close = close_nothing};
    struct sf_store inner = {.ops = &ops}, *shared;
    struct sf_key key = sf_test_key(1);
    struct sf_stored stored;
    incarnation = met = 0;
    ck_assert_int_eq(sf_store_share(&shared, &inner, meet, &met), SF_OK);
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    for (uint64_t i = 1; i < 4; i++) {
        ck_assert_int_eq(sf_store_load_one(shared, &key, soon(), &stored), SF_NOT_FOUND);
        ck_assert_uint_eq(met, i);
    }
    sf_buffer_fini(&stored.record);
    sf_store_close(shared);
}
END_TEST

static int writes_made;

static enum sf_status
write_to_another(struct sf_store *store, struct sf_write *writes, size_t count, sf_time deadline)
{
    incarnation += writes_made++ == 0;
    for (size_t i = 0; i < count; i++)
        writes[i].expected = sf_store_expected(&writes[i], incarnation);
    return sf_store_memory.write(store, writes, count, deadline);
}

/* The row that it was merged with may not be the one that is there, whatever their numbers. */
START_TEST(test_what_was_merged_for_the_former_store_is_merged_again)
{
    struct sf_store_ops ops = sf_store_memory;
    struct sf_store *inner, *shared;
    ops.incarnation = tell_incarnation;
    ops.write = write_to_another;
    ck_assert_int_eq(sf_store_open(&inner, "memory:", folder.path, NULL), SF_OK);
    inner->ops = &ops;
    ck_assert_int_eq(sf_store_share(&shared, inner, NULL, NULL), SF_OK);
    incarnation = 1;
    for (int i = 0; i < 2; i++) {
        increment(&hosts[0], 1);
        struct sf_write write = put_of(&hosts[0], 1, NULL);
        write.is_again = i == 1;
        writes_made = 0;
        ck_assert_int_eq(shared->ops->write(shared, &write, 1, soon()), SF_OK);
        ck_assert_int_eq(writes_made, 1 + i);
        hosts[0].is_stored[1] = true;
    }
    sf_store_close(shared);
}
END_TEST

START_TEST(test_records_of_a_host_that_is_alone_go_through)
{
    struct sf_buffer record = sf_test_record(5, NULL, sf_span_text("alone"));
    struct sf_write write = sf_test_put(1, 5, &record);
    ck_assert_int_eq(hosts[0].store->ops->write(hosts[0].store, &write, 1, soon()), SF_OK);
    write.expected = 4;
    ck_assert_int_eq(hosts[0].store->ops->write(hosts[0].store, &write, 1, soon()), SF_CONFLICT);
    sf_buffer_fini(&record);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("store_shared");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, test_increments_of_all_hosts_add_up);
    tcase_add_test(all, test_write_whose_answer_was_lost_counts_once);
    tcase_add_test(all, test_exact_change_of_another_record_is_refused);
    tcase_add_test(all, test_row_that_was_lost_is_written_again);
    tcase_add_test(all, test_what_is_put_again_and_there_changes_nothing);
    tcase_add_test(all, test_row_that_was_lost_is_put_again);
    tcase_add_loop_test(all, test_what_is_put_again_is_merged_with_what_became_of_older_data, 0, 2);
    tcase_add_test(all, test_what_is_put_again_does_not_hold_up_the_others);
    tcase_add_test(all, test_it_is_told_which_store_has_answered);
    tcase_add_test(all, test_what_was_merged_for_the_former_store_is_merged_again);
    tcase_add_test(all, test_records_of_a_host_that_is_alone_go_through);
    tcase_add_test(all, test_lineage_is_expected_by_its_head);
    tcase_add_test(all, test_who_merges_does_not_load_beside_the_loader);
    suite_add_tcase(suite, all);
    return suite;
}

int
main(void)
{
    return sf_run_suite(make_suite());
}
