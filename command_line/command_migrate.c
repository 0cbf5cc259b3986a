/* SPDX-License-Identifier: Apache-2.0 */
/* session-fast migrate: moves the instance to another store while it is used. The daemon does the work. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command_line/command.h"
#include "command_line/print.h"
#include "command_line/progress.h"

#define CHANGE_WAIT (20 * SF_SECOND)
#define STATUS_WAIT (5 * SF_SECOND)
#define LOOK_PAUSE 200 /* ms */
#define URL_MAX 1025
#define DIFFERENCE_VALUES 6

/* ---- what the daemon says ---- */

static json_t *
value_to_json(const struct sf_resp_value *value)
{
    return value->type == SF_RESP_INTEGER ? json_integer(value->integer) : print_bytes_to_json(value->text);
}

/* A new object, or NULL: the failure has been told, and *exit_code_out says how to end. */
static json_t *
ask_status(struct command_context *context, int *exit_code_out)
{
    static const char *const words[] = {"SESSION.MIGRATE", "STATUS", NULL};

    *exit_code_out = command_ask(context, STATUS_WAIT, words);
    if (*exit_code_out != EXIT_DONE)
        return NULL;
    json_t *status = json_object();
    for (size_t i = 1; i + 1 < context->reply.count; i += 2) {
        struct sf_span name = context->reply.values[i].text;
        json_object_setn_new(status, (const char *)name.data, name.size, value_to_json(&context->reply.values[i + 1]));
    }
    return status;
}

static const char *
text_of(const json_t *status, const char *name)
{
    const char *text = json_string_value(json_object_get(status, name));
    return text != NULL ? text : "";
}

static json_int_t
number_of(const json_t *status, const char *name)
{
    return json_integer_value(json_object_get(status, name));
}

static bool
is_state(const json_t *status, const char *state)
{
    return strcmp(text_of(status, "state"), state) == 0;
}

/* ---- on the screen ---- */

static void
show_status(const struct command_context *context, const json_t *status)
{
    static const struct print_column lines[] = {
        {"state", "state", PRINT_TEXT},
        {"store", "store that is used", PRINT_TEXT},
        {"other_store", "gets every change, too", PRINT_TEXT},
        {"percent", "percent of the keys read from the new one", PRINT_TEXT},
        {"percent_since", "since", PRINT_TIME},
        {"pass", "under way", PRINT_TEXT},
        {"progress", "percent of it", PRINT_TEXT},
        {"copied", "sessions copied", PRINT_TEXT},
        {"owed", "changes owed", PRINT_TEXT},
        {"comparisons", "comparisons", PRINT_TEXT},
        {"compared", "sessions in the last one", PRINT_TEXT},
        {"found", "differences in the last one", PRINT_TEXT},
        {"differences", "differences altogether", PRINT_TEXT},
        {"repaired", "repaired", PRINT_TEXT},
        {"waits", "times that the other store was waited for in vain", PRINT_TEXT},
        {"started", "started", PRINT_TIME},
        {"verified", "found equal", PRINT_TIME},
        {"finished", "finished", PRINT_TIME},
        {"trouble", "trouble", PRINT_TEXT},
        {"host", "this host", PRINT_TEXT},
        {"hosts", "hosts that move together", PRINT_TEXT},
    };

    size_t all = sizeof lines / sizeof lines[0], of_hosts = *text_of(status, "host") == '\0' ? 2 : 0;

    if (context->is_json)
        print_json(status);
    else
        print_object(status, lines, is_state(status, "none") ? 2 : all - of_hosts, 0);
}

static void
tell_next_step(const struct command_context *context, const json_t *status)
{
    bool is_on_the_way = is_state(status, "copying") || is_state(status, "verified");
    json_int_t hosts = number_of(status, "hosts");

    if (context->is_json)
        return;
    if (is_state(status, "finished"))
        fprintf(stderr,
                "session-fast: set SessionFastStore to the new store and restart%s; until then the old one gets every "
                "change%s\n",
                hosts > 1 ? ", on every host" : "", hosts > 1 ? "" : ", and \"migrate abort\" goes back to it");
    else if (is_on_the_way && hosts == 1)
        fprintf(stderr, "session-fast: no other host has begun: if others use this store, \"migrate start\" on each of "
                        "them before \"migrate finish\"\n");
}

static int
finish_status(const struct command_context *context, json_t *status, bool wants_equal)
{
    bool is_equal = is_state(status, "verified") || is_state(status, "finished");

    show_status(context, status);
    tell_next_step(context, status);
    json_decref(status);
    return is_equal || !wants_equal ? EXIT_DONE : EXIT_NEGATIVE;
}

/* ---- waiting ---- */

struct watch {
    struct progress progress;
    char pass[16];
    bool has_told; /* of the trouble that there is now */
};

