/* SPDX-License-Identifier: Apache-2.0 */
/* LMDB without syncing: readers without locks, one writer at a time; a memory-mapped B+ tree. */
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/targets/targets.h"

#define FILL_BATCH 1000
#define FLAGS (MDB_NOSYNC | MDB_NOTLS | MDB_NOMEMINIT)

struct stored {
    int64_t n;
    unsigned char value[];
};

/* LMDB forbids a process to open it twice: threads share what the first of them has opened. */
struct target {
    struct target_plan plan;
    pthread_mutex_t opening;
    pid_t process; /* whose env this is */
    unsigned users;
    MDB_env *env;
    MDB_dbi table;
};

struct target_worker {
    struct target *target;
    MDB_env *env; /* the target's */
    MDB_dbi table;
    MDB_txn *reader; /* reset between reads */
    struct target_values values;
    struct stored *stored;
    size_t stored_bytes;
};

static bool
lmdb_open(struct target **target_out, const struct target_plan *plan, struct target_failure *failure)
{
    struct target *target = calloc(1, sizeof *target);

    if (target == NULL)
        return target_fail(failure, "no memory");
    target->plan = *plan;
    pthread_mutex_init(&target->opening, NULL);
    *target_out = target;
    return true;
}

static void
lmdb_close(struct target *target)
{
    pthread_mutex_destroy(&target->opening);
    free(target);
}

static void
leave(struct target *target)
{
    pthread_mutex_lock(&target->opening);
    if (--target->users == 0)
        mdb_env_close(target->env);
    pthread_mutex_unlock(&target->opening);
}

static void
lmdb_detach(struct target_worker *worker)
{
    if (worker->reader != NULL)
        mdb_txn_abort(worker->reader);
    if (worker->env != NULL)
        leave(worker->target);
    target_values_fini(&worker->values);
    free(worker->stored);
    free(worker);
}

static bool
open_env(struct target *target)
{
    const struct target_plan *plan = &target->plan;
    size_t map_bytes = (size_t)plan->sessions * (plan->bytes + 512) * 4 + (256u << 20);
    MDB_txn *txn;

    if (mdb_env_create(&target->env) != 0)
        return false;
    if (mdb_env_set_mapsize(target->env, map_bytes) == 0 &&
        mdb_env_set_maxreaders(target->env, 4096) == 0 &&
        mdb_env_open(target->env, plan->memory, FLAGS, 0600) == 0 &&
        mdb_txn_begin(target->env, NULL, 0, &txn) == 0) {
        if (mdb_dbi_open(txn, NULL, MDB_CREATE, &target->table) == 0)
            return mdb_txn_commit(txn) == 0;
        mdb_txn_abort(txn);
    }
    mdb_env_close(target->env);
    return false;
}

static bool
join(struct target_worker *worker)
{
    struct target *target = worker->target;
    bool is_open = true;

    pthread_mutex_lock(&target->opening);
    if (target->process != getpid()) {
        target->process = getpid();
        target->users = 0;
    }
    if (target->users == 0)
        is_open = open_env(target);
    target->users += is_open;
    pthread_mutex_unlock(&target->opening);
    if (!is_open)
        return false;
    worker->env = target->env;
    worker->table = target->table;
    if (mdb_txn_begin(worker->env, NULL, MDB_RDONLY, &worker->reader) != 0)
        return false;
    mdb_txn_reset(worker->reader);
    return true;
}

static struct target_worker *
lmdb_attach(struct target *target)
{
    struct target_worker *worker = calloc(1, sizeof *worker);

    if (worker == NULL)
        return NULL;
    worker->target = target;
    worker->stored_bytes = sizeof *worker->stored + target->plan.bytes;
    worker->stored = calloc(1, worker->stored_bytes);
    if (target_values_init(&worker->values, target->plan.bytes) && worker->stored != NULL &&
        join(worker))
        return worker;
    lmdb_detach(worker);
    return NULL;
}

