/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_confirm.h"
#include "common/cache/l1_evict.h"
#include "common/cache/l1_mutants.h"
#include "common/cache/l1_worth.h"
#include "common/cache/l1_section.h"

/*
 * A record that was loaded before a change must never stand in for that change. Changes only ever
 * replace a record that is here, so an old copy can come in only when the key was here, was
 * changed, stored and removed again between the look that missed and now. Every removal counts up a
 * counter that the miss has noted; and of two fills at once at least one sees the other's word, and
 * gives way, before readers see either: only LIVE confirms a fill.
 */
static bool
is_overtaken(const struct sf_l1 *l1, const struct sf_key *key, const _Atomic uint64_t *word,
             const struct sf_l1_vacancy *vacancy)
{
    sf_l1_fence(); /* O5 */
    if (!SF_MUTANT(FILLS_TWICE) && sf_l1_find_other(l1, key, word))
        return true;
    if (SF_MUTANT(FILLS_OLD))
        return false;
    struct sf_l1_home home = sf_l1_home_of(l1, key);
    return sf_l1_load(home.removals) != vacancy->removals; /* O4: behind the look at the words */
}

static enum sf_status
publish_fill(struct sf_l1 *l1, const struct sf_key *key, const struct sf_l1_owned *owned,
             const struct sf_l1_vacancy *vacancy, uint64_t marks)
{
    _Atomic uint64_t *word;
    uint64_t value;
    enum sf_status status = sf_l1_insert(l1, key, owned->block, &word, &value);

    if (status != SF_OK)
        return status;
    if (is_overtaken(l1, key, word, vacancy)) {
        (void)sf_l1_withdraw(word, value);
        return SF_CONFLICT;
    }
    sf_l1_block_publish(owned, marks);
    return SF_OK;
}

/* What there is no room for is current only if nothing has overtaken it, either. */
static enum sf_status
refuse(const struct sf_l1 *l1, const struct sf_key *key, const struct sf_l1_vacancy *vacancy,
       enum sf_status status)
{
    return status == SF_FULL && is_overtaken(l1, key, NULL, vacancy) ? SF_CONFLICT : status;
}

static enum sf_status
fill_new(struct sf_l1 *l1, const struct sf_l1_image *image, const struct sf_l1_answer *answer,
         const struct sf_l1_vacancy *vacancy)
{
    struct sf_l1_owned owned;
    enum sf_status status = sf_l1_room_for(l1, answer->record.size, SF_L1_FOR_FILL, &owned);

    if (status != SF_OK)
        return refuse(l1, &image->key, vacancy, status);
    if (!SF_MUTANT(NAMED_EMPTY))
        sf_l1_block_fill(l1, &owned, image, answer->record);
    status = publish_fill(l1, &image->key, &owned, vacancy, sf_l1_marks_of(answer));
    if (SF_MUTANT(NAMED_EMPTY))
        sf_l1_block_fill(l1, &owned, image, answer->record);
    if (status != SF_OK)
        sf_l1_block_give_back(l1, &owned);
    return refuse(l1, &image->key, vacancy, status);
}

enum sf_status
sf_l1_fill_in_section(struct sf_l1 *l1, const struct sf_key *key, const struct sf_l1_answer *answer,
                      const struct sf_l1_vacancy *vacancy)
{
    struct sf_record_head head;
    struct sf_l1_found found;
    enum sf_status status = l1->is_writable ? sf_record_head(&head, answer->record) : SF_INVALID;

    if (status != SF_OK)
        return status;
    status = sf_l1_find(l1, key, NULL, &found);
    if (status == SF_OK || status == SF_CONFLICT)
        return SF_OK; /* it is here, and changing */
    struct sf_l1_image image = {
        .key = *key,
        .length = (uint32_t)answer->record.size,
        .worth = sf_l1_worth_of(&head),
        .since = vacancy->seen,
        .last_access =
            answer->last_access > head.last_access ? answer->last_access : head.last_access,
    };
    return fill_new(l1, &image, answer, vacancy);
}

enum sf_status
sf_l1_fill(struct sf_l1 *l1, const struct sf_key *key, struct sf_span record, sf_time last_access,
           const struct sf_l1_vacancy *vacancy)
{
    const struct sf_l1_answer answer = {.record = record, .last_access = last_access};
    uint64_t section = sf_l1_enter(l1);
    enum sf_status status = sf_l1_fill_in_section(l1, key, &answer, vacancy);

    sf_l1_leave(l1, section);
    return status;
}

static enum sf_status
drop_in_section(struct sf_l1 *l1, const struct sf_key *key)
{
    struct sf_l1_found found;
    enum sf_status status = l1->is_writable ? sf_l1_find(l1, key, NULL, &found) : SF_INVALID;

    if (status != SF_OK)
        return status;
    if (!sf_l1_evict_block(l1, found.block, &found.place, found.control, SF_L1_LOSE_TOUCHES))
        return SF_CONFLICT;
    sf_l1_block_retire(l1, found.block, found.control);
    return SF_OK;
}

enum sf_status
sf_l1_drop(struct sf_l1 *l1, const struct sf_key *key)
{
    uint64_t section = sf_l1_enter(l1);
    enum sf_status status = drop_in_section(l1, key);

    sf_l1_leave(l1, section);
    return status;
}
