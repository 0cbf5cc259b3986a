/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/migrate/store_migrate_equalize.h"

#include <stdlib.h>

#include "common/session/life.h"

#define SWEEP_MARGIN (2 * SF_MINUTE) /* what expired so long ago is about to be removed */
#define LATER (10 * SF_SECOND)       /* for what cannot be made equal now */
#define LANE_DEADLINE ((sf_time)500) /* of loads of the second while changes wait; it has just answered */

/* One side's row of a key. */
struct row {
    bool is_there, is_damaged;
    struct sf_record_head head;
    struct sf_span record;
    sf_time last_access;
};

struct side {
    struct sf_stored stored[SF_EQUALIZE_MAX];
    struct sf_load loads[SF_EQUALIZE_MAX];
};

/* What is wrong with a key, and how it is put right. */
struct verdict {
    bool is_different;
    enum sf_difference_kind kind;
    bool is_stuck; /* nothing puts it right: a later version, or other bytes, in the second */
    struct sf_difference difference;
};

struct equalizing {
    struct sf_migrate *migrate;
    const struct sf_key *keys;
    size_t count;
    enum sf_equalize_reason reason;
    bool may_remove;       /* what only the second has */
    struct side authority, second;
    struct verdict verdicts[SF_EQUALIZE_MAX];
    struct sf_write writes[SF_EQUALIZE_MAX];
    size_t indexes[SF_EQUALIZE_MAX]; /* writes[i] is for keys[indexes[i]] */
    size_t write_count;
    struct sf_buffer ended[SF_EQUALIZE_MAX]; /* records that take the place of others */
};

/* ---- what both have ---- */

/* The first keys, so many of them. */
static enum sf_status
load_side(struct sf_migrate_side *side, struct side *into, const struct equalizing *equalizing, size_t count,
          sf_time patience)
{
    for (size_t i = 0; i < count; i++)
        into->loads[i] = (struct sf_load){.key = equalizing->keys[i], .stored = &into->stored[i]};
    pthread_mutex_lock(&side->load_lane);
    side->store->ops->load(side->store, into->loads, count, sf_clock_steady() + patience);
    pthread_mutex_unlock(&side->load_lane);
    for (size_t i = 0; i < count; i++) {
        enum sf_status status = into->loads[i].status;
        if (status != SF_OK && status != SF_NOT_FOUND && status != SF_CORRUPT)
            return status;
    }
    return SF_OK;
}

static struct row
row_of(const struct side *side, size_t at)
{
    const struct sf_stored *stored = &side->stored[at];
    struct row row = {.is_there = side->loads[at].status == SF_OK, .is_damaged = side->loads[at].status == SF_CORRUPT};
    if (!row.is_there)
        return row;
    row.record = sf_buffer_span(&stored->record);
    row.is_damaged = sf_record_head(&row.head, row.record) != SF_OK;
    row.is_there = !row.is_damaged;
    row.last_access = stored->last_access > row.head.last_access ? stored->last_access : row.head.last_access;
    return row;
}

static bool
is_long_gone(const struct row *row, sf_time now)
{
    sf_time expires = sf_record_expires(&row->head, row->last_access);
    return expires != 0 && expires + SWEEP_MARGIN <= now;
}

/* ---- repairs ---- */

static void
add_write(struct equalizing *equalizing, size_t at, struct sf_write write)
{
    equalizing->indexes[equalizing->write_count] = at;
    equalizing->writes[equalizing->write_count++] = write;
}

static void
copy_row(struct equalizing *equalizing, size_t at, const struct row *row)
{
    add_write(equalizing, at, (struct sf_write){.kind = SF_WRITE_PUT,
                                                .key = equalizing->keys[at],
                                                .version = row->head.version,
                                                .last_access = row->last_access,
                                                .expires = sf_record_expires(&row->head, row->last_access),
                                                .record = row->record});
}

static void
copy_access(struct equalizing *equalizing, size_t at, const struct row *row)
{
    add_write(equalizing, at, (struct sf_write){.kind = SF_WRITE_TOUCH,
                                                .key = equalizing->keys[at],
                                                .last_access = row->last_access,
                                                .expires = sf_record_expires(&row->head, row->last_access)});
}

