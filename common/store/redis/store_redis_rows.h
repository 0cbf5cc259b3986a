/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_redis_rows.h - a session as a HASH, and back.
 *
 * Its fields stand there under their own names, to be read with redis-cli; a name that begins with '@'
 * gets another one in front. What we need beside them has one '@':
 *
 *   @version @last_access @user @ended   what the script looks at; last access as "1673123456.789"
 *   @head                                the record without its fields
 *   @types                               of each field in the order of their names: s, i or b
 *   @checksum                            of the record, bound to key and version
 *
 * On the way back the record is put together again and must have its checksum: a hash that
 * somebody has edited, or the answer to another question, is SF_CORRUPT.
 */
#include "common/store/redis/store_redis_connection.h"
#include "common/store/store.h"

/* Expired sessions are kept for a while, as the sweep of other stores does: some cache may know a later access. */
#define SF_REDIS_MARGIN (2 * SF_MINUTE)

/* Adds the one command that writes it. SF_INVALID: no record. SF_FULL, SF_NO_MEMORY: no room in the pipeline. */
enum sf_status sf_redis_add_write(struct sf_redis_connection *connection,
                                  const struct sf_write *write) SF_MUST_CHECK;

/* CLUSTER: the second command, which enters it into the index of its user; see store_redis_script.h. */
enum sf_status sf_redis_add_entry(struct sf_redis_connection *connection, struct sf_span user,
                                  const struct sf_write *write, bool is_final) SF_MUST_CHECK;

/* Adds the one command that loads it. */
enum sf_status sf_redis_add_load(struct sf_redis_connection *connection, const struct sf_key *key) SF_MUST_CHECK;

/* The reply to that. SF_NOT_FOUND: there is no such key. SF_CORRUPT, SF_NO_MEMORY. */
enum sf_status sf_redis_read_row(struct sf_stored *stored_out, const struct sf_key *key,
                                 const struct redisReply *reply) SF_MUST_CHECK;

/* The index of a user; at most SF_USER_MAX bytes of him. */
#define SF_REDIS_INDEX_TEXT 512
void sf_redis_index_format(const struct sf_redis_server *server, struct sf_span user,
                           char text_out[SF_REDIS_INDEX_TEXT]);

/* Where in a Cluster these keys are. */
unsigned sf_redis_key_slot(const struct sf_redis_server *server, const struct sf_key *key);
unsigned sf_redis_index_slot(const struct sf_redis_server *server, struct sf_span user);
