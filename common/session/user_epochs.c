/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/user_epochs.h"

#include <stdlib.h>
#include <string.h>

#define RECORD_FLAGS (SF_RECORD_PINNED | SF_RECORD_EPOCHS)

/* No hash of an id ends so, as far as chance goes. Loaders and stores sort keys by how they begin. */
static const unsigned char key_end[SF_KEY_BYTES - 8] = "sf-users";

/* ---- keys ---- */

/* FNV-1a, folded: all hosts, and all later versions, must look for a user in the same row. */
unsigned
sf_user_epochs_row(struct sf_span user)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < user.size; i++)
        hash = (hash ^ user.data[i]) * UINT64_C(0x100000001b3);
    return (unsigned)((hash ^ hash >> 32) % SF_USER_EPOCH_ROWS);
}

struct sf_key
sf_user_epochs_key(unsigned row)
{
    struct sf_key key;
    sf_store_u64(key.bytes, (row + 1) * UINT64_C(0x9e3779b97f4a7c15)); /* far from each other */
    memcpy(key.bytes + SF_KEY_BYTES - sizeof key_end, key_end, sizeof key_end);
    return key;
}

bool
sf_user_epochs_has_key(const struct sf_key *key)
{
    return memcmp(key->bytes + SF_KEY_BYTES - sizeof key_end, key_end, sizeof key_end) == 0;
}

/* ---- reading ---- */

bool
sf_user_epochs_are(const struct sf_record_head *head)
{
    return (head->flags & SF_RECORD_EPOCHS) != 0;
}

