/* SPDX-License-Identifier: Apache-2.0 */
#include "command_line/command_store.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/store/migrate/migrate_state.h"

#define ATTACH_WAIT (10 * SF_SECOND)
#define FLUSH_WAIT (30 * SF_SECOND)

static const struct {
    const char *name;
    int (*run)(struct store_call *call);
} actions[] = {{"check", store_check}, {"export", store_export}, {"import", store_import}};

bool
store_may_be_better(enum sf_status status)
{
    return status == SF_UNAVAILABLE || status == SF_UNCERTAIN || status == SF_NO_MEMORY;
}

int
store_fail(const struct store_call *call, enum sf_status status, const char *doing)
{
    struct sf_error error = {.text = ""};

    call->store->ops->explain(call->store, &error);
    return command_fail(store_may_be_better(status) ? EXIT_NO_ANSWER : EXIT_NEGATIVE, "%s: %s: %s", call->shown, doing,
                        error.text[0] != '\0' ? error.text : sf_status_text(status));
}

/*
 * What the daemon of this instance has not written yet belongs to it, too. Without one, nothing
 * waits.
 */
static int
write_what_waits(struct command_context *context)
{
    static const char *const words[] = {"SESSION.FLUSH", NULL};

    if (access(context->instance.socket_path, F_OK) != 0)
        return EXIT_DONE;
    return command_ask(context, FLUSH_WAIT, words);
}

static int
run_on(struct store_call *call, size_t action)
{
    struct sf_error error;
    bool is_check = actions[action].run == store_check;
    enum sf_status status = SF_OK;

    if (!is_check)
        status = call->store->ops->attach(call->store, sf_clock_steady() + ATTACH_WAIT, &error);
    if (status != SF_OK)
        return store_fail(call, status, "cannot be used");
    return actions[action].run(call);
}

static bool
is_being_moved(const struct sf_migrate_state *state, const char *url)
{
    bool is_under_way = state->phase == SF_MIGRATE_COPYING || state->phase == SF_MIGRATE_VERIFIED ||
                        state->phase == SF_MIGRATE_FINISHED;
    return is_under_way && (url == NULL || strcmp(url, state->old_url) == 0 || strcmp(url, state->new_url) == 0);
}

/*
 * Of two stores neither is "the store of the instance", and what is put into one of them behind the daemon's back the
 * other one does not get. Reading one that is named is fine.
 */
static int
refuse_while_it_is_moved(const struct store_call *call, size_t action)
{
    const char *url = actions[action].run == store_import ? call->url : NULL;
    struct sf_migrate_state state;
    struct sf_error error;
    char path[PATH_MAX + 16];

    if (actions[action].run == store_check || (call->url != NULL && url == NULL))
        return EXIT_DONE;
    snprintf(path, sizeof path, "%s/migration", call->context->instance.state);
    enum sf_status status = sf_migrate_state_load(&state, path, &error);
    if (status == SF_NOT_FOUND || (status == SF_OK && !is_being_moved(&state, url)))
        return EXIT_DONE;
    if (status != SF_OK)
        return command_fail(EXIT_NEGATIVE, "%s", error.text);
    return command_fail(EXIT_NEGATIVE, "the sessions are being moved to another store (session-fast migrate status): "
                                       "wait until SessionFastStore names it, or abort that");
}

/* Who names the instance's own cache means that, and memcached is never a store. */
static bool
is_l2(const struct store_call *call)
{
    return call->url != NULL
           && (call->is_l2 || strcmp(call->url, call->context->config.l2) == 0
               || strncmp(call->url, "memcached:", strlen("memcached:")) == 0);
}

/* What no daemon has left is not guessed: an empty file would pass for the store. */
static int
refuse_to_guess(const struct store_call *call)
{
    const char *path = call->context->instance.config_path;

    if (call->url != NULL || access(path, R_OK) == 0)
        return EXIT_DONE;
    return command_fail(EXIT_NEGATIVE,
                        "%s: %s: a daemon of this instance leaves there which store it has; name the store, as in "
                        "\"session-fast store check URL\"",
                        path, strerror(errno));
}

