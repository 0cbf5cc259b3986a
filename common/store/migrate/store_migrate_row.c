/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/migrate/store_migrate_hosts.h"

#include "common/base/random.h"

#define TRIES 10 /* each of them lost to another host */
#define ROW_WAIT (2 * SF_SECOND) /* for an answer: loads wait meanwhile */
#define PART_WAIT SF_SECOND     /* where there is something to go on with */

/* ---- the row ---- */

/* Without one, the store gets a number that it has from then on, whoever asks. */
static enum sf_status
take_row(struct sf_migrate_hosts *hosts, enum sf_status status)
{
    return status == SF_NOT_FOUND ? sf_random_bytes(&hosts->store, sizeof hosts->store) : status;
}

enum sf_status
sf_migrate_load_row(struct sf_migrate_side *side, sf_time deadline, struct sf_migrate_hosts *hosts_out)
{
    pthread_mutex_lock(&side->load_lane);
    enum sf_status status = sf_migrate_hosts_load(hosts_out, side->store, deadline);
    pthread_mutex_unlock(&side->load_lane);
    return take_row(hosts_out, status);
}

enum sf_status
sf_migrate_store_row(struct sf_migrate *migrate, struct sf_migrate_side *side, sf_time deadline,
                     struct sf_migrate_hosts *hosts)
{
    pthread_mutex_lock(&migrate->write_lane);
    enum sf_status status = sf_migrate_hosts_store(hosts, side->store, deadline);
    pthread_mutex_unlock(&migrate->write_lane);
    return status;
}

bool
sf_migrate_is_being_left(const struct sf_migrate_hosts *hosts)
{
    bool is_under_way = hosts->phase == SF_HOSTS_COPYING || hosts->phase == SF_HOSTS_ENDING;
    return is_under_way && sf_migrate_hosts_other_than(hosts, SF_HOST_GONE) != NULL;
}

const char *
sf_migrate_why_not(enum sf_hosts_phase phase)
{
    if (phase == SF_HOSTS_LEFT)
        return "the hosts that use this store have moved to another one: SessionFastStore must name that";
    if (phase == SF_HOSTS_COMING)
        return "other hosts move to this store, and are not there yet: SessionFastStore must name the one they use";
    return NULL;
}

/* ---- the row of the new store ---- */

enum sf_status
sf_migrate_mark_target(struct sf_store *second, bool is_several, uint64_t *id_out, sf_time deadline,
                       struct sf_error *error)
{
    struct sf_migrate_hosts hosts;
    enum sf_status status = SF_CONFLICT;
    for (int i = 0; status == SF_CONFLICT && i < TRIES; i++) {
        status = take_row(&hosts, sf_migrate_hosts_load(&hosts, second, deadline));
        if (status != SF_OK || !is_several || hosts.phase == SF_HOSTS_COMING)
            break;
        if (sf_migrate_is_being_left(&hosts))
            return sf_error_set(error, SF_INVALID, "other hosts move away from this store");
        hosts.phase = SF_HOSTS_COMING;
        hosts.count = 0;
        status = sf_migrate_hosts_store(&hosts, second, deadline);
    }
    *id_out = hosts.store;
    return status == SF_OK ? SF_OK : sf_migrate_refuse(error, status);
}

enum sf_status
sf_migrate_open_target(struct sf_migrate *migrate, sf_time deadline)
{
    struct sf_migrate_hosts hosts;
    enum sf_status status = SF_CONFLICT;
    for (int i = 0; status == SF_CONFLICT && i < TRIES; i++) {
        status = sf_migrate_load_row(&migrate->second, deadline, &hosts);
        if (status != SF_OK || sf_migrate_why_not(hosts.phase) == NULL)
            break;
        hosts.phase = SF_HOSTS_NONE;
        hosts.count = 0;
        status = sf_migrate_store_row(migrate, &migrate->second, deadline, &hosts);
    }
    return status;
}

enum sf_status
sf_migrate_refuse(struct sf_error *error, enum sf_status status)
{
    return sf_error_set(error, SF_UNAVAILABLE, "what the other hosts do cannot be seen: %s", sf_status_text(status));
}

/* ---- before a change ---- */

