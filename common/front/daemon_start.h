/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * daemon_start.h - session-fastd as a child of a front: forked, waited for. A front may have threads.
 */
#include <sys/types.h>

#include "common/config/instance.h"

struct sf_daemon_program {
    const char *path;        /* of session-fastd */
    const char *config_path; /* the file it reads */
    void (*become_user)(void *context); /* in the child; ends it on failure. NULL: we are that user */
    void *context;
};

/*
 * fork: 0 in the child, -1 on failure. The child has a session of its own, and leaves handlers of
 * signals and open files of the parent behind: nothing but these as standard input and standard
 * error, -1: nothing there either.
 */
pid_t sf_daemon_fork(int input, int error_output);

/* Runs it in a session of its own, with standard error only. 0: fork failed. */
pid_t sf_daemon_spawn(const struct sf_daemon_program *program);

/* Shows it the file: SF_INVALID, with its own words, when it would not start. */
enum sf_status sf_daemon_prove(const struct sf_daemon_program *program,
                               struct sf_error *error) SF_MUST_CHECK;

/*
 * SF_OK: it has the instance and answers. SF_CONFLICT: it has left, because another one has the
 * instance. SF_UNAVAILABLE: it has ended otherwise, or does not answer before the deadline. *pid is
 * 0 when it has ended.
 */
enum sf_status sf_daemon_await(const struct sf_instance *instance, pid_t *pid, sf_time deadline,
                               struct sf_error *error) SF_MUST_CHECK;

/* Does the daemon of this instance, whoever started it, answer before the deadline? */
bool sf_daemon_answers(const struct sf_instance *instance, sf_time deadline);
