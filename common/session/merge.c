/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/merge.h"

#include "common/session/session.h"
#include "common/session/user_epochs.h"

/* One merge: `row` becomes the result. */
struct merging {
    struct sf_session row, ours;
    struct sf_lineage row_lineage, our_lineage;
    bool is_row_journalled; /* it is not the store's row, but what this host has made of that */
    bool takes_all;         /* also what was in the row that ours grew from */
    bool is_new;
};

/* The row does not have what this host has done up to this version. */
static bool
is_unknown(const struct merging *work, uint64_t host, uint64_t version)
{
    return version > sf_lineage_merged(&work->row_lineage, host);
}

/* Has ours something of this host that the row does not have? */
static bool
brings(const struct merging *work, uint64_t host)
{
    const struct sf_lineage *ours = &work->our_lineage;
    for (size_t i = 0; i < ours->merged_count; i++)
        if (ours->merged[i].host == host)
            return (ours->merged[i].is_pending || work->takes_all) &&
                   is_unknown(work, host, ours->merged[i].version);
    return false;
}

static bool
takes_set(const struct merging *work, const struct sf_lineage_set *set)
{
    return is_unknown(work, set->host, set->version) && brings(work, set->host);
}

static bool
is_pending(struct merging *work, struct sf_span name)
{
    const struct sf_lineage_set *set = sf_lineage_find_set(&work->our_lineage, name);
    return set != NULL && takes_set(work, set);
}

static enum sf_status
set_in_row(struct merging *work, struct sf_span name)
{
    const struct sf_field *field = sf_session_find(&work->ours, name);
    if (name.size == 0)
        work->row.head.flags = work->ours.head.flags;
    else if (field != NULL)
        return sf_session_set(&work->row, name, &field->value);
    else
        (void)sf_session_unset(&work->row, name);
    return SF_OK;
}

