/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/merge.h"

#include "common/session/session.h"

/* One merge: `row` becomes the result. */
struct merging {
    struct sf_session row, ours;
    struct sf_lineage row_lineage, our_lineage;
    uint64_t known; /* the row has our changes up to here */
    bool is_new;
};

static bool
is_pending(const struct merging *work, struct sf_span name)
{
    const struct sf_lineage *ours = &work->our_lineage;
    for (size_t i = 0; i < ours->set_count; i++)
        if (sf_span_equal(ours->sets[i].name, name))
            return ours->sets[i].version > work->known;
    return false;
}

static enum sf_status
take_set(struct merging *work, struct sf_span name)
{
    const struct sf_field *field = sf_session_find(&work->ours, name);
    work->is_new = true;
    if (name.size == 0) {
        work->row.head.flags = work->ours.head.flags;
        return SF_OK;
    }
    if (field != NULL)
        return sf_session_set(&work->row, name, &field->value);
    (void)sf_session_unset(&work->row, name);
    return SF_OK;
}

static int64_t
add_clamped(int64_t number, int64_t delta)
{
    int64_t sum;
    if (!__builtin_add_overflow(number, delta, &sum))
        return sum;
    return delta > 0 ? INT64_MAX : INT64_MIN;
}

/* What has become something else than a number on another host counts from 0, as where it was unset. */
static enum sf_status
add_to(struct merging *work, struct sf_span name, int64_t delta)
{
    const struct sf_field *field = sf_session_find(&work->row, name);
    struct sf_value sum = {.type = SF_VALUE_INTEGER};
    int64_t number = 0;
    if (field != NULL && field->value.type == SF_VALUE_INTEGER)
        number = field->value.integer;
    else if (field != NULL && sf_int64_parse(field->value.bytes, &number) != SF_OK)
        number = 0;
    sum.integer = add_clamped(number, delta);
    return sf_session_set(&work->row, name, &sum);
}

/* A field that we have set has our sum in it already. */
static enum sf_status
take_sum(struct merging *work, const struct sf_lineage_sum *sum)
{
    struct sf_lineage *row = &work->row_lineage;
    uint64_t had = (uint64_t)sf_lineage_sum_of(row, sum->host, sum->name);
    int64_t delta = (int64_t)((uint64_t)sum->total - had);
    if (sum->host != work->our_lineage.host || delta == 0)
        return SF_OK;
    enum sf_status status = is_pending(work, sum->name) ? SF_OK : add_to(work, sum->name, delta);
    work->is_new = true;
    return status == SF_OK ? sf_lineage_note_sum(row, sum->name, delta) : status;
}

static enum sf_status
take_changes(struct merging *work)
{
    const struct sf_lineage *ours = &work->our_lineage;
    enum sf_status status = SF_OK;
    sf_lineage_begin(&work->row_lineage, ours->host, work->row.head.version);
    for (size_t i = 0; status == SF_OK && i < ours->set_count; i++) {
        if (ours->sets[i].version <= work->known)
            continue;
        status = take_set(work, ours->sets[i].name);
        if (status == SF_OK)
            status = sf_lineage_note_set(&work->row_lineage, ours->sets[i].name, ours->sets[i].version);
    }
    for (size_t i = 0; status == SF_OK && i < ours->sum_count; i++)
        status = take_sum(work, &ours->sums[i]);
    return status;
}

static uint64_t
later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The lineage is put together from both, so it needs bytes of its own until it is written. */
static enum sf_status
encode(struct merging *work, struct sf_session *result, struct sf_buffer *merged_out)
{
    struct sf_buffer bytes;
    uint64_t ours = work->ours.head.version;
    /* Of ours as it is: a version that we make meanwhile may have the number of the result. */
    sf_lineage_merge_to(&work->row_lineage, work->our_lineage.host, ours);
    result->head.version = later(work->row.head.version, ours) + 1;
    sf_buffer_init(&bytes, SF_RECORD_BYTES_MAX);
    enum sf_status status = sf_lineage_encode(&work->row_lineage, &bytes);
    result->head.lineage = sf_buffer_span(&bytes);
    if (status == SF_OK)
        status = sf_session_encode(result, SF_RECORD_BYTES_MAX, merged_out);
    sf_buffer_fini(&bytes);
    return status;
}

/* Our end, in the place of the row. */
static enum sf_status
end_row(struct merging *work, struct sf_buffer *merged_out)
{
    work->is_new = true;
    sf_lineage_begin(&work->row_lineage, work->our_lineage.host, work->row.head.version);
    return encode(work, &work->ours, merged_out);
}

/*
 * The row is older than the one that ours grew from: its store has gone back to an older copy, or it is not from the
 * store itself. All that such a row ever had is in ours.
 */
static enum sf_status
replace_row(struct merging *work, struct sf_buffer *merged_out)
{
    struct sf_lineage theirs = work->row_lineage;
    work->is_new = true;
    work->row_lineage = work->our_lineage;
    work->row_lineage.base = work->row.head.version;
    work->our_lineage = theirs;
    work->our_lineage.host = work->row_lineage.host;
    return encode(work, &work->ours, merged_out);
}

static enum sf_status
merge(struct merging *work, struct sf_span row, struct sf_buffer *merged_out)
{
    bool is_row_ended = work->row.head.kind == SF_RECORD_ENDED;
    sf_buffer_clear(merged_out);
    if (!is_row_ended && work->ours.head.kind == SF_RECORD_ENDED)
        return end_row(work, merged_out);
    if (!is_row_ended && work->row.head.version < work->our_lineage.base)
        return replace_row(work, merged_out);
    work->known = sf_lineage_merged(&work->row_lineage, work->our_lineage.host);
    enum sf_status status = is_row_ended ? SF_OK : take_changes(work);
    if (status != SF_OK || !work->is_new)
        return status == SF_OK ? sf_buffer_append_span(merged_out, row) : status;
    if (work->row.head.last_access < work->ours.head.last_access)
        work->row.head.last_access = work->ours.head.last_access;
    return encode(work, &work->row, merged_out);
}

enum sf_status
sf_record_merge(struct sf_buffer *merged_out, bool *is_new_out, struct sf_span row, struct sf_span ours)
{
    struct merging work = {.is_new = false};
    sf_session_init(&work.row);
    sf_session_init(&work.ours);
    sf_lineage_init(&work.row_lineage);
    sf_lineage_init(&work.our_lineage);
    enum sf_status status = sf_session_decode(&work.row, row);
    if (status == SF_OK)
        status = sf_session_decode(&work.ours, ours);
    if (status == SF_OK)
        status = sf_lineage_decode(&work.row_lineage, work.row.head.lineage);
    if (status == SF_OK)
        status = sf_lineage_decode(&work.our_lineage, work.ours.head.lineage);
    if (status == SF_OK)
        status = merge(&work, row, merged_out);
    *is_new_out = work.is_new;
    sf_session_fini(&work.row);
    sf_session_fini(&work.ours);
    sf_lineage_fini(&work.row_lineage);
    sf_lineage_fini(&work.our_lineage);
    return status;
}
