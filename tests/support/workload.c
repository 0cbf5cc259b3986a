/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/test_cache.h"

#define TAKE 16u
#define JUNK 20000u /* other sessions, more than fit */
#define OTHERS_VERSION 5u
#define OTHERS_VERSIONS 3u

static void
report(struct sf_workload *work, const char *what, unsigned session, uint64_t seen,
       uint64_t expected)
{
    if (atomic_fetch_add(&work->findings, 1) == 0)
        snprintf(work->finding, sizeof(work->finding), "session %u: %s: %llu, expected %llu",
                 session, what, (unsigned long long)seen, (unsigned long long)expected);
}

static void
raise_to(_Atomic uint64_t *value, uint64_t to)
{
    uint64_t before = atomic_load(value);

    while (before < to && !atomic_compare_exchange_weak(value, &before, to))
        ;
}

static unsigned
next_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* ---- the store ---- */

/*
 * A clock on which half a second is a minute, for ages; never so late that a session is over. And the
 * sizes of the others shift from one of these "minutes" to the next, so that slabs have to move.
 */
static unsigned
minute(void)
{
    return (unsigned)(sf_clock_steady() / 500 % 25);
}

static size_t
padding(void)
{
    static const size_t sizes[] = {0, 700, 6000};

    return sizes[minute() % (sizeof(sizes) / sizeof(sizes[0]))];
}

static void
build_padded(struct sf_buffer *record_out, uint64_t version, size_t padding_bytes)
{
    static const char zeros[8192];
    struct sf_field fields[] = {
        {sf_span_text("n"), {.type = SF_VALUE_INTEGER, .integer = (int64_t)version}},
        {sf_span_text("pad"),
         {.type = SF_VALUE_BYTES, .bytes = sf_span_of(zeros, padding_bytes)}},
    };
    struct sf_record_head head = {
        .kind = SF_RECORD_SESSION,
        .version = version,
        .created = SF_TEST_NOW,
        .last_access = SF_TEST_NOW,
        .idle_timeout = 30 * SF_MINUTE,
        .field_count = padding_bytes > 0 ? 2 : 1,
    };

    if (sf_record_encode(record_out, &head, fields, SF_RECORD_BYTES_MAX) != SF_OK)
        abort();
}

static void
build_record(struct sf_buffer *record_out, uint64_t version)
{
    build_padded(record_out, version, 0);
}

/* What the daemon does when somebody misses: look, ask the store, fill. */
static void
load(struct sf_workload *work, struct sf_l1 *l1, unsigned session, struct sf_buffer *record)
{
    struct sf_key key = sf_test_cache_key(session);
    struct sf_l1_view view;

    if (sf_l1_get(l1, &key, record, &view) == SF_OK)
        return;
    build_record(record, atomic_load(&work->stored[session]));
    if (session % 2 == 0) /* a store that takes its time: what it said may be old by now */
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    if (sf_l1_fill(l1, &key, sf_buffer_span(record), SF_TEST_NOW, &view.vacancy) == SF_OK)
        atomic_fetch_add(&work->loads, 1);
}

/* ---- roles ---- */

void
sf_workload_begin(struct sf_workload *work, struct sf_l1 *l1)
{
    for (unsigned session = 0; session < SF_WORKLOAD_SESSIONS; session++) {
        struct sf_key key = sf_test_cache_key(session);
        struct sf_l1_applied applied;
        struct sf_ops ops;

        sf_ops_init(&ops);
        if (sf_ops_add_increment(&ops, sf_span_text("n"), 1) != SF_OK)
            abort();
        struct sf_l1_change change = sf_test_change(&ops, SF_TEST_NOW);
        change.may_create = true;
        change.new_key = &key;
        if (sf_l1_apply(l1, NULL, &change, NULL, &applied) != SF_OK)
            abort();
        atomic_store(&work->acknowledged[session], 1);
        sf_ops_fini(&ops);
    }
}

static void
write_one(struct sf_workload *work, struct sf_l1 *l1, unsigned session,
          const struct sf_l1_change *change, struct sf_buffer *record)
{
    struct sf_key key = sf_test_cache_key(session);
    struct sf_l1_applied applied;
    enum sf_status status = sf_l1_apply(l1, &key, change, NULL, &applied);

    if (status == SF_OK) {
        raise_to(&work->acknowledged[session], applied.version);
        atomic_fetch_add(&work->writes, 1);
    } else if (status == SF_NOT_FOUND && applied.missed) {
        load(work, l1, session, record);
    } else if (status != SF_FULL) {
        report(work, "a change was refused with status", session, (uint64_t)status, SF_OK);
    }
}