static void
show_progress(struct watch *watch, const json_t *status)
{
    const char *pass = text_of(status, "pass"), *trouble = text_of(status, "trouble");

    if (strcmp(watch->pass, pass) != 0) {
        progress_end(&watch->progress);
        snprintf(watch->pass, sizeof watch->pass, "%s", pass);
        watch->progress = progress_begin(strcmp(pass, "copying") == 0 ? "sessions copied" : "sessions, comparing", 100);
    }
    progress_step(&watch->progress, (uint64_t)number_of(status, "copied"), (uint64_t)number_of(status, "progress"));
    if (trouble[0] != '\0' && !watch->has_told) {
        progress_end(&watch->progress);
        command_fail(EXIT_DONE, "waits: %s", trouble);
    }
    watch->has_told = trouble[0] != '\0';
}

/* Until nothing is under way, or `comparisons` have come to their end. */
static bool
is_over(const json_t *status, json_int_t comparisons)
{
    return strcmp(text_of(status, "pass"), "none") == 0 || number_of(status, "comparisons") >= comparisons;
}

static json_t *
wait_for_status(struct command_context *context, json_int_t comparisons, int *exit_code_out)
{
    const struct timespec pause = {.tv_nsec = LOOK_PAUSE * 1000000};
    struct watch watch = {.pass = ""};
    json_t *status;

    while ((status = ask_status(context, exit_code_out)) != NULL && !is_over(status, comparisons)) {
        show_progress(&watch, status);
        json_decref(status);
        nanosleep(&pause, NULL);
    }
    progress_end(&watch.progress);
    return status;
}

/* Shows it, at once or when nothing is under way any more. */
static int
show(struct command_context *context, bool waits)
{
    int exit_code;
    json_t *status = waits ? wait_for_status(context, INT64_MAX, &exit_code) : ask_status(context, &exit_code);

    return status == NULL ? exit_code : finish_status(context, status, waits);
}

/* ---- the actions ---- */

struct arguments {
    int count;
    char **words; /* behind the action, without options */
    const char *percent;
    bool waits;
};

static int
ask_change(struct command_context *context, const char *const *words)
{
    return command_ask(context, CHANGE_WAIT, words);
}

/* "-": from standard input, where no list of processes shows it. */
static bool
read_url(const char *word, char url_out[URL_MAX])
{
    if (strcmp(word, "-") != 0)
        return (size_t)snprintf(url_out, URL_MAX, "%s", word) < URL_MAX;
    if (fgets(url_out, URL_MAX, stdin) == NULL)
        return false;
    url_out[strcspn(url_out, "\r\n")] = '\0';
    return true;
}

static int
start(struct command_context *context, const struct arguments *arguments)
{
    char url[URL_MAX];
    const char *percent = arguments->percent != NULL ? arguments->percent : "0";
    const char *const words[] = {"SESSION.MIGRATE", "START", url, "PERCENT", percent, NULL};

    if (!read_url(arguments->words[0], url))
        return command_fail(EXIT_USAGE, "this is no URL of a store");
    int exit_code = ask_change(context, words);
    memset(url, 0, sizeof url);
    return exit_code == EXIT_DONE ? show(context, arguments->waits) : exit_code;
}

static int
set_percent(struct command_context *context, const struct arguments *arguments)
{
    const char *const words[] = {"SESSION.MIGRATE", "PERCENT", arguments->words[0], NULL};
    int exit_code = ask_change(context, words);

    return exit_code == EXIT_DONE ? show(context, arguments->waits) : exit_code;
}

static int
status(struct command_context *context, const struct arguments *arguments)
{
    return show(context, arguments->waits);
}

static json_t *
ask_differences(struct command_context *context, int *exit_code_out)
{
    static const char *const words[] = {"SESSION.MIGRATE", "DIFF", NULL};
    static const char *const names[DIFFERENCE_VALUES] = {"key", "kind", "version", "other_version", "noticed",
                                                         "repaired"};

    *exit_code_out = command_ask(context, STATUS_WAIT, words);
    if (*exit_code_out != EXIT_DONE)
        return NULL;
    json_t *rows = json_array();
    for (size_t i = 1; i + DIFFERENCE_VALUES < context->reply.count; i += 1 + DIFFERENCE_VALUES) {
        json_t *row = json_object();
        for (size_t j = 0; j < DIFFERENCE_VALUES; j++)
            json_object_set_new(row, names[j], value_to_json(&context->reply.values[i + 1 + j]));
        json_array_append_new(rows, row);
    }
    return rows;
}

static int
show_differences(struct command_context *context, const json_t *report)
{
    static const struct print_column columns[] = {
        {"key", "KEY", PRINT_TEXT},           {"kind", "KIND", PRINT_TEXT},
        {"version", "VERSION", PRINT_NUMBER}, {"other_version", "OTHER", PRINT_NUMBER},
        {"noticed", "NOTICED", PRINT_TIME},   {"repaired", "REPAIRED", PRINT_TEXT}};
    json_int_t found = number_of(report, "found"), compared = number_of(report, "compared");
    int exit_code;
    json_t *rows = ask_differences(context, &exit_code);

    if (rows == NULL)
        return exit_code;
    if (context->is_json) {
        json_t *result = json_pack("{s:I, s:I, s:O}", "compared", compared, "found", found, "differences", rows);
        print_json(result);
        json_decref(result);
    } else {
        if (json_array_size(rows) > 0)
            print_table(rows, columns, sizeof columns / sizeof columns[0]);
        fprintf(stderr, "session-fast: %lld sessions compared, %lld differences\n", (long long)compared,
                (long long)found);
    }
    json_decref(rows);
    return found == 0 ? EXIT_DONE : EXIT_NEGATIVE;
}

