/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * progress.h - how far a long command has come, on standard error when that is a terminal.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"

struct progress {
    const char *what; /* such as "sessions" */
    uint64_t total;   /* of `at`, for the bar; 0: not known, no bar */
    sf_time shown;    /* steady clock */
    bool is_on;
};

struct progress progress_begin(const char *what, uint64_t total);
/* `count` of `what` are done; `at` of `total`. Draws at most five times a second. */
void progress_step(struct progress *progress, uint64_t count, uint64_t at);
void progress_end(struct progress *progress); /* leaves an empty line */
