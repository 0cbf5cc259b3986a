/* SPDX-License-Identifier: Apache-2.0 */
#include "mod_session_fast/daemon_keeper.h"

#include <ap_mpm.h>
#include <apr_strings.h>
#include <errno.h>
#include <http_core.h>
#include <http_log.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mod_session_fast/daemon_holder.h"
#include "mod_session_fast/daemon_spawn.h"

APLOG_USE_MODULE(session_fast);

#define RETAINED_KEY "mod_session_fast.daemon.2" /* another layout: another number */
#define START_TIME (10 * SF_SECOND)
#define STOP_MARGIN (1 * SF_SECOND)
#define WAKE_PAUSE 20000000 /* ns */
#define QUICK_DEATH (10 * SF_SECOND)
#define QUICK_DEATHS_MAX 5

static const char *
lock_path_of(const struct sf_keeper *keeper)
{
    return keeper->process->instance.daemon_lock_path;
}

bool
sf_keeper_is_needed(const struct sf_process *process)
{
    return process->is_used && strcmp(process->config.daemon, "none") != 0;
}

/* ---- hearing of the end of a child ---- */

/*
 * The main loop of every MPM looks for ended children once a second and sleeps in between. A signal
 * that has a handler ends that sleep, but not one that has not begun: so it comes again until the
 * child has been fetched. Timers are not inherited: only the parent has this one.
 */
static timer_t again;
static bool has_timer;

static void
wake_up(int number)
{
    static const struct itimerspec soon = {.it_value = {.tv_nsec = WAKE_PAUSE}};
    siginfo_t ended = {.si_pid = 0};
    int before = errno;
    (void)number;
    if (has_timer && waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0)
        timer_settime(again, 0, &soon, NULL);
    errno = before;
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

static void
begin_to_hear(void)
{
    struct sigevent signal = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGCHLD};
    if (!has_timer)
        has_timer = timer_create(CLOCK_MONOTONIC, &signal, &again) == 0;
    handle_child_signal(wake_up);
}

static void
end_hearing(void)
{
    handle_child_signal(SIG_DFL);
    if (has_timer)
        timer_delete(again);
    has_timer = false;
}

void
sf_keeper_child_init(void)
{
    handle_child_signal(SIG_DFL);
}

typedef void on_event_fn(int reason, void *context, int result);
static on_event_fn on_daemon_event, on_guard_event;

static void
listen_to(struct sf_kept_child *child, pid_t pid, on_event_fn *on_event)
{
    child->proc = (apr_proc_t){.pid = pid};
    apr_proc_other_child_register(&child->proc, on_event, child, NULL, child->keeper->pconf);
    begin_to_hear();
}

void
sf_keeper_listen(struct sf_keeper *keeper)
{
    if (keeper->retained->child != 0)
        listen_to(&keeper->daemon, keeper->retained->child, on_daemon_event);
}

/* RESTART and UNREGISTER are said while httpd restarts: the daemon stays. */
static bool
is_end(int reason)
{
    return reason == APR_OC_REASON_DEATH || reason == APR_OC_REASON_LOST;
}

static bool
is_httpd_ending(void)
{
    int state = AP_MPMQ_STOPPING;
    return ap_mpm_query(AP_MPMQ_MPM_STATE, &state) != APR_SUCCESS || state == AP_MPMQ_STOPPING;
}

/* ---- a daemon of our own ---- */

static enum sf_status
spawn(struct sf_keeper *keeper, apr_pool_t *pool, struct sf_error *error)
{
    struct sf_retained *retained = keeper->retained;
    enum sf_status status = sf_daemon_write_config(keeper->process, pool, error);
    if (status != SF_OK)
        return status;
    retained->child = sf_daemon_spawn(keeper->process, keeper->s, keeper->pconf);
    retained->other = 0;
    retained->started = sf_clock_steady();
    apr_cpystrn(retained->lock_path, lock_path_of(keeper), sizeof retained->lock_path);
    return retained->child != 0 ? SF_OK : sf_error_set(error, SF_UNAVAILABLE, "fork failed");
}

