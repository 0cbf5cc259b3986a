/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * command.h - what every subcommand of session-fast gets and answers.
 *
 * A subcommand builds one JSON value and hands it to print.h, which shows it as JSON or as a table:
 * what a script sees and what a person sees cannot drift apart.
 */
#include <jansson.h>

#include "common/config/instance.h"
#include "common/front/ask_daemon.h"
#include "common/identity/session_id.h"

enum command_exit {
    EXIT_DONE = 0,
    EXIT_NEGATIVE = 1, /* the answer is no: no such session, a bad configuration, a damaged cache */
    EXIT_USAGE = 2,    /* the call's words are off */
    EXIT_NO_ANSWER = 3, /* the daemon or the store did not answer */
    EXIT_WARNING = 4    /* it works, and something should be mended */
};

struct command_context {
    apr_pool_t *pool;
    struct sf_config config;
    struct sf_instance instance;
    struct sf_daemon_link *link; /* NULL until the first question */
    struct sf_daemon_reply reply;
    bool is_json;
};

typedef int command_fn(struct command_context *context, int argc, char **argv);

command_fn command_status, command_list, command_show, command_end, command_pin, command_unpin,
    command_flush, command_store, command_config, command_cache, command_bench, command_migrate, command_doctor,
    command_probe, command_end_user;

/* One line to standard error, control characters replaced; returns `exit_code`. */
int command_fail(int exit_code, const char *format, ...) SF_PRINTF(2, 3);

/*
 * Files that root would make, the daemon could not use, and what root may do, it may not: so as root we become whom
 * the state folder belongs to.
 */
enum sf_status command_become_owner(const struct command_context *context, struct sf_error *error) SF_MUST_CHECK;

/* A whole key, or the beginning of exactly one that is stored; failures are told. */
int command_find_key(struct command_context *context, const char *text,
                     char key_out[SF_KEY_TEXT + 1]);

/*
 * Asks the daemon, waits up to `wait` ms. EXIT_DONE: context->reply holds an answer that is no
 * error; otherwise the failure has been told and the exit code is returned. `words` are
 * NUL-terminated, NULL at the end.
 */
int command_ask(struct command_context *context, sf_time wait, const char *const *words);
