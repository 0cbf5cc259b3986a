/* SPDX-License-Identifier: Apache-2.0 */
/*
 * httpd's parent as the keeper of session-fastd: started with httpd, kept over graceful and
 * restart, started again when it dies, ended with httpd. While it is away, sessions in the cache go
 * on.
 */
#include "mod_session_fast/daemon_spawn.h"

#include <ap_mpm.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <http_core.h>
#include <http_log.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

APLOG_USE_MODULE(session_fast);

#define RETAINED_KEY "mod_session_fast.daemon.1" /* another layout: another number */
#define START_TIME (10 * SF_SECOND)
#define STOP_MARGIN (1 * SF_SECOND)
#define QUICK_DEATH (10 * SF_SECOND)
#define QUICK_DEATHS_MAX 5

/* What outlives the configuration, and with it this shared object: no pointers. */
struct retained {
    pid_t pid;             /* 0: none runs */
    bool is_child;         /* else an earlier httpd's, and looked at every 10 s */
    sf_time started;       /* steady clock */
    unsigned quick_deaths; /* in a row */
    bool has_served;       /* httpd has run with it: from now on a failure must not end httpd */
    dev_t log_device;      /* where its standard error goes */
    ino_t log_file;
    char lock_path[SF_INSTANCE_PATH_MAX];
};

/* One for each configuration, in pconf. */
struct watch {
    struct retained *retained;
    struct sf_process *process;
    server_rec *s;
    apr_pool_t *pconf;
    apr_pool_t *process_pool;
    apr_proc_t child;      /* as registered with APR */
    pid_t parent;
};

static void on_child_event(int reason, void *context, int result);

static struct retained *
retained_data(void)
{
    struct retained *retained = ap_retained_data_get(RETAINED_KEY);
    return retained != NULL ? retained : ap_retained_data_create(RETAINED_KEY, sizeof *retained);
}

static bool
is_ours_to_run(const struct sf_process *process)
{
    return process->is_used && strcmp(process->config.daemon, "none") != 0;
}

/* ---- hearing of its end ---- */

/*
 * The main loop of every MPM looks for ended children once a second and sleeps in between. A
 * handler, even an empty one, ends that sleep: a dead daemon is replaced at once.
 */
static void
wake_up(int number)
{
    (void)number;
}

static void
handle_child_signal(void (*handler)(int))
{
    struct sigaction current;
    struct sigaction wanted = {.sa_handler = handler, .sa_flags = SA_RESTART};
    if (sigaction(SIGCHLD, NULL, &current) != 0)
        return;
    if (current.sa_handler == SIG_DFL || current.sa_handler == wake_up)
        sigaction(SIGCHLD, &wanted, NULL);
}

void
sf_daemon_process_child_init(void)
{
    handle_child_signal(SIG_DFL);
}

/* ---- start ---- */

/*
 * Standard error is httpd's error log by now: a new file after a rotation, a new pipe after each
 * restart.
 */
static bool
note_log(struct retained *retained)
{
    struct stat now;
    if (fstat(STDERR_FILENO, &now) != 0)
        return false;
    bool is_other = now.st_dev != retained->log_device || now.st_ino != retained->log_file;
    retained->log_device = now.st_dev;
    retained->log_file = now.st_ino;
    return is_other;
}

static void
watch_child(struct watch *watch)
{
    watch->child = (apr_proc_t){.pid = watch->retained->pid};
    apr_proc_other_child_register(&watch->child, on_child_event, watch, NULL, watch->pconf);
    handle_child_signal(wake_up);
}

static enum sf_status
start(struct watch *watch, struct sf_error *error)
{
    struct retained *retained = watch->retained;
    if (retained->pid != 0)
        waitpid(retained->pid, NULL, WNOHANG); /* died while httpd restarted and nobody listened */
    retained->pid = sf_daemon_spawn(watch->process, watch->s, watch->pconf);
    retained->started = sf_clock_steady();
    retained->is_child = true;
    if (retained->pid == 0)
        return sf_error_set(error, SF_UNAVAILABLE, "fork failed");
    apr_cpystrn(retained->lock_path, watch->process->instance.daemon_lock_path,
                sizeof retained->lock_path);
    return SF_OK;
}

