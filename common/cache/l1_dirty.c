/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_hints.h"
#include "common/cache/l1_index.h"
#include "common/cache/l1_mutants.h"
#include "common/cache/l1_section.h"

#define WAITS_MAX                                                                                  \
    3 /* calls for which a hint that was announced may be late, before everything is scanned       \
         instead */

/* ---- what waits for the store ---- */

/*
 * SF_OK: *item is a record with these marks: dirty, or stored. Its owner has confirmed it: what is OWNED is not
 * acknowledged yet, or is the sweeper's. SF_NOT_FOUND: there is none. Anything else: it could not be copied.
 */
static enum sf_status
read_live(struct sf_l1 *l1, uint32_t block, bool is_clean, struct sf_l1_dirty *item)
{
    struct sf_l1_place place;
    struct sf_l1_image image;

    if (!sf_l1_block_place(l1, block, &place))
        return SF_NOT_FOUND;
    uint64_t control = sf_l1_load(&place.control->state);
    if (sf_l1_control_state(control) != SF_L1_LIVE || sf_l1_control_is_clean(control) != is_clean)
        return SF_NOT_FOUND;
    if (item->record.limit == 0)
        sf_buffer_init(&item->record, SF_RECORD_BYTES_MAX);
    enum sf_status status = sf_l1_block_read(l1, &place, control, NULL, &item->record, &image);
    if (status == SF_CONFLICT || status == SF_CORRUPT)
        return SF_NOT_FOUND; /* its successor is handed out; damage is the sweeper's to count */
    if (status != SF_OK)
        return status;
    item->key = image.key;
    item->dirty_since = image.since;
    item->last_access = image.last_access;
    item->ticket = (struct sf_l1_ticket){block, control};
    return SF_OK;
}

static enum sf_status
read_dirty(struct sf_l1 *l1, uint32_t block, struct sf_l1_dirty *item)
{
    return read_live(l1, block, false, item);
}

static size_t
scan(struct sf_l1 *l1, struct sf_l1_cursor *cursor, struct sf_l1_dirty *items, size_t limit)
{
    uint32_t end = sf_l1_block_limit(l1);
    size_t taken = 0;

    while (taken < limit && cursor->block < end) {
        enum sf_status status = read_dirty(l1, cursor->block, &items[taken]);

        cursor->is_stuck = status != SF_OK && status != SF_NOT_FOUND;
        if (cursor->is_stuck)
            break;
        taken += status == SF_OK;
        cursor->block = sf_l1_block_next(l1, cursor->block);
    }
    return taken;
}

/* From now on: hints left during the scan are followed behind it. */
static void
begin_scan(struct sf_l1 *l1, struct sf_l1_cursor *cursor)
{
    *cursor = (struct sf_l1_cursor){
        .hint = sf_l1_load(&l1->header->hint_head), /* O9, both */
        .deaths = sf_l1_load(&l1->header->deaths),
        .is_following = true,
    };
}

/*
 * Each generation is handed out by its own hint only, or a session that changes all the time would
 * be taken many times over.
 */
static enum sf_status
read_hinted(struct sf_l1 *l1, const struct sf_l1_hint *hint, struct sf_l1_dirty *item)
{
    enum sf_status status = read_dirty(l1, hint->block, item);

    if (status == SF_OK && (uint16_t)sf_l1_control_gen(item->ticket.control) != hint->gen)
        return SF_NOT_FOUND;
    return status;
}

/* false: hints were lost, or may be. */
static bool
follow_hints(struct sf_l1 *l1, struct sf_l1_cursor *cursor, struct sf_l1_dirty *items, size_t limit,
             size_t *taken)
{
    while (*taken < limit) {
        struct sf_l1_hint hint = {.block = 0};
        enum sf_l1_hint_answer answer = sf_l1_hint_read(l1, cursor->hint, &hint);

        if (answer == SF_L1_HINT_OVERRUN)
            return false;
        if (answer == SF_L1_HINT_WAIT)
            return ++cursor->waits < WAITS_MAX;
        cursor->waits = 0;
        if (answer == SF_L1_HINT_NONE)
            return true;
        enum sf_status status = read_hinted(l1, &hint, &items[*taken]);
        cursor->is_stuck = status != SF_OK && status != SF_NOT_FOUND;
        if (cursor->is_stuck)
            return true;
        *taken += status == SF_OK;
        cursor->hint++;
    }
    return true;
}

static bool
is_somebody_buried(const struct sf_l1 *l1, const struct sf_l1_cursor *cursor)
{
    return cursor->deaths != sf_l1_load(&l1->header->deaths);
}

/*
 * Burials are looked for behind the hints, too. A hint that was left after a burial, and followed
 * before the burial was seen, would stand in for it in sf_l1_cursor_changes.
 */
size_t
sf_l1_dirty_take(struct sf_l1 *l1, struct sf_l1_cursor *cursor, struct sf_l1_dirty *items,
                 size_t limit)
{
    size_t taken = 0;

    cursor->is_stuck = false;
    if (!cursor->is_following || is_somebody_buried(l1, cursor))
        begin_scan(l1, cursor);
    taken = scan(l1, cursor, items, limit);
    if (cursor->is_stuck)
        return taken;
    if (!follow_hints(l1, cursor, items, limit, &taken) || is_somebody_buried(l1, cursor)) {
        begin_scan(l1, cursor);
        taken += scan(l1, cursor, items + taken, limit - taken);
    }
    return taken;
}

