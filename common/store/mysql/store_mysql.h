/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_mysql.h - the two halves of the store: store_mysql.c opens, reads and sweeps,
 * store_mysql_write.c writes.
 */
#include "common/store/mysql/store_mysql_connection.h"
#include "common/store/store.h"

/* Sets every status; *error: the last one's that is not a matter of course. */
void sf_mysql_write(struct sf_mysql_connection *connection, struct sf_write *writes, size_t count,
                    struct sf_error *error);
