/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * tiered_case.h - two hosts, one L2, one store: each host has its own sf_store over both.
 */
#include "common/store/l2/store_tiered.h"
#include "tests/support/fake_l2.h"
#include "tests/support/test_records.h"

#define HOSTS 2
#define LOAD_SERVERS 2

/* The store that both hosts write to; it can be made to fail, and counts. */
struct common_store {
    struct sf_store *memory;
    enum sf_status fails_loads, fails_writes; /* SF_OK: does not */
    unsigned loads, rows;                     /* sessions asked for; rows of epochs asked for */
    bool is_cut;                              /* whoever writes is killed, after */
    unsigned rows_left;                       /* so many more rows */
    void (*before_write)(void);               /* NULL: nothing */
    void (*before_load)(void);
    struct sf_key news;                       /* told to whoever follows */
};

struct host {
    struct sf_store *store;
    struct sf_l2 *l2;
};

extern struct common_store common_store;
extern struct host hosts[HOSTS];
extern struct sf_fake_server servers[LOAD_SERVERS];
extern struct sf_stored stored;

void tiered_set_up(void);    /* both attached; what is known of the other host is never older than this very call */
void tiered_tear_down(void);
void tiered_restart(struct host *host, sf_time freshness, sf_time pause);

enum sf_status tiered_put(struct host *host, unsigned number, uint64_t version);
enum sf_status tiered_end(struct host *host, unsigned number, uint64_t version);
enum sf_status tiered_load(struct host *host, unsigned number); /* into `stored` */
struct sf_load tiered_load_whole(struct host *host, unsigned number);  /* the same, and all that is said of it */
uint64_t tiered_count(const struct host *host, enum sf_l2_count which);
uint64_t tiered_version(void);                                  /* of what is in it */
unsigned tiered_server(unsigned number);                        /* that has its key */
struct sf_key tiered_epoch(unsigned server);                    /* its row */
