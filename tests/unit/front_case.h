/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * front_case.h - what the test programs of the front share: one front in a folder of its own, a daemon that answers
 * as the test says, and short ways to ask the front. Each test begins with set_up or set_up_without_cache.
 */
#include "common/front/front.h"
#include "tests/support/fake_daemon.h"
#include "tests/support/temp_folder.h"

#define NOW ((sf_time)1700000000000)
#define SLACK 400 /* ms that a loaded machine may be late */

extern struct sf_temp_folder folder;
extern struct sf_instance instance;
extern struct sf_config config;
extern struct sf_front *front;
extern struct sf_fake_daemon fake;
extern struct sf_loaded loaded; /* by the last load */
extern struct sf_saved saved;   /* by the last apply */
extern struct sf_ops ops;       /* for the next apply, which empties it */

void set_up(void);
void set_up_without_cache(void);
void tear_down(void);
void make_cache(void);

/* The daemon's part, request by request; sf_fake_daemon_stop(&fake) is the test's. */
#define START(...)                                            \
    static const struct sf_fake_step steps[] = {__VA_ARGS__}; \
    sf_fake_daemon_start(&fake, instance.socket_path, steps, sizeof steps / sizeof steps[0])

/* What the daemon answers to SESSION.LOAD. */
struct sf_buffer make_reply(const struct sf_buffer *record);
bool request_begins(size_t number, const char *text);

enum sf_status load(const struct sf_key *key, sf_time now);
enum sf_status apply(const struct sf_key *key, sf_time now);
void add_set(const char *name, const char *value);
void add(enum sf_op_kind kind, const char *name);

/* A session with color=red in L1. */
struct sf_key make_session(void);
bool field_is(const char *name, const char *value);