/* Stores have no call that removes a row: an ended one that has expired takes its place, and the sweep that. */
static void
remove_row(struct equalizing *equalizing, size_t at, const struct row *row, sf_time now)
{
    struct sf_session session;
    sf_session_init(&session);
    enum sf_status status = sf_session_decode(&session, row->record);
    if (status == SF_OK) {
        sf_session_end(&session, SF_END_EXPIRED, now, 0);
        session.head.version = row->head.version + 1;
        status = sf_session_encode(&session, SF_RECORD_BYTES_MAX, &equalizing->ended[at]);
    }
    if (status == SF_OK)
        add_write(equalizing, at, (struct sf_write){.kind = SF_WRITE_PUT,
                                                    .key = equalizing->keys[at],
                                                    .version = session.head.version,
                                                    .last_access = session.head.last_access,
                                                    .expires = now,
                                                    .record = sf_buffer_span(&equalizing->ended[at])});
    sf_session_fini(&session);
}

/* ---- the comparison ---- */

static struct verdict *
differ(struct equalizing *equalizing, size_t at, enum sf_difference_kind kind)
{
    struct verdict *verdict = &equalizing->verdicts[at];
    verdict->is_different = true;
    verdict->kind = kind;
    return verdict;
}

static void
compare_rows(struct equalizing *equalizing, size_t at, const struct row *authority, const struct row *second)
{
    if (authority->head.version > second->head.version) {
        differ(equalizing, at, SF_DIFFERENCE_VERSION);
        copy_row(equalizing, at, authority);
    } else if (authority->head.version < second->head.version) {
        differ(equalizing, at, SF_DIFFERENCE_VERSION)->is_stuck = true;
    } else if (!sf_span_equal(authority->record, second->record)) {
        differ(equalizing, at, SF_DIFFERENCE_BYTES)->is_stuck = true;
    } else if (authority->last_access > second->last_access) {
        differ(equalizing, at, SF_DIFFERENCE_ACCESS);
        copy_access(equalizing, at, authority);
    }
}

/*
 * Only the first copy removes rows that the authority does not have, which are left from another migration, and only as
 * long as the authority is the server that it was at the start. Later on, and behind any restart, it is as likely that
 * the authority has lost them.
 */
static bool
may_remove(const struct equalizing *equalizing)
{
    struct sf_migrate *migrate = equalizing->migrate;
    pthread_mutex_lock(&migrate->lock);
    bool is_first = equalizing->reason == SF_EQUALIZE_COPY && migrate->state.is_first_copy;
    uint64_t incarnation = migrate->state.old_incarnation;
    pthread_mutex_unlock(&migrate->lock);
    return is_first && sf_store_incarnation(migrate->authority.store) == incarnation
        && sf_migrate_may_write(migrate, sf_clock_steady() + LANE_DEADLINE) == SF_OK; /* the others have not left it */
}

static void
judge_extra(struct equalizing *equalizing, size_t at, const struct row *second, sf_time now)
{
    if (second->head.kind == SF_RECORD_ENDED || is_long_gone(second, now))
        return;
    differ(equalizing, at, SF_DIFFERENCE_EXTRA);
    if (equalizing->may_remove)
        remove_row(equalizing, at, second, now);
}

static void
judge(struct equalizing *equalizing, size_t at, sf_time now)
{
    struct row authority = row_of(&equalizing->authority, at), second = row_of(&equalizing->second, at);
    equalizing->verdicts[at].difference = (struct sf_difference){
        .key = equalizing->keys[at],
        .version = authority.is_there ? authority.head.version : 0,
        .second_version = second.is_there ? second.head.version : 0,
        .noticed = now,
    };
    if (authority.is_damaged)
        return; /* nobody can tell */
    if (authority.is_there && second.is_there) {
        compare_rows(equalizing, at, &authority, &second);
    } else if (second.is_there) {
        judge_extra(equalizing, at, &second, now);
    } else if (authority.is_there && !is_long_gone(&authority, now)) {
        differ(equalizing, at, second.is_damaged ? SF_DIFFERENCE_DAMAGED : SF_DIFFERENCE_MISSING);
        copy_row(equalizing, at, &authority);
    }
}

/* ---- afterwards, with the lock ---- */

static bool
is_refused(const struct sf_write *write)
{
    return write->status == SF_INVALID || write->status == SF_FULL;
}

static void
take_answers(struct equalizing *equalizing)
{
    for (size_t i = 0; i < equalizing->write_count; i++) {
        struct verdict *verdict = &equalizing->verdicts[equalizing->indexes[i]];
        verdict->difference.is_repaired = equalizing->writes[i].status == SF_OK;
        if (is_refused(&equalizing->writes[i]))
            verdict->kind = SF_DIFFERENCE_REFUSED;
    }
}

