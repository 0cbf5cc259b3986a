/* SPDX-License-Identifier: Apache-2.0 */
#include "command_line/bench_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/config/config_file.h"

#define START_WAIT (10 * SF_SECOND)
#define ASK_WAIT (5 * SF_SECOND)
#define FLUSH_WAIT SF_MINUTE
#define PATIENCE (10 * SF_SECOND) /* of a private instance's fronts: what is slow shows as slow, not as an error */
#define LOOK_AGAIN_NS 5000000
#define STATUS_VALUES 512
#define MEMORY "/dev/shm"
#define MEMORY_MIN (UINT64_C(256) << 20) /* of containers it is often too small for a cache */

/* ---- folders ---- */

static int
remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    (void)remove(path); /* and go on with the others */
    return 0;
}

static void
remove_folder(const char *path)
{
    if (*path != '\0')
        nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static bool
make_folder(const char *above, char path_out[BENCH_PATH_MAX])
{
    snprintf(path_out, BENCH_PATH_MAX, "%s/session-fast-bench-XXXXXX", above);
    if (mkdtemp(path_out) != NULL)
        return true;
    *path_out = '\0';
    return false;
}

static bool
has_memory(void)
{
    struct statvfs system;

    return statvfs(MEMORY, &system) == 0 &&
           (uint64_t)system.f_bavail * system.f_frsize >= MEMORY_MIN;
}

static bool
make_folders(struct bench_stage *stage)
{
    const char *temporary = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe) */

    if (temporary == NULL || *temporary != '/')
        temporary = "/tmp";
    return ((has_memory() && make_folder(MEMORY, stage->run)) ||
            make_folder(temporary, stage->run)) &&
           make_folder(temporary, stage->state);
}

/* ---- the daemon ---- */

static bool
write_config(const struct bench_stage *stage, const char *path)
{
    FILE *file = fopen(path, "w");

    if (file == NULL)
        return false;
    fprintf(file, "SessionFastInstance %s\nSessionFastStateDirectory %s\n%s", stage->run,
            stage->state, stage->lines);
    return fclose(file) == 0;
}

/* In a group of its own: an interrupt of the terminal is for us, and we end it. */
static void
become_daemon(const struct bench_stage *stage, const char *config, const char *log, pid_t parent)
{
    char config_word[] = "--config", user_word[] = "--user", root[] = "root";
    char *program = strdup(stage->daemon), *file = strdup(config);
    char *const as_root[] = {program, config_word, file, user_word, root, NULL};
    char *const as_user[] = {program, config_word, file, NULL};
    int output = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (output < 0 || getppid() != parent || dup2(output, 2) < 0)
        _exit(EXIT_FAILURE);
    execv(stage->daemon, geteuid() == 0 ? as_root : as_user);
    dprintf(2, "%s: %s\n", stage->daemon, strerror(errno)); /* NOLINT(concurrency-mt-unsafe) */
    _exit(127);
}

static bool
ask(const struct bench_stage *stage, const char *word, sf_time wait, struct sf_daemon_reply *reply)
{
    struct sf_daemon_link *link;
    const struct sf_span words[] = {sf_span_text(word)};

    if (sf_daemon_link_new(&link, stage->instance.socket_path) != SF_OK)
        return false;
    enum sf_status status = sf_daemon_ask(link, words, 1, sf_clock_steady() + wait, reply);
    sf_daemon_link_free(link);
    return status == SF_OK && reply->values[0].type != SF_RESP_ERROR;
}

static bool
answers(const struct bench_stage *stage, const char *word, sf_time wait)
{
    struct sf_daemon_reply reply;

    sf_daemon_reply_init(&reply, STATUS_VALUES);
    bool is_well = ask(stage, word, wait, &reply);
    sf_daemon_reply_fini(&reply);
    return is_well;
}

static bool
wait_for_daemon(struct bench_stage *stage)
{
    sf_time deadline = sf_clock_steady() + START_WAIT;

    while (sf_clock_steady() < deadline) {
        if (access(stage->instance.socket_path, F_OK) == 0 && answers(stage, "PING", SF_SECOND))
            return true;
        if (waitpid(stage->process, NULL, WNOHANG) == stage->process) {
            stage->process = 0;
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = LOOK_AGAIN_NS}, NULL);
    }
    return false;
}

/* The last line that the daemon has logged. */
static int
tell_log(const char *path)
{
    char line[512], last[512] = "it has said nothing";
    FILE *log = fopen(path, "r");

    while (log != NULL && fgets(line, sizeof line, log) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        memcpy(last, line, sizeof last);
    }
    if (log != NULL)
        fclose(log);
    return command_fail(EXIT_NO_ANSWER, "no daemon for the benchmark: %s", last);
}

