/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * daemon_case.h - what the test programs about daemons share: an instance in a folder of its own,
 * and processes that pass for its daemon.
 */
#include <sys/types.h>

#include "common/config/instance.h"
#include "common/front/daemon_start.h"
#include "tests/support/temp_folder.h"

extern struct sf_temp_folder folder;
extern struct sf_config config;
extern struct sf_instance instance;
extern struct sf_daemon_program program; /* tests/support/daemon_double.h */

void set_up(void);
void tear_down(void); /* ends whoever holds the lock */

/* What the next double does. */
void write_config_file(const char *line);

/* One that holds the lock, before this returns. */
pid_t start_holder(const char *line);

/* The same, started by a process that has ended. */
pid_t start_orphan(const char *line);

bool is_running(pid_t pid); /* a zombie is not */