/* Who wants to write, by the number that the others know it by. */
struct writer {
    uint64_t host;  /* 0: nobody else writes the store */
    bool is_moving; /* together with others: else it changes this store alone, and none may leave without it */
};

static struct writer
who_writes(const struct sf_migrate *migrate)
{
    bool is_moving = migrate->second.store != NULL && migrate->state.host != 0
        && migrate->state.phase != SF_MIGRATE_FINISHED;
    return (struct writer){is_moving ? migrate->state.host : migrate->host, is_moving};
}

static enum sf_status
stand_in_row(struct sf_migrate *migrate, const struct writer *writer, sf_time deadline, struct sf_migrate_hosts *hosts)
{
    size_t count = hosts->count;
    struct sf_migrate_host *own = sf_migrate_hosts_add(hosts, writer->host);
    if (own == NULL)
        return SF_FULL;
    enum sf_host_state former = own->state;
    if (!writer->is_moving)
        own->state = SF_HOST_GONE;
    else if (former == SF_HOST_ASKED)
        own->state = SF_HOST_COPIES; /* until it looks what it is */
    if (hosts->count == count && own->state == former)
        return SF_OK;
    return sf_migrate_hosts_store(hosts, migrate->authority.store, deadline);
}

/*
 * Of a Cluster the server with the row may be away while the others take writes. Then nobody begins or ends a move, for
 * that needs this server, too; so who has seen that nobody moves goes on, and does not wait for it for long.
 */
static bool
may_guess(const struct sf_migrate *migrate, const struct writer *writer)
{
    bool has_parts = (migrate->authority.store->ops->flags & SF_STORE_PARTS) != 0;
    return has_parts && !writer->is_moving && migrate->saw_nobody_move;
}

/* One attempt. */
static enum sf_status
look(struct sf_migrate *migrate, const struct writer *writer, sf_time deadline, const char **why_not_out)
{
    struct sf_migrate_hosts hosts;
    enum sf_status status = sf_migrate_load_row(&migrate->authority, deadline, &hosts);
    *why_not_out = status == SF_OK ? sf_migrate_why_not(hosts.phase) : NULL;
    if (status == SF_OK)
        migrate->saw_nobody_move = hosts.phase == SF_HOSTS_NONE;
    if (*why_not_out != NULL)
        return SF_INVALID;
    if (status != SF_OK || hosts.phase == SF_HOSTS_NONE)
        return status;
    return stand_in_row(migrate, writer, deadline, &hosts);
}

/* A host that moves says itself what is in its way. */
static void
keep_answer(struct sf_migrate *migrate, const struct writer *writer, sf_time asked, enum sf_status status,
            const char *why_not)
{
    pthread_mutex_lock(&migrate->lock);
    if (status == SF_OK)
        migrate->known_until = asked + SF_KNOWN_FOR;
    if (!writer->is_moving)
        migrate->stop.text[0] = '\0';
    if (!writer->is_moving && why_not != NULL)
        (void)sf_error_set(&migrate->stop, SF_CONFLICT, "%s", why_not);
    pthread_mutex_unlock(&migrate->lock);
}

enum sf_status
sf_migrate_may_write(struct sf_migrate *migrate, sf_time deadline)
{
    sf_time asked = sf_clock_steady();
    pthread_mutex_lock(&migrate->lock);
    struct writer writer = who_writes(migrate);
    bool is_known = writer.host == 0 || asked < migrate->known_until;
    pthread_mutex_unlock(&migrate->lock);
    if (is_known)
        return SF_OK;
    const char *why_not = NULL;
    enum sf_status status = SF_CONFLICT;
    sf_time until = asked + (may_guess(migrate, &writer) ? PART_WAIT : ROW_WAIT);
    if (until < deadline)
        deadline = until;
    for (int i = 0; status == SF_CONFLICT && i < TRIES; i++)
        status = look(migrate, &writer, deadline, &why_not);
    if (status == SF_UNAVAILABLE && may_guess(migrate, &writer)) {
        status = SF_OK;
        asked = sf_clock_steady();
    }
    keep_answer(migrate, &writer, asked, status, why_not);
    return status == SF_OK ? SF_OK : SF_UNAVAILABLE;
}