static enum sf_status
start_and_await(struct watch *watch, struct sf_error *error)
{
    enum sf_status status = start(watch, error);
    if (status == SF_OK) {
        status = sf_daemon_await(&watch->process->instance, &watch->retained->pid,
                                 sf_clock_steady() + START_TIME, error);
    }
    if (status == SF_OK) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, watch->s,
                     "SF0531: session-fastd started (process %d)", (int)watch->retained->pid);
    }
    return status;
}

/* ---- end ---- */

static void
end(struct watch *watch, pid_t pid)
{
    sf_time deadline = sf_clock_steady() + watch->process->config.stop_timeout + STOP_MARGIN;
    if (!sf_daemon_end(pid, deadline)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, watch->s,
                     "SF0532: session-fastd (process %d) did not end in time: it is left to itself",
                     (int)pid);
    }
    if (pid == watch->retained->pid)
        watch->retained->pid = 0;
}

/* httpd is going for good: its children have ended, and what they changed is in the cache. */
static apr_status_t
end_with_httpd(void *context)
{
    struct watch *watch = context;
    bool is_end = getpid() == watch->parent && ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_EXITING;
    if (is_end && watch->retained->pid != 0)
        end(watch, watch->retained->pid);
    return APR_SUCCESS;
}

/*
 * This shared object may be unloaded after the configuration has gone: nothing outside may point
 * into it.
 */
static apr_status_t
forget_watch(void *context)
{
    struct watch *watch = context;
    if (getpid() == watch->parent)
        handle_child_signal(SIG_DFL);
    apr_pool_cleanup_kill(watch->process_pool, watch, end_with_httpd);
    return APR_SUCCESS;
}

/* ---- death ---- */

static void
start_again(struct watch *watch)
{
    struct sf_error error;
    if (start(watch, &error) == SF_OK) {
        watch_child(watch);
    } else {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, watch->s,
                     "SF0533: session-fastd was not started: %s", error.text);
    }
}

static void
after_death(struct watch *watch, int result)
{
    struct retained *retained = watch->retained;
    bool was_quick = sf_clock_steady() - retained->started < QUICK_DEATH;
    int state = AP_MPMQ_STOPPING;
    retained->quick_deaths = was_quick ? retained->quick_deaths + 1 : 0;
    retained->pid = 0;
    if (ap_mpm_query(AP_MPMQ_MPM_STATE, &state) != APR_SUCCESS || state == AP_MPMQ_STOPPING)
        return;
    bool waits = retained->quick_deaths > QUICK_DEATHS_MAX;
    /* The MPMs pass an exit status or the number of a signal, and do not say which. */
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, watch->s, "SF0534: session-fastd has ended (%d): %s",
                 result,
                 waits ? "it dies again and again, next try in some seconds" : "started again");
    if (!waits)
        start_again(watch);
}

/*
 * DEATH comes from the main loop of the MPM. RESTART and UNREGISTER are said while httpd restarts:
 * the daemon stays.
 */
static void
on_child_event(int reason, void *context, int result)
{
    struct watch *watch = context;
    if (reason == APR_OC_REASON_DEATH || reason == APR_OC_REASON_LOST) {
        apr_proc_other_child_unregister(watch);
        after_death(watch, reason == APR_OC_REASON_DEATH ? result : 0);
    }
}

/*
 * Every ten seconds: the slow way back for a daemon that dies at once, or whose death nobody tells
 * us.
 */
int
sf_daemon_process_monitor(apr_pool_t *pool, server_rec *s)
{
    struct sf_process *process = sf_server_of(s)->process;
    const struct retained *retained = retained_data();
    bool is_watched = retained->pid != 0 && retained->is_child;
    (void)pool;
    if (is_ours_to_run(process) && !is_watched &&
        sf_daemon_holder(process->instance.daemon_lock_path) == 0) {
        start_again(process->watch);
    }
    return DECLINED;
}

/* ---- each start of httpd, graceful and restart ---- */

