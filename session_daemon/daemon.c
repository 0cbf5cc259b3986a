/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/daemon.h"

#include <inttypes.h>
#include <unistd.h>

#include "common/base/secret.h"
#include "common/store/l2/store_tiered.h"
#include "common/store/store_shared.h"
#include "session_daemon/instance_lock.h"

#define ATTACH_DEADLINE (5 * SF_SECOND)
#define SUCCESSOR_DEADLINE SF_SECOND /* the same, of one who is waited for */
#define ANSWER_SHARE 4 /* a quarter of the stop timeout is for answers, the rest for writing */

/* The daemon itself signs nothing; but it makes the file before the first front needs it, as the user that may. */
static enum sf_status
make_secrets(const struct sf_instance *instance, struct sf_error *error)
{
    struct sf_secrets secrets;
    enum sf_status status = sf_secrets_load(&secrets, instance->secret_path, error);
    sf_secrets_wipe(&secrets);
    return status;
}

static void
log_cache(const struct daemon *daemon, const struct sf_l1_made *made)
{
    if (made->set_aside)
        sf_log_write(&daemon->log, SF_LOG_WARNING, "SF0109",
                     "the cache was damaged, made by another version or without its lock file: it is kept as "
                     "%s.bad, and a new one made; %" PRIu64 " changed sessions were taken over, %" PRIu64
                     " found no room",
                     daemon->instance.cache_path, made->inherited, made->lost);
    if (made->size_differs)
        sf_log_write(&daemon->log, SF_LOG_WARNING, "SF0108",
                     "the cache keeps its size of %" PRIu64 " bytes: it is in use; the new size counts once it is not",
                     made->bytes);
    if (daemon->is_store_only) {
        sf_log_write(&daemon->log, SF_LOG_NOTICE, "SF0121",
                     "SessionFastCacheSize 0: each session is read from the store, and changed there");
        return;
    }
    sf_log_write(&daemon->log, SF_LOG_INFO, "SF0110",
                 "cache of %" PRIu64 " bytes %s: room for about %" PRIu64 " sessions of 1 KiB", made->bytes,
                 made->is_new ? "made" : "found and kept", made->fits);
}

static enum sf_status
open_cache(struct daemon *daemon, struct sf_error *error)
{
    struct sf_l1_made made;
    enum sf_status status = sf_l1_create(&daemon->instance, sf_config_cache_bytes(&daemon->config), &made, error);
    if (status != SF_OK)
        return status;
    log_cache(daemon, &made);
    daemon->is_successor = !made.is_new;
    status = sf_l1_attach(&daemon->l1, &daemon->instance, SF_L1_READ_WRITE, error);
    if (status != SF_OK)
        return status;
    sf_l1_set_bypassed(daemon->l1, daemon->is_store_only);
    sf_l1_set_ttl(daemon->l1, daemon->is_volatile ? 0 : daemon->config.cache_ttl);
    return SF_OK;
}

static void
meet_store(void *context, uint64_t incarnation)
{
    sf_l1_meet_store(context, incarnation);
}

static enum sf_status
share_store(struct daemon *daemon)
{
    const struct sf_config *config = &daemon->config;
    bool is_shared = config->shared_store == SF_SHARED_AUTO ? (daemon->store->ops->flags & SF_STORE_SHARED) != 0
                                                            : config->shared_store == SF_SHARED_ON;
    daemon->is_shared = is_shared;
    sf_l1_set_shared(daemon->l1, is_shared);
    if (!is_shared)
        return SF_OK;
    sf_migrate_share(daemon->migrator.migrate, sf_l1_host_id(daemon->l1));
    if (config->freshness < config->cache_ttl)
        sf_l1_set_ttl(daemon->l1, config->freshness);
    return sf_store_share(&daemon->store, daemon->store, meet_store, daemon->l1);
}

/* From then on it belongs to the store. */
static enum sf_status
put_l2_in_front(struct daemon *daemon, struct sf_error *error)
{
    struct sf_l2 *l2;
    struct sf_secrets secrets;
    enum sf_status status = sf_l2_open(&l2, daemon->config.l2, error);
    if (status != SF_OK)
        return status;
    status = sf_secrets_load(&secrets, daemon->instance.secret_path, error);
    if (status != SF_OK) {
        sf_l2_close(l2);
        return status;
    }
    const struct sf_tiered_options options = {
        .ttl = daemon->config.l2_ttl,
        .pause = SF_L2_PAUSE,
        .freshness = daemon->config.freshness,
        .secrets = &secrets,
        .log = &daemon->log,
    };
    status = sf_store_tiered_new(&daemon->store, l2, daemon->store, &options);
    sf_secrets_wipe(&secrets);
    return status == SF_OK ? SF_OK : sf_error_set(error, status, "no memory");
}

