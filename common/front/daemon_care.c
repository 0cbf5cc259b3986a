/* SPDX-License-Identifier: Apache-2.0 */
#include "common/front/daemon_care.h"

#include <string.h>
#include <sys/wait.h>

#include "common/front/daemon_holder.h"

#define START_TIME (10 * SF_SECOND)
#define ANSWER_TIME (10 * SF_SECOND)
#define STOP_MARGIN (3 * SF_SECOND) /* a daemon whose store hangs ends a second behind its timeout */
#define QUICK_DEATH (10 * SF_SECOND)
#define QUICK_DEATHS_MAX 5
#define RETRY_PAUSE (5 * SF_SECOND)

static pid_t
holder_of(const struct sf_daemon_care *care)
{
    return sf_daemon_holder(care->instance->daemon_lock_path);
}

bool
sf_daemon_care_is_needed(const struct sf_daemon_care *care)
{
    return strcmp(care->config->daemon, "none") != 0;
}

struct sf_daemon_program
sf_daemon_care_program(const struct sf_daemon_care *care, const char *config_path)
{
    return (struct sf_daemon_program){
        .path = *care->config->daemon == '\0' ? care->installed : care->config->daemon,
        .config_path = config_path,
        .become_user = care->become_user,
        .context = care->context,
    };
}

/* ---- a daemon of our own ---- */

static enum sf_status
spawn(struct sf_daemon_care *care, struct sf_error *error)
{
    struct sf_daemon_state *state = care->state;
    state->started = sf_clock_steady();
    enum sf_status status = care->write_config(care->context, error);
    if (status != SF_OK)
        return status;
    const struct sf_daemon_program program =
        sf_daemon_care_program(care, care->instance->config_path);
    state->child = sf_daemon_spawn(&program);
    state->other = 0;
    return state->child != 0 ? SF_OK : sf_error_set(error, SF_UNAVAILABLE, "fork failed");
}

enum sf_status
sf_daemon_care_start(struct sf_daemon_care *care, struct sf_error *error)
{
    pid_t *child = &care->state->child;
    enum sf_status status = spawn(care, error);
    if (status == SF_OK)
        status = sf_daemon_await(care->instance, child, sf_clock_steady() + START_TIME, error);
    if (status == SF_OK) {
        sf_log_write(&care->log, SF_LOG_INFO, "SF0531", "session-fastd started (process %d)",
                     (int)*child);
    }
    return status;
}

/* While the front serves: nobody waits for it. */
static void
start_again(struct sf_daemon_care *care)
{
    struct sf_error error;
    if (spawn(care, &error) != SF_OK) {
        care->state->quick_deaths++;
        sf_log_write(&care->log, SF_LOG_ERROR, "SF0533", "session-fastd was not started: %s",
                     error.text);
    }
}

static bool
dies_again_and_again(const struct sf_daemon_state *state)
{
    return state->quick_deaths > QUICK_DEATHS_MAX;
}

void
sf_daemon_care_child_ended(struct sf_daemon_care *care, int result)
{
    struct sf_daemon_state *state = care->state;
    state->child = 0;
    if (holder_of(care) != 0) { /* another front was faster, and ours has left */
        sf_daemon_care_look(care);
        return;
    }
    bool was_quick = sf_clock_steady() - state->started < QUICK_DEATH;
    state->quick_deaths = was_quick ? state->quick_deaths + 1 : 0;
    bool waits = dies_again_and_again(state);
    sf_log_write(&care->log, SF_LOG_ERROR, "SF0534", "session-fastd has ended (%d): %s", result,
                 waits ? "it dies again and again, next try in some seconds" : "started again");
    if (!waits)
        start_again(care);
}

/* ---- its end ---- */

/* `lock_path` NULL: it is our own. */
static void
end(struct sf_daemon_care *care, pid_t pid, const char *lock_path)
{
    sf_time deadline = sf_clock_steady() + care->config->stop_timeout + STOP_MARGIN;
    enum sf_daemon_end how = sf_daemon_end(pid, lock_path, deadline);
    if (how == SF_DAEMON_ENDED)
        return;
    sf_log_write(&care->log, SF_LOG_WARNING, "SF0532",
                 "session-fastd (process %d) did not end in time: %s", (int)pid,
                 how == SF_DAEMON_KILLED
                     ? "it was killed; what it had not written stays in the cache"
                     : "it cannot even be killed now, and is left to itself");
}

