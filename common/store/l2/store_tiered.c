/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "common/store/l2/store_tiered_private.h"

#define LOADS_MAX 64       /* asked for at once */
#define NOWHERE UINT32_MAX /* as a server: L2 is not asked */

/* Loads that are under way together. */
struct round {
    struct sf_tiered *tiered;
    struct sf_load *loads;
    size_t count;
    sf_time deadline;
    struct sf_l2_item items[LOADS_MAX]; /* one for each load */
    uint64_t epochs[LOADS_MAX];         /* of its server, when L2 was asked; 0: it was not */
    bool is_hit[LOADS_MAX];             /* L2 has answered, and is believed */
    bool is_asked[LOADS_MAX];           /* the store was, and its answer stands */
    bool has_waited;                    /* for L2, for as long as it may take */
};

/* ---- epochs ---- */

struct epoch_rows {
    struct sf_stored stored[SF_STORE_HOSTS_MAX];
    struct sf_l2_reading reading;
};

static size_t
add_epochs(struct sf_tiered *tiered, struct epoch_rows *rows, struct sf_load *loads)
{
    rows->reading = sf_l2_epochs_begin(&tiered->epochs, sf_clock_steady());
    for (size_t i = 0; i < tiered->epochs.count; i++) {
        sf_buffer_init(&rows->stored[i].record, SF_RECORD_BYTES_MAX);
        loads[i] = (struct sf_load){
            .key = tiered->epochs.rows[i], .stored = &rows->stored[i], .needs_truth = true};
    }
    return tiered->epochs.count;
}

static bool
take_epochs(struct sf_tiered *tiered, struct epoch_rows *rows, const struct sf_load *loads)
{
    bool is_well = sf_l2_epochs_take(&tiered->epochs, loads, &rows->reading, sf_clock_steady());
    for (size_t i = 0; i < tiered->epochs.count; i++)
        sf_buffer_fini(&rows->stored[i].record);
    return is_well;
}

bool
sf_tiered_read_epochs(struct sf_tiered *tiered, sf_time deadline)
{
    struct epoch_rows rows;
    struct sf_load loads[SF_STORE_HOSTS_MAX];
    size_t count = add_epochs(tiered, &rows, loads);
    tiered->inner->ops->load(tiered->inner, loads, count, deadline);
    return take_epochs(tiered, &rows, loads);
}

/* ---- L2 ---- */

/* What has expired there may live by an access that only the store knows. */
static bool
is_current(const struct sf_stored *stored, sf_time wall)
{
    struct sf_record_head head;
    if (sf_record_head(&head, sf_buffer_span(&stored->record)) != SF_OK)
        return false;
    sf_time expires =
        sf_record_expires(&head, stored->last_access > head.last_access ? stored->last_access : head.last_access);
    return expires == 0 || expires > wall;
}

static void
note_bad_value(struct sf_tiered *tiered, const struct sf_l2_item *item)
{
    unsigned times;
    char label[SF_KEY_LABEL + 1];
    sf_tiered_count(tiered, SF_L2_COUNT_REFUSED, 1);
    if (!sf_log_seldom(&tiered->bad_values, &times))
        return;
    sf_key_label(&item->key, label);
    sf_log_write(tiered->log, SF_LOG_WARNING, "SF0233",
                 "%s holds something for session %s that is damaged or was not put there by session-fast (%u times)",
                 tiered->l2->servers[item->server].name, label, times);
}

/* A host that knows a later epoch has put it there: this one's is not to come over it. */
static void
pass_over_other_epoch(struct sf_tiered *tiered, struct sf_l2_item *item, uint64_t epoch)
{
    if (sf_l2_sealed_epoch(sf_buffer_span(&item->value)) <= epoch)
        return;
    item->ticket.mark = 0;
    sf_l2_epochs_doubt(&tiered->epochs);
}

static bool
take_value(struct sf_tiered *tiered, struct sf_l2_item *item, struct sf_load *load, uint64_t epoch)
{
    if (item->value.size == 0)
        return false;
    const struct sf_l2_moment moment = {epoch, sf_clock_wall()};
    enum sf_status status = sf_l2_open_value(load->stored, &tiered->seal, &load->key, &moment, tiered->ttl,
                                             sf_buffer_span(&item->value));
    if (status == SF_OK && is_current(load->stored, moment.wall)) {
        load->status = SF_OK;
        return true;
    }
    if (status == SF_CORRUPT)
        note_bad_value(tiered, item);
    else if (status == SF_NOT_FOUND)
        pass_over_other_epoch(tiered, item, epoch);
    return false;
}

