/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/finding_case.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static void
take(void *context, const struct sf_finding *finding)
{
    struct found *found = context;
    ck_assert_uint_lt(found->count, FINDINGS_MAX);
    found->list[found->count].level = finding->level;
    found->list[found->count].microseconds = finding->microseconds;
    snprintf(found->list[found->count].what, sizeof found->list[0].what, "%s", finding->what);
    snprintf(found->list[found->count].why, sizeof found->list[0].why, "%s", finding->why);
    snprintf(found->list[found->count].mend, sizeof found->list[0].mend, "%s", finding->mend);
    found->count++;
}

void
found_init(struct found *found)
{
    *found = (struct found){.findings = {.take = take, .context = found}};
}

enum sf_finding_level
found_level(const struct found *found, const char *what)
{
    enum sf_finding_level worst = SF_FINDING_OK;
    bool is_there = false;
    for (size_t i = 0; i < found->count; i++) {
        if (strcmp(found->list[i].what, what) != 0)
            continue;
        is_there = true;
        worst = found->list[i].level > worst ? found->list[i].level : worst;
    }
    ck_assert_msg(is_there, "nothing is said of %s", what);
    return worst;
}

void
assert_found(const struct found *found, const char *what, enum sf_finding_level level, const char *says)
{
    bool is_said = false;
    ck_assert_msg(found_level(found, what) == level, "%s: another level than %s", what, sf_finding_level_name(level));
    for (size_t i = 0; i < found->count; i++)
        is_said |= strcmp(found->list[i].what, what) == 0 && strstr(found->list[i].why, says) != NULL;
    ck_assert_msg(is_said, "%s does not say: %s", what, says);
}