enum sf_status
sf_keeper_start(struct sf_keeper *keeper, apr_pool_t *pool, struct sf_error *error)
{
    enum sf_status status = spawn(keeper, pool, error);
    if (status == SF_OK) {
        status = sf_daemon_await(&keeper->process->instance, &keeper->retained->child,
                                 sf_clock_steady() + START_TIME, error);
    }
    if (status == SF_OK) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, keeper->s,
                     "SF0531: session-fastd started (process %d)", (int)keeper->retained->child);
    }
    return status;
}

/* While httpd serves: nobody waits for it. */
static void
start_again(struct sf_keeper *keeper)
{
    struct sf_error error;
    apr_pool_t *pool;
    apr_pool_create(&pool, keeper->pconf);
    if (spawn(keeper, pool, &error) == SF_OK) {
        sf_keeper_listen(keeper);
    } else {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, keeper->s,
                     "SF0533: session-fastd was not started: %s", error.text);
    }
    apr_pool_destroy(pool);
}

static void
after_death(struct sf_keeper *keeper, int result)
{
    struct sf_retained *retained = keeper->retained;
    bool was_quick = sf_clock_steady() - retained->started < QUICK_DEATH;
    retained->quick_deaths = was_quick ? retained->quick_deaths + 1 : 0;
    bool waits = retained->quick_deaths > QUICK_DEATHS_MAX;
    /* The MPMs pass an exit status or the number of a signal, and do not say which. */
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, keeper->s, "SF0534: session-fastd has ended (%d): %s",
                 result,
                 waits ? "it dies again and again, next try in some seconds" : "started again");
    if (!waits)
        start_again(keeper);
}

static void
on_daemon_event(int reason, void *context, int result)
{
    struct sf_kept_child *child = context;
    struct sf_keeper *keeper = child->keeper;
    if (!is_end(reason))
        return;
    apr_proc_other_child_unregister(child);
    keeper->retained->child = 0;
    if (is_httpd_ending())
        return;
    if (sf_daemon_holder(lock_path_of(keeper)) != 0)
        sf_keeper_look(keeper); /* another httpd was faster, and ours has left */
    else
        after_death(keeper, reason == APR_OC_REASON_DEATH ? result : 0);
}

/* ---- somebody else's daemon ---- */

static void
tell_of_other(struct sf_keeper *keeper, pid_t holder, const char *differences)
{
    bool is_new = holder != keeper->retained->other;
    keeper->retained->other = holder;
    if (differences != NULL) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, keeper->s,
                     "SF0538: session-fastd (process %d) of another httpd serves this instance with "
                     "other options, and they count until it ends: compare %s (%s)",
                     (int)holder, keeper->process->instance.config_path, differences);
    } else if (is_new) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, keeper->s,
                     "SF0536: session-fastd runs already (process %d)", (int)holder);
    }
}

void
sf_keeper_go_along(struct sf_keeper *keeper, pid_t holder, const char *differences)
{
    tell_of_other(keeper, holder, differences);
    if (keeper->guard.proc.pid != 0)
        return;
    pid_t guard = sf_daemon_guard(holder, lock_path_of(keeper), keeper->s, keeper->pconf);
    if (guard != 0)
        listen_to(&keeper->guard, guard, on_guard_event);
}

static void
on_guard_event(int reason, void *context, int result)
{
    struct sf_kept_child *child = context;
    struct sf_keeper *keeper = child->keeper;
    (void)result;
    if (!is_end(reason))
        return;
    apr_proc_other_child_unregister(child);
    child->proc.pid = 0;
    if (is_httpd_ending())
        return;
    if (sf_daemon_holder(lock_path_of(keeper)) == 0) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, keeper->s,
                     "SF0539: session-fastd of another httpd has ended: started here");
    }
    sf_keeper_look(keeper);
}

/* Its httpd restarts with other options, or has gone: another guard is needed for the next one. */
static void
dismiss_guard(struct sf_keeper *keeper)
{
    if (keeper->guard.proc.pid == 0)
        return;
    kill(keeper->guard.proc.pid, SIGKILL);
    waitpid(keeper->guard.proc.pid, NULL, 0);
    keeper->guard.proc.pid = 0;
}

