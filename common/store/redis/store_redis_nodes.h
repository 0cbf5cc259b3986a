/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_redis_nodes.h - which masters a Cluster has, as one of its nodes says: CLUSTER NODES.
 *
 * With those that have no slots yet: they may be given some, and are written to before CLUSTER SLOTS names them.
 */
#include "common/base/bytes.h"
#include "common/store/redis/store_redis_map.h"

#define SF_REDIS_ID_TEXT 41

struct sf_redis_nodes {
    struct {
        char id[SF_REDIS_ID_TEXT];
        struct sf_redis_place place;
    } list[SF_REDIS_NODES_MAX];
    size_t count;
};

/*
 * Adds those that are not there yet. `asked`: who has said this, for a node that does not know its own address. Names
 * that nodes announce are taken where there is TLS, for certificates have them. Masters that have failed and whose
 * slots somebody else has taken are none. SF_INVALID: this is no such answer, or there are too many.
 */
enum sf_status sf_redis_nodes_read(struct sf_redis_nodes *nodes, struct sf_span text, bool is_tls,
                                   const struct sf_redis_place *asked) SF_MUST_CHECK;
