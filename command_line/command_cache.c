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

static void
set_number(json_t *object, const char *field, uint64_t number)
{
    json_object_set_new(object, field, json_integer((json_int_t)number));
}

static json_t *
usage_to_json(const struct sf_l1_usage *usage)
{
    json_t *object = json_object();

    set_number(object, "bytes", usage->bytes);
    set_number(object, "record_bytes", usage->record_bytes);
    set_number(object, "live", usage->blocks_live);
    set_number(object, "dirty", usage->blocks_dirty);
    set_number(object, "tombstones", usage->tombstones);
    set_number(object, "free", usage->blocks_free);
    set_number(object, "owned", usage->blocks_owned);
    set_number(object, "slabs_used", usage->slabs_used);
    set_number(object, "slabs", usage->slabs);
    set_number(object, "index_used", usage->index_used);
    set_number(object, "index_words", usage->index_words);
    set_number(object, "processes", usage->processes);
    return object;
}

/* In words; NULL verdict: nothing was found. */
static const char *
describe(const char *verdict, bool is_quiet)
{
    if (verdict != NULL)
        return "DAMAGED";
    return is_quiet ? "intact" : "intact (other processes are at work: leaks were not looked for)";
}

static int
report(const struct command_context *context, const char *verdict, bool is_quiet, json_t *usage)
{
    json_object_set_new(usage, "intact", json_boolean(verdict == NULL));
    json_object_set_new(usage, "finding", verdict == NULL ? json_null() : json_string(verdict));
    if (context->is_json) {
        print_json(usage);
    } else {
        printf("%s: %s\n", context->instance.cache_path, describe(verdict, is_quiet));
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
        return command_fail(EXIT_NO_ANSWER, "there is no cache at %s",
                            context->instance.cache_path);
    if (status != SF_OK)
        return command_fail(EXIT_NEGATIVE, "%s", error.text);
    sf_l1_usage(l1, &usage);
    json_t *numbers = usage_to_json(&usage);
    bool is_quiet = usage.processes == 0;
    status = sf_l1_check(l1, is_quiet, &error);
    int exit_code = report(context, status == SF_OK ? NULL : error.text, is_quiet, numbers);
    json_decref(numbers);
    sf_l1_close(l1);
    return exit_code;
}
