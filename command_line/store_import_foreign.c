/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_import_foreign.c - sessions of Django, express, Spring and PHP: who comes with one of their
 * ids, where SessionFastImportedCookie names its cookie, finds it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command_line/store_import.h"

#define PHP_FILE "sess_"
#define LOAD_WAIT (30 * SF_SECOND)

/* Whoever was logged out everywhere was so before he comes in. */
static enum sf_status
read_logins(struct import *import)
{
    struct sf_store *store = import->call->store;
    struct sf_stored row;
    enum sf_status status = SF_OK;
    sf_time deadline = sf_clock_steady() + LOAD_WAIT;
    sf_buffer_init(&row.record, SF_RECORD_BYTES_MAX);
    for (unsigned i = 0; i < SF_USER_EPOCH_ROWS && status == SF_OK; i++) {
        struct sf_key key = sf_user_epochs_key(i);
        struct sf_user_epoch epoch = {.next = 0};
        status = sf_store_load_one(store, &key, deadline, &row);
        if (status == SF_OK)
            status = sf_user_epochs_read(&epoch, sf_buffer_span(&row.record), sf_span_text("-"));
        else if (status == SF_NOT_FOUND)
            status = SF_OK;
        import->logins[i] = epoch.next;
    }
    sf_buffer_fini(&row.record);
    return status;
}

int
import_begin_foreign(struct import *import)
{
    struct store_call *call = import->call;
    struct sf_error error;
    if (sf_foreign_kind_parse(&import->foreign.kind, call->from, &error) != SF_OK)
        return command_fail(EXIT_USAGE, "--from: %s", error.text);
    if ((import->foreign.kind == SF_FOREIGN_PHP) != (call->folder != NULL))
        return command_fail(
            EXIT_USAGE,
            "--from=php reads the files in --folder=DIR, all others read standard input");
    if (sf_secrets_load(&import->secrets, call->context->instance.secret_path, &error) != SF_OK)
        return command_fail(EXIT_NEGATIVE, "%s", error.text);
    enum sf_status status = read_logins(import);
    if (status != SF_OK)
        return store_fail(call, status, "load");
    import->foreign.logins = import->logins;
    import->foreign.user_field = call->user_field;
    import->foreign.now = sf_clock_wall();
    import->foreign.idle_timeout = call->context->config.idle_timeout;
    import->foreign.max_bytes = (size_t)call->context->config.max_bytes;
    return EXIT_DONE;
}

/* A line ends with its newline; what is in a file is all of it. */
enum sf_status
import_read_foreign(struct import *import, struct sf_span text, struct sf_error *error)
{
    struct sf_stored *stored = &import->rows[import->waiting];
    struct sf_span id, read_id;
    char scratch[SF_IMPORTED_ID_MAX];
    struct sf_record_head head;
    if (import->call->folder == NULL && text.size > 0 && text.data[text.size - 1] == '\n')
        text.size--;
    enum sf_status status = sf_foreign_read(&stored->record, &id, text, &import->foreign, error);
    if (status == SF_OK && sf_imported_id_read(&read_id, scratch, id) != SF_OK)
        status = sf_error_set(error, SF_INVALID, "its id has not %d to %d bytes",
                              SF_IMPORTED_ID_MIN, SF_IMPORTED_ID_MAX);
    if (status == SF_OK)
        status = sf_record_head(&head, sf_buffer_span(&stored->record));
    if (status != SF_OK)
        return status;
    stored->last_access = head.last_access;
    sf_imported_id_key(&import->writes[import->waiting].key, read_id, &import->secrets, 0);
    return SF_OK;
}

/* ---- PHP's files ---- */

static enum sf_status
read_file(int folder, const char *name, struct sf_buffer *line, struct stat *about,
          struct sf_error *error)
{
    int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 || fstat(file, about) != 0) {
        if (file >= 0)
            close(file);
        return sf_error_set_errno(error, name, "open");
    }
    if (about->st_uid != geteuid()) {
        close(file);
        return sf_error_set(error, SF_INVALID, "%s: belongs to another user (%u)", name,
                            about->st_uid);
    }
    sf_buffer_clear(line);
    enum sf_status status = S_ISREG(about->st_mode) && about->st_size <= (off_t)SF_RECORD_BYTES_MAX
                                ? SF_OK
                                : SF_INVALID;
    if (status == SF_OK)
        status = sf_buffer_append_format(line, "%s\t", name + strlen(PHP_FILE));
    if (status == SF_OK)
        status = sf_buffer_reserve(line, (size_t)about->st_size);
    ssize_t size =
        status == SF_OK ? read(file, line->data + line->size, (size_t)about->st_size) : 0;
    close(file);
    if (status != SF_OK || size < 0)
        return sf_error_set(error, SF_INVALID, "%s: cannot be read, or is no file of up to 1 MiB",
                            name);
    line->size += (size_t)size;
    return SF_OK;
}

static enum sf_status
import_file(struct import *import, int folder, const char *name, struct sf_buffer *line)
{
    struct stat about;
    struct sf_error error;
    if (read_file(folder, name, line, &about, &error) != SF_OK) {
        import->refused++;
        command_fail(EXIT_NEGATIVE, "%s", error.text);
        return SF_OK;
    }
    import->foreign.last_access = (sf_time)about.st_mtime * SF_SECOND;
    return import_one(import, import_read_foreign, sf_buffer_span(line));
}

enum sf_status
import_folder(struct import *import)
{
    DIR *folder = import->call->php_files;
    struct sf_buffer line;
    enum sf_status status = SF_OK;
    sf_buffer_init(&line, SF_RECORD_BYTES_MAX + NAME_MAX + 2);
    for (struct dirent *entry; status == SF_OK && (entry = readdir(folder)) != NULL;)
        if (strncmp(entry->d_name, PHP_FILE, strlen(PHP_FILE)) == 0)
            status = import_file(import, dirfd(folder), entry->d_name, &line);
    sf_buffer_fini(&line);
    return status;
}
