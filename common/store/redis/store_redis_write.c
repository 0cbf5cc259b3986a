/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_redis_write.c - one script for each change; in a Cluster, where a user's index is in another
 * slot than his session, a second one for that afterwards.
 *
 * A change counts as written when both have answered. Where the second one is missing it is written again, which is
 * harmless: the first one then changes nothing, and the second one is repeated. An entry too many does no harm either:
 * who reads the index looks at the sessions.
 */
#include "common/store/redis/store_redis_write.h"

#include <hiredis.h>

#include "common/store/redis/store_redis_batch.h"
#include "common/store/redis/store_redis_rows.h"
#include "common/store/redis/store_redis_script.h"

/* An entry of an index that is to be written. */
struct entry {
    size_t write;
    size_t name, name_size; /* of the user, in `names` */
    bool is_final;          /* his session has ended: it goes no later than this says */
};

struct writing {
    struct sf_write *writes;
    size_t at[SF_REDIS_CALLS_MAX]; /* of each call */
    struct entry entries[SF_REDIS_CALLS_MAX];
    size_t entry_count;
    struct sf_buffer names;
    struct sf_redis_batch batch;
};

/* ---- sessions ---- */

static enum sf_status
add_session(void *context, size_t call, struct sf_redis_connection *connection)
{
    struct writing *writing = context;
    return sf_redis_add_write(connection, &writing->writes[writing->at[call]]);
}

static enum sf_status
note_entry(struct writing *writing, size_t at, struct sf_span user, bool is_final)
{
    if (user.size == 0)
        return SF_OK;
    writing->entries[writing->entry_count] = (struct entry){at, writing->names.size, user.size, is_final};
    enum sf_status status = sf_buffer_append_span(&writing->names, user);
    writing->entry_count += status == SF_OK;
    return status;
}

/* After a change in a Cluster: SF_OK, or why its user's index cannot be told. */
static enum sf_status
note_user(struct writing *writing, size_t at, const struct redisReply *reply)
{
    const struct sf_write *write = &writing->writes[at];
    struct sf_record_head head;
    if (write->kind == SF_WRITE_PUT && sf_record_head(&head, write->record) == SF_OK)
        return note_entry(writing, at, head.user, head.kind == SF_RECORD_ENDED);
    if (write->kind == SF_WRITE_TOUCH && reply->type == REDIS_REPLY_STRING)
        return note_entry(writing, at, sf_span_of(reply->str, reply->len), false);
    return SF_OK;
}

static enum sf_status
meaning_of(const struct sf_write *write, const struct redisReply *reply)
{
    static const enum sf_status meant[] = {
        [SF_REDIS_MISSING] = SF_NOT_FOUND, [SF_REDIS_DONE] = SF_OK, [SF_REDIS_CONFLICT] = SF_CONFLICT,
        [SF_REDIS_KNOWN] = SF_OK};
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0 && reply->integer <= SF_REDIS_KNOWN)
        return meant[reply->integer];
    return write->kind == SF_WRITE_TOUCH && reply->type == REDIS_REPLY_STRING ? SF_OK : SF_UNCERTAIN;
}

static bool
take_answer(void *context, size_t call, struct sf_redis_connection *connection, const struct redisReply *reply)
{
    struct writing *writing = context;
    size_t at = writing->at[call];
    struct sf_write *write = &writing->writes[at];
    write->is_news = reply->type == REDIS_REPLY_INTEGER && reply->integer == SF_REDIS_DONE;
    if (reply->type == REDIS_REPLY_ERROR)
        write->status = sf_redis_judge(connection, reply, &writing->batch.error);
    else
        write->status = meaning_of(write, reply);
    if (write->status == SF_OK && connection->server->kind == SF_REDIS_CLUSTER
        && note_user(writing, at, reply) != SF_OK)
        write->status = SF_UNCERTAIN;
    return write->status != SF_UNAVAILABLE || !connection->must_leave;
}

static void
lose_session(void *context, size_t call, enum sf_status status)
{
    struct writing *writing = context;
    writing->writes[writing->at[call]].status = status;
}

