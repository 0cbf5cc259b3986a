/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list, show, end: sessions as the daemon knows them; list --cached looks into the shared memory
 * itself.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command_line/command.h"
#include "command_line/print.h"
#include "common/cache/l1.h"
#include "common/session/user_epochs.h"
#include "common/session/export.h"

#define WAIT (10 * SF_SECOND)
#define ROW_VALUES 8
#define HEAD_PAIRS 7 /* SESSION.GET: "@state" and so on, then the fields */
#define PAGE_ROWS 100
#define LIMIT_DEFAULT 100
#define KEY_PREFIX_MIN 8

static const struct print_column list_columns[] = {
    {"key", "KEY", PRINT_TEXT},
    {"user", "USER", PRINT_TEXT},
    {"state", "STATE", PRINT_TEXT},
    {"created", "CREATED", PRINT_TIME},
    {"last_access", "LAST ACCESS", PRINT_TIME},
    {"expires", "EXPIRES", PRINT_TIME},
    {"version", "VERSION", PRINT_NUMBER},
    {"bytes", "BYTES", PRINT_NUMBER},
};

static const struct print_column show_columns[] = {{"key", "key", PRINT_TEXT},
                                                   {"user", "user", PRINT_TEXT},
                                                   {"state", "state", PRINT_TEXT},
                                                   {"created", "created", PRINT_TIME},
                                                   {"last_access", "last access", PRINT_TIME},
                                                   {"expires", "expires", PRINT_TIME},
                                                   {"version", "version", PRINT_NUMBER},
                                                   {"flags", "flags", PRINT_TEXT}};

struct list_request {
    struct command_context *context;
    const char *user;
    char after[SF_KEY_TEXT + 1]; /* "-": from the first */
    size_t limit;
    json_t *rows;
};

/* ---- list ---- */

static json_t *
row_to_json(const struct sf_resp_value *values)
{
    return json_pack(
        "{s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:I}", "key", print_bytes_to_json(values[0].text),
        "user", print_bytes_to_json(values[1].text), "created", (json_int_t)values[2].integer,
        "last_access", (json_int_t)values[3].integer, "expires", (json_int_t)values[4].integer,
        "version", (json_int_t)values[5].integer, "state", print_bytes_to_json(values[6].text),
        "bytes", (json_int_t)values[7].integer);
}

/* One page; request->after moves on, to "" at the end. */
static int
fetch_page(struct list_request *request)
{
    struct sf_daemon_reply *reply = &request->context->reply;
    size_t wanted = request->limit - json_array_size(request->rows);
    char count[24];

    snprintf(count, sizeof count, "%zu", wanted < PAGE_ROWS ? wanted : PAGE_ROWS);
    const char *words[] = {"SESSION.LIST", request->after, count, request->user, NULL};
    int exit_code = command_ask(request->context, WAIT, words);
    if (exit_code != EXIT_DONE)
        return exit_code;
    /* [array 2] next [array n] then n times [array 8] and its values */
    if (reply->count < 3 || reply->values[1].text.size > SF_KEY_TEXT)
        return command_fail(EXIT_NO_ANSWER,
                            "the daemon's answer makes no sense: is it another version?");
    memcpy(request->after, reply->values[1].text.data, reply->values[1].text.size);
    request->after[reply->values[1].text.size] = '\0';
    for (size_t at = 3; at + ROW_VALUES < reply->count; at += 1 + ROW_VALUES)
        json_array_append_new(request->rows, row_to_json(&reply->values[at + 1]));
    return EXIT_DONE;
}

static int
list_all(struct list_request *request)
{
    do {
        int exit_code = fetch_page(request);
        if (exit_code != EXIT_DONE)
            return exit_code;
    } while (request->after[0] != '\0' && json_array_size(request->rows) < request->limit);
    return EXIT_DONE;
}

static const char *
cached_state(const struct sf_record_head *head, const struct sf_l1_view *view)
{
    if (head->kind == SF_RECORD_ENDED)
        return "ended";
    return view->is_clean ? "clean" : "dirty";
}

static bool
add_cached(void *data, const struct sf_key *key, struct sf_span record,
           const struct sf_l1_view *view)
{
    struct list_request *request = data;
    struct sf_record_head head;
    char text[SF_KEY_TEXT + 1];

    if (sf_user_epochs_has_key(key) || sf_record_head(&head, record) != SF_OK ||
        (request->user != NULL && !sf_span_equal(head.user, sf_span_text(request->user))))
        return true;
    sf_key_format(key, text);
    json_array_append_new(request->rows,
                          json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:s, s:I}", "key", text, "user",
                                    print_bytes_to_json(head.user), "created",
                                    (json_int_t)head.created, "last_access",
                                    (json_int_t)view->last_access, "expires",
                                    (json_int_t)sf_record_expires(&head, view->last_access),
                                    "version", (json_int_t)head.version, "state",
                                    cached_state(&head, view),
                                    "bytes", (json_int_t)record.size));
    return json_array_size(request->rows) < request->limit;
}