static void
ask_l2(struct round *round)
{
    struct sf_tiered *tiered = round->tiered;
    sf_time now = sf_clock_steady();
    for (size_t i = 0; i < round->count; i++) {
        struct sf_l2_item *item = &round->items[i];
        item->key = round->loads[i].key;
        item->server = sf_l2_place(tiered->l2, &item->key);
        round->epochs[i] = round->loads[i].needs_truth ? 0 : sf_l2_epochs_of(&tiered->epochs, item->server, now);
        if (round->epochs[i] == 0)
            item->server = NOWHERE;
    }
    if (!sf_l2_call(tiered->l2, SF_STORE_READS, SF_L2_GET, round->items, round->count))
        sf_tiered_count(tiered, SF_L2_COUNT_FAILED, 1);
    round->has_waited = sf_clock_steady() >= now + tiered->l2->timeout;
    for (size_t i = 0; i < round->count; i++) {
        if (!round->items[i].is_done)
            continue;
        round->is_hit[i] = take_value(tiered, &round->items[i], &round->loads[i], round->epochs[i]);
        sf_tiered_count(tiered, round->is_hit[i] ? SF_L2_COUNT_HITS : SF_L2_COUNT_MISSES, 1);
    }
}

/* How long a value may stay there; less than a second: not worth it. */
static sf_time
ttl_of(const struct sf_tiered *tiered, const struct sf_stored *stored)
{
    struct sf_record_head head;
    if (sf_record_head(&head, sf_buffer_span(&stored->record)) != SF_OK)
        return 0;
    sf_time expires =
        sf_record_expires(&head, stored->last_access > head.last_access ? stored->last_access : head.last_access);
    sf_time left = expires == 0 ? tiered->ttl : expires - sf_clock_wall();
    return left < tiered->ttl ? left : tiered->ttl;
}

/*
 * The epoch must be the one from before the store was asked: under a later one, what the store said may have been
 * disowned already.
 */
static bool
may_fill(const struct round *round, size_t i)
{
    const struct sf_l2_item *item = &round->items[i];
    return item->is_done && item->ticket.mark != 0 && round->is_asked[i] && round->loads[i].status == SF_OK
           && sf_l2_epochs_of(&round->tiered->epochs, item->server, sf_clock_steady()) == round->epochs[i];
}

/* Those who have waited for one server are not to wait for another. */
static void
fill_l2(struct round *round)
{
    struct sf_tiered *tiered = round->tiered;
    size_t filled = 0;
    if (round->has_waited)
        return;
    for (size_t i = 0; i < round->count; i++) {
        struct sf_l2_item *item = &round->items[i];
        const struct sf_stored *stored = round->loads[i].stored;
        const struct sf_l2_moment moment = {round->epochs[i], sf_clock_wall()};
        item->ttl = may_fill(round, i) ? ttl_of(tiered, stored) : 0;
        if (item->ttl < SF_SECOND
            || sf_l2_seal(&item->value, &tiered->seal, &item->key, &moment, sf_buffer_span(&stored->record),
                          stored->last_access) != SF_OK)
            item->server = NOWHERE;
        else
            filled++;
    }
    if (filled == 0)
        return;
    if (!sf_l2_call(tiered->l2, SF_STORE_READS, SF_L2_FILL, round->items, round->count))
        sf_tiered_count(tiered, SF_L2_COUNT_FAILED, 1);
    for (size_t i = 0; i < round->count; i++)
        sf_tiered_count(tiered, SF_L2_COUNT_FILLS, round->items[i].is_done);
}

/* ---- loading ---- */

static void
ask_store(struct round *round, bool with_epochs)
{
    struct sf_tiered *tiered = round->tiered;
    struct sf_load asked[LOADS_MAX + SF_STORE_HOSTS_MAX];
    struct epoch_rows rows;
    size_t count = 0;
    for (size_t i = 0; i < round->count; i++)
        if (!round->is_hit[i] && !round->is_asked[i])
            asked[count++] = round->loads[i];
    if (count == 0 && !with_epochs)
        return;
    pthread_mutex_lock(&tiered->load_lock);
    size_t all = count + (with_epochs ? add_epochs(tiered, &rows, asked + count) : 0);
    tiered->inner->ops->load(tiered->inner, asked, all, round->deadline);
    if (with_epochs)
        (void)take_epochs(tiered, &rows, asked + count);
    pthread_mutex_unlock(&tiered->load_lock);
    count = 0;
    for (size_t i = 0; i < round->count; i++) {
        if (round->is_hit[i] || round->is_asked[i])
            continue;
        round->loads[i].status = asked[count++].status;
        round->is_asked[i] = true;
    }
}

