/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * lanes.h - sixteen bytes of text looked at together: in a few vector instructions, without a table
 * and without a branch, so that the time says nothing about the bytes. The compiler's own vectors: in
 * loops that compare bytes gcc 12 finds none by itself.
 */
#include <endian.h>
#include <stdint.h>
#include <string.h>

#define SF_LANES 16

typedef unsigned char sf_lanes __attribute__((vector_size(SF_LANES)));

static inline sf_lanes
sf_lanes_load(const void *from)
{
    sf_lanes lanes;
    memcpy(&lanes, from, sizeof lanes);
    return lanes;
}

/* What there is of a text that may end before; zeros behind it. */
static inline sf_lanes
sf_lanes_load_end(const void *from, size_t size)
{
    sf_lanes lanes = {0};
    if (size > 0)
        memcpy(&lanes, from, size < SF_LANES ? size : SF_LANES);
    return lanes;
}

static inline void
sf_lanes_store(void *to, sf_lanes lanes)
{
    memcpy(to, &lanes, sizeof lanes);
}

/* 0xff in each lane that lies between the two, 0 in the others. */
static inline sf_lanes
sf_lanes_between(sf_lanes lanes, unsigned char first, unsigned char last)
{
    return (sf_lanes)(lanes - first <= (unsigned char)(last - first));
}

/* The first lane that is not 0; SF_LANES: all are. */
static inline unsigned
sf_lanes_first(sf_lanes lanes)
{
    uint64_t halves[2];
    memcpy(halves, &lanes, sizeof lanes);
    if (halves[0] != 0)
        return (unsigned)__builtin_ctzll(le64toh(halves[0])) / 8;
    return halves[1] != 0 ? 8 + (unsigned)__builtin_ctzll(le64toh(halves[1])) / 8 : SF_LANES;
}
