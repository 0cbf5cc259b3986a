/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_guard.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/base/histogram.h"
#include "common/base/random.h"
#include "common/store/breaker.h"

#define READS_PAUSE_MAX (10 * SF_SECOND)
/* Who writes pauses by himself, for up to ten seconds: he is not to be refused when he comes back. */
#define WRITES_PAUSE_MAX (5 * SF_SECOND)

struct lane {
    struct sf_breaker breaker;
    struct sf_store_lane_figures figures; /* but for the latencies, which are in */
    struct sf_histogram latency;          /* microseconds */
    sf_time down_since;
    uint64_t refused_before;              /* of figures.refused, when it went down */
};

struct guard {
    struct sf_store base;
    struct sf_store_ops ops; /* the inner store's, but for what passes through here */
    struct sf_store *inner;
    const char *name;
    struct sf_counters *counters;
    const struct sf_log *log;
    bool may_refuse;
    pthread_mutex_t lock;    /* guards the lanes */
    struct lane lanes[SF_STORE_LANES];
};

/* A call that was let through. */
struct call {
    struct lane *lane;
    uint64_t began; /* nanoseconds */
    sf_time deadline;
};

static struct guard *
guard_of(struct sf_store *store)
{
    return (struct guard *)store;
}

static void
count(const struct guard *guard, enum sf_counter which)
{
    if (guard->counters != NULL)
        sf_count_add(guard->counters, which, 1);
}

/* ---- whether to call ---- */

static bool
begin(struct guard *guard, enum sf_store_lane which, sf_time deadline, struct call *call_out)
{
    struct lane *lane = &guard->lanes[which];
    pthread_mutex_lock(&guard->lock);
    bool may_call = !guard->may_refuse || sf_breaker_may_call(&lane->breaker, sf_clock_steady());
    lane->figures.refused += !may_call;
    pthread_mutex_unlock(&guard->lock);
    if (!may_call)
        count(guard, SF_COUNTER_store_calls_refused);
    *call_out = (struct call){lane, sf_clock_ns(), deadline};
    return may_call;
}

/* ---- how it went ---- */

static const char *
lane_name(const struct guard *guard, const struct lane *lane)
{
    return lane == &guard->lanes[SF_STORE_READS] ? "loads" : "writes";
}

static void
log_change(struct guard *guard, const struct lane *lane, uint64_t refused, sf_time duration)
{
    const char *calls = lane_name(guard, lane);
    struct sf_error error = {.text = ""};
    if (duration >= 0) {
        sf_log_write(guard->log, SF_LOG_NOTICE, "SF0206",
                     "%s: %s are answered again after %.1f s; %" PRIu64 " calls were refused meanwhile", guard->name,
                     calls, (double)duration / SF_SECOND, refused);
        return;
    }
    guard->inner->ops->explain(guard->inner, &error);
    sf_log_write(guard->log, SF_LOG_WARNING, "SF0205",
                 "%s: %s are not answered: refused from now on, but for one from time to time: %s", guard->name, calls,
                 error.text);
}

/* true: between down (*duration_out is -1) and up, where a probe that fails, or succeeds once, is still down. */
static bool
has_changed(struct lane *lane, sf_time now, sf_time *duration_out)
{
    bool is_down = lane->breaker.state != SF_BREAKER_CLOSED, was_down = lane->down_since != 0;
    *duration_out = is_down ? -1 : now - lane->down_since;
    if (is_down != was_down)
        lane->down_since = is_down ? now : 0;
    return is_down != was_down;
}

static void
tell_breakers(struct guard *guard, struct lane *lane, bool is_well, sf_time now)
{
    uint32_t chance = 0;
    if (!is_well)
        (void)!sf_random_bytes(&chance, sizeof chance); /* without it all pauses are as long */
    sf_breaker_tell(&lane->breaker, is_well, now, chance);
    for (size_t i = 0; is_well && i < SF_STORE_LANES; i++)
        sf_breaker_hurry(&guard->lanes[i].breaker, now);
}

