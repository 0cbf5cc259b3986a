/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the user of a session was logged out everywhere since its login, and what a login is stamped with.
 */
#include "common/front/front_private.h"
#include "common/session/user_epochs.h"

/* What is known of a user's row. */
struct row {
    struct sf_user_epoch epoch;
    bool is_here, is_fresh; /* in the cache */
};

static struct row
look_into_cache(struct sf_front *front, const struct sf_key *key, struct sf_span user)
{
    struct sf_l1 *l1 = sf_front_cache(front);
    struct sf_l1_field field = {.is_here = false};
    struct row row = {.is_here = false};
    if (l1 == NULL)
        return row;
    enum sf_status status = sf_l1_peek_integer(l1, key, user, &field);
    if (!field.is_here || (status != SF_OK && status != SF_NOT_FOUND))
        return row;
    const struct sf_l1_view view = {.since = field.since};
    uint32_t own = status == SF_OK ? (uint32_t)field.integer : 0;
    row.epoch.next = (uint32_t)field.version;
    row.epoch.least = own > field.user_epoch ? own : field.user_epoch;
    row.is_here = true;
    row.is_fresh = !sf_l1_is_stale(l1, key, &view);
    return row;
}

/* ---- of a session ---- */

static enum sf_status
ask_daemon(struct sf_front_search *search, const struct sf_key *key, struct sf_span user,
           struct sf_user_epoch *epoch_out)
{
    struct sf_daemon_reply reply;
    struct sf_span record;
    sf_time last_access;
    sf_daemon_reply_init(&reply, SF_FRONT_REPLY_VALUES);
    enum sf_status status =
        sf_front_ask_load(search->front, key, sf_front_deadline(search), &reply, &record, &last_access);
    if (status == SF_OK)
        status = sf_user_epochs_read(epoch_out, record, user);
    sf_daemon_reply_fini(&reply);
    return status;
}

static bool
is_store_only(struct sf_front *front)
{
    struct sf_l1 *l1 = sf_front_l1(front);
    return l1 != NULL && sf_l1_is_bypassed(l1);
}

/* Nobody is asked twice in vain, unless the store has just shown that it can say. */
static bool
may_ask(const struct sf_front_search *search, enum sf_load_source source)
{
    return source == SF_FROM_STORE || sf_front_may_check(search->front);
}

enum sf_status
sf_front_check_epoch(struct sf_front_search *search, const struct sf_record_head *head, enum sf_load_source source)
{
    struct sf_key key = sf_user_epochs_key(sf_user_epochs_row(head->user));
    struct row row = look_into_cache(search->front, &key, head->user);
    bool is_known = row.is_here && (row.is_fresh || head->user_epoch < row.epoch.least);
    enum sf_status answer = SF_OK;
    if (!is_known && may_ask(search, source)) {
        answer = ask_daemon(search, &key, head->user, &row.epoch);
        if (answer != SF_OK && answer != SF_CONFLICT)
            sf_front_pause_checks(search->front);
    }
    bool has_gone_back = answer == SF_CONFLICT && !row.is_here; /* the store; what is in the cache may be from there */
    if (has_gone_back || (answer != SF_OK && is_store_only(search->front)))
        return SF_UNAVAILABLE;
    return head->user_epoch < row.epoch.least ? SF_NOT_FOUND : SF_OK;
}

/* ---- of a login ---- */

/* SESSION.EPOCH, which answers with a number. */
static enum sf_status
ask_for_epoch(struct sf_front *front, const struct sf_span *words, size_t count, sf_time deadline, uint32_t *epoch_out)
{
    struct sf_daemon_reply reply;
    sf_daemon_reply_init(&reply, SF_FRONT_REPLY_VALUES);
    enum sf_status status = sf_front_ask(front, words, count, deadline, &reply);
    bool is_as_agreed = status == SF_OK && reply.count == 1 && reply.values[0].type == SF_RESP_INTEGER;
    if (is_as_agreed)
        *epoch_out = (uint32_t)reply.values[0].integer;
    else if (status == SF_OK)
        status = SF_UNAVAILABLE;
    sf_daemon_reply_fini(&reply);
    return status;
}

uint32_t
sf_front_login_epoch(struct sf_front *front, struct sf_span user, sf_time deadline)
{
    struct sf_key key = sf_user_epochs_key(sf_user_epochs_row(user));
    struct sf_l1 *l1 = sf_front_cache(front);
    struct row row = look_into_cache(front, &key, user);
    uint32_t epoch = row.epoch.next;
    const struct sf_span words[] = {sf_span_text("SESSION.EPOCH"), sf_span_text("LOGIN"), user};
    bool may_know_better = l1 == NULL || sf_l1_host(l1) != 0 || !row.is_here;
    enum sf_status status = SF_OK;
    if (may_know_better && sf_front_may_check(front))
        status = ask_for_epoch(front, words, 3, deadline, &epoch);
    if (status != SF_OK && status != SF_CONFLICT)
        sf_front_pause_checks(front);
    return epoch;
}

enum sf_status
sf_front_move_epoch(struct sf_front *front, struct sf_span user, sf_time deadline, uint32_t *epoch_out)
{
    const struct sf_span words[] = {sf_span_text("SESSION.EPOCH"), sf_span_text("MOVE"), user};
    return ask_for_epoch(front, words, 3, deadline, epoch_out);
}

enum sf_status
sf_front_end_others(struct sf_front *front, struct sf_span user, uint32_t epoch, sf_time deadline)
{
    char number[SF_NUMBER_TEXT];
    const struct sf_value value = {.type = SF_VALUE_INTEGER, .integer = epoch};
    const struct sf_span words[] = {sf_span_text("SESSION.EPOCH"), sf_span_text("END"), user,
                                    sf_value_text(&value, number)};
    return ask_for_epoch(front, words, 4, deadline, &epoch);
}
