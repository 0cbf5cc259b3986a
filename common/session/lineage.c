/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/lineage.h"

#include <stdlib.h>
#include <string.h>

/*
 *  0 u64 base   8 u16 hosts   10 u16 sets   12 u16 sums   14 u16 0, or 1 from earlier versions
 * 16 hosts: u64 host, u64 version; the highest bit of that: pending
 *    sets:  u64 version, u8 place of the host in that list, u8 size of the name, name
 *    sums:  i64 total, u8 place of the host, u8 size of the name, name
 */
enum { AT_BASE = 0, AT_HOSTS = 8, AT_SETS = 10, AT_SUMS = 12, AT_NOTHING = 14, HEAD = 16 };
enum { HOST_BYTES = 16, ENTRY_BYTES = 10 };
#define PENDING ((uint64_t)1 << 63)

void
sf_lineage_init(struct sf_lineage *lineage)
{
    *lineage = (struct sf_lineage){.base = 0};
}

void
sf_lineage_fini(struct sf_lineage *lineage)
{
    free(lineage->sets);
    free(lineage->sums);
    free(lineage->slots);
    sf_lineage_init(lineage);
}

/* The latest come first, and the others are left out. */
static void
keep_latest_sets(struct sf_lineage *lineage, size_t limit)
{
    struct sf_lineage_set *sets = lineage->sets;
    if (lineage->set_count <= limit)
        return;
    for (size_t i = 0; i < limit; i++) {
        size_t latest = i;
        for (size_t j = i + 1; j < lineage->set_count; j++)
            if (sets[j].version > sets[latest].version)
                latest = j;
        struct sf_lineage_set set = sets[latest];
        sets[latest] = sets[i];
        sets[i] = set;
    }
    lineage->set_count = limit;
    lineage->slot_count = 0; /* they are somewhere else now */
}

void
sf_lineage_begin(struct sf_lineage *lineage, uint64_t base)
{
    lineage->base = base;
    keep_latest_sets(lineage, SF_LINEAGE_FORMER_SETS);
    for (size_t i = 0; i < lineage->merged_count; i++)
        lineage->merged[i].is_pending = false;
}

void
sf_lineage_forget(struct sf_lineage *lineage)
{
    lineage->set_count = lineage->sum_count = lineage->slot_count = 0;
}

/* ---- merged ---- */

/* HOSTS_MAX: it is not there. */
static size_t
place_of(const struct sf_lineage *lineage, uint64_t host)
{
    for (size_t i = 0; i < lineage->merged_count; i++)
        if (lineage->merged[i].host == host)
            return i;
    return SF_LINEAGE_HOSTS_MAX;
}

uint64_t
sf_lineage_merged(const struct sf_lineage *lineage, uint64_t host)
{
    size_t place = place_of(lineage, host);
    return place == SF_LINEAGE_HOSTS_MAX ? 0 : lineage->merged[place].version;
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
    size_t place = place_of(lineage, host);
    struct sf_lineage_host *at = NULL;
    if (place < SF_LINEAGE_HOSTS_MAX)
        at = &lineage->merged[place];
    else if (lineage->merged_count < SF_LINEAGE_HOSTS_MAX)
        at = &lineage->merged[lineage->merged_count++];
    else
        at = earliest_host(lineage);
    if (place == SF_LINEAGE_HOSTS_MAX || at->version < version)
        *at = (struct sf_lineage_host){host, version, true};
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
add_set(struct sf_lineage *lineage, const struct sf_lineage_set *set)
{
    void *items = lineage->sets;
    if (!make_room(&items, lineage->set_count, &lineage->set_room, sizeof *set))
        return SF_NO_MEMORY;
    lineage->sets = items;
    lineage->sets[lineage->set_count++] = *set;
    return SF_OK;
}

static enum sf_status
add_sum(struct sf_lineage *lineage, const struct sf_lineage_sum *sum)
{
    void *items = lineage->sums;
    if (!make_room(&items, lineage->sum_count, &lineage->sum_room, sizeof *sum))
        return SF_NO_MEMORY;
    lineage->sums = items;
    lineage->sums[lineage->sum_count++] = *sum;
    return SF_OK;
}

static struct sf_lineage_set *
find_one_by_one(const struct sf_lineage *lineage, struct sf_span name)
{
    for (size_t i = 0; i < lineage->set_count; i++)
        if (sf_span_equal(lineage->sets[i].name, name))
            return &lineage->sets[i];
    return NULL;
}

/* FNV-1a. */
static uint32_t
hash_of(struct sf_span name)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < name.size; i++)
        hash = (hash ^ name.data[i]) * 16777619u;
    return hash;
}

