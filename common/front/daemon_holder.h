/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * daemon_holder.h - the daemon of an instance, seen from outside: which process it is, who started
 * it, and its end. A number of a process may belong to another one at any time: nothing here sends
 * a signal to a number alone.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "common/base/clock.h"

/* Who holds the instance's lock; 0: nobody. Asks the kernel, not the file. */
pid_t sf_daemon_holder(const char *lock_path);

/*
 * A front started it and is gone: nobody takes care of it. false for that of a front that runs, of
 * systemd, of somebody at a terminal, and where /proc does not say.
 */
bool sf_daemon_is_orphan(pid_t holder);

/*
 * Whoever starts a daemon says with this option when it was itself started, as /proc has it: unlike
 * its number that is the same for all containers, and nobody else's later. false: /proc does not say.
 */
#define SF_DAEMON_STARTED_BY "--started-by"
#define SF_DAEMON_STARTED_BY_TEXT 24
bool sf_daemon_started_by(char text_out[SF_DAEMON_STARTED_BY_TEXT]);

/* A handle that stays with this process; -1: it holds the lock no more, or the kernel has none. */
int sf_daemon_handle(pid_t holder, const char *lock_path);

/* Is it there and our child? One that has ended is reaped. */
bool sf_daemon_is_child(pid_t child);

enum sf_daemon_end { SF_DAEMON_ENDED, SF_DAEMON_KILLED, SF_DAEMON_STAYS };

/*
 * SIGTERM, and SIGCONT for one that somebody has stopped; SIGKILL when it is still there at
 * `deadline` (steady clock). `lock_path` NULL: it is a child of ours that nobody else has reaped.
 */
enum sf_daemon_end sf_daemon_end(pid_t pid, const char *lock_path, sf_time deadline);
