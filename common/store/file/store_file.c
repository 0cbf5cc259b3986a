/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_file.c - the readable store: one JSON file, for some ten thousand sessions.
 *
 * file:PATH, relative below the state folder. All rows are in memory, in a memory store; a batch is
 * appended to the log of the file (json_file.h), and when the log has grown the file is written anew.
 * A file that an application has kept its sessions in (json_plain.h) is taken over at the first start.
 * Rows that cannot be read are kept as they are, and their sessions are damaged until they are
 * written again.
 */
#include "common/store/store.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h> /* asprintf */
#include <stdlib.h>
#include <string.h>

#include "common/store/file/json_file.h"
#include "common/store/file/json_plain.h"
#include "common/store/file/row_json.h"
#include "common/store/store_path_examine.h"

#define SCHEME "file:"
#define LINES_MAX (64u << 20) /* of one batch; longer ones write the whole file */

struct file_store {
    struct sf_store base;
    struct sf_store *rows;     /* memory: */
    char *state;               /* the folder of the secret */
    pthread_mutex_t lock;      /* guards what follows */
    struct sf_json_file file;
    json_t *damaged;           /* rows by key, as they were found */
    bool is_swept;             /* something was removed that the file still has */
    bool must_rewrite;         /* the log is not to be trusted, or has not been begun */
    struct sf_error last;
    _Atomic size_t damaged_count;
    atomic_bool is_read;       /* release pairs with acquire: the rows are there */
};

static sf_store_open_fn file_open;
static sf_store_attach_fn file_attach;
static sf_store_load_fn file_load;
static sf_store_write_fn file_write;
static sf_store_sweep_fn file_sweep;
static sf_store_scan_fn file_scan;
static sf_store_explain_fn file_explain;
static sf_store_close_fn file_close;
static sf_store_examine_fn file_examine;

const struct sf_store_ops sf_store_file = {
    .scheme = "file",
    .flags = SF_STORE_DURABLE,
    .open = file_open,
    .attach = file_attach,
    .load = file_load,
    .write = file_write,
    .sweep = file_sweep,
    .scan = file_scan,
    .explain = file_explain,
    .close = file_close,
    .examine = file_examine,
};

/* ---- life ---- */

static enum sf_status
file_open(struct sf_store **store_out, const char *url, const char *state, struct sf_error *error)
{
    const char *name = url + strlen(SCHEME);
    bool is_relative = name[0] != '/';
    char *path;
    if (name[0] == '\0' || strlen(name) + strlen(state) > PATH_MAX - 16)
        return sf_error_set(error, SF_INVALID, SCHEME "PATH: the path is %s", name[0] == '\0' ? "missing" : "too long");
    struct file_store *self = calloc(1, sizeof *self);
    if (self == NULL || asprintf(&path, "%s%s%s", is_relative ? state : "", is_relative ? "/" : "", name) < 0) {
        free(self);
        return sf_error_set(error, SF_NO_MEMORY, "%s: no memory", url);
    }
    self->base.ops = &sf_store_file;
    pthread_mutex_init(&self->lock, NULL);
    self->damaged = json_object();
    self->state = strdup(state);
    enum sf_status status = sf_json_file_init(&self->file, path);
    free(path);
    if (status == SF_OK)
        status = sf_store_memory.open(&self->rows, "memory:file", state, error);
    if (status == SF_OK && self->damaged != NULL && self->state != NULL) {
        *store_out = &self->base;
        return SF_OK;
    }
    file_close(&self->base);
    return sf_error_set(error, SF_NO_MEMORY, "%s: no memory", url);
}

static void
file_explain(struct sf_store *store, struct sf_error *error_out)
{
    struct file_store *self = (struct file_store *)store;
    pthread_mutex_lock(&self->lock);
    *error_out = self->last;
    pthread_mutex_unlock(&self->lock);
}

static enum sf_status
file_examine(struct sf_store *store, sf_time deadline, struct sf_findings *findings)
{
    (void)deadline;
    return sf_store_path_examine(((struct file_store *)store)->file.path, findings);
}

/* ---- reading ---- */

static void
keep_damaged(struct file_store *self, const char *key, json_t *row, const struct sf_error *error)
{
    (void)!json_object_set(self->damaged, key, row);
    sf_error_set(&self->last, SF_CORRUPT, SCHEME "%s: session %s: %s", self->file.path, key, error->text);
}

