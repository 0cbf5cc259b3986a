/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/daemon_double.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LIFE 60 /* s; a test that fails leaves it behind */

static void
fail(const char *what)
{
    fprintf(stderr, "daemon_double: %s\n", what);
    _exit(9);
}

static const char *
config_path_of(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--config") == 0)
            return argv[i + 1];
    }
    fail("no --config");
    return "";
}

static bool
is_check(int argc, char **argv)
{
    return argc > 1 && strcmp(argv[argc - 1], "--check-config") == 0;
}

static void
read_line(const char *path, char *line_out, int size)
{
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(line_out, size, file) == NULL)
        fail("cannot read the file");
    fclose(file);
    line_out[strcspn(line_out, "\n")] = '\0';
}

/* Into the folder of the instance. */
static void
enter_folder_of(const char *path)
{
    char folder[200];
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    if (chdir(folder) != 0)
        fail("no such folder");
}

static void
lock_or_leave(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    int fd = open("daemon.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        fail("no lock file");
    if (fcntl(fd, F_SETLK, &lock) != 0)
        _exit(0);
}

static void
answer(int connection)
{
    char request[100];
    while (read(connection, request, sizeof request) > 0) {
        if (write(connection, "+PONG\r\n", 7) != 7)
            break;
    }
    close(connection);
}

static void
serve(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "daemon.sock"};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    unlink(address.sun_path);
    if (bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 8) != 0)
        fail("cannot listen");
    for (;;)
        answer(accept(listener, NULL, NULL));
}

static void
act(const char *line)
{
    if (strcmp(line, "die") == 0)
        _exit(3);
    lock_or_leave();
    if (strcmp(line, "serve") == 0)
        serve();
    signal(SIGTERM, SIG_IGN);
    for (;;)
        pause();
}

void
sf_daemon_double(int argc, char **argv)
{
    char line[100];
    if (strcmp(argv[0], "session-fastd") != 0)
        return;
    alarm(LIFE);
    const char *path = config_path_of(argc, argv);
    read_line(path, line, sizeof line);
    const char *always = getenv(SF_DAEMON_DOUBLE_ALWAYS);
    if (always != NULL)
        snprintf(line, sizeof line, "%s", always);
    bool is_known =
        strcmp(line, "serve") == 0 || strcmp(line, "deaf") == 0 || strcmp(line, "die") == 0;
    if (!is_known) {
        fprintf(stderr, "%s\n", line);
        _exit(1);
    }
    if (is_check(argc, argv))
        _exit(0);
    enter_folder_of(path);
    act(line);
}
