/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * finding.h - what was looked at in an installation, whether it is as it should be, and how to mend it.
 *
 * Whoever looks tells each finding at once; who asked decides what becomes of them. No finding ever
 * holds a password.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"

enum sf_finding_level { SF_FINDING_OK, SF_FINDING_WARNING, SF_FINDING_ERROR };

/* One line each. */
struct sf_finding {
    enum sf_finding_level level;
    const char *where;    /* which of several servers or folders; "": there is only one */
    const char *what;     /* was looked at */
    const char *why;      /* what was found */
    const char *mend;     /* "": there is nothing to do */
    int64_t microseconds; /* that it took; -1: not measured */
};

typedef void sf_finding_take_fn(void *context, const struct sf_finding *finding);

struct sf_findings {
    sf_finding_take_fn *take;
    void *context;
    char where[128];             /* of what follows; "" */
    enum sf_finding_level worst; /* so far */
    uint64_t began;              /* set by sf_findings_begin; 0: the next one is not measured */
};

const char *sf_finding_level_name(enum sf_finding_level level); /* "ok" */

/* The time until the next finding is told with it. */
void sf_findings_begin(struct sf_findings *findings);

/* Control characters in `why` become '?'. */
void sf_found(struct sf_findings *findings, enum sf_finding_level level, const char *what, const char *mend,
              const char *why, ...) SF_PRINTF(5, 6);
