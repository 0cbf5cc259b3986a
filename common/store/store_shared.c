/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_shared.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "common/session/merge.h"
#include "common/session/user_epochs.h"

#define ROUNDS_MAX 20 /* each of them lost to another host that got its change through */

/*
 * Who merges loads in the thread that writes, but a store takes one load or scan at a time: who is
 * inside has `is_reading`, guarded by `lock`.
 */
struct shared_store {
    struct sf_store base;
    struct sf_store_ops ops; /* of `inner`, but for what is ours */
    struct sf_store *inner;
    pthread_mutex_t lock;
    pthread_cond_t is_free;
    bool is_reading;
    sf_store_met_fn *met;
    void *context;
};

/* One put on its way, and what it has become. */
struct item {
    struct sf_write *write; /* the caller's */
    struct sf_stored row;
    struct sf_buffer merged;
    bool is_merged;
};

struct round {
    struct item *items;
    struct sf_write *writes; /* for the inner store */
    struct sf_load *loads;
    size_t count;
    uint64_t of_store; /* as it was when the rows were asked for */
};

static struct shared_store *
self_of(struct sf_store *store)
{
    return (struct shared_store *)store;
}

/* ---- one at a time ---- */

/* CLOCK_MONOTONIC need not count as sf_clock_steady does: the end is told as time from now. */
static void
wait_a_while(struct shared_store *self, sf_time left)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += left / SF_SECOND;
    until.tv_nsec += left % SF_SECOND * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&self->is_free, &self->lock, &until);
}

/* false: another was inside until the deadline. */
static bool
begin_reading(struct shared_store *self, sf_time deadline)
{
    sf_time left;
    pthread_mutex_lock(&self->lock);
    while (self->is_reading && (left = deadline - sf_clock_steady()) > 0)
        wait_a_while(self, left);
    bool may_read = !self->is_reading;
    self->is_reading = true;
    pthread_mutex_unlock(&self->lock);
    return may_read;
}

static void
end_reading(struct shared_store *self)
{
    pthread_mutex_lock(&self->lock);
    self->is_reading = false;
    pthread_cond_signal(&self->is_free);
    pthread_mutex_unlock(&self->lock);
}

/* ---- what goes through ---- */

static enum sf_status
shared_attach(struct sf_store *store, sf_time deadline, struct sf_error *error)
{
    struct sf_store *inner = self_of(store)->inner;
    return inner->ops->attach(inner, deadline, error);
}

static void
shared_load(struct sf_store *store, struct sf_load *loads, size_t count, sf_time deadline)
{
    struct shared_store *self = self_of(store);
    if (!begin_reading(self, deadline)) {
        sf_store_answer_loads(loads, count, SF_UNAVAILABLE);
        return;
    }
    self->inner->ops->load(self->inner, loads, count, deadline);
    if (self->met != NULL)
        self->met(self->context, sf_store_incarnation(self->inner));
    end_reading(self);
}

static enum sf_status
shared_sweep(struct sf_store *store, sf_time now, size_t limit, sf_time deadline, size_t *removed_out)
{
    struct sf_store *inner = self_of(store)->inner;
    return inner->ops->sweep(inner, now, limit, deadline, removed_out);
}

static enum sf_status
shared_scan(struct sf_store *store, const struct sf_key *after, struct sf_span user, size_t limit,
            sf_time deadline, sf_store_visit_fn *visit, void *context)
{
    struct shared_store *self = self_of(store);
    if (!begin_reading(self, deadline))
        return SF_UNAVAILABLE;
    enum sf_status status =
        self->inner->ops->scan(self->inner, after, user, limit, deadline, visit, context);
    end_reading(self);
    return status;
}

static uint64_t
shared_incarnation(struct sf_store *store)
{
    return sf_store_incarnation(self_of(store)->inner);
}

static void
shared_renew(struct sf_store *store)
{
    sf_store_renew(self_of(store)->inner);
}

static void
shared_explain(struct sf_store *store, struct sf_error *error_out)
{
    struct sf_store *inner = self_of(store)->inner;
    inner->ops->explain(inner, error_out);
}

static enum sf_status
shared_follow(struct sf_store *store, sf_time until, struct sf_follow *follow)
{
    struct sf_store *inner = self_of(store)->inner;
    return inner->ops->follow(inner, until, follow);
}

static void
shared_report(struct sf_store *store, sf_store_tell_fn *tell, void *context)
{
    struct sf_store *inner = self_of(store)->inner;
    inner->ops->report(inner, tell, context);
}

