/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Redis on a unix socket, nothing persistent; a hash for each session, as applications keep them there:
 * HGET of the value, HSET, HINCRBY. A bare client of RESP, one request at a time.
 */
#include "bench/targets/server_target.h"

static bool
redis_open(struct target **target_out, const struct target_plan *plan,
           struct target_failure *failure)
{
    char path[SERVER_PATH_MAX];

    server_target_path(path, plan);
    const char *const arguments[] = {"redis-server", "--port", "0",  "--unixsocket", path,
                                     "--save",       "",       "--appendonly", "no", NULL};
    return server_target_open(target_out, plan, arguments, failure);
}

/* "*words $4 verb $32 key field..." with `tail` being what follows the key, whole. */
static bool
add(struct target_worker *worker, int words, const char *verb, uint32_t session, const char *tail)
{
    char key[TARGET_KEY_TEXT];

    target_key_text(session, key);
    return sf_buffer_append_format(&worker->client.sent, "*%d\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n%s",
                                   words, strlen(verb), verb, strlen(key), key, tail) == SF_OK;
}

static bool
add_value(struct target_worker *worker, uint32_t session, uint64_t version)
{
    struct sf_buffer *sent = &worker->client.sent;
    size_t bytes = worker->values.bytes;

    return sf_buffer_append_format(sent, "$%zu\r\n", bytes) == SF_OK &&
           sf_buffer_append(sent, target_values_stamp(&worker->values, session, version), bytes) ==
               SF_OK &&
           sf_buffer_append_text(sent, "\r\n") == SF_OK;
}

/* ":number" */
static bool
take_number(struct target_worker *worker, int64_t *number_out)
{
    const char *line = client_line(&worker->client);

    return line != NULL && line[0] == ':' &&
           sf_int64_parse(sf_span_text(line + 1), number_out) == SF_OK;
}

/* "$bytes", the bytes; "$-1": nothing. */
static enum target_answer
take_bulk(struct target_worker *worker, struct target_found *found_out)
{
    const char *line = client_line(&worker->client);
    int64_t bytes;

    if (line == NULL || line[0] != '$' || sf_int64_parse(sf_span_text(line + 1), &bytes) != SF_OK)
        return TARGET_WRONG;
    if (bytes < 0)
        return TARGET_LOST;
    const unsigned char *value = client_bytes(&worker->client, (size_t)bytes);
    if (value == NULL || (size_t)bytes > worker->values.bytes)
        return TARGET_WRONG;
    memcpy(worker->values.found, value, (size_t)bytes);
    *found_out = (struct target_found){worker->values.found, (size_t)bytes};
    return TARGET_DONE;
}

static bool
fill_batch(struct target_worker *worker, uint32_t first, uint32_t count)
{
    int64_t added;

    for (uint32_t i = first; i < first + count; i++)
        if (!add(worker, 6, "HSET", i, "$1\r\nn\r\n$1\r\n0\r\n$1\r\nv\r\n") ||
            !add_value(worker, i, 1))
            return false;
    if (!client_send(&worker->client))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!take_number(worker, &added))
            return false;
    return true;
}

static bool
redis_fill(struct target_worker *worker, uint32_t first, uint32_t count)
{
    return server_target_fill(worker, first, count, fill_batch);
}

static enum target_answer
redis_read(struct target_worker *worker, uint32_t session, struct target_found *found_out)
{
    if (!add(worker, 3, "HGET", session, "$1\r\nv\r\n") || !client_send(&worker->client))
        return TARGET_WRONG;
    return take_bulk(worker, found_out);
}

static enum target_answer
redis_write(struct target_worker *worker, uint32_t session, uint64_t version)
{
    int64_t added;

    if (!add(worker, 4, "HSET", session, "$1\r\nv\r\n") || !add_value(worker, session, version) ||
        !client_send(&worker->client))
        return TARGET_WRONG;
    return take_number(worker, &added) ? TARGET_DONE : TARGET_WRONG;
}

static enum target_answer
redis_change(struct target_worker *worker, uint32_t session)
{
    int64_t n;

    if (!add(worker, 4, "HINCRBY", session, "$1\r\nn\r\n$1\r\n1\r\n") ||
        !client_send(&worker->client))
        return TARGET_WRONG;
    return take_number(worker, &n) ? TARGET_DONE : TARGET_WRONG;
}

static enum target_answer
redis_field(struct target_worker *worker, uint32_t session, int64_t *n_out)
{
    struct target_found found;

    if (!add(worker, 3, "HGET", session, "$1\r\nn\r\n") || !client_send(&worker->client))
        return TARGET_WRONG;
    enum target_answer answer = take_bulk(worker, &found);
    if (answer != TARGET_DONE)
        return answer;
    struct sf_span digits = sf_span_of(found.value, found.bytes);
    return sf_int64_parse(digits, n_out) == SF_OK ? TARGET_DONE : TARGET_WRONG;
}

const struct target_ops target_redis = {
    .name = "Redis",
    .what = "Redis on a unix socket, a hash for each session, a bare client of RESP",
    .counts_exactly = true,
    .is_server = true,
    .open = redis_open,
    .close = server_target_close,
    .attach = server_target_attach,
    .detach = server_target_detach,
    .fill = redis_fill,
    .read = redis_read,
    .write = redis_write,
    .change = redis_change,
    .field = redis_field,
};
