/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memcached on a unix socket, text protocol, one request at a time as a web-server process has it. The
 * counter is a key of its own: that is how memcached increments.
 */
#include <stdio.h>

#include "bench/targets/server_target.h"

static bool
memcached_open(struct target **target_out, const struct target_plan *plan,
               struct target_failure *failure)
{
    char path[SERVER_PATH_MAX], megabytes[16];

    server_target_path(path, plan);
    snprintf(megabytes, sizeof megabytes, "%llu",
             ((unsigned long long)plan->sessions * (plan->bytes + 400) * 2 >> 20) + 128);
    const char *const arguments[] = {"memcached", "-s",   path, "-m",  megabytes,
                                     "-c",        "4096", "-u", "root", NULL};
    return server_target_open(target_out, plan, arguments, failure);
}

static bool
add_set(struct target_worker *worker, uint32_t session, uint64_t version, const char *ending)
{
    struct sf_buffer *sent = &worker->client.sent;
    char key[TARGET_KEY_TEXT];

    target_key_text(session, key);
    return sf_buffer_append_format(sent, "set %s 0 0 %zu%s\r\n", key, worker->values.bytes,
                                   ending) == SF_OK &&
           sf_buffer_append(sent, target_values_stamp(&worker->values, session, version),
                            worker->values.bytes) == SF_OK &&
           sf_buffer_append_text(sent, "\r\n") == SF_OK;
}

/* "before key after" */
static bool
ask(struct target_worker *worker, const char *before, uint32_t session, const char *after)
{
    char key[TARGET_KEY_TEXT];

    target_key_text(session, key);
    return sf_buffer_append_format(&worker->client.sent, "%s%s%s\r\n", before, key, after) ==
               SF_OK &&
           client_send(&worker->client);
}

static enum target_answer
answer_of(struct target_worker *worker, const char *wanted)
{
    const char *line = client_line(&worker->client);

    return line != NULL && strcmp(line, wanted) == 0 ? TARGET_DONE : TARGET_WRONG;
}

/* Quiet commands; then one that is not, to know that all are through. */
static bool
fill_batch(struct target_worker *worker, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        char key[TARGET_KEY_TEXT];

        target_key_text(i, key);
        if (!add_set(worker, i, 1, " noreply") ||
            sf_buffer_append_format(&worker->client.sent, "set n%s 0 0 1 noreply\r\n0\r\n", key) !=
                SF_OK)
            return false;
    }
    return sf_buffer_append_text(&worker->client.sent, "mn\r\n") == SF_OK &&
           client_send(&worker->client) && answer_of(worker, "MN") == TARGET_DONE;
}

static bool
memcached_fill(struct target_worker *worker, uint32_t first, uint32_t count)
{
    return server_target_fill(worker, first, count, fill_batch);
}

/* "VALUE key flags bytes", the bytes, "END". */
static enum target_answer
take_value(struct target_worker *worker, struct target_found *found_out)
{
    const char *line = client_line(&worker->client);
    size_t bytes;

    if (line == NULL)
        return TARGET_WRONG;
    if (strcmp(line, "END") == 0)
        return TARGET_LOST;
    if (sscanf(line, "VALUE %*s %*u %zu", &bytes) != 1 || bytes > worker->values.bytes)
        return TARGET_WRONG;
    const unsigned char *value = client_bytes(&worker->client, bytes);
    if (value == NULL)
        return TARGET_WRONG;
    memcpy(worker->values.found, value, bytes);
    *found_out = (struct target_found){worker->values.found, bytes};
    return answer_of(worker, "END");
}

static enum target_answer
memcached_read(struct target_worker *worker, uint32_t session, struct target_found *found_out)
{
    return ask(worker, "get ", session, "") ? take_value(worker, found_out) : TARGET_WRONG;
}

static enum target_answer
memcached_write(struct target_worker *worker, uint32_t session, uint64_t version)
{
    if (!add_set(worker, session, version, "") || !client_send(&worker->client))
        return TARGET_WRONG;
    return answer_of(worker, "STORED");
}

static enum target_answer
memcached_change(struct target_worker *worker, uint32_t session)
{
    if (!ask(worker, "incr n", session, " 1"))
        return TARGET_WRONG;
    const char *line = client_line(&worker->client);
    if (line != NULL && strcmp(line, "NOT_FOUND") == 0)
        return TARGET_LOST;
    return line != NULL && *line >= '0' && *line <= '9' ? TARGET_DONE : TARGET_WRONG;
}

static enum target_answer
memcached_field(struct target_worker *worker, uint32_t session, int64_t *n_out)
{
    struct target_found found;

    if (!ask(worker, "get n", session, ""))
        return TARGET_WRONG;
    enum target_answer answer = take_value(worker, &found);
    if (answer != TARGET_DONE)
        return answer;
    /* memcached pads a counter that has become shorter with blanks. */
    while (found.bytes > 0 && found.value[found.bytes - 1] == ' ')
        found.bytes--;
    struct sf_span digits = sf_span_of(found.value, found.bytes);
    return sf_int64_parse(digits, n_out) == SF_OK ? TARGET_DONE : TARGET_WRONG;
}

const struct target_ops target_memcached = {
    .name = "memcached",
    .what = "memcached on a unix socket, a bare client of its text protocol",
    .counts_exactly = true,
    .is_server = true,
    .open = memcached_open,
    .close = server_target_close,
    .attach = server_target_attach,
    .detach = server_target_detach,
    .fill = memcached_fill,
    .read = memcached_read,
    .write = memcached_write,
    .change = memcached_change,
    .field = memcached_field,
};
