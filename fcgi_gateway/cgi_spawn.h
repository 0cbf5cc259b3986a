/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * cgi_spawn.h - a CGI program as a process: started without a shell, watched, ended with all it has
 * started.
 */
#include <sys/types.h>

#include "common/base/clock.h"
#include "fcgi_gateway/cgi_path.h"
#include "fcgi_gateway/request.h"

struct sf_cgi_process {
    pid_t pid;  /* and its process group */
    int handle; /* readable once it has ended; -1: the kernel has none (Linux before 5.3, some
                   sandboxes), or the system is short of descriptors */
    int input; /* our ends of its standard input, output and error: they do not block; -1: closed */
    int output;
    int errors;
};

/*
 * Its environment is the request's parameters and what GatewayCgiEnvironment names. SF_UNAVAILABLE:
 * the system is short of something. SF_INVALID: the program cannot be run; the text says why.
 */
enum sf_status sf_cgi_spawn(struct sf_cgi_process *process_out, const struct sf_cgi_path *path,
                            const struct sf_request *request, struct sf_error *error) SF_MUST_CHECK;

/* Variables of a request with such a name do not reach programs. */
bool sf_cgi_is_for_the_loader(const char *name);

void sf_cgi_process_close(int *descriptor); /* one of the above */

/* Not reaped yet. Whoever has no handle asks every SF_CGI_LOOK_TIME. */
bool sf_cgi_process_has_ended(const struct sf_cgi_process *process);
#define SF_CGI_LOOK_TIME 10 /* ms */

/* To a program that was not reaped yet, and its process group. */
void sf_cgi_signal(pid_t pid, int number);

/* true: it has ended, and *status_out is what waitpid says. Waits until `deadline` (steady clock).
 */
bool sf_cgi_process_await(struct sf_cgi_process *process, sf_time deadline, int *status_out);

/* SIGTERM to its process group, and half a second later at most SIGKILL. Reaps it. */
void sf_cgi_process_kill(struct sf_cgi_process *process, int *status_out);

#define SF_CGI_LIMITED "--limited"
/* What main does for --limited LIMITS PROGRAM: sets the limits and becomes the program. Returns
 * when it cannot. */
int sf_cgi_become_limited(const char *limits, char *program);
