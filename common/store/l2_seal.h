/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l2_seal.h - a session as bytes that nobody who can write to a shared cache can read, forge or put elsewhere.
 *
 * XChaCha20-Poly1305 under a key that is derived from each secret of secret.keys: the first seals, all open. The
 * session's key and the epoch (l2_epochs.h) are bound in: the value of another session does not open, and
 * one of another epoch is told apart before it is opened.
 */
#include "common/base/secret.h"
#include "common/store/store.h"

struct sf_l2_seal {
    size_t count;
    uint32_t ids[SF_SECRETS_MAX]; /* in a value: which of them has sealed it */
    unsigned char keys[SF_SECRETS_MAX][SF_SECRET_BYTES];
};

void sf_l2_seal_init(struct sf_l2_seal *seal_out, const struct sf_secrets *secrets);
void sf_l2_seal_fini(struct sf_l2_seal *seal); /* wipes it */

/* Replaces what value_out holds. SF_FULL, SF_NO_MEMORY; SF_UNAVAILABLE: no random bytes. */
enum sf_status sf_l2_seal(struct sf_buffer *value_out, const struct sf_l2_seal *seal, const struct sf_key *key,
                          uint64_t epoch, struct sf_span record, sf_time last_access) SF_MUST_CHECK;

/* Of what was sealed so, without opening it; 0: it is nothing of ours. */
uint64_t sf_l2_sealed_epoch(struct sf_span value);

/*
 * Replaces what stored_out holds. SF_NOT_FOUND: of another epoch, or sealed with a secret that is not known here.
 * SF_CORRUPT: damaged, forged, or another session's. SF_NO_MEMORY.
 */
enum sf_status sf_l2_open_value(struct sf_stored *stored_out, const struct sf_l2_seal *seal, const struct sf_key *key,
                                uint64_t epoch, struct sf_span value) SF_MUST_CHECK;