/* true: something that L2 has said was disowned meanwhile, or may have been, and the store is to be asked for it. */
static bool
disbelieve(struct round *round)
{
    bool is_any = false;
    for (size_t i = 0; i < round->count; i++) {
        struct sf_load *load = &round->loads[i];
        if (!round->is_hit[i])
            continue;
        load->as_of = sf_l2_epochs_believe(&round->tiered->epochs, round->items[i].server, round->epochs[i],
                                           sf_clock_steady());
        round->is_hit[i] = load->as_of != 0;
        is_any |= !round->is_hit[i];
    }
    return is_any;
}

/* What L2 says is as old as the epochs: they are read early enough for it to be good for a while yet. */
static void
run_round(struct round *round)
{
    struct sf_tiered *tiered = round->tiered;
    ask_l2(round);
    ask_store(round, sf_l2_epochs_are_due(&tiered->epochs, tiered->freshness / 2, sf_clock_steady()));
    if (disbelieve(round))
        ask_store(round, false);
    fill_l2(round);
}

static void
tiered_load(struct sf_store *store, struct sf_load *loads, size_t count, sf_time deadline)
{
    struct sf_tiered *tiered = (struct sf_tiered *)store;
    for (size_t at = 0; at < count; at += LOADS_MAX) {
        struct round round = {.tiered = tiered,
                              .loads = loads + at,
                              .count = count - at < LOADS_MAX ? count - at : LOADS_MAX,
                              .deadline = deadline};
        for (size_t i = 0; i < round.count; i++)
            sf_buffer_init(&round.items[i].value, SF_L2_VALUE_MAX);
        run_round(&round);
        for (size_t i = 0; i < round.count; i++)
            sf_buffer_fini(&round.items[i].value);
    }
    sf_tiered_log_states(tiered);
}

/* ---- what it says of itself ---- */

void
sf_tiered_log_states(struct sf_tiered *tiered)
{
    struct sf_error error;
    for (unsigned i = 0; i < tiered->l2->server_count; i++) {
        bool is_up = sf_l2_is_up(tiered->l2, i);
        if (!sf_log_state_changed(&tiered->servers_up[i], is_up))
            continue;
        sf_l2_explain(tiered->l2, i, &error);
        if (is_up)
            sf_log_write(tiered->log, SF_LOG_NOTICE, "SF0232", "L2 %s answers again", tiered->l2->servers[i].name);
        else
            sf_log_write(tiered->log, SF_LOG_WARNING, "SF0231", "L2 %s does not answer, the store is asked instead: %s",
                         tiered->l2->servers[i].name, error.text);
    }
    bool is_disputed = sf_l2_epochs_are_disputed(&tiered->epochs);
    if (sf_log_state_changed(&tiered->list_up, !is_disputed))
        sf_log_write(tiered->log, is_disputed ? SF_LOG_WARNING : SF_LOG_NOTICE, "SF0234", "%s",
                     is_disputed ? "SessionFastL2 names other servers on another host: L2 is not used"
                                 : "SessionFastL2 names the same servers on all hosts: L2 is used again");
}

void
sf_store_tiered_state(struct sf_store *store, struct sf_tiered_state *state_out)
{
    struct sf_tiered *tiered = (struct sf_tiered *)store;
    *state_out = (struct sf_tiered_state){
        .label = tiered->l2->label,
        .servers = (unsigned)tiered->l2->server_count,
        .is_disputed = sf_l2_epochs_are_disputed(&tiered->epochs),
    };
    for (unsigned i = 0; i < tiered->l2->server_count; i++) {
        if (!sf_l2_is_up(tiered->l2, i) && state_out->servers_down++ == 0)
            sf_l2_explain(tiered->l2, i, &state_out->last);
    }
    for (int i = 0; i < SF_L2_COUNTS; i++)
        state_out->counts[i] = atomic_load_explicit(&tiered->counts[i], memory_order_relaxed);
    sf_l2_figures(tiered->l2, &state_out->figures);
}

/* ---- what only passes through ---- */

static enum sf_status
tiered_attach(struct sf_store *store, sf_time deadline, struct sf_error *error)
{
    struct sf_tiered *tiered = (struct sf_tiered *)store;
    enum sf_status status = tiered->inner->ops->attach(tiered->inner, deadline, error);
    if (status == SF_OK)
        sf_tiered_make_epochs(tiered, deadline);
    return status;
}

static enum sf_status
tiered_sweep(struct sf_store *store, sf_time now, size_t limit, sf_time deadline, size_t *removed_out)
{
    struct sf_store *inner = ((struct sf_tiered *)store)->inner;
    return inner->ops->sweep(inner, now, limit, deadline, removed_out);
}

struct visit {
    sf_store_visit_fn *visit;
    void *context;
};