/* Of the set of that name, or an empty one: half of them are. */
static uint32_t *
slot_of(const struct sf_lineage *lineage, struct sf_span name)
{
    size_t i = hash_of(name);
    for (;; i++) {
        uint32_t *slot = &lineage->slots[i & (lineage->slot_count - 1)];
        if (*slot == 0 || sf_span_equal(lineage->sets[*slot - 1].name, name))
            return slot;
    }
}

static bool
make_slots(struct sf_lineage *lineage)
{
    size_t wanted = 64;
    while (wanted < 4 * lineage->set_count)
        wanted *= 2;
    uint32_t *slots = calloc(wanted, sizeof *slots);
    if (slots == NULL)
        return false;
    free(lineage->slots);
    lineage->slots = slots;
    lineage->slot_count = wanted;
    lineage->slotted = 0;
    return true;
}

/* Of two of the same name, as an edited row may have, the first one. false: no memory. */
static bool
fill_slots(struct sf_lineage *lineage)
{
    if (2 * lineage->set_count > lineage->slot_count && !make_slots(lineage))
        return false;
    for (; lineage->slotted < lineage->set_count; lineage->slotted++) {
        uint32_t *slot = slot_of(lineage, lineage->sets[lineage->slotted].name);
        if (*slot == 0)
            *slot = (uint32_t)lineage->slotted + 1;
    }
    return true;
}

static struct sf_lineage_set *
find_set(struct sf_lineage *lineage, struct sf_span name)
{
    if (lineage->set_count <= SF_LINEAGE_FORMER_SETS || !fill_slots(lineage))
        return find_one_by_one(lineage, name);
    uint32_t place = *slot_of(lineage, name);
    return place == 0 ? NULL : &lineage->sets[place - 1];
}

const struct sf_lineage_set *
sf_lineage_find_set(struct sf_lineage *lineage, struct sf_span name)
{
    return find_set(lineage, name);
}

