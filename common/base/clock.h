/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * clock.h - the only place that asks the system for the time.
 *
 * Everything else takes the time as an argument, so that tests need not wait.
 */
#include <stdint.h>

/* Milliseconds. Wall times count from 1970 UTC; durations and deadlines say which clock in their comment. */
typedef int64_t sf_time;

#define SF_SECOND ((sf_time)1000)
#define SF_MINUTE (60 * SF_SECOND)
#define SF_HOUR (60 * SF_MINUTE)
#define SF_DAY (24 * SF_HOUR)

sf_time sf_clock_wall(void);   /* for expiry; may be set by an administrator */
sf_time sf_clock_steady(void); /* for deadlines; never jumps, counts through suspend */
uint64_t sf_clock_ns(void);    /* steady, nanoseconds, for measurements */
sf_time sf_clock_thread(void); /* processor time of the calling thread */
