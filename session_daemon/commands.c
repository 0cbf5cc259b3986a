/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/commands.h"

#include <stdio.h>

#include "common/session/user_epochs.h"

static command_fn ping, quit, describe_commands, client, hello, info;

struct command {
    const char *name;
    command_fn *run;
    size_t words_min, words_max; /* with the name */
};

static const struct command table[] = {
    {"SESSION.LOAD", command_load, 2, 2},
    {"SESSION.GET", command_get, 2, 2},
    {"SESSION.APPLY", command_apply, 4, SF_RESP_WORDS_MAX},
    {"SESSION.END", command_end, 2, 3},
    {"SESSION.EPOCH", command_epoch, 2, 4},
    {"SESSION.FLUSH", command_flush, 1, 3 + 2 * CONNECTION_MARKS_MAX},
    {"SESSION.LIST", command_list, 3, 4},
    {"SESSION.MIGRATE", command_migrate, 2, 5},
    {"SESSION.STATUS", command_status, 1, 1},
    {"PING", ping, 1, 2},
    {"QUIT", quit, 1, 1},
    {"COMMAND", describe_commands, 1, SF_RESP_WORDS_MAX},
    {"CLIENT", client, 1, SF_RESP_WORDS_MAX},
    {"HELLO", hello, 1, SF_RESP_WORDS_MAX},
    {"INFO", info, 1, SF_RESP_WORDS_MAX},
};

static const struct command *
find_command(struct sf_span name)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (word_is(name, table[i].name))
            return &table[i];
    return NULL;
}

void
commands_run(struct call *call)
{
    call->daemon->server.commands++;
    const struct command *command = find_command(call->words[0]);
    if (command == NULL)
        reply_error(call, SF_INVALID, "unknown command");
    else if (call->count < command->words_min || call->count > command->words_max)
        reply_error(call, SF_INVALID, "wrong number of words");
    else
        command->run(call);
}

bool
command_key(struct call *call, size_t word, struct sf_key *key_out)
{
    if (word < call->count && sf_key_parse(key_out, call->words[word]) == SF_OK)
        return true;
    reply_error(call, SF_INVALID, "a key is 32 hexadecimal digits");
    return false;
}

bool
command_session(struct call *call, size_t word, struct sf_key *key_out)
{
    if (!command_key(call, word, key_out))
        return false;
    if (!sf_user_epochs_has_key(key_out))
        return true;
    reply_error(call, SF_INVALID, "that is the key of no session");
    return false;
}

bool
command_integer(struct call *call, size_t word, int64_t min, int64_t max, int64_t *value_out)
{
    if (word < call->count && sf_int64_parse(call->words[word], value_out) == SF_OK && *value_out >= min
        && *value_out <= max)
        return true;
    reply_error(call, SF_INVALID, "a number is missing or out of range");
    return false;
}

const char *
command_state(const struct sf_record_head *head, sf_time last_access, sf_time now)
{
    if (head->kind == SF_RECORD_ENDED)
        return head->grace_until > now ? "former" : "ended";
    sf_time expires = sf_record_expires(head, last_access);
    return expires != 0 && expires <= now ? "expired" : "active";
}

static void
ping(struct call *call)
{
    if (call->count == 2)
        reply_bulk(call, call->words[1]);
    else
        reply_simple(call, "PONG");
}

static void
quit(struct call *call)
{
    reply_simple(call, "OK");
    call->connection->is_closing = true;
}

/* ---- what interactive Redis clients ask first ---- */

static void
describe_commands(struct call *call)
{
    reply_array(call, 0);
}

static void
client(struct call *call)
{
    reply_simple(call, "OK");
}

static void
hello(struct call *call)
{
    if (call->count > 1 && !word_is(call->words[1], "2")) {
        reply_encoded(call, sf_span_text("-NOPROTO only version 2 is spoken here\r\n"));
        return;
    }
    reply_array(call, 6);
    reply_text(call, "server");
    reply_text(call, "session-fastd");
    reply_text(call, "version");
    reply_text(call, SF_VERSION);
    reply_text(call, "proto");
    reply_integer(call, 2);
}

static void
info(struct call *call)
{
    char text[128];
    snprintf(text, sizeof text, "# Server\r\nsession_fast_version:%s\r\nuptime_in_seconds:%lld\r\n", SF_VERSION,
             (long long)((call->now - call->daemon->started) / SF_SECOND));
    reply_text(call, text);
}
