/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/daemon_case.h"

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/front/daemon_holder.h"
#include "tests/support/daemon_double.h"

#define PATIENCE (20 * SF_SECOND) /* a loaded machine */

struct sf_temp_folder folder;
struct sf_config config;
struct sf_instance instance;
struct sf_daemon_program program;

void
set_up(void)
{
    struct sf_error error;
    sf_temp_folder_init(&folder);
    sf_config_init(&config);
    config.instance = folder.path;
    ck_assert_int_eq(sf_instance_resolve(&instance, &config, &error), SF_OK);
    program = (struct sf_daemon_program){
        .path = SF_DAEMON_DOUBLE,
        .config_path = instance.config_path,
    };
}

void
tear_down(void)
{
    pid_t holder = sf_daemon_holder(instance.daemon_lock_path);
    if (holder != 0)
        kill(holder, SIGKILL);
    sf_temp_folder_fini(&folder);
}

void
write_config_file(const char *line)
{
    FILE *file = fopen(instance.config_path, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "%s\n", line);
    ck_assert_int_eq(fclose(file), 0);
}

static pid_t
await_holder(void)
{
    sf_time deadline = sf_clock_steady() + PATIENCE;
    pid_t holder = sf_daemon_holder(instance.daemon_lock_path);
    while (holder == 0) {
        ck_assert_msg(sf_clock_steady() < deadline, "nobody takes the lock");
        poll(NULL, 0, 5);
        holder = sf_daemon_holder(instance.daemon_lock_path);
    }
    return holder;
}

pid_t
start_holder(const char *line)
{
    write_config_file(line);
    pid_t pid = sf_daemon_spawn(&program);
    ck_assert_int_eq(await_holder(), pid);
    return pid;
}

pid_t
start_orphan(const char *line)
{
    write_config_file(line);
    pid_t starter = fork();
    ck_assert_int_ge(starter, 0);
    if (starter == 0) {
        sf_daemon_spawn(&program);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(starter, NULL, 0), starter);
    return await_holder();
}

bool
is_running(pid_t pid)
{
    char path[40], state = 'X';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    int read = fscanf(file, "%*d (%*[^)]) %c", &state);
    fclose(file);
    return read == 1 && state != 'Z' && state != 'X';
}
