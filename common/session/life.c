/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/life.h"

void
sf_session_begin(struct sf_session *session, sf_time now, sf_time idle_timeout, sf_time absolute_timeout)
{
    sf_session_fini(session);
    sf_session_init(session);
    session->head.created = now;
    session->head.last_access = now;
    session->head.idle_timeout = idle_timeout;
    if (absolute_timeout > 0)
        session->head.absolute_deadline = now + absolute_timeout;
}

void
sf_session_end(struct sf_session *session, enum sf_end_reason reason, sf_time now, sf_time tombstone_lifetime)
{
    struct sf_record_head *head = &session->head;
    head->kind = SF_RECORD_ENDED;
    head->end_reason = reason;
    head->absolute_deadline = now + tombstone_lifetime;
    head->grace_until = 0;
    head->successor = (struct sf_key){{0}};
    head->flags = 0;
    head->field_count = 0;
    session->count = 0;
}

void
sf_session_replace(struct sf_session *session, const struct sf_replacement *replacement)
{
    struct sf_record_head *head = &session->head;
    bool is_login = replacement->successor == NULL;
    sf_time grace = is_login && head->user.size > 0 ? 0 : replacement->grace;
    sf_time lifetime = replacement->tombstone_lifetime;
    head->kind = SF_RECORD_ENDED;
    head->end_reason = is_login ? SF_END_LOGIN : SF_END_ROTATED;
    head->flags = 0;
    head->version = replacement->version;
    head->absolute_deadline = replacement->now + (lifetime > grace ? lifetime : grace);
    head->grace_until = grace > 0 ? replacement->now + grace : 0;
    head->successor = is_login ? (struct sf_key){{0}} : *replacement->successor;
    if (is_login)
        head->user = sf_span_text("");
    if (grace == 0) /* nobody may read it */
        session->count = head->field_count = 0;
}

bool
sf_session_leads_on(const struct sf_record_head *head, sf_time now)
{
    static const struct sf_key none;

    return head->end_reason == SF_END_ROTATED && now < head->grace_until && !sf_key_equal(&head->successor, &none);
}
