/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * row_checksum.h - binds a record on disk to its key and version: a row that was changed, or whose
 * parts belong to different sessions, fails.
 */
#include "common/base/bytes.h"
#include "common/identity/session_id.h"

uint64_t sf_row_checksum(const struct sf_key *key, uint64_t version, struct sf_span record);