/* A later version in the second, or a row that the authority does not have, was never acknowledged by the authority. */
static void
keep_debt(struct sf_migrate *migrate, const struct verdict *verdict)
{
    bool is_acknowledged = verdict->kind == SF_DIFFERENCE_BYTES
        || (!verdict->is_stuck && verdict->kind != SF_DIFFERENCE_EXTRA);
    sf_migrate_owe(migrate, &verdict->difference.key, is_acknowledged, sf_clock_steady() + LATER);
    if (migrate->takes_notes)
        sf_debts_postpone(migrate->debts, &verdict->difference.key, sf_clock_steady() + LATER);
}

static void
keep_verdict(struct equalizing *equalizing, struct verdict *verdict)
{
    struct sf_migrate *migrate = equalizing->migrate;
    bool is_equal = !verdict->is_different || verdict->difference.is_repaired;
    bool is_listed = equalizing->reason == SF_EQUALIZE_COMPARE
        || (equalizing->reason == SF_EQUALIZE_COPY && (!is_equal || verdict->kind == SF_DIFFERENCE_EXTRA));
    verdict->difference.kind = verdict->kind;
    if (verdict->is_different && is_listed)
        sf_migrate_list(migrate, &verdict->difference);
    if (is_equal)
        sf_debts_remove(migrate->debts, &verdict->difference.key);
    else if (verdict->kind != SF_DIFFERENCE_EXTRA || equalizing->reason != SF_EQUALIZE_COMPARE)
        keep_debt(migrate, verdict);
}

static void
count_results(struct equalizing *equalizing)
{
    struct sf_migrate *migrate = equalizing->migrate;
    uint64_t repaired = 0, different = 0;
    for (size_t i = 0; i < equalizing->count; i++) {
        different += equalizing->verdicts[i].is_different;
        repaired += equalizing->verdicts[i].difference.is_repaired;
    }
    if (equalizing->reason == SF_EQUALIZE_COPY)
        migrate->state.copied += repaired;
    else
        migrate->repaired += repaired;
    if (equalizing->reason == SF_EQUALIZE_COMPARE)
        migrate->pass.found += different;
    sf_migrate_count(migrate,
                     equalizing->reason == SF_EQUALIZE_COPY ? SF_COUNTER_migrate_copied : SF_COUNTER_migrate_repaired,
                     repaired);
}

static void
keep_results(struct equalizing *equalizing)
{
    take_answers(equalizing);
    pthread_mutex_lock(&equalizing->migrate->lock);
    for (size_t i = 0; i < equalizing->count; i++)
        keep_verdict(equalizing, &equalizing->verdicts[i]);
    count_results(equalizing);
    pthread_mutex_unlock(&equalizing->migrate->lock);
}

/* ---- all of it, with the write lane in hand ---- */

static enum sf_status
write_repairs(struct equalizing *equalizing)
{
    struct sf_store *store = equalizing->migrate->second.store;
    sf_time backoff = equalizing->migrate->backoff; /* the longer it fails the less often it is tried */
    sf_time patience = sf_migrate_patience(equalizing->writes, equalizing->write_count) + backoff / 10;
    sf_time deadline = sf_clock_steady() + patience;
    if (equalizing->write_count == 0)
        return SF_OK;
    (void)!store->ops->write(store, equalizing->writes, equalizing->write_count, deadline);
    for (size_t i = 0; i < equalizing->write_count; i++)
        if (equalizing->writes[i].status != SF_OK && !is_refused(&equalizing->writes[i]))
            return SF_UNAVAILABLE;
    return SF_OK;
}

/*
 * Without the lane: if the second hangs, nobody is held up. Of what is copied it may say what it likes that is older: a
 * change that comes in between is in both, or owed. Of what is compared only the first is asked, for an answer.
 */
static enum sf_status
ask_second(struct equalizing *equalizing)
{
    size_t count = equalizing->reason == SF_EQUALIZE_COMPARE ? 1 : equalizing->count;
    return load_side(&equalizing->migrate->second, &equalizing->second, equalizing, count, SF_SECOND_DEADLINE);
}

/*
 * Where the second is late nobody else writes to it: this waits for a connection, without the lane, by an access to a
 * session that there is not.
 */
static enum sf_status
wait_for_second(struct sf_migrate *migrate)
{
    struct sf_store *second = migrate->second.store;
    struct sf_write write = {.kind = SF_WRITE_TOUCH};
    if (!atomic_load(&migrate->is_second_late))
        return SF_OK;
    pthread_mutex_lock(&migrate->write_lane); /* who writes to it now began before it was known to be late */
    pthread_mutex_unlock(&migrate->write_lane);
    enum sf_status status = second->ops->write(second, &write, 1, sf_clock_steady() + SF_SECOND_DEADLINE);
    return status == SF_UNAVAILABLE || status == SF_UNCERTAIN ? SF_UNAVAILABLE : SF_OK;
}