void
sf_keeper_look(struct sf_keeper *keeper)
{
    pid_t holder = sf_daemon_holder(lock_path_of(keeper));
    if (keeper->retained->child != 0)
        return;
    if (holder == 0) {
        start_again(keeper);
    } else if (keeper->guard.proc.pid == 0) {
        bool is_new = holder != keeper->retained->other;
        apr_pool_t *pool;
        apr_pool_create(&pool, keeper->pconf);
        sf_keeper_go_along(keeper, holder,
                           is_new ? sf_daemon_config_differs(keeper->process, pool) : NULL);
        apr_pool_destroy(pool);
    }
}

/* ---- end ---- */

static void
tell_of_end(struct sf_keeper *keeper, pid_t pid, enum sf_daemon_end end)
{
    if (end == SF_DAEMON_ENDED)
        return;
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, keeper->s,
                 "SF0532: session-fastd (process %d) did not end in time: %s", (int)pid,
                 end == SF_DAEMON_KILLED
                     ? "it was killed; what it had not written stays in the cache"
                     : "it cannot even be killed now, and is left to itself");
}

static sf_time
end_deadline(const struct sf_keeper *keeper)
{
    return sf_clock_steady() + keeper->process->config.stop_timeout + STOP_MARGIN;
}

void
sf_keeper_end_child(struct sf_keeper *keeper)
{
    pid_t child = keeper->retained->child;
    keeper->retained->child = 0;
    if (child != 0)
        tell_of_end(keeper, child, sf_daemon_end(child, NULL, end_deadline(keeper)));
}

void
sf_keeper_end_other(struct sf_keeper *keeper, pid_t holder)
{
    tell_of_end(keeper, holder,
                sf_daemon_end(holder, lock_path_of(keeper), end_deadline(keeper)));
}

/*
 * httpd is going for good: its children have ended, and what they changed is in the cache. A daemon
 * whose own httpd has died has nobody left but us.
 */
static apr_status_t
end_with_httpd(void *context)
{
    struct sf_keeper *keeper = context;
    if (getpid() != keeper->parent || ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_EXITING)
        return APR_SUCCESS;
    sf_keeper_end_child(keeper);
    pid_t holder = sf_keeper_is_needed(keeper->process) ? sf_daemon_holder(lock_path_of(keeper)) : 0;
    if (holder != 0 && sf_daemon_is_orphan(holder, keeper->process->instance.config_path))
        sf_keeper_end_other(keeper, holder);
    return APR_SUCCESS;
}

/*
 * This shared object may be unloaded after the configuration has gone: nothing outside may point
 * into it.
 */
static apr_status_t
forget(void *context)
{
    struct sf_keeper *keeper = context;
    if (getpid() == keeper->parent) {
        end_hearing();
        dismiss_guard(keeper);
    }
    apr_pool_cleanup_kill(keeper->s->process->pool, keeper, end_with_httpd);
    return APR_SUCCESS;
}

struct sf_retained *
sf_keeper_retained(void)
{
    struct sf_retained *retained = ap_retained_data_get(RETAINED_KEY);
    return retained != NULL ? retained : ap_retained_data_create(RETAINED_KEY, sizeof *retained);
}

struct sf_keeper *
sf_keeper_new(apr_pool_t *pconf, server_rec *s, struct sf_process *process)
{
    struct sf_keeper *keeper = apr_pcalloc(pconf, sizeof *keeper);
    keeper->retained = sf_keeper_retained();
    keeper->process = process;
    keeper->s = s;
    keeper->pconf = pconf;
    keeper->daemon.keeper = keeper;
    keeper->guard.keeper = keeper;
    keeper->parent = getpid();
    apr_pool_pre_cleanup_register(s->process->pool, keeper, end_with_httpd);
    apr_pool_cleanup_register(pconf, keeper, forget, apr_pool_cleanup_null);
    return keeper;
}
