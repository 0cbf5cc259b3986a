/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "command_line/command.h"
#include "command_line/print.h"

#define FLUSH_WAIT (30 * SF_SECOND)

int
command_flush(struct command_context *context, int argc, char **argv)
{
    static const char *const words[] = {"SESSION.FLUSH", NULL};

    if (argc != 1)
        return command_fail(EXIT_USAGE, "%s takes no argument", argv[0]);
    if (!sf_config_has_store(&context->config))
        return command_fail(EXIT_NEGATIVE, "SessionFastStore none: there is no store");
    sf_time start = sf_clock_steady();
    int exit_code = command_ask(context, FLUSH_WAIT, words);
    if (exit_code != EXIT_DONE)
        return exit_code;
    long long taken = sf_clock_steady() - start;
    json_t *result = json_pack("{s:b, s:I}", "flushed", 1, "milliseconds", (json_int_t)taken);
    if (context->is_json)
        print_json(result);
    else
        printf("everything is in the store, after %lld ms\n", taken);
    json_decref(result);
    return EXIT_DONE;
}
