/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * kept_lines.h - a log that a test can read.
 */
#include "common/base/log.h"

#define SF_KEPT_LINES_MAX 32

struct sf_kept_lines {
    struct sf_log log; /* for whoever is tested; of any level */
    int count;         /* of all; the first are kept */
    char lines[SF_KEPT_LINES_MAX][300];
};

void sf_kept_lines_init(struct sf_kept_lines *kept);

/* How many of those kept begin so. */
int sf_kept_lines_with(const struct sf_kept_lines *kept, const char *id);
