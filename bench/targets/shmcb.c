/* SPDX-License-Identifier: Apache-2.0 */
/*
 * httpd's mod_socache_shmcb, the real module, loaded into this process: it needs a handful of httpd's
 * functions, which stand here in their place. Its provider asks its callers for a mutex between
 * processes; they are mod_ssl and mod_session's relatives, with apr_global_mutex. Here both ways:
 * httpd's default mechanism, and a process-shared pthread mutex, which is the fastest there is.
 */
#include <apr_general.h>
#include <apr_global_mutex.h>
#include <apr_strings.h>
#include <ap_provider.h>
#include <ap_socache.h>
#include <dlfcn.h>
#include <http_log.h>
#include <http_protocol.h>
#include <httpd.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/targets/targets.h"

#define LIFETIME apr_time_from_sec(86400)
#define SPARE_PERCENT 50

struct stored {
    int64_t n;
    unsigned char value[];
};

struct target {
    struct target_plan plan;
    apr_pool_t *pool;
    const ap_socache_provider_t *provider;
    ap_socache_instance_t *cache;
    server_rec *server;
    apr_global_mutex_t *mutex;
    char lock_path[4096];
};

struct target_worker {
    struct target *target;
    apr_pool_t *pool;
    struct target_values values;
    struct stored *stored; /* as it goes in and comes out */
    unsigned stored_bytes;
    apr_time_t expires;
};

/* ---- what the module needs of httpd ---- */

#define FOR_THE_MODULE __attribute__((visibility("default")))

static const ap_socache_provider_t *registered;

FOR_THE_MODULE apr_status_t
ap_register_provider(apr_pool_t *pool, const char *group, const char *name, const char *version,
                     const void *provider)
{
    (void)pool;
    (void)version;
    if (strcmp(group, AP_SOCACHE_PROVIDER_GROUP) == 0 && strcmp(name, "shmcb") == 0)
        registered = provider;
    return APR_SUCCESS;
}

FOR_THE_MODULE void
ap_log_error_(const char *file, int line, int module_index, int level, apr_status_t status,
              const server_rec *server, const char *format, ...)
{
    (void)file, (void)line, (void)module_index, (void)level, (void)status, (void)server, (void)format;
}

FOR_THE_MODULE void
ap_log_rerror_(const char *file, int line, int module_index, int level, apr_status_t status,
               const request_rec *request, const char *format, ...)
{
    (void)file, (void)line, (void)module_index, (void)level, (void)status, (void)request;
    (void)format;
}

FOR_THE_MODULE int
ap_rprintf(request_rec *request, const char *format, ...)
{
    (void)request, (void)format;
    return 0;
}

FOR_THE_MODULE int
ap_rwrite(const void *bytes, int count, request_rec *request)
{
    (void)bytes, (void)request;
    return count;
}

FOR_THE_MODULE char *
ap_runtime_dir_relative(apr_pool_t *pool, const char *path)
{
    return apr_pstrdup(pool, path);
}

FOR_THE_MODULE char *
ap_server_root_relative(apr_pool_t *pool, const char *path)
{
    return apr_pstrdup(pool, path);
}

/* ---- */

static bool
load_provider(struct target *target, struct target_failure *failure)
{
    void *library = dlopen(SHMCB_PATH, RTLD_NOW | RTLD_GLOBAL);

    if (library == NULL)
        return target_fail(failure, "%s", dlerror());
    module *loaded = dlsym(library, "socache_shmcb_module");
    if (loaded == NULL)
        return target_fail(failure, "%s", dlerror());
    loaded->register_hooks(target->pool);
    target->provider = registered;
    return registered != NULL || target_fail(failure, "%s registers no provider", SHMCB_PATH);
}

static bool
make_cache(struct target *target, struct target_failure *failure)
{
    const struct target_plan *plan = &target->plan;
    struct ap_socache_hints hints = {.avg_id_len = sizeof(struct sf_key),
                                     .avg_obj_size = sizeof(struct stored) + plan->bytes,
                                     .expiry_interval = LIFETIME};
    uint64_t bytes = (uint64_t)plan->sessions * (plan->bytes + 64) * (100 + SPARE_PERCENT) / 100;
    const char *argument =
        apr_psprintf(target->pool, "%s/shmcb(%" APR_UINT64_T_FMT ")", plan->memory, bytes);
    const char *complaint =
        target->provider->create(&target->cache, argument, target->pool, target->pool);

    if (complaint != NULL)
        return target_fail(failure, "%s: %s", argument, complaint);
    target->server = apr_pcalloc(target->pool, sizeof *target->server);
    target->server->log.level = APLOG_ERR;
    if (target->provider->init(target->cache, "bench", &hints, target->server, target->pool) !=
        APR_SUCCESS)
        return target_fail(failure, "the cache cannot be made: %s", argument);
    return true;
}

static bool
shmcb_open_with(struct target **target_out, const struct target_plan *plan, apr_lockmech_e mechanism,
                struct target_failure *failure)
{
    struct target *target = calloc(1, sizeof *target);

    if (target == NULL || apr_initialize() != APR_SUCCESS)
        return target_fail(failure, "no memory");
    target->plan = *plan;
    *target_out = target;
    apr_pool_create(&target->pool, NULL);
    snprintf(target->lock_path, sizeof target->lock_path, "%s/mutex", plan->memory);
    if (load_provider(target, failure) && make_cache(target, failure)) {
        if (apr_global_mutex_create(&target->mutex, target->lock_path, mechanism, target->pool) ==
            APR_SUCCESS)
            return true;
        target_fail(failure, "no mutex of this kind");
    }
    apr_pool_destroy(target->pool);
    free(target);
    return false;
}