static void
end_other(struct sf_daemon_care *care, pid_t holder)
{
    end(care, holder, care->instance->daemon_lock_path);
}

static void
tell_of_replacement(const struct sf_daemon_care *care, pid_t daemon, const char *why)
{
    sf_log_write(&care->log, SF_LOG_NOTICE, "SF0535", "%s: session-fastd (process %d) is replaced",
                 why, (int)daemon);
}

void
sf_daemon_care_end_child(struct sf_daemon_care *care, const char *why)
{
    pid_t child = care->state->child;
    care->state->child = 0;
    if (child == 0)
        return;
    if (why != NULL)
        tell_of_replacement(care, child, why);
    end(care, child, NULL);
}

void
sf_daemon_care_end(struct sf_daemon_care *care)
{
    sf_daemon_care_end_child(care, NULL);
    pid_t holder = sf_daemon_care_is_needed(care) ? holder_of(care) : 0;
    if (holder != 0 && sf_daemon_is_orphan(holder))
        end_other(care, holder);
}

/* ---- somebody else's daemon ---- */

static void
go_along(struct sf_daemon_care *care, pid_t holder, const char *differences)
{
    bool is_new = holder != care->state->other;
    care->state->other = holder;
    if (differences != NULL) {
        sf_log_write(&care->log, SF_LOG_WARNING, "SF0538",
                     "session-fastd (process %d) of another server serves this instance with other "
                     "options, and they count until it ends: compare %s (%s)",
                     (int)holder, care->instance->config_path, differences);
    } else if (is_new) {
        sf_log_write(&care->log, SF_LOG_NOTICE, "SF0536", "session-fastd runs already (process %d)",
                     (int)holder);
    }
}

/* It goes on, unless nobody else is there any more to take care of it. */
static bool
keep_other(struct sf_daemon_care *care)
{
    pid_t holder = holder_of(care);
    if (holder == 0)
        return false;
    bool is_orphan = sf_daemon_is_orphan(holder);
    if (!is_orphan && sf_daemon_answers(care->instance, sf_clock_steady() + ANSWER_TIME)) {
        go_along(care, holder, care->config_differs(care->context));
        return true;
    }
    tell_of_replacement(care, holder, is_orphan ? "its server has gone" : "it does not answer");
    end_other(care, holder);
    return false;
}

enum sf_status
sf_daemon_care_begin(struct sf_daemon_care *care, struct sf_error *error)
{
    if (keep_other(care))
        return SF_OK;
    enum sf_status status = sf_daemon_care_start(care, error);
    pid_t holder = holder_of(care);
    if (status != SF_CONFLICT || holder == 0)
        return status;
    go_along(care, holder, care->config_differs(care->context));
    return SF_OK;
}

void
sf_daemon_care_look(struct sf_daemon_care *care)
{
    pid_t holder = holder_of(care), other = care->state->other;
    if (care->state->child != 0)
        return;
    if (holder != 0) {
        go_along(care, holder, holder != other ? care->config_differs(care->context) : NULL);
        return;
    }
    if (other != 0) {
        sf_log_write(&care->log, SF_LOG_NOTICE, "SF0539",
                     "session-fastd of another server has ended: started here");
    }
    if (!dies_again_and_again(care->state) ||
        sf_clock_steady() >= care->state->started + RETRY_PAUSE)
        start_again(care);
}

void
sf_daemon_care_step(struct sf_daemon_care *care)
{
    pid_t child = care->state->child;
    int result;
    if (child == 0) {
        sf_daemon_care_look(care);
    } else if (waitpid(child, &result, WNOHANG) == child) {
        sf_daemon_care_child_ended(care,
                                   WIFSIGNALED(result) ? WTERMSIG(result) : WEXITSTATUS(result));
    }
}
