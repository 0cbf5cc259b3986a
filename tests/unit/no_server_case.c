/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/no_server_case.h"

#include <arpa/inet.h>
#include <check.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/test_records.h"

#define PATIENCE (10 * SF_SECOND)
#define HANGING_PATIENCE (3 * SF_SECOND) /* a part of it is spent on the name */

static struct sf_store *store;
static int listener;
static unsigned port;
static const char *greeting;
static bool is_polite; /* waits for the client's first bytes */
static atomic_int hanging; /* look-ups, until `is_over` lets them go; each says that it is `gone` */
static sem_t is_over, gone;

void
no_server_set_up(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    store = NULL;
    atomic_store(&hanging, 0);
    ck_assert_int_eq(sem_init(&is_over, 0, 0), 0);
    ck_assert_int_eq(sem_init(&gone, 0, 0), 0);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    port = ntohs(address.sin_port);
}

void
no_server_tear_down(void)
{
    sf_store_close(store);
    close(listener);
    for (int i = 0; i < atomic_load(&hanging); i++)
        sem_post(&is_over);
    for (int i = 0; i < atomic_load(&hanging); i++)
        sem_wait(&gone);
}

void
no_server_open(const char *format)
{
    struct sf_error error = {.status = SF_OK};
    const char *at = strstr(format, "%u");
    char url[256];
    ck_assert_ptr_nonnull(at);
    snprintf(url, sizeof url, "%.*s%u%s", (int)(at - format), format, port, at + 2);
    ck_assert_msg(sf_store_open(&store, url, "/tmp", &error) == SF_OK, "%s", error.text);
}

void
no_server_refuses(const char *url, const char *why)
{
    struct sf_error error = {.status = SF_OK};
    ck_assert_int_eq(sf_store_open(&store, url, "/tmp", &error), SF_INVALID);
    ck_assert_msg(strstr(error.text, why) != NULL, "%s", error.text);
    ck_assert_ptr_null(strstr(error.text, "s3cret"));
    ck_assert_ptr_null(store);
}

void
no_server_is_unavailable(sf_time patience, const char *why)
{
    struct sf_error error = {.status = SF_OK};
    struct sf_key key = sf_test_key(1);
    struct sf_write touch = sf_test_touch(1, 5, 0);
    struct sf_stored stored;
    size_t removed;
    ck_assert_int_eq(store->ops->attach(store, sf_clock_steady() + patience, &error),
                     SF_UNAVAILABLE);
    ck_assert_msg(strstr(error.text, why) != NULL, "%s", error.text);
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_store_load_one(store, &key, sf_clock_steady() + patience, &stored),
                     SF_UNAVAILABLE);
    sf_buffer_fini(&stored.record);
    ck_assert_int_eq(store->ops->write(store, &touch, 1, sf_clock_steady() + patience),
                     SF_UNAVAILABLE);
    ck_assert_int_eq(store->ops->sweep(store, 5, 10, sf_clock_steady() + patience, &removed),
                     SF_UNAVAILABLE);
    store->ops->explain(store, &error);
    ck_assert_msg(strstr(error.text, why) != NULL, "%s", error.text);
    ck_assert_ptr_nonnull(strstr(error.text, "127.0.0.1"));
    ck_assert_ptr_null(strstr(error.text, "s3cret"));
    ck_assert_int_eq(store->ops->write(store, NULL, 0, sf_clock_steady()), SF_OK);
}

void
no_server_listen(void)
{
    ck_assert_int_eq(listen(listener, 16), 0);
}

/* Until the listener is shut down. */
static void *
serve(void *unused)
{
    int client;
    (void)unused;
    while ((client = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        char request[1024];
        if (!is_polite || read(client, request, sizeof request) > 0)
            (void)!write(client, greeting, strlen(greeting));
        close(client);
    }
    return NULL;
}

static void
be_served(const char *why)
{
    pthread_t server;
    no_server_listen();
    ck_assert_int_eq(pthread_create(&server, NULL, serve, NULL), 0);
    no_server_is_unavailable(PATIENCE, why);
    shutdown(listener, SHUT_RDWR);
    pthread_join(server, NULL);
}

void
no_server_is_unavailable_after(const char *says, const char *why)
{
    greeting = says;
    is_polite = true;
    be_served(why);
}

void
no_server_is_unavailable_after_welcome(const char *says, const char *why)
{
    greeting = says;
    is_polite = false;
    be_served(why);
}

/* ---- a name that hangs ---- */

int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found);

int
__wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    if (strcmp(host, NO_SERVER_NAME_THAT_HANGS) != 0 || (hints->ai_flags & AI_NUMERICHOST) != 0)
        return __real_getaddrinfo(host, service, hints, found);
    atomic_fetch_add(&hanging, 1);
    sem_wait(&is_over);
    sem_post(&gone);
    return EAI_AGAIN;
}

void
no_server_is_reached_behind_a_name_that_hangs(const char *url, const char *why)
{
    struct sf_error error = {.status = SF_OK};
    pthread_t server;
    greeting = "HTTP/1.1 400 Bad Request\r\n\r\n";
    is_polite = false;
    no_server_open(url);
    no_server_listen();
    ck_assert_int_eq(pthread_create(&server, NULL, serve, NULL), 0);
    ck_assert_int_eq(store->ops->attach(store, sf_clock_steady() + HANGING_PATIENCE, &error), SF_UNAVAILABLE);
    ck_assert_msg(strstr(error.text, why) != NULL, "%s", error.text);
    while (atomic_load(&hanging) == 0)
        sched_yield();
    shutdown(listener, SHUT_RDWR);
    pthread_join(server, NULL);
}
