/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/kept_lines.h"

#include <stdio.h>
#include <string.h>

static void
keep_line(void *context, enum sf_log_level level, const char *line)
{
    struct sf_kept_lines *kept = context;
    (void)level;
    if (kept->count < SF_KEPT_LINES_MAX)
        snprintf(kept->lines[kept->count], sizeof kept->lines[0], "%s", line);
    kept->count++;
}

void
sf_kept_lines_init(struct sf_kept_lines *kept)
{
    *kept = (struct sf_kept_lines){.log = {.write = keep_line, .context = kept, .level = SF_LOG_DEBUG}};
}

int
sf_kept_lines_with(const struct sf_kept_lines *kept, const char *id)
{
    int count = 0;
    for (int i = 0; i < kept->count && i < SF_KEPT_LINES_MAX; i++)
        count += strncmp(kept->lines[i], id, strlen(id)) == 0;
    return count;
}
