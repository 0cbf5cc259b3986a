/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/write_through.h"

#include <stdlib.h>

#include "common/session/life.h"
#include "common/session/lineage_keep.h"
#include "session_daemon/touch_through.h"

#define WRITE_DEADLINE (5 * SF_SECOND)
#define WRITES_MAX 2      /* of one change */
#define WRITES_AT_ONCE 64 /* changes in one call of the store */

/* One change: the session's new record, and for a rotation what the old key holds from now on. */
struct write_through {
    struct caller_task base;    /* first member */
    struct sf_key held;         /* until this is done; see loader_hold */
    bool has_held;
    struct sf_buffer records[WRITES_MAX];
    struct sf_write writes[WRITES_MAX];
    size_t count;
    struct sf_l1_applied applied;
    uint64_t host;              /* see sf_l1_host */
    enum sf_status status;
};

static void
write_through_free(struct write_through *self)
{
    sf_buffer_fini(&self->records[0]);
    sf_buffer_fini(&self->records[1]);
    free(self);
}

static struct write_through *
write_through_new(void)
{
    struct write_through *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    sf_buffer_init(&self->records[0], SF_RECORD_BYTES_MAX);
    sf_buffer_init(&self->records[1], SF_RECORD_BYTES_MAX);
    return self;
}

/* ---- in the writer thread ---- */

/* All that wait at the same time share a transaction. */
struct group {
    struct write_through *members[WRITES_AT_ONCE];
    size_t count;
    struct sf_write writes[WRITES_AT_ONCE * WRITES_MAX];
    size_t write_count;
};

static void
enter(struct group *group, struct write_through *self)
{
    group->members[group->count++] = self;
    for (size_t i = 0; i < self->count; i++)
        group->writes[group->write_count++] = self->writes[i];
}

static void
write_group(struct group *group, struct sf_store *store, sf_time deadline)
{
    const struct sf_write *write = group->writes;
    if (group->write_count > 0)
        (void)!store->ops->write(store, group->writes, group->write_count, deadline);
    for (size_t i = 0; i < group->count; i++) {
        struct write_through *self = group->members[i];
        self->status = sf_store_worst(write, self->count);
        write += self->count;
    }
}

/*
 * A lost answer is asked for once more, which repeats nothing: writes carry their version, and what another host has
 * made of the row meanwhile is merged. Whatever the second attempt says but "done", the first may have done it.
 */
static void
ask_again(struct write_through *self, struct sf_store *store, sf_time deadline)
{
    for (size_t i = 0; i < self->count; i++) {
        self->writes[i].is_exact = false;
        self->writes[i].is_again = true;
    }
    if (store->ops->write(store, self->writes, self->count, deadline) == SF_OK)
        self->status = SF_OK;
}

static void
tell_journal(const struct write_through *self, struct sf_journal *journal, sf_time written)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->status == SF_OK)
            sf_journal_stored(journal, &self->writes[i].key, self->writes[i].version, written);
        else if (self->status == SF_UNCERTAIN)
            sf_journal_doubt(journal, &self->writes[i].key);
    }
}

static void
run_write(struct task *task, struct daemon *daemon)
{
    struct group group = {.count = 0};
    sf_time written = sf_clock_steady(), deadline = written + WRITE_DEADLINE;
    while (task != NULL) {
        enter(&group, (struct write_through *)task);
        task = group.count < WRITES_AT_ONCE ? task_queue_pop_same(&daemon->writer.queue, run_write) : NULL;
    }
    write_group(&group, daemon->store, deadline);
    for (size_t i = 0; i < group.count; i++) {
        struct write_through *self = group.members[i];
        if (self->status == SF_UNCERTAIN)
            ask_again(self, daemon->store, deadline);
        tell_journal(self, daemon->journaler.journal, written);
        if (i > 0) /* the first one is the writer's to hand on */
            task_queue_push(&daemon->server.done, &self->base.task);
    }
}

/* ---- in the main thread ---- */

static void
finish_write(struct task *task, struct daemon *daemon)
{
    struct write_through *self = (struct write_through *)task;
    caller_task_finish(&self->base, &(struct answer){.status = self->status, .task = &self->base});
    if (self->has_held)
        loader_release(daemon, &self->held);
    write_through_free(self);
}

static enum sf_status
add_write(struct write_through *self, const struct sf_key *key, const struct sf_session *session, size_t max_bytes)
{
    struct sf_buffer *record = &self->records[self->count];
    enum sf_status status = sf_session_encode(session, max_bytes, record);
    if (status != SF_OK)
        return status;
    self->writes[self->count++] = (struct sf_write){
        .kind = SF_WRITE_PUT,
        .key = *key,
        .version = session->head.version,
        .last_access = session->head.last_access,
        .expires = sf_record_expires(&session->head, session->head.last_access),
        .record = sf_buffer_span(record),
    };
    return SF_OK;
}

/* A version that the store has already: it would take nothing of it but the last access. */
static void
add_touch(struct write_through *self, const struct sf_key *key, const struct sf_session *session)
{
    self->writes[self->count++] = (struct sf_write){
        .kind = SF_WRITE_TOUCH,
        .key = *key,
        .last_access = session->head.last_access,
        .expires = sf_record_expires(&session->head, session->head.last_access),
    };
}

