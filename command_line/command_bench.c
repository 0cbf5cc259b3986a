/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command_line/bench_scenarios.h"
#include "command_line/print.h"

#define SESSIONS_MAX 10000000
#define WORKERS_MAX 2000

struct bench_arguments {
    struct bench_request request;
    const struct bench_scenario *scenario;
    const char *daemon;
    bool is_sure;
};

static const struct bench_scenario *
find_scenario(const char *name)
{
    for (const struct bench_scenario *scenario = bench_scenarios; scenario->name != NULL; scenario++)
        if (strcmp(scenario->name, name) == 0)
            return scenario;
    return NULL;
}

static int
list_scenarios(bool is_json)
{
    json_t *names = json_array();

    for (const struct bench_scenario *scenario = bench_scenarios; scenario->name != NULL; scenario++)
        if (is_json)
            json_array_append_new(names, json_pack("{s:s, s:s}", "name", scenario->name, "help",
                                                   scenario->help));
        else
            printf("  %-14s %s\n", scenario->name, scenario->help);
    if (is_json)
        print_json(names);
    json_decref(names);
    return EXIT_DONE;
}

/* 0: not a number from 1 to `max`. */
static uint64_t
parse_count(const char *text, int64_t max)
{
    int64_t number;

    return sf_int64_parse(sf_span_text(text), &number) == SF_OK && number > 0 && number <= max
               ? (uint64_t)number
               : 0;
}

static bool
set_number(struct bench_arguments *arguments, int option, const char *text)
{
    struct bench_request *request = &arguments->request;

    switch (option) {
    case 's':
        return (request->sessions = (uint32_t)parse_count(text, SESSIONS_MAX)) > 0;
    case 'b':
        return (request->bytes = (uint32_t)parse_count(text, 60000)) >= SF_PATTERN_BYTES_MIN;
    case 'w':
        return (request->workers = (unsigned)parse_count(text, WORKERS_MAX)) > 0;
    case 'r':
        return (request->per_second = parse_count(text, 10000000)) > 0;
    default:
        return (request->duration = (sf_time)parse_count(text, 86400) * SF_SECOND) > 0;
    }
}

static int
read_arguments(struct bench_arguments *arguments, int argc, char **argv)
{
    static const struct option options[] = {{"sessions", required_argument, NULL, 's'},
                                            {"bytes", required_argument, NULL, 'b'},
                                            {"workers", required_argument, NULL, 'w'},
                                            {"rate", required_argument, NULL, 'r'},
                                            {"seconds", required_argument, NULL, 'd'},
                                            {"daemon", required_argument, NULL, 'D'},
                                            {"yes", no_argument, NULL, 'y'},
                                            {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (option) {
        case '?':
            return EXIT_USAGE;
        case 'D':
            arguments->daemon = optarg;
            break;
        case 'y':
            arguments->is_sure = true;
            break;
        default:
            if (!set_number(arguments, option, optarg))
                return command_fail(EXIT_USAGE, "'%s' is out of range here", optarg);
        }
    if (optind + 1 != argc)
        return command_fail(EXIT_USAGE, "which scenario? 'session-fast bench list' names them");
    arguments->scenario = find_scenario(argv[optind]);
    if (arguments->scenario == NULL && strcmp(argv[optind], "list") != 0)
        return command_fail(EXIT_USAGE, "'%s' is no scenario: see 'session-fast bench list'",
                            argv[optind]);
    return EXIT_DONE;
}

static int
play(const struct bench_arguments *arguments, struct bench_stage *stage, bool is_json)
{
    struct bench_report report;
    struct bench_request request = arguments->request;
    const struct bench_scenario *scenario = arguments->scenario;

    request.stage = stage;
    bench_report_init(&report);
    bool is_played = scenario->play(scenario, &request, &report);
    if (is_played)
        bench_report_print(&report, scenario->name, scenario->help, is_json);
    int exit_code = !is_played ? EXIT_NO_ANSWER : report.is_right ? EXIT_DONE : EXIT_NEGATIVE;
    bench_report_fini(&report);
    return exit_code;
}

/* The processes of the benchmark end; this one sees it (bench_play) and cleans up. */
static void
hold_interrupts(void)
{
    sigset_t interrupts;

    sigemptyset(&interrupts);
    sigaddset(&interrupts, SIGINT);
    sigprocmask(SIG_BLOCK, &interrupts, NULL);
}

int
command_bench(struct command_context *context, int argc, char **argv)
{
    struct bench_arguments arguments = {.daemon = NULL};
    struct bench_stage stage = {.is_private = !context->config.is_set[SF_OPTION_AT_instance]};
    int exit_code = read_arguments(&arguments, argc, argv);

    if (exit_code != EXIT_DONE)
        return exit_code;
    if (arguments.scenario == NULL)
        return list_scenarios(context->is_json);
    stage.is_private = stage.is_private || arguments.scenario->needs_no_daemon;
    if (!stage.is_private && !arguments.is_sure)
        return command_fail(EXIT_USAGE,
                            "this makes many sessions in %s, which is in use: say --yes to do it",
                            context->instance.run);
    stage.needs_no_daemon = arguments.scenario->needs_no_daemon;
    stage.daemon = arguments.daemon != NULL ? arguments.daemon : SF_DAEMON_PATH;
    stage.lines = arguments.scenario->lines != NULL ? arguments.scenario->lines : "";
    hold_interrupts();
    exit_code = bench_stage_open(&stage, context);
    if (exit_code == EXIT_DONE)
        exit_code = play(&arguments, &stage, context->is_json);
    bench_stage_close(&stage);
    return exit_code;
}
