/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/waits.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>

#include "common/cache/l1.h"

#define LIMIT_NS (SF_L1_WAIT_MAX * UINT64_C(1000000))
#define STEP_AGE_NS 100000u /* how old what a call is compared with may be */
#define STEP_GAP_NS 5000u   /* nobody sleeps for less: so long after a call nothing else has happened */
#define TICK_US 100000      /* of processor time: no call lasts for a whole one */

static struct sf_waits *watched; /* NULL: this process is not */
static const _Atomic unsigned *own_stops;
static const char *volatile within; /* the call that is under way; NULL: none */
static volatile uint64_t begun, ticked; /* calls, and how many there were at the last tick */

/*
 * To ask the kernel before each call would leave no call at the instructions that matter when the
 * kill comes. So it is asked now and then, between two calls.
 */
static struct step {
    uint64_t wall_ns, cpu_ns;
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
    struct timespec cpu;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    return (struct step){
        .wall_ns = sf_clock_ns(),
        .cpu_ns = (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec,
    };
}

static struct call
begin(const char *name)
{
    within = watched != NULL ? name : NULL;
    begun++;
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
report(const char *name, const char *what)
{
    if (atomic_fetch_add(&watched->findings, 1) == 0)
        snprintf(watched->finding, sizeof(watched->finding), "%s %s", name, what);
}

/* All the time between the look and the call may have been processor time; what is more is the call's. */
static void
judge(uint64_t begin_ns, uint64_t wall_ns)
{
    struct step now = look();
    uint64_t others_ns = last.cpu_ns + (begin_ns - last.wall_ns);
    uint64_t cpu_ns = now.cpu_ns > others_ns ? now.cpu_ns - others_ns : 0;

    atomic_fetch_add(&watched->slow, 1);
    raise_to(&watched->longest_ns, wall_ns);
    raise_to(&watched->busiest_ns, cpu_ns);
    if (cpu_ns > LIMIT_NS)
        report(within, "was busy for too long");
}

static void
end(struct call call)
{
    if (watched == NULL)
        return;
    last_end_ns = sf_clock_ns();
    last.calls++;
    uint64_t wall_ns = last_end_ns - call.begin_ns;
    bool was_stopped = call.stops % 2 != 0 || atomic_load(own_stops) != call.stops;
    if (wall_ns > LIMIT_NS && !was_stopped)
        judge(call.begin_ns, wall_ns);
    if (wall_ns > LIMIT_NS)
        last_end_ns = 0; /* the next one looks again */
    within = NULL;
}

/* ---- in front of what puts a thread to sleep ---- */

static void
note(const char *function)
{
    if (within != NULL)
        report(within, function);
}

#define SLEEPER(result, name, parameters, arguments) \
    result __real_##name parameters; \
    result __wrap_##name parameters; \
    result __wrap_##name parameters \
    { \
        note("calls " #name); \
        return __real_##name arguments; \
    }

SLEEPER(int, usleep, (useconds_t us), (us))
SLEEPER(unsigned, sleep, (unsigned seconds), (seconds))
SLEEPER(int, nanosleep, (const struct timespec *time, struct timespec *rest), (time, rest))
SLEEPER(int, clock_nanosleep,
        (clockid_t clock, int flags, const struct timespec *time, struct timespec *rest),
        (clock, flags, time, rest))
SLEEPER(int, poll, (struct pollfd * list, nfds_t count, int timeout), (list, count, timeout))
SLEEPER(int, select, (int count, fd_set *in, fd_set *out, fd_set *other, struct timeval *timeout),
        (count, in, out, other, timeout))
SLEEPER(int, sem_wait, (sem_t * semaphore), (semaphore))
SLEEPER(int, pthread_cond_wait, (pthread_cond_t * condition, pthread_mutex_t *mutex),
        (condition, mutex))
SLEEPER(int, flock, (int descriptor, int operation), (descriptor, operation))
SLEEPER(ssize_t, read, (int descriptor, void *to, size_t bytes), (descriptor, to, bytes))

/* What takes a lock that nobody has does not wait. */
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);

int
__wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (pthread_mutex_trylock(mutex) == 0)
        return 0;
    note("calls pthread_mutex_lock");
    return __real_pthread_mutex_lock(mutex);
}

int __real_fcntl64(int descriptor, int command, ...);
int __wrap_fcntl64(int descriptor, int command, ...);

int
__wrap_fcntl64(int descriptor, int command, ...)
{
    va_list arguments;

    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (command == F_SETLKW || command == F_OFD_SETLKW)
        note("calls fcntl");
    return __real_fcntl64(descriptor, command, argument);
}

/* ---- who is watched ---- */

/* A call that never ends is not judged behind it. */
static void
tick(int number)
{
    (void)number;
    if (within != NULL && ticked == begun)
        report(within, "is busy and does not end");
    ticked = begun;
}

void
sf_waits_watch(struct sf_waits *waits, const _Atomic unsigned *stops)
{
    const struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
    const struct itimerval timer = {{.tv_usec = TICK_US}, {.tv_usec = TICK_US}};

    watched = waits;
    own_stops = stops;
    (void)sigaction(SIGVTALRM, &action, NULL);
    (void)setitimer(ITIMER_VIRTUAL, &timer, NULL);
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
    struct call call = begin("sf_l1_get");
    enum sf_status status = __real_sf_l1_get(l1, key, record_out, view_out);

    end(call);
    return status;
}

enum sf_status
__wrap_sf_l1_get_field(struct sf_l1 *l1, const struct sf_key *key, struct sf_span name,
                       void *text_out, size_t room, struct sf_l1_field *field_out)
{
    struct call call = begin("sf_l1_get_field");
    enum sf_status status = __real_sf_l1_get_field(l1, key, name, text_out, room, field_out);

    end(call);
    return status;
}

enum sf_status
__wrap_sf_l1_apply(struct sf_l1 *l1, const struct sf_key *key, const struct sf_l1_change *change,
                   struct sf_buffer *record_out, struct sf_l1_applied *applied_out)
{
    struct call call = begin("sf_l1_apply");
    enum sf_status status = __real_sf_l1_apply(l1, key, change, record_out, applied_out);

    end(call);
    return status;
}

enum sf_status
__wrap_sf_l1_fill(struct sf_l1 *l1, const struct sf_key *key, struct sf_span record,
                  sf_time last_access, const struct sf_l1_vacancy *vacancy)
{
    struct call call = begin("sf_l1_fill");
    enum sf_status status = __real_sf_l1_fill(l1, key, record, last_access, vacancy);

    end(call);
    return status;
}

void
__wrap_sf_l1_touch(struct sf_l1 *l1, const struct sf_key *key, sf_time now)
{
    struct call call = begin("sf_l1_touch");

    __real_sf_l1_touch(l1, key, now);
    end(call);
}
