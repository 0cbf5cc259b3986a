/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/event_loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 64

enum sf_status
event_loop_init(struct event_loop *loop)
{
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return loop->epoll_fd < 0 ? SF_UNAVAILABLE : SF_OK;
}

void
event_loop_fini(struct event_loop *loop)
{
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    loop->epoll_fd = -1;
}

enum sf_status
event_loop_add(struct event_loop *loop, int fd, uint32_t events, struct event_source *source)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? SF_OK : SF_UNAVAILABLE;
}

void
event_loop_change(struct event_loop *loop, int fd, uint32_t events, struct event_source *source)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event);
}

void
event_loop_remove(struct event_loop *loop, int fd)
{
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

void
event_loop_run_once(struct event_loop *loop, int timeout)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_AT_ONCE, timeout);
    for (int i = 0; i < count; i++) {
        struct event_source *source = events[i].data.ptr;
        source->handle(source, events[i].events);
    }
}
