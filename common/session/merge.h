/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * merge.h - two copies of one session, changed on two hosts, become one.
 */
#include "common/session/lineage.h"

/*
 * `row`: what the store has, or what a load has made of that and the journal; `ours`: what this host
 * has made of an earlier row. merged_out: the row, and what of ours it does not have yet: fields that we
 * have set since, the differences of our sums, flags, the later access; its base is the row's version,
 * its own version is later than both. Whoever is ended stays so. A row that is older than the one that
 * ours grew from takes nothing back. *is_new_out: false if the row had everything, and is what
 * merged_out holds. SF_CORRUPT: one of the two; SF_FULL: too large together, or too many fields.
 */
enum sf_status sf_record_merge(struct sf_buffer *merged_out, bool *is_new_out, struct sf_span row,
                               struct sf_span ours) SF_MUST_CHECK;
