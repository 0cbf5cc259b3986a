/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * histogram.h - how often which latency was seen, in a few kilobytes, whatever the range.
 *
 * Buckets grow with the value: 32 to a doubling, so that a quantile is at most 1/32 above the truth.
 * Plain memory: one writer each, merged later; all zero is empty.
 */
#include <stdint.h>

#define SF_HISTOGRAM_BUCKETS 1184 /* up to 2^41: 36 minutes in nanoseconds; what is above counts there */

struct sf_histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t max;
    uint64_t buckets[SF_HISTOGRAM_BUCKETS];
};

void sf_histogram_add(struct sf_histogram *histogram, uint64_t value);
void sf_histogram_merge(struct sf_histogram *into, const struct sf_histogram *from);

/* A value that `part` (0..1) of all are not above; 0 when there are none. Never above the largest. */
uint64_t sf_histogram_quantile(const struct sf_histogram *histogram, double part);
double sf_histogram_mean(const struct sf_histogram *histogram);
