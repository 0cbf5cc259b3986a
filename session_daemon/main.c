/* SPDX-License-Identifier: Apache-2.0 */
/* session-fastd: the one process of an instance that talks to the store. */
#include <apr_general.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/descriptors.h"
#include "common/base/privileges.h"
#include "common/config/config_file.h"
#include "common/store/stores_check.h"
#include "session_daemon/daemon.h"

#define PROGRAM "session-fastd"
#define DESCRIPTORS (SERVER_CONNECTIONS_MAX + 64)
#define WAIT_MAX 3600

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct arguments {
    const char *config_path;
    const char *user;
    sf_time wait;
    bool only_check;
};

static const char usage[] =
    "usage: " PROGRAM " --config FILE [--user NAME[:GROUP]] [--wait SECONDS] [--check-config] [--foreground]\n"
    "                     [--started-by TIME]\n"
    "       " PROGRAM " --version\n"
    "\n"
    "  --config FILE         read the options of the instance from FILE\n"
    "  --user NAME[:GROUP]   started as root: become this user first\n"
    "  --wait SECONDS        wait for another daemon of the instance to leave; without: exit 0 if there is one\n"
    "  --check-config        look at FILE and exit\n"
    "  --foreground          accepted and without effect: the daemon never leaves the foreground\n"
    "  --started-by TIME     for others to read: when the process that takes care of this one was started itself\n"
    "                        (field 22 of its /proc/PID/stat)\n"
    "\n"
    "Logs to standard error. SIGTERM and SIGINT: write what waits, then exit.\n";

static int
fail(int exit_code, const char *text)
{
    fprintf(stderr, "%s: %s\n", PROGRAM, text);
    return exit_code;
}

/* false: *exit_code_out says how to end. */
static bool
read_arguments(int argc, char **argv, struct arguments *arguments_out, int *exit_code_out)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},  {"user", required_argument, NULL, 'u'},
        {"wait", required_argument, NULL, 'w'},    {"check-config", no_argument, NULL, 't'},
        {"foreground", no_argument, NULL, 'f'},    {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},          {"started-by", required_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    int64_t seconds = 0;
    int option;
    *arguments_out = (struct arguments){.config_path = NULL};
    *exit_code_out = EXIT_USAGE;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) { /* NOLINT(concurrency-mt-unsafe) */
        switch (option) {
        case 'c': arguments_out->config_path = optarg; break;
        case 'u': arguments_out->user = optarg; break;
        case 't': arguments_out->only_check = true; break;
        case 'f':
        case 's': break; /* for others to read */
        case 'w':
            if (sf_int64_parse(sf_span_text(optarg), &seconds) != SF_OK || seconds < 0 || seconds > WAIT_MAX) {
                fail(EXIT_USAGE, "--wait: a number of seconds, at most 3600");
                return false;
            }
            break;
        case 'v':
        case 'h':
            fputs(option == 'v' ? PROGRAM " " SF_VERSION "\n" : usage, stdout);
            *exit_code_out = EXIT_DONE;
            return false;
        default: fputs(usage, stderr); return false;
        }
    }
    arguments_out->wait = seconds * SF_SECOND;
    if (arguments_out->config_path == NULL || optind != argc)
        fputs(usage, stderr);
    return arguments_out->config_path != NULL && optind == argc;
}

static enum sf_status
read_config(struct daemon *daemon, const char *path, apr_pool_t *pool, struct sf_error *error)
{
    enum sf_status status = sf_config_read(&daemon->config, path, pool, error);
    if (status == SF_OK)
        status = sf_config_check(&daemon->config, error);
    return status == SF_OK ? sf_instance_resolve(&daemon->instance, &daemon->config, error) : status;
}

/*
 * Nobody else looks into our memory or files, a client that goes away is no signal, and there are enough
 * descriptors.
 */
static void
prepare_process(void)
{
    umask(077);
    prctl(PR_SET_DUMPABLE, 0);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < DESCRIPTORS) {
        limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Where session-fast finds which store this is: fronts that start a daemon have written it for that one. */
static void
leave_config(const struct daemon *daemon, apr_pool_t *pool)
{
    struct sf_error error;
    const char *path = daemon->instance.config_path;
    if (sf_config_differs(&daemon->config, path, pool) != NULL
        && sf_config_write(&daemon->config, path, pool, &error) != SF_OK)
        sf_log_write(&daemon->log, SF_LOG_WARNING, "SF0120", "session-fast will not know the options: %s", error.text);
}

static int
serve(struct daemon *daemon, sf_time wait, apr_pool_t *pool, struct sf_error *error)
{
    if (geteuid() == 0)
        sf_log_write(&daemon->log, SF_LOG_WARNING, "SF0107", "runs as root, as --user says");
    enum sf_status status = daemon_start(daemon, wait, error);
    if (status == SF_CONFLICT) {
        sf_log_write(&daemon->log, SF_LOG_NOTICE, "SF0102", "%s: nothing to do", error->text);
        return EXIT_DONE;
    }
    if (status != SF_OK) {
        sf_log_write(&daemon->log, SF_LOG_ERROR, "SF0103", "cannot start: %s", error->text);
        return EXIT_FAILED;
    }
    leave_config(daemon, pool);
    daemon_serve(daemon);
    return EXIT_DONE;
}

int
main(int argc, char **argv)
{
    static struct daemon daemon = {.log = {.write = sf_log_to_stderr_dated, .level = SF_LOG_INFO}};
    static char program[] = PROGRAM;
    struct arguments arguments;
    struct sf_error error = {.text = ""};
    apr_pool_t *pool; /* lives as long as the process, like the strings of the configuration */
    int exit_code;
    daemon.log.context = program;
    if (!sf_descriptors_fill())
        return EXIT_FAILED;
    if (!read_arguments(argc, argv, &arguments, &exit_code))
        return exit_code;
    const struct sf_privileges wanted = {arguments.user, "--user"};
    bool only_looks = arguments.only_check && arguments.user == NULL;
    if (!only_looks && sf_privileges_drop(&wanted, &error) != SF_OK)
        return fail(EXIT_USAGE, error.text);
    prepare_process();
    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS)
        return fail(EXIT_FAILED, "no memory");
    if (read_config(&daemon, arguments.config_path, pool, &error) != SF_OK
        || (arguments.only_check && sf_stores_check(&daemon.config, daemon.instance.state, &error) != SF_OK))
        return fail(EXIT_FAILED, error.text);
    if (arguments.only_check)
        return puts("the configuration is good") < 0 ? EXIT_FAILED : EXIT_DONE;
    return serve(&daemon, arguments.wait, pool, &error);
}
