/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_sql.h"

#include <stdlib.h>
#include <string.h>

#include "common/store/row_checksum.h"

static int
compare_rows(const void *left, const void *right)
{
    const struct sf_sql_row *a = left, *b = right;
    int order = memcmp(a->write->key.bytes, b->write->key.bytes, SF_KEY_BYTES);
    return order != 0 ? order : a->write < b->write ? -1 : 1;
}

static enum sf_sql_kind
kind_of_put(uint64_t expected)
{
    if (expected == SF_EXPECTED_NONE)
        return SF_SQL_INSERT;
    return expected == 0 ? SF_SQL_PUT : SF_SQL_REPLACE;
}

static enum sf_status
describe(struct sf_sql_row *row, struct sf_write *write)
{
    struct sf_record_head head;
    *row = (struct sf_sql_row){.write = write, .kind = SF_SQL_TOUCH};
    if (write->kind == SF_WRITE_TOUCH)
        return SF_OK;
    if (write->record.size > SF_RECORD_BYTES_MAX || write->version > INT64_MAX ||
        (write->expected > INT64_MAX && write->expected != SF_EXPECTED_NONE) ||
        sf_record_head(&head, write->record) != SF_OK)
        return SF_INVALID;
    row->kind = kind_of_put(write->expected);
    row->is_ended = head.kind == SF_RECORD_ENDED;
    row->user = head.user;
    row->checksum = sf_row_checksum(&write->key, write->version, write->record);
    return SF_OK;
}

enum sf_status
sf_sql_batch_init(struct sf_sql_batch *batch, struct sf_write *writes, size_t count)
{
    *batch = (struct sf_sql_batch){.rows = calloc(count, sizeof *batch->rows),
                                   .round = calloc(count, sizeof(struct sf_sql_row *))};
    if (batch->rows == NULL || batch->round == NULL) {
        sf_sql_batch_fini(batch);
        for (size_t i = 0; i < count; i++)
            writes[i].status = SF_NO_MEMORY;
        return SF_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        writes[i].status = describe(&batch->rows[batch->count], &writes[i]);
        if (writes[i].status != SF_OK)
            continue;
        writes[i].status = SF_UNAVAILABLE;
        batch->count++;
    }
    qsort(batch->rows, batch->count, sizeof *batch->rows, compare_rows);
    return SF_OK;
}

void
sf_sql_batch_fini(struct sf_sql_batch *batch)
{
    free(batch->rows);
    free(batch->round);
}

bool
sf_sql_batch_next(struct sf_sql_batch *batch, size_t limit)
{
    const struct sf_key *last = NULL;
    size_t bytes = 0;
    batch->round_count = 0;
    for (size_t i = 0; i < batch->count && bytes < limit; i++) {
        struct sf_sql_row *row = &batch->rows[i];
        const struct sf_key *key = &row->write->key;
        if (row->is_taken || (last != NULL && memcmp(key->bytes, last->bytes, SF_KEY_BYTES) == 0))
            continue;
        row->is_taken = true;
        last = key;
        bytes += row->kind == SF_SQL_TOUCH ? 0 : row->write->record.size;
        batch->round[batch->round_count++] = row;
    }
    return batch->round_count > 0;
}

void
sf_sql_expect(struct sf_sql_row *const *rows, size_t count, uint64_t incarnation)
{
    for (size_t i = 0; i < count; i++)
        rows[i]->expected = sf_store_expected(rows[i]->write, incarnation);
}

static int
compare_key(const void *key, const void *row)
{
    return memcmp(key, (*(struct sf_sql_row *const *)row)->write->key.bytes, SF_KEY_BYTES);
}

struct sf_sql_row *
sf_sql_find(struct sf_sql_row *const *rows, size_t count, struct sf_span key)
{
    if (key.size != SF_KEY_BYTES)
        return NULL;
    struct sf_sql_row *const *found =
        bsearch(key.data, rows, count, sizeof(struct sf_sql_row *), compare_key);
    return found == NULL ? NULL : *found;
}

static enum sf_status
write_rows(struct sf_sql_row *const *rows, size_t count, sf_sql_run_fn *run, void *context,
           struct sf_error *error)
{
    enum sf_status status;
    do
        status = run(context, rows, count, error);
    while (status == SF_CONFLICT);
    if (status == SF_OK)
        return SF_OK;
    if (status == SF_INVALID && count > 1) {
        size_t half = count / 2;
        status = write_rows(rows, half, run, context, error);
        return status == SF_OK ? write_rows(rows + half, count - half, run, context, error)
                               : status;
    }
    for (size_t i = 0; i < count; i++)
        rows[i]->write->status = status;
    return status == SF_INVALID ? SF_OK : status;
}

