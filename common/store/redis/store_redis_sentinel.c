/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_sentinel.h"

#include <hiredis.h>
#include <string.h>

#include "common/store/redis/store_redis_login.h"

struct asking {
    struct sf_redis_connection connection; /* to the Sentinel */
    struct sf_redis_place *master;
    enum sf_status status;
    struct sf_error error;
};

/* Host and port as texts; nil: a name that it does not know. */
static void
take_address(void *context, size_t index, const struct redisReply *reply)
{
    struct asking *asking = context;
    int64_t port = 0;
    (void)index;
    if (reply->type == REDIS_REPLY_ERROR) {
        asking->status = sf_redis_judge(&asking->connection, reply, &asking->error);
        return;
    }
    bool is_pair = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
                   && reply->element[0]->type == REDIS_REPLY_STRING && reply->element[1]->type == REDIS_REPLY_STRING;
    asking->status = SF_INVALID;
    if (is_pair && sf_int64_parse(sf_span_of(reply->element[1]->str, reply->element[1]->len), &port) == SF_OK)
        asking->status =
            sf_redis_place_set(asking->master, sf_span_of(reply->element[0]->str, reply->element[0]->len), port);
    if (asking->status == SF_INVALID)
        asking->status = sf_redis_fail(&asking->connection, SF_UNAVAILABLE,
                                       is_pair ? "a Sentinel gives an address that is none"
                                               : "this Sentinel knows no master of the name in option master",
                                       &asking->error);
}

static enum sf_status
log_in(struct sf_redis_connection *connection, sf_time deadline, struct sf_error *error)
{
    const struct sf_store_url *url = &connection->server->url;
    char password[SF_STORE_PASSWORD_MAX];
    enum sf_status status =
        sf_store_password_file(password, sf_store_url_option(url, "sentinel-password-file"), error);
    if (status == SF_OK)
        status = sf_redis_login(connection,
                                &(struct sf_redis_login){sf_store_url_option(url, "sentinel-user"), password},
                                deadline, error);
    explicit_bzero(password, sizeof password);
    return status;
}

/* Not between two PINGs: older Sentinels take none with a text. One answer is all that this connection gives. */
static enum sf_status
ask(struct asking *asking, sf_time deadline, struct sf_error *error)
{
    struct sf_redis_connection *connection = &asking->connection;
    const char *const words[] = {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", connection->server->master};
    enum sf_status status = log_in(connection, deadline, error);
    if (status == SF_OK)
        status = sf_redis_start(connection, false);
    if (status == SF_OK)
        status = sf_redis_words(connection, words, 3);
    if (status == SF_OK)
        status = sf_redis_finish(connection, deadline, take_address, asking, error);
    if (status == SF_OK && asking->status != SF_OK) {
        *error = asking->error;
        status = asking->status;
    }
    return status == SF_OK || status == SF_NO_MEMORY ? status : SF_UNAVAILABLE;
}

enum sf_status
sf_redis_sentinel_ask(struct sf_redis_place *master_out, struct sf_redis_server *server, size_t host,
                      sf_time deadline, struct sf_error *error)
{
    struct asking asking = {.master = master_out};
    sf_redis_init(&asking.connection, server);
    asking.connection.host = host;
    enum sf_status status = ask(&asking, deadline, error);
    sf_redis_fini(&asking.connection);
    return status;
}
