/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_import.c - sessions into a store: the JSON lines of an export, or what another system has
 * stored.
 *
 * Versions travel along: what the target has in the same version or a later one stays as it is, so
 * an import may be repeated.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "command_line/print.h"
#include "command_line/store_import.h"
#include "common/store/file/row_json.h"

#define CALL_WAIT (30 * SF_SECOND)

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
    enum sf_status worst =
        store->ops->write(store, import->writes, count, sf_clock_steady() + CALL_WAIT);
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
read_row(struct import *import, struct sf_span text, struct sf_error *error)
{
    json_error_t reason;
    struct sf_key *key = &import->writes[import->waiting].key;
    json_t *line = json_loadb((const char *)text.data, text.size,
                              JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &reason);
    json_t *digits = json_object_get(line, "key");
    enum sf_status status;
    if (line == NULL)
        status = sf_error_set(error, SF_INVALID, "%s", reason.text);
    else if (sf_key_parse(key, sf_span_of(json_string_value(digits), json_string_length(digits))) !=
             SF_OK)
        status = sf_error_set(error, SF_INVALID, "\"key\" is not 32 hexadecimal digits");
    else
        status = sf_row_from_json(&import->rows[import->waiting], key, json_object_get(line, "row"),
                                  error);
    json_decref(line);
    return status;
}

/* ---- for what is read ---- */

static enum sf_status
take_read(struct import *import)
{
    struct sf_write *write = &import->writes[import->waiting];
    struct sf_stored *stored = &import->rows[import->waiting];
    struct sf_record_head head;
    enum sf_status status = sf_record_head(&head, sf_buffer_span(&stored->record));
    if (status != SF_OK)
        return status;
    write->version = head.version;
    write->last_access = stored->last_access;
    write->expires = sf_record_expires(&head, stored->last_access);
    write->record = sf_buffer_span(&stored->record);
    import->lines[import->waiting++] = import->line;
    return SF_OK;
}

enum sf_status
import_one(struct import *import, import_read_fn *read, struct sf_span text)
{
    struct sf_error error = {.text = ""};
    import->line++;
    import->bytes += text.size;
    import->writes[import->waiting] = (struct sf_write){.kind = SF_WRITE_PUT};
    enum sf_status status = read(import, text, &error);
    if (status == SF_OK)
        status = take_read(import);
    if (status == SF_NOT_FOUND)
        import->expired++;
    else if (status != SF_OK)
        refuse(import, import->line, error.text);
    progress_step(&import->progress, import->done, import->bytes);
    return import->waiting == IMPORT_ROWS ? write_rows(import) : SF_OK;
}

/* ---- all of it ---- */

static enum sf_status
import_lines(struct import *import, import_read_fn *read)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t size;
    enum sf_status status = SF_OK;
    while (status == SF_OK && (size = getline(&text, &room, stdin)) > 0)
        status = import_one(import, read, sf_span_of(text, (size_t)size));
    free(text);
    return status == SF_OK && ferror(stdin) ? SF_CORRUPT : status;
}

static int
report(const struct import *import)
{
    static const struct print_column columns[] = {{"imported", "imported", PRINT_NUMBER},
                                                  {"refused", "refused", PRINT_NUMBER},
                                                  {"expired", "expired", PRINT_NUMBER}};
    bool is_foreign = import->call->from != NULL;
    json_t *result = json_pack("{s:I, s:I}", "imported", (json_int_t)import->done, "refused",
                               (json_int_t)import->refused);
    if (is_foreign)
        (void)json_object_set_new(result, "expired", json_integer((json_int_t)import->expired));
    if (import->call->context->is_json)
        print_json(result);
    else
        print_object(result, columns, is_foreign ? 3 : 2, 0);
    json_decref(result);
    return import->refused == 0 ? EXIT_DONE : EXIT_NEGATIVE;
}

static int
run(struct import *import)
{
    const struct store_call *call = import->call;
    enum sf_status status;
    int exit_code = call->from != NULL ? import_begin_foreign(import) : EXIT_DONE;
    if (exit_code != EXIT_DONE)
        return exit_code;
    if (call->folder != NULL)
        status = import_folder(import);
    else
        status = import_lines(import, call->from != NULL ? import_read_foreign : read_row);
    if (status == SF_OK && import->waiting > 0)
        status = write_rows(import);
    progress_end(&import->progress);
    if (status == SF_OK)
        return report(import);
    exit_code = store_fail(call, status, "import");
    return command_fail(exit_code,
                        "%llu sessions were imported before that; an import may be repeated",
                        (unsigned long long)import->done);
}

int
store_import(struct store_call *call)
{
    struct stat input;
    bool has_size =
        call->folder == NULL && fstat(fileno(stdin), &input) == 0 && S_ISREG(input.st_mode);
    struct import *import = calloc(1, sizeof *import);
    if (import == NULL)
        return command_fail(EXIT_NO_ANSWER, "out of memory");
    import->call = call;
    import->progress = progress_begin("sessions", has_size ? (uint64_t)input.st_size : 0);
    for (size_t i = 0; i < IMPORT_ROWS; i++)
        sf_buffer_init(&import->rows[i].record, SF_RECORD_BYTES_MAX);
    int exit_code = run(import);
    for (size_t i = 0; i < IMPORT_ROWS; i++)
        sf_buffer_fini(&import->rows[i].record);
    sf_secrets_wipe(&import->secrets);
    free(import);
    return exit_code;
}
