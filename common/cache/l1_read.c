/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The hit. All else in this folder may be slow; here each instruction and each line of memory counts.
 * A hit waits for three lines, one behind the other: bucket, block, and what the record has beyond.
 *
 * The checksum is not looked at: docs/decisions/0011 says why. The key is, and so is
 * the generation, behind the copy.
 */
#include "common/cache/l1_confirm.h"
#include "common/cache/l1_copy.h"
#include "common/cache/l1_mutants.h"
#include "common/cache/l1_section.h"
#include "common/session/record_layout.h"

#define FIELD_LOOKS 8

/* A block as a reader sees it, through the word that names it. */
struct look {
    struct sf_l1_place place;
    uint64_t control;
    uint64_t touch, since;
    uint32_t length;
};

static bool
has_key(const struct sf_l1_place *place, const struct sf_key *key)
{
    uint64_t wanted[2];

    memcpy(wanted, key->bytes, sizeof(wanted));
    return ((sf_l1_peek(&place->words[SF_L1_AT_KEY]) ^ wanted[0]) |
            (sf_l1_peek(&place->words[SF_L1_AT_KEY_HIGH]) ^ wanted[1])) == 0;
}

/*
 * SF_OK: the block of `key`, to be copied and then looked at again. Anything odd is SF_CONFLICT:
 * sf_l1_find takes its time to find out what is wrong.
 */
static enum sf_status
open_block(const struct sf_l1 *l1, const _Atomic uint64_t *word, const struct sf_key *key,
           struct look *look)
{
    uint64_t value = sf_l1_load(word); /* O1 */

    if (!sf_l1_block_place(l1, sf_l1_word_block(value), &look->place))
        return SF_CONFLICT;
    look->control = sf_l1_load(&look->place.control->state); /* O3 */
    if (sf_l1_peek(word) != value || sf_l1_control_state(look->control) == SF_L1_FREE ||
        sf_l1_is_unconfirmed(look->control))
        return SF_CONFLICT;
    if (!has_key(&look->place, key)) /* or not any more */
        return sf_l1_block_is_unchanged(&look->place, look->control) ? SF_NOT_FOUND : SF_CONFLICT;
    look->touch = sf_l1_peek(&look->place.control->touch);
    look->since = sf_l1_peek(&look->place.control->since);
    look->length = (uint32_t)(sf_l1_peek(&look->place.words[SF_L1_AT_LENGTH]) >> 32);
    return look->length <= look->place.capacity && look->length >= SF_RECORD_HEAD_BYTES
               ? SF_OK
               : SF_CONFLICT;
}

static inline __attribute__((always_inline)) enum sf_status
open_record(const struct sf_l1 *l1, const struct sf_l1_home *home, const struct sf_key *key,
            struct look *look)
{
    enum sf_status status = SF_NOT_FOUND;

    for (unsigned i = 0; i < 2 && status == SF_NOT_FOUND; i++) {
        const struct sf_l1_bucket *bucket = home->buckets[i];

        for (unsigned match = sf_l1_bucket_match(bucket, home->tag);
             match != 0 && status == SF_NOT_FOUND; match &= match - 1)
            status = open_block(l1, &bucket->words[__builtin_ctz(match)], key, look);
    }
    return status;
}

static void
count(struct sf_l1 *l1, bool is_hit)
{
    if (is_hit)
        sf_count(l1->counters, l1_hits);
    else
        sf_count(l1->counters, l1_misses);
}

static sf_time
last_access(const struct look *look, sf_time recorded)
{
    uint64_t gen = sf_l1_control_gen(look->control);
    sf_time touched = (sf_time)sf_l1_touch_seconds(look->touch) * SF_SECOND;

    return sf_l1_touch_matches(look->touch, gen) && touched > recorded ? touched : recorded;
}

/* ---- the whole record ---- */

/* Also SF_CONFLICT: it was overtaken. */
static enum sf_status
copy_record(const struct look *look, struct sf_buffer *record_out)
{
    if (record_out->capacity < look->length) {
        sf_buffer_clear(record_out);
        enum sf_status status = sf_buffer_reserve(record_out, look->length);
        if (status != SF_OK)
            return status;
    }
    sf_l1_copy_out(record_out->data, look->place.words + SF_L1_BLOCK_WORDS, look->length);
    record_out->size = look->length;
    return sf_l1_block_is_unchanged(&look->place, look->control) || SF_MUTANT(HIT_LOOKS_ONCE)
               ? SF_OK
               : SF_CONFLICT;
}

static void
describe(const struct look *look, const struct sf_buffer *record, struct sf_l1_view *view_out)
{
    view_out->last_access = last_access(look, sf_record_last_access(record->data));
    view_out->is_clean = sf_l1_control_is_clean(look->control);
    view_out->since = sf_l1_confirmed_at(look->control, look->touch, look->since);
    view_out->vacancy = (struct sf_l1_vacancy){0};
}

/* The long way round: tries again, takes damage out of the index, and says what a miss has seen. */
static enum sf_status
get_slowly(struct sf_l1 *l1, const struct sf_key *key, struct sf_buffer *record_out,
           struct sf_l1_view *view_out)
{
    struct sf_l1_home home = sf_l1_home_of(l1, key);
    struct sf_l1_found found;