static int
open_private(struct bench_stage *stage)
{
    char config[BENCH_PATH_MAX + 16], log[BENCH_PATH_MAX + 16];
    struct sf_error error;
    pid_t parent = getpid();

    if (!make_folders(stage))
        return command_fail(EXIT_NO_ANSWER, "no temporary folder can be made");
    snprintf(config, sizeof config, "%s/bench.conf", stage->state);
    snprintf(log, sizeof log, "%s/log", stage->state);
    if (!write_config(stage, config))
        return command_fail(EXIT_NO_ANSWER, "%s cannot be written", config);
    if (sf_config_read(&stage->config, config, stage->pool, &error) != SF_OK ||
        sf_instance_resolve(&stage->instance, &stage->config, &error) != SF_OK)
        return command_fail(EXIT_USAGE, "%s", error.text);
    if (stage->needs_no_daemon)
        return EXIT_DONE;
    stage->config.deadline = stage->config.store_deadline = PATIENCE;
    stage->process = fork();
    if (stage->process == 0)
        become_daemon(stage, config, log, parent);
    return stage->process > 0 && wait_for_daemon(stage) ? EXIT_DONE : tell_log(log);
}

static int
open_given(struct bench_stage *stage, const struct command_context *context)
{
    uint64_t process = 0;

    stage->config = context->config;
    stage->instance = context->instance;
    if (!answers(stage, "PING", ASK_WAIT))
        return command_fail(EXIT_NO_ANSWER, "no daemon answers at %s", stage->instance.socket_path);
    if (bench_stage_number(stage, "pid", &process))
        stage->process = (pid_t)process;
    return EXIT_DONE;
}

int
bench_stage_open(struct bench_stage *stage, const struct command_context *context)
{
    stage->pool = context->pool;
    return stage->is_private ? open_private(stage) : open_given(stage, context);
}

void
bench_stage_close(struct bench_stage *stage)
{
    if (!stage->is_private)
        return;
    if (stage->process > 0) {
        kill(stage->process, SIGTERM);
        while (waitpid(stage->process, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    remove_folder(stage->run);
    remove_folder(stage->state);
}

/* ---- asking it ---- */

bool
bench_stage_number(const struct bench_stage *stage, const char *name, uint64_t *number_out)
{
    struct sf_daemon_reply reply;
    bool is_found = false;

    sf_daemon_reply_init(&reply, STATUS_VALUES);
    if (ask(stage, "SESSION.STATUS", ASK_WAIT, &reply))
        for (size_t i = 1; i + 1 < reply.count && !is_found; i += 2)
            if (sf_span_equal(reply.values[i].text, sf_span_text(name)) &&
                reply.values[i + 1].type == SF_RESP_INTEGER) {
                *number_out = (uint64_t)reply.values[i + 1].integer;
                is_found = true;
            }
    sf_daemon_reply_fini(&reply);
    return is_found;
}

bool
bench_stage_flush(const struct bench_stage *stage)
{
    return answers(stage, "SESSION.FLUSH", FLUSH_WAIT);
}

/* The number behind `name` in a file of /proc. */
static bool
read_number(pid_t process, const char *file, const char *name, uint64_t *number_out)
{
    char path[64], line[256];
    bool is_found = false;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)process, file);
    FILE *stream = fopen(path, "r");
    while (stream != NULL && !is_found && fgets(line, sizeof line, stream) != NULL)
        if (strncmp(line, name, strlen(name)) == 0) {
            *number_out = strtoull(line + strlen(name), NULL, 10);
            is_found = true;
        }
    if (stream != NULL)
        fclose(stream);
    return is_found;
}

/* Fields 14 and 15 of stat: time in user and in system mode, in ticks. The second is a name in (). */
static bool
read_cpu(pid_t process, uint64_t *cpu_ms_out)
{
    char path[64], line[1024] = "";

    snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
    FILE *stream = fopen(path, "r");
    if (stream == NULL)
        return false;
    char *at = fgets(line, sizeof line, stream) != NULL ? strrchr(line, ')') : NULL;
    fclose(stream);
    for (int field = 2; field < 14 && at != NULL; field++)
        at = strchr(at + 1, ' ');
    if (at == NULL)
        return false;
    uint64_t user = strtoull(at, &at, 10), system = strtoull(at, NULL, 10);
    *cpu_ms_out = (user + system) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
    return true;
}

struct bench_usage
bench_stage_usage(const struct bench_stage *stage)
{
    struct bench_usage usage = {.is_known = false};

    usage.is_known = stage->process > 0 && read_cpu(stage->process, &usage.cpu_ms) &&
                     read_number(stage->process, "io", "syscw: ", &usage.write_calls) &&
                     read_number(stage->process, "io", "write_bytes: ", &usage.written_bytes) &&
                     read_number(stage->process, "status", "RssAnon:", &usage.memory_kb);
    return usage;
}
