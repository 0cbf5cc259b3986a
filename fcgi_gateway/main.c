/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session-fast-gateway: CGI programs and FastCGI applications with sessions, behind any web server.
 */
#include <apr_general.h>
#include <apr_strings.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "common/base/descriptors.h"
#include "common/base/privileges.h"
#include "common/config/places.h"
#include "fcgi_gateway/cgi_spawn.h"
#include "fcgi_gateway/daemon_watch.h"
#include "fcgi_gateway/gateway.h"
#include "fcgi_gateway/listeners.h"
#include "fcgi_gateway/workers.h"

#define PROGRAM "session-fast-gateway"
/* Of a thread: connection, its file, three pipes, folder, handle, or an upstream. */
#define DESCRIPTORS_EACH 10
#define DESCRIPTORS_REST 256
#define STEP 1         /* s between two looks at what needs looking after */
#define LOOKS_APART 50 /* ms at least, however many signals come */

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const char usage[] =
    "usage: " PROGRAM " --config FILE [--check-config]\n"
    "       " PROGRAM " --version\n"
    "\n"
    "  --config FILE     read options and routes from FILE\n"
    "  --check-config    look at FILE and exit\n"
    "\n"
    "Logs to standard error. SIGHUP: read FILE again; a bad one is told of and changes nothing. "
    "SIGTERM and\n"
    "SIGINT: take no request more, let those that run end (GatewayStopTimeout), then exit; the "
    "second one: exit at once.\n";

static int
fail(int exit_code, const char *text)
{
    fprintf(stderr, "%s: %s\n", PROGRAM, text);
    return exit_code;
}

/* false: *exit_code_out says how to end. */
static bool
read_arguments(int argc, char **argv, const char **config_path_out, bool *only_check_out,
               int *exit_code_out)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check-config", no_argument, NULL, 't'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    *config_path_out = NULL;
    *exit_code_out = EXIT_USAGE;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is only one thread yet */
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            *config_path_out = optarg;
            break;
        case 't':
            *only_check_out = true;
            break;
        case 'v':
        case 'h':
            fputs(option == 'v' ? PROGRAM " " SF_VERSION "\n" : usage, stdout);
            *exit_code_out = EXIT_DONE;
            return false;
        default:
            fputs(usage, stderr);
            return false;
        }
    }
    if (*config_path_out == NULL || optind != argc)
        fputs(usage, stderr);
    return *config_path_out != NULL && optind == argc;
}

/* ---- setting up ---- */

