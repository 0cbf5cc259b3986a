/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * migrate_state.h - how far a migration has come: a small file that is replaced as a whole.
 *
 * It names both stores as they were configured, passwords included: mode 0600, in the state folder.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/identity/session_id.h"

#define SF_MIGRATE_URL_MAX 1025 /* as SessionFastStore */

enum sf_migrate_phase {
    SF_MIGRATE_NONE,
    SF_MIGRATE_COPYING,  /* the old store is the authority; what it has goes to the new one */
    SF_MIGRATE_VERIFIED, /* the same, and they were found equal */
    SF_MIGRATE_FINISHED, /* the new store is the authority; the old one gets everything, too */
    SF_MIGRATE_ABORTED   /* the old store alone */
};

const char *sf_migrate_phase_name(enum sf_migrate_phase phase);

struct sf_migrate_state {
    enum sf_migrate_phase phase;
    char old_url[SF_MIGRATE_URL_MAX], new_url[SF_MIGRATE_URL_MAX];
    int percent;          /* of the keys are read from the new store */
    int configured;       /* percent that SessionFastMigrate said last; -1: it said nothing */
    bool is_copied;       /* the second store has everything but what is owed */
    bool is_first_copy;   /* no copy has come to its end since the start */
    bool has_cursor;      /* not is_copied: as far as this key */
    struct sf_key cursor;
    uint64_t copied;      /* rows */
    uint64_t incarnation; /* of the second, since it has what it has; 0: not known, or never another one */
    uint64_t old_incarnation; /* of the old store at the start; the same */
    uint64_t host;        /* among those that move together (migrate_hosts.h); 0: nobody else writes these stores */
    uint64_t target;      /* what the hosts call the new store */
    uint64_t origin;      /* what they call the old one */
    uint64_t agreed;      /* is_holding: the version of what they have agreed on there; it never goes back */
    bool is_holding;      /* this host has said that it changes nothing: all may have left the old store since */
    sf_time started, percent_since, verified, finished; /* wall clock; 0: not yet */
};

/* SF_NOT_FOUND: there is none. SF_INVALID: not ours, or damaged; SF_UNAVAILABLE. */
enum sf_status sf_migrate_state_load(struct sf_migrate_state *state_out, const char *path,
                                     struct sf_error *error) SF_MUST_CHECK;
/* Synced, and whole or not at all. SF_UNAVAILABLE. */
enum sf_status sf_migrate_state_save(const struct sf_migrate_state *state, const char *path,
                                     struct sf_error *error) SF_MUST_CHECK;
enum sf_status sf_migrate_state_remove(const char *path, struct sf_error *error) SF_MUST_CHECK;
