/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/cache/l1_index.h"
#include "common/cache/l1_segment.h"
#include "common/cache/l1_section.h"

/* ---- life ---- */

static enum sf_status
attach_segment(struct sf_l1 **l1_out, const struct sf_instance *instance, bool is_writable,
               struct sf_record_locks *locks, struct sf_error *error)
{
    struct sf_mapping mapping;
    struct sf_error why = {.status = SF_OK};
    enum sf_status status =
        sf_shared_memory_map(&mapping, instance->cache_path, is_writable, error);

    if (status != SF_OK)
        return status;
    struct sf_l1 *l1 = NULL;
    status = sf_l1_segment_open(&l1, &mapping, is_writable, locks, &why);
    if (status == SF_OK && is_writable)
        status = sf_l1_segment_join(l1, &why);
    sf_shared_memory_unmap(&mapping);
    if (status == SF_OK) {
        *l1_out = l1;
        return SF_OK;
    }
    if (l1 != NULL)
        sf_l1_segment_close(l1);
    return sf_error_set(error, status, "%s: %s", instance->cache_path, why.text);
}

enum sf_status
sf_l1_attach(struct sf_l1 **l1_out, const struct sf_instance *instance, enum sf_l1_access access,
             struct sf_error *error)
{
    bool is_writable = access == SF_L1_READ_WRITE;
    struct sf_record_locks *locks;

    *l1_out = NULL;
    enum sf_record_locks_use use = is_writable ? SF_RECORD_LOCKS_TAKE : SF_RECORD_LOCKS_LOOK;
    enum sf_status status = sf_record_locks_open(&locks, instance->cache_lock_path, use, error);
    if (status != SF_OK)
        return status;
    status = attach_segment(l1_out, instance, is_writable, locks, error);
    if (status != SF_OK)
        sf_record_locks_close(locks);
    return status;
}

static void
give_up_duties(struct sf_l1 *l1)
{
    for (uint32_t duty = 0; duty < 2; duty++) {
        if (l1->leads[duty])
            sf_record_locks_release(l1->slots.locks, SF_LOCK_DUTY + duty);
    }
}

void
sf_l1_close(struct sf_l1 *l1)
{
    if (l1 == NULL)
        return;
    struct sf_record_locks *locks = l1->slots.locks;
    if (l1->process == getpid())
        give_up_duties(l1);
    sf_l1_segment_close(l1);
    sf_record_locks_close(locks);
}

bool
sf_l1_is_retired(const struct sf_l1 *l1)
{
    return sf_l1_peek(&l1->header->retired) != 0;
}

bool
sf_l1_lead(struct sf_l1 *l1, enum sf_l1_duty duty)
{
    if (!l1->is_writable)
        return false;
    if (!l1->leads[duty] && sf_record_locks_try(l1->slots.locks, SF_LOCK_DUTY + (uint32_t)duty)) {
        l1->leads[duty] = true;
        atomic_store_explicit(&l1->header->leaders[duty], (uint64_t)getpid(), memory_order_relaxed);
    }
    return l1->leads[duty];
}

void
sf_l1_set_bypassed(struct sf_l1 *l1, bool is_bypassed)
{
    if (l1->is_writable)
        atomic_store_explicit(&l1->header->bypassed, is_bypassed, memory_order_relaxed);
}

bool
sf_l1_is_bypassed(const struct sf_l1 *l1)
{
    return sf_l1_peek(&l1->header->bypassed) != 0;
}

/* ---- last access, and what is stored ---- */

static void
touch_in_section(struct sf_l1 *l1, const struct sf_key *key, sf_time now)
{
    struct sf_l1_found found;

    if (l1->is_writable && sf_l1_find(l1, key, NULL, &found) == SF_OK)
        sf_l1_block_touch(&found.place, found.control, now);
}

void
sf_l1_touch(struct sf_l1 *l1, const struct sf_key *key, sf_time now)
{
    uint64_t section = sf_l1_enter(l1);

    touch_in_section(l1, key, now);
    sf_l1_leave(l1, section);
}

enum sf_status
sf_l1_version(struct sf_l1 *l1, const struct sf_key *key, uint64_t *version_out, bool *is_clean_out)
{
    struct sf_l1_found found;
    uint64_t section = sf_l1_enter(l1);
    enum sf_status status = sf_l1_find(l1, key, NULL, &found);

    sf_l1_leave(l1, section);
    *version_out = status == SF_OK ? found.image.brief.version : 0;
    *is_clean_out = status == SF_OK && sf_l1_control_is_clean(found.control);
    return status;
}

/* SF_OK: it is here, and stored says whether the store has `version` or a later one of it. */
static enum sf_status
look_at(struct sf_l1 *l1, const struct sf_key *key, uint64_t version, bool *is_stored_out)
{
    struct sf_l1_found found;
    uint64_t section = sf_l1_enter(l1);
    enum sf_status status = sf_l1_find(l1, key, NULL, &found);

    sf_l1_leave(l1, section);
    *is_stored_out = status == SF_OK && sf_l1_control_is_stored(found.control) &&
                     found.image.brief.version >= version;
    return status;
}

bool
sf_l1_has_stored(struct sf_l1 *l1, const struct sf_key *key, uint64_t version)
{
    bool is_stored;

    return look_at(l1, key, version, &is_stored) == SF_OK && is_stored;
}

bool
sf_l1_is_stored(struct sf_l1 *l1, const struct sf_key *key, uint64_t version)
{
    bool is_stored;

    return look_at(l1, key, version, &is_stored) == SF_NOT_FOUND || is_stored;
}

/* ---- counters ---- */

struct sf_counters *
sf_l1_counters(struct sf_l1 *l1)
{
    return l1->counters;
}

void
sf_l1_counters_sum(const struct sf_l1 *l1, uint64_t values_out[SF_COUNTER_COUNT])
{
    const unsigned char *set = (const unsigned char *)l1->mapping.base + l1->plan.counters_at;

    for (size_t i = 0; i < SF_COUNTER_COUNT; i++)
        values_out[i] = 0;
    for (uint32_t n = 0; n < l1->plan.counter_sets; n++, set += SF_L1_COUNTERS_BYTES) {
        const struct sf_counters *counters = (const void *)set;

        for (size_t i = 0; i < SF_COUNTER_COUNT; i++)
            values_out[i] += sf_l1_peek(&counters->values[i]);
    }
}
