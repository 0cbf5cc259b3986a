/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * merge_case.h - what the tests of merges share: some hosts with a copy of one session each, the store's row, and
 * what the daemon of each host does with both.
 */
#include "common/session/merge.h"
#include "common/session/ops.h"

#define HOSTS 3

/* A host and its copy of the one session there is, and what its journal has. */
struct host {
    uint64_t id;
    struct sf_buffer record;
    bool is_clean, is_journalled; /* as the cache says of it */
    struct sf_buffer journal;     /* empty: it has nothing that the store may not have */
};

extern struct host hosts[HOSTS];
extern struct sf_buffer row; /* the store's */

void set_up(void); /* all have the session, and the store as well */
void tear_down(void);

struct sf_buffer new_buffer(void);
void copy(struct sf_buffer *to, const struct sf_buffer *from);
struct sf_record_head head_of(const struct sf_buffer *record);
const char *look(const struct sf_buffer *record, const char *name); /* "-": no such field */

/* Changes of the host's own copy. */
void apply(struct host *host, struct sf_ops *ops);
void increment(struct host *host, const char *name, int64_t delta);
void set(struct host *host, const char *name, const char *text);
void change(struct host *host, enum sf_op_kind kind, const char *name);
void do_op(struct host *host, enum sf_op_kind kind);

/* What the store is given of `taken`: as the writer does it; and the host's journal forgets what is no later. */
void write_to_store(const struct sf_buffer *taken);
void write_of(struct host *host, const struct sf_buffer *taken);
void hear(struct host *host);    /* another host has told of a change */
void refresh(struct host *host); /* the row has come: the copy is that, and what the host has made beside */
void store(struct host *host);
void spill(struct host *host);   /* what the store does not have goes to the journal */
void forget(struct host *host, uint64_t next_id, bool is_store_up); /* and then the cache is lost, or its place in it */
void drain(struct host *host);
void restore(struct host *host); /* as it is after a restart of the store: what is clean is merged, too */
