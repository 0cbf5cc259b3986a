/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/refused.h"

#include <string.h>

#define PAUSE_FIRST (10 * SF_SECOND)
#define PAUSE_MAX (10 * SF_MINUTE)

static size_t
find(const struct sf_refused *refused, const struct sf_key *key)
{
    size_t i = 0;
    while (i < refused->count && memcmp(&refused->records[i].key, key, sizeof *key) != 0)
        i++;
    return i;
}

bool
sf_refused_holds(const struct sf_refused *refused, const struct sf_l1_dirty *item, sf_time now)
{
    size_t i = find(refused, &item->key);
    if (i == refused->count)
        return false;
    const struct sf_refused_record *record = &refused->records[i];
    return record->ticket.block == item->ticket.block
           && record->ticket.control == item->ticket.control && now < record->retry_at;
}

/* Forgets the one that comes back first: it is about to be tried again anyway. */
static size_t
make_room(struct sf_refused *refused)
{
    if (refused->count < SF_REFUSED_MAX)
        return refused->count++;
    size_t first = 0;
    for (size_t i = 1; i < refused->count; i++)
        if (refused->records[i].retry_at < refused->records[first].retry_at)
            first = i;
    return first;
}

bool
sf_refused_add(struct sf_refused *refused, const struct sf_l1_dirty *item, sf_time now)
{
    size_t i = find(refused, &item->key);
    bool is_new = i == refused->count;
    if (is_new) {
        i = make_room(refused);
        refused->records[i] = (struct sf_refused_record){.key = item->key};
    }
    struct sf_refused_record *record = &refused->records[i];
    record->pause = record->pause == 0 ? PAUSE_FIRST : 2 * record->pause;
    if (record->pause > PAUSE_MAX)
        record->pause = PAUSE_MAX;
    record->ticket = item->ticket;
    record->retry_at = now + record->pause;
    return is_new;
}

void
sf_refused_remove(struct sf_refused *refused, const struct sf_key *key)
{
    size_t i = find(refused, key);
    if (i < refused->count)
        refused->records[i] = refused->records[--refused->count];
}

void
sf_refused_forget_due(struct sf_refused *refused, sf_time now)
{
    size_t i = 0;
    while (i < refused->count) {
        if (refused->records[i].retry_at <= now)
            refused->records[i] = refused->records[--refused->count];
        else
            i++;
    }
}

sf_time
sf_refused_next(const struct sf_refused *refused)
{
    sf_time next = SF_TIME_NEVER;
    for (size_t i = 0; i < refused->count; i++)
        if (refused->records[i].retry_at < next)
            next = refused->records[i].retry_at;
    return next;
}
