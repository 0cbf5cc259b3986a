/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_redis_script.h - the one script that changes a session: its HASH, its time to live and its user's
 * index at once, and only if the version says so.
 *
 * KEYS: the session's key. ARGV: "put" or "touch", prefix, the session's 32 hex digits, last access,
 * expiry (ms since 1970, as Redis wants it; "0": never); put only: version, the version that is
 * expected ("0": any smaller one, or none; "none": no session is there), user, "1" if it has ended, and
 * names and values of the other fields.
 *
 * In a Cluster the index may be on another server. There the script leaves it alone, says after a
 * touch whose session it is, and the index has a script of its own, which comes after. KEYS: the index.
 * ARGV: the session's 32 hex digits, expiry; "0": an entry that lasts longer stands, "1": this one counts.
 * Repeating either is harmless, and a change has been written when both have answered.
 */

enum sf_redis_answer { SF_REDIS_MISSING = 0, SF_REDIS_DONE = 1, SF_REDIS_CONFLICT = 2, SF_REDIS_KNOWN = 3 };

#define SF_REDIS_WORDS_TOUCH 5 /* of ARGV */
#define SF_REDIS_WORDS_PUT 9   /* before the fields */

extern const char sf_redis_script[];
extern const char sf_redis_cluster_script[], sf_redis_index_script[];

/*
 * The one of l2_redis.c: changes what is there only if it is still what the caller has seen. KEYS: one. ARGV: its
 * ticket; and what comes in its place, and for how many ms; without these it goes. CONFLICT: something else is there.
 */
extern const char sf_redis_cache_script[];