static enum sf_status
put_row(void *context, const struct sf_key *key, const struct sf_stored *stored)
{
    struct file_store *self = context;
    struct sf_record_head head;
    struct sf_write write = {.kind = SF_WRITE_PUT,
                             .key = *key,
                             .last_access = stored->last_access,
                             .record = sf_buffer_span(&stored->record)};
    enum sf_status status = sf_record_head(&head, write.record);
    if (status != SF_OK)
        return status;
    write.version = head.version;
    write.expires = sf_record_expires(&head, stored->last_access);
    return self->rows->ops->write(self->rows, &write, 1, 0);
}

static enum sf_status
read_row(struct file_store *self, const char *text, const struct sf_key *key, json_t *row)
{
    struct sf_error error;
    struct sf_stored stored;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    enum sf_status status = sf_row_from_json(&stored, key, row, &error);
    if (status == SF_OK)
        status = put_row(self, key, &stored);
    sf_buffer_fini(&stored.record);
    if (status == SF_NO_MEMORY)
        return status;
    if (status == SF_OK)
        json_object_del(self->damaged, text);
    else
        keep_damaged(self, text, row, &error);
    return SF_OK;
}

static enum sf_status
read_touch(struct file_store *self, const struct sf_key *key, json_t *touched)
{
    struct sf_stored stored;
    struct sf_record_head head;
    struct sf_write write = {.kind = SF_WRITE_TOUCH, .key = *key};
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    enum sf_status status = sf_store_load_one(self->rows, key, 0, &stored);
    if (status == SF_OK && json_is_string(touched) && sf_record_head(&head, sf_buffer_span(&stored.record)) == SF_OK &&
        sf_iso_time_parse(&write.last_access, json_string_value(touched)) == SF_OK) {
        write.expires = sf_record_expires(&head, write.last_access);
        status = self->rows->ops->write(self->rows, &write, 1, 0);
    }
    sf_buffer_fini(&stored.record);
    return status == SF_NO_MEMORY ? status : SF_OK;
}

static enum sf_status
read_entry(void *context, const char *text, json_t *row, json_t *touched)
{
    static const struct sf_error no_key = {.text = "the key is not 32 hexadecimal digits"};
    struct file_store *self = context;
    struct sf_key key;
    if (sf_hex_decode(sf_span_text(text), key.bytes, SF_KEY_BYTES) == SF_OK)
        return row != NULL ? read_row(self, text, &key, row) : read_touch(self, &key, touched);
    if (row != NULL)
        keep_damaged(self, text, row, &no_key);
    return SF_OK;
}

static enum sf_status
read_plain(void *context, json_t *root, struct sf_error *error)
{
    struct file_store *self = context;
    size_t refused;
    if (!sf_json_plain_is(root))
        return SF_NOT_FOUND;
    enum sf_status status = sf_json_plain_read(root, self->state, put_row, self, &refused, error);
    if (status == SF_OK && refused > 0)
        sf_error_set(&self->last, SF_INVALID, SCHEME "%s: %zu sessions were left out, which %s.old has: %s",
                     self->file.path, refused, self->file.path, error->text);
    return status;
}

/* What was read of it is thrown away when it cannot be read to its end. */
static enum sf_status
forget_rows(struct file_store *self)
{
    json_object_clear(self->damaged);
    sf_store_close(self->rows);
    return sf_store_memory.open(&self->rows, "memory:file", "", NULL);
}

/* Under the lock. Nothing is asked of the file once it has been read: it has no other writer. */
static enum sf_status
begin_call(struct file_store *self, struct sf_error *error)
{
    size_t torn;
    if (atomic_load_explicit(&self->is_read, memory_order_acquire))
        return SF_OK;
    enum sf_status status = sf_json_file_read(&self->file, read_entry, read_plain, self, &torn, error);
    if (status != SF_OK)
        return forget_rows(self) == SF_OK ? status : SF_NO_MEMORY;
    if (torn > 0)
        sf_error_set(&self->last, SF_CORRUPT, SCHEME "%s: %zu damaged lines, kept as %s.bad", self->file.log_path,
                     torn, self->file.log_path);
    self->must_rewrite = true;
    atomic_store_explicit(&self->damaged_count, json_object_size(self->damaged), memory_order_relaxed);
    atomic_store_explicit(&self->is_read, true, memory_order_release);
    return SF_OK;
}

/* What a start refuses is, once running, an outage that an administrator can end. */
static enum sf_status
finish_call(struct file_store *self, enum sf_status status, const struct sf_error *error)
{
    if (status != SF_OK)
        self->last = *error;
    return status == SF_INVALID ? SF_UNAVAILABLE : status;
}