    *view_out = (struct sf_l1_view){
        .vacancy = {sf_l1_load(home.removals), sf_clock_steady()}, /* before the look: O4 */
    };
    uint64_t section = sf_l1_enter(l1); /* damage is taken out */
    enum sf_status status = sf_l1_find_at(l1, &home, key, record_out, &found);
    sf_l1_leave(l1, section);
    if (status == SF_OK) {
        view_out->last_access = sf_l1_image_latest(&found.image);
        view_out->is_clean = sf_l1_control_is_clean(found.control);
        view_out->since = sf_l1_found_confirmed_at(&found);
        return SF_OK;
    }
    sf_buffer_clear(record_out);
    return status == SF_NO_MEMORY || status == SF_FULL || status == SF_CONFLICT ? status
                                                                                : SF_NOT_FOUND;
}

enum sf_status
sf_l1_get(struct sf_l1 *l1, const struct sf_key *key, struct sf_buffer *record_out,
          struct sf_l1_view *view_out)
{
    struct sf_l1_home home = sf_l1_home_of(l1, key);
    struct look look = {.length = 0};
    enum sf_status status = open_record(l1, &home, key, &look);

    if (status == SF_OK)
        status = copy_record(&look, record_out);
    if (status == SF_OK)
        describe(&look, record_out, view_out);
    else
        status = get_slowly(l1, key, record_out, view_out);
    count(l1, status == SF_OK);
    return status;
}

/* ---- one field ---- */

static void
read_part(const void *context, void *to, size_t at, size_t bytes)
{
    const struct look *look = context;

    sf_l1_copy_part(to, look->place.words + SF_L1_BLOCK_WORDS, at, bytes);
}

static void
describe_field(const struct look *look, const struct sf_record_brief *brief,
               const struct sf_record_part *part, struct sf_l1_field *field_out)
{
    struct sf_record_head head = {
        .kind = brief->kind,
        .idle_timeout = brief->idle_timeout,
        .absolute_deadline = brief->absolute_deadline,
    };

    *field_out = (struct sf_l1_field){
        .type = part->type,
        .integer = part->integer,
        .size = part->size,
        .is_here = true,
        .kind = brief->kind,
        .version = brief->version,
        .user_epoch = brief->user_epoch,
        .since = sf_l1_confirmed_at(look->control, look->touch, look->since),
        .last_access = last_access(look, brief->last_access),
    };
    field_out->expires = sf_record_expires(&head, field_out->last_access);
}

static enum sf_status
copy_field(const struct look *look, struct sf_span name, void *text_out, size_t room,
           struct sf_l1_field *field_out)
{
    struct sf_record_part part = {.size = 0};
    struct sf_record_brief brief = {.version = 0};
    enum sf_status status =
        sf_record_find_part(&part, &brief, read_part, look, look->length, name);

    if (status == SF_OK && part.size > room)
        status = SF_FULL;
    if (status == SF_OK && part.size > 0)
        read_part(look, text_out, part.at, part.size);
    if (!sf_l1_block_is_unchanged(&look->place, look->control) && !SF_MUTANT(FIELD_LOOKS_ONCE))
        return SF_CONFLICT;
    if (status != SF_CORRUPT)
        describe_field(look, &brief, &part, field_out);
    return status;
}

static enum sf_status
look_for_field(struct sf_l1 *l1, const struct sf_key *key, struct sf_span name, void *text_out,
               size_t room, struct sf_l1_field *field_out)
{
    struct sf_l1_home home = sf_l1_home_of(l1, key);
    struct look look = {.length = 0};
    enum sf_status status = open_record(l1, &home, key, &look);

    field_out->is_here = false;
    return status == SF_OK ? copy_field(&look, name, text_out, room, field_out) : status;
}

/* A look that fails may have met damage, which the long way takes out of the index. */
static enum sf_status
look_again_for_field(struct sf_l1 *l1, const struct sf_key *key, struct sf_span name,
                     void *text_out, size_t room, struct sf_l1_field *field_out)
{
    struct sf_l1_found found;
    uint64_t section = sf_l1_enter(l1);
    enum sf_status status = sf_l1_find(l1, key, NULL, &found);
    sf_l1_leave(l1, section);

    return status == SF_OK ? look_for_field(l1, key, name, text_out, room, field_out) : status;
}

static enum sf_status
get_field(struct sf_l1 *l1, const struct sf_key *key, struct sf_span name, void *text_out,
          size_t room, struct sf_l1_field *field_out)
{
    enum sf_status status = look_for_field(l1, key, name, text_out, room, field_out);

    for (int i = 1; i < FIELD_LOOKS && status == SF_CONFLICT; i++)
        status = look_again_for_field(l1, key, name, text_out, room, field_out);
    return status;
}

enum sf_status
sf_l1_get_field(struct sf_l1 *l1, const struct sf_key *key, struct sf_span name, void *text_out,
                size_t room, struct sf_l1_field *field_out)
{
    enum sf_status status = get_field(l1, key, name, text_out, room, field_out);

    count(l1, field_out->is_here);
    return status;
}

enum sf_status
sf_l1_peek_integer(struct sf_l1 *l1, const struct sf_key *key, struct sf_span name,
                   struct sf_l1_field *field_out)
{
    return get_field(l1, key, name, NULL, 0, field_out);
}
