/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_load.h"

#include <hiredis.h>

#include "common/store/redis/store_redis_batch.h"
#include "common/store/redis/store_redis_rows.h"

struct loading {
    struct sf_load *loads;
    struct sf_redis_batch batch;
};

static enum sf_status
add_load(void *context, size_t call, struct sf_redis_connection *connection)
{
    struct loading *loading = context;
    return sf_redis_add_load(connection, &loading->loads[call].key);
}

/* A damaged row may be a reply that was somebody else's: it is asked for once more, on a new connection. */
static bool
take_row(void *context, size_t call, struct sf_redis_connection *connection, const struct redisReply *reply)
{
    struct loading *loading = context;
    struct sf_load *load = &loading->loads[call];
    struct sf_error *error = &loading->batch.error;
    char label[SF_KEY_LABEL + 1], text[sizeof label + 32];
    if (reply->type != REDIS_REPLY_ERROR)
        load->status = sf_redis_read_row(load->stored, &load->key, reply);
    else if (sf_redis_judge(connection, reply, error) == SF_INVALID)
        load->status = SF_CORRUPT;
    else
        load->status = SF_UNAVAILABLE;
    if (load->status == SF_CORRUPT) {
        sf_key_label(&load->key, label);
        snprintf(text, sizeof text, "session %s is damaged", label);
        sf_redis_fail(connection, SF_CORRUPT, text, error);
    }
    return load->status != SF_CORRUPT && !connection->must_leave;
}

static void
lose_load(void *context, size_t call, enum sf_status status)
{
    struct loading *loading = context;
    loading->loads[call].status = status == SF_NO_MEMORY ? SF_NO_MEMORY : SF_UNAVAILABLE;
}

static bool
load_some(struct sf_redis_lane *lane, struct sf_load *loads, size_t count, sf_time deadline, struct sf_error *error)
{
    struct loading loading = {.loads = loads};
    struct sf_redis_batch *batch = &loading.batch;
    *batch = (struct sf_redis_batch){.lane = lane, .is_read = true, .count = count, .add = add_load,
                                     .answer = take_row, .lose = lose_load, .context = &loading};
    for (size_t i = 0; i < count; i++)
        batch->calls[i].slot = sf_redis_key_slot(lane->server, &loads[i].key);
    size_t answered = sf_redis_batch_run(batch, deadline);
    if (batch->error.text[0] != '\0')
        *error = batch->error;
    return answered > 0;
}

bool
sf_redis_load(struct sf_redis_lane *lane, struct sf_load *loads, size_t count, sf_time deadline,
              struct sf_error *error)
{
    bool is_answered = true, was_answered = false;
    *error = (struct sf_error){.text = ""};
    sf_store_answer_loads(loads, count, SF_UNAVAILABLE);
    for (size_t at = 0; at < count && is_answered; at += SF_REDIS_LOADS_MAX) {
        size_t some = count - at < SF_REDIS_LOADS_MAX ? count - at : SF_REDIS_LOADS_MAX;
        is_answered = load_some(lane, loads + at, some, deadline, error);
        was_answered |= is_answered;
    }
    return was_answered;
}