/* What is read is not made: an export of a wrong name would be a good backup of nothing. */
static int
refuse_missing_file(const struct store_call *call, const char *url)
{
    bool is_file = strncmp(url, "sqlite:", strlen("sqlite:")) == 0 || strncmp(url, "file:", strlen("file:")) == 0;
    const char *path = strchr(url, ':');
    char full[2 * PATH_MAX];

    if (!is_file || path == NULL)
        return EXIT_DONE;
    if (*++path == '/')
        snprintf(full, sizeof full, "%s", path);
    else
        snprintf(full, sizeof full, "%s/%s", call->context->instance.state, path);
    if (access(full, F_OK) == 0 || errno != ENOENT)
        return EXIT_DONE;
    return command_fail(EXIT_NEGATIVE, "%s: %s", full, strerror(errno));
}

static int
run(struct store_call *call, size_t action)
{
    struct command_context *context = call->context;
    const char *url = call->url != NULL ? call->url : context->config.store;
    struct sf_error error;
    char shown[16];
    bool needs_all = call->url == NULL && actions[action].run != store_check;
    int exit_code = refuse_to_guess(call);

    if (exit_code == EXIT_DONE)
        exit_code = refuse_while_it_is_moved(call, action);
    if (exit_code == EXIT_DONE && needs_all)
        exit_code = write_what_waits(context);
    if (exit_code != EXIT_DONE)
        return exit_code;
    if (strcmp(url, SF_CONFIG_NO_STORE) == 0)
        return command_fail(EXIT_NEGATIVE, "SessionFastStore none: there is no store");
    if (command_become_owner(context, &error) != SF_OK)
        return command_fail(EXIT_NEGATIVE, "%s", error.text);
    if (actions[action].run == store_check && is_l2(call))
        return store_check_l2(call);
    if (sf_store_open(&call->store, url, context->instance.state, &error) != SF_OK)
        return command_fail(EXIT_NEGATIVE, "%s", error.text);
    snprintf(shown, sizeof shown, "%s", call->store->ops->scheme);
    call->shown = shown;
    if (actions[action].run == store_export)
        exit_code = refuse_missing_file(call, url);
    if (exit_code == EXIT_DONE)
        exit_code = run_on(call, action);
    sf_store_close(call->store);
    return exit_code;
}

/* How many words are left; 0: wrong ones, which was told. */
static int
read_options(struct store_call *call, int argc, char **argv)
{
    static const struct option options[] = {{"from", required_argument, NULL, 'f'},
                                            {"l2", no_argument, NULL, 'l'},
                                            {"folder", required_argument, NULL, 'd'},
                                            {"user-field", required_argument, NULL, 'u'},
                                            {NULL, 0, NULL, 0}};
    int letter;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (letter) {
        case 'l':
            call->is_l2 = true;
            break;
        case 'f':
            call->from = optarg;
            break;
        case 'd':
            call->folder = optarg;
            break;
        case 'u':
            call->user_field = optarg;
            break;
        default:
            return 0;
        }
    if (call->from == NULL && (call->folder != NULL || call->user_field != NULL)) {
        command_fail(EXIT_USAGE, "--folder and --user-field go with --from");
        return 0;
    }
    return argc - optind;
}

int
command_store(struct command_context *context, int argc, char **argv)
{
    struct store_call call = {.context = context};
    size_t action = 0, count = sizeof actions / sizeof actions[0];
    int words = read_options(&call, argc, argv);
    char **word = argv + optind;

    while (action < count && words > 0 && strcmp(word[0], actions[action].name) != 0)
        action++;
    if (words < 1 || words > 2 || action == count ||
        (call.from != NULL && actions[action].run != store_import) ||
        (call.is_l2 && (actions[action].run != store_check || words != 2)))
        return command_fail(
            EXIT_USAGE,
            "usage: session-fast store check|export|import [URL]; check takes --l2 and a URL of SessionFastL2, import "
            "--from, --folder and --user-field");
    call.url = words == 2 ? word[1] : NULL;
    if (call.folder != NULL && (call.php_files = opendir(call.folder)) == NULL)
        return command_fail(EXIT_NEGATIVE, "%s: %s", call.folder, strerror(errno));
    int exit_code = run(&call, action);
    if (call.php_files != NULL)
        closedir(call.php_files);
    return exit_code;
}
