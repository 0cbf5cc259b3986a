/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_redis_connection.h - one connection to a Redis or Valkey server, asked in pipelines.
 *
 * Every pipeline stands between two PINGs with a text that was never used before: a reply too many
 * or too few, whoever has lost it, shows there, and all that came with it is thrown away. After anything
 * but a whole pipeline the connection is closed; the next call makes a new one. hiredis reads the
 * replies, nothing else of it is used.
 */
#include "common/store/redis/store_redis_server.h"

struct redisReader;
struct redisReply;

#define SF_REDIS_SHA_TEXT 40

struct sf_redis_connection {
    struct sf_redis_server *server;
    struct sf_wire *wire;      /* NULL: closed */
    struct redisReader *reader;
    struct sf_buffer out;      /* commands, not yet sent */
    size_t commands;           /* in it, without PINGs */
    bool is_framed;            /* by PINGs */
    size_t host;               /* of the URL, that is tried first */
    struct sf_redis_place place; /* told by another server: goes there, and to none of the URL's hosts */
    struct sf_resolver *resolver; /* of that */
    uint64_t nonce, pipelines;
    uint64_t run, mark;        /* hashes of what the server has told of itself, and of our mark there; 0: nothing */
    bool must_leave;           /* a reply has said that this server is not the right one */
    struct sf_redis_marks marks; /* that are on this server */
    char script[SF_REDIS_SHA_TEXT + 1]; /* of store_redis_script.h, as what follows */
    char index_script[SF_REDIS_SHA_TEXT + 1]; /* CLUSTER */
};

void sf_redis_init(struct sf_redis_connection *connection, struct sf_redis_server *server);
void sf_redis_close(struct sf_redis_connection *connection); /* usable again */
void sf_redis_fini(struct sf_redis_connection *connection);

/* Closed; goes there when it connects. SF_NO_MEMORY. */
enum sf_status sf_redis_go_to(struct sf_redis_connection *connection, const struct sf_redis_place *place) SF_MUST_CHECK;

/* Fills *error: which server, and this text. Returns `status`. */
enum sf_status sf_redis_fail(const struct sf_redis_connection *connection, enum sf_status status, const char *text,
                             struct sf_error *error);

/*
 * Connects if need be, and begins a pipeline. SF_UNAVAILABLE; SF_INVALID: a later version of
 * session-fast keeps its sessions there.
 */
enum sf_status sf_redis_begin(struct sf_redis_connection *connection, sf_time deadline,
                              struct sf_error *error) SF_MUST_CHECK;

/* On an open connection; not framed: before the server takes a PING. */
enum sf_status sf_redis_start(struct sf_redis_connection *connection, bool is_framed) SF_MUST_CHECK;

/* One command of so many words, which sf_redis_word gives one by one. SF_NO_MEMORY, SF_FULL. */
enum sf_status sf_redis_command(struct sf_redis_connection *connection, size_t words) SF_MUST_CHECK;
enum sf_status sf_redis_word(struct sf_redis_connection *connection, struct sf_span word) SF_MUST_CHECK;
enum sf_status sf_redis_words(struct sf_redis_connection *connection, const char *const *words,
                              size_t count) SF_MUST_CHECK; /* a whole command of texts */

/* The first half of sf_redis_finish: several servers can be at work at once. SF_UNAVAILABLE, SF_UNCERTAIN. */
enum sf_status sf_redis_send(struct sf_redis_connection *connection, sf_time deadline,
                             struct sf_error *error) SF_MUST_CHECK;

/*
 * Sends the pipeline; `take` is given the reply to each command, in their order. What it was given counts only
 * after SF_OK. SF_UNAVAILABLE: nothing was sent. SF_UNCERTAIN: something was, and the answers are lost.
 */
typedef void sf_redis_take_fn(void *context, size_t index, const struct redisReply *reply);
enum sf_status sf_redis_finish(struct sf_redis_connection *connection, sf_time deadline, sf_redis_take_fn *take,
                               void *context, struct sf_error *error) SF_MUST_CHECK;

/*
 * The next thing that the server says, for who has asked it to speak unasked; freeReplyObject is the caller's.
 * SF_UNAVAILABLE, SF_NO_MEMORY: the connection is to be closed.
 */
enum sf_status sf_redis_receive(struct sf_redis_connection *connection, struct redisReply **reply_out,
                                sf_time deadline, struct sf_error *error) SF_MUST_CHECK;

/* The second half. SF_UNCERTAIN. */
enum sf_status sf_redis_collect(struct sf_redis_connection *connection, sf_time deadline, sf_redis_take_fn *take,
                                void *context, struct sf_error *error) SF_MUST_CHECK;

/*
 * What an error reply means: SF_UNAVAILABLE, SF_FULL (no memory left), SF_INVALID (only this command's fault), with
 * an explanation. Notes when the server is not the right one.
 */
enum sf_status sf_redis_judge(struct sf_redis_connection *connection, const struct redisReply *reply,
                              struct sf_error *error);
