/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/resolver.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

/* So long an answer is taken for granted: a connection that breaks is made again without asking. */
#define FRESH (5 * SF_SECOND)

/* Shared with the thread that asks, which may outlive the resolver: whoever lets go last frees it. */
struct sf_resolver {
    pthread_mutex_t lock; /* guards all that follows but host, port and ask */
    pthread_cond_t answered;
    const char *host;
    uint16_t port;
    sf_resolver_ask_fn *ask;
    unsigned owners;
    bool is_asking;
    sf_time fresh_until;       /* steady clock */
    struct sf_addresses found; /* count 0: never yet */
    struct sf_error failure;   /* of the last time it was asked; SF_OK: none */
};

/* ---- what needs no asking ---- */

static bool
take_path(const char *host, struct sf_addresses *addresses)
{
    struct sf_address *address = &addresses->list[0];
    struct sockaddr_un *path = (struct sockaddr_un *)&address->socket;
    size_t length = strlen(host);
    if (*host != '/' || length >= sizeof path->sun_path)
        return false;
    memset(address, 0, sizeof *address);
    path->sun_family = AF_UNIX;
    memcpy(path->sun_path, host, length + 1);
    address->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    addresses->count = 1;
    return true;
}

static enum sf_status
look_up(const char *host, uint16_t port, int flags, struct sf_addresses *addresses_out, struct sf_error *error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV}, *found = NULL;
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    int code = getaddrinfo(host, service, &hints, &found);
    if (code != 0)
        return sf_error_set(error, SF_UNAVAILABLE, "%.80s: %s", host,
                            code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
    addresses_out->count = 0;
    for (struct addrinfo *at = found; at != NULL && addresses_out->count < SF_ADDRESSES_MAX; at = at->ai_next) {
        struct sf_address *address = &addresses_out->list[addresses_out->count++];
        memcpy(&address->socket, at->ai_addr, at->ai_addrlen);
        address->size = at->ai_addrlen;
    }
    freeaddrinfo(found);
    return SF_OK;
}

enum sf_status
sf_resolver_ask_system(const char *host, uint16_t port, struct sf_addresses *addresses_out, struct sf_error *error)
{
    return look_up(host, port, AI_ADDRCONFIG, addresses_out, error);
}

/* ---- life ---- */

struct sf_resolver *
sf_resolver_new(const char *host, uint16_t port, sf_resolver_ask_fn *ask)
{
    size_t length = strlen(host);
    struct sf_resolver *resolver = calloc(1, sizeof *resolver + length + 1);
    if (resolver == NULL)
        return NULL;
    resolver->host = memcpy(resolver + 1, host, length + 1);
    resolver->port = port;
    resolver->ask = ask;
    resolver->owners = 1;
    pthread_condattr_t steady;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_mutex_init(&resolver->lock, NULL);
    pthread_cond_init(&resolver->answered, &steady);
    pthread_condattr_destroy(&steady);
    return resolver;
}

void
sf_resolver_free(struct sf_resolver *resolver)
{
    if (resolver == NULL)
        return;
    pthread_mutex_lock(&resolver->lock);
    bool is_last = --resolver->owners == 0;
    pthread_mutex_unlock(&resolver->lock);
    if (!is_last)
        return;
    pthread_mutex_destroy(&resolver->lock);
    pthread_cond_destroy(&resolver->answered);
    free(resolver);
}

/* ---- asking ---- */

static void *
ask_in_thread(void *context)
{
    struct sf_resolver *resolver = context;
    struct sf_addresses found = {.count = 0};
    struct sf_error error = {.status = SF_OK};
    enum sf_status status = resolver->ask(resolver->host, resolver->port, &found, &error);
    pthread_mutex_lock(&resolver->lock);
    if (status == SF_OK) {
        resolver->found = found;
        resolver->fresh_until = sf_clock_steady() + FRESH;
    }
    resolver->failure = error;
    resolver->is_asking = false;
    pthread_cond_broadcast(&resolver->answered);
    pthread_mutex_unlock(&resolver->lock);
    sf_resolver_free(resolver);
    return NULL;
}

