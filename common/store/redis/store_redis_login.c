/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_login.h"

#include <ctype.h>
#include <hiredis.h>
#include <string.h>

#include "common/base/random.h"
#include "common/store/redis/store_redis_errors.h"
#include "common/store/redis/store_redis_reader.h"

/* ---- a stream ---- */

static enum sf_status
open_wire(struct sf_redis_connection *connection, sf_time deadline, struct sf_error *error)
{
    const struct sf_redis_server *server = connection->server;
    bool was_told = connection->place.host[0] != '\0';
    struct sf_resolver *resolver = was_told ? connection->resolver : server->resolvers[connection->host];
    struct sf_addresses addresses;
    struct sf_wire_tls tls = server->tls;
    tls.host = was_told ? connection->place.host : server->url.hosts[connection->host].name;
    enum sf_status status = sf_resolver_find(resolver, deadline, &addresses, error);
    if (status == SF_OK)
        status = sf_wire_open(&connection->wire, &addresses, server->is_tls ? &tls : NULL, deadline, error);
    if (status != SF_OK)
        sf_resolver_doubt(resolver);
    return status;
}

static enum sf_status
open_stream(struct sf_redis_connection *connection, sf_time deadline, struct sf_error *error)
{
    struct sf_error reason = {.text = "no memory"};
    enum sf_status status = open_wire(connection, deadline, &reason);
    if (status != SF_OK)
        return sf_redis_fail(connection, status, reason.text, error);
    connection->reader = sf_redis_reader_new();
    if (connection->reader == NULL)
        return sf_redis_fail(connection, SF_NO_MEMORY, "no memory", error);
    return sf_random_bytes(&connection->nonce, sizeof connection->nonce);
}

/* ---- user and password ---- */

struct verdict {
    struct sf_redis_connection *connection;
    enum sf_status status;
    struct sf_error error;
};

/* Only the first word is told: who knows what a server that is none of ours repeats. */
static void
explain_refusal(char *text_out, size_t size, struct sf_span said)
{
    size_t length = 0;
    while (length < said.size && isupper(said.data[length]))
        length++;
    if (sf_redis_fault_is(said, SF_REDIS_MAXCLIENTS))
        snprintf(text_out, size, "%s", sf_redis_fault(said)->meaning);
    else
        snprintf(text_out, size, "user or password are not taken: %.*s", (int)length, (const char *)said.data);
}

static void
take_welcome(void *context, size_t index, const struct redisReply *reply)
{
    struct verdict *verdict = context;
    char text[128];
    (void)index;
    if (reply->type == REDIS_REPLY_STATUS)
        return;
    bool is_text = reply->type == REDIS_REPLY_ERROR;
    explain_refusal(text, sizeof text, sf_span_text(is_text ? reply->str : ""));
    verdict->connection->must_leave = true;
    verdict->status = sf_redis_fail(verdict->connection, SF_UNAVAILABLE, text, &verdict->error);
}

static enum sf_status
add_login(struct sf_redis_connection *connection, const struct sf_redis_login *login)
{
    const char *password = login->password == NULL ? "" : login->password;
    if (login->user != NULL && *login->user != '\0')
        return sf_redis_words(connection, (const char *const[]){"AUTH", login->user, password}, 3);
    if (*password != '\0')
        return sf_redis_words(connection, (const char *const[]){"AUTH", password}, 2);
    return SF_OK;
}

enum sf_status
sf_redis_login(struct sf_redis_connection *connection, const struct sf_redis_login *login, sf_time deadline,
               struct sf_error *error)
{
    struct verdict verdict = {.connection = connection};
    enum sf_status status = open_stream(connection, deadline, error);
    if (status == SF_OK)
        status = sf_redis_start(connection, false);
    if (status == SF_OK)
        status = add_login(connection, login);
    if (status == SF_OK && connection->commands > 0)
        status = sf_redis_finish(connection, deadline, take_welcome, &verdict, error);
    if (connection->out.size > 0)
        explicit_bzero(connection->out.data, connection->out.size);
    if (status == SF_OK && verdict.status != SF_OK) {
        *error = verdict.error;
        status = verdict.status;
    }
    return status == SF_UNCERTAIN ? SF_UNAVAILABLE : status;
}

enum sf_status
sf_redis_login_as_user(struct sf_redis_connection *connection, sf_time deadline, struct sf_error *error)
{
    const struct sf_store_url *url = &connection->server->url;
    char password[SF_STORE_PASSWORD_MAX];
    enum sf_status status = sf_store_url_password(password, url, error);
    if (status == SF_OK)
        status = sf_redis_login(connection, &(struct sf_redis_login){url->user, password}, deadline, error);
    explicit_bzero(password, sizeof password);
    return status;
}
