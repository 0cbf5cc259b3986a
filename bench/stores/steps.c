/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session's life, step by step: the same step of all sessions of a round, then the next. A first read is one of a
 * session that the cache of the host has given up; what it forgets of the plain client is its memcached's.
 */
#include <stdlib.h>
#include <time.h>

#include <apr_general.h>

#include "bench/load/draw.h"
#include "bench/stores/plain.h"
#include "bench/stores/rounds.h"
#include "command_line/bench_door.h"
#include "common/cache/l1.h"
#include "common/config/config_file.h"

#define WARM_READS 20 /* of each session */
#define PATIENCE (10 * SF_SECOND)
#define CHANGES 2000
#define CHANGED_SESSIONS 100
#define CHANGE_EVERY_NS 1000000
#define SEED 20260131

struct steps {
    const struct rounds_request *request;
    struct bench_stage bare_stage; /* of a daemon with the same store and no cache */
    struct bench_door *bare_door;  /* NULL: there is none */
    struct bench_stage stage, stored_stage, memory_stage; /* of the same daemon: other durabilities */
    struct bench_door *door, *stored_door, *memory_door;
    struct sf_l1 *l1;
    struct plain *alone, *cached; /* the second uses the first; NULL: none */
    struct plain *plain;          /* which of them is at it */
    struct bench_session *sessions;
    uint64_t next_number, version;
    struct sf_buffer found;
    char *value;
};

/* ---- ours; each of the session of that index ---- */

static bool
create(struct steps *steps, uint32_t i)
{
    steps->sessions[i].number = steps->next_number++;
    return bench_door_front.create(steps->door, &steps->sessions[i]) == SF_OK;
}

static bool
drop(struct steps *steps, uint32_t i)
{
    return sf_l1_drop(steps->l1, &steps->sessions[i].key) == SF_OK;
}

static bool
read_one(struct steps *steps, uint32_t i)
{
    int64_t n;

    return bench_door_front.read(steps->door, &steps->sessions[i], &n) == SF_OK;
}

static bool
change(struct steps *steps, uint32_t i)
{
    return bench_door_front.change(steps->door, &steps->sessions[i]) == SF_OK;
}

static bool
change_stored(struct steps *steps, uint32_t i)
{
    return bench_door_front.change(steps->stored_door, &steps->sessions[i]) == SF_OK;
}

static bool
end(struct steps *steps, uint32_t i)
{
    return bench_door_front.end(steps->door, &steps->sessions[i]) == SF_OK;
}

static bool
end_in_memory(struct steps *steps, uint32_t i)
{
    return bench_door_front.end(steps->memory_door, &steps->sessions[i]) == SF_OK;
}

static bool
flush(struct steps *steps, uint32_t i)
{
    return i > 0 || bench_stage_flush(&steps->stage);
}

/* ---- the plain client ---- */

static struct sf_span
make_value(struct steps *steps, uint32_t i)
{
    plain_value(steps->value, steps->request->bytes, i, steps->version);
    return sf_span_of(steps->value, steps->request->bytes);
}

static bool
plain_create(struct steps *steps, uint32_t i)
{
    char id[PLAIN_ID_TEXT];

    plain_id(id, i);
    steps->version += i == 0; /* each step writes other values */
    return steps->plain->ops->create(steps->plain, id, make_value(steps, i));
}

static bool
plain_read(struct steps *steps, uint32_t i)
{
    char id[PLAIN_ID_TEXT];

    plain_id(id, i);
    return steps->plain->ops->read(steps->plain, id, &steps->found) &&
           sf_span_equal(sf_buffer_span(&steps->found), make_value(steps, i));
}

static bool
plain_forget(struct steps *steps, uint32_t i)
{
    char id[PLAIN_ID_TEXT];

    plain_id(id, i);
    return steps->plain->ops->forget == NULL || steps->plain->ops->forget(steps->plain, id);
}

static bool
plain_save(struct steps *steps, uint32_t i)
{
    char id[PLAIN_ID_TEXT];

    plain_id(id, i);
    steps->version += i == 0;
    return steps->plain->ops->save(steps->plain, id, make_value(steps, i));
}

static bool
plain_end(struct steps *steps, uint32_t i)
{
    char id[PLAIN_ID_TEXT];

    plain_id(id, i);
    return steps->plain->ops->end(steps->plain, id);
}

/* ---- measuring ---- */

typedef bool step_fn(struct steps *steps, uint32_t i);

struct step {
    const char *name; /* NULL: not measured */
    step_fn *run;
    unsigned times;
    unsigned from, to; /* quarters of the sessions */
};

