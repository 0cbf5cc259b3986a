/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/pace.h"

#include <time.h>

#include "common/base/clock.h"

#define SECOND_NS 1000000000u

void
sf_pace_init(struct sf_pace *pace, uint64_t begin_ns, uint64_t per_second, unsigned index,
             unsigned workers)
{
    *pace = (struct sf_pace){
        .begin_ns = begin_ns, .per_second = per_second, .step = workers, .next = index};
}

uint64_t
sf_pace_due(const struct sf_pace *pace, uint64_t operation)
{
    uint64_t seconds = operation / pace->per_second, rest = operation % pace->per_second;

    return pace->begin_ns + seconds * SECOND_NS + rest * SECOND_NS / pace->per_second;
}

uint64_t
sf_pace_wait(struct sf_pace *pace)
{
    uint64_t due = sf_pace_due(pace, pace->next), now;

    pace->next += pace->step;
    while ((now = sf_clock_ns()) < due) {
        struct timespec rest = {.tv_sec = (time_t)((due - now) / SECOND_NS),
                                .tv_nsec = (long)((due - now) % SECOND_NS)};
        nanosleep(&rest, NULL);
    }
    return due;
}
