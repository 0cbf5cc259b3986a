/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * lineage_keep.h - the lineage (lineage.h) of a record that is changed here.
 */
#include "common/session/lineage.h"
#include "common/session/ops.h"

/*
 * Of `after`, which ops->host has made of `before` by these ops, into `bytes`. The end of a session always
 * has room for it. SF_FULL, SF_NO_MEMORY.
 */
enum sf_status sf_lineage_of_change(struct sf_buffer *bytes, const struct sf_session *before,
                                    const struct sf_session *after, const struct sf_ops *ops,
                                    const struct sf_ops_outcome *outcome) SF_MUST_CHECK;

/*
 * The same for what the cache itself makes of a session that is over: `session` is about to become
 * `version`, and its lineage lies in `bytes` from now on. host 0: it has none.
 */
enum sf_status sf_lineage_of_end(struct sf_buffer *bytes, struct sf_session *session, uint64_t host,
                                 uint64_t version) SF_MUST_CHECK;
