/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One hash table in shared memory under one process-shared read-write lock: what is usually written.
 */
#include <pthread.h>
#include <stdlib.h>

#include "bench/targets/plain_worker.h"

#define NONE UINT32_MAX

struct entry {
    struct sf_key key;
    uint32_t next;
    int64_t n;
    unsigned char value[];
};

struct table {
    pthread_rwlock_t lock;
    uint32_t used;
    uint32_t buckets[]; /* then the entries */
};

struct target {
    struct target_plan plan;
    uint32_t bucket_count; /* a power of two */
    size_t entry_bytes, bytes;
    struct table *table;
    unsigned char *entries;
};

static struct entry *
entry_of(const struct target *target, uint32_t at)
{
    return (struct entry *)(void *)(target->entries + at * target->entry_bytes);
}

static uint32_t *
bucket_of(const struct target *target, const struct sf_key *key)
{
    return &target->table->buckets[sf_load_u64(key->bytes) & (target->bucket_count - 1)];
}

static struct entry *
find(const struct target *target, const struct sf_key *key)
{
    uint32_t at = *bucket_of(target, key);

    while (at != NONE && memcmp(entry_of(target, at)->key.bytes, key->bytes, sizeof key->bytes) != 0)
        at = entry_of(target, at)->next;
    return at == NONE ? NULL : entry_of(target, at);
}

static void
init_lock(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attributes;

    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_init(lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
}

static bool
rwlock_open(struct target **target_out, const struct target_plan *plan,
            struct target_failure *failure)
{
    struct target *target = calloc(1, sizeof *target);

    if (target == NULL)
        return target_fail(failure, "no memory");
    target->plan = *plan;
    for (target->bucket_count = 1; target->bucket_count < plan->sessions;)
        target->bucket_count *= 2;
    size_t head = (sizeof(struct table) + target->bucket_count * sizeof(uint32_t) + 63) / 64 * 64;
    target->entry_bytes = (sizeof(struct entry) + plan->bytes + 63) / 64 * 64;
    target->bytes = head + plan->sessions * target->entry_bytes;
    target->table = plain_memory_map(target->bytes);
    if (target->table == NULL) {
        free(target);
        return target_fail(failure, "no shared memory");
    }
    target->entries = (unsigned char *)target->table + head;
    init_lock(&target->table->lock);
    memset(target->table->buckets, 0xff, target->bucket_count * sizeof(uint32_t));
    *target_out = target;
    return true;
}

static void
rwlock_close(struct target *target)
{
    plain_memory_unmap(target->table, target->bytes);
    free(target);
}

static struct target_worker *
rwlock_attach(struct target *target)
{
    return plain_worker_attach(target, target->plan.bytes);
}

static void
insert(struct target *target, const struct sf_key *key, const unsigned char *value)
{
    uint32_t at = target->table->used++, *bucket = bucket_of(target, key);
    struct entry *entry = entry_of(target, at);

    *entry = (struct entry){.key = *key, .next = *bucket};
    memcpy(entry->value, value, target->plan.bytes);
    *bucket = at;
}

static bool
rwlock_fill(struct target_worker *worker, uint32_t first, uint32_t count)
{
    struct table *table = worker->target->table;

    for (uint32_t i = first; i < first + count; i++) {
        struct sf_key key = target_key(i);
        const unsigned char *value = target_values_stamp(&worker->values, i, 1);
        pthread_rwlock_wrlock(&table->lock);
        insert(worker->target, &key, value);
        pthread_rwlock_unlock(&table->lock);
    }
    return true;
}

static enum target_answer
rwlock_read(struct target_worker *worker, uint32_t session, struct target_found *found_out)
{
    struct sf_key key = target_key(session);
    const struct target_values *values = &worker->values;

    pthread_rwlock_rdlock(&worker->target->table->lock);
    const struct entry *entry = find(worker->target, &key);
    if (entry != NULL)
        memcpy(values->found, entry->value, values->bytes);
    pthread_rwlock_unlock(&worker->target->table->lock);
    *found_out = (struct target_found){values->found, values->bytes};
    return entry != NULL ? TARGET_DONE : TARGET_LOST;
}

static enum target_answer
rwlock_write(struct target_worker *worker, uint32_t session, uint64_t version)
{
    struct sf_key key = target_key(session);
    const unsigned char *value = target_values_stamp(&worker->values, session, version);

    pthread_rwlock_wrlock(&worker->target->table->lock);
    struct entry *entry = find(worker->target, &key);
    if (entry != NULL)
        memcpy(entry->value, value, worker->values.bytes);
    pthread_rwlock_unlock(&worker->target->table->lock);
    return entry != NULL ? TARGET_DONE : TARGET_LOST;
}

static enum target_answer
rwlock_change(struct target_worker *worker, uint32_t session)
{
    struct sf_key key = target_key(session);

    pthread_rwlock_wrlock(&worker->target->table->lock);
    struct entry *entry = find(worker->target, &key);
    if (entry != NULL)
        entry->n++;
    pthread_rwlock_unlock(&worker->target->table->lock);
    return entry != NULL ? TARGET_DONE : TARGET_LOST;
}

static enum target_answer
rwlock_field(struct target_worker *worker, uint32_t session, int64_t *n_out)
{
    struct sf_key key = target_key(session);

    pthread_rwlock_rdlock(&worker->target->table->lock);
    const struct entry *entry = find(worker->target, &key);
    if (entry != NULL)
        *n_out = entry->n;
    pthread_rwlock_unlock(&worker->target->table->lock);
    return entry != NULL ? TARGET_DONE : TARGET_LOST;
}

const struct target_ops target_rwlock = {
    .name = "rwlock + hash",
    .what = "a hash table in shared memory under one process-shared pthread_rwlock_t",
    .counts_exactly = true,
    .open = rwlock_open,
    .close = rwlock_close,
    .attach = rwlock_attach,
    .detach = plain_worker_detach,
    .fill = rwlock_fill,
    .read = rwlock_read,
    .write = rwlock_write,
    .change = rwlock_change,
    .field = rwlock_field,
};
