/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * event_loop.h - epoll, and who handles what has happened.
 */
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/status.h"

struct event_source;
typedef void event_handle_fn(struct event_source *source, uint32_t events);

/* First member of whatever has a descriptor. */
struct event_source {
    event_handle_fn *handle;
};

struct event_loop {
    int epoll_fd;
};

enum sf_status event_loop_init(struct event_loop *loop) SF_MUST_CHECK;
void event_loop_fini(struct event_loop *loop);

enum sf_status event_loop_add(struct event_loop *loop, int fd, uint32_t events, struct event_source *source)
    SF_MUST_CHECK;
void event_loop_change(struct event_loop *loop, int fd, uint32_t events, struct event_source *source);
void event_loop_remove(struct event_loop *loop, int fd);

/* Waits at most `timeout` ms (-1: for ever), then handles what has happened. */
void event_loop_run_once(struct event_loop *loop, int timeout);
