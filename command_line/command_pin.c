/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pin, unpin: which sessions the cache gives up last.
 */
#include "command_line/command.h"

#define WAIT (10 * SF_SECOND)

static int
mark_one(struct command_context *context, const char *op, const char *text)
{
    char key[SF_KEY_TEXT + 1];

    int exit_code = command_find_key(context, text, key);
    if (exit_code != EXIT_DONE)
        return exit_code;
    const char *words[] = {"SESSION.APPLY", key, "OPS", op, "pinned", NULL};
    return command_ask(context, WAIT, words);
}

static int
mark_all(struct command_context *context, int argc, char **argv, const char *op)
{
    int worst = EXIT_DONE;

    if (argc < 2)
        return command_fail(EXIT_USAGE, "usage: session-fast %s KEY...", argv[0]);
    for (int i = 1; i < argc; i++) {
        int exit_code = mark_one(context, op, argv[i]);
        if (exit_code > worst)
            worst = exit_code;
    }
    return worst;
}

int
command_pin(struct command_context *context, int argc, char **argv)
{
    return mark_all(context, argc, argv, "MARK");
}

int
command_unpin(struct command_context *context, int argc, char **argv)
{
    return mark_all(context, argc, argv, "UNMARK");
}
