/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_migrate.h - a store that is moved to another place while it is used.
 *
 * Always there, around the store of the instance; most of the time it only passes calls on. During a
 * migration there is a second store:
 *
 *   authority  answers: what it says of a write counts. The old store, until the migration is finished
 *   second     gets every change that the authority took. What it may not have is a debt, and repaired
 *
 * A pass over both, in key order, brings to the second what only the authority has, and takes away
 * what only the second has. Behind it, and where nothing is owed, the two are equal for certain: only such keys are
 * read from the second, as many of them as the percentage says, and where it does not have one the authority
 * is asked: "no such session" is always the authority's word. Then a second pass compares them.
 *
 * Everything that must not be forgotten is in two files of the state folder: "migration" (migrate_state.h)
 * and "migration-owed" (migrate_debts.h). The daemon may be killed anywhere.
 *
 * The calls of store.h are made from the daemon's two lanes as for every store; the others here by one further thread,
 * but for report and differences, which are for any.
 */
#include "common/base/counters.h"
#include "common/store/migrate/migrate_state.h"
#include "common/store/store.h"

struct sf_migrate;

typedef enum sf_status sf_migrate_open_store_fn(void *context, struct sf_store **store_out, const char *url,
                                                const char *state, struct sf_error *error);

/*
 * Another store is the authority now, and has all that the one before had: what was known of that one, which was
 * `former` (sf_store_incarnation), is true of this one, which is `now`. May not call the store.
 */
typedef void sf_migrate_exchanged_fn(void *context, uint64_t former, uint64_t now);

struct sf_migrate_options {
    const char *store_url;          /* SessionFastStore */
    const char *wanted;             /* SessionFastMigrate; "": nothing */
    const char *state;              /* folder */
    struct sf_counters *counters;   /* NULL: nobody counts */
    sf_migrate_open_store_fn *open_store; /* NULL: sf_store_open */
    sf_migrate_exchanged_fn *exchanged;   /* NULL: nobody needs to know */
    void *context;                  /* of both */
};

/*
 * Opens what the state folder says, which may be two stores or another one than SessionFastStore: then warning->text
 * says what the administrator should do; else it is "". SF_INVALID: SessionFastStore names a store that is out of date.
 * Attaching the store begins what `wanted` asks for.
 */
enum sf_status sf_migrate_open(struct sf_migrate **migrate_out, const struct sf_migrate_options *options,
                               struct sf_error *warning, struct sf_error *error) SF_MUST_CHECK;

struct sf_store *sf_migrate_store(struct sf_migrate *migrate); /* closing it frees everything */

/* Other hosts write the store, too, and know this one by that number. Before it is attached. */
void sf_migrate_share(struct sf_migrate *migrate, uint64_t host);

/*
 * One small piece of the work in the background, or none. Returns when it wants to be called again (steady clock): at
 * least as much later as the piece took, so that the lanes are free half of the time.
 */
sf_time sf_migrate_step(struct sf_migrate *migrate, sf_time now);

/*
 * All of these: SF_INVALID when it is not possible now, SF_UNAVAILABLE when a store or the disk fails; nothing has
 * changed then.
 */
enum sf_status sf_migrate_start(struct sf_migrate *migrate, const char *url, int percent, sf_time deadline,
                                struct sf_error *error) SF_MUST_CHECK;
enum sf_status sf_migrate_set_percent(struct sf_migrate *migrate, int percent, struct sf_error *error) SF_MUST_CHECK;
enum sf_status sf_migrate_compare(struct sf_migrate *migrate, struct sf_error *error) SF_MUST_CHECK; /* begins */
enum sf_status sf_migrate_finish(struct sf_migrate *migrate, struct sf_error *error) SF_MUST_CHECK;
/*
 * A host that moves together with this one and will not come back: none waits for it any more, some seconds later. If
 * it lives it says so in that time, and stays among them.
 */
enum sf_status sf_migrate_forget(struct sf_migrate *migrate, uint64_t host, struct sf_error *error) SF_MUST_CHECK;
enum sf_status sf_migrate_abort(struct sf_migrate *migrate, struct sf_error *error) SF_MUST_CHECK;

#define SF_MIGRATE_SHOWN 256 /* bytes of a URL without its password */

struct sf_migrate_report {
    enum sf_migrate_phase phase;
    char authority[SF_MIGRATE_SHOWN]; /* URLs without passwords */
    char second[SF_MIGRATE_SHOWN];    /* "": there is none */
    int percent;
    bool is_comparing, is_copying; /* a pass is under way; neither: nothing is to do */
    int progress;                  /* of it, in percent of the keys */
    uint64_t copied;               /* rows, since the start */
    size_t owed;                   /* keys that the second may not have */
    uint64_t passes, compared;     /* comparisons that went to their end; keys of the last one */
    uint64_t found;                /* differences of the last one */
    uint64_t differences;          /* all that were found since this process began */
    uint64_t repaired;
    uint64_t waits;                /* of a load or a change for the second, in vain, since this process began */
    sf_time started, percent_since, verified, finished; /* wall clock; 0: not yet */
    uint64_t host;                 /* among several; 0: there is one */
    size_t hosts;                  /* of them; 0: not known */
    bool is_ending;                /* they are asked to finish, or one of them has not yet */
    bool is_asking;                /* one of them is to be forgotten if it says nothing */
    char trouble[200];             /* why it does not go on; "" when it does */
};

void sf_migrate_report(struct sf_migrate *migrate, struct sf_migrate_report *report_out);

enum sf_difference_kind {
    SF_DIFFERENCE_MISSING, /* in the second */
    SF_DIFFERENCE_EXTRA,   /* only the second has it */
    SF_DIFFERENCE_VERSION,
    SF_DIFFERENCE_BYTES,   /* of the same version */
    SF_DIFFERENCE_ACCESS,  /* the second knows an earlier last access */
    SF_DIFFERENCE_DAMAGED, /* in the second */
    SF_DIFFERENCE_REFUSED  /* the second does not take it */
};

const char *sf_difference_name(enum sf_difference_kind kind);

struct sf_difference {
    enum sf_difference_kind kind;
    struct sf_key key;
    uint64_t version, second_version; /* 0: no such row */
    sf_time noticed;                  /* wall clock */
    bool is_repaired;
};

#define SF_DIFFERENCES_KEPT 100

/* The last ones, the latest first. */
size_t sf_migrate_differences(struct sf_migrate *migrate, struct sf_difference differences_out[SF_DIFFERENCES_KEPT]);
