/* SPDX-License-Identifier: Apache-2.0 */
#define XXH_INLINE_ALL
#include "common/store/store_redis_marks.h"

#include <hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "common/base/random.h"
#include "common/store/store_redis_connection.h"

#define LAYOUT "1" /* of the keys and fields that store_redis_rows.h and the script write */

void
sf_redis_marks_add(struct sf_redis_marks *marks, unsigned mark)
{
    marks->bits[mark / 64] |= UINT64_C(1) << mark % 64;
}

static bool
has_mark(const struct sf_redis_marks *marks, unsigned mark)
{
    return (marks->bits[mark / 64] >> mark % 64 & 1) != 0;
}

unsigned
sf_redis_marks_known(const struct sf_redis_marks *marks, const struct sf_redis_server *server)
{
    for (unsigned mark = 0; mark < SF_REDIS_MARKS; mark++)
        if (has_mark(marks, mark) && atomic_load(&server->seen[mark]))
            return mark;
    return SF_REDIS_NO_MARK;
}

void
sf_redis_mark_format(const struct sf_redis_server *server, unsigned mark, char text_out[SF_REDIS_MARK_TEXT])
{
    if (server->kind == SF_REDIS_CLUSTER)
        snprintf(text_out, SF_REDIS_MARK_TEXT, "%s@layout:%u", server->prefix, mark);
    else
        snprintf(text_out, SF_REDIS_MARK_TEXT, "%s@layout", server->prefix);
}

/* ---- a new connection ---- */

struct checking {
    struct sf_redis_connection *connection;
    char made[32];                  /* what a new one is */
    unsigned asked[SF_REDIS_MARKS]; /* by the order of the commands */
    struct sf_redis_marks missing;  /* that nobody has seen, or that are to be made again */
    enum sf_status status;
    struct sf_error error;
};

static void
refuse(struct checking *checking, enum sf_status status, const char *text)
{
    checking->connection->must_leave = true;
    checking->status = sf_redis_fail(checking->connection, status, text, &checking->error);
}

static bool
is_of_this_layout(const char *text)
{
    return strcspn(text, " ") == strlen(LAYOUT) && strncmp(text, LAYOUT, strlen(LAYOUT)) == 0;
}

static void
keep(struct checking *checking, unsigned mark, const struct redisReply *reply)
{
    checking->connection->mark = XXH3_64bits(reply->str, reply->len);
    atomic_store(&checking->connection->server->seen[mark], true);
}

/* One that is moving to another server just now, or has moved, says nothing about this one. */
static void
take_mark(void *context, size_t index, const struct redisReply *reply)
{
    struct checking *checking = context;
    struct sf_redis_server *server = checking->connection->server;
    unsigned mark = checking->asked[index];
    bool is_cluster = server->kind == SF_REDIS_CLUSTER;
    if (checking->status != SF_OK)
        return;
    if (reply->type == REDIS_REPLY_STRING && is_of_this_layout(reply->str))
        keep(checking, mark, reply);
    else if (reply->type == REDIS_REPLY_STRING)
        refuse(checking, SF_INVALID, "its sessions were written by a later version of session-fast");
    else if (reply->type == REDIS_REPLY_NIL && is_cluster && atomic_load(&server->seen[mark]))
        refuse(checking, SF_UNAVAILABLE, SF_REDIS_EMPTIED);
    else if (reply->type == REDIS_REPLY_NIL)
        sf_redis_marks_add(&checking->missing, mark);
    else if (!is_cluster || reply->type != REDIS_REPLY_ERROR)
        checking->status = sf_redis_judge(checking->connection, reply, &checking->error);
}

/* A server that takes no writes now says so when there is something to write. Another host may have been first. */
static void
take_set(void *context, size_t index, const struct redisReply *reply)
{
    struct checking *checking = context;
    if (reply->type == REDIS_REPLY_STATUS || reply->type == REDIS_REPLY_NIL)
        atomic_store(&checking->connection->server->seen[checking->asked[index]], true);
}

static enum sf_status
add_mark(const struct checking *checking, unsigned mark, bool is_set)
{
    struct sf_redis_connection *connection = checking->connection;
    char name[SF_REDIS_MARK_TEXT];
    sf_redis_mark_format(connection->server, mark, name);
    if (is_set)
        return sf_redis_words(connection, (const char *const[]){"SET", name, checking->made, "NX"}, 4);
    return sf_redis_words(connection, (const char *const[]){"GET", name}, 2);
}

static enum sf_status
ask(struct checking *checking, const struct sf_redis_marks *marks, sf_redis_take_fn *take, sf_time deadline,
    struct sf_error *error)
{
    struct sf_redis_connection *connection = checking->connection;
    enum sf_status status = sf_redis_start(connection, true);
    size_t count = 0;
    for (unsigned mark = 0; mark < SF_REDIS_MARKS && status == SF_OK; mark++) {
        if (!has_mark(marks, mark))
            continue;
        checking->asked[count++] = mark;
        status = add_mark(checking, mark, take == take_set);
    }
    if (status != SF_OK || count == 0)
        return status;
    return sf_redis_finish(connection, deadline, take, checking, error);
}

/* Made by us or, a moment earlier, by another host. */
static enum sf_status
make_missing(struct checking *checking, sf_time deadline, struct sf_error *error)
{
    const struct sf_redis_marks missing = checking->missing;
    uint64_t number;
    enum sf_status status = sf_random_bytes(&number, sizeof number);
    snprintf(checking->made, sizeof checking->made, LAYOUT " %016" PRIx64, number);
    if (status == SF_OK)
        status = ask(checking, &missing, take_set, deadline, error);
    return status == SF_OK ? ask(checking, &missing, take_mark, deadline, error) : status;
}

enum sf_status
sf_redis_marks_check(struct sf_redis_connection *connection, sf_time deadline, struct sf_error *error)
{
    struct checking checking = {.connection = connection};
    connection->mark = 0;
    enum sf_status status = ask(&checking, &connection->marks, take_mark, deadline, error);
    if (status == SF_OK && checking.status != SF_OK) {
        *error = checking.error;
        status = checking.status;
    }
    return status == SF_OK ? make_missing(&checking, deadline, error) : status;
}
