/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * writer_case.h - what the test programs of the batch writer share: one writer between a cache and a store, a clock
 * that is moved by hand, and short ways to change sessions and to look at what the store has. Each test begins with
 * set_up and opens the writer itself.
 */
#include "common/writeback/batch_writer.h"
#include "tests/support/kept_lines.h"
#include "tests/support/test_cache.h"

#define DELAY ((sf_time)5000)

extern struct sf_test_cache cache;
extern struct sf_store *store;
extern struct sf_batch_writer *writer;
extern struct sf_batch_writer_state state; /* after the last step */
extern sf_time now;                        /* steady */
extern struct sf_kept_lines kept;

void set_up(void);
void tear_down(void);

/* `batch_max` 0: the writer's own limit. */
void open_writer(const char *url, size_t batch_max);
/* A writer whose first look, which a predecessor's leftovers are for, is behind it. */
void open_quiet_writer(const char *url);
/* Quiet too; its store refuses this session. */
void open_writer_refusing(unsigned number);

void step(void);
void step_after(sf_time pause);

/* The session counts one up. */
void change(unsigned number);

/* Version of the record that the store has; 0: none. */
uint64_t stored_version(unsigned number);
sf_time stored_access(unsigned number);
