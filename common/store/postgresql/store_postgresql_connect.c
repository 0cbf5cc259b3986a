/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_postgresql_connect.c - from a URL to a connection, without waiting for anybody for too
 * long.
 */
#include "common/store/postgresql/store_postgresql_connection.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "common/base/bytes.h"

#define ADDRESSES_MAX (SF_STORE_HOSTS_MAX * SF_ADDRESSES_MAX)
#define SETTINGS_MAX (16 + SF_STORE_PARAMETERS_MAX)
#define LIST_BYTES (ADDRESSES_MAX * (SF_ADDRESS_TEXT + 1))

/* Lists as libpq wants them: as many items in each, separated by commas. */
struct addresses {
    struct sf_buffer names, numbers, ports;
};

struct settings {
    const char *names[SETTINGS_MAX], *values[SETTINGS_MAX];
    size_t count;
};

static void
set(struct settings *settings, const char *name, const char *value)
{
    settings->names[settings->count] = name;
    settings->values[settings->count++] = value;
}

/*
 * An idle connection is asked for a sign of life after 10 s, three times; what was sent is given up
 * after 10 s. Kerberos would be asked in calls that block.
 */
static void
set_all(struct settings *settings, const struct sf_store_url *url,
        const struct addresses *addresses, const char *password)
{
    set(settings, "host", (const char *)addresses->names.data);
    set(settings, "hostaddr", (const char *)addresses->numbers.data);
    set(settings, "port", (const char *)addresses->ports.data);
    if (url->user[0] != '\0')
        set(settings, "user", url->user);
    if (password[0] != '\0')
        set(settings, "password", password);
    if (url->name[0] != '\0')
        set(settings, "dbname", url->name);
    set(settings, "application_name", "session-fast");
    set(settings, "client_encoding", "UTF8");
    set(settings, "gssencmode", "disable");
    set(settings, "keepalives_idle", "10");
    set(settings, "keepalives_interval", "5");
    set(settings, "keepalives_count", "3");
    set(settings, "tcp_user_timeout", "10000");
    for (size_t i = 0; i < url->parameter_count; i++)
        if (strncmp(url->parameters[i].name, "ssl", 3) == 0 ||
            strcmp(url->parameters[i].name, "target_session_attrs") == 0 ||
            strcmp(url->parameters[i].name, "channel_binding") == 0)
            set(settings, url->parameters[i].name, url->parameters[i].value);
    set(settings, NULL, NULL);
}

static void
ignore_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

bool
sf_postgresql_wait(const struct sf_postgresql_connection *connection, short events)
{
    struct pollfd wanted = {.fd = PQsocket(connection->pg), .events = events};
    for (;;) {
        sf_time left = connection->deadline - sf_clock_steady();
        if (left <= 0)
            return false;
        int ready = poll(&wanted, 1, left > INT_MAX ? INT_MAX : (int)left);
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return false;
    }
}

static enum sf_status
shake_hands(struct sf_postgresql_connection *connection, struct sf_error *error)
{
    PGconn *pg = connection->pg;
    PostgresPollingStatusType next =
        PQstatus(pg) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    PQsetNoticeReceiver(pg, ignore_notice, NULL);
    while (next == PGRES_POLLING_READING || next == PGRES_POLLING_WRITING) {
        if (!sf_postgresql_wait(connection, next == PGRES_POLLING_READING ? POLLIN : POLLOUT))
            return sf_postgresql_fail(connection, SF_UNAVAILABLE,
                                      "connect: no answer before the deadline", error);
        next = PQconnectPoll(pg);
    }
    if (next != PGRES_POLLING_OK)
        return sf_postgresql_fail(connection, SF_UNAVAILABLE, PQerrorMessage(pg), error);
    if (PQsetnonblocking(pg, 1) != 0 || PQenterPipelineMode(pg) != 1)
        return sf_postgresql_fail(connection, SF_UNAVAILABLE, PQerrorMessage(pg), error);
    return SF_OK;
}

/* ---- hosts ---- */

static enum sf_status
add_address(struct addresses *addresses, const struct sf_store_host *host, const char *number)
{
    const char *comma = addresses->names.size > 0 ? "," : "";
    enum sf_status status = sf_buffer_append_format(&addresses->names, "%s%s", comma, host->name);
    if (status == SF_OK)
        status = sf_buffer_append_format(&addresses->numbers, "%s%s", comma, number);
    if (status == SF_OK) /* none stands beside the option "socket" */
        status = sf_buffer_append_format(&addresses->ports, "%s%u", comma,
                                         host->port == 0 ? 5432u : host->port);
    return status;
}

/* A folder with a socket is a name to libpq, and no number. */
static enum sf_status
add_host(struct addresses *addresses, struct sf_postgresql_connection *connection, size_t which,
         sf_time deadline, struct sf_error *error)
{
    const struct sf_store_host *host = &connection->database->url.hosts[which];
    struct sf_addresses found;
    if (host->name[0] == '/')
        return add_address(addresses, host, "");
    enum sf_status status =
        sf_resolver_find(connection->database->resolvers[which], deadline, &found, error);
    for (size_t i = 0; status == SF_OK && i < found.count; i++) {
        char number[SF_ADDRESS_TEXT];
        sf_address_format(&found.list[i], number);
        status = add_address(addresses, host, number);
    }
    return status;
}

/* One host that is not known, or whose name hangs, does not keep us from the others. */
static enum sf_status
find_hosts(struct addresses *addresses, struct sf_postgresql_connection *connection,
           struct sf_error *error)
{
    size_t count = connection->database->url.host_count;
    for (size_t i = 0; i < count; i++) {
        sf_time deadline = sf_resolver_share(connection->deadline, count - i);
        enum sf_status status =
            add_host(addresses, connection, (connection->turn + i) % count, deadline, error);
        if (status == SF_NO_MEMORY)
            return status;
    }
    return addresses->names.size > 0 ? SF_OK : SF_UNAVAILABLE;
}

static enum sf_status
open_socket(struct sf_postgresql_connection *connection, const struct addresses *addresses,
            struct sf_error *error)
{
    const struct sf_store_url *url = &connection->database->url;
    struct settings settings = {.count = 0};
    char password[SF_STORE_PASSWORD_MAX];
    enum sf_status status = sf_store_url_password(password, url, error);
    if (status != SF_OK)
        return SF_UNAVAILABLE;
    set_all(&settings, url, addresses, password);
    connection->pg = PQconnectStartParams(settings.names, settings.values, 0);
    explicit_bzero(password, sizeof password);
    if (connection->pg == NULL)
        return sf_postgresql_fail(connection, SF_NO_MEMORY, "no memory", error);
    return shake_hands(connection, error);
}

enum sf_status
sf_postgresql_connect(struct sf_postgresql_connection *connection, struct sf_error *error)
{
    struct addresses addresses;
    sf_buffer_init(&addresses.names, LIST_BYTES);
    sf_buffer_init(&addresses.numbers, LIST_BYTES);
    sf_buffer_init(&addresses.ports, LIST_BYTES);
    enum sf_status status = find_hosts(&addresses, connection, error);
    if (status == SF_OK)
        status = open_socket(connection, &addresses, error);
    sf_buffer_fini(&addresses.names);
    sf_buffer_fini(&addresses.numbers);
    sf_buffer_fini(&addresses.ports);
    if (status == SF_OK)
        return SF_OK;
    sf_postgresql_close(connection);
    /* Elsewhere first, next time: libpq itself would spend its whole time on a silent host. */
    size_t which = connection->turn++ % connection->database->url.host_count;
    sf_resolver_doubt(connection->database->resolvers[which]);
    return status;
}
