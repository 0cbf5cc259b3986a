/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_segment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/boot_id.h"
#include "common/base/random.h"

/* ---- the header page ---- */

enum sf_status
sf_l1_segment_init(struct sf_mapping *mapping, const struct sf_record_locks *locks,
                   struct sf_error *error)
{
    struct sf_l1_header *header = mapping->base;

    header->layout_version = SF_L1_LAYOUT_VERSION;
    header->signature = sf_l1_signature();
    header->bytes = mapping->bytes;
    header->created = sf_clock_wall();
    sf_record_locks_identity(locks, &header->lock_device, &header->lock_inode);
    sf_boot_id(header->boot_id);
    uint64_t host_id = 0;
    if (sf_random_bytes(header->hash_key, sizeof(header->hash_key)) != SF_OK ||
        sf_random_bytes(&host_id, sizeof(host_id)) != SF_OK)
        return sf_error_set(error, SF_UNAVAILABLE, "no random bytes from the kernel");
    atomic_init(&header->host_id, host_id | 1); /* 0 is nobody */
    atomic_init(&header->host_number, host_id | 1);
    header->magic = SF_L1_MAGIC;
    return SF_OK;
}

static const char *
why_foreign(const struct sf_l1_header *header, uint64_t bytes, const struct sf_record_locks *locks)
{
    char boot_id[SF_BOOT_ID_BYTES];
    uint64_t device, inode;

    if (header->magic != SF_L1_MAGIC)
        return "not a session cache";
    if (header->layout_version != SF_L1_LAYOUT_VERSION || header->signature != sf_l1_signature())
        return "a cache of another version of this program";
    if (header->bytes != bytes)
        return "truncated or grown";
    sf_boot_id(boot_id);
    if (memcmp(boot_id, header->boot_id, sizeof(boot_id)) != 0)
        return "from before the last start of the system";
    if (locks == NULL)
        return NULL;
    sf_record_locks_identity(locks, &device, &inode);
    if (device != header->lock_device || inode != header->lock_inode)
        return "its lock file was replaced, so nobody knows who is alive";
    return NULL;
}

/* ---- the handle ---- */

static void
set_pointers(struct sf_l1 *l1)
{
    unsigned char *base = l1->mapping.base;

    l1->header = l1->mapping.base;
    l1->removals = (void *)(base + l1->plan.removals_at);
    l1->hints = (void *)(base + l1->plan.hints_at);
    l1->index = (void *)(base + l1->plan.index_at);
    l1->table = (void *)(base + l1->plan.table_at);
    l1->slabs = base + l1->plan.slabs_at;
    l1->index_seed = l1->header->hash_key[0];
    l1->index_seed_high = l1->header->hash_key[1];
    l1->sum_seed = l1->header->hash_key[0] ^ l1->header->hash_key[1];
    l1->counters = &l1->own_counters;
}

static void
forget_hands(struct sf_l1 *l1)
{
    for (size_t i = 0; i < SF_L1_CLASSES_MAX; i++) {
        struct sf_l1_hand *hand = &l1->hands[i];

        atomic_store_explicit(&hand->next, SF_L1_NO_BLOCK, memory_order_relaxed);
        for (size_t j = 0; j < SF_L1_FREED; j++)
            atomic_store_explicit(&hand->freed[j], SF_L1_NO_BLOCK, memory_order_relaxed);
    }
}

enum sf_status
sf_l1_segment_open(struct sf_l1 **l1_out, struct sf_mapping *mapping, bool is_writable,
                   struct sf_record_locks *locks, struct sf_error *error)
{
    const char *reason = why_foreign(mapping->base, mapping->bytes, locks);
    struct sf_l1_plan plan;

    if (reason != NULL || !sf_l1_plan_make(&plan, mapping->bytes))
        return sf_error_set(error, SF_INVALID, "%s",
                            reason != NULL ? reason : "of a size that no cache has");
    struct sf_l1 *l1 = aligned_alloc(_Alignof(struct sf_l1), sizeof(*l1));
    uint64_t *dead_words = calloc(plan.slots, sizeof(*dead_words));
    uint8_t *awaited = calloc(plan.slots, sizeof(*awaited));
    if (l1 == NULL || dead_words == NULL || awaited == NULL) {
        free(l1);
        free(dead_words);
        free(awaited);
        return sf_error_set(error, SF_NO_MEMORY, "no memory");
    }
    memset(l1, 0, sizeof(*l1));
    l1->mapping = *mapping;
    l1->is_writable = is_writable;
    l1->process = getpid();
    l1->plan = plan;
    l1->dead_words = dead_words;
    l1->awaited = awaited;
    l1->busy = &l1->own_busy;
    l1->slot = plan.slots; /* none */
    set_pointers(l1);
    forget_hands(l1);
    l1->slots =
        (struct sf_process_slots){.slots = (void *)((unsigned char *)mapping->base + plan.slots_at),
                                  .count = plan.slots,
                                  .locks = locks};
    *mapping = (struct sf_mapping){NULL, 0};
    *l1_out = l1;
    return SF_OK;
}

void
sf_l1_segment_close(struct sf_l1 *l1)
{
    if (l1->slot < l1->plan.slots && l1->process == getpid())
        sf_process_slot_release(&l1->slots, l1->slot);
    sf_shared_memory_unmap(&l1->mapping);
    free(l1->dead_words);
    free(l1->awaited);
    free(l1);
}

enum sf_status
sf_l1_segment_join(struct sf_l1 *l1, struct sf_error *error)
{
    enum sf_status status = sf_process_slot_claim(&l1->slots, &l1->slot);

    if (status != SF_OK) {
        l1->slot = l1->plan.slots;
        return sf_error_set(error, status, "all %u process slots are taken", l1->plan.slots);
    }
    l1->busy = &l1->slots.slots[l1->slot].busy;
    sf_l1_fence(); /* O8 */
    if (sf_l1_is_retired(l1))
        return sf_error_set(error, SF_UNAVAILABLE, "is being replaced");
    unsigned char *counters = (unsigned char *)l1->mapping.base + l1->plan.counters_at;
    l1->counters =
        (void *)(counters + (uint64_t)(l1->slot % l1->plan.counter_sets) * SF_L1_COUNTERS_BYTES);
    return SF_OK;
}

enum sf_status
sf_l1_segment_check(const struct sf_l1 *l1, struct sf_error *error)
{
    for (uint32_t slab = 0; slab < l1->plan.slabs; slab++) {
        uint64_t value = sf_l1_load(&l1->table[slab]);
        uint64_t class_index = sf_l1_slab_is_shut(value) ? sf_l1_slab_kept_class(value)
                                                         : (value & SF_L1_TABLE_CLASS) - 1;

        if (value != 0 && class_index >= l1->plan.class_count)
            return sf_error_set(error, SF_CORRUPT, "slab %u: no such size class: %llx", slab,
                                (unsigned long long)value);
    }
    return SF_OK;
}
