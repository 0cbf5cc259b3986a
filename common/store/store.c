/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store.h"

#include <stdio.h>
#include <string.h>

#include "common/config/config.h"

/* A new backend is a row in stores.def, a file store_<name>.c in a folder of its own, and that folder's local.mk. */
static const struct sf_store_ops *const backends[] = {
#define STORE(name, scheme) &sf_store_##name,
#include "common/config/stores.def"
#undef STORE
};

#define BACKENDS (sizeof backends / sizeof backends[0])

static const struct sf_store_ops *
find_backend(const char *url)
{
    size_t scheme = strcspn(url, ":");
    if (url[scheme] != ':' && strcmp(url, SF_CONFIG_NO_STORE) != 0)
        return NULL;
    for (size_t i = 0; i < BACKENDS; i++)
        if (strlen(backends[i]->scheme) == scheme && strncmp(url, backends[i]->scheme, scheme) == 0)
            return backends[i];
    return NULL;
}

/* What ./configure may have left out. */
static bool
is_left_out(const char *scheme, size_t length)
{
    static const char *const optional[] = {"postgresql",     "mysql",           "redis",         "rediss",
                                           "redis-sentinel", "rediss-sentinel", "redis-cluster", "rediss-cluster"};
    for (size_t i = 0; i < sizeof optional / sizeof optional[0]; i++)
        if (strlen(optional[i]) == length && strncmp(optional[i], scheme, length) == 0)
            return true;
    return false;
}

/* The URL itself is not repeated: it may hold a password. */
static enum sf_status
refuse_scheme(const char *url, struct sf_error *error)
{
    char known[256] = "";
    size_t used = 0, length = strcspn(url, ":/");
    for (size_t i = 0; i < BACKENDS && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s%s", i > 0 ? " " : "", backends[i]->scheme,
                                 strcmp(backends[i]->scheme, SF_CONFIG_NO_STORE) == 0 ? "" : ":");
    if (is_left_out(url, length))
        return sf_error_set(error, SF_INVALID, "URL: %.*s: is not in this build: see ./configure --help; known are %s",
                            (int)length, url, known);
    return sf_error_set(error, SF_INVALID, "URL: unknown scheme \"%.*s\"; known are %s", (int)length, url, known);
}

enum sf_status
sf_store_open(struct sf_store **store_out, const char *url, const char *state,
              struct sf_error *error)
{
    *store_out = NULL;
    const struct sf_store_ops *ops = find_backend(url);
    if (ops == NULL)
        return refuse_scheme(url, error);
    return ops->open(store_out, url, state, error);
}

void
sf_store_close(struct sf_store *store)
{
    if (store != NULL)
        store->ops->close(store);
}

void
sf_store_report(struct sf_store *store, sf_store_tell_fn *tell, void *context)
{
    if (store->ops->report != NULL)
        store->ops->report(store, tell, context);
}

void
sf_store_show_url(const char *url, char *text_out, size_t size)
{
    const char *authority = strstr(url, "://");
    size_t length = authority == NULL ? 0 : strcspn(authority + 3, "/?");
    const char *at = authority == NULL ? NULL : memrchr(authority + 3, '@', length);
    const char *colon = at == NULL ? NULL : memchr(authority + 3, ':', (size_t)(at - authority - 3));
    if (colon == NULL)
        snprintf(text_out, size, "%s", url);
    else
        snprintf(text_out, size, "%.*s:***%s", (int)(colon - url), url, at);
}

uint64_t
sf_store_incarnation(struct sf_store *store)
{
    return store->ops->incarnation == NULL ? 0 : store->ops->incarnation(store);
}

void
sf_store_renew(struct sf_store *store)
{
    if (store->ops->renew != NULL)
        store->ops->renew(store);
}

enum sf_status
sf_store_examine(struct sf_store *store, sf_time deadline, struct sf_findings *findings)
{
    bool is_none = strcmp(store->ops->scheme, SF_CONFIG_NO_STORE) == 0;
    if (is_none)
        sf_found(findings, SF_FINDING_WARNING, "durability", "name a store that keeps what it has",
                 "none: sessions are in the cache of this host only, and end with it");
    else if ((store->ops->flags & SF_STORE_DURABLE) == 0)
        sf_found(findings, SF_FINDING_WARNING, "durability", "name a store that keeps what it has",
                 "%s: forgets everything when the daemon ends", store->ops->scheme);
    return store->ops->examine == NULL ? SF_OK : store->ops->examine(store, deadline, findings);
}

uint64_t
sf_store_expected(const struct sf_write *write, uint64_t incarnation)
{
    bool is_version = write->expected != 0 && write->expected != SF_EXPECTED_NONE;
    bool is_other = is_version && write->of_store != 0 && write->of_store != incarnation;
    return is_other ? INT64_MAX : write->expected;
}

/* Multiplied by an odd number nothing is lost; what comes second stays where it was. */
uint64_t
sf_store_incarnation_of(uint64_t first, uint64_t second)
{
    uint64_t mixed = first * UINT64_C(0x9E3779B97F4A7C15) ^ second;
    return mixed == 0 ? 1 : mixed;
}

enum sf_status
sf_store_load_one(struct sf_store *store, const struct sf_key *key, sf_time deadline,
                  struct sf_stored *stored_out)
{
    struct sf_load load = {.key = *key, .stored = stored_out};
    store->ops->load(store, &load, 1, deadline);
    return load.status;
}

void
sf_store_answer_loads(struct sf_load *loads, size_t count, enum sf_status status)
{
    for (size_t i = 0; i < count; i++)
        loads[i].status = status;
}

static int
badness(enum sf_status status)
{
    switch (status) {
    case SF_OK: return 0;
    case SF_NOT_FOUND: return 1;
    case SF_CONFLICT: return 2;
    case SF_INVALID: return 3;
    case SF_FULL: return 4;
    case SF_NO_MEMORY: return 5;
    case SF_CORRUPT:
    case SF_UNAVAILABLE: return 6;
    case SF_UNCERTAIN: return 7;
    }
    return 7;
}

enum sf_status
sf_store_worst(const struct sf_write *writes, size_t count)
{
    enum sf_status worst = SF_OK;
    for (size_t i = 0; i < count; i++)
        if (badness(writes[i].status) > badness(worst))
            worst = writes[i].status;
    return worst;
}
