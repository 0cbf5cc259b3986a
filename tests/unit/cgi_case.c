/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cgi_case.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct sf_temp_folder scripts;
static int alive; /* the reader of what those who live hold open */

void
start_cgi_gateway(const char *lines)
{
    char file[1000];
    sf_temp_folder_init(&scripts);
    ck_assert_int_eq(mkfifo(sf_temp_folder_path(&scripts, "alive"), 0600), 0);
    alive = open(sf_temp_folder_path(&scripts, "alive"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ck_assert_int_ge(alive, 0);
    snprintf(file, sizeof file, "<Route /a>\nGatewayCgiDirectory %s\n%s\n</Route>\n", scripts.path,
             lines);
    start_gateway(file);
}

void
finish_cgi_gateway(void)
{
    finish_gateway();
    close(alive);
    sf_temp_folder_fini(&scripts);
}

const char *
add_script(const char *name, const char *text)
{
    const char *path = sf_temp_folder_path(&scripts, name);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "#!/bin/sh\n%s", text);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, 0755), 0);
    return path;
}

void
await_begun(void)
{
    struct pollfd wait = {alive, POLLIN, 0};
    char said[6];
    ck_assert_int_eq(poll(&wait, 1, (int)SOON), 1);
    ck_assert_int_eq(read(alive, said, sizeof said), sizeof said);
}

/* The end of the file is there while nobody has it open for writing. */
void
await_gone(void)
{
    sf_time deadline = sf_clock_steady() + SOON;
    char said[6];
    while (read(alive, said, sizeof said) != 0) {
        ck_assert_msg(sf_clock_steady() < deadline, "somebody lives on");
        poll(NULL, 0, 1);
    }
}
