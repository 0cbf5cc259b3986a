/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * fake_l2.h - L2 without a server: memory that several "hosts" share, each of which can be cut off.
 */
#include "common/store/l2/l2.h"

#define SF_FAKE_ENTRIES 2048

struct sf_fake_entry {
    struct sf_key key;
    uint64_t cas;
    unsigned char *bytes;
    size_t size; /* 0: a lease */
};

/* One server. All zero to begin with; large: not on a stack. */
struct sf_fake_server {
    pthread_mutex_t lock; /* both lanes of all hosts come here */
    struct sf_fake_entry entries[SF_FAKE_ENTRIES];
    size_t count;
    uint64_t cas;
    unsigned calls[4]; /* enum sf_l2_call; pipelines that arrived */
};

void sf_fake_server_fini(struct sf_fake_server *server); /* empty again, as after a restart */
void sf_fake_server_copy(struct sf_fake_server *to, const struct sf_fake_server *from); /* `to` is empty */
struct sf_fake_entry *sf_fake_find(struct sf_fake_server *server, const struct sf_key *key); /* NULL: nothing there */

/* A host's view of so many servers; they live longer. sf_l2_close frees it. */
struct sf_l2 *sf_fake_l2_new(struct sf_fake_server *servers, size_t count);
void sf_fake_l2_cut(struct sf_l2 *l2, unsigned server, bool is_cut); /* this host does not reach it */
void sf_fake_l2_meet(struct sf_l2 *l2, unsigned count); /* nobody answers until so many are asked at the same time */
void sf_fake_l2_silence(struct sf_l2 *l2, unsigned server); /* it answers nothing any more */
void sf_fake_l2_relink(struct sf_l2 *l2, unsigned server);           /* its connections broke, and are there again */
