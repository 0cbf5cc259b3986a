/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_transfer.c - a store as JSON lines, and back: {"key": "<32 hex digits>", "row": {...}}.
 *
 * Versions travel along: what the target has in the same version or a later one stays as it is, so an
 * import may be repeated.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command_line/command_store.h"
#include "command_line/print.h"
#include "command_line/progress.h"
#include "common/store/row_json.h"

#define CALL_WAIT (30 * SF_SECOND)
#define ROWS_AT_ONCE 500

/* ---- export ---- */

struct export {
    struct sf_key last;
    size_t rows; /* of this scan */
    uint64_t count;
    struct progress progress;
    bool has_failed;
};

static bool
export_row(void *context, const struct sf_key *key, const struct sf_stored *stored)
{
    struct export *export = context;
    char text[SF_KEY_TEXT + 1];
    sf_key_format(key, text);
    json_t *row = sf_row_to_json(key, sf_buffer_span(&stored->record), stored->last_access);
    json_t *line = json_pack("{s:s, s:o}", "key", text, "row", row);
    export->has_failed = line == NULL || json_dumpf(line, stdout, JSON_COMPACT) != 0 || putchar('\n') != '\n';
    json_decref(line);
    export->last = *key;
    export->rows++;
    progress_step(&export->progress, ++export->count, 0);
    return !export->has_failed;
}

int
store_export(struct store_call *call)
{
    struct export export = {.progress = progress_begin("sessions", 0)};
    enum sf_status status = SF_OK;
    do {
        const struct sf_key *after = export.count == 0 ? NULL : &export.last;
        export.rows = 0;
        status = call->store->ops->scan(call->store, after, sf_span_text(NULL), ROWS_AT_ONCE,
                                        sf_clock_steady() + CALL_WAIT, export_row, &export);
    } while (status == SF_OK && export.rows == ROWS_AT_ONCE && !export.has_failed);
    progress_end(&export.progress);
    if (export.has_failed || fflush(stdout) != 0)
        return command_fail(EXIT_NO_ANSWER, "standard output cannot be written");
    if (status != SF_OK)
        return store_fail(call, status, "list");
    fprintf(stderr, "session-fast: %llu sessions\n", (unsigned long long)export.count);
    return EXIT_DONE;
}

/* ---- import ---- */

struct import {
    struct store_call *call;
    struct sf_write writes[ROWS_AT_ONCE];
    struct sf_stored rows[ROWS_AT_ONCE]; /* what writes[i] points into */
    uint64_t lines[ROWS_AT_ONCE];
    size_t waiting;
    uint64_t line, done, refused, bytes;
    struct progress progress;
};

static void
refuse(struct import *import, uint64_t line, const char *reason)
{
    import->refused++;
    progress_end(&import->progress);
    command_fail(EXIT_NEGATIVE, "line %llu: %s", (unsigned long long)line, reason);
}

static enum sf_status
write_rows(struct import *import)
{
    struct sf_store *store = import->call->store;
    size_t count = import->waiting;
    enum sf_status worst = store->ops->write(store, import->writes, count, sf_clock_steady() + CALL_WAIT);
    import->waiting = 0;
    for (size_t i = 0; i < count; i++) {
        enum sf_status status = import->writes[i].status;
        if (status == SF_OK)
            import->done++;
        else if (status == SF_INVALID)
            refuse(import, import->lines[i], "the store refuses it");
        else
            return worst;
    }
    return SF_OK;
}

static enum sf_status
read_row(struct import *import, const char *text, size_t size, struct sf_error *error)
{
    json_error_t reason;
    struct sf_write *write = &import->writes[import->waiting];
    struct sf_stored *stored = &import->rows[import->waiting];
    struct sf_record_head head;
    *write = (struct sf_write){.kind = SF_WRITE_PUT};
    json_t *line = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &reason);
    json_t *key = json_object_get(line, "key");
    struct sf_span digits = sf_span_of(json_string_value(key), json_string_length(key));
    enum sf_status status;
    if (line == NULL)
        status = sf_error_set(error, SF_INVALID, "%s", reason.text);
    else if (sf_hex_decode(digits, write->key.bytes, SF_KEY_BYTES) != SF_OK)
        status = sf_error_set(error, SF_INVALID, "\"key\" is not 32 hexadecimal digits");
    else
        status = sf_row_from_json(stored, &write->key, json_object_get(line, "row"), error);
    json_decref(line);
    if (status == SF_OK)
        status = sf_record_head(&head, sf_buffer_span(&stored->record));
    if (status != SF_OK)
        return status;
    write->version = head.version;
    write->last_access = stored->last_access;
    write->expires = sf_record_expires(&head, stored->last_access);
    write->record = sf_buffer_span(&stored->record);
    import->lines[import->waiting++] = import->line;
    return SF_OK;
}

static enum sf_status
import_line(struct import *import, const char *text, size_t size)
{
    struct sf_error error;
    import->line++;
    import->bytes += size;
    if (read_row(import, text, size, &error) != SF_OK)
        refuse(import, import->line, error.text);
    progress_step(&import->progress, import->done, import->bytes);
    return import->waiting == ROWS_AT_ONCE ? write_rows(import) : SF_OK;
}

static enum sf_status
import_lines(struct import *import)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t size;
    enum sf_status status = SF_OK;
    while (status == SF_OK && (size = getline(&text, &room, stdin)) > 0)
        status = import_line(import, text, (size_t)size);
    free(text);
    if (status == SF_OK && ferror(stdin))
        status = SF_CORRUPT;
    return status == SF_OK && import->waiting > 0 ? write_rows(import) : status;
}

static int
report(const struct import *import)
{
    static const struct print_column columns[] = {{"imported", "imported", PRINT_NUMBER},
                                                  {"refused", "refused", PRINT_NUMBER}};
    json_t *result = json_pack("{s:I, s:I}", "imported", (json_int_t)import->done, "refused",
                               (json_int_t)import->refused);
    if (import->call->context->is_json)
        print_json(result);
    else
        print_object(result, columns, 2, 0);
    json_decref(result);
    return import->refused == 0 ? EXIT_DONE : EXIT_NEGATIVE;
}

int
store_import(struct store_call *call)
{
    struct stat input;
    bool has_size = fstat(fileno(stdin), &input) == 0 && S_ISREG(input.st_mode);
    struct import *import = calloc(1, sizeof *import);
    if (import == NULL)
        return command_fail(EXIT_NO_ANSWER, "out of memory");
    import->call = call;
    import->progress = progress_begin("sessions", has_size ? (uint64_t)input.st_size : 0);
    for (size_t i = 0; i < ROWS_AT_ONCE; i++)
        sf_buffer_init(&import->rows[i].record, SF_RECORD_BYTES_MAX);
    enum sf_status status = import_lines(import);
    progress_end(&import->progress);
    int exit_code = status == SF_OK ? report(import) : store_fail(call, status, "import");
    if (status != SF_OK)
        command_fail(exit_code, "%llu sessions were imported before that; an import may be repeated",
                     (unsigned long long)import->done);
    for (size_t i = 0; i < ROWS_AT_ONCE; i++)
        sf_buffer_fini(&import->rows[i].record);
    free(import);
    return exit_code;
}
