/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_memory.c - a store that forgets everything when it is closed: for tests and first steps.
 *
 * memory:NAME; the name is for humans only, nothing is shared between two that are opened. One
 * mutex around everything, so a deadline is kept without looking at it.
 */
#include "common/store/store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 64

struct row {
    struct row *next; /* in its bucket */
    struct sf_key key;
    uint64_t version;
    sf_time last_access, expires;
    bool is_ended;
    struct sf_span user;     /* into `record` */
    struct sf_buffer record;
};

struct memory_store {
    struct sf_store base;
    pthread_mutex_t lock; /* guards what follows */
    struct row **buckets; /* a power of two; NULL until the first row */
    size_t bucket_count, row_count;
};

static sf_store_open_fn memory_open;
static sf_store_attach_fn memory_attach;
static sf_store_load_fn memory_load;
static sf_store_write_fn memory_write;
static sf_store_sweep_fn memory_sweep;
static sf_store_scan_fn memory_scan;
static sf_store_explain_fn memory_explain;
static sf_store_close_fn memory_close;

const struct sf_store_ops sf_store_memory = {
    .scheme = "memory",
    .flags = 0,
    .open = memory_open,
    .attach = memory_attach,
    .load = memory_load,
    .write = memory_write,
    .sweep = memory_sweep,
    .scan = memory_scan,
    .explain = memory_explain,
    .close = memory_close,
};

static enum sf_status
memory_open(struct sf_store **store_out, const char *url, const char *state, struct sf_error *error)
{
    (void)url;
    (void)state;
    struct memory_store *memory = calloc(1, sizeof *memory);
    if (memory == NULL)
        return sf_error_set(error, SF_NO_MEMORY, "memory store: no memory");
    memory->base.ops = &sf_store_memory;
    pthread_mutex_init(&memory->lock, NULL);
    *store_out = &memory->base;
    return SF_OK;
}

static enum sf_status
memory_attach(struct sf_store *store, sf_time deadline, struct sf_error *error)
{
    (void)store;
    (void)deadline;
    (void)error;
    return SF_OK;
}

/* Keys are keyed hashes already: any eight bytes are evenly spread, and no client chooses them. */
static struct row **
bucket_of(const struct memory_store *memory, const struct sf_key *key)
{
    return &memory->buckets[sf_load_u64(key->bytes) & (memory->bucket_count - 1)];
}

/* The link that leads to the row, or the NULL at the end where it would be. */
static struct row **
find_link(const struct memory_store *memory, const struct sf_key *key)
{
    struct row **link = bucket_of(memory, key);
    while (*link != NULL && memcmp(&(*link)->key, key, sizeof *key) != 0)
        link = &(*link)->next;
    return link;
}

static struct row *
find_row(const struct memory_store *memory, const struct sf_key *key)
{
    return memory->buckets == NULL ? NULL : *find_link(memory, key);
}

static void
free_row(struct row *row)
{
    sf_buffer_fini(&row->record);
    free(row);
}

static enum sf_status
grow(struct memory_store *memory)
{
    size_t count = memory->bucket_count == 0 ? FIRST_BUCKETS : 2 * memory->bucket_count;
    struct row **buckets = calloc(count, sizeof *buckets);
    if (buckets == NULL)
        return SF_NO_MEMORY;
    struct row **old = memory->buckets;
    size_t old_count = memory->bucket_count;
    memory->buckets = buckets;
    memory->bucket_count = count;
    for (size_t i = 0; i < old_count; i++) {
        for (struct row *row = old[i], *next; row != NULL; row = next) {
            next = row->next;
            struct row **bucket = bucket_of(memory, &row->key);
            row->next = *bucket;
            *bucket = row;
        }
    }
    free(old);
    return SF_OK;
}

static enum sf_status
load_row(const struct memory_store *memory, const struct sf_load *load)
{
    const struct row *row = find_row(memory, &load->key);
    sf_buffer_clear(&load->stored->record);
    if (row == NULL)
        return SF_NOT_FOUND;
    load->stored->last_access = row->last_access;
    return sf_buffer_append_span(&load->stored->record, sf_buffer_span(&row->record));
}

static void
memory_load(struct sf_store *store, struct sf_load *loads, size_t count, sf_time deadline)
{
    (void)deadline;
    struct memory_store *memory = (struct memory_store *)store;
    pthread_mutex_lock(&memory->lock);
    for (size_t i = 0; i < count; i++)
        loads[i].status = load_row(memory, &loads[i]);
    pthread_mutex_unlock(&memory->lock);
}

/* A fresh row is linked in with version 0, so that the put goes on as over any older one. */
static enum sf_status
find_or_add(struct memory_store *memory, const struct sf_key *key, struct row **row_out)
{
    *row_out = find_row(memory, key);
    if (*row_out != NULL)
        return SF_OK;
    if (memory->row_count >= memory->bucket_count && grow(memory) != SF_OK)
        return SF_NO_MEMORY;
    struct row *row = calloc(1, sizeof *row);
    if (row == NULL)
        return SF_NO_MEMORY;
    row->key = *key;
    *find_link(memory, key) = row;
    memory->row_count++;
    *row_out = row;
    return SF_OK;
}

/* Who has heard less of the session's use, and does not end it, makes its life no shorter. */
static void
note_life(struct row *row, const struct sf_write *write)
{
    bool is_late = write->last_access < row->last_access && !row->is_ended;
    bool is_longer = write->expires == 0 || (row->expires != 0 && write->expires > row->expires);
    if (!is_late)
        row->last_access = write->last_access > row->last_access ? write->last_access : row->last_access;
    if (!is_late || is_longer)
        row->expires = write->expires;
}