/* ---- indexes ---- */

static struct sf_span
user_of(const struct writing *writing, const struct entry *entry)
{
    return sf_span_of(writing->names.data + entry->name, entry->name_size);
}

static enum sf_status
add_entry(void *context, size_t call, struct sf_redis_connection *connection)
{
    struct writing *writing = context;
    const struct entry *entry = &writing->entries[call];
    return sf_redis_add_entry(connection, user_of(writing, entry), &writing->writes[entry->write], entry->is_final);
}

static bool
take_consent(void *context, size_t call, struct sf_redis_connection *connection, const struct redisReply *reply)
{
    struct writing *writing = context;
    struct sf_write *write = &writing->writes[writing->entries[call].write];
    bool is_done = reply->type == REDIS_REPLY_INTEGER && reply->integer == SF_REDIS_DONE;
    if (reply->type == REDIS_REPLY_ERROR)
        (void)!sf_redis_judge(connection, reply, &writing->batch.error);
    write->status = is_done ? SF_OK : SF_UNCERTAIN;
    return is_done || !connection->must_leave;
}

static void
lose_entry(void *context, size_t call, enum sf_status status)
{
    struct writing *writing = context;
    (void)status;
    writing->writes[writing->entries[call].write].status = SF_UNCERTAIN;
}

/* Of those that were noted before their answer turned out to be worth nothing. */
static void
drop_entries(struct writing *writing)
{
    size_t kept = 0;
    for (size_t i = 0; i < writing->entry_count; i++)
        if (writing->writes[writing->entries[i].write].status == SF_OK)
            writing->entries[kept++] = writing->entries[i];
    writing->entry_count = kept;
}

static void
write_entries(struct writing *writing, sf_time deadline)
{
    struct sf_redis_batch *batch = &writing->batch;
    drop_entries(writing);
    *batch = (struct sf_redis_batch){.lane = batch->lane, .count = writing->entry_count, .add = add_entry,
                                     .answer = take_consent, .lose = lose_entry, .context = writing,
                                     .error = batch->error};
    for (size_t i = 0; i < batch->count; i++)
        batch->calls[i].slot = sf_redis_index_slot(batch->lane->server, user_of(writing, &writing->entries[i]));
    (void)!sf_redis_batch_run(batch, deadline);
}

/* ---- a batch ---- */

/* From *next on, as many as are one batch; false: nobody has answered. */
static bool
write_some(struct writing *writing, size_t count, size_t *next, sf_time deadline)
{
    struct sf_redis_batch *batch = &writing->batch;
    *batch = (struct sf_redis_batch){.lane = batch->lane, .add = add_session, .answer = take_answer,
                                     .lose = lose_session, .context = writing, .error = batch->error};
    writing->entry_count = 0;
    sf_buffer_clear(&writing->names);
    for (; *next < count && batch->count < SF_REDIS_CALLS_MAX; ++*next) {
        if (writing->writes[*next].status != SF_UNAVAILABLE)
            continue;
        writing->at[batch->count] = *next;
        batch->calls[batch->count++].slot =
            sf_redis_key_slot(batch->lane->server, &writing->writes[*next].key);
    }
    bool is_answered = batch->count == 0 || sf_redis_batch_run(batch, deadline) > 0;
    if (writing->entry_count > 0)
        write_entries(writing, deadline);
    return is_answered;
}

void
sf_redis_write(struct sf_redis_lane *lane, struct sf_write *writes, size_t count, sf_time deadline,
               struct sf_error *error)
{
    struct writing writing = {.writes = writes, .batch.lane = lane};
    bool goes_on = true;
    sf_buffer_init(&writing.names, SF_REDIS_CALLS_MAX * SF_USER_MAX);
    for (size_t i = 0; i < count; i++)
        writes[i].status = writes[i].version > INT64_MAX ? SF_INVALID : SF_UNAVAILABLE;
    for (size_t next = 0; next < count && goes_on;)
        goes_on = write_some(&writing, count, &next, deadline);
    sf_buffer_fini(&writing.names);
    *error = writing.batch.error;
}
