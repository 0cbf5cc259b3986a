/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * pattern.h - values that can be verified: each says whose it is and which version, and every 64
 * bytes of it carry a checksum of both.
 *
 * Two halves of different versions, a value of another session, a value cut short: all are seen by
 * sf_pattern_check, which looks at one word of each cache line. Other damaged bytes are seen by
 * sf_pattern_check_whole, which looks at every word and costs several times more.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SF_PATTERN_BYTES_MIN 64

/* `bytes` from SF_PATTERN_BYTES_MIN on. */
void sf_pattern_make(void *value_out, size_t bytes, uint64_t id, uint64_t version);

/* Makes another id's or version's value of one that sf_pattern_make has made. */
void sf_pattern_restamp(void *value, size_t bytes, uint64_t id, uint64_t version);

/* false: not a value of `id`, of no version at all, or of several. */
bool sf_pattern_check(const void *value, size_t bytes, uint64_t id, uint64_t *version_out);
bool sf_pattern_check_whole(const void *value, size_t bytes, uint64_t id, uint64_t *version_out);
