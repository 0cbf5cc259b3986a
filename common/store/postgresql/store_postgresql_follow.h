/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_postgresql_follow.h - news from PostgreSQL: LISTEN, on a connection of its own.
 *
 * Whoever writes says so in the same transaction (store_postgresql_write.c), on a channel that has the number of
 * the schema in its name: session_fast_2200. A notice is "ORIGIN KEY VERSION KEY VERSION..."; the
 * origin is a random number of the store that has written, which so knows its own.
 */
#include "common/store/postgresql/store_postgresql_connection.h"
#include "common/store/store.h"

#define SF_POSTGRESQL_CHANNEL_SQL                                                                  \
    "'session_fast_' || (SELECT relnamespace FROM pg_class"                                        \
    " WHERE oid = to_regclass('session_fast_session'))"
#define SF_POSTGRESQL_CHANNEL_TEXT 32

/* Used by one thread. */
struct sf_postgresql_follower {
    struct sf_postgresql_connection link;
    char channel[SF_POSTGRESQL_CHANNEL_TEXT];
    unsigned connects; /* database->connects when this link was made */
    sf_time beat_at;   /* steady clock: the next sign of life is asked for */
};

void sf_postgresql_follower_init(struct sf_postgresql_follower *follower,
                                 struct sf_postgresql_database *database);

/* As sf_store_follow_fn. SF_INVALID: behind a pooler. */
enum sf_status sf_postgresql_follow(struct sf_postgresql_follower *follower, sf_time until,
                                    struct sf_follow *follow) SF_MUST_CHECK;
