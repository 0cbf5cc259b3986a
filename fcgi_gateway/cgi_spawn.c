/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/cgi_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TERM_TIME (SF_SECOND / 2)
#define LIMITS_BYTES 100
#define SELF "/proc/self/exe"

/* ---- limits ---- */

static const int limited[] = {RLIMIT_CPU, RLIMIT_AS, RLIMIT_NOFILE, RLIMIT_NPROC};
#define LIMITS (sizeof limited / sizeof limited[0])

/* "5 0 0 10", in the order above; 0: none. false: there are none at all. */
static bool
format_limits(const struct sf_config *config, char text_out[LIMITS_BYTES])
{
    sf_time seconds = (config->cgi_cpu_time + SF_SECOND - 1) / SF_SECOND;
    snprintf(text_out, LIMITS_BYTES, "%" PRId64 " %" PRIu64 " %" PRId64 " %" PRId64, seconds,
             config->cgi_memory, config->cgi_open_files, config->cgi_processes);
    return seconds != 0 || config->cgi_memory != 0 || config->cgi_open_files != 0 ||
           config->cgi_processes != 0;
}

static bool
set_limit(int which, rlim_t value)
{
    struct rlimit limit;
    if (getrlimit(which, &limit) != 0)
        return false;
    limit.rlim_cur = value < limit.rlim_max ? value : limit.rlim_max;
    limit.rlim_max = limit.rlim_cur;
    return setrlimit(which, &limit) == 0;
}

int
sf_cgi_become_limited(const char *limits, char *program)
{
    char *end = (char *)(uintptr_t)limits;
    for (size_t i = 0; i < LIMITS; i++) {
        unsigned long long value = strtoull(end, &end, 10);
        if (value != 0 && !set_limit(limited[i], (rlim_t)value)) {
            perror("limits of a CGI program");
            return EXIT_FAILURE;
        }
    }
    execv(program, (char *[]){program, NULL});
    perror(program);
    return EXIT_FAILURE;
}

/* ---- environment ---- */

/*
 * What the C library, sudo and the interpreters' own manuals name: it says what runs before the
 * program, instead of it, or along with it. A name that ends in '*' is the begin of several.
 */
bool
sf_cgi_is_for_the_loader(const char *name)
{
    static const char *const names[] = {
        "LD_*",        "GCONV_PATH",   "GETCONF_DIR",         "GLIBC_TUNABLES", "LOCPATH",
        "NLSPATH",     "MALLOC_*",     "HOSTALIASES",         "LOCALDOMAIN",    "RESOLV_HOST_CONF",
        "RES_OPTIONS", "TZDIR",        "TMPDIR",              "PATH",           "CDPATH",
        "IFS",         "ENV",          "PS4",                 "SHELLOPTS",      "BASH_ENV",
        "BASHOPTS",    "BASH_FUNC_*",  "ZDOTDIR",             "FPATH",          "PERL5*",
        "PERLLIB",     "PERLIO*",      "PYTHON*",             "RUBYLIB",        "RUBYOPT",
        "LUA_*",       "NODE_OPTIONS", "NODE_PATH",           "TCLLIBPATH",     "PHPRC",
        "CLASSPATH",   "PHP_INI_*",    "JAVA_TOOL_OPTIONS",   "_JAVA_OPTIONS",  "JDK_JAVA_OPTIONS",
        "OPENSSL_*",   "GEM_*",        "PKCS11_MODULE_PATH*", "TERMINFO*",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t size = strcspn(names[i], "*");
        bool is_begin = names[i][size] == '*';
        if (strncmp(name, names[i], size) == 0 && (is_begin || name[size] == '\0'))
            return true;
    }
    return false;
}

/* `names`: separated by one space. */
static size_t
add_own(char **environment, const char *names)
{
    size_t count = 0;
    for (char **own = environ; *own != NULL; own++) {
        size_t size = strcspn(*own, "=");
        bool is_named = false;
        for (const char *at = names; *at != '\0' && !is_named;
             at += strcspn(at, " "), at += *at == ' ')
            is_named = strcspn(at, " ") == size && strncmp(at, *own, size) == 0;
        if (is_named)
            environment[count++] = *own;
    }
    return count;
}

/* One of the same name is among them. */
static bool
is_there(char *const *environment, size_t count, const char *text)
{
    size_t size = strcspn(text, "=") + 1;
    bool is_found = false;
    for (size_t i = 0; i < count && !is_found; i++)
        is_found = strncmp(environment[i], text, size) == 0;
    return is_found;
}

/* Ours first, whatever the request says of them. NULL: no memory. The texts are not copied. */
static char **
make_environment(const struct sf_request *request)
{
    const struct sf_params *params = request->params;
    size_t room = params->count + 1;
    for (char **own = environ; *own != NULL; own++)
        room++;
    char **environment = calloc(room, sizeof *environment);
    if (environment == NULL)
        return NULL;
    size_t own_count = add_own(environment, request->route->config.cgi_environment);
    size_t count = own_count;
    for (size_t i = 0; i < params->count; i++) {
        const char *text = sf_params_text(params, i);
        if (!is_there(environment, own_count, text))
            environment[count++] = (char *)(uintptr_t)text;
    }
    return environment;
}

/* ---- starting ---- */

struct pipes {
    int ends[3][2]; /* as pipe() gives them, of descriptors 0, 1 and 2 of the program */
};