static void
shared_close(struct sf_store *store)
{
    struct shared_store *self = self_of(store);
    sf_store_close(self->inner);
    pthread_cond_destroy(&self->is_free);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

/* ---- writing ---- */

/* Epochs of users are merged where the store may have lost some, and else written by who has read them. */
static bool
is_shared(const struct sf_write *write)
{
    struct sf_record_head head;
    return write->kind == SF_WRITE_PUT && sf_record_head(&head, write->record) == SF_OK
           && (head.lineage.size > 0 || (write->is_again && sf_user_epochs_are(&head)));
}

/* The row is looked at before anything is written. */
static bool
is_looked_at(const struct sf_write *write)
{
    return write->is_again && is_shared(write);
}

static bool
is_to_be_merged(const struct sf_write *write)
{
    return write->status == SF_CONFLICT && !write->is_exact && is_shared(write);
}

/* What has no lineage is stored over whatever is earlier. */
static void
expect(struct sf_write *write)
{
    if (write->expected != 0 || !is_shared(write))
        return;
    uint64_t base = sf_lineage_base(write->record);
    write->expected = base == 0 ? SF_EXPECTED_NONE : base;
}

/* Those that another host was faster with, or that are looked at first, for the next round. */
static void
collect_conflicts(struct round *round, struct sf_write *writes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_to_be_merged(&writes[i]))
            continue;
        struct item *item = &round->items[round->count++];
        *item = (struct item){.write = &writes[i]};
        sf_buffer_init(&item->row.record, SF_RECORD_BYTES_MAX);
        sf_buffer_init(&item->merged, SF_RECORD_BYTES_MAX);
    }
}

static void
load_rows(struct shared_store *self, struct round *round, sf_time deadline)
{
    round->of_store = sf_store_incarnation(self->inner);
    for (size_t i = 0; i < round->count; i++)
        round->loads[i] = (struct sf_load){
            .key = round->items[i].write->key, .stored = &round->items[i].row, .needs_truth = true};
    if (round->count > 0)
        shared_load(&self->base, round->loads, round->count, deadline);
}

static enum sf_status
merge(struct item *item, struct sf_write *again)
{
    struct sf_span row = sf_buffer_span(&item->row.record);
    struct sf_record_head theirs, merged;
    bool is_new;
    enum sf_status status = sf_record_merge(&item->merged, &is_new, row, item->write->record);
    if (status == SF_OK)
        status = sf_record_head(&theirs, row);
    if (status == SF_OK)
        status = sf_record_head(&merged, sf_buffer_span(&item->merged));
    if (status != SF_OK)
        return status == SF_NO_MEMORY ? status : SF_INVALID;
    item->is_merged = true;
    *again = *item->write;
    again->record = sf_buffer_span(&item->merged);
    again->version = merged.version;
    again->expected = theirs.version;
    if (again->last_access < item->row.last_access)
        again->last_access = item->row.last_access;
    again->expires = sf_record_expires(&merged, again->last_access);
    again->status = SF_CONFLICT;
    return is_new ? SF_CONFLICT : SF_OK;
}

/*
 * SF_OK: the row has it all. SF_CONFLICT: `again` is to be written. A row that is gone was lost, by a
 * store that was restarted without its data: what we have is all there is.
 */
static enum sf_status
prepare(struct item *item, const struct sf_load *load, struct sf_write *again)
{
    if (load->status == SF_OK && sf_span_equal(sf_buffer_span(&item->row.record), item->write->record))
        return SF_OK;
    if (load->status == SF_OK)
        return merge(item, again);
    if (load->status != SF_NOT_FOUND)
        return load->status == SF_CORRUPT ? SF_INVALID : load->status;
    *again = *item->write;
    again->expected = SF_EXPECTED_NONE;
    item->is_merged = false;
    return SF_CONFLICT;
}

static void
hand_out(struct item *item)
{
    struct sf_write *write = item->write;
    if (write->status != SF_OK || !item->is_merged || write->merged == NULL)
        return;
    struct sf_buffer former = *write->merged;
    *write->merged = item->merged;
    item->merged = former;
}

static void
finish_item(struct item *item)
{
    hand_out(item);
    sf_buffer_fini(&item->row.record);
    sf_buffer_fini(&item->merged);
}

/* Those that are through leave; the others stay, in order. */
static void
settle_round(struct round *round)
{
    size_t kept = 0;
    for (size_t i = 0; i < round->count; i++) {
        if (round->items[i].write->status == SF_CONFLICT)
            round->items[kept++] = round->items[i];
        else
            finish_item(&round->items[i]);
    }
    round->count = kept;
}

