/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/histogram.h"

#include <math.h>
#include <stddef.h>

#define STEPS_LOG2 5 /* buckets to a doubling */
#define STEPS ((size_t)1 << STEPS_LOG2)

_Static_assert(SF_HISTOGRAM_BUCKETS % STEPS == 0, "whole doublings");

/* Below 2 * STEPS each value has its own; then each doubling has STEPS. */
static size_t
bucket_of(uint64_t value)
{
    if (value < STEPS)
        return (size_t)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - STEPS_LOG2;
    size_t bucket = shift * STEPS + (size_t)(value >> shift);

    return bucket < SF_HISTOGRAM_BUCKETS ? bucket : SF_HISTOGRAM_BUCKETS - 1;
}

static uint64_t
largest_in(size_t bucket)
{
    if (bucket < STEPS)
        return bucket;
    unsigned shift = (unsigned)(bucket / STEPS) - 1;

    return ((uint64_t)(bucket - shift * STEPS + 1) << shift) - 1;
}

void
sf_histogram_add(struct sf_histogram *histogram, uint64_t value)
{
    histogram->buckets[bucket_of(value)]++;
    histogram->count++;
    histogram->sum += value;
    if (value > histogram->max)
        histogram->max = value;
}

void
sf_histogram_merge(struct sf_histogram *into, const struct sf_histogram *from)
{
    for (size_t i = 0; i < SF_HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
    into->count += from->count;
    into->sum += from->sum;
    if (from->max > into->max)
        into->max = from->max;
}

uint64_t
sf_histogram_quantile(const struct sf_histogram *histogram, double part)
{
    uint64_t wanted = (uint64_t)ceil(part * (double)histogram->count), seen = 0;
    size_t bucket = 0;

    if (histogram->count == 0)
        return 0;
    if (wanted > histogram->count)
        wanted = histogram->count;
    while ((seen += histogram->buckets[bucket]) < wanted || seen == 0)
        bucket++;
    uint64_t value = largest_in(bucket);
    return value < histogram->max && bucket + 1 < SF_HISTOGRAM_BUCKETS ? value : histogram->max;
}

double
sf_histogram_mean(const struct sf_histogram *histogram)
{
    return histogram->count == 0 ? 0 : (double)histogram->sum / (double)histogram->count;
}
