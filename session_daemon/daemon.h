/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * daemon.h - the parts of session-fastd and the threads that own them.
 *
 *   main thread     server, connections, commands, loads: everything about clients; never touches the store
 *   loader thread   the store's load and scan
 *   follower thread the store's follow: what other hosts change
 *   usage thread    walks through L1 for status
 *   migrator thread the store's way to another place: copies and compares, between the calls of loader and writer
 *   writer thread   the store's write and sweep, what the journal owes the store, repair of L1
 *   journal thread  commits to the journal; moves there what L1 has no room for
 *
 * L1 is used by all of them: it takes several threads at once.
 */
#include "common/cache/l1.h"
#include "common/store/store.h"
#include "session_daemon/follower.h"
#include "session_daemon/journaler.h"
#include "session_daemon/loader.h"
#include "session_daemon/migrator.h"
#include "session_daemon/server.h"
#include "session_daemon/usage.h"
#include "session_daemon/writer.h"

struct daemon {
    struct sf_config config;      /* set before the threads begin, then constant, as far as `store` */
    struct sf_instance instance;
    struct sf_log log;
    sf_time started;              /* wall clock */
    struct sf_l1 *l1;
    struct sf_store *store;
    bool is_shared;               /* by other hosts, for all that is known */
    bool is_successor;            /* the cache of another daemon was found: somebody may wait */
    bool is_store_only;           /* L1 is bypassed: each session is read from the store and changed there */
    bool is_volatile;             /* there is no store, and no class of durability but memory */
    struct sf_log_state load_state; /* of loads, as the log knows it; the batch writer has its own */
    _Atomic bool loads_fail;        /* as status shows it */
    int lock_fd;                    /* the instance is ours while it is open */
    struct loader loader;
    struct follower follower;
    struct usage_counter usage;
    struct migrator migrator;
    struct writer writer;
    struct journaler journaler;
    struct server server;
};

/*
 * Everything up to the socket; `lock_wait`: how many ms to wait for another daemon to leave. SF_CONFLICT: it has not.
 * After a failure the process is to end: nothing is given back.
 */
enum sf_status daemon_start(struct daemon *daemon, sf_time lock_wait, struct sf_error *error) SF_MUST_CHECK;

/* Serves until a signal ends it, writes what waits, gives everything back. */
void daemon_serve(struct daemon *daemon);