/* The second first: what it has the authority had before. */
static enum sf_status
find_differences(struct equalizing *equalizing)
{
    struct sf_migrate *migrate = equalizing->migrate;
    size_t count = equalizing->count;
    enum sf_status status = SF_OK;
    if (equalizing->reason == SF_EQUALIZE_COMPARE)
        status = load_side(&migrate->second, &equalizing->second, equalizing, count, LANE_DEADLINE);
    if (status == SF_OK)
        status = load_side(&migrate->authority, &equalizing->authority, equalizing, count, SF_SECOND_DEADLINE);
    if (status != SF_OK)
        return status;
    equalizing->may_remove = may_remove(equalizing); /* after the authority's answers: of that very server */
    sf_time now = sf_clock_wall();
    for (size_t i = 0; i < equalizing->count; i++)
        judge(equalizing, i, now);
    return SF_OK;
}

static enum sf_status
run(struct equalizing *equalizing)
{
    enum sf_status status = find_differences(equalizing);
    if (status == SF_OK)
        status = write_repairs(equalizing);
    if (status != SF_OK)
        return status;
    keep_results(equalizing);
    atomic_store(&equalizing->migrate->is_second_late, false);
    return SF_OK;
}

static void
init(struct equalizing *equalizing)
{
    for (size_t i = 0; i < equalizing->count; i++) {
        sf_buffer_init(&equalizing->authority.stored[i].record, SF_RECORD_BYTES_MAX);
        sf_buffer_init(&equalizing->second.stored[i].record, SF_RECORD_BYTES_MAX);
        sf_buffer_init(&equalizing->ended[i], SF_RECORD_BYTES_MAX);
    }
}

static void
fini(struct equalizing *equalizing)
{
    for (size_t i = 0; i < equalizing->count; i++) {
        sf_buffer_fini(&equalizing->authority.stored[i].record);
        sf_buffer_fini(&equalizing->second.stored[i].record);
        sf_buffer_fini(&equalizing->ended[i]);
    }
}

typedef enum sf_status run_fn(struct equalizing *equalizing);

static enum sf_status
run_with_lane(struct equalizing *equalizing, run_fn *run_it)
{
    pthread_mutex_t *lane = &equalizing->migrate->write_lane;
    init(equalizing);
    enum sf_status status = ask_second(equalizing);
    if (status == SF_OK)
        status = wait_for_second(equalizing->migrate);
    if (status == SF_OK) {
        pthread_mutex_lock(lane);
        status = run_it(equalizing);
        pthread_mutex_unlock(lane);
    }
    fini(equalizing);
    return status;
}

static struct equalizing *
new_equalizing(struct sf_migrate *migrate, const struct sf_key *keys, size_t count, enum sf_equalize_reason reason)
{
    struct equalizing *equalizing = calloc(1, sizeof *equalizing);
    if (equalizing == NULL)
        return NULL;
    equalizing->migrate = migrate;
    equalizing->keys = keys;
    equalizing->count = count;
    equalizing->reason = reason;
    return equalizing;
}

enum sf_status
sf_migrate_equalize(struct sf_migrate *migrate, const struct sf_key *keys, size_t count, enum sf_equalize_reason reason)
{
    struct equalizing *equalizing = new_equalizing(migrate, keys, count, reason);
    if (equalizing == NULL)
        return SF_NO_MEMORY;
    enum sf_status status = run_with_lane(equalizing, run);
    free(equalizing);
    return status;
}

enum sf_status
sf_migrate_try_again(struct sf_migrate *migrate)
{
    enum sf_status status = wait_for_second(migrate);
    if (status == SF_OK)
        atomic_store(&migrate->is_second_late, false);
    return status;
}

enum sf_status
sf_migrate_look_again(struct sf_migrate *migrate, struct sf_key *keys, size_t *count)
{
    size_t kept = 0;
    struct equalizing *equalizing = new_equalizing(migrate, keys, *count, SF_EQUALIZE_COMPARE);
    if (equalizing == NULL)
        return SF_NO_MEMORY;
    enum sf_status status = run_with_lane(equalizing, find_differences);
    for (size_t i = 0; status == SF_OK && i < equalizing->count; i++)
        if (equalizing->verdicts[i].is_different)
            keys[kept++] = keys[i];
    *count = kept;
    free(equalizing);
    return status;
}
