/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * migrate_case.h - two stores that outlive the migration around them, as servers outlive the daemon.
 *
 * What either of them answers can be set; a kill leaves what a killed daemon leaves.
 */
#include <check.h>

#include "common/store/migrate/store_migrate.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_records.h"

#define OLD_URL "memory:old"
#define NEW_URL "memory:new"

enum side { OLD, NEW, SIDES };
enum side_call { SIDE_LOAD, SIDE_WRITE, SIDE_SCAN, SIDE_ATTACH, SIDE_CALLS };

extern struct sf_temp_folder migrate_folder;
extern struct sf_migrate *migrate;     /* open; attached */
extern struct sf_store *migrate_store; /* that one, as a store */
extern uint64_t migrate_host;          /* of the next one that is opened; 0: no other host writes the stores */
extern struct sf_error migrate_warning, migrate_error; /* of the last one that was opened */

void migrate_set_up(void);    /* OLD_URL is the store, and nothing else is asked for */
void migrate_tear_down(void);

/*
 * A second host, or the first one again: another folder, another daemon, the same stores. What is below is about the
 * one that was chosen last.
 */
void migrate_choose(unsigned host);

/* Opens and attaches with these options; the answer of the first that fails. */
enum sf_status migrate_open(const char *store_url, const char *wanted);
void migrate_assert_refused(enum sf_status status, const char *why); /* INVALID, with that in its words */
void migrate_close(void);     /* orderly */
void migrate_kill(void);      /* nothing is written any more */
void migrate_reboot(void);    /* the same, and the machine was another one before */

struct sf_store *migrate_side(enum side side); /* the store itself: for a look, or behind everybody's back */
void migrate_answer(enum side side, enum side_call call, enum sf_status status); /* from now on; SF_OK: its own */
void migrate_restart(enum side side); /* its server, with whatever data it has then */
void migrate_back_up(enum side side); /* once */
void migrate_go_back(enum side side); /* to that, as a failover does */
extern uint64_t migrate_former, migrate_now; /* what was told of the last exchange */
unsigned migrate_calls(enum side side, enum side_call call); /* since the last look */

sf_time migrate_patience(enum side side, enum side_call call); /* that the last one was given */
/* Once, within the next such call, in a thread of its own. */
void migrate_during(enum side side, enum side_call call, enum sf_status (*run)(void));

/* To `store`, which may be a side. */
enum sf_status migrate_put(struct sf_store *store, unsigned number, uint64_t version);
enum sf_status migrate_end(struct sf_store *store, unsigned number, uint64_t version); /* logged out */
void migrate_fill(unsigned count); /* so many sessions of version 1, from 0 on, by the migration */
uint64_t migrate_version(struct sf_store *store, unsigned number); /* 0: it says that there is none */
unsigned migrate_count(struct sf_store *store); /* its rows */
void migrate_assert_both(unsigned number, uint64_t version); /* both sides have it */
enum sf_status migrate_load(unsigned number); /* by the migration */

void migrate_begin(int percent); /* asserts that it has begun */
void migrate_step(unsigned steps);
void migrate_pass_time(sf_time time); /* for the steps */
void migrate_work_off(void);       /* until nothing is to do; asserts that it comes to that */
void migrate_verify(int percent); /* begins, and goes on until it is verified */
struct sf_migrate_report migrate_look(void);
