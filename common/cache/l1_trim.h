/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l1_trim.h - what is left of a session under the id that it had before, when nobody may read it
 * there any more: a tombstone without fields, so that a user who logs in again and again does not
 * fill the cache, and the store, with images of one session.
 */
#include "common/cache/l1_blocks.h"

/* It still has the fields of a session that nobody may read. */
bool sf_l1_needs_trim(const struct sf_l1_image *image, sf_time now);

/*
 * Replaces it by its tombstone: a change like any other, one version up, for the store. SF_CONFLICT:
 * somebody else was first. SF_FULL: no room.
 */
enum sf_status sf_l1_trim(struct sf_l1 *l1, const struct sf_key *key, sf_time now) SF_MUST_CHECK;
