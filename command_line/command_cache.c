/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "command_line/command.h"
#include "command_line/print.h"
#include "common/cache/l1.h"

static const struct print_column usage_columns[] = {
    {"bytes", "size", PRINT_BYTES},
    {"record_bytes", "in records", PRINT_BYTES},
    {"live", "records", PRINT_NUMBER},
    {"dirty", "waiting for the store", PRINT_NUMBER},
    {"tombstones", "ended, remembered", PRINT_NUMBER},
    {"free", "free blocks", PRINT_NUMBER},
    {"owned", "blocks being written", PRINT_NUMBER},
    {"slabs_used", "slabs in use", PRINT_NUMBER},
    {"slabs", "slabs", PRINT_NUMBER},
    {"index_used", "index words in use", PRINT_NUMBER},
    {"index_words", "index words", PRINT_NUMBER},
    {"processes", "processes attached", PRINT_NUMBER},
};

static json_t *
usage_to_json(struct sf_l1 *l1, struct sf_l1_usage *usage)
{
    sf_l1_usage(l1, usage);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "bytes", (json_int_t)usage->bytes,
                     "record_bytes", (json_int_t)usage->record_bytes, "live", (json_int_t)usage->blocks_live, "dirty",
                     (json_int_t)usage->blocks_dirty, "tombstones", (json_int_t)usage->tombstones, "free",
                     (json_int_t)usage->blocks_free, "owned", (json_int_t)usage->blocks_owned, "slabs",
                     (json_int_t)usage->slabs, "slabs_used", (json_int_t)usage->slabs_used, "index_words",
                     (json_int_t)usage->index_words, "index_used", (json_int_t)usage->index_used, "processes",
                     (json_int_t)usage->processes);
}

static int
report(const struct command_context *context, const char *verdict, bool is_quiet, json_t *usage)
{
    json_object_set_new(usage, "intact", json_boolean(verdict == NULL));
    json_object_set_new(usage, "finding", verdict == NULL ? json_null() : json_string(verdict));
    if (context->is_json) {
        print_json(usage);
    } else {
        printf("%s: %s\n", context->instance.cache_path,
               verdict != NULL ? "DAMAGED" : is_quiet ? "intact" : "intact (other processes are at work: leaks were not looked for)");
        if (verdict != NULL)
            printf("  %s\n", verdict);
        print_object(usage, usage_columns, sizeof usage_columns / sizeof usage_columns[0], 2);
    }
    return verdict == NULL ? EXIT_DONE : EXIT_NEGATIVE;
}

int
command_cache(struct command_context *context, int argc, char **argv)
{
    struct sf_l1 *l1;
    struct sf_l1_usage usage;
    struct sf_error error;

    if (argc != 2 || strcmp(argv[1], "check") != 0)
        return command_fail(EXIT_USAGE, "usage: session-fast cache check");
    enum sf_status status = sf_l1_attach(&l1, &context->instance, SF_L1_READ_ONLY, &error);
    if (status == SF_NOT_FOUND)
        return command_fail(EXIT_NO_ANSWER, "there is no cache at %s", context->instance.cache_path);
    if (status != SF_OK)
        return command_fail(EXIT_NEGATIVE, "%s", error.text);
    json_t *numbers = usage_to_json(l1, &usage);
    bool is_quiet = usage.processes == 0;
    status = sf_l1_check(l1, is_quiet, &error);
    int exit_code = report(context, status == SF_OK ? NULL : error.text, is_quiet, numbers);
    json_decref(numbers);
    sf_l1_close(l1);
    return exit_code;
}
