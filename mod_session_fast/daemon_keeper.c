/* SPDX-License-Identifier: Apache-2.0 */
#include "mod_session_fast/daemon_keeper.h"

#include <ap_mpm.h>
#include <apr_strings.h>
#include <errno.h>
#include <http_core.h>
#include <http_log.h>
#include <mpm_common.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/front/daemon_holder.h"
#include "mod_session_fast/daemon_options.h"

APLOG_USE_MODULE(session_fast);

#define RETAINED_KEY "mod_session_fast.daemon.3" /* another layout: another number */
#define WAKE_PAUSE 20000000 /* ns */
#define HEAD_START 300      /* ms: the server whose daemon has died starts the next one */

bool
sf_keeper_is_needed(const struct sf_keeper *keeper)
{
    return keeper->process->is_used && sf_daemon_care_is_needed(&keeper->care);
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

/* false: it is not about an end. */
static bool
has_ended(struct sf_kept_child *child, int reason)
{
    if (!is_end(reason))
        return false;
    apr_proc_other_child_unregister(child);
    child->proc.pid = 0;
    return true;
}

static void
on_daemon_event(int reason, void *context, int result)
{
    struct sf_kept_child *child = context;
    struct sf_keeper *keeper = child->keeper;
    if (!has_ended(child, reason))
        return;
    keeper->retained->daemon.child = 0;
    if (is_httpd_ending())
        return;
    /* The MPMs pass an exit status or the number of a signal, and do not say which. */
    sf_daemon_care_child_ended(&keeper->care, reason == APR_OC_REASON_DEATH ? result : 0);
    sf_keeper_listen(keeper);
}

static void
on_guard_event(int reason, void *context, int result)
{
    struct sf_kept_child *child = context;
    (void)result;
    if (has_ended(child, reason) && !is_httpd_ending())
        sf_keeper_look(child->keeper);
}

/* ---- a guard beside somebody else's ---- */

static void
drop_privileges(void *context)
{
    struct sf_keeper *keeper = context;
    if (geteuid() == 0 && ap_run_drop_privileges(keeper->pconf, keeper->s) != OK)
        _exit(1);
}

static void
stand_guard(struct sf_keeper *keeper)
{
    struct pollfd end = {.fd = STDIN_FILENO, .events = POLLIN};
    drop_privileges(keeper);
    prctl(PR_SET_NAME, "session-guard");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == keeper->parent && poll(&end, 1, -1) > 0)
        poll(NULL, 0, HEAD_START);
    _exit(0);
}

/* A child that ends shortly after the daemon does, and with us at the latest. */
static void
post_guard(struct sf_keeper *keeper, pid_t holder)
{
    int handle = sf_daemon_handle(holder, keeper->process->instance.daemon_lock_path);
    if (handle < 0)
        return;
    pid_t pid = sf_daemon_fork(handle, -1);
    if (pid == 0)
        stand_guard(keeper);
    close(handle);
    if (pid > 0)
        listen_to(&keeper->guard, pid, on_guard_event);
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
sf_keeper_listen(struct sf_keeper *keeper)
{
    const struct sf_daemon_state *daemon = &keeper->retained->daemon;
    if (daemon->child != 0)
        listen_to(&keeper->daemon, daemon->child, on_daemon_event);
    else if (daemon->other != 0 && keeper->guard.proc.pid == 0 && sf_keeper_is_needed(keeper))
        post_guard(keeper, daemon->other);
}

void
sf_keeper_look(struct sf_keeper *keeper)
{
    if (keeper->retained->daemon.child != 0)
        return;
    sf_daemon_care_look(&keeper->care);
    sf_keeper_listen(keeper);
}

/* ---- begin and end ---- */

static enum sf_status
write_config(void *context, struct sf_error *error)
{
    struct sf_keeper *keeper = context;
    const struct sf_instance *instance = &keeper->process->instance;
    apr_pool_clear(keeper->scratch);
    apr_cpystrn(keeper->retained->lock_path, instance->daemon_lock_path, SF_INSTANCE_PATH_MAX);
    return sf_daemon_write_config(keeper->process, keeper->scratch, error);
}

static const char *
config_differs(void *context)
{
    struct sf_keeper *keeper = context;
    apr_pool_clear(keeper->scratch);
    return sf_daemon_config_differs(keeper->process, keeper->scratch);
}

/*
 * httpd is going for good: its children have ended, and what they changed is in the cache.
 */
static apr_status_t
end_with_httpd(void *context)
{
    struct sf_keeper *keeper = context;
    if (getpid() == keeper->parent && ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_EXITING)
        sf_daemon_care_end(&keeper->care);
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
    apr_pool_create(&keeper->scratch, pconf);
    keeper->daemon.keeper = keeper;
    keeper->guard.keeper = keeper;
    keeper->parent = getpid();
    keeper->care = (struct sf_daemon_care){
        .state = &keeper->retained->daemon,
        .config = &process->config,
        .instance = &process->instance,
        .installed = SF_DAEMON_PATH,
        .log = sf_log_lines_of_server(s),
        .context = keeper,
        .write_config = write_config,
        .config_differs = config_differs,
        .become_user = drop_privileges,
    };
    apr_pool_pre_cleanup_register(s->process->pool, keeper, end_with_httpd);
    apr_pool_cleanup_register(pconf, keeper, forget, apr_pool_cleanup_null);
    return keeper;
}
