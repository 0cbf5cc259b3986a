/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/lineage_keep.h"

static enum sf_status
note_name(struct sf_lineage *lineage, struct sf_span name, uint64_t host, uint64_t version)
{
    return sf_lineage_note_set(lineage, &(struct sf_lineage_set){name, host, version});
}

static enum sf_status
note_all(struct sf_lineage *lineage, const struct sf_session *session, uint64_t host,
         uint64_t version)
{
    enum sf_status status = SF_OK;

    for (size_t i = 0; status == SF_OK && i < session->count; i++)
        status = note_name(lineage, session->fields[i].name, host, version);
    return status;
}

/*
 * What was changed while no other host shared the store, and is not stored yet, says nothing of that:
 * then all of it has been set.
 */
static enum sf_status
begin_without(struct sf_lineage *lineage, const struct sf_session *before, uint64_t host)
{
    uint64_t version = before->head.version + 1;

    sf_lineage_begin(lineage, 0);
    enum sf_status status = before->head.version == 0
                                ? SF_OK
                                : note_name(lineage, sf_span_of(NULL, 0), host, version);
    return status == SF_OK ? note_all(lineage, before, host, version) : status;
}

/* What a change of `before` adds to. */
static enum sf_status
take_up(struct sf_lineage *lineage, const struct sf_session *before, uint64_t host)
{
    enum sf_status status = sf_lineage_decode(lineage, before->head.lineage);

    if (status != SF_OK)
        return status;
    if (before->is_stored)
        sf_lineage_begin(lineage, before->head.version);
    else if (before->head.lineage.size == 0)
        return begin_without(lineage, before, host);
    return SF_OK;
}

static enum sf_status
note_sum(struct sf_lineage *lineage, const struct sf_op *op, uint64_t host, uint64_t version)
{
    if (lineage->sum_count >= SF_LINEAGE_SUMS_MAX)
        return note_name(lineage, op->name, host, version);
    return sf_lineage_note_sum(lineage, &(struct sf_lineage_sum){op->name, host, op->delta});
}

static enum sf_status
note_op(struct sf_lineage *lineage, const struct sf_op *op, const struct sf_session *before,
        uint64_t host)
{
    uint64_t version = before->head.version + 1;

    switch (op->kind) {
    case SF_OP_SET:
    case SF_OP_UNSET:
    case SF_OP_APPEND:
    case SF_OP_COMPARE_AND_SET:
    case SF_OP_POP:
        return note_name(lineage, op->name, host, version);
    case SF_OP_INCREMENT:
        return note_sum(lineage, op, host, version);
    case SF_OP_CLEAR:
        return note_all(lineage, before, host, version);
    case SF_OP_MARK:
    case SF_OP_UNMARK:
        return note_name(lineage, sf_span_of(NULL, 0), host, version);
    case SF_OP_LOGIN:
    case SF_OP_ROTATE:
    case SF_OP_TOUCH:
    case SF_OP_END:
        return SF_OK;
    }
    return SF_INVALID;
}

static enum sf_status
note_ops(struct sf_lineage *lineage, const struct sf_ops *ops, const struct sf_session *before)
{
    enum sf_status status = take_up(lineage, before, ops->host);

    for (size_t i = 0; status == SF_OK && i < ops->count; i++)
        status = note_op(lineage, &ops->items[i], before, ops->host);
    return status;
}

/* Whose end it is wins, whatever was in it. */
static enum sf_status
note_end(struct sf_lineage *lineage, const struct sf_session *before, uint64_t host)
{
    enum sf_status status = take_up(lineage, before, host);

    sf_lineage_forget(lineage);
    return status;
}

/* A session with a new id is new to the store, whatever it comes from. */
enum sf_status
sf_lineage_of_change(struct sf_buffer *bytes, const struct sf_session *before,
                     const struct sf_session *after, const struct sf_ops *ops,
                     const struct sf_ops_outcome *outcome)
{
    struct sf_lineage lineage;
    enum sf_status status = SF_OK;

    sf_lineage_init(&lineage);
    if (outcome->ended)
        status = note_end(&lineage, before, ops->host);
    else if (!outcome->wants_new_id)
        status = note_ops(&lineage, ops, before);
    sf_lineage_merge_to(&lineage, ops->host, after->head.version);
    if (status == SF_OK)
        status = sf_lineage_encode(&lineage, bytes);
    sf_lineage_fini(&lineage);
    return status;
}

enum sf_status
sf_lineage_of_end(struct sf_buffer *bytes, struct sf_session *session, uint64_t host,
                  uint64_t version)
{
    struct sf_lineage lineage;
    enum sf_status status = SF_OK;

    sf_lineage_init(&lineage);
    if (host != 0)
        status = note_end(&lineage, session, host);
    sf_lineage_merge_to(&lineage, host, version);
    if (status == SF_OK && host != 0)
        status = sf_lineage_encode(&lineage, bytes);
    if (status == SF_OK)
        session->head.lineage = sf_buffer_span(bytes);
    sf_lineage_fini(&lineage);
    return status;
}
