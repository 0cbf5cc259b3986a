/* SPDX-License-Identifier: Apache-2.0 */
/* SESSION.LIST: a page of the store, after what waits has been written. */
#include <stdlib.h>
#include <time.h>

#include "common/session/user_epochs.h"
#include "session_daemon/commands.h"

#define ROWS_MAX 1000
#define ROW_VALUES 8
#define SCAN_DEADLINE (5 * SF_SECOND)

/* Owns all it needs: the words of the call are gone when the client is. */
struct scan {
    struct caller_task base;    /* first member */
    struct sf_key after;
    bool has_after;
    size_t limit;
    char user[SF_USER_MAX];
    size_t user_size;
    sf_time now;                /* wall clock */
    struct sf_buffer rows;      /* RESP */
    size_t count;
    size_t visited;             /* rows of the store, with those that could not be shown */
    struct sf_key last;         /* of them */
    bool is_cut;                /* the reply is large enough */
    enum sf_status status;
};

/* ---- in the loader thread ---- */

static enum sf_status
append_row(struct sf_buffer *out, const struct sf_key *key, const struct sf_stored *stored, sf_time now)
{
    struct sf_record_head head;
    enum sf_status status = sf_record_head(&head, sf_buffer_span(&stored->record));
    if (status != SF_OK)
        return status;
    char key_text[SF_KEY_TEXT + 1];
    sf_key_format(key, key_text);
    const int64_t numbers[] = {head.created, stored->last_access, sf_record_expires(&head, stored->last_access),
                               (int64_t)head.version};
    status = sf_resp_append_array(out, ROW_VALUES);
    if (status == SF_OK)
        status = sf_resp_append_bulk(out, sf_span_text(key_text));
    if (status == SF_OK)
        status = sf_resp_append_bulk(out, head.user);
    for (size_t i = 0; status == SF_OK && i < sizeof numbers / sizeof numbers[0]; i++)
        status = sf_resp_append_integer(out, numbers[i]);
    if (status == SF_OK)
        status = sf_resp_append_bulk(out, sf_span_text(command_state(&head, stored->last_access, now)));
    if (status == SF_OK)
        status = sf_resp_append_integer(out, (int64_t)stored->record.size);
    return status;
}

static bool
visit(void *context, const struct sf_key *key, const struct sf_stored *stored)
{
    struct scan *scan = context;
    size_t before = scan->rows.size;
    bool is_session = !sf_user_epochs_has_key(key);
    enum sf_status status = !is_session ? SF_NOT_FOUND : append_row(&scan->rows, key, stored, scan->now);
    scan->is_cut = status == SF_FULL || status == SF_NO_MEMORY;
    if (status == SF_OK)
        scan->count++;
    else
        scan->rows.size = before;
    if (scan->is_cut)
        return false;
    scan->visited++;
    scan->last = *key;
    return true;
}

/* Where it takes long, loads have their turn in between. */
static void
run_scan(struct task *task, struct daemon *daemon)
{
    const struct timespec pause = {.tv_nsec = 1000000}; /* for the other scan */
    struct scan *scan = (struct scan *)task;
    sf_time deadline = sf_clock_steady() + SCAN_DEADLINE;
    for (;;) {
        scan->status = daemon->store->ops->scan(daemon->store, scan->has_after ? &scan->after : NULL,
                                                sf_span_of(scan->user, scan->user_size), scan->limit, deadline, visit,
                                                scan);
        if (scan->status != SF_FULL && scan->status != SF_CONFLICT)
            break;
        loader_run_waiting(daemon);
        if (scan->status == SF_CONFLICT)
            nanosleep(&pause, NULL);
    }
}

/* ---- in the main thread ---- */

static void
reply_page(struct call *call, const struct answer *answer)
{
    const struct scan *scan = (const struct scan *)answer->task;
    if (scan->status != SF_OK) {
        reply_error(call, SF_UNAVAILABLE, "the store cannot be read now");
        return;
    }
    reply_array(call, 2);
    if (scan->visited == scan->limit || (scan->is_cut && scan->visited > 0))
        reply_key(call, &scan->last);
    else
        reply_text(call, "");
    reply_array(call, scan->count);
    reply_encoded(call, sf_buffer_span(&scan->rows));
}

static void
finish_scan(struct task *task, struct daemon *daemon)
{
    struct scan *scan = (struct scan *)task;
    (void)daemon;
    caller_task_finish(&scan->base, &(struct answer){.status = scan->status, .task = &scan->base});
    sf_buffer_fini(&scan->rows);
    free(scan);
}

static bool
read_words(struct call *call, struct scan *scan)
{
    int64_t limit;
    scan->has_after = !word_is(call->words[1], "-");
    if (scan->has_after && !command_key(call, 1, &scan->after))
        return false;
    if (!command_integer(call, 2, 1, ROWS_MAX, &limit))
        return false;
    scan->limit = (size_t)limit;
    struct sf_span user = call->count == 4 ? call->words[3] : sf_span_text("");
    if (user.size > sizeof scan->user) {
        reply_error(call, SF_INVALID, "no user has so long a name");
        return false;
    }
    scan->user_size = user.size;
    for (size_t i = 0; i < user.size; i++)
        scan->user[i] = (char)user.data[i];
    return true;
}

static void
begin_scan(struct call *call, const struct answer *answer)
{
    if (answer->status != SF_OK && answer->status != SF_INVALID) {
        reply_error(call, SF_UNAVAILABLE, "the store does not take what waits in the cache");
        return;
    }
    struct scan *scan = calloc(1, sizeof *scan);
    if (scan == NULL || !read_words(call, scan)) {
        if (scan == NULL)
            reply_error(call, SF_NO_MEMORY, "no memory");
        free(scan);
        return;
    }
    scan->base.task.run = run_scan;
    scan->base.task.finish = finish_scan;
    scan->now = call->now;
    scan->status = SF_UNAVAILABLE; /* if nobody runs it any more */
    sf_buffer_init(&scan->rows, SF_RESP_BYTES_MAX / 2);
    call_wait_for_task(call, &scan->base, reply_page);
    task_queue_push(&call->daemon->loader.worker.queue, &scan->base.task);
}

void
command_list(struct call *call)
{
    struct scan words;
    if (call->daemon->is_volatile)
        reply_error(call, SF_INVALID, "there is no store to be listed; list --cached shows the cache");
    else if (read_words(call, &words))
        call_wait_for_store(call, NULL, 0, CALL_STORE_WAIT, begin_scan);
}