static void
block_signals(sigset_t *signals_out)
{
    static const int heard[] = {SIGHUP, SIGTERM, SIGINT, SIGCHLD};
    sigemptyset(signals_out);
    for (size_t i = 0; i < sizeof heard / sizeof heard[0]; i++)
        sigaddset(signals_out, heard[i]);
    pthread_sigmask(SIG_BLOCK, signals_out, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void
raise_descriptors(const struct sf_config *config)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)(config->gateway_threads * DESCRIPTORS_EACH + config->gateway_backlog +
                             DESCRIPTORS_REST);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * The sockets, and all else that only root may do, come before root is given up. What root can run
 * the others perhaps cannot: so it is looked at once more.
 */
static enum sf_status
open_sockets(struct sf_gateway *gateway, struct sf_listeners *listeners, apr_pool_t *pool,
             struct sf_error *error)
{
    const struct sf_config *config = &gateway->config;
    const struct sf_privileges wanted = {sf_places_user(config, pool), "GatewayUser"};
    uid_t uid;
    gid_t gid;
    enum sf_status status = sf_privileges_find(&wanted, &uid, &gid, error);
    if (status == SF_OK)
        status = sf_listeners_open(listeners, config, uid, gid, error);
    if (status != SF_OK)
        return status;
    status = sf_instance_prepare(&gateway->instance, uid, gid, error);
    raise_descriptors(config);
    if (status == SF_OK)
        status = sf_privileges_drop(&wanted, error);
    if (status == SF_OK)
        status = sf_places_check_routes(&gateway->settings.current->routes, error);
    prctl(PR_SET_DUMPABLE, 0); /* it has the secrets of the instance in its memory */
    if (status != SF_OK)
        sf_listeners_close(listeners);
    return status;
}

static enum sf_status
load(struct sf_gateway *gateway, const char *path, struct sf_error *error)
{
    struct sf_settings *settings;
    enum sf_status status = sf_settings_load(&settings, path, error);
    if (status != SF_OK)
        return status;
    sf_settings_slot_init(&gateway->settings, settings);
    sf_settings_take(&gateway->settings); /* never given back: the texts of `config` live there */
    gateway->config = settings->routes.top;
    status = sf_places_check_start(&settings->routes, settings->pool, error);
    if (status != SF_OK)
        return status;
    return sf_instance_resolve(&gateway->instance, &gateway->config, error);
}

static bool
make_events(struct sf_gateway *gateway)
{
    gateway->stopping = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    gateway->cutting = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sf_leftovers_init(&gateway->leftovers);
    sf_upstream_pools_init(&gateway->upstreams);
    return gateway->stopping >= 0 && gateway->cutting >= 0;
}

/* Without a front the applications run on; whoever has a session is told 503, or has none. */
static void
open_front(struct sf_gateway *gateway)
{
    struct sf_error error;
    if (sf_front_open(&gateway->front, &gateway->instance, &gateway->log, &error) != SF_OK) {
        gateway->front = NULL;
        sf_log_write(&gateway->log, SF_LOG_ERROR, "SF0708", "no sessions in this process: %s",
                     error.text);
    }
}

/* ---- serving ---- */

static void
reload(struct sf_gateway *gateway, const char *path)
{
    struct sf_settings *settings;
    struct sf_error error;
    if (sf_settings_load(&settings, path, &error) != SF_OK) {
        sf_log_write(&gateway->log, SF_LOG_ERROR, "SF0703",
                     "not reloaded, everything stays as it is: %s", error.text);
        return;
    }
    const char *names = sf_settings_differ(&gateway->config, &settings->routes.top, settings->pool);
    if (names != NULL)
        sf_log_write(&gateway->log, SF_LOG_WARNING, "SF0704", "%s: counts at the next start only",
                     names);
    size_t count = settings->routes.count;
    sf_settings_replace(&gateway->settings, settings);
    sf_log_write(&gateway->log, SF_LOG_NOTICE, "SF0702", "reloaded %s: %zu routes", path, count);
}

/* Until a signal says that it is over. */
static void
watch(struct sf_gateway *gateway, struct sf_daemon_watch *daemon, const char *path,
      const sigset_t *signals)
{
    sf_time looked = 0;
    for (;;) {
        int number = sigtimedwait(signals, NULL, &(struct timespec){.tv_sec = STEP});
        if (number == SIGTERM || number == SIGINT)
            return;
        if (number == SIGHUP)
            reload(gateway, path);
        /* Each CGI program that ends is a SIGCHLD, and most are not looked after here. */
        if (number == SIGCHLD && sf_clock_steady() - looked < LOOKS_APART)
            continue;
        looked = sf_clock_steady();
        sf_leftovers_reap(&gateway->leftovers);
        sf_upstream_pools_tidy(&gateway->upstreams, sf_clock_steady());
        sf_daemon_watch_step(daemon);
        if (gateway->front != NULL)
            sf_front_attach(gateway->front);
    }
}

/* Readable when we are to end; -1: nobody will hear of it before GatewayStopTimeout. */
static int
end_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void
stop(struct sf_gateway *gateway, struct sf_workers *workers)
{
    struct sf_settings *settings = sf_settings_take(&gateway->settings);
    sf_time timeout = settings->routes.top.gateway_stop_timeout;
    sf_settings_release(settings);
    sf_log_write(&gateway->log, SF_LOG_NOTICE, "SF0705", "stopping");
    int hurry = end_signals();
    unsigned cut = sf_workers_stop(workers, sf_clock_steady() + timeout, hurry);
    if (hurry >= 0)
        close(hurry);
    if (cut > 0)
        sf_log_write(&gateway->log, SF_LOG_WARNING, "SF0706",
                     "stopped: %u threads were still busy and were cut off", cut);
}

static enum sf_status
serve(struct sf_gateway *gateway, struct sf_daemon_watch *daemon, const char *path,
      const struct sf_listeners *listeners, const sigset_t *signals, struct sf_error *error)
{
    struct sf_workers *workers;
    open_front(gateway);
    enum sf_status status = sf_workers_start(&workers, gateway, listeners, error);
    if (status == SF_OK) {
        sf_log_write(&gateway->log, SF_LOG_NOTICE, "SF0701", "ready: serves %s with %s, process %d",
                     path, gateway->instance.run, (int)getpid());
        watch(gateway, daemon, path, signals);
        stop(gateway, workers);
    }
    sf_upstream_pools_fini(&gateway->upstreams);
    sf_front_close(gateway->front);
    return status;
}

static int
run(struct sf_gateway *gateway, const char *path, apr_pool_t *pool)
{
    struct sf_listeners listeners;
    struct sf_daemon_watch daemon;
    struct sf_error error = {.text = "no descriptors"};
    sigset_t signals;
    block_signals(&signals);
    enum sf_status status = make_events(gateway) ? SF_OK : SF_UNAVAILABLE;
    if (status == SF_OK)
        status = open_sockets(gateway, &listeners, pool, &error);
    if (status == SF_OK) {
        status = sf_daemon_watch_begin(&daemon, gateway, pool, &error);
        if (status == SF_OK)
            status = serve(gateway, &daemon, path, &listeners, &signals, &error);
        sf_daemon_watch_end(&daemon);
        sf_listeners_close(&listeners);
    }
    if (status == SF_OK)
        return EXIT_DONE;
    sf_log_write(&gateway->log, SF_LOG_ERROR, "SF0707", "cannot start: %s", error.text);
    return EXIT_FAILED;
}

int
main(int argc, char **argv)
{
    static struct sf_gateway gateway = {.log = {.write = sf_log_to_stderr_dated, .level = SF_LOG_INFO}};
    static char program[] = PROGRAM;
    struct sf_error error;
    const char *path;
    bool only_check = false;
    int exit_code;
    apr_pool_t *pool;
    gateway.log.context = program;
    if (!sf_descriptors_fill())
        return EXIT_FAILED;
    if (argc == 4 && strcmp(argv[1], SF_CGI_LIMITED) == 0)
        return sf_cgi_become_limited(argv[2], argv[3]);
    if (!read_arguments(argc, argv, &path, &only_check, &exit_code))
        return exit_code;
    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS)
        return fail(EXIT_FAILED, "no memory");
    if (load(&gateway, path, &error) != SF_OK)
        return fail(EXIT_FAILED, error.text);
    if (only_check)
        return puts("the configuration is good") < 0 ? EXIT_FAILED : EXIT_DONE;
    return run(&gateway, path, pool);
}
