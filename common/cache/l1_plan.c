/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_plan.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/base/counters.h"
#include "common/cache/l1.h"

static_assert(sizeof(struct sf_counters) <= SF_L1_COUNTERS_BYTES,
              "more room for counters, and a new layout version");

#define PAGE_BYTES 4096u
#define LARGE_CACHE (16u << 20)  /* from here on slabs of 1 MiB */
#define MANY_PROCESSES (64u << 20)
/*
 * One index word for so many bytes of the file: 1,000,000 records of 512 bytes in 640 MiB fill half
 * of the words, and the words cost 16 bytes a record.
 */
#define BYTES_PER_WORD 336u
#define INDEX_FULL 68u /* percent; as measured */

static uint64_t
round_up(uint64_t value, uint64_t to)
{
    return (value + to - 1) / to * to;
}

static uint32_t
power_between(uint64_t wanted, uint32_t low, uint32_t high)
{
    uint32_t power = low;

    while (power < high && power < wanted)
        power *= 2;
    return power;
}

/* A class of so many blocks, stretched to all that the slab has for each. */
static struct sf_l1_class
class_of(uint64_t slab, uint64_t blocks)
{
    return (struct sf_l1_class){(uint32_t)(slab / blocks / 64 * 64), (uint32_t)blocks};
}

/*
 * The next size is a fifth larger, or the next multiple of 64. Where blocks are few, one less in a
 * slab is more than that.
 */
static struct sf_l1_class
next_class(uint64_t slab, const struct sf_l1_class *last)
{
    uint64_t bytes = (uint64_t)last->bytes * 119 / 100 / 64 * 64;
    uint64_t blocks = slab / (bytes > last->bytes ? bytes : last->bytes + 64);

    if (blocks + 1 < last->blocks &&
        (blocks == 0 || class_of(slab, blocks).bytes * UINT64_C(4) > last->bytes * UINT64_C(5)))
        blocks++;
    return blocks > 0 ? class_of(slab, blocks) : (struct sf_l1_class){.blocks = 0};
}

/* No class wastes more than a fifth as long as five blocks fit into a slab. */
static void
plan_classes(struct sf_l1_plan *plan)
{
    uint64_t slab = UINT64_C(1) << plan->slab_shift;
    struct sf_l1_class class = class_of(slab, slab / SF_L1_BLOCK_MIN);

    for (plan->class_count = 0; class.blocks > 0 && plan->class_count < SF_L1_CLASSES_MAX;
         plan->class_count++) {
        plan->classes[plan->class_count] = class;
        class = next_class(slab, &class);
    }
}

static uint64_t
lay_out(struct sf_l1_plan *plan)
{
    plan->slots_at = PAGE_BYTES;
    plan->counters_at = plan->slots_at + (uint64_t)plan->slots * sizeof(struct sf_l1_slot);
    plan->removals_at = plan->counters_at + (uint64_t)plan->counter_sets * SF_L1_COUNTERS_BYTES;
    plan->hints_at = plan->removals_at + (uint64_t)plan->removals * sizeof(uint64_t);
    plan->index_at =
        round_up(plan->hints_at + (uint64_t)plan->hints * sizeof(uint64_t), PAGE_BYTES);
    plan->table_at = plan->index_at + (uint64_t)plan->buckets * sizeof(struct sf_l1_bucket);
    return round_up(plan->table_at + (plan->bytes >> plan->slab_shift) * sizeof(uint64_t),
                    PAGE_BYTES);
}

bool
sf_l1_plan_make(struct sf_l1_plan *plan_out, uint64_t bytes)
{
    if (bytes < SF_L1_BYTES_MIN || bytes > SF_L1_BYTES_MAX || bytes % PAGE_BYTES != 0)
        return false;

    struct sf_l1_plan plan = {.bytes = bytes};
    bool is_large = bytes >= LARGE_CACHE;
    bool has_many = bytes >= MANY_PROCESSES;

    plan.slots = has_many ? SF_L1_SLOTS_LARGE : SF_L1_SLOTS_SMALL;
    plan.counter_sets = has_many ? 1024 : 128;
    plan.removals = power_between(bytes / 4096, 1024, 65536);
    plan.hints = power_between(bytes / 2048, 1024, 65536);
    plan.buckets = (uint32_t)(bytes / (BYTES_PER_WORD * SF_L1_BUCKET_WORDS));
    plan.slab_shift = is_large ? 20 : 17;
    plan.entry_shift = plan.slab_shift - 8; /* blocks have at least 256 bytes */
    plan.slabs_at = lay_out(&plan);
    plan.slabs = (uint32_t)((bytes - plan.slabs_at) >> plan.slab_shift);
    plan_classes(&plan);
    *plan_out = plan;
    return true;
}

uint32_t
sf_l1_plan_class(const struct sf_l1_plan *plan, uint64_t bytes)
{
    uint64_t needed = bytes + SF_L1_BLOCK_HEADER;
    uint32_t low = 0, high = plan->class_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (plan->classes[middle].bytes < needed)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t
sf_l1_plan_reserve(const struct sf_l1_plan *plan)
{
    uint32_t reserve = plan->slabs / 8;

    if (reserve < 2)
        return plan->slabs < 4 ? 0 : 2;
    return reserve < 16 ? reserve : 16;
}

uint64_t
sf_l1_plan_fits(const struct sf_l1_plan *plan, uint64_t bytes)
{
    uint32_t class_index = sf_l1_plan_class(plan, bytes);
    uint64_t words = (uint64_t)plan->buckets * SF_L1_BUCKET_WORDS;

    if (class_index >= plan->class_count)
        return 0;
    uint32_t in_slab = plan->classes[class_index].blocks;
    uint64_t blocks = (uint64_t)(plan->slabs - sf_l1_plan_reserve(plan)) *
                      (in_slab - in_slab / SF_L1_RESERVE_SHARE);
    uint64_t named = words / 100 * INDEX_FULL; /* then the first key finds all its words taken */
    return blocks < named ? blocks : named;
}

uint64_t
sf_l1_signature(void)
{
    static const uint64_t facts[] = {
        SF_L1_LAYOUT_VERSION,
        sizeof(struct sf_l1_header),
        offsetof(struct sf_l1_header, boot_id),
        offsetof(struct sf_l1_header, retired),
        offsetof(struct sf_l1_header, deaths),
        sizeof(struct sf_l1_slot),
        sizeof(struct sf_l1_bucket),
        sizeof(struct sf_l1_control),
        SF_L1_BLOCK_HEADER,
        SF_L1_BLOCK_MIN,
        SF_L1_SLOTS_SMALL,
        SF_L1_SLOTS_LARGE,
        SF_L1_COUNTERS_BYTES,
        BYTES_PER_WORD,
        PAGE_BYTES,
        LARGE_CACHE,
        MANY_PROCESSES,
        1, /* in memory of this byte order: another one reads another number */
    };

    return XXH3_64bits(facts, sizeof(facts));
}
