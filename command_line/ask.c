/* SPDX-License-Identifier: Apache-2.0 */
#include "command_line/command.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 16

static int
tell_failure(const struct command_context *context, enum sf_status status)
{
    const char *path = context->instance.socket_path;

    if (status == SF_UNCERTAIN)
        return command_fail(EXIT_NO_ANSWER, "the daemon at %s did not answer in time", path);
    if (access(path, R_OK | W_OK) != 0)
        return command_fail(EXIT_NO_ANSWER, "no daemon answers at %s: %s%s", path, strerror(errno),
                            errno == EACCES ? ": to be run as root or as the user of the daemon" : "");
    return command_fail(EXIT_NO_ANSWER, "no daemon answers at %s", path);
}

static int
tell_refusal(const struct sf_daemon_reply *reply)
{
    struct sf_span text = reply->values[0].text;
    const unsigned char *blank = memchr(text.data, ' ', text.size);

    if (blank != NULL) /* the word is for programs, and is in the exit code */
        text = sf_span_of(blank + 1, text.size - (size_t)(blank + 1 - (const unsigned char *)text.data));
    switch (sf_daemon_reply_status(reply)) {
    case SF_UNAVAILABLE:
    case SF_UNCERTAIN:
        return command_fail(EXIT_NO_ANSWER, "%.*s", (int)text.size, (const char *)text.data);
    case SF_OK:
    case SF_NOT_FOUND:
    case SF_CONFLICT:
    case SF_FULL:
    case SF_INVALID:
    case SF_CORRUPT:
    case SF_NO_MEMORY:
        break;
    }
    return command_fail(EXIT_NEGATIVE, "%.*s", (int)text.size, (const char *)text.data);
}

int
command_ask(struct command_context *context, sf_time wait, const char *const *words)
{
    struct sf_span spans[WORDS_MAX];
    size_t count = 0;

    while (count < WORDS_MAX && words[count] != NULL) {
        spans[count] = sf_span_text(words[count]);
        count++;
    }
    if (context->link == NULL &&
        sf_daemon_link_new(&context->link, context->instance.socket_path) != SF_OK)
        return command_fail(EXIT_NO_ANSWER, "out of memory");
    enum sf_status status =
        sf_daemon_ask(context->link, spans, count, sf_clock_steady() + wait, &context->reply);
    if (status != SF_OK)
        return tell_failure(context, status);
    if (context->reply.values[0].type == SF_RESP_ERROR)
        return tell_refusal(&context->reply);
    return EXIT_DONE;
}
