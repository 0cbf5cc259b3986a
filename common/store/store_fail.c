/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_fail.c - a memory store that gives scripted answers, for tests of everything above a store.
 *
 *   fail:[CALL=ANSWER[*N][+ANSWER[*N]...]][,CALL=...][,refuse=HEX][,lose=HEX]
 *
 * CALL is attach, load, write, sweep or scan; ANSWER the name of a status. Each call takes the next
 * answer, N times where *N stands; the last one is given for ever. OK passes the call on. UNCERTAIN
 * does a write and says that its answer was lost. Any other answer does nothing.
 * refuse=HEX: records whose key begins with these digits are INVALID, lose=HEX: UNAVAILABLE; the others are written.
 *
 *   fail:load=UNAVAILABLE              never answers a load
 *   fail:write=OK*3+UNAVAILABLE*2+OK   goes down after three batches, for two attempts
 */
#include "common/store/store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ANSWERS_MAX 16

enum call { CALL_ATTACH, CALL_LOAD, CALL_WRITE, CALL_SWEEP, CALL_SCAN, CALL_COUNT };

static const char *const call_names[CALL_COUNT] = {"attach", "load", "write", "sweep", "scan"};

struct answer {
    enum sf_status status;
    int64_t times; /* left; the last one of a script is never used up */
};

struct script {
    struct answer answers[ANSWERS_MAX];
    size_t count, at;
};

struct fail_store {
    struct sf_store base;
    struct sf_store *inner;
    char refused[SF_KEY_TEXT + 1], lost[SF_KEY_TEXT + 1]; /* hex digits; "": none */
    pthread_mutex_t lock; /* guards what follows */
    struct script scripts[CALL_COUNT];
    struct sf_error last;
};

static sf_store_open_fn fail_open;
static sf_store_attach_fn fail_attach;
static sf_store_load_fn fail_load;
static sf_store_write_fn fail_write;
static sf_store_sweep_fn fail_sweep;
static sf_store_scan_fn fail_scan;
static sf_store_explain_fn fail_explain;
static sf_store_close_fn fail_close;

const struct sf_store_ops sf_store_fail = {
    .scheme = "fail",
    .flags = 0,
    .open = fail_open,
    .attach = fail_attach,
    .load = fail_load,
    .write = fail_write,
    .sweep = fail_sweep,
    .scan = fail_scan,
    .explain = fail_explain,
    .close = fail_close,
};