void
sf_workload_write(struct sf_workload *work, struct sf_l1 *l1, unsigned seed)
{
    struct sf_ops ops;
    struct sf_buffer record;

    sf_ops_init(&ops);
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    if (sf_ops_add_increment(&ops, sf_span_text("n"), 1) != SF_OK)
        abort();
    struct sf_l1_change change = sf_test_change(&ops, SF_TEST_NOW);
    while (!atomic_load(&work->must_stop))
        write_one(work, l1, next_random(&seed) % SF_WORKLOAD_SESSIONS, &change, &record);
    sf_buffer_fini(&record);
    sf_ops_fini(&ops);
}

/* A session that is here is compared with the store; what the store has is older, or the same. */
static void
check_one(struct sf_workload *work, struct sf_l1 *l1, unsigned session, struct sf_buffer *record)
{
    struct sf_key key = sf_test_cache_key(session);
    struct sf_l1_question question;

    sf_l1_ask(l1, &key, &question);
    uint64_t stored = atomic_load(&work->stored[session]);
    if (stored == 0)
        return;
    build_record(record, stored);
    const struct sf_l1_answer answer = {sf_buffer_span(record), SF_TEST_NOW, false};
    (void)!sf_l1_confirm(l1, &key, &answer, &question);
}

static void
read_one(struct sf_workload *work, struct sf_l1 *l1, unsigned session, struct sf_buffer *record)
{
    struct sf_key key = sf_test_cache_key(session);
    uint64_t floor = atomic_load(&work->acknowledged[session]);
    struct sf_l1_view view;
    struct sf_record_head head = {.version = 0};
    struct sf_value value = {.integer = 0};

    if (sf_l1_get(l1, &key, record, &view) != SF_OK)
        return; /* nothing is said about a record that is not here; sf_workload_end looks */
    if (sf_record_check(sf_buffer_span(record)) != SF_OK ||
        sf_record_head(&head, sf_buffer_span(record)) != SF_OK ||
        sf_record_find(&value, sf_buffer_span(record), sf_span_text("n")) != SF_OK ||
        (uint64_t)value.integer != head.version)
        report(work, "counter and version differ", session, (uint64_t)value.integer, head.version);
    if (head.version < floor)
        report(work, "older than acknowledged", session, head.version, floor);
    atomic_fetch_add(&work->reads, 1);
}

/* One field of a version that is one with it. */
static void
read_field(struct sf_workload *work, struct sf_l1 *l1, unsigned session)
{
    struct sf_key key = sf_test_cache_key(session);
    uint64_t floor = atomic_load(&work->acknowledged[session]);
    struct sf_l1_field field;

    if (sf_l1_get_field(l1, &key, sf_span_text("n"), NULL, 0, &field) != SF_OK)
        return;
    if (field.type != SF_VALUE_INTEGER || (uint64_t)field.integer != field.version)
        report(work, "field and version differ", session, (uint64_t)field.integer, field.version);
    if (field.version < floor)
        report(work, "field older than acknowledged", session, field.version, floor);
}

void
sf_workload_read(struct sf_workload *work, struct sf_l1 *l1, unsigned seed)
{
    struct sf_buffer record;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    while (!atomic_load(&work->must_stop)) {
        read_one(work, l1, next_random(&seed) % SF_WORKLOAD_SESSIONS, &record);
        read_field(work, l1, next_random(&seed) % SF_WORKLOAD_SESSIONS);
        if (next_random(&seed) % 16 == 0)
            check_one(work, l1, next_random(&seed) % SF_WORKLOAD_SESSIONS, &record);
    }
    sf_buffer_fini(&record);
}

static void
flush(struct sf_workload *work, struct sf_l1 *l1, struct sf_l1_cursor *cursor,
      struct sf_l1_dirty *items)
{
    size_t taken = sf_l1_dirty_take(l1, cursor, items, TAKE);

