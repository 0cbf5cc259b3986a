/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * row_json.h - a row as JSON that people and other programs can read and write.
 *
 *   {"user": "alice", "version": 3, "generation": 1, "created": "2026-01-31T09:00:00.000Z",
 *    "last_access": "2026-01-31T09:12:44.120Z", "idle_timeout": 1800, "fields": {"visits": 3,
 *    "theme": "dark", "blob": {"base64": "AP8="}}, "checksum": "0123456789abcdef"}
 *
 * What is zero, empty or false is left out. docs/stores.md has all members. The checksum is that of
 * row_checksum.h: a row that was damaged fails, one without it was edited and is taken as it stands.
 */
#include <jansson.h>

#include "common/store/store.h"

/* NULL: no memory, or no valid record. */
json_t *sf_row_to_json(const struct sf_key *key, struct sf_span record, sf_time last_access) SF_MUST_CHECK;

/* SF_INVALID: something is missing, unknown or out of bounds; SF_CORRUPT: the checksum fails. */
enum sf_status sf_row_from_json(struct sf_stored *stored_out, const struct sf_key *key,
                                json_t *row, struct sf_error *error) SF_MUST_CHECK;

/* "2026-01-31T09:00:00.000Z" */
#define SF_ISO_TIME_TEXT 25
void sf_iso_time_format(sf_time time, char text_out[SF_ISO_TIME_TEXT]);
enum sf_status sf_iso_time_parse(sf_time *time_out, const char *text) SF_MUST_CHECK;
