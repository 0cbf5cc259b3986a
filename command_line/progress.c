/* SPDX-License-Identifier: Apache-2.0 */
#include "command_line/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAUSE 200 /* ms */
#define BAR 30    /* columns */

struct progress
progress_begin(const char *what, uint64_t total)
{
    return (struct progress){.what = what, .total = total, .is_on = isatty(STDERR_FILENO) == 1};
}

static void
draw_bar(uint64_t at, uint64_t total)
{
    uint64_t part = at >= total ? BAR : at * BAR / total;
    char bar[BAR + 1];

    memset(bar, ' ', BAR);
    memset(bar, '#', part);
    bar[BAR] = '\0';
    fprintf(stderr, "[%s] %3" PRIu64 " %%  ", bar, at >= total ? 100 : at * 100 / total);
}

void
progress_step(struct progress *progress, uint64_t count, uint64_t at)
{
    sf_time now = sf_clock_steady();

    if (!progress->is_on || now - progress->shown < PAUSE)
        return;
    progress->shown = now;
    fputs("\r\x1b[K", stderr);
    if (progress->total > 0)
        draw_bar(at, progress->total);
    fprintf(stderr, "%" PRIu64 " %s", count, progress->what);
    fflush(stderr);
}

void
progress_end(struct progress *progress)
{
    if (progress->is_on && progress->shown != 0)
        fputs("\r\x1b[K", stderr);
}
