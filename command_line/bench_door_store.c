/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program without a cache does: each read is a row read, each change a row read and a row
 * written, and committed. On a file of its own beside the instance's, through the same code as the
 * daemon's. One process at a time changes a session: nothing here merges.
 */
#include <stdlib.h>

#include "command_line/bench_door.h"
#include "common/session/life.h"
#include "common/store/store.h"

#define WAIT (10 * SF_SECOND)

struct bench_door {
    struct sf_store *store;
    const struct sf_config *config;
    struct sf_stored stored;
    struct sf_session session;
    struct sf_buffer record, scratch;
    struct sf_ops change;
    unsigned char *value;
    uint32_t bytes;
};

static void
store_close(struct bench_door *door)
{
    sf_store_close(door->store);
    sf_session_fini(&door->session);
    sf_buffer_fini(&door->stored.record);
    sf_buffer_fini(&door->record);
    sf_buffer_fini(&door->scratch);
    sf_ops_fini(&door->change);
    free(door->value);
    free(door);
}

static struct bench_door *
store_open(const struct bench_stage *stage, uint32_t bytes)
{
    struct bench_door *door = calloc(1, sizeof *door);
    struct sf_error error;

    if (door == NULL || !stage->is_private) {
        free(door);
        return NULL;
    }
    door->config = &stage->config;
    door->bytes = bytes;
    door->value = malloc(bytes);
    sf_session_init(&door->session);
    sf_buffer_init(&door->stored.record, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&door->record, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&door->scratch, SF_RECORD_BYTES_MAX);
    sf_ops_init(&door->change);
    if (door->value != NULL &&
        sf_ops_add_increment(&door->change, sf_span_text("n"), 1) == SF_OK &&
        sf_store_open(&door->store, "sqlite:alone.db", stage->state, &error) == SF_OK &&
        door->store->ops->attach(door->store, sf_clock_steady() + WAIT, &error) == SF_OK)
        return door;
    store_close(door);
    return NULL;
}

static enum sf_status
write_session(struct bench_door *door, const struct sf_key *key)
{
    enum sf_status status =
        sf_session_encode(&door->session, SF_RECORD_BYTES_MAX, &door->record);

    if (status != SF_OK)
        return status;
    const struct sf_record_head *head = &door->session.head;
    struct sf_write write = {
        .kind = SF_WRITE_PUT,
        .key = *key,
        .version = head->version,
        .last_access = head->last_access,
        .expires = sf_record_expires(head, head->last_access),
        .record = sf_buffer_span(&door->record),
    };
    return door->store->ops->write(door->store, &write, 1, sf_clock_steady() + WAIT);
}

static enum sf_status
apply_and_write(struct bench_door *door, const struct sf_key *key, const struct sf_ops *ops)
{
    struct sf_ops_outcome outcome;

    sf_buffer_clear(&door->scratch);
    enum sf_status status =
        sf_ops_apply(&door->session, ops, sf_clock_wall(), &door->scratch, &outcome);
    return status == SF_OK ? write_session(door, key) : status;
}

static enum sf_status
load(struct bench_door *door, const struct sf_key *key)
{
    enum sf_status status =
        sf_store_load_one(door->store, key, sf_clock_steady() + WAIT, &door->stored);

    if (status == SF_OK)
        status = sf_session_decode(&door->session, sf_buffer_span(&door->stored.record));
    return status;
}

static enum sf_status
store_create(struct bench_door *door, struct bench_session *session)
{
    struct sf_ops ops;

    sf_store_u64(session->key.bytes, (session->number + 1) * 0x9E3779B97F4A7C15u);
    sf_store_u64(session->key.bytes + 8, session->number);
    sf_session_fini(&door->session);
    sf_session_init(&door->session);
    sf_session_begin(&door->session, sf_clock_wall(), door->config->idle_timeout,
                     door->config->absolute_timeout);
    sf_ops_init(&ops);
    enum sf_status status = bench_door_fill(&ops, door->value, door->bytes, session->number);
    if (status == SF_OK)
        status = apply_and_write(door, &session->key, &ops);
    sf_ops_fini(&ops);
    return status;
}

static enum sf_status
store_read(struct bench_door *door, const struct bench_session *session, int64_t *n_out)
{
    enum sf_status status = load(door, &session->key);

    if (status != SF_OK)
        return status;
    return bench_door_verify(&door->session, session->number, n_out);
}

static enum sf_status
store_change(struct bench_door *door, const struct bench_session *session)
{
    enum sf_status status = load(door, &session->key);

    return status == SF_OK ? apply_and_write(door, &session->key, &door->change) : status;
}

static enum sf_status
store_end(struct bench_door *door, const struct bench_session *session)
{
    enum sf_status status = load(door, &session->key);

    if (status != SF_OK)
        return status;
    sf_session_end(&door->session, SF_END_LOGOUT, sf_clock_wall(),
                   door->config->tombstone_lifetime);
    door->session.head.version++;
    return write_session(door, &session->key);
}

const struct bench_door_ops bench_door_store = {
    .name = "store alone",
    .open = store_open,
    .close = store_close,
    .create = store_create,
    .read = store_read,
    .change = store_change,
    .end = store_end,
};
