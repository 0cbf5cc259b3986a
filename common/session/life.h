/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * life.h - the head of a session at the turns of its life: begun, ended, replaced by a new id.
 */
#include "common/session/session.h"

/* An empty session that is born now. absolute_timeout 0: it may grow as old as it likes. */
void sf_session_begin(struct sf_session *session, sf_time now, sf_time idle_timeout, sf_time absolute_timeout);

/* Turns it into a tombstone without fields, remembered until no request can come with its id any more. */
void sf_session_end(struct sf_session *session, enum sf_end_reason reason, sf_time now, sf_time tombstone_lifetime);

struct sf_replacement {
    uint64_t version;                /* of the session under its new id */
    const struct sf_key *successor;  /* the new id's key; NULL after a login: others may know the old id, and nothing
                                        leads from it to the new privileges */
    sf_time now, grace, tombstone_lifetime;
};

/*
 * Turns it into what the old id holds from now on: an image of what the session was, read only, until the
 * grace ends; then a tombstone. Changes go to the successor. After a login nothing tells the old id when the
 * new one is logged out, so its image never shows a user: the session of somebody who was logged in already
 * gets no grace at all.
 */
void sf_session_replace(struct sf_session *session, const struct sf_replacement *replacement);

/* Changes that come to it now go to head->successor. */
bool sf_session_leads_on(const struct sf_record_head *head, sf_time now);
