/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/bytes.h"

#define LINE_BYTES 1001 /* with the NUL */

enum known_state { STATE_UNKNOWN, STATE_UP, STATE_DOWN };

void
sf_log_write(const struct sf_log *log, enum sf_log_level level, const char *id, const char *format,
             ...)
{
    if (log == NULL || log->write == NULL || level > log->level)
        return;
    char line[LINE_BYTES];
    int used = snprintf(line, sizeof line, "%s: ", id);
    if (used < 0 || (size_t)used >= sizeof line)
        return;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line + used, sizeof line - (size_t)used, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    sf_text_clean(line);
    log->write(log->context, level, line);
}

static const char *
level_name(enum sf_log_level level)
{
    switch (level) {
    case SF_LOG_ERROR: return "error";
    case SF_LOG_WARNING: return "warning";
    case SF_LOG_NOTICE: return "notice";
    case SF_LOG_INFO: return "info";
    case SF_LOG_DEBUG: return "debug";
    }
    return "unknown";
}

void
sf_log_to_stderr(void *context, enum sf_log_level level, const char *line)
{
    const char *program = context != NULL ? context : program_invocation_short_name;
    dprintf(STDERR_FILENO, "%s: %s: %s\n", program, level_name(level), line);
}

bool
sf_log_state_changed(struct sf_log_state *state, bool is_up)
{
    int now = is_up ? STATE_UP : STATE_DOWN;
    int before = atomic_exchange_explicit(&state->state, now, memory_order_relaxed);
    return before != now && !(before == STATE_UNKNOWN && is_up);
}

bool
sf_log_seldom(struct sf_log_seldom *seldom, unsigned *times_out)
{
    sf_time now = sf_clock_steady();
    sf_time next = atomic_load(&seldom->next);
    atomic_fetch_add(&seldom->times, 1);
    if (now < next || !atomic_compare_exchange_strong(&seldom->next, &next, now + SF_MINUTE))
        return false;
    *times_out = atomic_exchange(&seldom->times, 0);
    return true;
}