void
sf_cgi_process_close(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

static void
close_pipes(struct pipes *pipes)
{
    for (int i = 0; i < 3; i++) {
        sf_cgi_process_close(&pipes->ends[i][0]);
        sf_cgi_process_close(&pipes->ends[i][1]);
    }
}

static enum sf_status
make_pipes(struct pipes *pipes, struct sf_error *error)
{
    memset(pipes, -1, sizeof *pipes);
    for (int i = 0; i < 3; i++) {
        int ours = i == 0 ? 1 : 0;
        if (pipe2(pipes->ends[i], O_CLOEXEC) != 0 ||
            fcntl(pipes->ends[i][ours], F_SETFL, O_NONBLOCK) != 0) {
            enum sf_status status = sf_error_set_errno(error, "pipe", "be made");
            close_pipes(pipes);
            return status;
        }
    }
    return SF_OK;
}

/* The program's ends are blocking: it may know no others. */
static int
fill_actions(posix_spawn_file_actions_t *actions, const struct pipes *pipes, int folder)
{
    int failed = 0;
    for (int i = 0; failed == 0 && i < 3; i++)
        failed = posix_spawn_file_actions_adddup2(actions, pipes->ends[i][i == 0 ? 0 : 1], i);
    if (failed == 0)
        failed = posix_spawn_file_actions_addfchdir_np(actions, folder);
    return failed != 0 ? failed : posix_spawn_file_actions_addclosefrom_np(actions, 3);
}

/* A process group of its own, and no signal blocked or ignored. */
static int
fill_attributes(posix_spawnattr_t *attributes)
{
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(attributes, &all);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setpgroup(attributes, 0);
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETPGROUP);
}

/* Limits need a step between fork and the program, which posix_spawn has not: this program is that
 * step. */
static int
spawn(pid_t *pid_out, const struct sf_cgi_path *path, const struct pipes *pipes,
      const struct sf_config *config, char *const *environment)
{
    char name[NAME_MAX + 3], limits[LIMITS_BYTES];
    static char self[] = SELF, limited_option[] = SF_CGI_LIMITED;
    char *plain[] = {name, NULL}, *limiting[] = {self, limited_option, limits, name, NULL};
    snprintf(name, sizeof name, "./%s", path->name);
    bool is_limited = format_limits(config, limits);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int failed = fill_actions(&actions, pipes, path->folder);
    if (failed == 0)
        failed = fill_attributes(&attributes);
    if (failed == 0)
        failed = posix_spawn(pid_out, is_limited ? SELF : name, &actions, &attributes,
                             is_limited ? limiting : plain, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failed;
}

static enum sf_status
explain(const struct sf_cgi_path *path, int failed, struct sf_error *error)
{
    bool is_short = failed == EAGAIN || failed == ENOMEM || failed == EMFILE || failed == ENFILE;
    errno = failed;
    sf_error_set_errno(error, path->name, "be run");
    return is_short ? SF_UNAVAILABLE : SF_INVALID;
}

static int
handle_of(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

enum sf_status
sf_cgi_spawn(struct sf_cgi_process *process_out, const struct sf_cgi_path *path,
             const struct sf_request *request, struct sf_error *error)
{
    struct pipes pipes;
    char **environment = make_environment(request);
    enum sf_status status = environment == NULL ? sf_error_set(error, SF_UNAVAILABLE, "no memory")
                                                : make_pipes(&pipes, error);
    if (status != SF_OK) {
        free(environment);
        return status;
    }
    int failed = spawn(&process_out->pid, path, &pipes, &request->route->config, environment);
    free(environment);
    if (failed != 0) {
        close_pipes(&pipes);
        return explain(path, failed, error);
    }
    close(pipes.ends[0][0]);
    close(pipes.ends[1][1]);
    close(pipes.ends[2][1]);
    process_out->input = pipes.ends[0][1];
    process_out->output = pipes.ends[1][0];
    process_out->errors = pipes.ends[2][0];
    process_out->handle = handle_of(process_out->pid);
    return SF_OK;
}

/* ---- its end ---- */

static bool
reap(struct sf_cgi_process *process, int options, int *status_out)
{
    pid_t reaped;
    do
        reaped = waitpid(process->pid, status_out, options);
    while (reaped < 0 && errno == EINTR);
    if (reaped == process->pid)
        sf_cgi_process_close(&process->handle);
    return reaped == process->pid;
}

bool
sf_cgi_process_has_ended(const struct sf_cgi_process *process)
{
    siginfo_t seen = {.si_pid = 0};
    return waitid(P_PID, (id_t)process->pid, &seen, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           seen.si_pid == process->pid;
}

static void
wait_for_end(const struct sf_cgi_process *process, sf_time deadline)
{
    struct pollfd wait = {.fd = process->handle, .events = POLLIN};
    sf_time left = deadline - sf_clock_steady();
    sf_time longest = process->handle < 0 ? SF_CGI_LOOK_TIME : left;
    if (left > 0)
        poll(&wait, 1, (int)(left < longest ? left : longest));
}

bool
sf_cgi_process_await(struct sf_cgi_process *process, sf_time deadline, int *status_out)
{
    bool has_ended;
    while (!(has_ended = reap(process, WNOHANG, status_out)) && sf_clock_steady() < deadline)
        wait_for_end(process, deadline);
    return has_ended;
}

/* One that has left its group is meant, too: nobody would wait for its end in vain. */
void
sf_cgi_signal(pid_t pid, int number)
{
    if (kill(-pid, number) != 0 || getpgid(pid) != pid)
        kill(pid, number);
}

/* Not reaped before the group has got SIGKILL: until then its number cannot be given to another
 * one. */
void
sf_cgi_process_kill(struct sf_cgi_process *process, int *status_out)
{
    sf_time deadline = sf_clock_steady() + TERM_TIME;
    sf_cgi_signal(process->pid, SIGTERM);
    do
        wait_for_end(process, deadline);
    while (!sf_cgi_process_has_ended(process) && sf_clock_steady() < deadline);
    sf_cgi_signal(process->pid, SIGKILL);
    reap(process, 0, status_out);
}