static enum sf_status
take_set(struct merging *work, const struct sf_lineage_set *set)
{
    if (!takes_set(work, set))
        return SF_OK;
    enum sf_status status = set_in_row(work, set->name);
    return status == SF_OK ? sf_lineage_note_set(&work->row_lineage, set) : status;
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


/* A field that we have set has the sum in it already. A sum of 0 is noted, too: who has half of it asks later. */
static enum sf_status
take_sum(struct merging *work, const struct sf_lineage_sum *sum)
{
    struct sf_lineage *row = &work->row_lineage;
    struct sf_lineage_sum delta = *sum;
    uint64_t had = (uint64_t)sf_lineage_sum_of(row, sum->host, sum->name);
    delta.total = (int64_t)((uint64_t)sum->total - had);
    if (!brings(work, sum->host))
        return SF_OK;
    bool is_there = delta.total == 0 || is_pending(work, sum->name);
    enum sf_status status = is_there ? SF_OK : add_to(work, sum->name, delta.total);
    return status == SF_OK ? sf_lineage_note_sum(row, &delta) : status;
}

/* Also where it comes to nothing, as +1 and -1: the journal may still have the half of it. */
static void
note_hosts(struct merging *work)
{
    const struct sf_lineage *ours = &work->our_lineage;
    for (size_t i = 0; i < ours->merged_count; i++) {
        if (!brings(work, ours->merged[i].host))
            continue;
        work->is_new = true;
        sf_lineage_merge_to(&work->row_lineage, ours->merged[i].host, ours->merged[i].version);
    }
}

/* What the row knows is what it knew before. */
static enum sf_status
take_changes(struct merging *work)
{
    const struct sf_lineage *ours = &work->our_lineage;
    enum sf_status status = SF_OK;
    for (size_t i = 0; status == SF_OK && i < ours->set_count; i++)
        status = take_set(work, &ours->sets[i]);
    for (size_t i = 0; status == SF_OK && i < ours->sum_count; i++)
        status = take_sum(work, &ours->sums[i]);
    note_hosts(work);
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
    result->head.version = later(work->row.head.version, work->ours.head.version) + 1;
    sf_buffer_init(&bytes, SF_LINEAGE_BYTES_MAX);
    enum sf_status status = sf_lineage_encode(&work->row_lineage, &bytes);
    result->head.lineage = sf_buffer_span(&bytes);
    if (status == SF_OK)
        status = sf_session_encode(result, SF_RECORD_BYTES_MAX, merged_out);
    sf_buffer_fini(&bytes);
    return status;
}

/* Unless it grew from the store's row itself, and goes on with what it has made of that. */
static void
grow_from_row(struct merging *work, uint64_t version)
{
    if (!work->is_row_journalled)
        sf_lineage_begin(&work->row_lineage, version);
}

/*
 * Whoever is ended stays so, and his row takes the place of ours. Where that has counted further, on a host that was
 * cut off or from what the store has lost since, the end counts on from there.
 */
static enum sf_status
keep_end(struct merging *work, struct sf_span row, struct sf_buffer *merged_out)
{
    uint64_t theirs = work->row.head.version, ours = work->ours.head.version;
    if (theirs > ours || (theirs == ours && work->ours.head.kind == SF_RECORD_ENDED))
        return sf_buffer_append_span(merged_out, row);
    work->is_new = true;
    grow_from_row(work, theirs);
    return encode(work, &work->row, merged_out);
}

/* Our end, in the place of the row. It has room in any case: what the row counts and has set went with it. */
static enum sf_status
end_row(struct merging *work, struct sf_buffer *merged_out)
{
    work->is_new = true;
    grow_from_row(work, work->row.head.version);
    sf_lineage_forget(&work->row_lineage);
    note_hosts(work);
    return encode(work, &work->ours, merged_out);
}

static void
change_places(struct merging *work)
{
    const struct merging was = *work;
    work->row = was.ours;
    work->ours = was.row;
    work->row_lineage = was.our_lineage;
    work->our_lineage = was.row_lineage;
    work->row_lineage.base = was.row.head.version;
    work->takes_all = true;
    work->is_new = true;
}

/*
 * A row that is earlier than the one that ours grew from: the store has lost what it had, and others
 * may have changed the rest. Then ours is the whole, and theirs what is made in it again. Where others have
 * brought it so far that it is not earlier, it is the row that takes in what it lacks.
 */
static enum sf_status
merge_living(struct merging *work, struct sf_span row, struct sf_buffer *merged_out)
{
    uint64_t base = work->row.head.version;
    bool is_ours_later = base < work->ours.head.version;
    work->takes_all = sf_lineage_is_complete(&work->row_lineage);
    if (base < work->our_lineage.base)
        change_places(work);
    else
        grow_from_row(work, base);
    enum sf_status status = take_changes(work);
    work->is_new |= is_ours_later; /* versions never go back */
    if (status != SF_OK || !work->is_new)
        return status == SF_OK ? sf_buffer_append_span(merged_out, row) : status;
    if (work->row.head.last_access < work->ours.head.last_access)
        work->row.head.last_access = work->ours.head.last_access;
    return encode(work, &work->row, merged_out);
}

static enum sf_status
merge(struct merging *work, struct sf_span row, struct sf_buffer *merged_out)
{
    sf_buffer_clear(merged_out);
    if (sf_user_epochs_are(&work->row.head) && sf_user_epochs_are(&work->ours.head))
        return sf_user_epochs_join(merged_out, &work->is_new, &work->row, &work->ours);
    if (work->row.head.kind == SF_RECORD_ENDED)
        return keep_end(work, row, merged_out);
    if (work->ours.head.kind == SF_RECORD_ENDED)
        return end_row(work, merged_out);
    return merge_living(work, row, merged_out);
}

static enum sf_status
merge_records(struct sf_buffer *merged_out, bool *is_new_out, struct sf_span row, struct sf_span ours,
              bool is_row_journalled)
{
    struct merging work = {.is_row_journalled = is_row_journalled};
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

enum sf_status
sf_record_merge(struct sf_buffer *merged_out, bool *is_new_out, struct sf_span row, struct sf_span ours)
{
    return merge_records(merged_out, is_new_out, row, ours, false);
}

enum sf_status
sf_record_merge_journalled(struct sf_buffer *merged_out, bool *is_new_out, struct sf_span loaded,
                           struct sf_span ours)
{
    return merge_records(merged_out, is_new_out, loaded, ours, true);
}
