/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_stores.c - a backend as session-fast uses it, and as a plain client does.
 *
 * bench_stores batches URL FOLDER
 * bench_stores steps URL FOLDER --config FILE [--bare FILE] [--cache SOCKET]
 * bench_stores changes URL FOLDER --config FILE
 *
 * FILE is that of a daemon that runs on URL, the second one with SessionFastCacheSize 0; SOCKET a memcached's.
 * bench_stores.py starts all of them.
 */
#include <apr_general.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/stores/rounds.h"
#include "command_line/command.h"

#define ROUNDS 5
#define MILLISECONDS 100
#define SESSIONS 200
#define BYTES 1024

static const struct {
    const char *name;
    bool (*play)(const struct rounds_request *request);
    bool needs_config;
} parts[] = {
    {"batches", rounds_of_batches, false},
    {"steps", rounds_of_steps, true},
    {"changes", rounds_of_changes, true},
};

void
rounds_say(const char *what, const char *who, unsigned count, double us)
{
    printf("{\"what\": \"%s\", \"who\": \"%s\", \"count\": %u, \"us\": %.3f}\n", what, who, count, us);
}

bool
rounds_fail(const char *what, const char *why)
{
    fprintf(stderr, "bench_stores: %s: %s\n", what, why);
    return false;
}

double
rounds_us_since(uint64_t begin_ns)
{
    return (double)(sf_clock_ns() - begin_ns) / 1000;
}

/* The parts of session-fast that are used here complain by it. */
int
command_fail(int exit_code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return exit_code;
}

/* 0: not a number from 1 to `max`. */
static unsigned
parse_count(const char *text, int64_t max)
{
    int64_t number;

    return sf_int64_parse(sf_span_text(text), &number) == SF_OK && number > 0 && number <= max ? (unsigned)number
                                                                                                : 0;
}

static bool
read_options(struct rounds_request *request, int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"bare", required_argument, NULL, 'o'},
                                            {"cache", required_argument, NULL, 'm'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"milliseconds", required_argument, NULL, 't'},
                                            {"sessions", required_argument, NULL, 's'},
                                            {"bytes", required_argument, NULL, 'b'},
                                            {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (option) {
        case 'c':
            request->config = optarg;
            break;
        case 'o':
            request->bare = optarg;
            break;
        case 'm':
            request->cache = optarg;
            break;
        case 'r':
            request->rounds = parse_count(optarg, 1000);
            break;
        case 't':
            request->milliseconds = parse_count(optarg, 60000);
            break;
        case 's':
            request->sessions = parse_count(optarg, 10000) & ~3u; /* four quarters */
            break;
        case 'b':
            request->bytes = parse_count(optarg, 32768);
            break;
        default:
            return false;
        }
    return request->rounds > 0 && request->milliseconds > 0 && request->sessions > 0 && request->bytes >= 64;
}

int
main(int argc, char **argv)
{
    struct rounds_request request = {
        .rounds = ROUNDS, .milliseconds = MILLISECONDS, .sessions = SESSIONS, .bytes = BYTES};
    size_t part = 0, count = sizeof parts / sizeof parts[0];
    bool is_right = read_options(&request, argc, argv) && argc - optind == 3;

    while (is_right && part < count && strcmp(parts[part].name, argv[optind]) != 0)
        part++;
    if (!is_right || part == count || (parts[part].needs_config && request.config == NULL)) {
        fputs("usage: bench_stores batches|steps|changes URL FOLDER [--config FILE] [--bare FILE]"
              " [--cache SOCKET] [--rounds N] [--milliseconds N] [--sessions N] [--bytes N]\n",
              stderr);
        return EXIT_FAILURE;
    }
    request.url = argv[optind + 1];
    request.folder = argv[optind + 2];
    apr_initialize();
    bool is_well = parts[part].play(&request);
    apr_terminate();
    return is_well ? EXIT_SUCCESS : EXIT_FAILURE;
}