static const struct step our_steps[] = {
    {"create", create, 1, 0, 4},
    {"create, behind", flush, 1, 0, 4},
    {NULL, drop, 1, 0, 4},
    {"first read", read_one, 1, 0, 4},
    {NULL, drop, 1, 0, 4},
    {"first read again", read_one, 1, 0, 4},
    {"warm read", read_one, WARM_READS, 0, 4},
    {"save", change, 1, 0, 4},
    {"save, behind", flush, 1, 0, 4},
    {"save, stored", change_stored, 1, 0, 1},
    {"end", end, 1, 0, 2},
    {"end, in memory", end_in_memory, 1, 2, 4},
    {NULL, flush, 1, 0, 4},
};

static const struct step bare_steps[] = {
    {"create", create, 1, 0, 4},
    {"first read", read_one, 1, 0, 4},
    {"warm read", read_one, 1, 0, 4},
    {"save", change, 1, 0, 4},
    {"end", end, 1, 0, 4},
};

static const struct step plain_steps[] = {
    {"create", plain_create, 1, 0, 4},
    {NULL, plain_forget, 1, 0, 4},
    {"first read", plain_read, 1, 0, 4},
    {"warm read", plain_read, WARM_READS, 0, 4},
    {"save", plain_save, 1, 0, 4},
    {"end", plain_end, 1, 0, 4},
};

static bool
measure(struct steps *steps, const char *who, const struct step *step)
{
    uint32_t quarter = steps->request->sessions / 4;
    uint64_t begin = sf_clock_ns();

    for (unsigned again = 0; again < step->times; again++)
        for (uint32_t i = step->from * quarter; i < step->to * quarter; i++)
            if (!step->run(steps, i))
                return rounds_fail(step->name != NULL ? step->name : "a step between", who);
    if (step->name != NULL)
        rounds_say(step->name, who, 1, rounds_us_since(begin) / ((step->to - step->from) * quarter * step->times));
    return true;
}

static bool
play_steps(struct steps *steps, const char *who, const struct step *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!measure(steps, who, &all[i]))
            return false;
    return true;
}

static bool
play_plain(struct steps *steps, const char *who, struct plain *plain)
{
    steps->plain = plain;
    return plain == NULL || play_steps(steps, who, plain_steps, sizeof plain_steps / sizeof plain_steps[0]);
}

/* Through the other daemon. */
static bool
play_bare(struct steps *steps)
{
    struct bench_door *door = steps->door;

    if (steps->bare_door == NULL)
        return true;
    steps->door = steps->bare_door;
    bool is_well = play_steps(steps, "store only", bare_steps, sizeof bare_steps / sizeof bare_steps[0]);
    steps->door = door;
    return is_well;
}

static bool
play_round(struct steps *steps)
{
    return play_steps(steps, "session-fast", our_steps, sizeof our_steps / sizeof our_steps[0]) && play_bare(steps) &&
           play_plain(steps, "plain", steps->alone) && play_plain(steps, "cached", steps->cached);
}

/* ---- the instance ---- */

static bool
open_instance(struct steps *steps, apr_pool_t *pool)
{
    struct sf_error error = {.text = "no memory"};
    struct bench_stage *stage = &steps->stage;
    uint32_t bytes = steps->request->bytes;

    if (sf_config_read(&stage->config, steps->request->config, pool, &error) != SF_OK ||
        sf_instance_resolve(&stage->instance, &stage->config, &error) != SF_OK ||
        sf_l1_attach(&steps->l1, &stage->instance, SF_L1_READ_WRITE, &error) != SF_OK)
        return rounds_fail(steps->request->config, error.text);
    stage->config.deadline = stage->config.store_deadline = PATIENCE;
    steps->stored_stage = steps->memory_stage = *stage;
    steps->stored_stage.config.durability = SF_DURABILITY_STORE;
    steps->memory_stage.config.login_durability = SF_DURABILITY_MEMORY;
    steps->door = bench_door_front.open(stage, bytes);
    steps->stored_door = bench_door_front.open(&steps->stored_stage, bytes);
    steps->memory_door = bench_door_front.open(&steps->memory_stage, bytes);
    return (steps->door != NULL && steps->stored_door != NULL && steps->memory_door != NULL) ||
           rounds_fail(steps->request->config, "its cache cannot be used");
}

static bool
open_bare(struct steps *steps, apr_pool_t *pool)
{
    struct sf_error error = {.text = "no memory"};
    struct bench_stage *stage = &steps->bare_stage;

    if (steps->request->bare == NULL)
        return true;
    if (sf_config_read(&stage->config, steps->request->bare, pool, &error) != SF_OK ||
        sf_instance_resolve(&stage->instance, &stage->config, &error) != SF_OK)
        return rounds_fail(steps->request->bare, error.text);
    stage->config.deadline = stage->config.store_deadline = PATIENCE;
    steps->bare_door = bench_door_front.open(stage, steps->request->bytes);
    return steps->bare_door != NULL || rounds_fail(steps->request->bare, "its daemon cannot be used");
}