static int
list_cached(struct list_request *request)
{
    struct sf_l1 *l1;
    struct sf_error error;

    if (sf_l1_attach(&l1, &request->context->instance, SF_L1_READ_ONLY, &error) != SF_OK)
        return command_fail(EXIT_NO_ANSWER, "%s", error.text);
    if (sf_l1_is_bypassed(l1))
        fprintf(stderr, "session-fast: SessionFastCacheSize 0: the cache has only what waits for the store\n");
    sf_l1_each(l1, add_cached, request);
    sf_l1_close(l1);
    return EXIT_DONE;
}

static int
print_list(const struct list_request *request)
{
    size_t count = json_array_size(request->rows);

    if (request->context->is_json) {
        json_t *list = json_pack("{s:O, s:s}", "sessions", request->rows, "next", request->after);
        print_json(list);
        json_decref(list);
        return EXIT_DONE;
    }
    print_table(request->rows, list_columns, sizeof list_columns / sizeof list_columns[0]);
    printf("%zu session%s", count, count == 1 ? "" : "s");
    if (request->after[0] != '\0' && request->after[0] != '-')
        printf("; more: --after %s", request->after);
    putchar('\n');
    return EXIT_DONE;
}

static bool
parse_limit(const char *text, size_t *limit_out)
{
    int64_t limit;

    if (sf_int64_parse(sf_span_text(text), &limit) != SF_OK || limit < 1 || limit > 10000000)
        return false;
    *limit_out = (size_t)limit;
    return true;
}

static int
parse_list(struct list_request *request, bool *is_cached_out, int argc, char **argv)
{
    static const struct option options[] = {{"user", required_argument, NULL, 'u'},
                                            {"limit", required_argument, NULL, 'n'},
                                            {"after", required_argument, NULL, 'a'},
                                            {"cached", no_argument, NULL, 'c'},
                                            {NULL, 0, NULL, 0}};
    struct sf_key key;
    int letter;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (letter) {
        case 'u':
            request->user = optarg;
            break;
        case 'c':
            *is_cached_out = true;
            break;
        case 'n':
            if (!parse_limit(optarg, &request->limit))
                return command_fail(EXIT_USAGE, "--limit takes a number from 1 to 10000000");
            break;
        case 'a':
            if (sf_key_parse(&key, sf_span_text(optarg)) != SF_OK)
                return command_fail(EXIT_USAGE, "--after takes a key of %d hex digits",
                                    SF_KEY_TEXT);
            sf_key_format(&key, request->after);
            break;
        default:
            return EXIT_USAGE;
        }
    return optind == argc ? EXIT_DONE
                          : command_fail(EXIT_USAGE, "list takes options only: see --help");
}

int
command_list(struct command_context *context, int argc, char **argv)
{
    struct list_request request = {.context = context, .after = "-", .limit = LIMIT_DEFAULT};
    bool is_cached = false;

    int exit_code = parse_list(&request, &is_cached, argc, argv);
    if (exit_code != EXIT_DONE)
        return exit_code;
    request.rows = json_array();
    exit_code = is_cached ? list_cached(&request) : list_all(&request);
    if (exit_code == EXIT_DONE)
        exit_code = print_list(&request);
    json_decref(request.rows);
    return exit_code;
}

/* ---- keys that people type ---- */

/* The key just before all keys that begin with `prefix`: where a listing has to start. */
static void
key_before(const char *prefix, char key_out[SF_KEY_TEXT + 1])
{
    struct sf_key key;
    char padded[SF_KEY_TEXT + 1];

    memset(padded, '0', SF_KEY_TEXT);
    padded[SF_KEY_TEXT] = '\0';
    memcpy(padded, prefix, strlen(prefix));
    if (sf_key_parse(&key, sf_span_text(padded)) != SF_OK) {
        memcpy(key_out, "-", 2);
        return;
    }
    for (size_t i = SF_KEY_BYTES; i-- > 0;)
        if (key.bytes[i]-- != 0)
            break;
    sf_key_format(&key, key_out);
}

static bool
begins_with(const json_t *row, const char *prefix)
{
    const char *key = json_string_value(json_object_get(row, "key"));

    return key != NULL && strncmp(key, prefix, strlen(prefix)) == 0;
}

