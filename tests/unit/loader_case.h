/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * loader_case.h - what the test programs of the loader share: a daemon without a thread and without a client. The tests
 * themselves run what the loader has queued and finish it, so that whatever can happen in between does.
 */
#include "session_daemon/daemon.h"
#include "session_daemon/loader.h"
#include "tests/support/test_cache.h"

extern struct sf_test_cache cache;
extern struct daemon daemon_;
extern struct connection first, second;
extern enum sf_status answers[2]; /* to each of them; SF_INVALID: none yet */
extern uint64_t versions[2];      /* of what they got */
extern bool is_in_cache;          /* what the last one got */
extern const struct sf_key *held_by_first; /* as soon as it is resumed; then NULL */
extern int writer_retries, writer_urges;

void set_up(void); /* with an empty store in memory */
void tear_down(void);

void reopen_store(const char *url);
void restart_store(void); /* as if its server had been */
void store(const struct sf_key *key, uint64_t version, const char *text);

void create_now(const struct sf_key *key); /* one that has not expired by now */
struct sf_key fill_stale(void);
void wait_until_older_than_the_ttl(void);

struct task *run_next(void);
void finish_next(void); /* the same, to its end */
void load_once(const struct sf_key *key);
bool is_idle(void);

bool is_trusted(uint64_t number); /* under a lease; of what was there before it there is nothing left that counts */
uint64_t counted(enum sf_counter counter);
