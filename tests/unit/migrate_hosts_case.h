/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* migrate_hosts_case.h - hosts, each with a daemon of its own, on the stores of migrate_case.h. */
#include "common/store/migrate/migrate_hosts.h"
#include "tests/unit/migrate_case.h"

#define ONE 0
#define OTHER 1
#define NUMBER_OF(host) (100 + (uint64_t)(host)) /* by which the others know it */

void hosts_set_up(void); /* both are open, and nothing else */
void hosts_open(unsigned host); /* once more */
void hosts_begin(unsigned host);
void hosts_verify(void); /* both have copied and compared, and owe nothing; ONE is chosen */
enum sf_migrate_phase hosts_phase(unsigned host);
/* Later than all who write can have overlooked that hosts move, if that has any bounds. */
void hosts_wait(unsigned host);
enum sf_status hosts_finish(unsigned host); /* the same */
void hosts_move_one(void); /* as if there were no other one */
void hosts_step(void); /* a few times each, in turn */

/* Held back until the deadline of the call, which is at once. */
enum sf_status hosts_put(unsigned host, unsigned number, uint64_t version);

/* The row, as it is; and in its place, behind everybody's back. */
struct sf_migrate_hosts hosts_row(enum side side);
void hosts_change_row(enum side side, struct sf_migrate_hosts *hosts);