/* The session as it was, under its old key. */
static enum sf_status
add_former(struct write_through *self, const struct sf_key *key, const struct sf_l1_change *change,
           const struct sf_stored *found, uint64_t version)
{
    struct sf_session former;
    struct sf_buffer lineage;
    sf_session_init(&former);
    sf_buffer_init(&lineage, SF_LINEAGE_BYTES_MAX);
    enum sf_status status = sf_session_decode(&former, sf_buffer_span(&found->record));
    former.is_stored = !found->is_journalled;
    if (status == SF_OK)
        status = sf_lineage_of_end(&lineage, &former, self->host, version);
    if (status == SF_OK) {
        const struct sf_replacement replacement = {
            .version = version,
            .successor = sf_ops_has(change->ops, SF_OP_LOGIN) ? NULL : change->new_key,
            .now = change->now,
            .grace = change->rotate_grace,
            .tombstone_lifetime = change->tombstone_lifetime,
        };
        sf_session_replace(&former, &replacement);
        status = add_write(self, key, &former, SF_RECORD_BYTES_MAX);
    }
    sf_buffer_fini(&lineage);
    sf_session_fini(&former);
    return status;
}

/* SF_OK: the session as the change finds it. */
static enum sf_status
find_session(struct sf_session *session, const struct sf_l1_change *change, const struct sf_stored *found)
{
    if (found == NULL) {
        sf_session_begin(session, change->now, change->idle_timeout, change->absolute_timeout);
        return change->may_create && sf_ops_may_create(change->ops) ? SF_OK : SF_NOT_FOUND;
    }
    enum sf_status status = sf_session_decode(session, sf_buffer_span(&found->record));
    if (status != SF_OK)
        return status;
    if (session->head.kind == SF_RECORD_ENDED)
        return SF_NOT_FOUND; /* a successor would have to be loaded first: its cookie is on its way to the browser */
    if (session->head.last_access < found->last_access)
        session->head.last_access = found->last_access;
    return SF_OK;
}

/* All records that the change makes. `scratch` is what APPEND needs. */
static enum sf_status
make_writes(struct write_through *self, struct sf_session *session, const struct sf_key *key,
            const struct sf_l1_change *change, const struct answer *answer, struct sf_buffer *scratch)
{
    const struct sf_stored *found = answer == NULL ? NULL : answer->stored;
    struct sf_ops_outcome outcome;
    struct sf_ops ops = *change->ops;
    ops.host = self->host;
    enum sf_status status = find_session(session, change, found);
    session->is_stored = found != NULL && !found->is_journalled;
    sf_time last_access = session->head.last_access;
    if (status == SF_OK)
        status = sf_ops_apply(session, &ops, change->now, scratch, &outcome);
    if (status != SF_OK)
        return status;
    bool is_created = found == NULL;
    bool is_rotated = !is_created && outcome.wants_new_id && !outcome.ended;
    if (is_created && (outcome.ended || !outcome.changed))
        return SF_NOT_FOUND;
    if (outcome.ended)
        sf_session_end(session, change->end_reason, change->now, change->tombstone_lifetime);
    self->applied = (struct sf_l1_applied){
        .key = is_created || is_rotated ? *change->new_key : *key,
        .version = session->head.version,
        .created = is_created,
        .rotated = is_rotated,
        .ended = outcome.ended,
        .changed = outcome.changed,
    };
    if (!outcome.changed) {
        if (touch_is_due(&session->head, last_access, change->now))
            add_touch(self, key, session);
        return SF_OK;
    }
    /* The new id first: what ends the old one leads there. */
    status = add_write(self, &self->applied.key, session, outcome.ended ? SF_RECORD_BYTES_MAX : change->max_bytes);
    if (status == SF_OK && is_rotated)
        status = add_former(self, key, change, found, session->head.version);
    for (size_t i = 0; i < self->count; i++)
        self->writes[i].is_again = is_rotated; /* since it was loaded the store may have gone back */
    self->writes[0].is_exact = !is_created && !is_rotated;
    self->writes[0].of_store = is_created ? 0 : answer->of_store;
    return status;
}

static enum sf_status
make(struct write_through *self, const struct sf_key *key, const struct sf_l1_change *change,
     const struct answer *found)
{
    struct sf_session session;
    struct sf_buffer scratch;
    sf_session_init(&session);
    sf_buffer_init(&scratch, SF_RECORD_BYTES_MAX);
    enum sf_status status = make_writes(self, &session, key, change, found, &scratch);
    sf_session_fini(&session);
    sf_buffer_fini(&scratch);
    return status;
}

enum sf_status
write_through_begin(struct call *call, const struct sf_key *key, const struct sf_l1_change *change,
                    const struct answer *found, call_resume_fn *resume)
{
    struct write_through *self = write_through_new();
    if (self == NULL)
        return SF_NO_MEMORY;
    self->host = sf_l1_host(call->daemon->l1);
    enum sf_status status = make(self, key, change, found);
    if (status != SF_OK) {
        write_through_free(self);
        return status;
    }
    self->status = SF_UNAVAILABLE; /* if nobody runs it any more */
    self->has_held = key != NULL;
    if (key != NULL)
        self->held = *key;
    self->base.task.run = run_write;
    self->base.task.finish = finish_write;
    call_wait_for_task(call, &self->base, resume);
    task_queue_push(&call->daemon->writer.queue, &self->base.task);
    return SF_OK;
}

const struct sf_l1_applied *
write_through_applied(const struct caller_task *task)
{
    return &((const struct write_through *)task)->applied;
}
