/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/journal_map.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/bytes.h"

#define NONE UINT32_MAX
#define CAPACITY_MIN 64u
#define CAPACITY_KEPT 16384u /* a megabyte: not worth giving back */
#define CAPACITY_MAX (1u << 28)

void
sf_journal_map_init(struct sf_journal_map *map)
{
    *map = (struct sf_journal_map){.free = NONE};
}

void
sf_journal_map_fini(struct sf_journal_map *map)
{
    free(map->entries);
    free(map->buckets);
    sf_journal_map_init(map);
}

/* Keys are hashes already. */
static uint32_t *
bucket_of(const struct sf_journal_map *map, const struct sf_key *key)
{
    return &map->buckets[sf_load_u32(key->bytes) & (map->capacity - 1)];
}

static void
link_entry(struct sf_journal_map *map, uint32_t at)
{
    uint32_t *bucket = bucket_of(map, &map->entries[at].key);
    map->entries[at].next = *bucket;
    *bucket = at;
}

/* A free entry has no file. */
static void
link_all(struct sf_journal_map *map)
{
    for (uint32_t i = 0; i < map->capacity; i++)
        map->buckets[i] = NONE;
    for (uint32_t i = 0; i < map->used; i++)
        if (map->entries[i].file != NULL)
            link_entry(map, i);
}

/* Either may fail and leave what was there, which is as large or larger. */
static bool
resize(struct sf_journal_map *map, uint32_t capacity)
{
    struct sf_journal_entry *entries = realloc(map->entries, capacity * sizeof *entries);
    uint32_t *buckets = realloc(map->buckets, capacity * sizeof *buckets);
    if (entries != NULL)
        map->entries = entries;
    if (buckets != NULL)
        map->buckets = buckets;
    return entries != NULL && buckets != NULL;
}

static enum sf_status
grow(struct sf_journal_map *map, uint32_t capacity)
{
    if (!resize(map, capacity))
        return SF_NO_MEMORY;
    map->capacity = capacity;
    link_all(map);
    return SF_OK;
}

enum sf_status
sf_journal_map_reserve(struct sf_journal_map *map, size_t more)
{
    if (more > CAPACITY_MAX - map->count)
        return SF_NO_MEMORY;
    size_t needed = map->count + more;
    uint32_t capacity = map->capacity < CAPACITY_MIN ? CAPACITY_MIN : map->capacity;
    while (capacity < needed)
        capacity *= 2;
    return capacity == map->capacity ? SF_OK : grow(map, capacity);
}

/* Into the first places; `next` is made anew. */
static void
close_gaps(struct sf_journal_map *map)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < map->used; i++)
        if (map->entries[i].file != NULL)
            map->entries[kept++] = map->entries[i];
    map->used = kept;
    map->free = NONE;
}

void
sf_journal_map_shrink(struct sf_journal_map *map)
{
    uint32_t capacity = map->capacity;
    while (capacity > CAPACITY_KEPT && map->count < capacity / 8)
        capacity /= 2;
    if (capacity == map->capacity)
        return;
    close_gaps(map);
    map->capacity = capacity;
    (void)resize(map, capacity);
    link_all(map);
}

struct sf_journal_entry *
sf_journal_map_find(const struct sf_journal_map *map, const struct sf_key *key)
{
    if (map->count == 0)
        return NULL;
    uint32_t at = *bucket_of(map, key);
    while (at != NONE && !sf_key_equal(&map->entries[at].key, key))
        at = map->entries[at].next;
    return at == NONE ? NULL : &map->entries[at];
}

struct sf_journal_entry *
sf_journal_map_add(struct sf_journal_map *map, const struct sf_key *key)
{
    assert(map->count < map->capacity);
    uint32_t at = map->free != NONE ? map->free : map->used++;
    if (map->free != NONE)
        map->free = map->entries[at].next;
    map->entries[at] = (struct sf_journal_entry){.key = *key};
    link_entry(map, at);
    map->count++;
    return &map->entries[at];
}

void
sf_journal_map_remove(struct sf_journal_map *map, struct sf_journal_entry *entry)
{
    uint32_t at = (uint32_t)(entry - map->entries);
    uint32_t *link = bucket_of(map, &entry->key);
    while (*link != at)
        link = &map->entries[*link].next;
    *link = entry->next;
    entry->next = map->free;
    entry->file = NULL;
    map->free = at;
    map->count--;
}

struct sf_journal_entry *
sf_journal_map_next(const struct sf_journal_map *map, uint32_t *cursor)
{
    while (*cursor < map->used) {
        struct sf_journal_entry *entry = &map->entries[(*cursor)++];
        if (entry->file != NULL)
            return entry;
    }
    return NULL;
}
