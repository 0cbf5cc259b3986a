/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/workers.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fcgi_gateway/request.h"

/*
 * In ms. A refused request: what it needs to have sent must be there, after all that waiting. The
 * grace: less than GatewayQueueTime usually is, so that whoever waits comes in. Short: before the
 * next try when the system is short of descriptors.
 */
#define REFUSAL_TIME 10
#define GRACE_TIME 500
#define SHORT_TIME 100

struct waiting {
    int socket;
    sf_time since;
};

/*
 * 1. Idle workers wait at the doors, all at once: an epoll of the listening sockets, each of which
 *    wakes one of them, that which came last, and none more before it has accepted.
 * 2. While none is idle the overflow thread looks at the sockets, too, and it alone fills the
 *    queue.
 * 3. crowded is readable while the queue is not empty, and from the stop on.
 */
struct sf_workers {
    struct sf_gateway *gateway;
    const struct sf_listeners *listeners;
    pthread_t *threads; /* the last is the overflow's */
    size_t thread_count;

    int doors;

    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t crowd; /* for the overflow thread: nobody is idle */
    unsigned idle, running;
    bool overflow_leads, is_stopping, is_cut;
    int ended;         /* event descriptor, for stop: the last thread has ended */
    int crowded, give; /* event descriptors; give: tells a leading overflow thread to let go */
    struct waiting *queue; /* a ring */
    size_t queue_at, queue_count, queue_room;
    struct sf_log_seldom refusals, intruders;
};

/* ---- the queue ---- */

static void
push(struct sf_workers *workers, int socket)
{
    size_t at = (workers->queue_at + workers->queue_count++) % workers->queue_room;
    workers->queue[at] = (struct waiting){socket, sf_clock_steady()};
    eventfd_write(workers->crowded, 1);
    sf_count(sf_gateway_counters(workers->gateway), gateway_queued);
}

static int
pop(struct sf_workers *workers)
{
    eventfd_t ignored;
    int socket = workers->queue[workers->queue_at].socket;
    workers->queue_at = (workers->queue_at + 1) % workers->queue_room;
    if (--workers->queue_count == 0 && !workers->is_stopping)
        eventfd_read(workers->crowded, &ignored);
    return socket;
}

/* ---- accepting ---- */

/* -1: there is none, somebody was faster. */
static int
accept_from(int listener)
{
    int socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    bool is_short = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    if (socket < 0 && is_short)
        poll(NULL, 0, SHORT_TIME); /* it stays readable: nobody is served by trying at once */
    return socket;
}

/* For the overflow thread. -1: the time is over, or something else is to be done. */
static int
await_overflow(struct sf_workers *workers, int timeout)
{
    struct pollfd waits[SF_LISTENERS_MAX + 2];
    size_t count = workers->listeners->count;
    for (size_t i = 0; i < count; i++)
        waits[i] = (struct pollfd){workers->listeners->sockets[i], POLLIN, 0};
    waits[count] = (struct pollfd){workers->gateway->stopping, POLLIN, 0};
    waits[count + 1] = (struct pollfd){workers->give, POLLIN, 0};
    if (poll(waits, count + 2, timeout) <= 0 || waits[count].revents != 0)
        return -1;
    int socket = -1;
    for (size_t i = 0; i < count && socket < 0; i++)
        socket = waits[i].revents != 0 ? accept_from(waits[i].fd) : -1;
    return socket;
}

static bool
watch(struct sf_workers *workers, int operation, int listener)
{
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = listener};
    return epoll_ctl(workers->doors, operation, listener, &wanted) == 0;
}

/* For a worker. -1: something else is to be done. */
static int
await_at_doors(struct sf_workers *workers)
{
    struct epoll_event event;
    if (epoll_wait(workers->doors, &event, 1, -1) <= 0 || event.data.fd < 0)
        return -1;
    int socket = accept_from(event.data.fd);
    watch(workers, EPOLL_CTL_MOD, event.data.fd);
    return socket;
}

/* ---- serving ---- */

static bool
is_readable(int event)
{
    struct pollfd wait = {event, POLLIN, 0};
    return poll(&wait, 1, 0) > 0;
}

static void
tell_of_intruder(struct sf_workers *workers, enum sf_status status)
{
    unsigned times;
    sf_count(sf_gateway_counters(workers->gateway), gateway_intruders);
    if (sf_log_seldom(&workers->intruders, &times))
        sf_log_write(&workers->gateway->log, SF_LOG_WARNING, "SF0711",
                     "closed a connection: %s (%u times since the last line)",
                     status == SF_INVALID ? "what came is no FastCGI request"
                                          : "its request did not come in time",
                     times);
}

/*
 * false: the connection has had its last request. That is so, too, when others wait or the gateway
 * stops: a web server whose next request is always there already would keep the thread for good.
 */
