/* SPDX-License-Identifier: Apache-2.0 */
#include "command_line/command.h"
#include "command_line/print.h"

#define FLUSH_WAIT (30 * SF_SECOND)

int
command_flush(struct command_context *context, int argc, char **argv)
{
    static const char *const words[] = {"SESSION.FLUSH", NULL};
    static const struct print_column columns[] = {
        {"milliseconds", "everything is in the store, after", PRINT_DURATION}};

    if (argc != 1)
        return command_fail(EXIT_USAGE, "%s takes no argument", argv[0]);
    sf_time start = sf_clock_steady();
    int exit_code = command_ask(context, FLUSH_WAIT, words);
    if (exit_code != EXIT_DONE)
        return exit_code;
    json_t *result = json_pack("{s:b, s:I}", "flushed", 1, "milliseconds",
                               (json_int_t)(sf_clock_steady() - start));
    if (context->is_json)
        print_json(result);
    else
        print_object(result, columns, 1, 0);
    json_decref(result);
    return EXIT_DONE;
}