static bool
visit_session(void *context, const struct sf_key *key, const struct sf_stored *stored)
{
    const struct visit *visit = context;
    return sf_l2_epochs_has_row(key) || visit->visit(visit->context, key, stored);
}

static enum sf_status
tiered_scan(struct sf_store *store, const struct sf_key *after, struct sf_span user, size_t limit, sf_time deadline,
            sf_store_visit_fn *visit, void *context)
{
    struct sf_tiered *tiered = (struct sf_tiered *)store;
    struct visit mine = {visit, context};
    pthread_mutex_lock(&tiered->load_lock);
    enum sf_status status =
        tiered->inner->ops->scan(tiered->inner, after, user, limit, deadline, visit_session, &mine);
    pthread_mutex_unlock(&tiered->load_lock);
    return status;
}

/* ---- news ---- */

struct news {
    struct sf_tiered *tiered;
    const struct sf_follow *follow;
};

/*
 * That an epoch has moved may be heard behind the news of the session for which it has: L1 did not have that one,
 * passed over the news, and has taken the old one from L2 since.
 */
static void
tell_news(void *context, const struct sf_key *key)
{
    const struct news *news = context;
    struct sf_l2_epochs *epochs = &news->tiered->epochs;
    bool is_epoch = key != NULL && sf_l2_epochs_has_row(key);
    if (is_epoch || key == NULL)
        sf_l2_epochs_doubt(epochs);
    if (!is_epoch)
        news->follow->news(news->follow->context, key);
    else if (sf_l2_epochs_have_believed(epochs))
        news->follow->news(news->follow->context, NULL);
}

static enum sf_status
tiered_follow(struct sf_store *store, sf_time until, struct sf_follow *follow)
{
    struct sf_tiered *tiered = (struct sf_tiered *)store;
    struct news news = {tiered, follow};
    struct sf_follow mine = *follow;
    mine.news = tell_news;
    mine.context = &news;
    enum sf_status status = tiered->inner->ops->follow(tiered->inner, until, &mine);
    follow->proven = mine.proven;
    follow->error = mine.error;
    return status;
}

static void
tiered_explain(struct sf_store *store, struct sf_error *error_out)
{
    struct sf_store *inner = ((struct sf_tiered *)store)->inner;
    inner->ops->explain(inner, error_out);
}

static void
tiered_report(struct sf_store *store, sf_store_tell_fn *tell, void *context)
{
    struct sf_store *inner = ((struct sf_tiered *)store)->inner;
    inner->ops->report(inner, tell, context);
}

static uint64_t
tiered_incarnation(struct sf_store *store)
{
    return sf_store_incarnation(((struct sf_tiered *)store)->inner);
}

static void
tiered_renew(struct sf_store *store)
{
    sf_store_renew(((struct sf_tiered *)store)->inner);
}

static void
tiered_close(struct sf_store *store)
{
    struct sf_tiered *tiered = (struct sf_tiered *)store;
    sf_store_close(tiered->inner);
    sf_l2_close(tiered->l2);
    sf_l2_epochs_fini(&tiered->epochs);
    sf_l2_seal_fini(&tiered->seal);
    pthread_mutex_destroy(&tiered->load_lock);
    free(tiered);
}

enum sf_status
sf_store_tiered_new(struct sf_store **store_out, struct sf_l2 *l2, struct sf_store *store,
                    const struct sf_tiered_options *options)
{
    struct sf_tiered *tiered = calloc(1, sizeof *tiered);
    *store_out = NULL;
    if (tiered == NULL) {
        sf_store_close(store);
        sf_l2_close(l2);
        return SF_NO_MEMORY;
    }
    tiered->ops = (struct sf_store_ops){
        .scheme = store->ops->scheme,
        .flags = store->ops->flags,
        .attach = tiered_attach,
        .load = tiered_load,
        .write = sf_tiered_write,
        .sweep = store->ops->sweep == NULL ? NULL : tiered_sweep,
        .scan = tiered_scan,
        .follow = store->ops->follow == NULL ? NULL : tiered_follow,
        .explain = tiered_explain,
        .report = store->ops->report == NULL ? NULL : tiered_report,
        .incarnation = store->ops->incarnation == NULL ? NULL : tiered_incarnation,
        .renew = tiered_renew,
        .close = tiered_close,
    };
    tiered->base.ops = &tiered->ops;
    tiered->inner = store;
    tiered->l2 = l2;
    tiered->ttl = options->ttl;
    tiered->freshness = options->freshness;
    tiered->log = options->log;
    sf_l2_seal_init(&tiered->seal, options->secrets);
    sf_l2_epochs_init(&tiered->epochs, l2, options->pause);
    pthread_mutex_init(&tiered->load_lock, NULL);
    *store_out = &tiered->base;
    return SF_OK;
}