static bool
serve_request(struct sf_workers *workers, struct sf_connection *connection,
              struct sf_params *params, const struct sf_connection_times *times)
{
    struct sf_gateway *gateway = workers->gateway;
    enum sf_status status = sf_connection_begin(connection, params, times, workers->crowded);
    if (status == SF_OK)
        sf_request_serve(gateway, connection, params);
    else if (status == SF_FULL)
        sf_request_refuse(gateway, connection, 431);
    else if (status == SF_INVALID ||
             (status == SF_UNAVAILABLE && connection->state == SF_CONNECTION_OPEN))
        tell_of_intruder(workers, status);
    return (status == SF_OK || status == SF_CONFLICT) &&
           connection->state == SF_CONNECTION_OPEN && connection->is_kept &&
           !is_readable(workers->crowded);
}

static void
serve(struct sf_workers *workers, int socket)
{
    struct sf_settings *settings = sf_settings_take(&workers->gateway->settings);
    const struct sf_config *config = &settings->routes.top;
    struct sf_connection connection;
    struct sf_params params;
    const struct sf_connection_times times = {config->gateway_idle_timeout,
                                              config->gateway_request_timeout, GRACE_TIME};
    sf_params_init(&params, config->gateway_params_size, (size_t)config->gateway_params_count);
    sf_settings_release(settings);
    bool has_memory = sf_connection_init(&connection, socket) == SF_OK;
    connection.cut = workers->gateway->cutting;
    while (has_memory && serve_request(workers, &connection, &params, &times))
        ;
    sf_connection_fini(&connection);
    sf_params_fini(&params);
}

/* ---- a worker ---- */

/* -1: there will be none any more. */
static int
next_connection(struct sf_workers *workers)
{
    int socket = -1;
    pthread_mutex_lock(&workers->lock);
    workers->idle++;
    while (socket < 0 && !workers->is_cut &&
           !(workers->is_stopping && workers->queue_count == 0)) {
        if (workers->queue_count > 0) {
            socket = pop(workers);
            continue;
        }
        if (workers->overflow_leads)
            eventfd_write(workers->give, 1);
        pthread_mutex_unlock(&workers->lock);
        socket = await_at_doors(workers);
        pthread_mutex_lock(&workers->lock);
    }
    if (--workers->idle == 0)
        pthread_cond_signal(&workers->crowd);
    pthread_mutex_unlock(&workers->lock);
    return socket;
}

static void
leave(struct sf_workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    if (--workers->running == 0)
        eventfd_write(workers->ended, 1);
    pthread_mutex_unlock(&workers->lock);
}

static void *
work(void *context)
{
    struct sf_workers *workers = context;
    int socket;
    while ((socket = next_connection(workers)) >= 0)
        serve(workers, socket);
    leave(workers);
    return NULL;
}

/* ---- the overflow thread ---- */

static sf_time
queue_time(struct sf_workers *workers)
{
    struct sf_settings *settings = sf_settings_take(&workers->gateway->settings);
    sf_time time = settings->routes.top.gateway_queue_time;
    sf_settings_release(settings);
    return time;
}

static void
refuse(struct sf_workers *workers, int socket)
{
    static const struct sf_connection_times at_once = {REFUSAL_TIME, REFUSAL_TIME, 0};
    struct sf_connection connection;
    struct sf_params params;
    unsigned times;
    const struct sf_config *config = &workers->gateway->config;
    sf_params_init(&params, config->gateway_params_size, (size_t)config->gateway_params_count);
    if (sf_connection_init(&connection, socket) == SF_OK &&
        sf_connection_begin(&connection, &params, &at_once, -1) == SF_OK)
        sf_request_refuse(workers->gateway, &connection, SF_HTTP_UNAVAILABLE);
    sf_connection_fini(&connection);
    sf_params_fini(&params);
    sf_count(sf_gateway_counters(workers->gateway), gateway_turned_away);
    if (sf_log_seldom(&workers->refusals, &times))
        sf_log_write(&workers->gateway->log, SF_LOG_WARNING, "SF0710",
                     "answered 503: no thread was free within GatewayQueueTime (%u times since the "
                     "last line)",
                     times);
}

/* Under the lock, which it leaves meanwhile. Returns for how long nobody will have waited too long;
 * -1: nobody waits. */
static int
refuse_those_late(struct sf_workers *workers)
{
    sf_time longest = queue_time(workers);
    while (workers->queue_count > 0) {
        sf_time left = workers->queue[workers->queue_at].since + longest - sf_clock_steady();
        if (left > 0)
            return (int)left;
        int socket = pop(workers);
        pthread_mutex_unlock(&workers->lock);
        refuse(workers, socket);
        pthread_mutex_lock(&workers->lock);
    }
    return -1;
}

/* Takes what comes while all workers are busy. Under the lock, which it leaves meanwhile. */
static void
lead_the_crowd(struct sf_workers *workers, int timeout)
{
    eventfd_t ignored;
    bool is_full = workers->queue_count == workers->queue_room;
    workers->overflow_leads = true;
    pthread_mutex_unlock(&workers->lock);
    int socket = -1;
    if (is_full) /* the kernel keeps the others */
        poll(NULL, 0, timeout < SHORT_TIME ? timeout : SHORT_TIME);
    else
        socket = await_overflow(workers, timeout);
    pthread_mutex_lock(&workers->lock);
    workers->overflow_leads = false;
    eventfd_read(workers->give, &ignored);
    if (socket >= 0)
        push(workers, socket);
}

