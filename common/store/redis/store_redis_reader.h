/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_redis_reader.h - hiredis' reader of replies, with bounds for what a few bytes can ask for.
 *
 * The head of an array says how many parts will come, and hiredis makes room for all of them at once, array in array: a
 * server that is none of ours could have gigabytes made ready with a line, or more arrays inside each other than
 * there is stack to free them.
 */
#include <stdbool.h>

struct redisReader;

#define SF_REDIS_PARTS_MAX (2u << 20) /* of one reply; more than one of 64 MiB has with names of ours in it */
#define SF_REDIS_DEPTH_MAX 8          /* arrays in each other */

/* NULL: no memory. Made and freed here only. */
struct redisReader *sf_redis_reader_new(void);
void sf_redis_reader_free(struct redisReader *reader); /* NULL is fine */

/* Why it gives no reply any more. */
const char *sf_redis_reader_fault(const struct redisReader *reader);