static bool
open_plain(struct steps *steps)
{
    const struct rounds_request *request = steps->request;
    const struct plain_ops *ops = plain_find(request->url);

    if (ops == NULL)
        return true;
    steps->alone = ops->open(request->url, request->folder);
    if (steps->alone == NULL || request->cache == NULL)
        return steps->alone != NULL;
    steps->cached = plain_cached_open(steps->alone, request->cache);
    return steps->cached != NULL;
}

static bool
prepare(struct steps *steps, apr_pool_t *pool)
{
    sf_buffer_init(&steps->found, SF_RECORD_BYTES_MAX);
    steps->value = malloc(steps->request->bytes);
    steps->sessions = calloc(steps->request->sessions + CHANGED_SESSIONS, sizeof *steps->sessions);
    if (steps->value == NULL || steps->sessions == NULL)
        return rounds_fail("steps", "no memory");
    return open_instance(steps, pool) && open_bare(steps, pool);
}

static void
release(struct steps *steps)
{
    struct bench_door *const doors[] = {steps->door, steps->stored_door, steps->memory_door, steps->bare_door};

    for (size_t i = 0; i < sizeof doors / sizeof doors[0]; i++)
        if (doors[i] != NULL)
            bench_door_front.close(doors[i]);
    if (steps->cached != NULL)
        steps->cached->ops->close(steps->cached);
    if (steps->alone != NULL)
        steps->alone->ops->close(steps->alone);
    if (steps->l1 != NULL)
        sf_l1_close(steps->l1);
    sf_buffer_fini(&steps->found);
    free(steps->sessions);
    free(steps->value);
    free(steps);
}

static bool
play(const struct rounds_request *request, bool (*run)(struct steps *steps))
{
    struct steps *steps = calloc(1, sizeof *steps);
    apr_pool_t *pool;

    if (steps == NULL || apr_pool_create(&pool, NULL) != APR_SUCCESS)
        return rounds_fail("steps", "no memory");
    steps->request = request;
    bool is_well = prepare(steps, pool) && run(steps);
    release(steps);
    apr_pool_destroy(pool);
    return is_well;
}

static bool
play_rounds(struct steps *steps)
{
    bool is_well = open_plain(steps);

    for (unsigned round = 0; is_well && round < steps->request->rounds; round++)
        is_well = play_round(steps);
    return is_well;
}

bool
rounds_of_steps(const struct rounds_request *request)
{
    return play(request, play_rounds);
}

/* ---- what reaches the store ---- */

static void
wait_until(uint64_t due_ns)
{
    uint64_t now = sf_clock_ns();

    if (now < due_ns)
        nanosleep(&(struct timespec){.tv_nsec = (long)(due_ns - now)}, NULL);
}

static bool
make_changes(struct steps *steps, const struct sf_popularity *popularity)
{
    uint64_t begin = sf_clock_ns();
    struct sf_draw draw;

    sf_draw_init(&draw, SEED);
    for (uint32_t i = 0; i < CHANGES; i++) {
        wait_until(begin + (uint64_t)i * CHANGE_EVERY_NS);
        if (!change(steps, sf_popularity_rank(popularity, &draw)))
            return rounds_fail("changes", "one was refused");
    }
    return flush(steps, 0);
}

/* Records and transactions that the daemon has written so far. */
static bool
ask_written(const struct steps *steps, uint64_t *records_out, uint64_t *writes_out)
{
    return bench_stage_number(&steps->stage, "writer_records", records_out) &&
           bench_stage_number(&steps->stage, "writer_batches", writes_out);
}

static void
say_for_1000(const char *what, uint64_t before, uint64_t after)
{
    rounds_say(what, "session-fast", CHANGED_SESSIONS, (double)(after - before) * 1000 / CHANGES);
}

static bool
count_writes(struct steps *steps)
{
    uint64_t records, writes, records_after, writes_after;
    struct sf_popularity *popularity;

    for (uint32_t i = 0; i < CHANGED_SESSIONS; i++)
        if (!create(steps, i))
            return rounds_fail("changes", "a session cannot be made");
    if (sf_popularity_new(&popularity, CHANGED_SESSIONS, 0.99) != SF_OK)
        return rounds_fail("changes", "no memory");
    bool is_well = flush(steps, 0) && ask_written(steps, &records, &writes) && make_changes(steps, popularity) &&
                   ask_written(steps, &records_after, &writes_after);
    sf_popularity_free(popularity);
    if (!is_well)
        return rounds_fail("changes", "the daemon does not say what it has written");
    say_for_1000("records of 1,000 changes", records, records_after);
    say_for_1000("transactions of 1,000 changes", writes, writes_after);
    return true;
}

bool
rounds_of_changes(const struct rounds_request *request)
{
    return play(request, count_writes);
}
