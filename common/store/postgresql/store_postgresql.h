/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_postgresql.h - the two halves of the store: store_postgresql.c opens, reads and sweeps,
 * store_postgresql_write.c writes.
 */
#include "common/store/postgresql/store_postgresql_connection.h"
#include "common/store/store.h"

enum sf_postgresql_write {
    SF_POSTGRESQL_LOCK,
    SF_POSTGRESQL_PUT,
    SF_POSTGRESQL_INSERT,
    SF_POSTGRESQL_REPLACE,
    SF_POSTGRESQL_TOUCH,
    SF_POSTGRESQL_NOTIFY,
    SF_POSTGRESQL_SWEEP,
    SF_POSTGRESQL_WRITES /* so many */
};

extern const char *const sf_postgresql_write_sql[SF_POSTGRESQL_WRITES];

/* Sets every status; *error: the last one's that is not a matter of course. */
void sf_postgresql_write(struct sf_postgresql_connection *connection, struct sf_write *writes,
                         size_t count, struct sf_error *error);
