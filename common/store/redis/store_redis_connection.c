/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_connection.h"

#include <hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/store/redis/store_redis_errors.h"
#include "common/store/redis/store_redis_greeting.h"
#include "common/store/redis/store_redis_reader.h"

#define OUT_BYTES_MAX (16u << 20)   /* of one pipeline */
#define REPLY_BYTES_MAX (64u << 20) /* of one reply */
#define PIECE 16384
#define NONCE_TEXT 48

/* ---- life ---- */

void
sf_redis_init(struct sf_redis_connection *connection, struct sf_redis_server *server)
{
    *connection = (struct sf_redis_connection){.server = server};
    if (server->kind != SF_REDIS_CLUSTER)
        sf_redis_marks_add(&connection->marks, 0);
    sf_buffer_init(&connection->out, OUT_BYTES_MAX);
}

void
sf_redis_close(struct sf_redis_connection *connection)
{
    sf_wire_close(connection->wire);
    sf_redis_reader_free(connection->reader);
    connection->wire = NULL;
    connection->reader = NULL;
    connection->must_leave = false;
}

void
sf_redis_fini(struct sf_redis_connection *connection)
{
    sf_redis_close(connection);
    sf_resolver_free(connection->resolver);
    connection->resolver = NULL;
    sf_buffer_fini(&connection->out);
}

enum sf_status
sf_redis_go_to(struct sf_redis_connection *connection, const struct sf_redis_place *place)
{
    sf_redis_close(connection);
    if (connection->resolver != NULL && sf_redis_place_equal(&connection->place, place))
        return SF_OK;
    sf_resolver_free(connection->resolver);
    connection->place = *place;
    connection->resolver = sf_resolver_new(place->host, place->port, sf_resolver_ask_system);
    return connection->resolver == NULL ? SF_NO_MEMORY : SF_OK;
}

enum sf_status
sf_redis_fail(const struct sf_redis_connection *connection, enum sf_status status, const char *text,
              struct sf_error *error)
{
    const struct sf_redis_place *place = &connection->place;
    if (place->host[0] == '\0')
        return sf_error_set(error, status, "%s: %s", connection->server->url.label, text);
    return sf_error_set(error, status, "%s: %s:%u: %s", connection->server->url.label, place->host, place->port, text);
}

/* ---- commands ---- */

enum sf_status
sf_redis_command(struct sf_redis_connection *connection, size_t words)
{
    connection->commands++;
    return sf_buffer_append_format(&connection->out, "*%zu\r\n", words);
}

enum sf_status
sf_redis_word(struct sf_redis_connection *connection, struct sf_span word)
{
    enum sf_status status = sf_buffer_append_format(&connection->out, "$%zu\r\n", word.size);
    if (status == SF_OK)
        status = sf_buffer_append_span(&connection->out, word);
    return status == SF_OK ? sf_buffer_append_text(&connection->out, "\r\n") : status;
}

enum sf_status
sf_redis_words(struct sf_redis_connection *connection, const char *const *words, size_t count)
{
    enum sf_status status = sf_redis_command(connection, count);
    for (size_t i = 0; i < count && status == SF_OK; i++)
        status = sf_redis_word(connection, sf_span_text(words[i]));
    return status;
}

/* ---- replies ---- */

static enum sf_status
fill_reader(struct sf_redis_connection *connection, size_t *fed, sf_time deadline, struct sf_error *error)
{
    char bytes[PIECE];
    size_t size;
    enum sf_status status = sf_wire_receive(connection->wire, bytes, sizeof bytes, &size, deadline, error);
    if (status != SF_OK)
        return status;
    *fed += size;
    if (*fed > REPLY_BYTES_MAX)
        return sf_error_set(error, SF_UNAVAILABLE, "a reply of more than %u bytes", REPLY_BYTES_MAX);
    if (redisReaderFeed(connection->reader, bytes, size) != REDIS_OK)
        return sf_error_set(error, SF_NO_MEMORY, "no memory for a reply");
    return SF_OK;
}

enum sf_status
sf_redis_receive(struct sf_redis_connection *connection, struct redisReply **reply_out, sf_time deadline,
                 struct sf_error *error)
{
    void *reply = NULL;
    size_t fed = 0;
    enum sf_status status = SF_OK;
    while (status == SF_OK) {
        if (redisReaderGetReply(connection->reader, &reply) != REDIS_OK)
            return sf_error_set(error, SF_UNAVAILABLE, "what it says is not the Redis protocol: %s",
                                sf_redis_reader_fault(connection->reader));
        if (reply != NULL)
            break;
        status = fill_reader(connection, &fed, deadline, error);
    }
    *reply_out = reply;
    return status;
}

/* `which`: the first or the last of this pipeline. */
static void
format_nonce(const struct sf_redis_connection *connection, char which, char text_out[NONCE_TEXT])
{
    snprintf(text_out, NONCE_TEXT, "%016" PRIx64 "-%" PRIu64 "%c", connection->nonce, connection->pipelines, which);
}

static enum sf_status
add_ping(struct sf_redis_connection *connection, char which)
{
    char text[NONCE_TEXT];
    format_nonce(connection, which, text);
    enum sf_status status = sf_redis_words(connection, (const char *const[]){"PING", text}, 2);
    connection->commands--;
    return status;
}

