/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/workload.h"

#include <string.h>
#include <time.h>

#include "bench/load/crowd.h"
#include "bench/load/draw.h"
#include "bench/load/pace.h"
#include "bench/load/pattern.h"
#include "common/base/clock.h"

#define BATCH 64     /* operations between two looks at the clock */
#define SAMPLE 16    /* one in so many is timed: the clock costs as much as a lookup */
#define WHOLE 16     /* one read in so many is verified byte by byte, all others line by line */

const struct workload workloads[] = {
    {"100/0", 100, WORKLOAD_READ, WORKLOAD_WRITE},
    {"95/5", 95, WORKLOAD_READ, WORKLOAD_WRITE},
    {"90/10", 90, WORKLOAD_READ, WORKLOAD_WRITE},
    {"70/30", 70, WORKLOAD_READ, WORKLOAD_WRITE},
    {"30/70", 30, WORKLOAD_READ, WORKLOAD_WRITE},
    {"field change", 100, WORKLOAD_CHANGE, WORKLOAD_CHANGE},
    {"field read", 100, WORKLOAD_FIELD, WORKLOAD_FIELD},
    {.name = NULL},
};

const struct workload *
workload_find(const char *name)
{
    for (const struct workload *workload = workloads; workload->name != NULL; workload++)
        if (strcmp(workload->name, name) == 0)
            return workload;
    return NULL;
}

struct worker {
    const struct workload_run *run;
    struct target_worker *target;
    struct workload_result *result;
    struct sf_draw draw;
    uint64_t version; /* of the last write; no other worker writes it */
    uint64_t reads;
};

bool
workload_prepare(struct sf_crowd_worker *member)
{
    const struct workload_run *run = member->context;

    member->state = run->ops->attach(run->target);
    return member->state != NULL;
}

/* ---- one operation ---- */

static bool
is_right(struct worker *worker, uint32_t session, const struct target_found *found)
{
    uint64_t version;

    if (worker->reads++ % WHOLE == 0)
        return sf_pattern_check_whole(found->value, found->bytes, session, &version);
    return sf_pattern_check(found->value, found->bytes, session, &version);
}

static enum target_answer
read_one(struct worker *worker, uint32_t session)
{
    struct target_found found;
    enum target_answer answer = worker->run->ops->read(worker->target, session, &found);

    if (answer != TARGET_DONE || is_right(worker, session, &found))
        return answer;
    worker->result->torn += worker->run->ops->may_tear;
    return worker->run->ops->may_tear ? TARGET_DONE : TARGET_WRONG;
}

static enum target_answer
field_one(struct worker *worker, uint32_t session)
{
    int64_t n = 0;
    enum target_answer answer = worker->run->ops->field(worker->target, session, &n);

    return answer == TARGET_DONE && n < 0 ? TARGET_WRONG : answer;
}

static enum target_answer
change_one(struct worker *worker, uint32_t session)
{
    enum target_answer answer = worker->run->ops->change(worker->target, session);

    worker->result->changes += answer == TARGET_DONE;
    return answer;
}

static void
operate(struct worker *worker, enum workload_op op, uint32_t session)
{
    enum target_answer answer = TARGET_WRONG;

    switch (op) {
    case WORKLOAD_READ:
        answer = read_one(worker, session);
        break;
    case WORKLOAD_WRITE:
        answer = worker->run->ops->write(worker->target, session, ++worker->version);
        break;
    case WORKLOAD_CHANGE:
        answer = change_one(worker, session);
        break;
    case WORKLOAD_FIELD:
        answer = field_one(worker, session);
        break;
    }
    worker->result->lost += answer == TARGET_LOST;
    worker->result->wrong += answer == TARGET_WRONG;
    worker->result->operations++;
}

static enum workload_op
choose(struct worker *worker)
{
    const struct workload *workload = worker->run->workload;

    if (workload->percent == 100)
        return workload->often;
    return sf_draw_u64(&worker->draw) % 100 < workload->percent ? workload->often
                                                                 : workload->else_op;
}

static void
count_time(struct worker *worker, enum workload_op op, uint64_t ns)
{
    bool is_read = op == WORKLOAD_READ || op == WORKLOAD_FIELD;

    sf_histogram_add(is_read ? &worker->result->reads : &worker->result->writes, ns);
}

/* ---- many ---- */

static uint32_t
session_at(const struct worker *worker, uint64_t place)
{
    return worker->run->sequence[place & (worker->run->sequence_count - 1)];
}

static void
operate_timed(struct worker *worker, uint32_t session)
{
    enum workload_op op = choose(worker);
    uint64_t before = sf_clock_ns();

    operate(worker, op, session);
    count_time(worker, op, sf_clock_ns() - before);
}

static bool
is_done(const struct worker *worker)
{
    if (worker->run->operations > 0)
        return worker->result->operations >= worker->run->operations;
    return worker->result->ns >= worker->run->duration_ns;
}

static void
work_closed(struct worker *worker, uint64_t place)
{
    uint64_t begin = sf_clock_ns();

    do {
        for (int i = 0; i < BATCH; i++, place++) {
            if (i % SAMPLE == 0)
                operate_timed(worker, session_at(worker, place));
            else
                operate(worker, choose(worker), session_at(worker, place));
        }
        worker->result->ns = sf_clock_ns() - begin;
    } while (!is_done(worker));
}

static void
work_open(struct worker *worker, uint64_t place, unsigned index, unsigned workers)
{
    uint64_t begin = sf_clock_ns(), due;
    struct sf_pace pace;

    sf_pace_init(&pace, begin, worker->run->per_second, index, workers);
    while ((due = sf_pace_wait(&pace)) - begin < worker->run->duration_ns) {
        enum workload_op op = choose(worker);

        operate(worker, op, session_at(worker, place++));
        count_time(worker, op, sf_clock_ns() - due);
    }
    worker->result->ns = sf_clock_ns() - begin;
}

static uint64_t
cpu_ns(void)
{
    struct timespec used;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

bool
workload_work(struct sf_crowd_worker *member)
{
    struct worker worker = {
        .run = member->context,
        .target = member->state,
        .result = member->result,
        .version = ((uint64_t)member->index + 1) << 48,
    };

    sf_draw_init(&worker.draw, worker.run->seed + member->index);
    uint64_t place = sf_draw_u64(&worker.draw), cpu_before = cpu_ns();
    if (worker.run->per_second == 0)
        work_closed(&worker, place);
    else
        work_open(&worker, place, member->index, member->count);
    worker.result->cpu_ns = cpu_ns() - cpu_before;
    worker.run->ops->detach(worker.target);
    return true;
}
