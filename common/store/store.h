/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store.h - what every backend is: a table of operations, opened from a URL.
 *
 * Called by three threads of the daemon only: one loads and scans, one attaches, writes and sweeps,
 * one follows. A backend may be inside a load, a write and a follow at once, never twice inside the
 * same of them. Deadlines are on the steady clock. A call that fails may be followed by another at
 * once: a backend connects again by itself.
 */
#include <stdbool.h>

#include "common/base/clock.h"
#include "common/base/finding.h"
#include "common/session/record.h"

struct sf_store;

enum sf_write_kind {
    SF_WRITE_PUT,  /* a record, ENDED ones too: a store remembers tombstones until they expire. The later last access
                      stays; if that is the stored one, and this no end, so does the later expiry */
    SF_WRITE_TOUCH /* last access and expiry only; never backwards */
};

#define SF_EXPECTED_NONE UINT64_MAX /* there must be no row */

/* One change on its way out. The caller owns the memory; `status` is the answer. */
struct sf_write {
    enum sf_write_kind kind;
    struct sf_key key;
    uint64_t version;       /* PUT: stored only over a smaller one; repeating it is harmless */
    uint64_t expected;      /* PUT: stored only over this very version, or SF_EXPECTED_NONE; 0: over any
                               smaller one, or none */
    uint64_t of_store;      /* PUT over an expected version: of which incarnation of the store that is; in another one
                               it may be of another row, and is a conflict. 0: of any */
    sf_time last_access;    /* wall clock */
    sf_time expires;        /* wall clock; 0: never */
    struct sf_span record;  /* PUT only; borrowed until write returns */
    struct sf_buffer *merged; /* PUT, NULL: not wanted. By store_shared.h: where the store has another
                                 record now, which `record` was merged into, that; else empty */
    bool is_again;          /* PUT: the store may have lost what it had of it: by store_shared.h it is merged in any
                               case, for versions tell nothing then */
    bool is_exact;          /* PUT: by store_shared.h: where the store has another record, SF_CONFLICT, and no merge */
    bool is_news;           /* answer, of a PUT that is OK: there was no row, or one with a smaller version */
    enum sf_status status;  /* OK NOT_FOUND (TOUCH: no row) CONFLICT (PUT: another version than `expected`,
                               or no row) UNAVAILABLE UNCERTAIN FULL INVALID */
};

struct sf_stored {
    struct sf_buffer record; /* initialised by the caller; what it held is replaced */
    sf_time last_access;    /* may be later than the record says */
    bool is_journalled;     /* set by the journal: it has made the record what it is, the store has less */
};

/* One session that is asked for. The caller owns the memory; `status` is the answer. */
struct sf_load {
    struct sf_key key;
    struct sf_stored *stored; /* where it goes */
    bool needs_truth;         /* no cache in between may answer: something is compared with it, or built on it */
    enum sf_status status;    /* OK NOT_FOUND UNAVAILABLE CORRUPT NO_MEMORY */
    sf_time as_of;            /* set by a cache in between: steady clock; 0: it is the truth */
    bool is_own;              /* set by the journal: answered without the store */
};

enum sf_store_flags {
    SF_STORE_DURABLE = 1 << 0, /* survives its own restart: may hold the truth */
    SF_STORE_EXPIRES = 1 << 1, /* drops old records by itself: sweep is NULL */
    SF_STORE_SHARED = 1 << 2,  /* reached over a network: other hosts may write it, too */
    SF_STORE_PARTS = 1 << 3    /* several servers, each of which it leaves alone itself while it fails */
};

/* Relative paths are below `state`. Checks the URL, touches no file, opens no socket. */
typedef enum sf_status sf_store_open_fn(struct sf_store **store_out, const char *url,
                                        const char *state, struct sf_error *error);
/*
 * Connects; makes the schema when it is missing. SF_INVALID: made by a later version, not a
 * database. SF_UNAVAILABLE: may be better later; the other calls then connect by themselves.
 */