/* An error of the server, in words of ours and of its own. */
static enum sf_status
explain(struct sf_redis_connection *connection, const struct redisReply *reply, struct sf_error *reason_out)
{
    char words[SF_REDIS_WORDS_TEXT];
    struct sf_span said = sf_span_of(reply->str, reply->len);
    const struct sf_redis_fault *fault = sf_redis_fault(said);
    sf_redis_words_format(said, words);
    connection->must_leave |= fault->is_other_server;
    return sf_error_set(reason_out, fault->status, "%s: %s", fault->meaning, words);
}

static enum sf_status
expect_ping(struct sf_redis_connection *connection, char which, sf_time deadline, struct sf_error *error)
{
    char text[NONCE_TEXT];
    redisReply *reply;
    format_nonce(connection, which, text);
    enum sf_status status = sf_redis_receive(connection, &reply, deadline, error);
    if (status != SF_OK)
        return status;
    if (reply->type == REDIS_REPLY_ERROR)
        status = explain(connection, reply, error);
    else if (reply->type != REDIS_REPLY_STRING
             || !sf_span_equal(sf_span_of(reply->str, reply->len), sf_span_text(text)))
        status = sf_error_set(error, SF_UNAVAILABLE, "it answers what it was not asked");
    freeReplyObject(reply);
    return status;
}

static enum sf_status
take_replies(struct sf_redis_connection *connection, size_t count, sf_time deadline, sf_redis_take_fn *take,
             void *context, struct sf_error *error)
{
    for (size_t i = 0; i < count; i++) {
        redisReply *reply;
        enum sf_status status = sf_redis_receive(connection, &reply, deadline, error);
        if (status != SF_OK)
            return status;
        take(context, i, reply);
        freeReplyObject(reply);
    }
    return SF_OK;
}

enum sf_status
sf_redis_start(struct sf_redis_connection *connection, bool is_framed)
{
    sf_buffer_clear(&connection->out);
    connection->commands = 0;
    connection->pipelines++;
    connection->is_framed = is_framed;
    return is_framed ? add_ping(connection, 'a') : SF_OK;
}

static enum sf_status
take_pipeline(struct sf_redis_connection *connection, sf_time deadline, sf_redis_take_fn *take, void *context,
              struct sf_error *error)
{
    enum sf_status status = SF_OK;
    if (connection->is_framed)
        status = expect_ping(connection, 'a', deadline, error);
    if (status == SF_OK)
        status = take_replies(connection, connection->commands, deadline, take, context, error);
    if (status == SF_OK && connection->is_framed)
        status = expect_ping(connection, 'z', deadline, error);
    if (status == SF_OK && connection->reader->pos != connection->reader->len)
        status = sf_error_set(error, SF_UNAVAILABLE, "it says more than it was asked");
    return status == SF_OK ? SF_OK : SF_UNCERTAIN;
}

/* What has gone wrong, and with which server, which is closed. */
static enum sf_status
give_up(struct sf_redis_connection *connection, enum sf_status status, const struct sf_error *reason,
        struct sf_error *error)
{
    sf_redis_close(connection);
    return sf_redis_fail(connection, status, reason->text, error);
}

enum sf_status
sf_redis_send(struct sf_redis_connection *connection, sf_time deadline, struct sf_error *error)
{
    struct sf_error reason = {.text = "no memory"};
    enum sf_status status = connection->is_framed ? add_ping(connection, 'z') : SF_OK;
    if (status == SF_OK)
        status = sf_wire_send(connection->wire, sf_buffer_span(&connection->out), deadline, &reason);
    return status == SF_OK ? SF_OK : give_up(connection, status, &reason, error);
}

enum sf_status
sf_redis_collect(struct sf_redis_connection *connection, sf_time deadline, sf_redis_take_fn *take, void *context,
                 struct sf_error *error)
{
    struct sf_error reason = {.text = ""};
    enum sf_status status = take_pipeline(connection, deadline, take, context, &reason);
    if (connection->must_leave)
        connection->host = (connection->host + 1) % connection->server->url.host_count;
    if (status != SF_OK)
        return give_up(connection, status, &reason, error);
    if (connection->must_leave)
        sf_redis_close(connection);
    return SF_OK;
}

enum sf_status
sf_redis_finish(struct sf_redis_connection *connection, sf_time deadline, sf_redis_take_fn *take, void *context,
                struct sf_error *error)
{
    enum sf_status status = sf_redis_send(connection, deadline, error);
    return status == SF_OK ? sf_redis_collect(connection, deadline, take, context, error) : status;
}

enum sf_status
sf_redis_begin(struct sf_redis_connection *connection, sf_time deadline, struct sf_error *error)
{
    /* Closed meanwhile, or it has said something that nobody asked for. */
    if (connection->wire != NULL && !sf_wire_is_quiet(connection->wire))
        sf_redis_close(connection);
    if (connection->wire == NULL) {
        enum sf_status status = sf_redis_connect(connection, deadline, error);
        if (status != SF_OK)
            return status;
        atomic_fetch_add(&connection->server->connects, 1);
    }
    return sf_redis_start(connection, true);
}

enum sf_status
sf_redis_judge(struct sf_redis_connection *connection, const struct redisReply *reply, struct sf_error *error)
{
    struct sf_error reason;
    enum sf_status status = explain(connection, reply, &reason);
    return sf_redis_fail(connection, status, reason.text, error);
}