static uint32_t
later(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t
epoch_of(const struct sf_value *value)
{
    return value->type == SF_VALUE_INTEGER ? (uint32_t)value->integer : 0;
}

enum sf_status
sf_user_epochs_read(struct sf_user_epoch *epoch_out, struct sf_span record, struct sf_span user)
{
    struct sf_record_head head;
    struct sf_value value = {.type = 0};
    enum sf_status status = sf_record_head(&head, record);
    if (status == SF_OK)
        status = sf_record_find(&value, record, user);
    if (status != SF_OK && status != SF_NOT_FOUND)
        return status;
    *epoch_out = (struct sf_user_epoch){
        .next = (uint32_t)head.version,
        .least = later(head.user_epoch, epoch_of(&value)),
    };
    return SF_OK;
}

/* ---- changing ---- */

static void
begin_row(struct sf_session *session)
{
    sf_session_init(session);
    session->head.flags = RECORD_FLAGS;
}

enum sf_status
sf_user_epochs_first(struct sf_buffer *record_out)
{
    struct sf_session session;
    begin_row(&session);
    session.head.version = 1;
    return sf_session_encode(&session, SF_RECORD_BYTES_MAX, record_out);
}

static enum sf_status
set_user(struct sf_session *row, struct sf_span user, uint32_t epoch)
{
    const struct sf_value value = {.type = SF_VALUE_INTEGER, .integer = epoch};
    return sf_session_set(row, user, &value);
}

/* Who needs no more than everybody does is not named. */
static void
raise_floor(struct sf_session *row, uint32_t floor)
{
    size_t kept = 0;
    row->head.user_epoch = later(row->head.user_epoch, floor);
    for (size_t i = 0; i < row->count; i++)
        if (epoch_of(&row->fields[i].value) > row->head.user_epoch)
            row->fields[kept++] = row->fields[i];
    row->count = kept;
}

static int
compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static uint32_t
median(const struct sf_session *row)
{
    uint32_t epochs[2 * SF_USER_EPOCHS_MAX];
    size_t count = row->count < 2 * SF_USER_EPOCHS_MAX ? row->count : 2 * SF_USER_EPOCHS_MAX;
    for (size_t i = 0; i < count; i++)
        epochs[i] = epoch_of(&row->fields[i].value);
    qsort(epochs, count, sizeof epochs[0], compare);
    return epochs[count / 2];
}

/* Returns how many users are not named any more. */
static size_t
make_room(struct sf_session *row)
{
    raise_floor(row, 0);
    size_t before = row->count;
    while (row->count > SF_USER_EPOCHS_MAX)
        raise_floor(row, median(row));
    return before - row->count;
}

static enum sf_status
take_step(struct sf_session *row, const struct sf_user_epochs_change *change)
{
    uint32_t next = (uint32_t)row->head.version;
    if (change->least > next)
        return SF_INVALID; /* no login could have it: that number is of a row which the store has lost */
    switch (change->step) {
    case SF_EPOCHS_MOVE:
        return SF_OK;
    case SF_EPOCHS_END_USER:
        return set_user(row, change->user, change->least == 0 ? next : change->least);
    case SF_EPOCHS_END_ALL:
        raise_floor(row, next);
        return SF_OK;
    }
    return SF_INVALID;
}

static enum sf_status
encode(struct sf_session *row, struct sf_buffer *record_out)
{
    row->head.field_count = (uint32_t)row->count;
    return sf_session_encode(row, SF_RECORD_BYTES_MAX, record_out);
}

/* A user who needs a later one already, after a logout that came in between, goes on needing it. */
static bool
is_done(const struct sf_session *row, const struct sf_user_epochs_change *change)
{
    const struct sf_field *field =
        change->step == SF_EPOCHS_END_USER && change->least != 0 ? sf_session_find(row, change->user) : NULL;
    return field != NULL && epoch_of(&field->value) >= change->least;
}

enum sf_status
sf_user_epochs_change(struct sf_buffer *record_out, size_t *passed_over_out, struct sf_span record,
                      const struct sf_user_epochs_change *change)
{
    struct sf_session row;
    begin_row(&row);
    enum sf_status status = record.size > 0 ? sf_session_decode(&row, record) : SF_OK;
    uint64_t seconds = (uint64_t)(change->now / SF_SECOND), next = row.head.version + 1;
    row.head.version = next > seconds ? next : seconds;
    if (status == SF_OK && row.head.version > UINT32_MAX)
        status = SF_FULL;
    if (status == SF_OK && !is_done(&row, change))
        status = take_step(&row, change);
    if (status == SF_OK)
        *passed_over_out = make_room(&row);
    row.head.last_access = change->now;
    if (row.head.created == 0)
        row.head.created = change->now;
    if (status == SF_OK)
        status = encode(&row, record_out);
    sf_session_fini(&row);
    return status;
}

/* ---- two copies ---- */

static bool
says_the_same(const struct sf_session *one, const struct sf_session *other)
{
    bool is_same = one->head.user_epoch == other->head.user_epoch && one->count == other->count;
    for (size_t i = 0; is_same && i < one->count; i++)
        is_same = sf_span_equal(one->fields[i].name, other->fields[i].name) &&
                  sf_value_equal(&one->fields[i].value, &other->fields[i].value);
    return is_same;
}

static enum sf_status
add_all(struct sf_session *sum, const struct sf_session *row)
{
    enum sf_status status = SF_OK;
    for (size_t i = 0; status == SF_OK && i < row->count; i++) {
        const struct sf_field *field = sf_session_find(sum, row->fields[i].name);
        uint32_t had = field == NULL ? 0 : epoch_of(&field->value);
        status = set_user(sum, row->fields[i].name, later(had, epoch_of(&row->fields[i].value)));
    }
    return status;
}

enum sf_status
sf_user_epochs_join(struct sf_buffer *joined_out, bool *is_new_out, const struct sf_session *row,
                    const struct sf_session *ours)
{
    struct sf_session sum;
    bool is_ours_later = ours->head.version > row->head.version;
    begin_row(&sum);
    sum.head = is_ours_later ? ours->head : row->head;
    enum sf_status status = add_all(&sum, row);
    if (status == SF_OK)
        status = add_all(&sum, ours);
    raise_floor(&sum, later(row->head.user_epoch, ours->head.user_epoch));
    make_room(&sum);
    bool is_third = !says_the_same(&sum, is_ours_later ? ours : row);
    sum.head.version += is_third;
    *is_new_out = is_ours_later || is_third;
    if (status == SF_OK)
        status = encode(&sum, joined_out);
    sf_session_fini(&sum);
    return status;
}
