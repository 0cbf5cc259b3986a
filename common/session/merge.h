/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * merge.h - two copies of one session, changed on two hosts, become one.
 */
#include "common/session/lineage.h"

/*
 * `row`: what the store has; `ours`: what this host has made of an earlier row. merged_out: the row, and
 * what of ours it does not have yet: fields that we have set since, the differences of our sums, flags,
 * the later access; its base is the row's version, its own version is later than both. Whoever is ended
 * stays so, in a version later than both, too. A row that is older than the one that ours grew from takes
 * nothing back. *is_new_out: false if the row had everything, and is what merged_out holds. SF_CORRUPT:
 * one of the two; SF_FULL: too large together, or too many fields.
 */
enum sf_status sf_record_merge(struct sf_buffer *merged_out, bool *is_new_out, struct sf_span row,
                               struct sf_span ours) SF_MUST_CHECK;

/*
 * The same where a load has made `loaded` of the store's row and of what the journal of this host has: the result grew
 * from that row, as that did.
 */
enum sf_status sf_record_merge_journalled(struct sf_buffer *merged_out, bool *is_new_out, struct sf_span loaded,
                                          struct sf_span ours) SF_MUST_CHECK;