enum sf_status
sf_lineage_note_set(struct sf_lineage *lineage, const struct sf_lineage_set *set)
{
    struct sf_lineage_set *former = find_set(lineage, set->name);
    if (former == NULL)
        return add_set(lineage, set);
    *former = *set;
    return SF_OK;
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
sf_lineage_note_sum(struct sf_lineage *lineage, const struct sf_lineage_sum *sum)
{
    struct sf_lineage_sum *former = find_sum(lineage, sum->host, sum->name);
    if (former == NULL)
        return add_sum(lineage, sum);
    former->total = (int64_t)((uint64_t)former->total + (uint64_t)sum->total);
    return SF_OK;
}

/* ---- as bytes ---- */

static void
put_u64(unsigned char **at, uint64_t number)
{
    sf_store_u64(*at, number);
    *at += sizeof number;
}

/* One of a set or a sum. */
struct entry {
    uint64_t number;
    size_t place; /* of its host */
    struct sf_span name;
};

static struct entry
entry_of_set(const struct sf_lineage *lineage, const struct sf_lineage_set *set)
{
    return (struct entry){set->version, place_of(lineage, set->host), set->name};
}

static struct entry
entry_of_sum(const struct sf_lineage *lineage, const struct sf_lineage_sum *sum)
{
    return (struct entry){(uint64_t)sum->total, place_of(lineage, sum->host), sum->name};
}

/* Those of hosts that are there; at == NULL: only counted. */
struct output {
    unsigned char *at;
    size_t count, bytes;
};

static void
put_entry(struct output *output, struct entry entry)
{
    if (entry.place == SF_LINEAGE_HOSTS_MAX)
        return;
    output->count++;
    output->bytes += ENTRY_BYTES + entry.name.size;
    if (output->at == NULL)
        return;
    put_u64(&output->at, entry.number);
    *output->at++ = (unsigned char)entry.place;
    *output->at++ = (unsigned char)entry.name.size;
    if (entry.name.size > 0)
        memcpy(output->at, entry.name.data, entry.name.size);
    output->at += entry.name.size;
}

static struct output
put_sets(const struct sf_lineage *lineage, unsigned char *at)
{
    struct output output = {.at = at};
    for (size_t i = 0; i < lineage->set_count; i++)
        put_entry(&output, entry_of_set(lineage, &lineage->sets[i]));
    return output;
}

static struct output
put_sums(const struct sf_lineage *lineage, unsigned char *at)
{
    struct output output = {.at = at};
    for (size_t i = 0; i < lineage->sum_count; i++)
        put_entry(&output, entry_of_sum(lineage, &lineage->sums[i]));
    return output;
}

static unsigned char *
put_head(const struct sf_lineage *lineage, unsigned char *at, size_t sets, size_t sums)
{
    sf_store_u64(at + AT_BASE, lineage->base);
    sf_store_u16(at + AT_HOSTS, (uint16_t)lineage->merged_count);
    sf_store_u16(at + AT_SETS, (uint16_t)sets);
    sf_store_u16(at + AT_SUMS, (uint16_t)sums);
    sf_store_u16(at + AT_NOTHING, 0);
    at += HEAD;
    for (size_t i = 0; i < lineage->merged_count; i++) {
        const struct sf_lineage_host *host = &lineage->merged[i];
        put_u64(&at, host->host);
        put_u64(&at, host->version | (host->is_pending ? PENDING : 0));
    }
    return at;
}

enum sf_status
sf_lineage_encode(const struct sf_lineage *lineage, struct sf_buffer *bytes)
{
    struct output sets = put_sets(lineage, NULL), sums = put_sums(lineage, NULL);
    size_t size = HEAD + HOST_BYTES * lineage->merged_count + sets.bytes + sums.bytes;
    if (size > SF_LINEAGE_BYTES_MAX)
        return SF_FULL;
    enum sf_status status = sf_buffer_reserve(bytes, size);
    if (status != SF_OK)
        return status;
    unsigned char *at = put_head(lineage, bytes->data + bytes->size, sets.count, sums.count);
    at = put_sets(lineage, at).at;
    (void)put_sums(lineage, at);
    bytes->size += size;
    return SF_OK;
}

/* What is left to be read; reading behind the end gives zeros and says so. */
struct rest {
    struct sf_span bytes;
    bool is_bad;
};

static struct sf_span
take(struct rest *rest, size_t size)
{
    if (rest->bytes.size < size) {
        rest->is_bad = true;
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
    return rest->is_bad ? 0 : sf_load_u64(bytes.data);
}

static struct entry
take_entry(struct rest *rest, size_t hosts)
{
    struct entry entry = {.number = take_u64(rest)};
    struct sf_span sizes = take(rest, 2);
    if (rest->is_bad)
        return entry;
    entry.place = sizes.data[0];
    entry.name = take(rest, sizes.data[1]);
    rest->is_bad |= entry.place >= hosts || (entry.name.size > 0 && !sf_name_is_valid(entry.name));
    return entry;
}

/* How much of each there is; `rest` goes on behind the hosts. */
struct counts {
    size_t hosts, sets, sums;
};

static struct counts
take_head(struct sf_lineage *lineage, struct rest *rest)
{
    struct sf_span head = take(rest, HEAD);
    if (rest->is_bad)
        return (struct counts){.hosts = 0};
    struct counts counts = {sf_load_u16(head.data + AT_HOSTS), sf_load_u16(head.data + AT_SETS),
                            sf_load_u16(head.data + AT_SUMS)};
    rest->is_bad = sf_load_u16(head.data + AT_NOTHING) > 1 || counts.hosts > SF_LINEAGE_HOSTS_MAX;
    lineage->base = sf_load_u64(head.data + AT_BASE);
    for (size_t i = 0; i < counts.hosts && !rest->is_bad; i++) {
        uint64_t host = take_u64(rest), version = take_u64(rest);
        lineage->merged[i] =
            (struct sf_lineage_host){host, version & ~PENDING, (version & PENDING) != 0};
    }
    return counts;
}

enum sf_status
sf_lineage_check(struct sf_span bytes)
{
    struct rest rest = {.bytes = bytes};
    struct sf_lineage head;
    if (bytes.size == 0)
        return SF_OK;
    struct counts counts = take_head(&head, &rest);
    for (size_t i = 0; i < counts.sets && !rest.is_bad; i++)
        (void)take_entry(&rest, counts.hosts);
    for (size_t i = 0; i < counts.sums && !rest.is_bad; i++)
        rest.is_bad |= take_entry(&rest, counts.hosts).name.size == 0;
    return rest.is_bad || rest.bytes.size > 0 ? SF_CORRUPT : SF_OK;
}

/* What has been checked. */
static enum sf_status
take_lists(struct sf_lineage *lineage, struct rest *rest, const struct counts *counts)
{
    enum sf_status status = SF_OK;
    for (size_t i = 0; status == SF_OK && i < counts->sets; i++) {
        struct entry entry = take_entry(rest, counts->hosts);
        status = add_set(lineage, &(struct sf_lineage_set){
                                      entry.name, lineage->merged[entry.place].host, entry.number});
    }
    for (size_t i = 0; status == SF_OK && i < counts->sums; i++) {
        struct entry entry = take_entry(rest, counts->hosts);
        status = add_sum(lineage,
                         &(struct sf_lineage_sum){entry.name, lineage->merged[entry.place].host,
                                                  (int64_t)entry.number});
    }
    return status;
}

enum sf_status
sf_lineage_decode(struct sf_lineage *lineage, struct sf_span bytes)
{
    struct rest rest = {.bytes = bytes};
    sf_lineage_fini(lineage);
    enum sf_status status = sf_lineage_check(bytes);
    if (status != SF_OK || bytes.size == 0)
        return status;
    struct counts counts = take_head(lineage, &rest);
    lineage->merged_count = counts.hosts;
    status = take_lists(lineage, &rest, &counts);
    if (status != SF_OK)
        sf_lineage_fini(lineage);
    return status;
}

/* ---- of a record, without decoding ---- */

/* Of a sound record; NULL: it has no lineage. */
static const unsigned char *
head_of(struct sf_span record)
{
    struct sf_record_head head;
    if (sf_record_head(&head, record) != SF_OK || head.lineage.size < HEAD)
        return NULL;
    return head.lineage.data;
}

bool
sf_lineage_is_complete(const struct sf_lineage *lineage)
{
    return lineage->merged_count > 0 && lineage->merged_count < SF_LINEAGE_HOSTS_MAX;
}

/* No more than base and hosts. */
static void
read_hosts(struct sf_lineage *lineage, struct sf_span record)
{
    struct sf_record_head head;
    sf_lineage_init(lineage);
    if (sf_record_head(&head, record) != SF_OK || head.lineage.size == 0)
        return;
    struct rest rest = {.bytes = head.lineage};
    struct counts counts = take_head(lineage, &rest);
    lineage->merged_count = rest.is_bad ? 0 : counts.hosts;
}

bool
sf_lineage_lacks(struct sf_span row, struct sf_span record)
{
    struct sf_lineage theirs, ours;
    read_hosts(&theirs, row);
    if (!sf_lineage_is_complete(&theirs))
        return false;
    read_hosts(&ours, record);
    for (size_t i = 0; i < ours.merged_count; i++)
        if (ours.merged[i].version > sf_lineage_merged(&theirs, ours.merged[i].host))
            return true;
    return false;
}

uint64_t
sf_lineage_base(struct sf_span record)
{
    const unsigned char *head = head_of(record);
    return head == NULL ? 0 : sf_load_u64(head + AT_BASE);
}
