/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/epochs.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/session/merge.h"

#define CALL_DEADLINE (5 * SF_SECOND) /* of one call to the store */
#define ROUNDS_MAX 20                 /* each of them lost to another host */
#define LOOKS_MAX 3                   /* at what L1 has, while it is loaded at the same time */

struct row {
    struct sf_key key;
    struct sf_l1_question question; /* before the store was asked */
    struct sf_stored found;         /* what is there: */
    bool is_stored;                 /* in the store as it is */
    uint64_t expected;              /* of sf_write */
    struct sf_buffer next;
};

/* Owns all it needs: the words of the call are gone when the client is. */
struct epochs_task {
    struct caller_task base; /* first member */
    bool is_change;
    struct sf_user_epochs_change change;
    char user[SF_USER_MAX];
    sf_time give_up;         /* steady clock: of this round */
    size_t all, count;       /* rows; those that are not done yet stand in front */
    uint64_t of_store;       /* which incarnation of it was asked */
    int rounds;
    bool was_uncertain;
    uint32_t epoch, least;
    size_t passed_over;
    enum sf_status status;
    struct row rows[];
};

static void begin_round(struct epochs_task *self, struct daemon *daemon);

/* ---- life ---- */

static void
task_free(struct epochs_task *self)
{
    for (size_t i = 0; i < self->all; i++) {
        sf_buffer_fini(&self->rows[i].found.record);
        sf_buffer_fini(&self->rows[i].next);
    }
    free(self);
}

static struct epochs_task *
task_new(struct sf_span user, const struct sf_user_epochs_change *change)
{
    size_t all = change != NULL && change->step == SF_EPOCHS_END_ALL ? SF_USER_EPOCH_ROWS : 1;
    struct epochs_task *self = calloc(1, sizeof *self + all * sizeof self->rows[0]);
    if (self == NULL)
        return NULL;
    memcpy(self->user, user.data, user.size);
    self->is_change = change != NULL;
    if (change != NULL)
        self->change = *change;
    self->change.user = sf_span_of(self->user, user.size);
    self->all = self->count = all;
    for (size_t i = 0; i < all; i++) {
        self->rows[i].key = sf_user_epochs_key(all == 1 ? sf_user_epochs_row(user) : (unsigned)i);
        sf_buffer_init(&self->rows[i].found.record, SF_RECORD_BYTES_MAX);
        sf_buffer_init(&self->rows[i].next, SF_RECORD_BYTES_MAX);
    }
    return self;
}

/* Runs or not: when the daemon stops, what has not been run is only finished. */
static void
push(struct epochs_task *self, struct task_queue *queue, void (*run)(struct task *, struct daemon *),
     void (*finish)(struct task *, struct daemon *))
{
    self->status = SF_UNAVAILABLE;
    self->base.task.run = run;
    self->base.task.finish = finish;
    task_queue_push(queue, &self->base.task);
}

static void
conclude(struct epochs_task *self, struct daemon *daemon)
{
    if (self->passed_over > 0)
        sf_log_write(&daemon->log, SF_LOG_WARNING, "SF0122",
                     "so many users were logged out everywhere that %zu of them are not kept any more one by one: "
                     "whoever has logged in before the last of these, and shares their row, is logged out, too",
                     self->passed_over);
    if (self->status == SF_UNAVAILABLE && self->was_uncertain)
        self->status = SF_UNCERTAIN;
    caller_task_finish(&self->base, &(struct answer){.status = self->status, .task = &self->base});
    task_free(self);
}

/* ---- what there is, in the loader thread ---- */

/* The store may have gone back and not have been told yet, or there is none: then L1 has what is later. */
static enum sf_status
take_in_cached(struct row *row, const struct sf_record_head *there, struct daemon *daemon)
{
    struct sf_buffer cached, *found = &row->found.record;
    struct sf_l1_view view;
    struct sf_record_head here;
    bool is_new;
    enum sf_status status = SF_OK;
    sf_buffer_init(&cached, SF_RECORD_BYTES_MAX);
    sf_buffer_clear(&row->next);
    row->is_stored = true;
    if (sf_l1_get(daemon->l1, &row->key, &cached, &view) == SF_OK
        && sf_record_head(&here, sf_buffer_span(&cached)) == SF_OK && here.version > there->version) {
        row->is_stored = false;
        status = there->version == 0
                     ? sf_buffer_append_span(&row->next, sf_buffer_span(&cached))
                     : sf_record_merge(&row->next, &is_new, sf_buffer_span(found), sf_buffer_span(&cached));
        if (status == SF_OK) {
            struct sf_buffer former = *found;
            *found = row->next;
            row->next = former;
        }
    }
    sf_buffer_fini(&cached);
    return status;
}