    for (size_t i = 0; i < taken; i++) {
        struct sf_record_head head;
        uint64_t session;

        memcpy(&session, items[i].key.bytes + sizeof(session), sizeof(session));
        if (sf_record_head(&head, sf_buffer_span(&items[i].record)) != SF_OK)
            report(work, "a dirty record is no record", (unsigned)session, 0, 0);
        else if (session < SF_WORKLOAD_SESSIONS)
            raise_to(&work->stored[session], head.version);
        if (i % 4 == 0)
            sf_l1_settle_journalled(l1, &items[i].ticket, sf_clock_steady());
        else
            sf_l1_settle(l1, &items[i].ticket, sf_clock_steady());
    }
    atomic_fetch_add(&work->flushes, taken);
}

void
sf_workload_keep(struct sf_workload *work, struct sf_l1 *l1, unsigned seed)
{
    struct sf_l1_cursor cursor = {.hint = 0};
    struct sf_l1_dirty items[TAKE];
    uint32_t sweep = 0;

    (void)seed;
    memset(items, 0, sizeof(items));
    while (!atomic_load(&work->must_stop)) {
        if (sf_l1_lead(l1, SF_L1_FLUSHER))
            flush(work, l1, &cursor, items);
        if (sf_l1_lead(l1, SF_L1_SWEEPER))
            (void)sf_l1_repair(l1, SF_TEST_NOW + minute() * SF_MINUTE, &sweep, 512);
    }
    sf_l1_dirty_fini(items, TAKE);
}

/* The store is asked again for one of the others, and says one thing or another. */
static void
ask_again(struct sf_l1 *l1, const struct sf_key *key, unsigned what, struct sf_buffer *record)
{
    struct sf_l1_question question;

    sf_l1_ask(l1, key, &question);
    if (what == 0) {
        (void)!sf_l1_deny(l1, key, &question);
    } else if (what == 1) {
        sf_l1_postpone(l1, key, &question);
    } else {
        build_record(record, OTHERS_VERSION + what % OTHERS_VERSIONS);
        const struct sf_l1_answer answer = {sf_buffer_span(record), SF_TEST_NOW + SF_MINUTE, false};
        (void)!sf_l1_confirm(l1, key, &answer, &question);
    }
}

void
sf_workload_press(struct sf_workload *work, struct sf_l1 *l1, unsigned seed)
{
    struct sf_buffer record;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    while (!atomic_load(&work->must_stop)) {
        struct sf_key key = sf_test_cache_key(1000 + next_random(&seed) % JUNK);
        struct sf_l1_view view;
        struct sf_record_head head = {.version = 0};

        if (sf_l1_get(l1, &key, &record, &view) == SF_OK) {
            if (sf_record_head(&head, sf_buffer_span(&record)) != SF_OK ||
                head.version - OTHERS_VERSION >= OTHERS_VERSIONS)
                report(work, "another session's record", 1000, head.version, OTHERS_VERSION);
            ask_again(l1, &key, next_random(&seed) % 8, &record);
            continue;
        }
        build_padded(&record, OTHERS_VERSION, padding());
        (void)!sf_l1_fill(l1, &key, sf_buffer_span(&record), SF_TEST_NOW + minute() * SF_MINUTE,
                          &view.vacancy);
        atomic_fetch_add(&work->fills, 1);
    }
    sf_buffer_fini(&record);
}

/* ---- the end ---- */

void
sf_workload_end(struct sf_workload *work, struct sf_l1 *l1)
{
    uint64_t counted[SF_COUNTER_COUNT];

    sf_l1_counters_sum(l1, counted);
    if (counted[SF_COUNTER_l1_bad] != 0)
        report(work, "damaged blocks, any session", 0, counted[SF_COUNTER_l1_bad], 0);
    for (unsigned session = 0; session < SF_WORKLOAD_SESSIONS; session++) {
        uint64_t acknowledged = atomic_load(&work->acknowledged[session]);
        uint64_t stored = atomic_load(&work->stored[session]);
        struct sf_test_seen seen = sf_test_look(l1, session, "n");
        uint64_t version = seen.status == SF_OK ? seen.version : stored;

        if (version < acknowledged)
            report(work, seen.status == SF_OK ? "cached" : "stored", session, version,
                   acknowledged);
        if (seen.status == SF_OK && seen.version < stored)
            report(work, "older than stored", session, seen.version, stored);
        if (seen.status == SF_OK && (uint64_t)seen.integer != seen.version)
            report(work, "counter and version differ", session, (uint64_t)seen.integer,
                   seen.version);
    }
}