/* A store that is away now may be back soon, and L1 serves meanwhile; one that is not ours never will be. */
static enum sf_status
open_store(struct daemon *daemon, struct sf_error *error)
{
    enum sf_status status = migrator_open(&daemon->migrator, &daemon->store, daemon, error);
    if (status != SF_OK)
        return status;
    status = share_store(daemon);
    if (status != SF_OK)
        return sf_error_set(error, status, "no memory");
    if (*daemon->config.l2 != '\0' && (status = put_l2_in_front(daemon, error)) != SF_OK)
        return status;
    sf_time patience = daemon->is_successor ? SUCCESSOR_DEADLINE : ATTACH_DEADLINE;
    status = daemon->store->ops->attach(daemon->store, sf_clock_steady() + patience, error);
    if (status == SF_OK || status == SF_INVALID)
        return status;
    (void)sf_log_state_changed(&daemon->load_state, false);
    atomic_store(&daemon->loads_fail, true);
    sf_log_write(&daemon->log, SF_LOG_ERROR, "SF0113",
                 "the store does not answer: sessions that are not in the cache are unavailable: %s", error->text);
    return SF_OK;
}

/* What a store is still to get must not be given to none. */
static enum sf_status
begin_without_store(struct daemon *daemon, struct sf_error *error)
{
    struct sf_journal_state journal;
    sf_journal_state(daemon->journaler.journal, &journal);
    if (journal.orphans > 0)
        return sf_error_set(error, SF_INVALID,
                            "SessionFastStore none: the journal in %s has %zu sessions for the store that was there "
                            "before: start with that once, or remove journal-*.db", daemon->instance.state,
                            journal.orphans);
    sf_log_write(&daemon->log, SF_LOG_WARNING, "SF0119",
                 "SessionFastStore none: all sessions are in the cache of this host only, and end with it");
    return SF_OK;
}

/* What it holds is known before anybody may ask for a session: the store may not have it yet. */
static enum sf_status
open_journal(struct daemon *daemon, struct sf_error *error)
{
    const struct sf_journal_options options = {
        .folder = daemon->instance.state,
        .bytes_max = daemon->config.journal_limit,
    };
    enum sf_status status = sf_journal_open(&daemon->journaler.journal, daemon->l1, &options, &daemon->log, error);
    return status == SF_OK && daemon->is_volatile ? begin_without_store(daemon, error) : status;
}

static enum sf_status
start_threads(struct daemon *daemon, struct sf_error *error)
{
    daemon->usage.kept_from = USAGE_KEPT_FROM;
    enum sf_status status = worker_start(&daemon->loader.worker, daemon);
    if (status == SF_OK)
        status = worker_start(&daemon->usage.worker, daemon);
    if (status == SF_OK)
        status = migrator_start(&daemon->migrator, daemon);
    if (status != SF_OK)
        return sf_error_set(error, status, "cannot start threads: %s", sf_status_text(status));
    status = writer_start(&daemon->writer, daemon, error);
    if (status == SF_OK && journaler_start(&daemon->journaler, daemon) != SF_OK)
        status = sf_error_set(error, SF_UNAVAILABLE, "cannot start the journal's thread");
    if (status == SF_OK && follower_start(&daemon->follower, daemon) != SF_OK)
        status = sf_error_set(error, SF_UNAVAILABLE, "cannot start the thread that follows the store");
    return status;
}

/*
 * The socket is made while there is one thread, because that changes the umask of the process. Who connects
 * before the others have begun waits for the main loop.
 */
static enum sf_status
open_for_clients(struct daemon *daemon, struct sf_error *error)
{
    enum sf_status status = listener_open(&daemon->server.listener, daemon, error);
    if (status != SF_OK)
        return status;
    status = start_threads(daemon, error);
    if (status != SF_OK)
        listener_close(&daemon->server.listener);
    return status;
}

