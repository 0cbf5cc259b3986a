/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * secret.h - the server's secrets: the file secret.keys.
 *
 * One secret a line, 64 hex digits; lines that begin with '#' are comments. The first signs, all verify.
 * Mode 0600 (0640 is refused too), owned by the reader or root; made with one fresh secret when absent.
 */
#include <stddef.h>

#include "common/base/status.h"

#define SF_SECRET_BYTES 32
#define SF_SECRETS_MAX 8

struct sf_secrets {
    size_t count; /* 1..SF_SECRETS_MAX once loaded; [0] signs */
    unsigned char keys[SF_SECRETS_MAX][SF_SECRET_BYTES];
};

/*
 * Makes the file when it does not exist (temporary name, fsync, link: two starters agree on one), then reads it.
 * SF_INVALID: others can read it, wrong owner, a symbolic link, a malformed line; the text says which.
 */
enum sf_status sf_secrets_load(struct sf_secrets *secrets_out, const char *path, struct sf_error *error)
    SF_MUST_CHECK;
void sf_secrets_wipe(struct sf_secrets *secrets);

/* Eight hex digits by which people tell whether two hosts have the same secret; they give nothing of it away. */
#define SF_SECRET_NAME 9 /* with the NUL */
void sf_secret_name(const unsigned char key[SF_SECRET_BYTES], char name_out[SF_SECRET_NAME]);
