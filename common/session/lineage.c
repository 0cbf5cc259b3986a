/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/lineage.h"

#include <stdlib.h>
#include <string.h>

/*
 *  0 u64 host   8 u64 base   16 u16 hosts   18 u16 sets   20 u16 sums   22 u16 zero
 * 24 hosts: u64 host, u64 version
 *    sets:  u64 version, u8 size of the name, name
 *    sums:  u64 host, i64 total, u8 size of the name, name
 */
enum { AT_HOST = 0, AT_BASE = 8, AT_HOSTS = 16, AT_SETS = 18, AT_SUMS = 20, AT_ZERO = 22, HEAD = 24 };

void
sf_lineage_init(struct sf_lineage *lineage)
{
    *lineage = (struct sf_lineage){.host = 0};
}

void
sf_lineage_fini(struct sf_lineage *lineage)
{
    free(lineage->sets);
    free(lineage->sums);
    sf_lineage_init(lineage);
}

void
sf_lineage_begin(struct sf_lineage *lineage, uint64_t host, uint64_t base)
{
    lineage->host = host;
    lineage->base = base;
    lineage->set_count = 0;
}

/* ---- merged ---- */

static struct sf_lineage_host *
find_host(struct sf_lineage *lineage, uint64_t host)
{
    for (size_t i = 0; i < lineage->merged_count; i++)
        if (lineage->merged[i].host == host)
            return &lineage->merged[i];
    return NULL;
}

uint64_t
sf_lineage_merged(const struct sf_lineage *lineage, uint64_t host)
{
    for (size_t i = 0; i < lineage->merged_count; i++)
        if (lineage->merged[i].host == host)
            return lineage->merged[i].version;
    return 0;
}

static struct sf_lineage_host *
earliest_host(struct sf_lineage *lineage)
{
    struct sf_lineage_host *earliest = &lineage->merged[0];
    for (size_t i = 1; i < lineage->merged_count; i++)
        if (lineage->merged[i].version < earliest->version)
            earliest = &lineage->merged[i];
    return earliest;
}

void
sf_lineage_merge_to(struct sf_lineage *lineage, uint64_t host, uint64_t version)
{
    struct sf_lineage_host *at = find_host(lineage, host);
    if (at == NULL && lineage->merged_count < SF_LINEAGE_HOSTS_MAX)
        at = &lineage->merged[lineage->merged_count++];
    else if (at == NULL)
        at = earliest_host(lineage);
    *at = (struct sf_lineage_host){host, version};
}

/* ---- sets and sums ---- */

/* Room for one more of `size` bytes. */
static bool
make_room(void **items, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return true;
    size_t wanted = *room == 0 ? 8 : 2 * *room;
    void *grown = realloc(*items, wanted * size);
    if (grown == NULL)
        return false;
    *items = grown;
    *room = wanted;
    return true;
}

static enum sf_status
add_set(struct sf_lineage *lineage, struct sf_lineage_set set)
{
    void *items = lineage->sets;
    if (!make_room(&items, lineage->set_count, &lineage->set_room, sizeof set))
        return SF_NO_MEMORY;
    lineage->sets = items;
    lineage->sets[lineage->set_count++] = set;
    return SF_OK;
}

static enum sf_status
add_sum(struct sf_lineage *lineage, struct sf_lineage_sum sum)
{
    void *items = lineage->sums;
    if (!make_room(&items, lineage->sum_count, &lineage->sum_room, sizeof sum))
        return SF_NO_MEMORY;
    lineage->sums = items;
    lineage->sums[lineage->sum_count++] = sum;
    return SF_OK;
}

enum sf_status
sf_lineage_note_set(struct sf_lineage *lineage, struct sf_span name, uint64_t version)
{
    for (size_t i = 0; i < lineage->set_count; i++) {
        if (sf_span_equal(lineage->sets[i].name, name)) {
            lineage->sets[i].version = version;
            return SF_OK;
        }
    }
    return add_set(lineage, (struct sf_lineage_set){name, version});
}

static struct sf_lineage_sum *
find_sum(const struct sf_lineage *lineage, uint64_t host, struct sf_span name)
{
    for (size_t i = 0; i < lineage->sum_count; i++)
        if (lineage->sums[i].host == host && sf_span_equal(lineage->sums[i].name, name))
            return &lineage->sums[i];
    return NULL;
}

int64_t
sf_lineage_sum_of(const struct sf_lineage *lineage, uint64_t host, struct sf_span name)
{
    const struct sf_lineage_sum *sum = find_sum(lineage, host, name);
    return sum == NULL ? 0 : sum->total;
}

enum sf_status
sf_lineage_note_sum(struct sf_lineage *lineage, struct sf_span name, int64_t delta)
{
    struct sf_lineage_sum *sum = find_sum(lineage, lineage->host, name);
    if (sum == NULL)
        return add_sum(lineage, (struct sf_lineage_sum){name, lineage->host, delta});
    sum->total = (int64_t)((uint64_t)sum->total + (uint64_t)delta);
    return SF_OK;
}

/* ---- as bytes ---- */