static int
put(struct target_worker *worker, MDB_txn *txn, uint32_t session)
{
    struct sf_key key = target_key(session);
    MDB_val name = {sizeof key.bytes, key.bytes};
    MDB_val stored = {worker->stored_bytes, worker->stored};

    return mdb_put(txn, worker->table, &name, &stored, 0);
}

/* Fetches into worker->stored. */
static int
get(struct target_worker *worker, MDB_txn *txn, uint32_t session)
{
    struct sf_key key = target_key(session);
    MDB_val name = {sizeof key.bytes, key.bytes}, found;
    int failure = mdb_get(txn, worker->table, &name, &found);

    if (failure == 0 && found.mv_size == worker->stored_bytes)
        memcpy(worker->stored, found.mv_data, found.mv_size);
    return failure;
}

static bool
fill_batch(struct target_worker *worker, uint32_t first, uint32_t count)
{
    MDB_txn *txn;
    int failure = mdb_txn_begin(worker->env, NULL, 0, &txn);

    if (failure != 0)
        return false;
    worker->stored->n = 0;
    for (uint32_t i = first; i < first + count && failure == 0; i++) {
        memcpy(worker->stored->value, target_values_stamp(&worker->values, i, 1),
               worker->values.bytes);
        failure = put(worker, txn, i);
    }
    return mdb_txn_commit(txn) == 0 && failure == 0;
}

static bool
lmdb_fill(struct target_worker *worker, uint32_t first, uint32_t count)
{
    for (uint32_t done = 0; done < count; done += FILL_BATCH) {
        uint32_t batch = count - done < FILL_BATCH ? count - done : FILL_BATCH;
        if (!fill_batch(worker, first + done, batch))
            return false;
    }
    return true;
}

static enum target_answer
lmdb_read(struct target_worker *worker, uint32_t session, struct target_found *found_out)
{
    if (mdb_txn_renew(worker->reader) != 0)
        return TARGET_WRONG;
    int failure = get(worker, worker->reader, session);
    mdb_txn_reset(worker->reader);
    *found_out = (struct target_found){worker->stored->value, worker->values.bytes};
    return failure == 0 ? TARGET_DONE : TARGET_WRONG;
}

/* One transaction: read, change, write. `version` 0: the counter, else the value. */
static enum target_answer
rewrite(struct target_worker *worker, uint32_t session, uint64_t version)
{
    MDB_txn *txn;

    if (mdb_txn_begin(worker->env, NULL, 0, &txn) != 0)
        return TARGET_WRONG;
    int failure = get(worker, txn, session);
    if (version == 0)
        worker->stored->n++;
    else
        memcpy(worker->stored->value, target_values_stamp(&worker->values, session, version),
               worker->values.bytes);
    if (failure == 0)
        failure = put(worker, txn, session);
    return mdb_txn_commit(txn) == 0 && failure == 0 ? TARGET_DONE : TARGET_WRONG;
}

static enum target_answer
lmdb_write(struct target_worker *worker, uint32_t session, uint64_t version)
{
    return rewrite(worker, session, version);
}

static enum target_answer
lmdb_change(struct target_worker *worker, uint32_t session)
{
    return rewrite(worker, session, 0);
}

static enum target_answer
lmdb_field(struct target_worker *worker, uint32_t session, int64_t *n_out)
{
    struct target_found found;
    enum target_answer answer = lmdb_read(worker, session, &found);

    *n_out = worker->stored->n;
    return answer;
}

const struct target_ops target_lmdb = {
    .name = "LMDB",
    .what = "LMDB without syncing, in memory",
    .counts_exactly = true,
    .open = lmdb_open,
    .close = lmdb_close,
    .attach = lmdb_attach,
    .detach = lmdb_detach,
    .fill = lmdb_fill,
    .read = lmdb_read,
    .write = lmdb_write,
    .change = lmdb_change,
    .field = lmdb_field,
};
