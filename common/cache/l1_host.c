/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_host.h"

/*
 * A lineage says up to which of a host's versions its changes are in a record. That is no use when the host gives a
 * number twice: a store that has lost data hands out an earlier version, and a change of that would count as known to
 * everybody who has the later one. So the host takes another number before the first answer of such a store is here.
 * What it changes under the new number grows from that answer, or from what it had before; in both its versions rise.
 */
#define STEP UINT64_C(0x9E3779B97F4A7C16) /* even, and so an odd number stays one: 0 is nobody */

void
sf_l1_set_shared(struct sf_l1 *l1, bool is_shared)
{
    if (l1->is_writable)
        atomic_store_explicit(&l1->header->is_shared, is_shared, memory_order_relaxed);
}

uint64_t
sf_l1_host(const struct sf_l1 *l1)
{
    return sf_l1_peek(&l1->header->is_shared) == 0 ? 0 : sf_l1_peek(&l1->header->host_number); /* O13 */
}

uint64_t
sf_l1_host_id(const struct sf_l1 *l1)
{
    return sf_l1_peek(&l1->header->host_id);
}

/*
 * A number too many does no harm: of two who meet the same store at once both may take one, and so does the successor
 * of one who was killed in between.
 */
void
sf_l1_meet_store(struct sf_l1 *l1, uint64_t incarnation)
{
    uint64_t met = sf_l1_load(&l1->header->met);

    if (!l1->is_writable || incarnation == 0 || incarnation == met)
        return;
    if (met != 0)
        atomic_fetch_add_explicit(&l1->header->host_number, STEP, memory_order_relaxed); /* O13 */
    atomic_store_explicit(&l1->header->met, incarnation, memory_order_release);
}

/* ---- which store ---- */

uint64_t
sf_l1_store(const struct sf_l1 *l1)
{
    return sf_l1_peek(&l1->header->store);
}

sf_time
sf_l1_store_since(const struct sf_l1 *l1)
{
    return (sf_time)sf_l1_peek(&l1->header->store_since);
}

/* Killed in between: the former store counts, and what is put again is put again. */
void
sf_l1_set_store(struct sf_l1 *l1, uint64_t incarnation)
{
    if (!l1->is_writable)
        return;
    atomic_store_explicit(&l1->header->store_since, (uint64_t)sf_clock_steady(), memory_order_relaxed);
    atomic_store_explicit(&l1->header->store, incarnation, memory_order_release);
}

/* What is dirty there grew from what some store had before: see sf_l1_store_since. */
void
sf_l1_host_inherit(struct sf_l1 *l1, const struct sf_l1 *from)
{
    struct sf_l1_header *to = l1->header;
    const struct sf_l1_header *old = from->header;

    atomic_store_explicit(&to->host_id, sf_l1_peek(&old->host_id), memory_order_relaxed);
    atomic_store_explicit(&to->host_number, sf_l1_peek(&old->host_number) | 1, memory_order_relaxed);
    atomic_store_explicit(&to->met, sf_l1_peek(&old->met), memory_order_relaxed);
    atomic_store_explicit(&to->store_since, (uint64_t)sf_clock_steady(), memory_order_relaxed);
}
