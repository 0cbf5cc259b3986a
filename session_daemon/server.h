/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * server.h - the clients, the signals, and the loop of the main thread.
 */
#include "common/front/resp.h"
#include "session_daemon/connection.h"
#include "session_daemon/listener.h"

/* Something readable that is no client: signals, tasks that are done. */
struct inlet {
    struct event_source source; /* first member */
    struct daemon *daemon;
    int fd;
};

struct server {
    struct event_loop loop;
    struct listener listener;
    struct inlet signals, finished;
    struct task_queue done;                  /* what the threads have run and the main thread is to finish */
    struct connection_list connections;      /* open */
    struct connection_list closed;           /* to be freed when no event can name them any more */
    struct connection_list store_waiters;    /* calls that wait until the store has something */
    struct connection_list journal_waiters;  /* the same for the journal */
    size_t connection_count;
    struct sf_span words[SF_RESP_WORDS_MAX]; /* of the command that runs */
    uint64_t connections_accepted, connections_refused, commands;
    bool is_stopping;
};

/* Blocks the signals that the loop reads: call it before any thread is made. */
enum sf_status server_init(struct server *server, struct daemon *daemon, struct sf_error *error) SF_MUST_CHECK;

/* Serves until SIGTERM or SIGINT. */
void server_run(struct server *server);

/* Takes no more clients and requests; answers what is under way, until `deadline` (steady clock) at most. */
void server_drain(struct server *server, sf_time deadline);

void server_close_connections(struct server *server);
void server_fini(struct server *server); /* without connections and tasks */

void server_bury(struct server *server, struct connection *connection);
