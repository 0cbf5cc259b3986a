/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * test_records.h - keys, records and writes for tests of stores and of what fills them.
 */
#include "common/session/record.h"
#include "common/store/store.h"

struct sf_key sf_test_key(unsigned number); /* rising with the number */

/* A record with one field "value"; `user` NULL: anonymous. sf_buffer_fini is the caller's. */
struct sf_buffer sf_test_record(uint64_t version, const char *user, struct sf_span value);

/* Logged out; may be forgotten at `until`. */
struct sf_buffer sf_test_tombstone(uint64_t version, sf_time until);

struct sf_write sf_test_put(unsigned number, uint64_t version, const struct sf_buffer *record);
struct sf_write sf_test_touch(unsigned number, sf_time last_access, sf_time expires);
