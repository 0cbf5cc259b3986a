/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_export.c - a store as JSON lines: {"key": "<32 hex digits>", "row": {...}}.
 */
#include <stdio.h>

#include "command_line/command_store.h"
#include "command_line/progress.h"
#include "common/store/file/row_json.h"

#define CALL_WAIT (30 * SF_SECOND)
#define ROWS_AT_ONCE 500

struct export
{
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
    export->has_failed =
        line == NULL || json_dumpf(line, stdout, JSON_COMPACT) != 0 || putchar('\n') != '\n';
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
        sf_time deadline = sf_clock_steady() + CALL_WAIT;
        do
            status = call->store->ops->scan(call->store, after, sf_span_text(NULL), ROWS_AT_ONCE, deadline, export_row,
                                            &export);
        while (status == SF_FULL);
    } while (status == SF_OK && export.rows == ROWS_AT_ONCE && !export.has_failed);
    progress_end(&export.progress);
    if (export.has_failed || fflush(stdout) != 0)
        return command_fail(EXIT_NO_ANSWER, "standard output cannot be written");
    if (status != SF_OK)
        return store_fail(call, status, "list");
    fprintf(stderr, "session-fast: %llu sessions\n", (unsigned long long)export.count);
    return EXIT_DONE;
}