/* ---- writing the whole ---- */

struct collection {
    json_t *sessions;
    bool is_whole;
};

static bool
add_row(void *context, const struct sf_key *key, const struct sf_stored *stored)
{
    struct collection *collection = context;
    char text[SF_KEY_TEXT + 1];
    sf_key_format(key, text);
    json_t *row = sf_row_to_json(key, sf_buffer_span(&stored->record), stored->last_access);
    collection->is_whole = json_object_set_new(collection->sessions, text, row) == 0;
    return collection->is_whole;
}

static enum sf_status
rewrite(struct file_store *self, struct sf_error *error)
{
    struct collection all = {.sessions = json_object(), .is_whole = true};
    enum sf_status status = SF_NO_MEMORY;
    if (all.sessions != NULL)
        status = self->rows->ops->scan(self->rows, NULL, sf_span_text(NULL), SIZE_MAX, 0, add_row, &all);
    if (status == SF_OK && all.is_whole && json_object_update(all.sessions, self->damaged) == 0)
        status = sf_json_file_rewrite(&self->file, all.sessions, error);
    else
        status = sf_error_set(error, SF_NO_MEMORY, SCHEME "%s: no memory", self->file.path);
    json_decref(all.sessions);
    self->must_rewrite = status != SF_OK;
    return status;
}

static enum sf_status
file_attach(struct sf_store *store, sf_time deadline, struct sf_error *error)
{
    (void)deadline;
    struct file_store *self = (struct file_store *)store;
    struct sf_error reason = {.status = SF_OK};
    pthread_mutex_lock(&self->lock);
    enum sf_status status = begin_call(self, &reason);
    if (status == SF_OK && self->must_rewrite)
        status = rewrite(self, &reason);
    if (status != SF_OK) {
        self->last = reason;
        sf_error_set(error, status, "%s", reason.text);
    }
    pthread_mutex_unlock(&self->lock);
    return status;
}

/* ---- loading ---- */

static void
find_damaged(struct file_store *self, struct sf_load *load)
{
    char text[SF_KEY_TEXT + 1];
    sf_key_format(&load->key, text);
    pthread_mutex_lock(&self->lock);
    if (load->status == SF_NOT_FOUND && json_object_get(self->damaged, text) != NULL)
        load->status = SF_CORRUPT;
    pthread_mutex_unlock(&self->lock);
}

/* The lock is held while a batch is synced: who loads does not wait for that. */
static enum sf_status
begin_reading(struct file_store *self)
{
    struct sf_error error = {.status = SF_OK};
    if (atomic_load_explicit(&self->is_read, memory_order_acquire))
        return SF_OK;
    pthread_mutex_lock(&self->lock);
    enum sf_status status = finish_call(self, begin_call(self, &error), &error);
    pthread_mutex_unlock(&self->lock);
    return status;
}

static void
file_load(struct sf_store *store, struct sf_load *loads, size_t count, sf_time deadline)
{
    struct file_store *self = (struct file_store *)store;
    enum sf_status status = begin_reading(self);
    if (status != SF_OK) {
        sf_store_answer_loads(loads, count, status);
        return;
    }
    self->rows->ops->load(self->rows, loads, count, deadline);
    if (atomic_load_explicit(&self->damaged_count, memory_order_relaxed) == 0)
        return;
    for (size_t i = 0; i < count; i++)
        find_damaged(self, &loads[i]);
}

static enum sf_status
file_scan(struct sf_store *store, const struct sf_key *after, struct sf_span user, size_t limit,
          sf_time deadline, sf_store_visit_fn *visit, void *context)
{
    struct file_store *self = (struct file_store *)store;
    enum sf_status status = begin_reading(self);
    return status == SF_OK ? self->rows->ops->scan(self->rows, after, user, limit, deadline, visit, context) : status;
}

/* ---- writing ---- */

/* As one line of the log; `lines` is left as it was where that fails. */
static enum sf_status
append_line(struct sf_buffer *lines, const struct sf_write *write)
{
    char key[SF_KEY_TEXT + 1], touched[SF_ISO_TIME_TEXT];
    sf_key_format(&write->key, key);
    sf_iso_time_format(write->last_access, touched);
    bool is_put = write->kind == SF_WRITE_PUT;
    json_t *what = is_put ? sf_row_to_json(&write->key, write->record, write->last_access) : json_string(touched);
    json_t *line = json_pack("{s:s, s:o}", "key", key, is_put ? "row" : "touched", what);
    char *text = line == NULL ? NULL : json_dumps(line, JSON_COMPACT);
    size_t before = lines->size;
    enum sf_status status = text == NULL ? SF_NO_MEMORY : sf_buffer_append_format(lines, "%s\n", text);
    if (status != SF_OK)
        lines->size = before;
    free(text);
    json_decref(line);
    return status;
}

