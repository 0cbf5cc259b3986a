/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * report.h - what was measured: a table for people, a line of JSON for each row.
 */
#include <stdio.h>

#include "bench/measure.h"

/* What all cells of a run have in common. */
struct occasion {
    uint32_t sessions, bytes;
    const char *popularity;
    FILE *json; /* may be NULL */
};

void report_cell(const struct occasion *occasion, const struct cell *cell,
                 const struct contestant *contestants, unsigned count,
                 const struct finding *findings);
