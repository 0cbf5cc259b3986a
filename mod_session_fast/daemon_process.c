/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session-fastd at each start, restart and graceful of httpd: started with httpd, kept over restarts,
 * replaced when it must be, ended with httpd. While it is away, sessions in the cache go on.
 */
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/front/daemon_holder.h"
#include "mod_session_fast/daemon_keeper.h"
#include "mod_session_fast/daemon_options.h"

APLOG_USE_MODULE(session_fast);

bool
sf_daemon_process_has_served(void)
{
    return sf_keeper_retained()->has_served;
}

void
sf_daemon_process_child_init(void)
{
    sf_keeper_child_init();
}

/*
 * Every ten seconds: the slow way back for a daemon that dies at once, or of whose end nobody tells
 * us.
 */
int
sf_daemon_process_monitor(apr_pool_t *pool, server_rec *s)
{
    struct sf_process *process = sf_server_of(s)->process;
    (void)pool;
    if (process->keeper != NULL && sf_keeper_is_needed(process->keeper))
        sf_keeper_look(process->keeper);
    return DECLINED;
}

/*
 * Standard error is httpd's error log by now: a new file after a rotation, a new pipe after each
 * restart.
 */
static bool
note_log(struct sf_retained *retained)
{
    struct stat now;
    if (fstat(STDERR_FILENO, &now) != 0)
        return false;
    bool is_other = now.st_dev != retained->log_device || now.st_ino != retained->log_file;
    retained->log_device = now.st_dev;
    retained->log_file = now.st_ino;
    return is_other;
}

/* What a new start would be refused for must not cost the daemon that runs. */
static enum sf_status
prepare(struct sf_keeper *keeper, const char **differences_out, apr_pool_t *pool,
        struct sf_error *error)
{
    struct sf_process *process = keeper->process;
    enum sf_status status =
        sf_instance_prepare(&process->instance, sf_daemon_uid(), sf_daemon_gid(), error);
    if (status != SF_OK)
        return status;
    *differences_out = sf_daemon_config_differs(process, pool);
    return *differences_out == NULL ? SF_OK
                                    : sf_daemon_prove_config(process, &keeper->care, pool, error);
}

static void
remember_options(struct sf_keeper *keeper)
{
    struct sf_config *before = apr_palloc(keeper->pconf, sizeof *before);
    struct sf_error error;
    if (sf_daemon_read_config(before, keeper->retained->config_path, keeper->pconf, &error) ==
        SF_OK)
        keeper->before = before;
}

/* Our own goes on, unless it runs with other options or writes into another log. */
static bool
keep_child(struct sf_keeper *keeper, const char *differences, bool has_other_log, apr_pool_t *pool)
{
    const char *why = "the error log is another file";
    if (keeper->retained->daemon.child == 0)
        return false;
    if (differences == NULL && !has_other_log)
        return true;
    if (differences != NULL)
        why = apr_pstrcat(pool, "options of the instance have changed (", differences, ")", NULL);
    sf_daemon_care_end_child(&keeper->care, why);
    return false;
}

static void
end_child_of_other_instance(struct sf_keeper *keeper)
{
    const struct sf_retained *retained = keeper->retained;
    if (!sf_keeper_is_needed(keeper) ||
        strcmp(retained->lock_path, keeper->process->instance.daemon_lock_path) != 0) {
        sf_daemon_care_end_child(&keeper->care, NULL);
    }
}

static enum sf_status
set_up(struct sf_keeper *keeper, apr_pool_t *pool, struct sf_error *error)
{
    struct sf_process *process = keeper->process;
    struct sf_daemon_state *daemon = &keeper->retained->daemon;
    const char *differences = NULL;
    bool has_other_log = note_log(keeper->retained);
    enum sf_status status = SF_OK;
    if (keeper->retained->has_served)
        remember_options(keeper);
    if (process->refusal != NULL)
        status = sf_error_set(error, SF_INVALID, "%s", process->refusal);
    else if (process->is_used)
        status = sf_instance_resolve(&process->instance, &process->config, error);
    if (status == SF_OK && sf_keeper_is_needed(keeper))
        status = prepare(keeper, &differences, pool, error);
    if (!sf_daemon_is_child(daemon->child))
        daemon->child = 0; /* died while httpd restarted and nobody listened */
    if (status != SF_OK)
        return status;
    end_child_of_other_instance(keeper);
    if (!sf_keeper_is_needed(keeper) || keep_child(keeper, differences, has_other_log, pool))
        return SF_OK;
    return sf_daemon_care_begin(&keeper->care, error);
}

static bool
is_real_start(void)
{
    int mode = ap_state_query(AP_SQ_RUN_MODE);
    return ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG &&
           mode != AP_SQ_RM_CONFIG_TEST && mode != AP_SQ_RM_CONFIG_DUMP;
}

/*
 * Back to the options that were good enough until now: for the daemon that was not ended, for one
 * that is started in place of one that was, and for whatever starts one later.
 */
static void
fall_back(struct sf_keeper *keeper)
{
    struct sf_process *process = keeper->process;
    struct sf_instance instance;
    struct sf_error error;
    if (keeper->before == NULL ||
        sf_instance_resolve(&instance, keeper->before, &error) != SF_OK)
        return;
    process->config = *keeper->before;
    process->instance = instance;
    bool is_served =
        keeper->retained->daemon.child != 0 || sf_daemon_holder(instance.daemon_lock_path) != 0;
    if (!is_served && sf_daemon_care_start(&keeper->care, &error) != SF_OK) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, keeper->s,
                     "SF0533: session-fastd was not started: %s", error.text);
    }
}

static const char *
consequence(const struct sf_keeper *keeper)
{
    if (!keeper->retained->has_served)
        return "";
    return sf_daemon_holder(keeper->process->instance.daemon_lock_path) != 0
               ? "; httpd goes on with session-fastd and the options it had"
               : "; httpd goes on, sessions that are not in the cache are unavailable";
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
    struct sf_keeper *keeper = process->keeper = sf_keeper_new(pconf, s, process);
    bool is_set_up = set_up(keeper, ptemp, &error) == SF_OK;
    if (!is_set_up) {
        int to_console = keeper->retained->has_served ? 0 : APLOG_STARTUP;
        if (keeper->retained->has_served)
            fall_back(keeper);
        ap_log_error(APLOG_MARK, to_console | APLOG_ERR, 0, s, "SF0537: %s%s", error.text,
                     consequence(keeper));
    }
    if (!is_set_up && !keeper->retained->has_served)
        return HTTP_INTERNAL_SERVER_ERROR;
    sf_keeper_listen(keeper);
    apr_cpystrn(keeper->retained->config_path, process->instance.config_path, SF_INSTANCE_PATH_MAX);
    keeper->retained->has_served = true;
    return OK;
}
