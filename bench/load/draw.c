/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/draw.h"

#include <math.h>
#include <stdlib.h>

/* A prime above every count: rank -> session is one to one. */
#define SCATTER 4294967291u

struct sf_popularity {
    uint32_t count;
    double sums[]; /* of the weights of rank 0 up to and with this one */
};

/* ---- numbers: splitmix64, which has no bad seeds ---- */

uint64_t
sf_draw_mix(uint64_t number)
{
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9u;
    number = (number ^ (number >> 27)) * 0x94D049BB133111EBu;
    return number ^ (number >> 31);
}

void
sf_draw_init(struct sf_draw *draw, uint64_t seed)
{
    draw->state = sf_draw_mix(seed);
}

uint64_t
sf_draw_u64(struct sf_draw *draw)
{
    return sf_draw_mix(draw->state += 0x9E3779B97F4A7C15u);
}

double
sf_draw_unit(struct sf_draw *draw)
{
    return (double)(sf_draw_u64(draw) >> 11) * 0x1p-53;
}

/* ---- popularity ---- */

enum sf_status
sf_popularity_new(struct sf_popularity **popularity_out, uint32_t count, double exponent)
{
    double sum = 0;

    if (count == 0)
        return SF_INVALID;
    struct sf_popularity *popularity =
        malloc(sizeof *popularity + count * sizeof popularity->sums[0]);
    if (popularity == NULL)
        return SF_NO_MEMORY;
    popularity->count = count;
    for (uint32_t rank = 0; rank < count; rank++)
        popularity->sums[rank] = sum += pow(rank + 1.0, -exponent);
    *popularity_out = popularity;
    return SF_OK;
}

void
sf_popularity_free(struct sf_popularity *popularity)
{
    free(popularity);
}

uint32_t
sf_popularity_rank(const struct sf_popularity *popularity, struct sf_draw *draw)
{
    double wanted = sf_draw_unit(draw) * popularity->sums[popularity->count - 1];
    uint32_t low = 0, high = popularity->count - 1;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (popularity->sums[middle] <= wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t
sf_popularity_session(const struct sf_popularity *popularity, struct sf_draw *draw)
{
    return (uint32_t)((uint64_t)sf_popularity_rank(popularity, draw) * SCATTER % popularity->count);
}
