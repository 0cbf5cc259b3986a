/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * listener.h - the socket that clients connect to, and who is let in.
 */
#include "common/base/log.h"
#include "session_daemon/event_loop.h"

#define SERVER_CONNECTIONS_MAX 4096

struct daemon;

struct listener {
    struct event_source source; /* first member */
    struct daemon *daemon;
    int fd;                     /* -1: not accepting */
    sf_time paused_until;       /* steady clock; 0: not paused */
    sf_time stranger_at;        /* steady clock; when one was last logged */
    struct sf_log_state room;   /* is there room for clients, as the log knows it */
};

/*
 * Makes the socket, mode 0660, in place of one that a dead daemon left: only with the instance lock held, and
 * before there are threads (umask is the whole process's).
 */
enum sf_status listener_open(struct listener *listener, struct daemon *daemon, struct sf_error *error) SF_MUST_CHECK;
void listener_close(struct listener *listener);

/* Accepts again after a pause for want of descriptors. */
void listener_tick(struct listener *listener, sf_time now);