static enum sf_status
put(struct memory_store *memory, struct sf_write *write)
{
    struct sf_record_head head;
    if (write->record.size > SF_RECORD_BYTES_MAX || sf_record_head(&head, write->record) != SF_OK)
        return SF_INVALID;
    struct row *row = find_row(memory, &write->key);
    uint64_t found = row == NULL ? SF_EXPECTED_NONE : row->version;
    if (write->expected != 0 && found != write->expected)
        return SF_CONFLICT;
    struct sf_buffer record;
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    if (sf_buffer_append_span(&record, write->record) != SF_OK
        || find_or_add(memory, &write->key, &row) != SF_OK) {
        sf_buffer_fini(&record);
        return SF_NO_MEMORY;
    }
    if (row->record.data != NULL && write->version <= row->version) {
        sf_buffer_fini(&record);
        return SF_OK;
    }
    sf_buffer_fini(&row->record);
    row->record = record;
    row->version = write->version;
    write->is_news = true;
    row->is_ended = head.kind == SF_RECORD_ENDED;
    note_life(row, write);
    row->user = sf_span_of(record.data + (head.user.data - write->record.data), head.user.size);
    return SF_OK;
}

static enum sf_status
touch(struct memory_store *memory, const struct sf_write *write)
{
    struct row *row = find_row(memory, &write->key);
    if (row == NULL)
        return SF_NOT_FOUND;
    if (!row->is_ended && write->last_access > row->last_access) {
        row->last_access = write->last_access;
        row->expires = write->expires;
    }
    return SF_OK;
}

static enum sf_status
memory_write(struct sf_store *store, struct sf_write *writes, size_t count, sf_time deadline)
{
    (void)deadline;
    struct memory_store *memory = (struct memory_store *)store;
    pthread_mutex_lock(&memory->lock);
    for (size_t i = 0; i < count; i++) {
        writes[i].is_news = false;
        writes[i].status =
            writes[i].kind == SF_WRITE_PUT ? put(memory, &writes[i]) : touch(memory, &writes[i]);
    }
    pthread_mutex_unlock(&memory->lock);
    return sf_store_worst(writes, count);
}

static size_t
sweep_bucket(struct memory_store *memory, struct row **link, sf_time now, size_t limit)
{
    size_t removed = 0;
    while (*link != NULL && removed < limit) {
        struct row *row = *link;
        if (row->expires != 0 && row->expires < now) {
            *link = row->next;
            free_row(row);
            memory->row_count--;
            removed++;
        } else {
            link = &row->next;
        }
    }
    return removed;
}

static enum sf_status
memory_sweep(struct sf_store *store, sf_time now, size_t limit, sf_time deadline,
             size_t *removed_out)
{
    (void)deadline;
    struct memory_store *memory = (struct memory_store *)store;
    *removed_out = 0;
    pthread_mutex_lock(&memory->lock);
    for (size_t i = 0; i < memory->bucket_count; i++)
        *removed_out += sweep_bucket(memory, &memory->buckets[i], now, limit - *removed_out);
    pthread_mutex_unlock(&memory->lock);
    return SF_OK;
}

static int
compare_rows(const void *a, const void *b)
{
    const struct row *const *left = a, *const *right = b;
    return memcmp(&(*left)->key, &(*right)->key, sizeof(struct sf_key));
}

static bool
is_wanted(const struct row *row, const struct sf_key *after, struct sf_span user)
{
    return (after == NULL || memcmp(&row->key, after, sizeof *after) > 0)
           && (user.size == 0 || sf_span_equal(row->user, user));
}

static size_t
collect(const struct memory_store *memory, const struct sf_key *after, struct sf_span user,
        struct row **rows_out)
{
    size_t count = 0;
    for (size_t i = 0; i < memory->bucket_count; i++)
        for (struct row *row = memory->buckets[i]; row != NULL; row = row->next)
            if (is_wanted(row, after, user))
                rows_out[count++] = row;
    qsort(rows_out, count, sizeof *rows_out, compare_rows);
    return count;
}

static enum sf_status
memory_scan(struct sf_store *store, const struct sf_key *after, struct sf_span user, size_t limit,
            sf_time deadline, sf_store_visit_fn *visit, void *context)
{
    (void)deadline;
    struct memory_store *memory = (struct memory_store *)store;
    pthread_mutex_lock(&memory->lock);
    struct row **rows = calloc(memory->row_count + 1, sizeof(struct row *));
    size_t count = rows == NULL ? 0 : collect(memory, after, user, rows);
    for (size_t i = 0; i < count && i < limit; i++) {
        struct sf_stored stored = {.record = rows[i]->record, .last_access = rows[i]->last_access};
        if (!visit(context, &rows[i]->key, &stored))
            break;
    }
    pthread_mutex_unlock(&memory->lock);
    enum sf_status status = rows == NULL ? SF_NO_MEMORY : SF_OK;
    free(rows);
    return status;
}

static void
memory_explain(struct sf_store *store, struct sf_error *error_out)
{
    (void)store;
    *error_out = (struct sf_error){.status = SF_OK};
}

static void
memory_close(struct sf_store *store)
{
    struct memory_store *memory = (struct memory_store *)store;
    for (size_t i = 0; i < memory->bucket_count; i++) {
        for (struct row *row = memory->buckets[i], *next; row != NULL; row = next) {
            next = row->next;
            free_row(row);
        }
    }
    free(memory->buckets);
    pthread_mutex_destroy(&memory->lock);
    free(memory);
}
