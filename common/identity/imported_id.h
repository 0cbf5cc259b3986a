/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * imported_id.h - ids that another system has made, for sessions that were imported from it.
 *
 * They carry no check of ours: a forged one costs a lookup, and guessing one is as hard as that
 * system made it. So they count only where SessionFastImportedCookie says so. Their keys are keyed
 * hashes, too, and never those of an id of ours.
 */
#include "common/identity/session_id.h"

#define SF_IMPORTED_ID_MIN 16 /* bytes: PHP's shortest have 22 */
#define SF_IMPORTED_ID_MAX 256

/*
 * The id in the value of a cookie: connect's "s:ID.SIGNATURE" (the signature is not looked at),
 * Spring's base64 of a UUID, and anything else as it stands. `scratch` may be what *id_out points
 * into. SF_INVALID: no id, or one of another length.
 */
enum sf_status sf_imported_id_read(struct sf_span *id_out, char scratch[SF_IMPORTED_ID_MAX],
                                   struct sf_span value) SF_MUST_CHECK;

/* Under the secret secrets->keys[which]. */
void sf_imported_id_key(struct sf_key *key_out, struct sf_span id, const struct sf_secrets *secrets,
                        size_t which);