int
command_find_key(struct command_context *context, const char *text, char key_out[SF_KEY_TEXT + 1])
{
    size_t length = strlen(text);

    if (length < KEY_PREFIX_MIN || length > SF_KEY_TEXT ||
        strspn(text, "0123456789abcdef") != length)
        return command_fail(EXIT_USAGE, "'%s' is no session key: %d to %d digits 0-9a-f", text,
                            KEY_PREFIX_MIN, SF_KEY_TEXT);
    memcpy(key_out, text, length + 1);
    if (length == SF_KEY_TEXT)
        return EXIT_DONE;
    struct list_request request = {.context = context, .limit = 2, .rows = json_array()};
    key_before(text, request.after);
    int exit_code = fetch_page(&request);
    if (exit_code == EXIT_DONE && !begins_with(json_array_get(request.rows, 0), text))
        exit_code = command_fail(EXIT_NEGATIVE, "no session key begins with %s", text);
    else if (exit_code == EXIT_DONE && begins_with(json_array_get(request.rows, 1), text))
        exit_code = command_fail(EXIT_NEGATIVE,
                                 "several session keys begin with %s: give more digits", text);
    else if (exit_code == EXIT_DONE)
        memcpy(key_out, json_string_value(json_object_get(json_array_get(request.rows, 0), "key")),
               SF_KEY_TEXT + 1);
    json_decref(request.rows);
    return exit_code;
}

/* ---- show ---- */

/* Never a secret on the screen, nor in what a script writes somewhere. */
static json_t *
shown_value(struct sf_span name, const struct sf_resp_value *value)
{
    if (sf_export_is_credential(name))
        return json_string("(hidden)");
    return value->type == SF_RESP_INTEGER ? json_integer(value->integer)
                                          : print_bytes_to_json(value->text);
}

static json_t *
session_to_json(const struct sf_daemon_reply *reply, const char *key)
{
    json_t *fields = json_object();
    json_t *session = json_pack("{s:s}", "key", key);

    for (size_t i = 1; i + 1 < reply->count; i += 2) {
        struct sf_span name = reply->values[i].text;
        bool is_head = i < 1 + 2 * HEAD_PAIRS; /* a field may begin with '@' too */
        const struct sf_resp_value *value = &reply->values[i + 1];
        char text[SF_FIELD_NAME_MAX + 2];
        snprintf(text, sizeof text, "%.*s", (int)name.size, (const char *)name.data);
        json_t *json = shown_value(name, value);
        if (is_head)
            json_object_set_new(session, text + 1, json);
        else
            json_object_set_new(fields, text, json);
    }
    json_object_set_new(session, "fields", fields);
    return session;
}

int
command_show(struct command_context *context, int argc, char **argv)
{
    char key[SF_KEY_TEXT + 1];

    if (argc != 2)
        return command_fail(EXIT_USAGE, "usage: session-fast show KEY");
    int exit_code = command_find_key(context, argv[1], key);
    if (exit_code != EXIT_DONE)
        return exit_code;
    const char *words[] = {"SESSION.GET", key, NULL};
    exit_code = command_ask(context, WAIT, words);
    if (exit_code != EXIT_DONE)
        return exit_code;
    if (context->reply.values[0].type == SF_RESP_NIL)
        return command_fail(EXIT_NEGATIVE, "there is no session %s", key);
    json_t *session = session_to_json(&context->reply, key);
    if (context->is_json) {
        print_json(session);
    } else {
        print_object(session, show_columns, sizeof show_columns / sizeof show_columns[0], 0);
        print_members(json_object_get(session, "fields"), 2);
    }
    json_decref(session);
    return EXIT_DONE;
}

/* ---- end ---- */

static int
end_one(struct command_context *context, const char *text, json_t *results)
{
    char key[SF_KEY_TEXT + 1];

    int exit_code = command_find_key(context, text, key);
    if (exit_code != EXIT_DONE)
        return exit_code;
    const char *words[] = {"SESSION.END", key, "admin", NULL};
    exit_code = command_ask(context, WAIT, words);
    if (exit_code != EXIT_DONE)
        return exit_code;
    bool is_ended = context->reply.values[0].integer == 1;
    json_array_append_new(results, json_pack("{s:s, s:b}", "key", key, "ended", is_ended));
    return is_ended ? EXIT_DONE : command_fail(EXIT_NEGATIVE, "there is no session %s", key);
}

int
command_end(struct command_context *context, int argc, char **argv)
{
    static const struct print_column columns[] = {{"key", "KEY", PRINT_TEXT},
                                                  {"ended", "ENDED", PRINT_TEXT}};
    int worst = EXIT_DONE;

    if (argc < 2)
        return command_fail(EXIT_USAGE, "usage: session-fast end KEY...");
    json_t *results = json_array();
    for (int i = 1; i < argc; i++) {
        int exit_code = end_one(context, argv[i], results);
        if (exit_code > worst)
            worst = exit_code;
    }
    if (context->is_json)
        print_json(results);
    else if (json_array_size(results) != 0)
        print_table(results, columns, sizeof columns / sizeof columns[0]);
    json_decref(results);
    return worst;
}
