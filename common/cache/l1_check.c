/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_index.h"
#include "common/cache/l1_segment.h"
#include "common/cache/l1_worth.h"

struct walk {
    struct sf_l1 *l1;
    bool is_quiet;
    struct sf_buffer record;
    struct sf_error *error;
};

/* ---- slots ---- */

static enum sf_status
check_slots(struct walk *walk)
{
    for (uint32_t slot = 0; walk->is_quiet && slot < walk->l1->plan.slots; slot++) {
        if (sf_process_slot_dead_word(&walk->l1->slots, slot) != 0)
            return sf_error_set(walk->error, SF_CORRUPT,
                                "slot %u: its owner died, and nobody has repaired what it left",
                                slot);
    }
    return SF_OK;
}

/* ---- blocks ---- */

/*
 * Others may change the block while it is looked at: a finding counts only when the control is
 * still the same.
 */
static enum sf_status
report_block(struct walk *walk, uint32_t block, const struct sf_l1_place *place, uint64_t control,
             const char *finding)
{
    if (!walk->is_quiet && sf_l1_load(&place->control->state) != control)
        return SF_OK;
    return sf_error_set(walk->error, SF_CORRUPT, "block %u: %s", block, finding);
}

static const char *
find_fault(struct walk *walk, uint32_t block, const struct sf_l1_place *place, uint64_t control,
           const struct sf_l1_image *image)
{
    struct sf_record_head head;
    struct sf_span record = sf_buffer_span(&walk->record);
    _Atomic uint64_t *word;
    uint64_t value;

    if (sf_record_check(record) != SF_OK || sf_record_head(&head, record) != SF_OK)
        return "not a record";
    if (!sf_l1_touch_matches(sf_l1_peek(&place->control->touch), sf_l1_control_gen(control)))
        return "last access of another generation";
    if (!sf_l1_since_matches(sf_l1_peek(&place->control->since), sf_l1_control_gen(control)))
        return "age of another generation";
    if (sf_l1_touch_worth(sf_l1_peek(&place->control->touch)) != sf_l1_worth_of(&head))
        return "of another worth than its record says";
    if (walk->is_quiet && !sf_l1_find_naming(walk->l1, &image->key, block, &word, &value))
        return "live, but not in the index";
    return NULL;
}

static enum sf_status
check_live(struct walk *walk, uint32_t block, const struct sf_l1_place *place, uint64_t control)
{
    struct sf_l1_image image;
    enum sf_status status = sf_l1_block_read(walk->l1, place, control, NULL, &walk->record, &image);

    if (status == SF_CONFLICT)
        return SF_OK;
    if (status == SF_CORRUPT)
        return report_block(walk, block, place, control, "wrong checksum");
    if (status != SF_OK)
        return status;
    const char *fault = find_fault(walk, block, place, control, &image);
    return fault == NULL ? SF_OK : report_block(walk, block, place, control, fault);
}

static enum sf_status
check_block(struct walk *walk, uint32_t block)
{
    struct sf_l1_place place;

    if (!sf_l1_block_place(walk->l1, block, &place))
        return SF_OK;
    uint64_t control = sf_l1_load(&place.control->state);
    switch (sf_l1_control_state(control)) {
    case SF_L1_FREE:
        return SF_OK;
    case SF_L1_LIVE:
        return check_live(walk, block, &place, control);
    case SF_L1_OWNED:
        if (sf_l1_control_owner(control) >= walk->l1->plan.slots)
            return report_block(walk, block, &place, control,
                                "owned by a slot that does not exist");
        return walk->is_quiet
                   ? report_block(walk, block, &place, control, "owned, though nobody is at work")
                   : SF_OK;
    default:
        return report_block(walk, block, &place, control, "in no state that exists");
    }
}

/* ---- index ---- */

static enum sf_status
report_word(struct walk *walk, const struct sf_l1_found *found, const char *finding)
{
    if (!walk->is_quiet && sf_l1_load(found->word) != found->value)
        return SF_OK;
    return sf_error_set(walk->error, SF_CORRUPT, "index word %td (block %u): %s",
                        found->word - &walk->l1->index[0].words[0], found->block, finding);
}

static enum sf_status
check_word(struct walk *walk, _Atomic uint64_t *word)
{
    uint64_t value = sf_l1_load(word);
    struct sf_l1_found found = {.word = word};

    if (sf_l1_word_is_empty(value))
        return SF_OK;
    enum sf_status status = sf_l1_follow(walk->l1, word, value, &found);
    if (status == SF_CORRUPT)
        return report_word(walk, &found, "names no block in use");
    if (status == SF_OK)
        status = sf_l1_block_read(walk->l1, &found.place, found.control, NULL, NULL, &found.image);
    if (status != SF_OK)
        return SF_OK; /* changed, or reported with its block */
    struct sf_l1_home home = sf_l1_home_of(walk->l1, &found.image.key);
    if (!sf_l1_home_has(&home, word, value))
        return report_word(walk, &found, "in a bucket, or with a tag, that is not its key's");
    if (walk->is_quiet && sf_l1_find_other(walk->l1, &found.image.key, word))
        return report_word(walk, &found, "its key is in the index twice");
    return SF_OK;
}

static enum sf_status
check_all(struct walk *walk)
{
    struct sf_l1 *l1 = walk->l1;
    uint32_t limit = sf_l1_block_limit(l1);
    enum sf_status status = sf_l1_segment_check(l1, walk->error);

    if (status == SF_OK)
        status = check_slots(walk);
    for (uint32_t block = 0; status == SF_OK && block < limit; block = sf_l1_block_next(l1, block))
        status = check_block(walk, block);
    for (uint32_t bucket = 0; status == SF_OK && bucket < l1->plan.buckets; bucket++) {
        for (uint32_t i = 0; status == SF_OK && i < SF_L1_BUCKET_WORDS; i++)
            status = check_word(walk, &l1->index[bucket].words[i]);
    }
    return status;
}

enum sf_status
sf_l1_check(struct sf_l1 *l1, bool is_quiet, struct sf_error *error)
{
    struct walk walk = {.l1 = l1, .is_quiet = is_quiet, .error = error};

    sf_buffer_init(&walk.record, SF_RECORD_BYTES_MAX);
    enum sf_status status = check_all(&walk);
    sf_buffer_fini(&walk.record);
    return status;
}