/* A comparison from the beginning to the end. */
static int
diff(struct command_context *context, const struct arguments *arguments)
{
    static const char *const words[] = {"SESSION.MIGRATE", "COMPARE", NULL};
    int exit_code;
    json_t *report = ask_status(context, &exit_code);

    (void)arguments;
    if (report == NULL)
        return exit_code;
    json_int_t goal = number_of(report, "comparisons") + 1;
    json_decref(report);
    exit_code = ask_change(context, words);
    if (exit_code == EXIT_DONE && (report = wait_for_status(context, goal, &exit_code)) != NULL) {
        exit_code = show_differences(context, report);
        json_decref(report);
    }
    return exit_code;
}

/* When that is not under way any more. */
static json_t *
status_after(struct command_context *context, const char *pass, int *exit_code)
{
    const struct timespec pause = {.tv_nsec = LOOK_PAUSE * 1000000};
    json_t *status;

    while ((status = ask_status(context, exit_code)) != NULL && strcmp(text_of(status, "pass"), pass) == 0) {
        json_decref(status);
        nanosleep(&pause, NULL);
    }
    return status;
}

/* Several hosts agree on it first. */
static int
show_end(struct command_context *context)
{
    int exit_code;
    json_t *status = status_after(context, "finishing", &exit_code);

    if (status == NULL)
        return exit_code;
    if (is_state(status, "finished"))
        return finish_status(context, status, false);
    json_decref(status);
    return command_fail(EXIT_NEGATIVE, "another host has not held its changes in time: nothing is finished");
}

static int
finish(struct command_context *context, const struct arguments *arguments)
{
    static const char *const words[] = {"SESSION.MIGRATE", "FINISH", NULL};
    int exit_code = ask_change(context, words);

    (void)arguments;
    return exit_code == EXIT_DONE ? show_end(context) : exit_code;
}

/* It is asked first whether it is still there. */
static int
forget(struct command_context *context, const struct arguments *arguments)
{
    const char *const words[] = {"SESSION.MIGRATE", "FORGET", arguments->words[0], NULL};
    int exit_code;
    json_t *status = ask_status(context, &exit_code);

    if (status == NULL)
        return exit_code;
    json_int_t hosts = number_of(status, "hosts");
    json_decref(status);
    exit_code = ask_change(context, words);
    if (exit_code != EXIT_DONE || (status = status_after(context, "asking", &exit_code)) == NULL)
        return exit_code;
    if (number_of(status, "hosts") < hosts)
        return finish_status(context, status, false);
    json_decref(status);
    return command_fail(EXIT_NEGATIVE, "that host is still there: it has answered");
}

static int
give_up(struct command_context *context, const struct arguments *arguments)
{
    static const char *const words[] = {"SESSION.MIGRATE", "ABORT", NULL};
    int exit_code = ask_change(context, words);

    (void)arguments;
    return exit_code == EXIT_DONE ? show(context, false) : exit_code;
}

static const struct {
    const char *name;
    int words;
    bool takes_percent, takes_wait;
    int (*run)(struct command_context *context, const struct arguments *arguments);
} actions[] = {
    {"start", 1, true, true, start},        {"percent", 1, false, true, set_percent},
    {"status", 0, false, true, status},     {"diff", 0, false, false, diff},
    {"finish", 0, false, false, finish},    {"abort", 0, false, false, give_up},
    {"forget", 1, false, false, forget},
};

/* false: there is an option that is none, or one without its value. */
static bool
read_arguments(struct arguments *arguments, int argc, char **argv)
{
    arguments->words = argv + 2;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--wait") == 0 || strcmp(argv[i], "--watch") == 0)
            arguments->waits = true;
        else if (strcmp(argv[i], "--percent") == 0 && i + 1 < argc)
            arguments->percent = argv[++i];
        else if (strncmp(argv[i], "--", 2) == 0)
            return false;
        else
            arguments->words[arguments->count++] = argv[i];
    }
    return true;
}

int
command_migrate(struct command_context *context, int argc, char **argv)
{
    struct arguments arguments = {.count = 0};
    size_t action = 0, count = sizeof actions / sizeof actions[0];

    while (action < count && argc > 1 && strcmp(argv[1], actions[action].name) != 0)
        action++;
    if (argc < 2 || action == count || !read_arguments(&arguments, argc, argv)
        || arguments.count != actions[action].words || (arguments.waits && !actions[action].takes_wait)
        || (arguments.percent != NULL && !actions[action].takes_percent))
        return command_fail(EXIT_USAGE, "usage: session-fast migrate start URL|- [--percent N] [--wait] | percent N | "
                                        "status [--watch] | diff | finish | abort | forget HOST");
    return actions[action].run(context, &arguments);
}
