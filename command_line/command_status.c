/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "command_line/command.h"
#include "command_line/print.h"

#define STATUS_WAIT (5 * SF_SECOND)

static json_t *
value_to_json(const struct sf_resp_value *value)
{
    return value->type == SF_RESP_INTEGER ? json_integer(value->integer) : print_bytes_to_json(value->text);
}

int
command_status(struct command_context *context, int argc, char **argv)
{
    static const char *const words[] = {"SESSION.STATUS", NULL};

    if (argc != 1)
        return command_fail(EXIT_USAGE, "%s takes no argument", argv[0]);
    int exit_code = command_ask(context, STATUS_WAIT, words);
    if (exit_code != EXIT_DONE)
        return exit_code;
    json_t *status = json_object();
    for (size_t i = 1; i + 1 < context->reply.count; i += 2) {
        struct sf_span name = context->reply.values[i].text;
        char text[128];
        snprintf(text, sizeof text, "%.*s", (int)name.size, (const char *)name.data);
        json_object_set_new(status, text, value_to_json(&context->reply.values[i + 1]));
    }
    if (context->is_json)
        print_json(status);
    else
        print_members(status, 0);
    json_decref(status);
    return EXIT_DONE;
}
