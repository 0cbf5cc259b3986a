/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session-fast: the operator's program. Finds the instance, hands over to one subcommand.
 */
#include <apr_general.h>
#include <getopt.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command_line/command.h"
#include "common/config/config_file.h"

struct subcommand {
    const char *name;
    command_fn *run;
    const char *arguments;
    const char *help;
};

static const struct subcommand subcommands[] = {
    {"status", command_status, "", "the daemon, the cache, the store, the counters"},
    {"list", command_list, "[--user NAME] [--limit N] [--after KEY] [--cached]",
     "sessions, in key order"},
    {"show", command_show, "KEY",
     "one session with its fields; 8 digits or more of the key will do"},
    {"end", command_end, "KEY...", "log sessions out"},
    {"end-user", command_end_user, "USER|--all", "log a user out everywhere, or everybody"},
    {"pin", command_pin, "KEY...", "sessions that the cache gives up last"},
    {"unpin", command_unpin, "KEY...", "sessions like others again"},
    {"probe", command_probe, "", "how long a session of its own takes: stored, read from the store, from the cache"},
    {"flush", command_flush, "", "write everything that waits to the store, and wait for it"},
    {"store", command_store,
     "check [--l2] [URL] | export [URL] | import [--from=SYSTEM [--folder=DIR] [--user-field=NAME]] [URL]",
     "does a store work? its sessions as JSON lines, and back"},
    {"migrate", command_migrate,
     "start URL|- [--percent N] [--wait] | percent N | status [--watch] | diff | finish | abort |\n"
     "          forget HOST",
     "move to another store while it is used"},
    {"doctor", command_doctor, "[FILE]",
     "is the whole installation as it should be? changes nothing"},
    {"config", command_config, "check [FILE]", "is the file of 'Directive value' lines right?"},
    {"bench", command_bench,
     "SCENARIO|list [--seconds N] [--sessions N] [--bytes N] [--workers N] [--rate N]",
     "measure a scenario, on an instance of its own"},
    {"cache", command_cache, "check", "walk and verify the shared-memory cache"},
};

#define SUBCOMMANDS (sizeof subcommands / sizeof subcommands[0])

int
command_fail(int exit_code, const char *format, ...)
{
    char line[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    for (char *at = line; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    fprintf(stderr, "session-fast: %s\n", line);
    return exit_code;
}

static void
print_usage(FILE *stream)
{
    fputs("usage: session-fast [-i NAME|DIR] [--state DIR] [--json] COMMAND [ARGUMENTS]\n\n",
          stream);
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        fprintf(stream, "  %s%s%s\n        %s\n", subcommands[i].name,
                subcommands[i].arguments[0] != '\0' ? " " : "", subcommands[i].arguments,
                subcommands[i].help);
    fputs("\n  -i, --instance NAME|DIR  as SessionFastInstance says (default: session-fast)\n"
          "      --state DIR          as SessionFastStateDirectory says\n"
          "      --json               for scripts\n"
          "  -h, --help, --version\n\n"
          "Exit status: 0 done; 1 the answer is no; 2 wrong usage; 3 no answer from the daemon or "
          "the store;\n4 it works, and something should be mended.\n",
          stream);
}

static bool
set_option(struct command_context *context, const char *directive, const char *value)
{
    struct sf_error error;

    if (value == NULL || sf_config_set(&context->config, sf_option_find(directive), value,
                                       context->pool, &error) == SF_OK)
        return true;
    command_fail(EXIT_USAGE, "%s", error.text);
    return false;
}

static int
find_instance(struct command_context *context, const char *instance, const char *state)
{
    struct sf_error error;

    sf_config_init(&context->config);
    if (!set_option(context, "SessionFastInstance", instance) ||
        !set_option(context, "SessionFastStateDirectory", state))
        return EXIT_USAGE;
    if (sf_instance_resolve(&context->instance, &context->config, &error) != SF_OK)
        return command_fail(EXIT_USAGE, "%s", error.text);
    return EXIT_DONE;
}

/* The instance's own file, where there is one, says where its state folder is. */
static int
read_written(struct command_context *context)
{
    struct sf_error error;
    struct sf_config written;

    if (access(context->instance.config_path, R_OK) != 0)
        return EXIT_DONE;
    if (sf_config_read(&written, context->instance.config_path, context->pool, &error) != SF_OK)
        return command_fail(EXIT_NEGATIVE, "%s", error.text);
    struct sf_config given = context->config;
    sf_config_merge(&context->config, &written, &given);
    if (sf_instance_resolve(&context->instance, &context->config, &error) != SF_OK)
        return command_fail(EXIT_NEGATIVE, "%s", error.text);
    return EXIT_DONE;
}

static const struct subcommand *
find_subcommand(const char *name)
{
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        if (strcmp(subcommands[i].name, name) == 0)
            return &subcommands[i];
    return NULL;
}

static int
run_subcommand(struct command_context *context, const char *instance, const char *state, int argc,
               char **argv)
{
    const struct subcommand *subcommand = find_subcommand(argv[0]);

    if (subcommand == NULL)
        return command_fail(EXIT_USAGE, "'%s' is no command of session-fast: see --help", argv[0]);
    int exit_code = find_instance(context, instance, state);
    if (exit_code == EXIT_DONE && subcommand->run != command_doctor) /* which looks at the file itself */
        exit_code = read_written(context);
    if (exit_code != EXIT_DONE)
        return exit_code;
    sf_daemon_reply_init(&context->reply, SF_RESP_WORDS_MAX);
    optind = 0; /* glibc: scan the subcommand's own options from the start */
    exit_code = subcommand->run(context, argc, argv);
    sf_daemon_reply_fini(&context->reply);
    sf_daemon_link_free(context->link);
    if (fflush(stdout) != 0 || ferror(stdout) != 0)
        return command_fail(EXIT_NO_ANSWER, "standard output cannot be written");
    return exit_code;
}

int
main(int argc, char **argv)
{
    enum { OPTION_STATE = 256, OPTION_JSON, OPTION_VERSION };
    static const struct option options[] = {{"instance", required_argument, NULL, 'i'},
                                            {"state", required_argument, NULL, OPTION_STATE},
                                            {"json", no_argument, NULL, OPTION_JSON},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, OPTION_VERSION},
                                            {NULL, 0, NULL, 0}};
    struct command_context context = {0};
    const char *instance = NULL, *state = NULL;
    int letter;

    setlocale(LC_ALL, "");
    while ((letter = getopt_long(argc, argv, "+i:h", options, NULL)) != -1)
        switch (letter) {
        case 'i':
            instance = optarg;
            break;
        case OPTION_STATE:
            state = optarg;
            break;
        case OPTION_JSON:
            context.is_json = true;
            break;
        case 'h':
            print_usage(stdout);
            return EXIT_DONE;
        case OPTION_VERSION:
            puts("session-fast " SF_VERSION);
            return EXIT_DONE;
        default:
            return EXIT_USAGE;
        }
    if (optind == argc) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    apr_initialize();
    apr_pool_create(&context.pool, NULL);
    int exit_code = run_subcommand(&context, instance, state, argc - optind, argv + optind);
    apr_terminate();
    return exit_code;
}
