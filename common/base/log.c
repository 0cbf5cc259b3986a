/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/bytes.h"

#define LINE_BYTES 1001 /* with the NUL */
#define MOMENT_TEXT 64

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

static void
write_line(const char *moment, const char *program, enum sf_log_level level, const char *line)
{
    const char *name = program != NULL ? program : program_invocation_short_name;
    dprintf(STDERR_FILENO, "%s%s: %s: %s\n", moment, name, level_name(level), line);
}

void
sf_log_to_stderr(void *context, enum sf_log_level level, const char *line)
{
    write_line("", context, level, line);
}

/* The journal and a terminal know the time; a file, or a program that writes one, has it as in httpd's lines. */
static void
format_moment(char text_out[MOMENT_TEXT])
{
    struct stat seen;
    struct tm local;
    sf_time now = sf_clock_wall();
    time_t seconds = (time_t)(now / SF_SECOND);
    text_out[0] = '\0';
    if (fstat(STDERR_FILENO, &seen) != 0 || (!S_ISREG(seen.st_mode) && !S_ISFIFO(seen.st_mode))
        || localtime_r(&seconds, &local) == NULL)
        return;
    size_t used = strftime(text_out, MOMENT_TEXT, "[%a %b %d %H:%M:%S", &local);
    used += (size_t)snprintf(text_out + used, MOMENT_TEXT - used, ".%03d", (int)(now % SF_SECOND));
    strftime(text_out + used, MOMENT_TEXT - used, " %Y] ", &local);
}

void
sf_log_to_stderr_dated(void *context, enum sf_log_level level, const char *line)
{
    char moment[MOMENT_TEXT];
    format_moment(moment);
    write_line(moment, context, level, line);
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
