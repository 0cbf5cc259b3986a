/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * draw.h - which session is asked for next: random numbers that a seed repeats, and popularity.
 *
 * Sessions of a web site are asked for as words of a language are: the k-th most popular with a
 * frequency of 1/k^s (zipf), s about 0.99. Exact for every count: sums and bisection, no formula
 * that is only close. Drawing costs more than a cache lookup, so draw before measuring.
 */
#include <stdint.h>

#include "common/base/status.h"

struct sf_draw {
    uint64_t state;
};

void sf_draw_init(struct sf_draw *draw, uint64_t seed);
uint64_t sf_draw_u64(struct sf_draw *draw);
double sf_draw_unit(struct sf_draw *draw); /* 0 <= x < 1, 53 bits */

/* Spreads a number over 64 bits; no two numbers give the same. */
uint64_t sf_draw_mix(uint64_t number);

struct sf_popularity;

/* `exponent` 0: all alike. */
enum sf_status sf_popularity_new(struct sf_popularity **popularity_out, uint32_t count,
                                 double exponent) SF_MUST_CHECK;
void sf_popularity_free(struct sf_popularity *popularity);

/* 0 is the most popular. */
uint32_t sf_popularity_rank(const struct sf_popularity *popularity, struct sf_draw *draw);

/* The same, as the number of a session: popular ones do not lie side by side. */
uint32_t sf_popularity_session(const struct sf_popularity *popularity, struct sf_draw *draw);
