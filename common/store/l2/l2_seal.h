/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l2_seal.h - a session as bytes that nobody who can write to a shared cache can read, forge or put elsewhere.
 *
 * XChaCha20-Poly1305 under a key that is derived from each secret of secret.keys: the first seals, all open. The
 * session's key, the epoch (l2_epochs.h) and the time are bound in: the value of another session does not open, one of
 * another epoch is told apart before it is opened, and one that was put back later than it could have stayed there by
 * itself is not used. Within that time whoever can write there can put back what was there in the same epoch.
 */
#include "common/base/secret.h"
#include "common/store/store.h"

struct sf_l2_seal {
    size_t count;
    uint32_t ids[SF_SECRETS_MAX]; /* in a value: which of them has sealed it */
    unsigned char keys[SF_SECRETS_MAX][SF_SECRET_BYTES];
};

/* What a value is made under, and what it is looked at under. */
struct sf_l2_moment {
    uint64_t epoch;
    sf_time wall;
};

#define SF_L2_SKEW SF_MINUTE /* clocks of hosts are that far apart at most, or they find less */

void sf_l2_seal_init(struct sf_l2_seal *seal_out, const struct sf_secrets *secrets);
void sf_l2_seal_fini(struct sf_l2_seal *seal); /* wipes it */

/* Replaces what value_out holds. SF_FULL, SF_NO_MEMORY; SF_UNAVAILABLE: no random bytes. */
enum sf_status sf_l2_seal(struct sf_buffer *value_out, const struct sf_l2_seal *seal, const struct sf_key *key,
                          const struct sf_l2_moment *moment, struct sf_span record,
                          sf_time last_access) SF_MUST_CHECK;

/* Of what was sealed so, without opening it; 0: it is nothing of ours. */
uint64_t sf_l2_sealed_epoch(struct sf_span value);

/*
 * Replaces what stored_out holds. SF_NOT_FOUND: of another epoch, sealed with a secret that is not known here, older
 * than `ttl`, or later than now. SF_CORRUPT: damaged, forged, or another session's. SF_NO_MEMORY.
 */
enum sf_status sf_l2_open_value(struct sf_stored *stored_out, const struct sf_l2_seal *seal, const struct sf_key *key,
                                const struct sf_l2_moment *moment, sf_time ttl, struct sf_span value) SF_MUST_CHECK;
