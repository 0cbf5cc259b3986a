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

static enum sf_status
describe(struct sf_sql_row *row, struct sf_write *write)
{
    struct sf_record_head head;
    *row = (struct sf_sql_row){.write = write, .kind = SF_SQL_TOUCH};
    if (write->kind == SF_WRITE_TOUCH)
        return SF_OK;
    if (write->record.size > SF_RECORD_BYTES_MAX || write->version > INT64_MAX ||
        write->expected > INT64_MAX || sf_record_head(&head, write->record) != SF_OK)
        return SF_INVALID;
    row->kind = write->expected == 0 ? SF_SQL_PUT : SF_SQL_REPLACE;
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
sf_sql_batch_next(struct sf_sql_batch *batch)
{
    const struct sf_key *last = NULL;
    size_t bytes = 0;
    batch->round_count = 0;
    for (size_t i = 0; i < batch->count && bytes < SF_SQL_ROUND_BYTES; i++) {
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
