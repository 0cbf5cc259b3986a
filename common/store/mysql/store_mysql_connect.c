/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_mysql_connect.c - from a URL to a connection, without waiting for anybody for too long.
 */
#include "common/store/mysql/store_mysql_connection.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define ADDRESSES_MAX (SF_STORE_HOSTS_MAX * SF_ADDRESSES_MAX)
#define DEFAULT_PORT 3306

/* Told that its time is up, a call of libmariadb fails at its next step; closing takes a few. */
#define STEPS_AFTER_DEADLINE 16

struct place {
    char number[SF_ADDRESS_TEXT]; /* or path of a socket */
    unsigned port;
    size_t host; /* in the URL */
};

/* MYSQL_WAIT_... of what has come; 0: the deadline. */
static int
wait_for(const struct sf_mysql_connection *connection, int wanted)
{
    struct pollfd poller = {.fd = (int)mysql_get_socket(connection->mysql)};
    poller.events = (short)(((wanted & MYSQL_WAIT_READ) != 0 ? POLLIN : 0) |
                            ((wanted & MYSQL_WAIT_WRITE) != 0 ? POLLOUT : 0) |
                            ((wanted & MYSQL_WAIT_EXCEPT) != 0 ? POLLPRI : 0));
    for (;;) {
        sf_time left = connection->deadline - sf_clock_steady();
        if (left <= 0)
            return 0;
        if (poll(&poller, 1, left > INT_MAX ? INT_MAX : (int)left) <= 0)
            continue;
        int ready = ((poller.revents & POLLIN) != 0 ? MYSQL_WAIT_READ : 0) |
                    ((poller.revents & POLLOUT) != 0 ? MYSQL_WAIT_WRITE : 0) |
                    ((poller.revents & POLLPRI) != 0 ? MYSQL_WAIT_EXCEPT : 0);
        return ready != 0 ? ready : wanted & ~MYSQL_WAIT_TIMEOUT;
    }
}

bool
sf_mysql_drive(const struct sf_mysql_connection *connection, int wanted,
               sf_mysql_continue_fn *go_on, void *answer_out)
{
    while (wanted != 0) {
        int ready = wait_for(connection, wanted);
        if (ready == 0)
            break;
        wanted = go_on(answer_out, connection->mysql, ready);
    }
    if (wanted == 0)
        return true;
    for (int i = 0; wanted != 0 && i < STEPS_AFTER_DEADLINE; i++)
        wanted = go_on(answer_out, connection->mysql, MYSQL_WAIT_TIMEOUT);
    return false;
}

static int
continue_connecting(void *answer_out, MYSQL *mysql, int ready)
{
    return mysql_real_connect_cont(answer_out, mysql, ready);
}

/* What libmariadb might wait for without asking us, such as parts of a handshake, ends by itself.
 */
static void
set_options(MYSQL *mysql, const struct sf_mysql_database *database, sf_time deadline)
{
    const struct sf_store_url *url = &database->url;
    const unsigned seconds = (unsigned)((deadline - sf_clock_steady()) / SF_SECOND) + 1;
    const unsigned no_files = 0;
    const my_bool yes = 1;
    mysql_options(mysql, MYSQL_OPT_NONBLOCK, NULL);
    mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &no_files);
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (database->has_tls) {
        mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
        mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &database->is_verified);
        mysql_options(mysql, MYSQL_OPT_SSL_CA, sf_store_url_option(url, "ca"));
        mysql_options(mysql, MYSQL_OPT_SSL_CERT, sf_store_url_option(url, "cert"));
        mysql_options(mysql, MYSQL_OPT_SSL_KEY, sf_store_url_option(url, "key"));
    }
}

static enum sf_status
shake_hands(struct sf_mysql_connection *connection, const struct place *place, const char *password,
            struct sf_error *error)
{
    const unsigned long flags = CLIENT_MULTI_STATEMENTS | CLIENT_MULTI_RESULTS;
    const struct sf_store_url *url = &connection->database->url;
    const bool is_path = place->number[0] == '/';
    char text[sizeof error->text];
    connection->mysql = mysql_init(NULL);
    if (connection->mysql == NULL)
        return sf_mysql_fail(connection, SF_NO_MEMORY, "no memory", error);
    set_options(connection->mysql, connection->database, connection->deadline);
    MYSQL *answer = NULL;
    int wanted =
        mysql_real_connect_start(&answer, connection->mysql, is_path ? NULL : place->number,
                                 url->user, password, url->name[0] == '\0' ? NULL : url->name,
                                 place->port, is_path ? place->number : NULL, flags);
    bool is_in_time = sf_mysql_drive(connection, wanted, continue_connecting, &answer);
    if (answer != NULL)
        return SF_OK;
    snprintf(text, sizeof text, "connect: %s (error %u)",
             is_in_time ? mysql_error(connection->mysql) : "no answer before the deadline",
             mysql_errno(connection->mysql));
    sf_mysql_fail(connection, SF_UNAVAILABLE, text, error);
    sf_mysql_close(connection);
    return SF_UNAVAILABLE;
}

/* ---- hosts ---- */

/* One host that is not known, or whose name hangs, does not keep us from the others. */
static size_t
find_places(struct place places[ADDRESSES_MAX], const struct sf_mysql_connection *connection,
            struct sf_error *error)
{
    const struct sf_store_url *url = &connection->database->url;
    size_t count = 0;
    for (size_t i = 0; i < url->host_count; i++) {
        struct sf_addresses found;
        sf_time deadline = sf_resolver_share(connection->deadline, url->host_count - i);
        if (sf_resolver_find(connection->database->resolvers[i], deadline, &found, error) != SF_OK)
            continue;
        for (size_t j = 0; j < found.count; j++, count++) {
            sf_address_format(&found.list[j], places[count].number);
            places[count].port = url->hosts[i].port == 0 ? DEFAULT_PORT : url->hosts[i].port;
            places[count].host = i;
        }
    }
    return count;
}

enum sf_status
sf_mysql_connect(struct sf_mysql_connection *connection, struct sf_error *error)
{
    struct place places[ADDRESSES_MAX];
    char password[SF_STORE_PASSWORD_MAX];
    size_t count = find_places(places, connection, error);
    if (count == 0 || sf_store_url_password(password, &connection->database->url, error) != SF_OK)
        return SF_UNAVAILABLE;
    enum sf_status status = SF_UNAVAILABLE;
    for (size_t i = 0; i < count && status == SF_UNAVAILABLE; i++) {
        const struct place *place = &places[connection->turn % count];
        if (i > 0 && sf_clock_steady() >= connection->deadline)
            break;
        status = shake_hands(connection, place, password, error);
        if (status == SF_OK)
            break;
        sf_resolver_doubt(connection->database->resolvers[place->host]);
        connection->turn++;
    }
    explicit_bzero(password, sizeof password);
    return status;
}