static bool
shmcb_open(struct target **target_out, const struct target_plan *plan,
           struct target_failure *failure)
{
    return shmcb_open_with(target_out, plan, APR_LOCK_PROC_PTHREAD, failure);
}

static bool
shmcb_open_default(struct target **target_out, const struct target_plan *plan,
                   struct target_failure *failure)
{
    return shmcb_open_with(target_out, plan, APR_LOCK_DEFAULT, failure);
}

static void
shmcb_close(struct target *target)
{
    target->provider->destroy(target->cache, target->server);
    apr_pool_destroy(target->pool);
    free(target);
}

static void
shmcb_detach(struct target_worker *worker)
{
    target_values_fini(&worker->values);
    free(worker->stored);
    apr_pool_destroy(worker->pool);
    free(worker);
}

static struct target_worker *
shmcb_attach(struct target *target)
{
    struct target_worker *worker = calloc(1, sizeof *worker);

    if (worker == NULL || apr_pool_create(&worker->pool, NULL) != APR_SUCCESS) {
        free(worker);
        return NULL;
    }
    worker->target = target;
    worker->stored_bytes = (unsigned)(sizeof *worker->stored + target->plan.bytes);
    worker->stored = calloc(1, worker->stored_bytes);
    worker->expires = apr_time_now() + LIFETIME;
    if (target_values_init(&worker->values, target->plan.bytes) && worker->stored != NULL &&
        apr_global_mutex_child_init(&target->mutex, target->lock_path, worker->pool) == APR_SUCCESS)
        return worker;
    shmcb_detach(worker);
    return NULL;
}

/* With the mutex. */
static bool
store(struct target_worker *worker, struct sf_key *key)
{
    struct target *target = worker->target;

    return target->provider->store(target->cache, target->server, key->bytes, sizeof key->bytes,
                                   worker->expires, (unsigned char *)worker->stored,
                                   worker->stored_bytes, worker->pool) == APR_SUCCESS;
}

/* With the mutex. */
static bool
retrieve(struct target_worker *worker, struct sf_key *key)
{
    struct target *target = worker->target;
    unsigned bytes = worker->stored_bytes;

    return target->provider->retrieve(target->cache, target->server, key->bytes, sizeof key->bytes,
                                      (unsigned char *)worker->stored, &bytes,
                                      worker->pool) == APR_SUCCESS &&
           bytes == worker->stored_bytes;
}

static enum target_answer
shmcb_read(struct target_worker *worker, uint32_t session, struct target_found *found_out)
{
    struct sf_key key = target_key(session);

    apr_global_mutex_lock(worker->target->mutex);
    bool is_there = retrieve(worker, &key);
    apr_global_mutex_unlock(worker->target->mutex);
    *found_out = (struct target_found){worker->stored->value, worker->values.bytes};
    return is_there ? TARGET_DONE : TARGET_LOST;
}

static enum target_answer
shmcb_write(struct target_worker *worker, uint32_t session, uint64_t version)
{
    struct sf_key key = target_key(session);

    worker->stored->n = 0; /* what it was cannot be told without reading it first */
    memcpy(worker->stored->value, target_values_stamp(&worker->values, session, version),
           worker->values.bytes);
    apr_global_mutex_lock(worker->target->mutex);
    bool is_stored = store(worker, &key);
    apr_global_mutex_unlock(worker->target->mutex);
    return is_stored ? TARGET_DONE : TARGET_LOST;
}

static bool
shmcb_fill(struct target_worker *worker, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (shmcb_write(worker, first + i, 1) == TARGET_WRONG)
            return false;
    return true;
}

static enum target_answer
shmcb_change(struct target_worker *worker, uint32_t session)
{
    struct sf_key key = target_key(session);

    apr_global_mutex_lock(worker->target->mutex);
    bool is_there = retrieve(worker, &key);
    if (is_there) {
        worker->stored->n++;
        is_there = store(worker, &key);
    }
    apr_global_mutex_unlock(worker->target->mutex);
    return is_there ? TARGET_DONE : TARGET_LOST;
}

static enum target_answer
shmcb_field(struct target_worker *worker, uint32_t session, int64_t *n_out)
{
    struct target_found found;
    enum target_answer answer = shmcb_read(worker, session, &found);

    *n_out = worker->stored->n;
    return answer;
}

const struct target_ops target_shmcb = {
    .name = "mod_socache_shmcb",
    .what = "httpd's own module, under a process-shared pthread mutex (the fastest it can have)",
    .open = shmcb_open,
    .close = shmcb_close,
    .attach = shmcb_attach,
    .detach = shmcb_detach,
    .fill = shmcb_fill,
    .read = shmcb_read,
    .write = shmcb_write,
    .change = shmcb_change,
    .field = shmcb_field,
};

const struct target_ops target_shmcb_default = {
    .name = "shmcb, default mutex",
    .what = "the same under httpd's default mutex",
    .open = shmcb_open_default,
    .close = shmcb_close,
    .attach = shmcb_attach,
    .detach = shmcb_detach,
    .fill = shmcb_fill,
    .read = shmcb_read,
    .write = shmcb_write,
    .change = shmcb_change,
    .field = shmcb_field,
};
