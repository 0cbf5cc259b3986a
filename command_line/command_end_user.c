/* SPDX-License-Identifier: Apache-2.0 */
/*
 * end-user: a user, or everybody who is logged in, is logged out on all hosts of the store.
 *
 * First his epoch is moved: when that is acknowledged the store has it, and nothing brings a session back
 * that was logged in before (user_epochs.h). What follows is cleaning: those that the store knows are ended
 * one by one, and counted. A session may get a new id while we look, so we look until a pass finds none.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "command_line/command.h"
#include "command_line/print.h"

#define WAIT (10 * SF_SECOND)
#define PAGE_ROWS 100
#define ROW_VALUES 8
#define HEARD_MAX (10 * SF_SECOND) /* a host that does not ask for longer is told, as a rule */
#define PASSES_MAX 20 /* somebody who logs in again and again is not waited for */

struct ending {
    struct command_context *context;
    const char *user;            /* NULL: everybody */
    char after[SF_KEY_TEXT + 1]; /* "-": from the first; "": that was all */
    char keys[PAGE_ROWS][SF_KEY_TEXT + 1];
    size_t count;                /* of keys */
    uint64_t ended;
};

/* The rest is anonymous, or over. */
static bool
is_to_end(const struct sf_resp_value *row)
{
    return row[1].text.size > 0 && sf_span_equal(row[6].text, sf_span_text("active"));
}

/* [array 2] next [array n] then n times [array 8] and its values */
static int
take_page(struct ending *ending)
{
    const struct sf_daemon_reply *reply = &ending->context->reply;

    if (reply->count < 3 || reply->values[1].text.size > SF_KEY_TEXT)
        return command_fail(EXIT_NO_ANSWER, "the daemon's answer makes no sense: is it another version?");
    memcpy(ending->after, reply->values[1].text.data, reply->values[1].text.size);
    ending->after[reply->values[1].text.size] = '\0';
    ending->count = 0;
    for (size_t at = 3; at + ROW_VALUES < reply->count && ending->count < PAGE_ROWS; at += 1 + ROW_VALUES) {
        const struct sf_resp_value *row = &reply->values[at + 1];
        struct sf_key key;
        if (is_to_end(row) && sf_key_parse(&key, row[0].text) == SF_OK)
            sf_key_format(&key, ending->keys[ending->count++]);
    }
    return EXIT_DONE;
}

static int
end_page(struct ending *ending)
{
    char count[8];

    snprintf(count, sizeof count, "%d", PAGE_ROWS);
    const char *words[] = {"SESSION.LIST", ending->after, count, ending->user, NULL};
    int exit_code = command_ask(ending->context, WAIT, words);
    if (exit_code == EXIT_DONE)
        exit_code = take_page(ending);
    for (size_t i = 0; exit_code == EXIT_DONE && i < ending->count; i++) {
        const char *end[] = {"SESSION.END", ending->keys[i], "admin", NULL};
        exit_code = command_ask(ending->context, WAIT, end);
        ending->ended += exit_code == EXIT_DONE && ending->context->reply.values[0].integer == 1;
    }
    return exit_code;
}

static int
end_in_a_pass(struct ending *ending)
{
    int exit_code = EXIT_DONE;

    memcpy(ending->after, "-", 2);
    while (exit_code == EXIT_DONE && ending->after[0] != '\0')
        exit_code = end_page(ending);
    return exit_code;
}

static int
end_until_none_is_left(struct ending *ending)
{
    for (int i = 0; i < PASSES_MAX; i++) {
        uint64_t before = ending->ended;
        int exit_code = end_in_a_pass(ending);
        if (exit_code != EXIT_DONE || ending->ended == before)
            return exit_code;
    }
    return command_fail(EXIT_NEGATIVE, "new sessions begin as fast as they are ended");
}

static int
move_epoch(const struct ending *ending)
{
    const char *one[] = {"SESSION.EPOCH", "END", ending->user, NULL};
    const char *all[] = {"SESSION.EPOCH", "ENDALL", NULL};
    return command_ask(ending->context, WAIT, ending->user != NULL ? one : all);
}

/* Without one there is no list of sessions: each of them ends when it is used next. */
static int
find_store(struct command_context *context, bool *has_store_out)
{
    const struct sf_daemon_reply *reply = &context->reply;
    const char *words[] = {"SESSION.STATUS", NULL};
    int exit_code = command_ask(context, WAIT, words);

    *has_store_out = true;
    for (size_t i = 1; exit_code == EXIT_DONE && i + 1 < reply->count; i += 2) {
        if (sf_span_equal(reply->values[i].text, sf_span_text("store")))
            *has_store_out = !sf_span_equal(reply->values[i + 1].text, sf_span_text(SF_CONFIG_NO_STORE));
    }
    return exit_code;
}

/* Behind it no host shows what the store had said at `since`, by the steady clock. */
static void
wait_until_all_have_heard(const struct command_context *context, sf_time since)
{
    sf_time freshness = context->config.freshness;
    sf_time wait = since + (freshness < HEARD_MAX ? freshness : HEARD_MAX) - sf_clock_steady();
    struct timespec left = {.tv_sec = wait / SF_SECOND, .tv_nsec = wait % SF_SECOND * 1000000};

    while (wait > 0 && nanosleep(&left, &left) != 0)
        continue;
}

static void
print_result(const struct ending *ending)
{
    if (ending->context->is_json) {
        json_t *result = json_pack("{s:I}", "ended", (json_int_t)ending->ended);
        print_json(result);
        json_decref(result);
    } else {
        printf("%" PRIu64 " session%s ended\n", ending->ended, ending->ended == 1 ? "" : "s");
    }
}

int
command_end_user(struct command_context *context, int argc, char **argv)
{
    struct ending ending = {.context = context};
    bool has_store, is_everybody = argc == 2 && strcmp(argv[1], "--all") == 0;

    if (argc != 2 || argv[1][0] == '\0')
        return command_fail(EXIT_USAGE, "usage: session-fast end-user USER|--all");
    ending.user = is_everybody ? NULL : argv[1];
    int exit_code = find_store(context, &has_store);
    if (exit_code == EXIT_DONE)
        exit_code = move_epoch(&ending);
    if (exit_code != EXIT_DONE)
        return exit_code;
    sf_time moved = sf_clock_steady();
    if (has_store) {
        exit_code = end_until_none_is_left(&ending);
        wait_until_all_have_heard(context, moved);
    }
    print_result(&ending);
    return exit_code;
}
