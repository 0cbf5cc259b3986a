/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * test_cache.h - a cache in a folder of its own, and short ways to change it. A call that fails
 * ends the test program.
 */
#include "common/cache/l1.h"
#include "tests/support/temp_folder.h"

#define SF_TEST_NOW ((sf_time)1700000000000)

struct sf_test_cache {
    struct sf_temp_folder folder;
    struct sf_instance instance;
    struct sf_l1 *l1; /* attached for reading and writing */
};

void sf_test_cache_init(struct sf_test_cache *cache, uint64_t bytes);
void sf_test_cache_fini(struct sf_test_cache *cache);

/* The files of an instance that lives in `folder`. */
void sf_test_cache_instance(struct sf_instance *instance_out, const char *folder);
struct sf_l1 *sf_test_cache_attach(const struct sf_test_cache *cache);

struct sf_key sf_test_cache_key(uint64_t number); /* spread as real keys are */

/* 30 minutes idle, 12 hours absolute, 10 s grace, one hour for tombstones. */
struct sf_l1_change sf_test_change(const struct sf_ops *ops, sf_time now);

/* Each is one list of operations at SF_TEST_NOW. */
enum sf_status sf_test_create(struct sf_l1 *l1, uint64_t number, const char *name,
                              const char *text);
enum sf_status sf_test_set(struct sf_l1 *l1, uint64_t number, const char *name, const char *text);
enum sf_status sf_test_increment(struct sf_l1 *l1, uint64_t number, const char *name,
                                 uint64_t *version_out);
/* One more in "count"; the session is made, with 0, when it is not there. */
void sf_test_count_up(struct sf_l1 *l1, uint64_t number);
enum sf_status sf_test_end(struct sf_l1 *l1, uint64_t number);
/* ROTATE, or LOGIN when `user` is not NULL. */
enum sf_status sf_test_rotate(struct sf_l1 *l1, uint64_t number, uint64_t new_number,
                              const char *user);

/* Puts a record as if it came from the store. */
enum sf_status sf_test_fill(struct sf_l1 *l1, uint64_t number, uint64_t version, const char *text);

/* The store has "stored" in this version, last used at `last_access`. */
enum sf_status sf_test_confirm(struct sf_l1 *l1, uint64_t number, uint64_t version,
                               sf_time last_access, const struct sf_l1_question *question);

/* The store has what `from` has of it, and so has `to`. */
void sf_test_hand_over(struct sf_l1 *to, struct sf_l1 *from, uint64_t number);

struct sf_test_seen {
    enum sf_status status;
    enum sf_record_kind kind;
    uint64_t version;
    bool is_clean;
    int64_t integer;   /* of the field asked for */
    char text[128];    /* the same, or "" */
};

struct sf_test_seen sf_test_look(struct sf_l1 *l1, uint64_t number, const char *name);

/* Everything dirty becomes clean, as if it had been stored. Returns how many there were. */
size_t sf_test_settle_all(struct sf_l1 *l1);

/* A whole pass of the sweeper. */
size_t sf_test_repair_all(struct sf_l1 *l1, sf_time now);
