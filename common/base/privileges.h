/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * privileges.h - nothing that serves works as root unless it is told to in so many words.
 */
#include <sys/types.h>

#include "common/base/status.h"

struct sf_privileges {
    const char *user;  /* "NAME", "NAME:GROUP" or NULL, names or numbers */
    const char *said;  /* what an administrator says to ask for it, such as "--user": for errors */
};

/*
 * As root: becomes that user for good; NULL is SF_INVALID, so that nobody runs it as root by accident; "root" is
 * allowed. As somebody else: SF_INVALID unless NULL or that very user. Called before there is a second thread.
 */
enum sf_status sf_privileges_drop(const struct sf_privileges *wanted, struct sf_error *error) SF_MUST_CHECK;

/* Whose files must be: what sf_privileges_drop will make of us, or would. */
enum sf_status sf_privileges_find(const struct sf_privileges *wanted, uid_t *uid_out, gid_t *gid_out,
                                  struct sf_error *error) SF_MUST_CHECK;

/* Whether there are such a user and such a group, whoever we are. */
enum sf_status sf_privileges_check(const struct sf_privileges *wanted, struct sf_error *error) SF_MUST_CHECK;