static void
measure(struct lane *lane, const struct call *call, size_t rows, bool is_well, bool is_late)
{
    lane->figures.calls++;
    lane->figures.rows += rows;
    lane->figures.failures += !is_well;
    lane->figures.late += is_late;
    sf_histogram_add(&lane->latency, (sf_clock_ns() - call->began) / 1000);
}

/* `rows` were dealt with; not well: the call had no answer at all. */
static void
end(struct guard *guard, const struct call *call, size_t rows, bool is_well)
{
    struct lane *lane = call->lane;
    sf_time now = sf_clock_steady(), duration = 0;
    bool is_late = !is_well && now >= call->deadline, is_news = false;
    pthread_mutex_lock(&guard->lock);
    measure(lane, call, rows, is_well, is_late);
    if (guard->may_refuse) {
        tell_breakers(guard, lane, is_well, now);
        is_news = has_changed(lane, now, &duration);
    }
    uint64_t refused = lane->figures.refused - lane->refused_before;
    if (is_news)
        lane->refused_before = lane->figures.refused;
    pthread_mutex_unlock(&guard->lock);
    count(guard, SF_COUNTER_store_calls);
    if (!is_well)
        count(guard, SF_COUNTER_store_calls_failed);
    if (is_late)
        count(guard, SF_COUNTER_store_calls_late);
    if (is_news)
        log_change(guard, lane, refused, duration);
}

/* ---- the calls ---- */

static bool
is_answer(enum sf_status status)
{
    return status != SF_UNAVAILABLE && status != SF_UNCERTAIN && status != SF_NO_MEMORY;
}

static void
guard_load(struct sf_store *store, struct sf_load *loads, size_t count, sf_time deadline)
{
    struct guard *guard = guard_of(store);
    struct call call;
    size_t rows = 0;
    if (!begin(guard, SF_STORE_READS, deadline, &call)) {
        sf_store_answer_loads(loads, count, SF_UNAVAILABLE);
        return;
    }
    guard->inner->ops->load(guard->inner, loads, count, deadline);
    for (size_t i = 0; i < count; i++)
        rows += is_answer(loads[i].status);
    end(guard, &call, rows, rows > 0 || count == 0);
}

static enum sf_status
guard_write(struct sf_store *store, struct sf_write *writes, size_t count, sf_time deadline)
{
    struct guard *guard = guard_of(store);
    struct call call;
    size_t rows = 0, answers = 0;
    if (!begin(guard, SF_STORE_WRITES, deadline, &call)) {
        for (size_t i = 0; i < count; i++)
            writes[i].status = SF_UNAVAILABLE;
        return sf_store_worst(writes, count);
    }
    enum sf_status worst = guard->inner->ops->write(guard->inner, writes, count, deadline);
    for (size_t i = 0; i < count; i++) {
        rows += writes[i].status == SF_OK;
        answers += is_answer(writes[i].status);
    }
    end(guard, &call, rows, answers > 0 || count == 0);
    return worst;
}

static enum sf_status
guard_sweep(struct sf_store *store, sf_time now, size_t limit, sf_time deadline, size_t *removed_out)
{
    struct guard *guard = guard_of(store);
    struct call call;
    *removed_out = 0;
    if (!begin(guard, SF_STORE_WRITES, deadline, &call))
        return SF_UNAVAILABLE;
    enum sf_status status = guard->inner->ops->sweep(guard->inner, now, limit, deadline, removed_out);
    end(guard, &call, 0, is_answer(status));
    return status;
}

static enum sf_status
guard_attach(struct sf_store *store, sf_time deadline, struct sf_error *error)
{
    struct sf_store *inner = guard_of(store)->inner;
    return inner->ops->attach(inner, deadline, error);
}