static struct watch *
make_watch(apr_pool_t *pconf, server_rec *s, struct sf_process *process)
{
    struct watch *watch = apr_pcalloc(pconf, sizeof *watch);
    watch->retained = retained_data();
    watch->process = process;
    watch->s = s;
    watch->pconf = pconf;
    watch->process_pool = s->process->pool;
    watch->parent = getpid();
    apr_pool_pre_cleanup_register(watch->process_pool, watch, end_with_httpd);
    apr_pool_cleanup_register(pconf, watch, forget_watch, apr_pool_cleanup_null);
    process->watch = watch;
    return watch;
}

static bool
is_other_instance(const struct watch *watch)
{
    const struct retained *retained = watch->retained;
    return retained->pid != 0 &&
           (!is_ours_to_run(watch->process) ||
            strcmp(retained->lock_path, watch->process->instance.daemon_lock_path) != 0);
}

static enum sf_status
prepare(struct watch *watch, bool *changed_out, apr_pool_t *pool, struct sf_error *error)
{
    struct sf_process *process = watch->process;
    enum sf_status status =
        sf_instance_prepare(&process->instance, sf_daemon_uid(), sf_daemon_gid(), error);
    if (status != SF_OK)
        return status;
    return sf_daemon_write_config(process, changed_out, pool, error);
}

static void
adopt(struct watch *watch, pid_t holder)
{
    struct retained *retained = watch->retained;
    retained->pid = holder;
    retained->is_child = false;
    apr_cpystrn(retained->lock_path, watch->process->instance.daemon_lock_path,
                sizeof retained->lock_path);
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, watch->s,
                 "SF0536: session-fastd runs already (process %d)", (int)holder);
}

/* The daemon that runs already goes on, whoever started it, unless it runs with other options. */
static enum sf_status
ensure_daemon(struct watch *watch, apr_pool_t *pool, struct sf_error *error)
{
    bool changed;
    enum sf_status status = prepare(watch, &changed, pool, error);
    if (status != SF_OK)
        return status;
    pid_t holder = sf_daemon_holder(watch->process->instance.daemon_lock_path);
    bool has_other_log = note_log(watch->retained) && holder == watch->retained->pid;
    if (holder != 0 && (changed || has_other_log)) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, watch->s,
                     "SF0535: %s: session-fastd (process %d) is replaced",
                     changed ? "options of the instance have changed"
                             : "the error log is another file",
                     (int)holder);
        end(watch, holder);
        holder = 0;
    }
    if (holder == 0)
        return start_and_await(watch, error);
    if (holder != watch->retained->pid)
        adopt(watch, holder);
    return SF_OK;
}

static enum sf_status
set_up(struct watch *watch, apr_pool_t *pool, struct sf_error *error)
{
    struct sf_process *process = watch->process;
    enum sf_status status = SF_OK;
    if (process->is_used)
        status = sf_instance_resolve(&process->instance, &process->config, error);
    if (status == SF_OK && is_other_instance(watch))
        end(watch, watch->retained->pid);
    if (status == SF_OK && is_ours_to_run(process))
        status = ensure_daemon(watch, pool, error);
    return status;
}

static bool
is_real_start(void)
{
    int mode = ap_state_query(AP_SQ_RUN_MODE);
    return ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG &&
           mode != AP_SQ_RM_CONFIG_TEST && mode != AP_SQ_RM_CONFIG_DUMP;
}

int
sf_daemon_process_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    struct sf_process *process = sf_server_of(s)->process;
    struct sf_error error;
    (void)plog;
    process->mod_session = ap_find_linked_module("mod_session.c");
    if (!is_real_start())
        return OK;
    struct watch *watch = make_watch(pconf, s, process);
    if (set_up(watch, ptemp, &error) != SF_OK) {
        bool goes_on = watch->retained->has_served;
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, s, "SF0537: %s%s", error.text,
                     goes_on ? "; httpd goes on, sessions that are not in the cache are unavailable"
                             : "");
        return goes_on ? OK : HTTP_INTERNAL_SERVER_ERROR;
    }
    if (watch->retained->pid != 0 && watch->retained->is_child)
        watch_child(watch);
    watch->retained->has_served = true;
    return OK;
}