static void
forget_damage(struct file_store *self, const struct sf_key *key)
{
    char text[SF_KEY_TEXT + 1];
    if (json_object_size(self->damaged) == 0)
        return;
    sf_key_format(key, text);
    (void)json_object_del(self->damaged, text);
    atomic_store_explicit(&self->damaged_count, json_object_size(self->damaged), memory_order_relaxed);
}

/* Into memory, one by one: a bad one does not hold up the others. */
static void
apply(struct file_store *self, struct sf_write *writes, size_t count, struct sf_buffer *lines)
{
    for (size_t i = 0; i < count; i++) {
        struct sf_write *write = &writes[i];
        bool is_put = write->kind == SF_WRITE_PUT;
        write->status = is_put && sf_record_check(write->record) != SF_OK
                            ? SF_INVALID
                            : self->rows->ops->write(self->rows, write, 1, 0);
        if (write->status != SF_OK)
            continue;
        if (append_line(lines, write) != SF_OK)
            self->must_rewrite = true; /* it has everything */
        if (is_put)
            forget_damage(self, &write->key);
    }
}

static enum sf_status
save(struct file_store *self, const struct sf_buffer *lines, struct sf_error *error)
{
    if (self->must_rewrite || sf_json_file_is_long(&self->file))
        return rewrite(self, error);
    enum sf_status status = SF_OK;
    if (lines->size > 0)
        status = sf_json_file_append(&self->file, (const char *)lines->data, lines->size, error);
    return status == SF_OK ? SF_OK : rewrite(self, error);
}

static enum sf_status
write_all(struct file_store *self, struct sf_write *writes, size_t count, struct sf_error *error)
{
    struct sf_buffer lines;
    sf_buffer_init(&lines, LINES_MAX);
    apply(self, writes, count, &lines);
    enum sf_status status = save(self, &lines, error);
    sf_buffer_fini(&lines);
    for (size_t i = 0; status != SF_OK && i < count; i++)
        if (writes[i].status == SF_OK)
            writes[i].status = SF_UNCERTAIN; /* those who load see it already */
    return status;
}

static enum sf_status
file_write(struct sf_store *store, struct sf_write *writes, size_t count, sf_time deadline)
{
    (void)deadline;
    struct file_store *self = (struct file_store *)store;
    struct sf_error error = {.status = SF_OK};
    if (count == 0)
        return SF_OK;
    pthread_mutex_lock(&self->lock);
    enum sf_status begun = begin_call(self, &error);
    enum sf_status status = begun == SF_OK ? write_all(self, writes, count, &error) : begun;
    status = finish_call(self, status, &error);
    pthread_mutex_unlock(&self->lock);
    for (size_t i = 0; begun != SF_OK && i < count; i++)
        writes[i].status = status;
    return sf_store_worst(writes, count);
}

/* What was removed must not be in the file for longer than until the sweep has gone through. */
static enum sf_status
file_sweep(struct sf_store *store, sf_time now, size_t limit, sf_time deadline, size_t *removed_out)
{
    struct file_store *self = (struct file_store *)store;
    struct sf_error error = {.status = SF_OK};
    *removed_out = 0;
    pthread_mutex_lock(&self->lock);
    enum sf_status status = begin_call(self, &error);
    if (status == SF_OK)
        status = self->rows->ops->sweep(self->rows, now, limit, deadline, removed_out);
    self->is_swept |= *removed_out > 0;
    if (status == SF_OK && self->is_swept && *removed_out < limit) {
        self->is_swept = false;
        status = rewrite(self, &error);
    }
    status = finish_call(self, status, &error);
    pthread_mutex_unlock(&self->lock);
    return status;
}

static void
file_close(struct sf_store *store)
{
    struct file_store *self = (struct file_store *)store;
    if (atomic_load_explicit(&self->is_read, memory_order_acquire) && (self->must_rewrite || self->file.log_bytes > 0))
        (void)!rewrite(self, NULL); /* the log has it, where the disk took it */
    sf_store_close(self->rows);
    json_decref(self->damaged);
    free(self->state);
    sf_json_file_fini(&self->file);
    pthread_mutex_destroy(&self->lock);
    free(self);
}