void
sf_sql_write(struct sf_write *writes, size_t count, size_t round_bytes, sf_sql_run_fn *run,
             void *context, struct sf_error *error)
{
    struct sf_sql_batch batch;
    if (sf_sql_batch_init(&batch, writes, count) != SF_OK)
        return;
    while (sf_sql_batch_next(&batch, round_bytes) &&
           write_rows(batch.round, batch.round_count, run, context, error) == SF_OK)
        continue;
    sf_sql_batch_fini(&batch);
}

enum sf_status
sf_sql_read_row(const struct sf_sql_stored *row, struct sf_key *key_out,
                struct sf_stored *stored_out)
{
    if (row->key.size != SF_KEY_BYTES)
        return SF_CORRUPT;
    memcpy(key_out->bytes, row->key.data, SF_KEY_BYTES);
    if (row->record.size == 0 || row->record.size > SF_RECORD_BYTES_MAX ||
        sf_row_checksum(key_out, row->version, row->record) != row->checksum)
        return SF_CORRUPT;
    stored_out->last_access = row->last_access;
    sf_buffer_clear(&stored_out->record);
    return sf_buffer_append_span(&stored_out->record, row->record);
}

void
sf_sql_answer_loads(struct sf_load *loads, size_t count, const struct sf_sql_stored *row)
{
    struct sf_key key;
    for (size_t i = 0; i < count; i++)
        if (sf_span_equal(row->key, sf_span_of(loads[i].key.bytes, SF_KEY_BYTES)))
            loads[i].status = sf_sql_read_row(row, &key, loads[i].stored);
}

/* ---- scanning ---- */

struct sf_sql_scan
sf_sql_scan_begin(const struct sf_key *after, struct sf_span user, sf_store_visit_fn *visit,
                  void *context)
{
    struct sf_sql_scan scan = {
        .has_last = after != NULL, .user = user, .visit = visit, .context = context};
    if (after != NULL)
        scan.last = *after;
    sf_buffer_init(&scan.stored.record, SF_RECORD_BYTES_MAX);
    return scan;
}

void
sf_sql_scan_row(struct sf_sql_scan *scan, const struct sf_sql_stored *row)
{
    if (scan->is_over)
        return;
    if (sf_sql_read_row(row, &scan->last, &scan->stored) == SF_OK)
        scan->is_over = !scan->visit(scan->context, &scan->last, &scan->stored);
    scan->has_last = true;
}

void
sf_sql_scan_end(struct sf_sql_scan *scan)
{
    sf_buffer_fini(&scan->stored.record);
}

/* ---- the last error ---- */

void
sf_sql_last_init(struct sf_sql_last *last)
{
    pthread_mutex_init(&last->lock, NULL);
    last->error = (struct sf_error){.status = SF_OK};
}

void
sf_sql_last_fini(struct sf_sql_last *last)
{
    pthread_mutex_destroy(&last->lock);
}

void
sf_sql_last_set(struct sf_sql_last *last, const struct sf_error *error)
{
    pthread_mutex_lock(&last->lock);
    last->error = *error;
    pthread_mutex_unlock(&last->lock);
}

void
sf_sql_last_get(struct sf_sql_last *last, struct sf_error *error_out)
{
    pthread_mutex_lock(&last->lock);
    *error_out = last->error;
    pthread_mutex_unlock(&last->lock);
}

enum sf_status
sf_sql_finish_call(struct sf_sql_last *last, enum sf_status status, const struct sf_error *error)
{
    if (status == SF_OK)
        return status;
    sf_sql_last_set(last, error);
    return status == SF_NO_MEMORY ? status : SF_UNAVAILABLE;
}

void
sf_sql_finish_loads(struct sf_sql_last *last, struct sf_load *loads, size_t count,
                    enum sf_status status, struct sf_error *error, const char *label)
{
    status = sf_sql_finish_call(last, status, error);
    if (status != SF_OK)
        sf_store_answer_loads(loads, count, status);
    for (size_t i = 0; i < count; i++)
        if (loads[i].status == SF_CORRUPT) {
            sf_error_set(error, SF_CORRUPT, "%s: a damaged row", label);
            sf_sql_last_set(last, error);
        }
}

enum sf_status
sf_sql_finish_write(struct sf_sql_last *last, const struct sf_write *writes, size_t count,
                    const struct sf_error *error)
{
    enum sf_status worst = sf_store_worst(writes, count);
    bool is_failure = worst != SF_OK && worst != SF_NOT_FOUND && worst != SF_CONFLICT;
    if (is_failure && error->status != SF_OK)
        sf_sql_last_set(last, error);
    return worst;
}
