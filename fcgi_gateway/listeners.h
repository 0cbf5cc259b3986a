/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * listeners.h - the sockets that web servers connect to: our own, or handed over by systemd or
 * spawn-fcgi.
 */
#include "common/config/config.h"

#define SF_LISTENERS_MAX 16

struct sf_listeners {
    int sockets[SF_LISTENERS_MAX]; /* listening, not blocking */
    char *paths[SF_LISTENERS_MAX]; /* of unix sockets of our own, removed at the end; NULL */
    size_t count;
};

/*
 * All that GatewayListen names. Unix sockets are given to uid and gid; a socket that nobody listens
 * on any more is replaced, one that somebody does is SF_INVALID, as is anything else at its path,
 * or a folder where anybody may write. Changes the umask meanwhile. On failure nothing is open.
 */
enum sf_status sf_listeners_open(struct sf_listeners *listeners_out, const struct sf_config *config,
                                 uid_t uid, gid_t gid, struct sf_error *error) SF_MUST_CHECK;
void sf_listeners_close(struct sf_listeners *listeners);
