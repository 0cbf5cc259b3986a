/* SPDX-License-Identifier: Apache-2.0 */
#include "command_line/bench_play.h"

#include <signal.h>
#include <stdlib.h>

#include "bench/load/crowd.h"
#include "bench/load/draw.h"
#include "bench/load/pace.h"

#define SEQUENCE_MAX (1u << 18)
#define ZIPF 0.99

struct player {
    const struct bench_part *part;
    struct bench_door *door;
    struct bench_tally *tally;
    struct sf_draw draw;
    struct sf_pace pace;
    unsigned index, workers;
    uint64_t place; /* in the sequence */
};

/* ---- one step ---- */

static const struct bench_session *
next_session(struct player *player)
{
    const struct bench_audience *audience = player->part->audience;
    uint32_t session = audience->sequence[player->place++ % audience->sequence_count];

    if (player->part->whose == BENCH_SHARES) {
        session += player->index - session % player->workers;
        session = session < audience->count ? session : player->index % audience->count;
    }
    return &audience->sessions[session];
}

static void
read_one(struct player *player, const struct bench_session *session, uint64_t since)
{
    int64_t n = -1;
    enum sf_status status = player->part->door->read(player->door, session, &n);

    sf_histogram_add(&player->tally->read_times, sf_clock_ns() - since);
    if (status == SF_OK && n >= 0)
        player->tally->reads++;
    else
        player->tally->failed[status == SF_OK ? SF_CORRUPT : status]++;
}

static void
change_one(struct player *player, const struct bench_session *session, uint64_t since)
{
    enum sf_status status = player->part->door->change(player->door, session);

    sf_histogram_add(&player->tally->change_times, sf_clock_ns() - since);
    if (status == SF_OK)
        player->tally->changes++;
    else
        player->tally->failed[status]++;
}

static void
step(struct player *player, uint64_t since)
{
    const struct bench_part *part = player->part;
    const struct bench_session *session = next_session(player);
    bool is_read = sf_draw_u64(&player->draw) % 100 < part->read_percent;

    if (is_read || part->reads_before_change)
        read_one(player, session, since);
    if (!is_read)
        change_one(player, session, part->reads_before_change ? sf_clock_ns() : since);
}

/* ---- all of them ---- */

static bool
prepare(struct sf_crowd_worker *worker)
{
    const struct bench_part *part = worker->context;

    sigset_t interrupts;

    sigemptyset(&interrupts);
    sigaddset(&interrupts, SIGINT);
    sigprocmask(SIG_UNBLOCK, &interrupts, NULL); /* the parent stays and cleans up */
    worker->state = part->door->open(part->stage, part->bytes);
    return worker->state != NULL;
}

static bool
work(struct sf_crowd_worker *worker)
{
    const struct bench_part *part = worker->context;
    struct player player = {.part = part,
                            .door = worker->state,
                            .tally = worker->result,
                            .index = worker->index,
                            .workers = worker->count};
    uint64_t begin = worker->begin_ns;

    sf_draw_init(&player.draw, worker->index);
    player.place = sf_draw_u64(&player.draw) % part->audience->sequence_count;
    if (part->per_second > 0)
        sf_pace_init(&player.pace, begin, part->per_second, worker->index, worker->count);
    for (uint64_t steps = 0; part->steps == 0 || steps < part->steps; steps++) {
        uint64_t since = part->per_second > 0 ? sf_pace_wait(&player.pace) : sf_clock_ns();
        if (part->steps == 0 && since - begin >= part->duration_ns)
            break;
        step(&player, since);
    }
    player.tally->begin_ns = begin;
    player.tally->ns = sf_clock_ns() - begin;
    part->door->close(player.door);
    return true;
}

static uint64_t
end_of(const struct bench_tally *tally)
{
    return tally->begin_ns + tally->ns;
}

static void
add_tally(struct bench_tally *into, const struct bench_tally *from)
{
    uint64_t end = end_of(from) > end_of(into) ? end_of(from) : end_of(into);

    if (into->begin_ns == 0 || from->begin_ns < into->begin_ns)
        into->begin_ns = from->begin_ns;
    into->ns = end - into->begin_ns;
    into->reads += from->reads;
    into->changes += from->changes;
    for (int status = 0; status < BENCH_STATUSES; status++)
        into->failed[status] += from->failed[status];
    sf_histogram_merge(&into->read_times, &from->read_times);
    sf_histogram_merge(&into->change_times, &from->change_times);
}

