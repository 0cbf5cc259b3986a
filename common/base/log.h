/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * log.h - where log lines go is the program's business; what they look like is settled here.
 *
 * A line begins with its stable id, "SF0101: ...", listed in docs/log-messages.md. Lower layers count and return a
 * status; only the layer that decides logs. Session ids, cookies and values never reach a log: keys appear as the
 * first 8 hex digits (sf_key_label).
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/status.h"

enum sf_log_level { SF_LOG_ERROR, SF_LOG_WARNING, SF_LOG_NOTICE, SF_LOG_INFO, SF_LOG_DEBUG };

typedef void sf_log_fn(void *context, enum sf_log_level level, const char *line);

struct sf_log {
    sf_log_fn *write; /* may be called by several threads at once */
    void *context;
    enum sf_log_level level; /* lines above it are dropped */
};

/* `log` may be NULL. Control characters in the line are replaced by '?'; cut at 1,000 bytes. */
void sf_log_write(const struct sf_log *log, enum sf_log_level level, const char *id, const char *format, ...)
    SF_PRINTF(4, 5);

/* One line to standard error: "NAME: level: line". `context` is the program's name; NULL: as it was started. */
void sf_log_to_stderr(void *context, enum sf_log_level level, const char *line);

/* The same, in a file or pipe with the time in front. It takes a lock: not for what happens between fork and exec. */
void sf_log_to_stderr_dated(void *context, enum sf_log_level level, const char *line);

/*
 * Reports a state only when it changes: keep one for each thing that can be down (zero: not known, the first "up" is
 * silent). Thread safe. Returns true when the caller should log.
 */
struct sf_log_state {
    _Atomic int state;
};
bool sf_log_state_changed(struct sf_log_state *state, bool is_up);

/*
 * For what clients or applications can cause with each request: true once a minute, and how often it was asked since.
 * Keep one for each thing, zero to begin with. Thread safe.
 */
struct sf_log_seldom {
    _Atomic sf_time next;
    _Atomic unsigned times;
};
bool sf_log_seldom(struct sf_log_seldom *seldom, unsigned *times_out);
