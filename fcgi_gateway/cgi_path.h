/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * cgi_path.h - which program a URL names, below a folder and nowhere else.
 */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/base/status.h"

struct sf_cgi_path {
    int folder;              /* that the program lies in, open; -1: none */
    char name[NAME_MAX + 1]; /* in it */
    size_t used; /* bytes of what was looked for that name the program; PATH_INFO is behind them */
};

/*
 * Goes down from `directory` part by part: "/a/b.cgi/more" is the program b.cgi in a, and "/more"
 * is left. SF_NOT_FOUND: there is none. SF_INVALID: there is something, but it must not be run: "."
 * and "..", no regular file, not executable, a folder that may not be entered, or a symbolic link
 * unless those are followed; the text says which.
 */
enum sf_status sf_cgi_path_find(struct sf_cgi_path *path_out, const char *directory,
                                const char *below, bool follows_links,
                                struct sf_error *error) SF_MUST_CHECK;

/* One program, wherever its path leads; `used` is 0. */
enum sf_status sf_cgi_path_open(struct sf_cgi_path *path_out, const char *program,
                                struct sf_error *error) SF_MUST_CHECK;

void sf_cgi_path_close(struct sf_cgi_path *path);