typedef enum sf_status sf_store_attach_fn(struct sf_store *store, sf_time deadline,
                                          struct sf_error *error);
/*
 * All at once, where the backend can; sets every status. SF_NOT_FOUND only when the store has said
 * so. Expired rows are returned as they are. SF_CORRUPT: this row is damaged.
 */
typedef void sf_store_load_fn(struct sf_store *store, struct sf_load *loads, size_t count,
                              sf_time deadline);
/* The whole batch in one transaction or pipeline; sets every status; returns sf_store_worst. */
typedef enum sf_status sf_store_write_fn(struct sf_store *store, struct sf_write *writes,
                                         size_t count, sf_time deadline);
/* Removes at most `limit` rows that expired before `now`; *removed_out < limit: no more there. */
typedef enum sf_status sf_store_sweep_fn(struct sf_store *store, sf_time now, size_t limit,
                                         sf_time deadline, size_t *removed_out);
/*
 * Rows in key order behind `after` (NULL: from the first), at most `limit`; of `user` only when it
 * is not empty. `visit` may not call the store; false ends the scan. Damaged rows are left out.
 * SF_FULL: nothing was visited yet, because it takes long: others may load first, and then the same call, with the
 * same deadline, goes on. SF_CONFLICT: the same, while another scan has its turn: not at once.
 */
typedef bool sf_store_visit_fn(void *context, const struct sf_key *key,
                               const struct sf_stored *stored);
typedef enum sf_status sf_store_scan_fn(struct sf_store *store, const struct sf_key *after,
                                        struct sf_span user, size_t limit, sf_time deadline,
                                        sf_store_visit_fn *visit, void *context);
/* The row may be another one now. `key` NULL: anything may have changed. */
typedef void sf_store_news_fn(void *context, const struct sf_key *key);

struct sf_follow {
    sf_store_news_fn *news;
    void *context;
    sf_time beat;          /* so often the server is asked for a sign of life */
    sf_time proven;        /* set by follow, steady clock: what was stored before that has been told */
    struct sf_error error; /* set by follow where it fails */
};

/*
 * Tells what others have stored, and perhaps what this store has: waits for it until `until`, and
 * comes back when some has been told. SF_OK: the link is up. A new one begins with "anything may have
 * changed". SF_UNAVAILABLE: there is none; what happens meanwhile nobody will tell. SF_INVALID: nor
 * will this server as it is, and asking again soon is of no use.
 */
typedef enum sf_status sf_store_follow_fn(struct sf_store *store, sf_time until,
                                          struct sf_follow *follow);
typedef void sf_store_close_fn(struct sf_store *store);
/* Last error in words, for the log and for status; "" when there was none. From any thread. */
typedef void sf_store_explain_fn(struct sf_store *store, struct sf_error *error_out);

/* The two threads that call a store. */
enum sf_store_lane { SF_STORE_READS, SF_STORE_WRITES, SF_STORE_LANES };

struct sf_store_lane_figures {
    const char *state;               /* "up", "down": it is left alone, "probed" */
    uint64_t calls, rows;            /* rows: sessions loaded or not found, changes written */
    uint64_t failures, late;         /* calls without any answer; of these, at their deadline */
    uint64_t refused;                /* not made, because it is left alone */
    uint64_t p50, p99, longest;      /* microseconds a call */
};

struct sf_store_figures {
    const char *name; /* which of the stores: "store" */
    struct sf_store_lane_figures lanes[SF_STORE_LANES];
};

/* What has been measured, of each store below a wrapper (store_guard.h). From any thread. */
typedef void sf_store_tell_fn(void *context, const struct sf_store_figures *figures);
typedef void sf_store_report_fn(struct sf_store *store, sf_store_tell_fn *tell, void *context);

/*
 * A number of what the store was when a connection was made to it last, which another one has when its server
 * was restarted, or its data replaced or emptied; 0: not known yet. From any thread.
 */
