/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * front.h - what a web-server process does with sessions: open once, then load and apply for each request.
 *
 * A hit makes no system call and takes no lock. Everything slow is the daemon's, and the wait for it has a deadline.
 * SF_UNAVAILABLE and SF_UNCERTAIN mean "nobody knows": never "no session".
 */
#include "common/base/log.h"
#include "common/cache/l1.h"
#include "common/config/config.h"
#include "common/identity/session_id.h"

struct sf_front; /* for one process; any number of threads; opened after fork */

/*
 * Reads the secrets and attaches L1. The daemon need not be up: L1 is attached as soon as a usable one is
 * there, and its absence is logged. SF_INVALID: secrets or socket path refused; the text says why.
 */
enum sf_status sf_front_open(struct sf_front **front_out, const struct sf_instance *instance, const struct sf_log *log,
                             struct sf_error *error) SF_MUST_CHECK;
void sf_front_close(struct sf_front *front);

const struct sf_secrets *sf_front_secrets(const struct sf_front *front);
struct sf_counters *sf_front_counters(struct sf_front *front);

/*
 * To a cache that has appeared or was replaced, as each use of a session does by itself: for those who count and
 * seldom use one.
 */
void sf_front_attach(struct sf_front *front);

enum sf_load_source { SF_FROM_CACHE, SF_FROM_STORE };

struct sf_loaded {
    struct sf_buffer record;   /* init by sf_loaded_init */
    struct sf_session session; /* spans into record */
    sf_time expires;           /* wall clock; 0: never */
    sf_time last_access;       /* wall clock: before this load touched it */
    enum sf_load_source source;
    bool is_former;            /* the id was replaced: an image of what the session was, read only */
    bool is_revoked;           /* SF_NOT_FOUND: it is there, but its user was logged out everywhere since his login */
};
void sf_loaded_init(struct sf_loaded *loaded);
void sf_loaded_fini(struct sf_loaded *loaded);

/*
 * SF_OK: a live session, touched, or the image of one that goes on under another id. SF_NOT_FOUND: ended,
 * expired or never existed, for certain. SF_UNAVAILABLE / UNCERTAIN: nobody knows before the deadline
 * (config->deadline from now). `now`: wall clock.
 */
enum sf_status sf_front_load(struct sf_front *front, const struct sf_key *key, const struct sf_config *config,
                             sf_time now, struct sf_loaded *loaded) SF_MUST_CHECK;

struct sf_saved {
    struct sf_session_id id;   /* the id that the browser should have from now on; "" when ended or unchanged */
    bool is_new_id;            /* created or rotated: send the cookie */
    bool created, rotated, ended, changed;
    bool is_durable;           /* store or journal, as the durability asks for, have it */
    enum sf_l1_pressure pressure; /* SF_FULL because of it: an anonymous session gives way; or 0 */
    uint64_t version;
};

/*
 * Applies ops to the session of `key`; NULL: there is none, and the ops may create one (SF_NOT_FOUND when
 * they set nothing). Commits in L1, or through the daemon when L1 does not know the session or has no room;
 * then waits for journal or store when the durability of the route (or of login, logout, rotation) says so. SF_OK:
 * done. SF_NOT_FOUND: the session is ended: no cookie. SF_UNCERTAIN: changed in the cache, but journal or
 * store did not confirm in time. SF_UNAVAILABLE: nothing changed. SF_FULL: too large or no room. SF_INVALID,
 * SF_CONFLICT: see sf_ops_apply.
 */
enum sf_status sf_front_apply(struct sf_front *front, const struct sf_key *key, const struct sf_ops *ops,
                              const struct sf_config *config, sf_time now, struct sf_saved *saved_out) SF_MUST_CHECK;

/* true while the last question to the daemon was answered. */
bool sf_front_daemon_is_up(const struct sf_front *front);
