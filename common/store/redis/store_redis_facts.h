/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_redis_facts.h - what a Redis server says of itself, judged: is it one to keep sessions in, or copies of them?
 */
#include "common/base/finding.h"
#include "common/store/redis/store_redis_server.h"

/* Texts of the server; NULL: our user may not ask for that, or the server does not know it. */
struct sf_redis_facts {
    const char *info;        /* all of INFO */
    const char *save;        /* of CONFIG GET, as what follows; "": no snapshots are made */
    const char *appendfsync;
    const char *stop_writes; /* stop-writes-on-bgsave-error */
    const char *layout;      /* our mark */
    bool is_cache;           /* it is one of SessionFastL2: what is right for a store is not, and the other way round */
    enum sf_redis_kind kind;
    int64_t replicas_wanted; /* wait= of the URL */
};

void sf_redis_facts_judge(const struct sf_redis_facts *facts, struct sf_findings *findings);

/* The value of "name:value" in INFO; false: none. */
#define SF_REDIS_FACT_TEXT 64
bool sf_redis_fact(const struct sf_redis_facts *facts, const char *name, char value_out[SF_REDIS_FACT_TEXT]);