typedef uint64_t sf_store_incarnation_fn(struct sf_store *store);
/* The next write begins on a new connection. In the lane of writes. */
typedef void sf_store_renew_fn(struct sf_store *store);

/*
 * Looks at the server or the folder, and at our rights there, for session-fast store check: needs no attach, makes
 * nothing, leaves nothing behind. SF_UNAVAILABLE: it cannot be reached or used; the findings say why.
 */
typedef enum sf_status sf_store_examine_fn(struct sf_store *store, sf_time deadline, struct sf_findings *findings);

struct sf_store_ops {
    const char *scheme; /* "sqlite" in sqlite:PATH */
    unsigned flags;
    sf_store_open_fn *open;
    sf_store_attach_fn *attach;
    sf_store_load_fn *load;
    sf_store_write_fn *write;
    sf_store_sweep_fn *sweep; /* NULL only with SF_STORE_EXPIRES */
    sf_store_scan_fn *scan;
    sf_store_follow_fn *follow; /* NULL: no news from this backend */
    sf_store_explain_fn *explain;
    sf_store_close_fn *close;
    sf_store_report_fn *report; /* NULL: nothing is measured; a wrapper passes it on */
    sf_store_incarnation_fn *incarnation; /* NULL: it never loses what was written; a wrapper passes it on */
    sf_store_renew_fn *renew;             /* NULL: it has no connections; a wrapper passes it on */
    sf_store_examine_fn *examine;         /* NULL: there is nothing to be looked at. Of a wrapper: never called */
};

struct sf_store {
    const struct sf_store_ops *ops; /* first member of every backend's own struct */
};

extern const struct sf_store_ops sf_store_none, sf_store_memory, sf_store_fail, sf_store_sqlite, sf_store_file;
extern const struct sf_store_ops sf_store_postgresql, sf_store_mysql; /* where it is built */
extern const struct sf_store_ops sf_store_redis, sf_store_rediss; /* the same, as what follows */
extern const struct sf_store_ops sf_store_redis_sentinel, sf_store_rediss_sentinel;
extern const struct sf_store_ops sf_store_redis_cluster, sf_store_rediss_cluster;

/* Finds the backend by scheme. SF_INVALID: unknown scheme (the text lists the known ones). */
enum sf_status sf_store_open(struct sf_store **store_out, const char *url, const char *state,
                             struct sf_error *error) SF_MUST_CHECK;
void sf_store_close(struct sf_store *store); /* NULL is fine */
void sf_store_report(struct sf_store *store, sf_store_tell_fn *tell, void *context);
uint64_t sf_store_incarnation(struct sf_store *store); /* 0: not known, or never another one */
void sf_store_renew(struct sf_store *store);

enum sf_status sf_store_examine(struct sf_store *store, sf_time deadline, struct sf_findings *findings) SF_MUST_CHECK;

/* "scheme://user:***@host/...": the password of a URL is nobody's business. */
void sf_store_show_url(const char *url, char *text_out, size_t size);

enum sf_status sf_store_load_one(struct sf_store *store, const struct sf_key *key, sf_time deadline,
                                 struct sf_stored *stored_out) SF_MUST_CHECK;

/* ---- for backends ---- */

/* Of a whole batch; in rising order OK NOT_FOUND CONFLICT INVALID FULL NO_MEMORY UNAVAILABLE UNCERTAIN. */
enum sf_status sf_store_worst(const struct sf_write *writes, size_t count) SF_MUST_CHECK;

/* What is to be expected by a store that is now this incarnation: where the write is of another, what no row has. */
uint64_t sf_store_expected(const struct sf_write *write, uint64_t incarnation);

/* Two numbers, or what has been made of them, in one; never 0. */
uint64_t sf_store_incarnation_of(uint64_t first, uint64_t second);

void sf_store_answer_loads(struct sf_load *loads, size_t count, enum sf_status status); /* the same to all */