static enum sf_status
take_answer(struct row *row, enum sf_status answer, struct daemon *daemon)
{
    struct sf_record_head head = {.version = 0};
    enum sf_status status = answer;
    if (answer == SF_OK)
        status = sf_record_head(&head, sf_buffer_span(&row->found.record));
    else if (answer == SF_NOT_FOUND)
        sf_buffer_clear(&row->found.record);
    row->expected = answer == SF_OK ? head.version : SF_EXPECTED_NONE;
    if (status == SF_OK || status == SF_NOT_FOUND)
        status = take_in_cached(row, &head, daemon);
    if (status == SF_OK && row->found.record.size == 0)
        status = sf_user_epochs_first(&row->found.record);
    return status;
}

static void
run_load(struct task *task, struct daemon *daemon)
{
    struct epochs_task *self = (struct epochs_task *)task;
    struct sf_load loads[SF_USER_EPOCH_ROWS];
    sf_time now = sf_clock_steady();
    if (now >= self->give_up)
        return; /* SF_UNAVAILABLE */
    for (size_t i = 0; i < self->count; i++)
        loads[i] = (struct sf_load){.key = self->rows[i].key, .stored = &self->rows[i].found, .needs_truth = true};
    self->of_store = sf_store_incarnation(daemon->store);
    atomic_store_explicit(&daemon->loader.busy_since, now, memory_order_relaxed);
    daemon->store->ops->load(daemon->store, loads, self->count, self->give_up);
    atomic_store_explicit(&daemon->loader.busy_since, 0, memory_order_relaxed);
    self->status = SF_OK;
    for (size_t i = 0; self->status == SF_OK && i < self->count; i++)
        self->status = take_answer(&self->rows[i], loads[i].status, daemon);
    if (self->status != SF_OK && self->status != SF_NO_MEMORY)
        self->status = SF_UNAVAILABLE;
    bool is_first = !self->is_change && self->status == SF_OK && !self->rows[0].question.is_here;
    if (is_first && sf_restore_doubts(&daemon->writer.restore, false, sf_clock_steady()))
        self->status = SF_CONFLICT;
}

/* ---- what follows, in the writer thread ---- */

static enum sf_status
prepare(struct epochs_task *self, struct row *row, struct sf_write *write)
{
    struct sf_record_head head;
    size_t passed_over = 0;
    enum sf_status status =
        sf_user_epochs_change(&row->next, &passed_over, sf_buffer_span(&row->found.record), &self->change);
    if (status == SF_OK)
        status = sf_record_head(&head, sf_buffer_span(&row->next));
    if (status != SF_OK)
        return status;
    self->passed_over = passed_over;
    self->epoch = (uint32_t)head.version;
    *write = (struct sf_write){
        .kind = SF_WRITE_PUT,
        .key = row->key,
        .version = head.version,
        .expected = row->expected,
        .of_store = self->of_store,
        .last_access = head.last_access,
        .record = sf_buffer_span(&row->next),
    };
    return SF_OK;
}

/* Those that are stored go behind the others. */
static void
settle(struct epochs_task *self, const struct sf_write *writes)
{
    size_t count = self->count;
    self->status = SF_OK;
    for (size_t i = count; i-- > 0;) {
        enum sf_status status = writes[i].status;
        self->was_uncertain |= status == SF_UNCERTAIN;
        if (status == SF_OK) {
            struct row done = self->rows[i];
            self->rows[i] = self->rows[--self->count];
            self->rows[self->count] = done;
        } else if (status != SF_CONFLICT && status != SF_UNCERTAIN) {
            self->status = SF_UNAVAILABLE;
        }
    }
}

static void
run_write(struct task *task, struct daemon *daemon)
{
    struct epochs_task *self = (struct epochs_task *)task;
    struct sf_write writes[SF_USER_EPOCH_ROWS];
    enum sf_status status = SF_OK;
    for (size_t i = 0; status == SF_OK && i < self->count; i++)
        status = prepare(self, &self->rows[i], &writes[i]);
    if (status != SF_OK) {
        self->status = status;
        return;
    }
    (void)!daemon->store->ops->write(daemon->store, writes, self->count, sf_clock_steady() + CALL_DEADLINE);
    settle(self, writes);
}

/* ---- in the main thread ---- */

static enum sf_status
tell_cache(struct daemon *daemon, struct row *row, const struct sf_buffer *record)
{
    const struct sf_l1_answer answer = {.record = sf_buffer_span(record)};
    enum sf_status status = sf_l1_confirm(daemon->l1, &row->key, &answer, &row->question);
    for (int i = 1; status == SF_CONFLICT && i < LOOKS_MAX; i++) {
        sf_l1_ask(daemon->l1, &row->key, &row->question);
        status = sf_l1_confirm(daemon->l1, &row->key, &answer, &row->question);
    }
    return status;
}