static void *
keep_crowd(void *context)
{
    struct sf_workers *workers = context;
    pthread_mutex_lock(&workers->lock);
    while (!workers->is_stopping) {
        int timeout = refuse_those_late(workers);
        if (workers->idle > 0 && workers->queue_count == 0)
            pthread_cond_wait(&workers->crowd, &workers->lock);
        else
            lead_the_crowd(workers, timeout);
    }
    pthread_mutex_unlock(&workers->lock);
    leave(workers);
    return NULL;
}

/* ---- start and stop ---- */

static void
free_workers(struct sf_workers *workers)
{
    while (workers->queue_count > 0)
        close(pop(workers));
    close(workers->doors);
    close(workers->crowded);
    close(workers->give);
    close(workers->ended);
    free(workers->queue);
    free(workers->threads);
    free(workers);
}

/* The two events wake all workers, and stay readable until what they say is done. */
static bool
open_doors(struct sf_workers *workers)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = -1};
    bool is_made =
        epoll_ctl(workers->doors, EPOLL_CTL_ADD, workers->crowded, &event) == 0 &&
        epoll_ctl(workers->doors, EPOLL_CTL_ADD, workers->gateway->stopping, &event) == 0;
    for (size_t i = 0; is_made && i < workers->listeners->count; i++)
        is_made = watch(workers, EPOLL_CTL_ADD, workers->listeners->sockets[i]);
    return is_made;
}

static struct sf_workers *
make_workers(struct sf_gateway *gateway, const struct sf_listeners *listeners)
{
    const struct sf_config *config = &gateway->config;
    struct sf_workers *workers = calloc(1, sizeof *workers);
    if (workers == NULL)
        return NULL;
    workers->gateway = gateway;
    workers->listeners = listeners;
    workers->queue_room = (size_t)config->gateway_backlog;
    workers->queue = calloc(workers->queue_room, sizeof *workers->queue);
    workers->threads = calloc((size_t)config->gateway_threads + 1, sizeof *workers->threads);
    workers->crowded = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    workers->give = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->crowd, NULL);
    workers->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    workers->doors = epoll_create1(EPOLL_CLOEXEC);
    if (workers->queue != NULL && workers->threads != NULL && workers->crowded >= 0 &&
        workers->give >= 0 && workers->ended >= 0 && open_doors(workers))
        return workers;
    free_workers(workers);
    return NULL;
}

static bool
add_thread(struct sf_workers *workers, void *(*run)(void *))
{
    pthread_mutex_lock(&workers->lock);
    bool is_made =
        pthread_create(&workers->threads[workers->thread_count], NULL, run, workers) == 0;
    workers->thread_count += is_made;
    workers->running += is_made;
    pthread_mutex_unlock(&workers->lock);
    return is_made;
}

enum sf_status
sf_workers_start(struct sf_workers **workers_out, struct sf_gateway *gateway,
                 const struct sf_listeners *listeners, struct sf_error *error)
{
    struct sf_workers *workers = make_workers(gateway, listeners);
    if (workers == NULL)
        return sf_error_set(error, SF_UNAVAILABLE, "no memory or descriptors for the threads");
    bool is_made = true;
    for (int64_t i = 0; is_made && i < gateway->config.gateway_threads; i++)
        is_made = add_thread(workers, work);
    *workers_out = workers;
    if (is_made && add_thread(workers, keep_crowd))
        return SF_OK;
    size_t made = workers->thread_count;
    sf_workers_stop(workers, sf_clock_steady(), -1);
    return sf_error_set(error, SF_UNAVAILABLE,
                        "GatewayThreads: the system gives us only %zu threads", made);
}

static void
raise_event(int event)
{
    eventfd_write(event, 1);
}

static void
await_end(const struct sf_workers *workers, sf_time deadline, int hurry)
{
    struct pollfd waits[2] = {{workers->ended, POLLIN, 0}, {hurry, POLLIN, 0}};
    sf_time left;
    int found = 0;
    while (found <= 0 && (left = deadline - sf_clock_steady()) > 0)
        found = poll(waits, 2, left > INT32_MAX ? INT32_MAX : (int)left);
}

unsigned
sf_workers_stop(struct sf_workers *workers, sf_time deadline, int hurry)
{
    pthread_mutex_lock(&workers->lock);
    workers->is_stopping = true;
    raise_event(workers->gateway->stopping);
    raise_event(workers->crowded);
    raise_event(workers->give);
    pthread_cond_signal(&workers->crowd);
    pthread_mutex_unlock(&workers->lock);
    await_end(workers, deadline, hurry);
    pthread_mutex_lock(&workers->lock);
    unsigned left = workers->running;
    workers->is_cut = true;
    pthread_mutex_unlock(&workers->lock);
    if (left > 0)
        raise_event(workers->gateway->cutting);
    for (size_t i = 0; i < workers->thread_count; i++)
        pthread_join(workers->threads[i], NULL);
    free_workers(workers);
    return left;
}
