/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * finding_case.h - findings kept, to be asked for by what was looked at.
 */
#include <stddef.h>

#include "common/base/finding.h"

#define FINDINGS_MAX 64

struct found {
    struct sf_findings findings; /* hand this out */
    size_t count;
    struct {
        enum sf_finding_level level;
        char what[64], why[512], mend[256];
        int64_t microseconds;
    } list[FINDINGS_MAX];
};

void found_init(struct found *found);

/* The worst of those of `what`; SF_FINDING_OK and a test that fails where there is none. */
enum sf_finding_level found_level(const struct found *found, const char *what);
void assert_found(const struct found *found, const char *what, enum sf_finding_level level, const char *says);
