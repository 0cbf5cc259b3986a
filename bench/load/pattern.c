/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A value is lines of 64 bytes, the last one perhaps shorter. Word 0 of each line: the checksum of id,
 * version and size. Line 0: then the id and the version. All other words follow from their place.
 */
#include "bench/load/pattern.h"

#include <assert.h>
#include <string.h>

#include "bench/load/draw.h"

#define WORD sizeof(uint64_t)
#define LINE 64

static uint64_t
load(const unsigned char *from)
{
    uint64_t word;

    memcpy(&word, from, sizeof word);
    return word;
}

static void
store(unsigned char *to, uint64_t word)
{
    memcpy(to, &word, sizeof word);
}

static uint64_t
checksum_of(size_t bytes, uint64_t id, uint64_t version)
{
    return sf_draw_mix(sf_draw_mix(id + bytes) + version);
}

static uint64_t
filler_at(size_t offset)
{
    return (offset + 1) * 0x9E3779B97F4A7C15u;
}

void
sf_pattern_restamp(void *value, size_t bytes, uint64_t id, uint64_t version)
{
    unsigned char *at = value;
    uint64_t checksum = checksum_of(bytes, id, version);

    for (size_t offset = 0; offset + WORD <= bytes; offset += LINE)
        store(at + offset, checksum);
    store(at + WORD, id);
    store(at + 2 * WORD, version);
}

void
sf_pattern_make(void *value_out, size_t bytes, uint64_t id, uint64_t version)
{
    unsigned char *at = value_out;
    size_t offset = 0;

    assert(bytes >= SF_PATTERN_BYTES_MIN);
    for (; offset + WORD <= bytes; offset += WORD)
        store(at + offset, filler_at(offset));
    memset(at + offset, 0x5a, bytes - offset);
    sf_pattern_restamp(value_out, bytes, id, version);
}

bool
sf_pattern_check(const void *value, size_t bytes, uint64_t id, uint64_t *version_out)
{
    const unsigned char *at = value;
    uint64_t different = 0;

    if (bytes < SF_PATTERN_BYTES_MIN)
        return false;
    uint64_t version = load(at + 2 * WORD), checksum = checksum_of(bytes, id, version);
    for (size_t offset = 0; offset + WORD <= bytes; offset += LINE)
        different |= load(at + offset) ^ checksum;
    *version_out = version;
    return (different | (load(at + WORD) ^ id)) == 0;
}

bool
sf_pattern_check_whole(const void *value, size_t bytes, uint64_t id, uint64_t *version_out)
{
    const unsigned char *at = value;
    uint64_t different = 0;
    size_t offset = 3 * WORD;

    if (!sf_pattern_check(value, bytes, id, version_out))
        return false;
    for (; offset + WORD <= bytes; offset += WORD)
        if (offset % LINE != 0)
            different |= load(at + offset) ^ filler_at(offset);
    for (; offset < bytes; offset++)
        different |= at[offset] ^ 0x5au;
    return different == 0;
}
