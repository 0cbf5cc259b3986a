/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_trim.h"

#include "common/cache/l1_commit.h"
#include "common/session/life.h"
#include "common/session/lineage_keep.h"

#define CLOCK_SKEW SF_SECOND /* a reader's clock may be a little behind the sweeper's */

bool
sf_l1_needs_trim(const struct sf_l1_image *image, sf_time now)
{
    return image->brief.kind == SF_RECORD_ENDED && image->brief.grace_until != 0 &&
           image->brief.grace_until + CLOCK_SKEW <= now;
}

static enum sf_status
encode_tombstone(struct sf_buffer *tombstone_out, const struct sf_l1 *l1,
                 const struct sf_l1_found *found, struct sf_span former, sf_time now)
{
    struct sf_session session;
    struct sf_buffer lineage;

    sf_session_init(&session);
    sf_buffer_init(&lineage, SF_LINEAGE_BYTES_MAX);
    enum sf_status status = sf_session_decode(&session, former);
    session.is_stored = sf_l1_control_is_stored(found->control);
    if (status == SF_OK)
        status = sf_lineage_of_end(&lineage, &session, sf_l1_host(l1), session.head.version + 1);
    if (status == SF_OK) {
        sf_session_end(&session, session.head.end_reason, now,
                       session.head.absolute_deadline - now);
        session.head.version++;
        status = sf_session_encode(&session, SF_RECORD_BYTES_MAX, tombstone_out);
    }
    sf_buffer_fini(&lineage);
    sf_session_fini(&session);
    return status;
}

static enum sf_status
replace(struct sf_l1 *l1, const struct sf_l1_found *found, struct sf_span tombstone)
{
    struct sf_l1_draft draft;
    const struct sf_l1_legacy legacy = sf_l1_legacy_of(found);
    enum sf_status status =
        sf_l1_draft_make(&draft, l1, &found->image.key, tombstone, &legacy);

    if (status != SF_OK || sf_l1_draft_replace(l1, &draft, found))
        return status;
    sf_l1_draft_drop(l1, &draft);
    return SF_CONFLICT;
}

enum sf_status
sf_l1_trim(struct sf_l1 *l1, const struct sf_key *key, sf_time now)
{
    struct sf_buffer former, tombstone;
    struct sf_l1_found found;

    sf_buffer_init(&former, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&tombstone, SF_RECORD_BYTES_MAX);
    enum sf_status status = sf_l1_find(l1, key, &former, &found);
    if (status == SF_OK && !sf_l1_needs_trim(&found.image, now))
        status = SF_CONFLICT;
    if (status == SF_OK)
        status = encode_tombstone(&tombstone, l1, &found, sf_buffer_span(&former), now);
    if (status == SF_OK)
        status = replace(l1, &found, sf_buffer_span(&tombstone));
    sf_buffer_fini(&tombstone);
    sf_buffer_fini(&former);
    return status;
}
