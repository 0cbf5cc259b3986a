/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/finding.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"

#define WHY_TEXT 512

const char *
sf_finding_level_name(enum sf_finding_level level)
{
    static const char *const names[] = {
        [SF_FINDING_OK] = "ok", [SF_FINDING_WARNING] = "warning", [SF_FINDING_ERROR] = "error"};
    return names[level];
}

void
sf_findings_begin(struct sf_findings *findings)
{
    findings->began = sf_clock_ns();
}

void
sf_found(struct sf_findings *findings, enum sf_finding_level level, const char *what, const char *mend,
         const char *why, ...)
{
    char text[WHY_TEXT];
    struct sf_finding finding = {
        .level = level, .where = findings->where, .what = what, .why = text, .mend = mend, .microseconds = -1};
    va_list arguments;

    if (findings->began != 0)
        finding.microseconds = (int64_t)(sf_clock_ns() - findings->began) / 1000;
    findings->began = 0;
    va_start(arguments, why);
    vsnprintf(text, sizeof text, why, arguments);
    va_end(arguments);
    sf_text_clean(text);
    if (level > findings->worst)
        findings->worst = level;
    findings->take(findings->context, &finding);
}