enum sf_status
daemon_start(struct daemon *daemon, sf_time lock_wait, struct sf_error *error)
{
    const struct sf_instance *instance = &daemon->instance;
    daemon->is_volatile = !sf_config_has_store(&daemon->config);
    daemon->is_store_only = !sf_config_has_cache(&daemon->config);
    enum sf_status status = sf_instance_prepare(instance, geteuid(), getegid(), error);
    if (status == SF_OK)
        status = instance_lock_take(&daemon->lock_fd, instance, sf_clock_steady() + lock_wait, error);
    if (status == SF_OK)
        status = make_secrets(instance, error);
    if (status == SF_OK)
        status = open_cache(daemon, error);
    if (status == SF_OK)
        status = open_store(daemon, error);
    if (status == SF_OK)
        status = open_journal(daemon, error);
    if (status == SF_OK)
        status = server_init(&daemon->server, daemon, error);
    daemon->started = sf_clock_wall(); /* the threads, which begin here, read it */
    if (status == SF_OK)
        status = open_for_clients(daemon, error);
    return status;
}

static void
log_end(struct daemon *daemon)
{
    struct sf_l1_usage usage;
    struct sf_journal_state journal;
    sf_l1_usage(daemon->l1, &usage);
    sf_journal_state(daemon->journaler.journal, &journal);
    bool is_written = usage.blocks_dirty == 0 && journal.orphans == 0;
    if (is_written)
        sf_log_write(&daemon->log, SF_LOG_NOTICE, "SF0105", "stopped: everything is in the %s",
                     daemon->is_volatile ? "cache, which is all there is" : "store");
    else
        sf_log_write(&daemon->log, SF_LOG_ERROR, "SF0106",
                     "stopped: %" PRIu64 " changed sessions are not in the store; they stay in the cache, %zu others "
                     "in the journal, and the next daemon writes them", usage.blocks_dirty, journal.orphans);
}

/* When threads and clients are gone: frees what nobody has run or finished any more. */
static void
finish_all(struct daemon *daemon, struct task_queue *queue)
{
    struct task *next;
    for (struct task *task = task_queue_take_all(queue); task != NULL; task = next) {
        next = task->next;
        task->finish(task, daemon);
    }
}

static void
give_back(struct daemon *daemon)
{
    server_close_connections(&daemon->server);
    finish_all(daemon, &daemon->writer.queue);
    finish_all(daemon, &daemon->loader.worker.queue);
    finish_all(daemon, &daemon->usage.worker.queue);
    finish_all(daemon, &daemon->migrator.worker.queue);
    finish_all(daemon, &daemon->journaler.queue);
    finish_all(daemon, &daemon->server.done);
    server_fini(&daemon->server);
    worker_fini(&daemon->loader.worker);
    worker_fini(&daemon->usage.worker);
    worker_fini(&daemon->migrator.worker);
    follower_fini(&daemon->follower);
    writer_fini(&daemon->writer);
    journaler_fini(&daemon->journaler);
    sf_store_close(daemon->store);
    sf_l1_close(daemon->l1);
    close(daemon->lock_fd);
}

void
daemon_serve(struct daemon *daemon)
{
    const char *run = daemon->instance.run;
    sf_log_write(&daemon->log, SF_LOG_NOTICE, "SF0101", "ready: serves %s, process %d", run, (int)getpid());
    server_run(&daemon->server);
    sf_log_write(&daemon->log, SF_LOG_NOTICE, "SF0104", "stopping");
    sf_time now = sf_clock_steady();
    sf_time timeout = daemon->config.stop_timeout;
    server_drain(&daemon->server, now + timeout / ANSWER_SHARE);
    bool migrator_ended = worker_stop(&daemon->migrator.worker, now + timeout / ANSWER_SHARE);
    bool follower_ended = follower_stop(&daemon->follower, now + timeout);
    bool writer_ended = writer_stop(&daemon->writer, now + timeout);
    bool journaler_ended = journaler_stop(&daemon->journaler, now + timeout);
    bool loader_ended = worker_stop(&daemon->loader.worker, now + timeout);
    bool usage_ended = worker_stop(&daemon->usage.worker, now + timeout);
    log_end(daemon);
    if (!follower_ended || !writer_ended || !journaler_ended || !loader_ended || !usage_ended || !migrator_ended)
        _exit(0); /* a thread is still inside store or cache: nothing that it uses may be taken away */
    give_back(daemon);
}