static enum sf_status
guard_scan(struct sf_store *store, const struct sf_key *after, struct sf_span user, size_t limit, sf_time deadline,
           sf_store_visit_fn *visit, void *context)
{
    struct sf_store *inner = guard_of(store)->inner;
    return inner->ops->scan(inner, after, user, limit, deadline, visit, context);
}

static enum sf_status
guard_follow(struct sf_store *store, sf_time until, struct sf_follow *follow)
{
    struct sf_store *inner = guard_of(store)->inner;
    return inner->ops->follow(inner, until, follow);
}

static void
guard_explain(struct sf_store *store, struct sf_error *error_out)
{
    struct sf_store *inner = guard_of(store)->inner;
    inner->ops->explain(inner, error_out);
}

static void
guard_report(struct sf_store *store, sf_store_tell_fn *tell, void *context)
{
    static const char *const states[] = {
        [SF_BREAKER_CLOSED] = "up", [SF_BREAKER_OPEN] = "down", [SF_BREAKER_HALF_OPEN] = "probed"};
    struct guard *guard = guard_of(store);
    struct sf_store_figures figures = {.name = guard->name};
    pthread_mutex_lock(&guard->lock);
    for (size_t i = 0; i < SF_STORE_LANES; i++) {
        const struct lane *lane = &guard->lanes[i];
        figures.lanes[i] = lane->figures;
        figures.lanes[i].state = states[lane->breaker.state];
        figures.lanes[i].p50 = sf_histogram_quantile(&lane->latency, 0.5);
        figures.lanes[i].p99 = sf_histogram_quantile(&lane->latency, 0.99);
        figures.lanes[i].longest = lane->latency.max;
    }
    pthread_mutex_unlock(&guard->lock);
    tell(context, &figures);
}

static uint64_t
guard_incarnation(struct sf_store *store)
{
    return sf_store_incarnation(guard_of(store)->inner);
}

static void
guard_renew(struct sf_store *store)
{
    sf_store_renew(guard_of(store)->inner);
}

static void
guard_close(struct sf_store *store)
{
    struct guard *guard = guard_of(store);
    sf_store_close(guard->inner);
    pthread_mutex_destroy(&guard->lock);
    free(guard);
}

/* What is not listed here goes on being the inner store's: its name, its flags, and what it does not have. */
static void
cover(struct sf_store_ops *ops, const struct sf_store_ops *inner)
{
    *ops = (struct sf_store_ops){
        .scheme = inner->scheme,
        .flags = inner->flags,
        .open = inner->open,
        .attach = guard_attach,
        .load = guard_load,
        .write = guard_write,
        .sweep = inner->sweep == NULL ? NULL : guard_sweep,
        .scan = guard_scan,
        .follow = inner->follow == NULL ? NULL : guard_follow,
        .explain = guard_explain,
        .close = guard_close,
        .report = guard_report,
        .incarnation = guard_incarnation,
        .renew = guard_renew,
    };
}

enum sf_status
sf_store_guard(struct sf_store **guard_out, struct sf_store *inner, const char *name, struct sf_counters *counters,
               const struct sf_log *log)
{
    struct guard *guard = calloc(1, sizeof *guard);
    *guard_out = NULL;
    if (guard == NULL) {
        sf_store_close(inner);
        return SF_NO_MEMORY;
    }
    cover(&guard->ops, inner->ops);
    guard->base.ops = &guard->ops;
    guard->inner = inner;
    guard->name = name;
    guard->counters = counters;
    guard->log = log;
    guard->may_refuse = (inner->ops->flags & (SF_STORE_SHARED | SF_STORE_PARTS)) == SF_STORE_SHARED;
    guard->lanes[SF_STORE_READS].breaker.pause_max = READS_PAUSE_MAX;
    guard->lanes[SF_STORE_WRITES].breaker.pause_max = WRITES_PAUSE_MAX;
    pthread_mutex_init(&guard->lock, NULL);
    *guard_out = &guard->base;
    return SF_OK;
}