void
sf_l1_dirty_fini(struct sf_l1_dirty *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sf_buffer_fini(&items[i].record);
        items[i] = (struct sf_l1_dirty){.dirty_since = 0};
    }
}

static void
settle_in_section(struct sf_l1 *l1, const struct sf_l1_ticket *ticket, sf_time written, uint64_t marks)
{
    const uint64_t both = SF_L1_CLEAN | SF_L1_JOURNALLED;
    struct sf_l1_place place;
    uint64_t control = ticket->control;

    if (!sf_l1_block_place(l1, ticket->block, &place))
        return;
    if (SF_MUTANT(SETTLES_NEXT))
        control = sf_l1_load(&place.control->state);
    _Atomic uint64_t *state = &place.control->state;
    if (sf_l1_swap(state, control, control | marks) ||
        (marks == SF_L1_CLEAN && sf_l1_swap(state, control | both, control | SF_L1_CLEAN)))
        sf_l1_block_renew(&place, ticket->control, written);
}

void
sf_l1_settle(struct sf_l1 *l1, const struct sf_l1_ticket *ticket, sf_time written)
{
    uint64_t section = sf_l1_enter(l1);

    settle_in_section(l1, ticket, written, SF_L1_CLEAN);
    sf_l1_leave(l1, section);
}

void
sf_l1_settle_journalled(struct sf_l1 *l1, const struct sf_l1_ticket *ticket, sf_time written)
{
    uint64_t section = sf_l1_enter(l1);

    settle_in_section(l1, ticket, written, SF_L1_CLEAN | SF_L1_JOURNALLED);
    sf_l1_leave(l1, section);
}

static void
settle_key_in_section(struct sf_l1 *l1, const struct sf_key *key, uint64_t version, sf_time written)
{
    struct sf_l1_found found;

    if (sf_l1_find(l1, key, NULL, &found) != SF_OK || found.image.brief.version != version ||
        (found.control & SF_L1_JOURNALLED) == 0)
        return;
    if (sf_l1_swap(&found.place.control->state, found.control, found.control & ~SF_L1_JOURNALLED))
        sf_l1_block_renew(&found.place, found.control, written);
}

void
sf_l1_settle_key(struct sf_l1 *l1, const struct sf_key *key, uint64_t version, sf_time written)
{
    uint64_t section = sf_l1_enter(l1);

    settle_key_in_section(l1, key, version, written);
    sf_l1_leave(l1, section);
}

/* What a dead process has published without a hint counts once he is buried. */
uint64_t
sf_l1_changes(const struct sf_l1 *l1)
{
    return sf_l1_load(&l1->header->hint_head) + sf_l1_load(&l1->header->deaths); /* O9 */
}

uint64_t
sf_l1_cursor_changes(const struct sf_l1_cursor *cursor)
{
    return cursor->hint + cursor->deaths;
}

/* ---- what the store has, or had ---- */

size_t
sf_l1_clean_take(struct sf_l1 *l1, uint32_t *cursor, struct sf_l1_dirty *items, size_t limit)
{
    uint32_t end = sf_l1_block_limit(l1);
    size_t taken = 0;

    while (taken < limit && *cursor < end) {
        taken += read_live(l1, *cursor, true, &items[taken]) == SF_OK;
        *cursor = sf_l1_block_next(l1, *cursor);
    }
    if (*cursor >= end)
        *cursor = 0;
    return taken;
}

/* ---- last accesses that the store should hear of ---- */

static bool
read_touched(struct sf_l1 *l1, uint32_t block, struct sf_l1_touched *item)
{
    struct sf_l1_place place;
    struct sf_l1_image image;

    if (!sf_l1_block_place(l1, block, &place))
        return false;
    uint64_t control = sf_l1_load(&place.control->state);
    if (sf_l1_control_state(control) != SF_L1_LIVE || !sf_l1_control_is_clean(control))
        return false;
    if (!sf_l1_block_is_ahead(&place, control)) /* nearly always: the block is not looked at */
        return false;
    if (sf_l1_block_read(l1, &place, control, NULL, NULL, &image) != SF_OK ||
        !sf_l1_image_needs_touch(&image))
        return false;
    item->key = image.key;
    item->last_access = image.last_access;
    item->expires = sf_l1_image_expires(&image, image.last_access);
    item->ticket = (struct sf_l1_ticket){block, control};
    return true;
}

size_t
sf_l1_touched_take(struct sf_l1 *l1, uint32_t *cursor, struct sf_l1_touched *items, size_t limit)
{
    uint32_t end = sf_l1_block_limit(l1);
    size_t taken = 0;

    while (taken < limit && *cursor < end) {
        taken += read_touched(l1, *cursor, &items[taken]);
        *cursor = sf_l1_block_next(l1, *cursor);
    }
    if (*cursor >= end)
        *cursor = 0;
    return taken;
}

static void
touched_settle_in_section(struct sf_l1 *l1, const struct sf_l1_touched *item)
{
    struct sf_l1_place place;

    if (sf_l1_block_place(l1, item->ticket.block, &place))
        sf_l1_block_note_access(&place, item->ticket.control, item->last_access);
}

void
sf_l1_touched_settle(struct sf_l1 *l1, const struct sf_l1_touched *item)
{
    uint64_t section = sf_l1_enter(l1);

    touched_settle_in_section(l1, item);
    sf_l1_leave(l1, section);
}
