/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/waits.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "common/cache/l1.h"

#define LIMIT_NS (SF_L1_WAIT_MAX * UINT64_C(1000000))
#define STEP_AGE_NS 100000u /* how old what a call is compared with may be */
#define STEP_GAP_NS 5000u   /* nobody sleeps for less: so long after a call nothing else has happened */

static struct sf_waits *watched; /* NULL: this process is not */
static const _Atomic unsigned *own_stops;

/*
 * To ask the kernel before each call would leave no call at the instructions that matter when the
 * kill comes. So it is asked now and then, between two calls.
 */
static struct step {
    uint64_t wall_ns, cpu_ns;
    long switches; /* of its own accord */
    uint64_t calls; /* since */
} last;

static uint64_t last_end_ns; /* of a call */

struct call {
    unsigned stops;
    uint64_t begin_ns;
};

static struct step
look(void)
{
    struct rusage usage;
    struct timespec cpu;

    (void)getrusage(RUSAGE_THREAD, &usage);
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    return (struct step){
        .wall_ns = sf_clock_ns(),
        .cpu_ns = (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec,
        .switches = usage.ru_nvcsw,
    };
}

static struct call
begin(void)
{
    if (watched == NULL)
        return (struct call){.stops = 1};
    struct call call = {.stops = atomic_load(own_stops), .begin_ns = sf_clock_ns()};
    if (call.begin_ns > last_end_ns + STEP_GAP_NS || call.begin_ns > last.wall_ns + STEP_AGE_NS) {
        atomic_fetch_add(&watched->calls, last.calls);
        last = look();
        call.begin_ns = last.wall_ns;
    }
    return call;
}

static void
raise_to(_Atomic uint64_t *value, uint64_t to)
{
    uint64_t before = atomic_load(value);

    while (before < to && !atomic_compare_exchange_weak(value, &before, to))
        ;
}

static void
report(const char *name, const char *what, uint64_t ns)
{
    if (atomic_fetch_add(&watched->findings, 1) == 0)
        snprintf(watched->finding, sizeof(watched->finding), "%s %s for %.1f ms", name, what,
                 (double)ns / 1e6);
}

/* All the time between the look and the call may have been processor time; what is more is the call's. */
static void
judge(const char *name, uint64_t begin_ns, uint64_t wall_ns)
{
    struct step now = look();
    uint64_t others_ns = last.cpu_ns + (begin_ns - last.wall_ns);
    uint64_t cpu_ns = now.cpu_ns > others_ns ? now.cpu_ns - others_ns : 0;

    atomic_fetch_add(&watched->slow, 1);
    raise_to(&watched->longest_ns, wall_ns);
    raise_to(&watched->busiest_ns, cpu_ns);
    if (cpu_ns > LIMIT_NS)
        report(name, "was busy", cpu_ns);
    if (now.switches != last.switches)
        report(name, "slept", wall_ns);
}

static void
end(const char *name, struct call call)
{
    if (watched == NULL)
        return;
    last_end_ns = sf_clock_ns();
    last.calls++;
    uint64_t wall_ns = last_end_ns - call.begin_ns;
    bool was_stopped = call.stops % 2 != 0 || atomic_load(own_stops) != call.stops;
    if (wall_ns > LIMIT_NS && !was_stopped)
        judge(name, call.begin_ns, wall_ns);
    if (wall_ns > LIMIT_NS)
        last_end_ns = 0; /* the next one looks again */
}

void
sf_waits_watch(struct sf_waits *waits, const _Atomic unsigned *stops)
{
    watched = waits;
    own_stops = stops;
}

void
sf_waits_print(const struct sf_waits *waits)
{
    printf("%llu calls of the cache, %llu longer than %d ms by the clock on the wall (%.1f ms), at "
           "most %.2f ms of that busy\n",
           (unsigned long long)waits->calls, (unsigned long long)waits->slow, SF_L1_WAIT_MAX,
           (double)waits->longest_ns / 1e6, (double)waits->busiest_ns / 1e6);
}

/* ---- in front of the calls ---- */

enum sf_status __real_sf_l1_get(struct sf_l1 *l1, const struct sf_key *key,
                                struct sf_buffer *record_out, struct sf_l1_view *view_out);
enum sf_status __wrap_sf_l1_get(struct sf_l1 *l1, const struct sf_key *key,
                                struct sf_buffer *record_out, struct sf_l1_view *view_out);
enum sf_status __real_sf_l1_get_field(struct sf_l1 *l1, const struct sf_key *key,
                                      struct sf_span name, void *text_out, size_t room,
                                      struct sf_l1_field *field_out);
enum sf_status __wrap_sf_l1_get_field(struct sf_l1 *l1, const struct sf_key *key,
                                      struct sf_span name, void *text_out, size_t room,
                                      struct sf_l1_field *field_out);
enum sf_status __real_sf_l1_apply(struct sf_l1 *l1, const struct sf_key *key,
                                  const struct sf_l1_change *change, struct sf_buffer *record_out,
                                  struct sf_l1_applied *applied_out);
enum sf_status __wrap_sf_l1_apply(struct sf_l1 *l1, const struct sf_key *key,
                                  const struct sf_l1_change *change, struct sf_buffer *record_out,
                                  struct sf_l1_applied *applied_out);
enum sf_status __real_sf_l1_fill(struct sf_l1 *l1, const struct sf_key *key, struct sf_span record,
                                 sf_time last_access, const struct sf_l1_vacancy *vacancy);
enum sf_status __wrap_sf_l1_fill(struct sf_l1 *l1, const struct sf_key *key, struct sf_span record,
                                 sf_time last_access, const struct sf_l1_vacancy *vacancy);
void __real_sf_l1_touch(struct sf_l1 *l1, const struct sf_key *key, sf_time now);
void __wrap_sf_l1_touch(struct sf_l1 *l1, const struct sf_key *key, sf_time now);

enum sf_status
__wrap_sf_l1_get(struct sf_l1 *l1, const struct sf_key *key, struct sf_buffer *record_out,
                 struct sf_l1_view *view_out)
{
    struct call call = begin();
    enum sf_status status = __real_sf_l1_get(l1, key, record_out, view_out);

    end("sf_l1_get", call);
    return status;
}

enum sf_status
__wrap_sf_l1_get_field(struct sf_l1 *l1, const struct sf_key *key, struct sf_span name,
                       void *text_out, size_t room, struct sf_l1_field *field_out)
{
    struct call call = begin();
    enum sf_status status = __real_sf_l1_get_field(l1, key, name, text_out, room, field_out);

    end("sf_l1_get_field", call);
    return status;
}

enum sf_status
__wrap_sf_l1_apply(struct sf_l1 *l1, const struct sf_key *key, const struct sf_l1_change *change,
                   struct sf_buffer *record_out, struct sf_l1_applied *applied_out)
{
    struct call call = begin();
    enum sf_status status = __real_sf_l1_apply(l1, key, change, record_out, applied_out);

    end("sf_l1_apply", call);
    return status;
}

enum sf_status
__wrap_sf_l1_fill(struct sf_l1 *l1, const struct sf_key *key, struct sf_span record,
                  sf_time last_access, const struct sf_l1_vacancy *vacancy)
{
    struct call call = begin();
    enum sf_status status = __real_sf_l1_fill(l1, key, record, last_access, vacancy);

    end("sf_l1_fill", call);
    return status;
}

void
__wrap_sf_l1_touch(struct sf_l1 *l1, const struct sf_key *key, sf_time now)
{
    struct call call = begin();

    __real_sf_l1_touch(l1, key, now);
    end("sf_l1_touch", call);
}
