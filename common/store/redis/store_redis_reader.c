/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_reader.h"

#include <hiredis.h>
#include <stdint.h>
#include <stdlib.h>

#if HIREDIS_MAJOR >= 1
typedef size_t part_count;
#else
typedef int part_count;
#endif

struct bounds {
    redisReplyObjectFunctions functions; /* hiredis' own, but for the arrays */
    void *(*create_array)(const redisReadTask *, part_count);
    uint64_t parts; /* of this reply, so far */
    bool is_exceeded;
};

static int
depth_of(const redisReadTask *task)
{
    int depth = 0;
    for (; task != NULL && depth <= SF_REDIS_DEPTH_MAX; task = task->parent)
        depth++;
    return depth;
}

/* NULL: hiredis takes it for "no memory", and gives up. */
static void *
create_array(const redisReadTask *task, part_count count)
{
    struct bounds *bounds = task->privdata;
    if (task->parent == NULL)
        bounds->parts = 0;
    bounds->is_exceeded = (int64_t)count < 0 || (uint64_t)count > SF_REDIS_PARTS_MAX - bounds->parts
                          || depth_of(task) > SF_REDIS_DEPTH_MAX;
    if (bounds->is_exceeded)
        return NULL;
    bounds->parts += (uint64_t)count;
    return bounds->create_array(task, count);
}

struct redisReader *
sf_redis_reader_new(void)
{
    struct bounds *bounds = calloc(1, sizeof *bounds);
    redisReader *reader = bounds == NULL ? NULL : redisReaderCreate();
    if (reader == NULL) {
        free(bounds);
        return NULL;
    }
    bounds->functions = *reader->fn;
    bounds->create_array = bounds->functions.createArray;
    bounds->functions.createArray = create_array;
    reader->fn = &bounds->functions;
    reader->privdata = bounds;
    return reader;
}

void
sf_redis_reader_free(struct redisReader *reader)
{
    if (reader == NULL)
        return;
    struct bounds *bounds = reader->privdata;
    redisReaderFree(reader); /* which needs them, for half a reply */
    free(bounds);
}

const char *
sf_redis_reader_fault(const struct redisReader *reader)
{
    const struct bounds *bounds = reader->privdata;
    return bounds->is_exceeded ? "a reply of too many parts" : reader->errstr;
}
