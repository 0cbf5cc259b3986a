/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * json_plain.h - the JSON file in which an application has kept its sessions itself, by user and id:
 *
 *   {"alice": {"sessions": {"8ab3...": {"expire_time": "2026-01-31T09:30:00.123456",
 *    "created_at": "...", "last_activity": "...", "theme": "dark"}}}}
 *
 * Times are ISO; without an offset they are UTC. What else a session has are its fields, as foreign.h
 * takes them. The ids are those of that application: who comes with one finds his session where
 * SessionFastImportedCookie says so (imported_id.h).
 */
#include <jansson.h>

#include "common/store/store.h"

/* Every member is a user with "sessions"; {} is a file of nobody. */
bool sf_json_plain_is(json_t *root);

/* A status other than SF_OK ends the reading, and is its answer. */
typedef enum sf_status sf_json_plain_visit_fn(void *context, const struct sf_key *key,
                                              const struct sf_stored *stored);

/*
 * Visits each session that is alive; their keys are made with the secret in `state`. *refused_out: how many were no
 * sessions, the last of which `error` explains. SF_INVALID, SF_UNAVAILABLE: the secret cannot be read.
 */
enum sf_status sf_json_plain_read(json_t *root, const char *state, sf_json_plain_visit_fn *visit, void *context,
                                  size_t *refused_out, struct sf_error *error) SF_MUST_CHECK;
