/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * connection.h - one client: bytes in, commands in order, bytes out. Main thread only.
 */
#include <sys/queue.h>

#include "common/base/bytes.h"
#include "common/cache/l1.h"
#include "session_daemon/event_loop.h"
#include "session_daemon/task_queue.h"

#define CONNECTION_MARKS_MAX 8

struct call;
struct connection;
struct daemon;
struct load;

/* A version that the store must have before a call goes on. */
struct stored_mark {
    struct sf_key key;
    uint64_t version;
};

/* A task that a call waits for; `caller` is NULL once the client has gone. */
struct caller_task {
    struct task task;
    struct connection *caller;
};

struct answer {
    enum sf_status status;
    const struct sf_stored *stored; /* of a load that is SF_OK */
    uint64_t of_store;              /* and of which incarnation of the store, at the latest */
    bool is_in_cache;               /* as L1 has taken it; or L1 has a later one, and then this is worth nothing */
    struct caller_task *task;       /* of a task; freed afterwards by whoever finishes it */
};

typedef void call_resume_fn(struct call *call, const struct answer *answer);

TAILQ_HEAD(connection_list, connection);

/* What a change has been through; see command_apply.c. */
enum apply_phase { APPLY_BEGUN, APPLY_LOADED, APPLY_MADE_ROOM, APPLY_LOADED_AGAIN };

/* What the command at the front of the input waits for: one thing at a time. */
struct waiting {
    call_resume_fn *resume;            /* NULL: it does not wait */
    struct load *load;                 /* for that load; `link` is in its list */
    struct caller_task *task;          /* for that task */
    bool is_for_journal;               /* that task is of journaler.c; `link` is in server.journal_waiters */
    bool is_for_store;                 /* for what follows; `link` is in server.store_waiters */
    struct stored_mark marks[CONNECTION_MARKS_MAX];
    size_t mark_count;                 /* 0: everything */
    bool is_for_room;                  /* the journal may make it, too */
    uint64_t passes, spill_failures;   /* of the spill when the wait began */
    sf_time until;                     /* steady clock */
    uint64_t changes, failures;        /* of L1 and of the batch writer when the wait began */
};

/*
 * 1. input[0..done) has been answered; the request behind it is the one that waits, if any does.
 * 2. Only one command is under way: while it waits nothing is read, so the words that point into input stay.
 * 3. A closed connection is freed by the event loop after the events at hand, never earlier.
 */
struct connection {
    struct event_source source;        /* first member */
    struct daemon *daemon;
    int fd;
    bool is_ended;                     /* the client sends no more */
    bool is_closing;                   /* nothing is read or run any more; closed when the output has left */
    bool is_closed;
    uint32_t armed;                    /* events that epoll watches */
    struct sf_buffer input, output;
    size_t done;                       /* bytes of input that were answered */
    size_t needed;                     /* bytes of input behind `done` before parsing is of use */
    size_t sent;                       /* bytes of output */
    struct waiting waiting;
    struct waiting otherwise;          /* what it waits for if that fails, or next; see call.c */
    struct sf_l1_applied applied;      /* SESSION.APPLY: what it will reply when the store has it */
    enum apply_phase phase;            /* SESSION.APPLY: what has been tried */
    struct sf_key past;                /* SESSION.APPLY past L1: where the session is, a successor perhaps */
    unsigned past_tries;               /* how often it has been looked for there */
    bool knows_epoch, doubts_epoch;    /* SESSION.GET: as well as anybody can say it now; the store has gone back */
    uint32_t user_epoch;               /* SESSION.APPLY: of its login, if it does not say that itself; GET: the least */
    TAILQ_ENTRY(connection) all;       /* in server.connections */
    TAILQ_ENTRY(connection) link;      /* with those who wait for the same */
};

/* Owns `fd` from now on; NULL: no memory, fd is closed. */
struct connection *connection_new(struct daemon *daemon, int fd);
void connection_free(struct connection *connection); /* by the server only */

/* At once; what it waits for goes on without it. */
void connection_close(struct connection *connection);

/* What has arrived is answered, no more is read; then it is closed. */
void connection_finish(struct connection *connection);

/* The wait is over: the command goes on, and those behind it. */
void connection_resume(struct connection *connection, const struct answer *answer);

/* Resumes the caller, if the client is still there: for a task's finish function. */
void caller_task_finish(struct caller_task *task, const struct answer *answer);

bool connection_is_busy(const struct connection *connection); /* a command waits, or output has not left */