static void
run_round(struct shared_store *self, struct round *round, sf_time deadline)
{
    size_t count = 0;
    load_rows(self, round, deadline);
    for (size_t i = 0; i < round->count; i++) {
        struct item *item = &round->items[i];
        item->write->status = prepare(item, &round->loads[i], &round->writes[count]);
        round->writes[count].of_store = round->of_store;
        if (item->write->status == SF_CONFLICT)
            count++;
    }
    settle_round(round); /* now writes[i] is of items[i] */
    if (count > 0)
        (void)!self->inner->ops->write(self->inner, round->writes, count, deadline);
    for (size_t i = 0; i < count; i++) {
        round->items[i].write->status = round->writes[i].status;
        round->items[i].write->is_news = round->writes[i].is_news;
    }
    settle_round(round);
}

static void
merge_conflicts(struct shared_store *self, struct sf_write *writes, size_t count, sf_time deadline)
{
    struct round round = {
        .items = calloc(count, sizeof *round.items),
        .writes = calloc(count, sizeof *round.writes),
        .loads = calloc(count, sizeof *round.loads),
    };
    bool has_memory = round.items != NULL && round.writes != NULL && round.loads != NULL;
    if (has_memory)
        collect_conflicts(&round, writes, count);
    for (int i = 0; has_memory && round.count > 0 && i < ROUNDS_MAX && sf_clock_steady() < deadline; i++)
        run_round(self, &round, deadline);
    for (size_t i = 0; i < count; i++)
        if (is_to_be_merged(&writes[i]))
            writes[i].status = SF_UNAVAILABLE; /* it stays dirty, and is tried again */
    for (size_t i = 0; i < round.count; i++)
        finish_item(&round.items[i]);
    free(round.items);
    free(round.writes);
    free(round.loads);
}

static enum sf_status
write_to_inner(struct shared_store *self, struct sf_write *writes, size_t count, sf_time deadline)
{
    return count == 0 ? SF_OK : self->inner->ops->write(self->inner, writes, count, deadline);
}

/* But for those that are looked at first, which lie together: they are conflicts. */
static void
write_what_goes_through(struct shared_store *self, struct sf_write *writes, size_t count, sf_time deadline)
{
    size_t begin = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_looked_at(&writes[i]))
            continue;
        (void)!write_to_inner(self, writes + begin, i - begin, deadline);
        writes[i].status = SF_CONFLICT;
        begin = i + 1;
    }
    (void)!write_to_inner(self, writes + begin, count - begin, deadline);
}

static enum sf_status
shared_write(struct sf_store *store, struct sf_write *writes, size_t count, sf_time deadline)
{
    struct shared_store *self = self_of(store);
    for (size_t i = 0; i < count; i++) {
        expect(&writes[i]);
        writes[i].is_news = false;
        if (writes[i].kind == SF_WRITE_PUT && writes[i].merged != NULL)
            sf_buffer_clear(writes[i].merged);
    }
    write_what_goes_through(self, writes, count, deadline);
    size_t conflicts = 0;
    for (size_t i = 0; i < count; i++)
        conflicts += is_to_be_merged(&writes[i]);
    if (conflicts > 0)
        merge_conflicts(self, writes, count, deadline);
    return sf_store_worst(writes, count);
}

static void
init_reading(struct shared_store *self)
{
    pthread_condattr_t steady;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&self->is_free, &steady);
    pthread_condattr_destroy(&steady);
    pthread_mutex_init(&self->lock, NULL);
}

enum sf_status
sf_store_share(struct sf_store **store_out, struct sf_store *inner, sf_store_met_fn *met, void *context)
{
    struct shared_store *self = calloc(1, sizeof *self);
    *store_out = NULL;
    if (self == NULL) {
        sf_store_close(inner);
        return SF_NO_MEMORY;
    }
    init_reading(self);
    self->inner = inner;
    self->met = met;
    self->context = context;
    self->ops = *inner->ops;
    self->ops.open = NULL;
    self->ops.attach = shared_attach;
    self->ops.load = shared_load;
    self->ops.write = shared_write;
    self->ops.sweep = inner->ops->sweep == NULL ? NULL : shared_sweep;
    self->ops.scan = shared_scan;
    self->ops.follow = inner->ops->follow == NULL ? NULL : shared_follow;
    self->ops.report = inner->ops->report == NULL ? NULL : shared_report;
    self->ops.incarnation = inner->ops->incarnation == NULL ? NULL : shared_incarnation;
    self->ops.renew = shared_renew;
    self->ops.explain = shared_explain;
    self->ops.close = shared_close;
    self->base.ops = &self->ops;
    *store_out = &self->base;
    return SF_OK;
}