static enum sf_status
parse_status(enum sf_status *status_out, struct sf_span name)
{
#define S(known, text)                                  \
    if (sf_span_equal(name, sf_span_text(#known))) {    \
        *status_out = SF_##known;                       \
        return SF_OK;                                   \
    }
    SF_STATUS_LIST(S)
#undef S
    return SF_INVALID;
}

/* What stands before the first `separator`; *rest moves behind it, or becomes empty. */
static struct sf_span
cut(struct sf_span *rest, char separator)
{
    struct sf_span head = *rest;
    const unsigned char *at = rest->size == 0 ? NULL : memchr(rest->data, separator, rest->size);
    if (at == NULL) {
        *rest = sf_span_of(NULL, 0);
        return head;
    }
    head.size = (size_t)(at - head.data);
    *rest = sf_span_of(at + 1, rest->size - head.size - 1);
    return head;
}

static enum sf_status
parse_script(struct script *script, struct sf_span text)
{
    while (text.size > 0) {
        struct sf_span times = cut(&text, '+');
        struct sf_span name = cut(&times, '*');
        if (script->count == ANSWERS_MAX)
            return SF_INVALID;
        struct answer *answer = &script->answers[script->count++];
        answer->times = 1;
        if (parse_status(&answer->status, name) != SF_OK)
            return SF_INVALID;
        if (times.size > 0 && (sf_int64_parse(times, &answer->times) != SF_OK || answer->times < 1))
            return SF_INVALID;
    }
    return SF_OK;
}

static enum sf_status
parse_item(struct fail_store *fail, struct sf_span item)
{
    struct sf_span value = item;
    struct sf_span name = cut(&value, '=');
    if (sf_span_equal(name, sf_span_text("refuse")) && value.size <= SF_KEY_TEXT) {
        memcpy(fail->refused, value.data, value.size);
        return SF_OK;
    }
    if (sf_span_equal(name, sf_span_text("lose")) && value.size <= SF_KEY_TEXT) {
        memcpy(fail->lost, value.data, value.size);
        return SF_OK;
    }
    for (size_t i = 0; i < CALL_COUNT; i++)
        if (sf_span_equal(name, sf_span_text(call_names[i])) && value.size > 0)
            return parse_script(&fail->scripts[i], value);
    return SF_INVALID;
}

static enum sf_status
parse_url(struct fail_store *fail, const char *url, struct sf_error *error)
{
    struct sf_span rest = sf_span_text(strchr(url, ':') + 1);
    while (rest.size > 0) {
        struct sf_span item = cut(&rest, ',');
        if (parse_item(fail, item) != SF_OK)
            return sf_error_set(error, SF_INVALID,
                                "fail store: \"%.*s\" is not CALL=STATUS[*N][+STATUS...]",
                                (int)item.size, (const char *)item.data);
    }
    return SF_OK;
}

static enum sf_status
fail_open(struct sf_store **store_out, const char *url, const char *state, struct sf_error *error)
{
    struct fail_store *fail = calloc(1, sizeof *fail);
    if (fail == NULL)
        return sf_error_set(error, SF_NO_MEMORY, "fail store: no memory");
    fail->base.ops = &sf_store_fail;
    pthread_mutex_init(&fail->lock, NULL);
    enum sf_status status = parse_url(fail, url, error);
    if (status == SF_OK)
        status = sf_store_memory.open(&fail->inner, "memory:inside", state, error);
    if (status != SF_OK) {
        fail_close(&fail->base);
        return status;
    }
    *store_out = &fail->base;
    return SF_OK;
}

static enum sf_status
next_answer(struct fail_store *fail, enum call call)
{
    enum sf_status status = SF_OK;
    pthread_mutex_lock(&fail->lock);
    struct script *script = &fail->scripts[call];
    if (script->count > 0) {
        struct answer *answer = &script->answers[script->at];
        status = answer->status;
        if (--answer->times == 0 && script->at + 1 < script->count)
            script->at++;
    }
    if (status != SF_OK)
        sf_error_set(&fail->last, status, "fail store: %s answers %s as its script says",
                     call_names[call], sf_status_name(status));
    pthread_mutex_unlock(&fail->lock);
    return status;
}

static enum sf_status
fail_attach(struct sf_store *store, sf_time deadline, struct sf_error *error)
{
    struct fail_store *fail = (struct fail_store *)store;
    enum sf_status status = next_answer(fail, CALL_ATTACH);
    if (status == SF_OK)
        return fail->inner->ops->attach(fail->inner, deadline, error);
    return sf_error_set(error, status, "fail store: attach answers %s as its script says",
                        sf_status_name(status));
}

static void
fail_load(struct sf_store *store, struct sf_load *loads, size_t count, sf_time deadline)
{
    struct fail_store *fail = (struct fail_store *)store;
    enum sf_status status = next_answer(fail, CALL_LOAD);
    if (status == SF_OK)
        fail->inner->ops->load(fail->inner, loads, count, deadline);
    else
        sf_store_answer_loads(loads, count, status);
}

static bool
begins_with(const struct sf_key *key, const char *digits)
{
    char text[SF_KEY_TEXT + 1];
    sf_key_format(key, text);
    return digits[0] != '\0' && strncmp(text, digits, strlen(digits)) == 0;
}

static void
write_one_by_one(struct fail_store *fail, struct sf_write *writes, size_t count, sf_time deadline)
{
    for (size_t i = 0; i < count; i++) {
        if (begins_with(&writes[i].key, fail->refused))
            writes[i].status = SF_INVALID;
        else if (begins_with(&writes[i].key, fail->lost))
            writes[i].status = SF_UNAVAILABLE;
        else
            writes[i].status = fail->inner->ops->write(fail->inner, &writes[i], 1, deadline);
    }
}

static enum sf_status
fail_write(struct sf_store *store, struct sf_write *writes, size_t count, sf_time deadline)
{
    struct fail_store *fail = (struct fail_store *)store;
    enum sf_status answer = next_answer(fail, CALL_WRITE);
    if (answer == SF_OK || answer == SF_UNCERTAIN)
        write_one_by_one(fail, writes, count, deadline);
    if (answer != SF_OK)
        for (size_t i = 0; i < count; i++)
            writes[i].status = answer;
    return sf_store_worst(writes, count);
}

static enum sf_status
fail_sweep(struct sf_store *store, sf_time now, size_t limit, sf_time deadline, size_t *removed_out)
{
    struct fail_store *fail = (struct fail_store *)store;
    enum sf_status status = next_answer(fail, CALL_SWEEP);
    *removed_out = 0;
    return status == SF_OK ? fail->inner->ops->sweep(fail->inner, now, limit, deadline, removed_out)
                           : status;
}

static enum sf_status
fail_scan(struct sf_store *store, const struct sf_key *after, struct sf_span user, size_t limit,
          sf_time deadline, sf_store_visit_fn *visit, void *context)
{
    struct fail_store *fail = (struct fail_store *)store;
    enum sf_status status = next_answer(fail, CALL_SCAN);
    if (status != SF_OK)
        return status;
    return fail->inner->ops->scan(fail->inner, after, user, limit, deadline, visit, context);
}

static void
fail_explain(struct sf_store *store, struct sf_error *error_out)
{
    struct fail_store *fail = (struct fail_store *)store;
    pthread_mutex_lock(&fail->lock);
    *error_out = fail->last;
    pthread_mutex_unlock(&fail->lock);
}

static void
fail_close(struct sf_store *store)
{
    struct fail_store *fail = (struct fail_store *)store;
    sf_store_close(fail->inner);
    pthread_mutex_destroy(&fail->lock);
    free(fail);
}
