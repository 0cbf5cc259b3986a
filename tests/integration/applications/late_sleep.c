/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into httpd: the worst moment for a child to die. The parent has looked for ended children and is
 * about to sleep; here the process whose number stands in the file $SF_VICTIM is killed in between, and that
 * very sleep would last for a minute.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int select_fn(int, fd_set *, fd_set *, fd_set *, struct timeval *);

/* Returns when its end has been signalled; 0: there is nobody to kill. */
static int
kill_victim(const char *path)
{
    siginfo_t end;
    int victim = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    int is_read = fscanf(file, "%d", &victim) == 1 && victim > 0;
    fclose(file);
    unlink(path);
    return is_read && kill(victim, SIGKILL) == 0
           && waitid(P_PID, (id_t)victim, &end, WEXITED | WNOWAIT) == 0;
}

int
select(int count, fd_set *readers, fd_set *writers, fd_set *others, struct timeval *timeout)
{
    static select_fn *real;
    const char *path = getenv("SF_VICTIM");
    if (real == NULL)
        real = (select_fn *)dlsym(RTLD_NEXT, "select");
    if (count == 0 && path != NULL && kill_victim(path))
        timeout->tv_sec = 60;
    return real(count, readers, writers, others, timeout);
}
