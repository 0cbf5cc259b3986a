/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/postgresql/store_postgresql_follow.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "common/base/bytes.h"

#define PATIENCE (2 * SF_SECOND) /* with each answer */

static const char *const follow_sql[] = {"SELECT " SF_POSTGRESQL_CHANNEL_SQL};

void
sf_postgresql_follower_init(struct sf_postgresql_follower *follower,
                            struct sf_postgresql_database *database)
{
    *follower = (struct sf_postgresql_follower){
        .link = {.database = database, .sql = follow_sql, .sql_count = 1},
    };
}

static enum sf_status
lose(struct sf_postgresql_follower *follower, struct sf_follow *follow, const char *text)
{
    (void)sf_postgresql_fail(&follower->link, SF_UNAVAILABLE, text, &follow->error);
    sf_postgresql_close(&follower->link);
    return SF_UNAVAILABLE;
}

/* Also the sign of life: once it is answered, all notices of transactions before it have come. */
static enum sf_status
ask_for_channel(struct sf_postgresql_follower *follower, struct sf_follow *follow,
                char channel_out[SF_POSTGRESQL_CHANNEL_TEXT])
{
    struct sf_postgresql_call call = {.statement = 0};
    follower->link.doing = "listen";
    follower->link.deadline = sf_clock_steady() + PATIENCE;
    if (sf_postgresql_run(&follower->link, &call, 1, &follow->error) != SF_OK) {
        sf_postgresql_close(&follower->link);
        return SF_UNAVAILABLE;
    }
    snprintf(channel_out, SF_POSTGRESQL_CHANNEL_TEXT, "%.*s", PQgetlength(call.result, 0, 0),
             PQgetvalue(call.result, 0, 0));
    PQclear(call.result);
    return SF_OK;
}

/* ---- a new link ---- */

static enum sf_status
listen_to(struct sf_postgresql_follower *follower, struct sf_follow *follow)
{
    char text[SF_POSTGRESQL_CHANNEL_TEXT + 16];
    struct sf_postgresql_call call = {.text = text};
    snprintf(text, sizeof text, "LISTEN \"%s\"", follower->channel);
    enum sf_status status = sf_postgresql_run(&follower->link, &call, 1, &follow->error);
    if (status == SF_OK)
        PQclear(call.result);
    else
        sf_postgresql_close(&follower->link);
    return status;
}

static enum sf_status
open_link(struct sf_postgresql_follower *follower, struct sf_follow *follow)
{
    struct sf_postgresql_connection *link = &follower->link;
    if (link->database->is_pooled)
        return sf_error_set(&follow->error, SF_INVALID, "%s: a pooler passes no notices on",
                            link->database->url.label);
    follower->connects = atomic_load(&link->database->connects);
    if (sf_postgresql_begin_call(link, "listen", sf_clock_steady() + PATIENCE, &follow->error) !=
        SF_OK)
        return SF_UNAVAILABLE;
    enum sf_status status = ask_for_channel(follower, follow, follower->channel);
    if (status == SF_OK)
        status = listen_to(follower, follow);
    if (status != SF_OK)
        return SF_UNAVAILABLE;
    follow->proven = sf_clock_steady();
    follower->beat_at = follow->proven + follow->beat;
    follow->news(follow->context, NULL);
    return SF_OK;
}

/* ---- notices ---- */

static struct sf_span
next_word(const char **at)
{
    size_t size = strcspn(*at, " ");
    struct sf_span word = sf_span_of(*at, size);
    *at += size + ((*at)[size] == ' ');
    return word;
}

/* Whoever may write to the database may notify, and say what he likes: then all may have changed. */
static void
tell_notice(const struct sf_postgresql_follower *follower, struct sf_follow *follow,
            const char *text)
{
    if (sf_span_equal(next_word(&text), sf_span_text(follower->link.database->origin)))
        return;
    while (*text != '\0') {
        struct sf_key key;
        bool is_key = sf_key_parse(&key, next_word(&text)) == SF_OK;
        follow->news(follow->context, is_key ? &key : NULL);
        if (!is_key)
            return;
    }
}

/* true: there were some. */
static bool
tell_notices(const struct sf_postgresql_follower *follower, struct sf_follow *follow)
{
    PGnotify *notice;
    bool has_told = false;
    while ((notice = PQnotifies(follower->link.pg)) != NULL) {
        tell_notice(follower, follow, notice->extra);
        PQfreemem(notice);
        has_told = true;
    }
    return has_told;
}

/* ---- waiting for them ---- */

static enum sf_status
ask_for_sign_of_life(struct sf_postgresql_follower *follower, struct sf_follow *follow)
{
    char channel[SF_POSTGRESQL_CHANNEL_TEXT];
    sf_time now = sf_clock_steady();
    enum sf_status status = ask_for_channel(follower, follow, channel);
    if (status != SF_OK)
        return status;
    if (strcmp(channel, follower->channel) != 0)
        return lose(follower, follow, "the tables stand in another schema now");
    follow->proven = now;
    follower->beat_at = now + follow->beat;
    return SF_OK;
}

static enum sf_status
wait_for_notices(struct sf_postgresql_follower *follower, struct sf_follow *follow, sf_time until)
{
    struct sf_postgresql_connection *link = &follower->link;
    link->deadline = until < follower->beat_at ? until : follower->beat_at;
    if (sf_postgresql_wait(link, POLLIN) && PQconsumeInput(link->pg) == 0)
        return lose(follower, follow, PQerrorMessage(link->pg));
    return SF_OK;
}

/*
 * The store has connected anew since, perhaps to another server, after a failover: what is heard
 * here may be the old one, to which nobody writes any more.
 */
static bool
is_outdated(const struct sf_postgresql_follower *follower)
{
    return follower->connects != atomic_load(&follower->link.database->connects);
}

enum sf_status
sf_postgresql_follow(struct sf_postgresql_follower *follower, sf_time until,
                     struct sf_follow *follow)
{
    enum sf_status status = SF_OK;
    if (is_outdated(follower))
        sf_postgresql_close(&follower->link);
    if (follower->link.pg == NULL)
        return open_link(follower, follow);
    while (status == SF_OK && !tell_notices(follower, follow) && sf_clock_steady() < until) {
        if (sf_clock_steady() >= follower->beat_at)
            status = ask_for_sign_of_life(follower, follow); /* notices may come with the answer */
        else
            status = wait_for_notices(follower, follow, until);
    }
    return status;
}
