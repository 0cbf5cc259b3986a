/* SPDX-License-Identifier: Apache-2.0 */
#define XXH_INLINE_ALL
#include "common/store/redis/store_redis_marks.h"

#include <hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "common/base/random.h"
#include "common/store/redis/store_redis_connection.h"
#include "common/store/store.h"

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
        if (has_mark(marks, mark) && atomic_load(&server->marks[mark]) != 0)
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

uint64_t
sf_redis_marks_incarnation(const struct sf_redis_server *server)
{
    uint64_t sum = 0;
    for (unsigned mark = 0; mark < SF_REDIS_MARKS; mark++) {
        uint64_t hash = atomic_load(&server->marks[mark]);
        if (hash == 0)
            return 0;
        sum = sf_store_incarnation_of(sum, hash);
    }
    return sum;
}

/* ---- a new connection ---- */

enum step { ASK, MAKE, RENEW };

#define VALUE_TEXT 64

struct checking {
    struct sf_redis_connection *connection;
    enum step step;
    unsigned asked[SF_REDIS_MARKS];         /* by the order of the commands */
    struct sf_redis_marks missing, strange; /* to be made; to be made this server's */
    uint64_t made;                          /* the number of new ones */
    uint64_t numbers[SF_REDIS_MARKS];       /* of strange ones */
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

/* In a Cluster it also says on which run of which server it was seen: see store_redis_marks.h. */
static void
format_value(const struct checking *checking, uint64_t number, char text_out[VALUE_TEXT])
{
    const struct sf_redis_connection *connection = checking->connection;
    if (connection->server->kind == SF_REDIS_CLUSTER && connection->run != 0)
        snprintf(text_out, VALUE_TEXT, LAYOUT " %016" PRIx64 " %016" PRIx64, number, connection->run);
    else
        snprintf(text_out, VALUE_TEXT, LAYOUT " %016" PRIx64, number);
}

/* Its number stands in 16 digits; whatever else it is, is as good as a number. */
static uint64_t
number_of(const struct redisReply *reply)
{
    unsigned char bytes[8];
    size_t at = strlen(LAYOUT " ");
    if (reply->len < at + 16 || sf_hex_decode(sf_span_of(reply->str + at, 16), bytes, sizeof bytes) != SF_OK)
        return XXH3_64bits(reply->str, reply->len);
    uint64_t number;
    memcpy(&number, bytes, sizeof number);
    return be64toh(number);
}

/* What it is to be counts, also before the server has taken it: another connection makes the same of it. */
static void
keep(struct checking *checking, unsigned mark, const struct redisReply *reply)
{
    struct sf_redis_connection *connection = checking->connection;
    char value[VALUE_TEXT];
    connection->mark = XXH3_64bits(reply->str, reply->len);
    if (connection->server->kind == SF_REDIS_CLUSTER && connection->run != 0) {
        checking->numbers[mark] = number_of(reply);
        format_value(checking, checking->numbers[mark], value);
        if (strcmp(value, reply->str) != 0)
            sf_redis_marks_add(&checking->strange, mark);
        connection->mark = XXH3_64bits(value, strlen(value));
    }
    atomic_store(&connection->server->marks[mark], connection->mark);
}

/* One that is moving to another server just now, or has moved, says nothing about this one. */
static void
take_mark(void *context, size_t index, const struct redisReply *reply)
{
    struct checking *checking = context;
    unsigned mark = checking->asked[index];
    bool is_error = reply->type == REDIS_REPLY_ERROR;
    if (checking->status != SF_OK || checking->step != ASK)
        return;
    if (reply->type == REDIS_REPLY_STRING && is_of_this_layout(reply->str))
        keep(checking, mark, reply);
    else if (reply->type == REDIS_REPLY_STRING)
        refuse(checking, SF_INVALID, "its sessions were written by a later version of session-fast");
    else if (reply->type == REDIS_REPLY_NIL)
        sf_redis_marks_add(&checking->missing, mark);
    else if (!is_error || checking->connection->server->kind != SF_REDIS_CLUSTER)
        checking->status = sf_redis_judge(checking->connection, reply, &checking->error);
}

static enum sf_status
add_mark(const struct checking *checking, unsigned mark)
{
    struct sf_redis_connection *connection = checking->connection;
    char name[SF_REDIS_MARK_TEXT], value[VALUE_TEXT];
    sf_redis_mark_format(connection->server, mark, name);
    if (checking->step == ASK)
        return sf_redis_words(connection, (const char *const[]){"GET", name}, 2);
    bool is_new = checking->step == MAKE;
    format_value(checking, is_new ? checking->made : checking->numbers[mark], value);
    return sf_redis_words(connection, (const char *const[]){"SET", name, value, "NX"}, is_new ? 4 : 3);
}

/* What is made is asked for afterwards: a server that takes no writes now says so when there is something to write. */
static enum sf_status
run(struct checking *checking, enum step step, struct sf_redis_marks marks, sf_time deadline, struct sf_error *error)
{
    struct sf_redis_connection *connection = checking->connection;
    enum sf_status status = sf_redis_start(connection, true);
    size_t count = 0;
    checking->step = step;
    for (unsigned mark = 0; mark < SF_REDIS_MARKS && status == SF_OK; mark++) {
        if (!has_mark(&marks, mark))
            continue;
        checking->asked[count++] = mark;
        status = add_mark(checking, mark);
    }
    if (status == SF_OK && count > 0)
        status = sf_redis_finish(connection, deadline, take_mark, checking, error);
    if (status != SF_OK || checking->status == SF_OK)
        return status;
    *error = checking->error;
    return checking->status;
}

/* What is missing is made by us or, a moment earlier, by another host. */
enum sf_status
sf_redis_marks_check(struct sf_redis_connection *connection, sf_time deadline, struct sf_error *error)
{
    struct checking checking = {.connection = connection};
    connection->mark = 0;
    enum sf_status status = run(&checking, ASK, connection->marks, deadline, error);
    if (status == SF_OK)
        status = sf_random_bytes(&checking.made, sizeof checking.made);
    if (status == SF_OK)
        status = run(&checking, MAKE, checking.missing, deadline, error);
    if (status == SF_OK)
        status = run(&checking, ASK, checking.missing, deadline, error);
    return status == SF_OK ? run(&checking, RENEW, checking.strange, deadline, error) : status;
}
