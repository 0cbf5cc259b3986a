/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * row_json_words.h - what the writer and the reader of JSON rows must spell alike.
 */
#include <sodium.h>

#include "common/session/record.h"

#define SF_ROW_BASE64 sodium_base64_VARIANT_ORIGINAL
#define SF_ROW_NAME_MARK "base64:" /* before names that JSON cannot hold as they are */

#define SF_ROW_END_REASONS (SF_END_EXPIRED + 1)
extern const char *const sf_row_end_reasons[SF_ROW_END_REASONS]; /* by enum sf_end_reason */
