/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * session_id.h - ids that browsers hold, keys that everything else uses.
 *
 * An id is 24 bytes from the kernel and an 8-byte keyed check, base64url: 43 characters. One keyed
 * BLAKE2b over the random bytes gives both the check (its first 8 bytes) and the 128-bit key (the
 * next 16), so a forged id costs one hash and no lookup, and the key tells nothing about the id.
 * Caches, stores, logs and metrics see only the key.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/secret.h"

#define SF_ID_TEXT 43
#define SF_KEY_BYTES 16
#define SF_KEY_TEXT (2 * SF_KEY_BYTES)
#define SF_KEY_LABEL 8

struct sf_key {
    unsigned char bytes[SF_KEY_BYTES];
};

struct sf_session_id {
    char text[SF_ID_TEXT + 1];
    struct sf_key key;
};

/* A new id under the first secret. SF_UNAVAILABLE: no random bytes; never a weaker id. */
enum sf_status sf_session_id_new(struct sf_session_id *id_out,
                                 const struct sf_secrets *secrets) SF_MUST_CHECK;

/* SF_INVALID: not an id of ours. Compares in constant time; tries every secret. */
enum sf_status sf_session_id_parse(struct sf_session_id *id_out, struct sf_span text,
                                   const struct sf_secrets *secrets) SF_MUST_CHECK;

bool sf_key_equal(const struct sf_key *a, const struct sf_key *b); /* constant time */
void sf_key_format(const struct sf_key *key, char text_out[SF_KEY_TEXT + 1]);
enum sf_status sf_key_parse(struct sf_key *key_out, struct sf_span text) SF_MUST_CHECK;
void sf_key_label(const struct sf_key *key, char label_out[SF_KEY_LABEL + 1]); /* for logs */
