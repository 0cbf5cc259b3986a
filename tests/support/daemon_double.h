/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * daemon_double.h - a test program that is run as session-fastd, and does what the file behind
 * --config says:
 *
 *   serve       holds the lock of the instance in the folder of the file, answers PING, leaves at
 *               SIGTERM; leaves at once when the lock is held
 *   deaf        holds the lock, answers nothing, ignores SIGTERM
 *   die         ends at once, with status 3
 *   anything    prints it and ends with status 1; before --check-config too
 */

/* Where such programs are found by exec: this one. */
#define SF_DAEMON_DOUBLE "/proc/self/exe"

/* The name of a variable: does what its value says, whatever stands in the file. */
#define SF_DAEMON_DOUBLE_ALWAYS "SF_DAEMON_DOUBLE_ALWAYS"

/* First thing in main. Returns when the program is run as itself. */
void sf_daemon_double(int argc, char **argv);
