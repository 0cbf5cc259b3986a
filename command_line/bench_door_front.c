/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "command_line/bench_door.h"
#include "common/front/front.h"

struct bench_door {
    struct sf_front *front;
    const struct sf_config *config;
    struct sf_loaded loaded;
    struct sf_ops change, end;
    unsigned char *value;
    uint32_t bytes;
};

static void
front_close(struct bench_door *door)
{
    sf_front_close(door->front);
    sf_loaded_fini(&door->loaded);
    sf_ops_fini(&door->change);
    sf_ops_fini(&door->end);
    free(door->value);
    free(door);
}

static struct bench_door *
front_open(const struct bench_stage *stage, uint32_t bytes)
{
    struct bench_door *door = calloc(1, sizeof *door);
    struct sf_error error;

    if (door == NULL)
        return NULL;
    door->config = &stage->config;
    door->bytes = bytes;
    door->value = malloc(bytes);
    sf_loaded_init(&door->loaded);
    sf_ops_init(&door->change);
    sf_ops_init(&door->end);
    if (door->value != NULL &&
        sf_ops_add_increment(&door->change, sf_span_text("n"), 1) == SF_OK &&
        sf_ops_add(&door->end, &(struct sf_op){.kind = SF_OP_END}) == SF_OK &&
        sf_front_open(&door->front, &stage->instance, NULL, &error) == SF_OK)
        return door;
    front_close(door);
    return NULL;
}

static enum sf_status
front_create(struct bench_door *door, struct bench_session *session)
{
    struct sf_ops ops;
    struct sf_saved saved;

    sf_ops_init(&ops);
    enum sf_status status = bench_door_fill(&ops, door->value, door->bytes, session->number);
    if (status == SF_OK)
        status = sf_front_apply(door->front, NULL, &ops, door->config, sf_clock_wall(), &saved);
    sf_ops_fini(&ops);
    if (status == SF_OK)
        session->key = saved.id.key;
    return status;
}

static enum sf_status
front_read(struct bench_door *door, const struct bench_session *session, int64_t *n_out)
{
    enum sf_status status = sf_front_load(door->front, &session->key, door->config, sf_clock_wall(),
                                          &door->loaded);

    if (status != SF_OK)
        return status;
    return bench_door_verify(&door->loaded.session, session->number, n_out);
}

static enum sf_status
front_change(struct bench_door *door, const struct bench_session *session)
{
    struct sf_saved saved;

    return sf_front_apply(door->front, &session->key, &door->change, door->config, sf_clock_wall(),
                          &saved);
}

static enum sf_status
front_end(struct bench_door *door, const struct bench_session *session)
{
    struct sf_saved saved;

    return sf_front_apply(door->front, &session->key, &door->end, door->config, sf_clock_wall(),
                          &saved);
}

const struct bench_door_ops bench_door_front = {
    .name = "session-fast",
    .open = front_open,
    .close = front_close,
    .create = front_create,
    .read = front_read,
    .change = front_change,
    .end = front_end,
};
