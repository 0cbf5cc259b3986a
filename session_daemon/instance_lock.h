/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * instance_lock.h - one daemon for an instance: a record lock on run/daemon.lock.
 *
 * The kernel releases it at death, whatever the cause, and a child of a dead daemon does not keep it (flock
 * and OFD locks would). It is also lost when this process closes any descriptor of the file: nobody else here
 * may open it.
 */
#include "common/config/instance.h"

/*
 * Takes the lock and writes the process id into the file. SF_CONFLICT: another daemon has it, and still had
 * at `deadline` (steady clock). SF_INVALID: the file is a link, not a regular file, or somebody else's. The
 * descriptor stays open until exit.
 */
enum sf_status instance_lock_take(int *fd_out, const struct sf_instance *instance, sf_time deadline,
                                  struct sf_error *error) SF_MUST_CHECK;
