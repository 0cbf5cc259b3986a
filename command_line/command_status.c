/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "command_line/command.h"
#include "command_line/print.h"

#define STATUS_WAIT (5 * SF_SECOND)
#define LINES_MAX 192

static bool
ends_with(const char *name, const char *suffix)
{
    size_t length = strlen(name), tail = strlen(suffix);

    return length >= tail && strcmp(name + length - tail, suffix) == 0;
}

static enum print_form
form_of(const char *name)
{
    if (ends_with(name, "_bytes"))
        return PRINT_BYTES;
    if (ends_with(name, "_ms"))
        return PRINT_DURATION;
    if (strcmp(name, "started") == 0 || strcmp(name, "writer_last_flush") == 0 || strcmp(name, "sweep_last") == 0 ||
        strcmp(name, "news_since") == 0)
        return PRINT_TIME;
    return PRINT_TEXT;
}

static void
print_status(json_t *status)
{
    struct print_column lines[LINES_MAX];
    size_t count = 0;
    const char *name;
    json_t *value;

    json_object_foreach(status, name, value) {
        if (count < LINES_MAX)
            lines[count++] = (struct print_column){name, name, form_of(name)};
    }
    print_object(status, lines, count, 0);
}

static json_t *
value_to_json(const struct sf_resp_value *value)
{
    return value->type == SF_RESP_INTEGER ? json_integer(value->integer)
                                          : print_bytes_to_json(value->text);
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
        print_status(status);
    json_decref(status);
    return EXIT_DONE;
}