/* Signals are for the program's own threads. */
static int
start_thread(struct sf_resolver *resolver)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int code = pthread_create(&thread, &attributes, ask_in_thread, resolver);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

static void
begin_asking(struct sf_resolver *resolver)
{
    if (resolver->is_asking)
        return;
    resolver->is_asking = true;
    resolver->owners++;
    int code = start_thread(resolver);
    if (code == 0)
        return;
    resolver->is_asking = false;
    resolver->owners--;
    sf_error_set(&resolver->failure, SF_UNAVAILABLE, "%.80s: no thread to look it up: %s", resolver->host,
                 strerror(code));
}

/* CLOCK_MONOTONIC need not count as sf_clock_steady does: the end is told as time from now. */
static void
wait_for_answer(struct sf_resolver *resolver, sf_time deadline)
{
    while (resolver->is_asking) {
        struct timespec until;
        sf_time left = deadline - sf_clock_steady();
        if (left <= 0)
            return;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += left / SF_SECOND;
        until.tv_nsec += (left % SF_SECOND) * 1000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
        pthread_cond_timedwait(&resolver->answered, &resolver->lock, &until);
    }
}

/* With the lock held. */
static enum sf_status
find_by_asking(struct sf_resolver *resolver, sf_time deadline, struct sf_error *error)
{
    sf_time now = sf_clock_steady();
    bool is_known = resolver->found.count > 0;
    if (is_known && now < resolver->fresh_until)
        return SF_OK;
    begin_asking(resolver);
    /* A resolver that hangs must leave time for the connection to the address that is known. */
    wait_for_answer(resolver, is_known ? now + (deadline - now) / 4 : deadline);
    if (resolver->found.count > 0)
        return SF_OK;
    if (resolver->is_asking)
        return sf_error_set(error, SF_UNAVAILABLE, "%.80s: the name was not found in time", resolver->host);
    return sf_error_set(error, SF_UNAVAILABLE, "%s", resolver->failure.text);
}

enum sf_status
sf_resolver_find(struct sf_resolver *resolver, sf_time deadline, struct sf_addresses *addresses_out,
                 struct sf_error *error)
{
    if (take_path(resolver->host, addresses_out))
        return SF_OK;
    if (*resolver->host == '/')
        return sf_error_set(error, SF_UNAVAILABLE, "%.80s: too long for a unix socket", resolver->host);
    if (look_up(resolver->host, resolver->port, AI_NUMERICHOST, addresses_out, NULL) == SF_OK)
        return SF_OK;
    pthread_mutex_lock(&resolver->lock);
    enum sf_status status = find_by_asking(resolver, deadline, error);
    if (status == SF_OK)
        *addresses_out = resolver->found;
    pthread_mutex_unlock(&resolver->lock);
    return status;
}

sf_time
sf_resolver_share(sf_time deadline, size_t left)
{
    sf_time now = sf_clock_steady();
    return now + (deadline - now) / (sf_time)(left + 1);
}

void
sf_resolver_doubt(struct sf_resolver *resolver)
{
    pthread_mutex_lock(&resolver->lock);
    resolver->fresh_until = 0;
    pthread_mutex_unlock(&resolver->lock);
}

void
sf_address_format(const struct sf_address *address, char text_out[SF_ADDRESS_TEXT])
{
    const struct sockaddr *socket = (const struct sockaddr *)&address->socket;
    if (socket->sa_family == AF_UNIX)
        snprintf(text_out, SF_ADDRESS_TEXT, "%s", ((const struct sockaddr_un *)&address->socket)->sun_path);
    else if (getnameinfo(socket, address->size, text_out, SF_ADDRESS_TEXT, NULL, 0, NI_NUMERICHOST) != 0)
        snprintf(text_out, SF_ADDRESS_TEXT, "?");
}
