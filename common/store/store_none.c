/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_none.c - no store: the cache of the host is all there is.
 *
 * It takes every change, so that what has changed may leave the cache like anything else, and it has no session.
 */
#include "common/store/store.h"

#include <stdlib.h>
#include <string.h>

#include "common/config/config.h"

static sf_store_open_fn none_open;
static sf_store_attach_fn none_attach;
static sf_store_load_fn none_load;
static sf_store_write_fn none_write;
static sf_store_scan_fn none_scan;
static sf_store_explain_fn none_explain;
static sf_store_close_fn none_close;
static sf_store_incarnation_fn none_incarnation;

const struct sf_store_ops sf_store_none = {
    .scheme = SF_CONFIG_NO_STORE,
    .flags = SF_STORE_EXPIRES,
    .open = none_open,
    .attach = none_attach,
    .load = none_load,
    .write = none_write,
    .scan = none_scan,
    .explain = none_explain,
    .close = none_close,
    .incarnation = none_incarnation,
};

static enum sf_status
none_open(struct sf_store **store_out, const char *url, const char *state, struct sf_error *error)
{
    (void)state;
    if (strcmp(url, SF_CONFIG_NO_STORE) != 0)
        return sf_error_set(error, SF_INVALID, "URL: nothing stands behind none");
    struct sf_store *none = calloc(1, sizeof *none);
    if (none == NULL)
        return sf_error_set(error, SF_NO_MEMORY, "URL: no memory");
    none->ops = &sf_store_none;
    *store_out = none;
    return SF_OK;
}

static enum sf_status
none_attach(struct sf_store *store, sf_time deadline, struct sf_error *error)
{
    (void)store;
    (void)deadline;
    (void)error;
    return SF_OK;
}

static void
none_load(struct sf_store *store, struct sf_load *loads, size_t count, sf_time deadline)
{
    (void)store;
    (void)deadline;
    sf_store_answer_loads(loads, count, SF_NOT_FOUND);
}

static enum sf_status
none_write(struct sf_store *store, struct sf_write *writes, size_t count, sf_time deadline)
{
    (void)store;
    (void)deadline;
    for (size_t i = 0; i < count; i++) {
        writes[i].is_news = false;
        writes[i].status = SF_OK;
    }
    return SF_OK;
}

static enum sf_status
none_scan(struct sf_store *store, const struct sf_key *after, struct sf_span user, size_t limit,
          sf_time deadline, sf_store_visit_fn *visit, void *context)
{
    (void)store;
    (void)after;
    (void)user;
    (void)limit;
    (void)deadline;
    (void)visit;
    (void)context;
    return SF_INVALID;
}

static void
none_explain(struct sf_store *store, struct sf_error *error_out)
{
    (void)store;
    (void)!sf_error_set(error_out, SF_INVALID, "SessionFastStore none: there is no store");
}

static void
none_close(struct sf_store *store)
{
    free(store);
}

/* A cache that is given a store later puts there what it has; see restore.h. */
static uint64_t
none_incarnation(struct sf_store *store)
{
    (void)store;
    return sf_store_incarnation_of(0, 1);
}
