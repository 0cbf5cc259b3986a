/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * migrate_hosts.h - which hosts move from one store to another together: a row of the store that they leave.
 *
 * Each of them has its part of it, and all change it by comparing and setting its version. Every store that hosts have
 * moved to or from has one: it is where they see whether they mean the same store. It is an ended session without user,
 * which no client has an id for.
 */
#include <stdbool.h>

#include "common/session/record.h"
#include "common/store/store.h"

#define SF_MIGRATE_HOSTS_MAX 64

enum sf_hosts_phase {
    SF_HOSTS_NONE,    /* nobody moves away from here */
    SF_HOSTS_COPYING,
    SF_HOSTS_ENDING,  /* all are asked to hold their changes */
    SF_HOSTS_LEFT,    /* all have held them: from then on the other store has the truth */
    SF_HOSTS_COMING   /* they move to here, and this store has not the truth yet */
};

enum sf_host_state {
    SF_HOST_COPIES,
    SF_HOST_READY, /* it has found both stores equal */
    SF_HOST_HOLDS, /* the other store has all that it has changed, and it changes nothing until the phase is another */
    SF_HOST_GONE,  /* it has aborted, or never begun, and changes this store alone */
    SF_HOST_ASKED  /* it may be gone for good: if it lives it says another one before it changes anything */
};

struct sf_migrate_host {
    uint64_t id;
    enum sf_host_state state;
};

struct sf_migrate_hosts {
    uint64_t version; /* 0: there is no such row */
    uint64_t store;   /* which store this is; never another one */
    uint64_t target;  /* which one they move to */
    enum sf_hosts_phase phase;
    size_t count;
    struct sf_migrate_host list[SF_MIGRATE_HOSTS_MAX];
};

bool sf_migrate_hosts_is_row(const struct sf_key *key);

/* NULL: it is not among them. */
struct sf_migrate_host *sf_migrate_hosts_find(struct sf_migrate_hosts *hosts, uint64_t id);
/* The same, and added where it is not. NULL: there are too many. */
struct sf_migrate_host *sf_migrate_hosts_add(struct sf_migrate_hosts *hosts, uint64_t id);
/* The first of them that is in another state than this, or NULL. */
const struct sf_migrate_host *sf_migrate_hosts_other_than(const struct sf_migrate_hosts *hosts,
                                                          enum sf_host_state state);

/* SF_NOT_FOUND: there is none, and *hosts_out is empty. SF_CORRUPT, or what the store says. */
enum sf_status sf_migrate_hosts_load(struct sf_migrate_hosts *hosts_out, struct sf_store *store,
                                     sf_time deadline) SF_MUST_CHECK;
/* Over the version that was loaded, and none else: SF_CONFLICT. SF_OK: that has the next one. */
enum sf_status sf_migrate_hosts_store(struct sf_migrate_hosts *hosts, struct sf_store *store,
                                      sf_time deadline) SF_MUST_CHECK;