/*
 * The store has it. A load that is under way may have been answered before, and is made again. Where L1 has no room for
 * the row it must not keep an earlier one either; unless there is no store, which would know better.
 */
static void
take_stored(struct epochs_task *self, struct daemon *daemon, struct row *row)
{
    enum sf_status status = tell_cache(daemon, row, &row->next);
    loader_outdate(daemon, &row->key);
    if (status != SF_OK && daemon->is_volatile)
        self->status = SF_FULL;
    else if (status != SF_OK && sf_l1_drop(daemon->l1, &row->key) == SF_CONFLICT)
        loader_hear_of_anything(daemon);
}

static void
finish_write(struct task *task, struct daemon *daemon)
{
    struct epochs_task *self = (struct epochs_task *)task;
    for (size_t i = self->count; i < self->all; i++) {
        if (self->rows[i].next.size > 0) /* and was not taken in an earlier round */
            take_stored(self, daemon, &self->rows[i]);
        sf_buffer_clear(&self->rows[i].next);
    }
    if (self->status == SF_OK && self->count > 0 && ++self->rounds < ROUNDS_MAX && !daemon->server.is_stopping) {
        begin_round(self, daemon);
        return;
    }
    if (self->status == SF_OK && self->count > 0)
        self->status = SF_UNAVAILABLE;
    conclude(self, daemon);
}

static void
finish_load(struct task *task, struct daemon *daemon)
{
    struct epochs_task *self = (struct epochs_task *)task;
    struct sf_user_epoch epoch = {.next = 0};
    if (self->status == SF_OK && self->is_change && daemon->server.is_stopping)
        self->status = SF_UNAVAILABLE; /* who would write it may be gone */
    if (self->status == SF_OK && self->is_change) {
        push(self, &daemon->writer.queue, run_write, finish_write);
        return;
    }
    if (self->status == SF_OK)
        self->status = sf_user_epochs_read(&epoch, sf_buffer_span(&self->rows[0].found.record), self->change.user);
    if (self->status == SF_OK && self->rows[0].is_stored)
        (void)!tell_cache(daemon, &self->rows[0], &self->rows[0].found.record);
    self->epoch = epoch.next;
    self->least = epoch.least;
    conclude(self, daemon);
}

static void
begin_round(struct epochs_task *self, struct daemon *daemon)
{
    for (size_t i = 0; i < self->count; i++)
        sf_l1_ask(daemon->l1, &self->rows[i].key, &self->rows[i].question);
    self->give_up = sf_clock_steady() + CALL_DEADLINE;
    push(self, &daemon->loader.worker.queue, run_load, finish_load);
}

bool
epochs_begin(struct call *call, struct sf_span user, const struct sf_user_epochs_change *change, call_resume_fn *resume)
{
    struct epochs_task *self = task_new(user, change);
    if (self == NULL)
        return false;
    call_wait_for_task(call, &self->base, resume);
    begin_round(self, call->daemon);
    return true;
}

uint32_t
epochs_answer(const struct caller_task *task)
{
    return ((const struct epochs_task *)task)->epoch;
}

uint32_t
epochs_least(const struct caller_task *task)
{
    return ((const struct epochs_task *)task)->least;
}

/* ---- as far as L1 knows ---- */

static enum sf_status
peek(struct daemon *daemon, struct sf_span user, struct sf_l1_field *field_out)
{
    struct sf_key key = sf_user_epochs_key(sf_user_epochs_row(user));
    *field_out = (struct sf_l1_field){.is_here = false};
    return sf_l1_peek_integer(daemon->l1, &key, user, field_out);
}

bool
epochs_are_known(struct daemon *daemon, struct sf_span user)
{
    struct sf_key key = sf_user_epochs_key(sf_user_epochs_row(user));
    struct sf_l1_field field;
    (void)!peek(daemon, user, &field);
    const struct sf_l1_view view = {.since = field.since};
    return field.is_here && !daemon->is_store_only && !sf_l1_is_stale(daemon->l1, &key, &view);
}

uint32_t
epochs_cached(struct daemon *daemon, struct sf_span user)
{
    struct sf_l1_field field;
    (void)!peek(daemon, user, &field);
    return field.is_here ? (uint32_t)field.version : 0;
}

bool
epochs_refuse(struct daemon *daemon, const struct sf_record_head *head)
{
    struct sf_l1_field field;
    if (head->kind != SF_RECORD_SESSION || head->user.size == 0)
        return false;
    bool is_named = peek(daemon, head->user, &field) == SF_OK && head->user_epoch < (uint32_t)field.integer;
    return field.is_here && (is_named || head->user_epoch < field.user_epoch);
}