/*
 * Between two parts there are no processes that could end of it, and while they are made only those that
 * are there.
 */
static bool
may_begin(void)
{
    sigset_t pending;

    return sigpending(&pending) != 0 || sigismember(&pending, SIGINT) != 1;
}

bool
bench_play(const struct bench_part *part, struct bench_tally *tally_out)
{
    const struct sf_crowd crowd = {.count = part->workers,
                                   .prepare = prepare,
                                   .may_begin = may_begin,
                                   .work = work,
                                   .context = part,
                                   .result_bytes = sizeof(struct bench_tally)};
    struct bench_tally *tallies = calloc(part->workers, sizeof *tallies);

    *tally_out = (struct bench_tally){.ns = 0};
    if (tallies == NULL || !may_begin() || sf_crowd_run(&crowd, tallies) != SF_OK) {
        free(tallies);
        command_fail(EXIT_NO_ANSWER, "a process of the benchmark (%s) failed", part->door->name);
        return false;
    }
    for (unsigned i = 0; i < part->workers; i++)
        add_tally(tally_out, &tallies[i]);
    free(tallies);
    return true;
}

uint64_t
bench_failures(const struct bench_tally *tally)
{
    uint64_t failures = 0;

    for (int status = 0; status < BENCH_STATUSES; status++)
        failures += tally->failed[status];
    return failures;
}

/* ---- the audience ---- */

static bool
draw_sequence(struct bench_audience *audience)
{
    struct sf_popularity *popularity;
    struct sf_draw draw;

    audience->sequence_count = audience->count > 1 ? SEQUENCE_MAX : 1;
    audience->sequence = calloc(audience->sequence_count, sizeof *audience->sequence);
    if (audience->sequence == NULL ||
        sf_popularity_new(&popularity, audience->count, ZIPF) != SF_OK)
        return false;
    sf_draw_init(&draw, 1);
    for (uint32_t i = 0; i < audience->sequence_count; i++)
        audience->sequence[i] = sf_popularity_session(popularity, &draw);
    sf_popularity_free(popularity);
    return true;
}

static void
create_all(struct bench_audience *audience, const struct bench_door_ops *ops,
           struct bench_door *door, struct bench_tally *tally)
{
    uint64_t begin = sf_clock_ns(), before = begin;

    for (uint32_t i = 0; i < audience->count; i++) {
        audience->sessions[i].number = i;
        enum sf_status status = ops->create(door, &audience->sessions[i]);
        if (status == SF_OK)
            tally->changes++;
        else
            tally->failed[status]++;
        uint64_t now = sf_clock_ns();
        sf_histogram_add(&tally->change_times, now - before);
        before = now;
    }
    tally->ns = before - begin;
}

bool
bench_audience_init(struct bench_audience *audience, const struct bench_stage *stage,
                    const struct bench_door_ops *ops, uint32_t count, uint32_t bytes,
                    struct bench_tally *tally_out)
{
    *audience = (struct bench_audience){.sessions = calloc(count, sizeof *audience->sessions),
                                        .count = count};
    *tally_out = (struct bench_tally){.ns = 0};
    struct bench_door *door = ops->open(stage, bytes);
    if (door == NULL || audience->sessions == NULL || !draw_sequence(audience)) {
        if (door != NULL)
            ops->close(door);
        command_fail(EXIT_NO_ANSWER, "no sessions can be made: %s does not open", ops->name);
        return false;
    }
    create_all(audience, ops, door, tally_out);
    ops->close(door);
    return true;
}

void
bench_audience_fini(struct bench_audience *audience)
{
    free(audience->sessions);
    free(audience->sequence);
}

int64_t
bench_audience_sum(const struct bench_audience *audience, const struct bench_stage *stage,
                   const struct bench_door_ops *ops, uint32_t bytes)
{
    struct bench_door *door = ops->open(stage, bytes);
    int64_t sum = 0;

    if (door == NULL)
        return -1;
    for (uint32_t i = 0; i < audience->count && sum >= 0; i++) {
        int64_t n = 0;
        bool is_right = ops->read(door, &audience->sessions[i], &n) == SF_OK;
        sum = is_right ? sum + n : -1;
    }
    ops->close(door);
    return sum;
}