static void
put_u64(unsigned char **at, uint64_t number)
{
    sf_store_u64(*at, number);
    *at += sizeof number;
}

static void
put_name(unsigned char **at, struct sf_span name)
{
    *(*at)++ = (unsigned char)name.size;
    if (name.size > 0)
        memcpy(*at, name.data, name.size);
    *at += name.size;
}

static size_t
size_of(const struct sf_lineage *lineage)
{
    size_t size = HEAD + 16 * lineage->merged_count;
    for (size_t i = 0; i < lineage->set_count; i++)
        size += 9 + lineage->sets[i].name.size;
    for (size_t i = 0; i < lineage->sum_count; i++)
        size += 17 + lineage->sums[i].name.size;
    return size;
}

enum sf_status
sf_lineage_encode(const struct sf_lineage *lineage, struct sf_buffer *bytes)
{
    size_t size = size_of(lineage);
    if (lineage->set_count > UINT16_MAX || lineage->sum_count > UINT16_MAX)
        return SF_FULL;
    enum sf_status status = sf_buffer_reserve(bytes, size);
    if (status != SF_OK)
        return status;
    unsigned char *at = bytes->data + bytes->size;
    put_u64(&at, lineage->host);
    put_u64(&at, lineage->base);
    sf_store_u16(at, (uint16_t)lineage->merged_count);
    sf_store_u16(at + 2, (uint16_t)lineage->set_count);
    sf_store_u16(at + 4, (uint16_t)lineage->sum_count);
    sf_store_u16(at + 6, 0);
    at += 8;
    for (size_t i = 0; i < lineage->merged_count; i++) {
        put_u64(&at, lineage->merged[i].host);
        put_u64(&at, lineage->merged[i].version);
    }
    for (size_t i = 0; i < lineage->set_count; i++) {
        put_u64(&at, lineage->sets[i].version);
        put_name(&at, lineage->sets[i].name);
    }
    for (size_t i = 0; i < lineage->sum_count; i++) {
        put_u64(&at, lineage->sums[i].host);
        put_u64(&at, (uint64_t)lineage->sums[i].total);
        put_name(&at, lineage->sums[i].name);
    }
    bytes->size += size;
    return SF_OK;
}

/* What is left to be read; reading behind the end gives zeros and says so. */
struct rest {
    struct sf_span bytes;
    bool is_short;
};

static struct sf_span
take(struct rest *rest, size_t size)
{
    if (rest->bytes.size < size) {
        rest->is_short = true;
        return sf_span_of(NULL, 0);
    }
    struct sf_span taken = sf_span_of(rest->bytes.data, size);
    rest->bytes = sf_span_of(rest->bytes.data + size, rest->bytes.size - size);
    return taken;
}

static uint64_t
take_u64(struct rest *rest)
{
    struct sf_span bytes = take(rest, sizeof(uint64_t));
    return rest->is_short ? 0 : sf_load_u64(bytes.data);
}

static struct sf_span
take_name(struct rest *rest)
{
    struct sf_span size = take(rest, 1);
    return rest->is_short ? size : take(rest, size.data[0]);
}

static enum sf_status
decode_lists(struct sf_lineage *lineage, struct rest *rest, size_t sets, size_t sums)
{
    enum sf_status status = SF_OK;
    for (size_t i = 0; i < lineage->merged_count; i++) {
        lineage->merged[i].host = take_u64(rest);
        lineage->merged[i].version = take_u64(rest);
    }
    for (size_t i = 0; status == SF_OK && i < sets && !rest->is_short; i++) {
        struct sf_lineage_set set = {.version = take_u64(rest)};
        set.name = take_name(rest);
        status = add_set(lineage, set);
    }
    for (size_t i = 0; status == SF_OK && i < sums && !rest->is_short; i++) {
        struct sf_lineage_sum sum = {.host = take_u64(rest)};
        sum.total = (int64_t)take_u64(rest);
        sum.name = take_name(rest);
        status = add_sum(lineage, sum);
    }
    if (status != SF_OK)
        return status;
    return rest->is_short || rest->bytes.size > 0 ? SF_CORRUPT : SF_OK;
}

enum sf_status
sf_lineage_decode(struct sf_lineage *lineage, struct sf_span bytes)
{
    struct rest rest = {.bytes = bytes};
    sf_lineage_fini(lineage);
    if (bytes.size == 0)
        return SF_OK;
    struct sf_span head = take(&rest, HEAD);
    if (rest.is_short || sf_load_u16(head.data + AT_ZERO) != 0 ||
        sf_load_u16(head.data + AT_HOSTS) > SF_LINEAGE_HOSTS_MAX)
        return SF_CORRUPT;
    lineage->host = sf_load_u64(head.data + AT_HOST);
    lineage->base = sf_load_u64(head.data + AT_BASE);
    lineage->merged_count = sf_load_u16(head.data + AT_HOSTS);
    enum sf_status status =
        decode_lists(lineage, &rest, sf_load_u16(head.data + AT_SETS), sf_load_u16(head.data + AT_SUMS));
    if (status != SF_OK)
        sf_lineage_fini(lineage);
    return status;
}
