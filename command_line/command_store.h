/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * command_store.h - the parts of "session-fast store": they open a store themselves, past the daemon.
 */
#include <dirent.h>

#include "command_line/command.h"
#include "common/store/store.h"

struct store_call {
    struct command_context *context;
    struct sf_store *store; /* attached, but for check */
    const char *shown;      /* the store as it may be shown: its scheme and no password */
    const char *url;        /* NULL: the instance's own store */
    const char *from;       /* import: the other system; NULL: lines of an export */
    const char *folder;     /* import: of PHP's files; NULL: none */
    DIR *php_files;         /* that folder, opened as who we were before we became the owner of the store */
    const char *user_field; /* import: see foreign.h */
    bool is_l2;             /* check: the URL is one of SessionFastL2 */
};

int store_check(struct store_call *call);
int store_check_l2(const struct store_call *call); /* of its URL */
int store_export(struct store_call *call); /* JSON lines to standard output */
int store_import(struct store_call *call); /* from standard input, or `folder` */

bool store_may_be_better(enum sf_status status); /* later: what the store answered is an outage */

/* Says what the store said last; EXIT_NO_ANSWER where it may be better later. */
int store_fail(const struct store_call *call, enum sf_status status, const char *doing);
