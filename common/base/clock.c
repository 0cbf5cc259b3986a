/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/clock.h"

#include <time.h>

static struct timespec
read_clock(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now); /* cannot fail for the clocks below */
    return now;
}

static sf_time
to_ms(struct timespec now)
{
    return (sf_time)now.tv_sec * SF_SECOND + now.tv_nsec / 1000000;
}

sf_time
sf_clock_wall(void)
{
    return to_ms(read_clock(CLOCK_REALTIME));
}

sf_time
sf_clock_steady(void)
{
    return to_ms(read_clock(CLOCK_BOOTTIME));
}

uint64_t
sf_clock_ns(void)
{
    struct timespec now = read_clock(CLOCK_MONOTONIC);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

sf_time
sf_clock_thread(void)
{
    return to_ms(read_clock(CLOCK_THREAD_CPUTIME_ID));
}
