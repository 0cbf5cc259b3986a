/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/no_server_case.h"

#include <arpa/inet.h>
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/test_records.h"

#define PATIENCE (10 * SF_SECOND)

static struct sf_store *store;
static int listener;
static unsigned port;
static const char *greeting;
static bool is_polite; /* waits for the client's first bytes */

void
no_server_set_up(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    store = NULL;
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
