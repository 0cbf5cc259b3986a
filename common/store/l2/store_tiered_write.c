/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_tiered_write.c - every session of a batch is marked in L2, written, and shown again.
 *
 * While the mark is there nobody gets a value in, so that when the batch is through no old one is there, and none on
 * its way. Where the mark cannot be set, the server's epoch moves on before anything is written: whoever is killed
 * between the two has disowned something for nothing, and not left an old copy behind that nobody knows of. Other hosts
 * see it within their freshness and leave the server alone for SF_L2_PAUSE; what is written in the first two thirds of
 * that needs no further move. Where the batch took longer, or a mark did not last, the epoch moves once more behind it.
 *
 * No change counts as written while L2 may show what was there before: where the epoch cannot be moved before, it is
 * not written, and where it cannot be moved behind it, it is to be written again. Debts that die with this process are
 * of changes only that somebody will write again.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/store/l2/store_tiered_private.h"

#define EPOCH_AGE SF_SECOND  /* of what is known when a batch is written */
#define LOADER_PATIENCE 250  /* ms: so long the loader may be inside the store, where what is known will do */

struct batch {
    struct sf_tiered *tiered;
    struct sf_write *writes;
    size_t count;
    sf_time deadline;
    struct sf_l2_item *items; /* one for each PUT; NULL: no memory */
    size_t marked;
    size_t *at;               /* of each item, its write */
};

/* ---- epochs ---- */

struct moves {
    struct sf_write writes[SF_STORE_HOSTS_MAX];
    struct sf_buffer records[SF_STORE_HOSTS_MAX];
    unsigned servers[SF_STORE_HOSTS_MAX];
    bool is_first[SF_STORE_HOSTS_MAX]; /* nobody pauses for it */
    size_t count;
    sf_time begun; /* before the epochs were read */
};

/* The loader may be inside the store for as long as its deadline. Not by a timed lock, whose clock may be set. */
static bool
lock_loads(struct sf_tiered *tiered, sf_time until)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    while (pthread_mutex_trylock(&tiered->load_lock) != 0) {
        if (sf_clock_steady() >= until)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

static bool
read_epochs(struct sf_tiered *tiered, sf_time patience, sf_time deadline)
{
    if (!lock_loads(tiered, sf_clock_steady() + patience))
        return false;
    bool is_well = sf_tiered_read_epochs(tiered, deadline);
    pthread_mutex_unlock(&tiered->load_lock);
    return is_well;
}

static bool
owes_any(const struct sf_tiered *tiered, sf_time now)
{
    for (size_t i = 0; i < tiered->l2->server_count; i++)
        if (tiered->owes[i] && now >= tiered->covered_until[i])
            return true;
    return false;
}

static void
add_move(struct sf_tiered *tiered, struct moves *moves, unsigned server, bool is_first)
{
    struct sf_buffer *record = &moves->records[moves->count];
    sf_buffer_init(record, SF_RECORD_BYTES_MAX);
    moves->servers[moves->count] = server;
    moves->is_first[moves->count] = is_first;
    if (sf_l2_epochs_next(&tiered->epochs, server, is_first, record, &moves->writes[moves->count]) == SF_OK)
        moves->count++;
    else
        sf_buffer_fini(record);
}

/* Of what is owed and not covered. They have to be read for that, so the loader is waited for. */
static void
make_moves(struct sf_tiered *tiered, struct moves *moves, bool is_start, sf_time deadline)
{
    moves->count = 0;
    moves->begun = sf_clock_steady();
    if (!owes_any(tiered, moves->begun) || !read_epochs(tiered, (deadline - moves->begun) / 2, deadline))
        return;
    for (unsigned i = 0; i < tiered->l2->server_count; i++)
        if (tiered->owes[i] && moves->begun >= tiered->covered_until[i])
            add_move(tiered, moves, i, is_start && !sf_l2_epochs_is_known(&tiered->epochs, i));
}

/*
 * A move that did nothing because another host was first is as good, for that was after the epochs were read; so it is
 * from then that the time counts. This host, too, is to see it at once.
 */
static void
end_move(struct sf_tiered *tiered, struct moves *moves, size_t i)
{
    if (moves->writes[i].status == SF_OK && !moves->is_first[i]) {
        tiered->covered_until[moves->servers[i]] = moves->begun + tiered->epochs.pause / 3 * 2;
        sf_tiered_count(tiered, SF_L2_COUNT_DISOWNED, 1);
        sf_l2_epochs_doubt(&tiered->epochs);
    }
    sf_buffer_fini(&moves->records[i]);
}

/* has_moved_out: of each server. */
static void
move_on(struct sf_tiered *tiered, bool is_start, bool has_moved_out[SF_STORE_HOSTS_MAX], sf_time deadline)
{
    struct moves moves;
    make_moves(tiered, &moves, is_start, deadline);
    if (moves.count > 0)
        (void)!tiered->inner->ops->write(tiered->inner, moves.writes, moves.count, deadline);
    for (size_t i = 0; i < moves.count; i++) {
        has_moved_out[moves.servers[i]] = moves.writes[i].status == SF_OK;
        end_move(tiered, &moves, i);
    }
}

/* What was written up to now is covered, or still owed. */
static void
settle(struct sf_tiered *tiered)
{
    sf_time now = sf_clock_steady();
    for (size_t i = 0; i < tiered->l2->server_count; i++)
        tiered->owes[i] = tiered->owes[i] && now >= tiered->covered_until[i];
}

/* Everything was written before the epochs were read: whoever has moved them since, it covers that. */
static void
pay(struct sf_tiered *tiered, bool is_start, sf_time deadline)
{
    bool has_moved[SF_STORE_HOSTS_MAX] = {false};
    move_on(tiered, is_start, has_moved, deadline);
    for (size_t i = 0; i < tiered->l2->server_count; i++)
        tiered->owes[i] = tiered->owes[i] && !has_moved[i];
}

void
sf_tiered_make_epochs(struct sf_tiered *tiered, sf_time deadline)
{
    (void)sf_tiered_read_epochs(tiered, deadline);
    for (unsigned i = 0; i < tiered->l2->server_count; i++)
        tiered->owes[i] = !sf_l2_epochs_is_known(&tiered->epochs, i) || sf_l2_epochs_are_disputed(&tiered->epochs);
    pay(tiered, true, deadline);
}

/* ---- marks ---- */

/* A server that was lost for a while may be another one now, or an older one. */
static void
note_losses(struct sf_tiered *tiered)
{
    for (size_t i = 0; i < tiered->l2->server_count; i++) {
        uint64_t losses = tiered->l2->servers[i].losses;
        tiered->owes[i] |= losses != tiered->losses[i];
        tiered->losses[i] = losses;
    }
}

static void
owe_all(struct sf_tiered *tiered)
{
    for (size_t i = 0; i < tiered->l2->server_count; i++)
        tiered->owes[i] = true;
}

static bool
make_items(struct batch *batch)
{
    batch->items = calloc(batch->count + 1, sizeof *batch->items);
    batch->at = calloc(batch->count + 1, sizeof *batch->at);
    if (batch->items == NULL || batch->at == NULL)
        return false;
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->writes[i].kind != SF_WRITE_PUT)
            continue;
        struct sf_l2_item *item = &batch->items[batch->marked];
        item->key = batch->writes[i].key;
        item->server = sf_l2_place(batch->tiered->l2, &item->key);
        sf_buffer_init(&item->value, 0);
        batch->at[batch->marked++] = i;
    }
    return true;
}

static void
owe_unmarked(struct sf_tiered *tiered, const struct sf_l2_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tiered->owes[items[i].server] |= !items[i].is_done;
    note_losses(tiered);
}

/* Another host may have put something there: if it is old, it is not to stay. */
static void
mark_again(struct batch *batch)
{
    struct sf_tiered *tiered = batch->tiered;
    size_t count = 0;
    for (size_t i = 0; i < batch->marked; i++)
        if (batch->items[i].ticket.mark != 0 && !batch->items[i].is_done)
            batch->items[count++] = batch->items[i];
    if (count == 0)
        return;
    (void)sf_l2_call(tiered->l2, SF_STORE_WRITES, SF_L2_HIDE, batch->items, count);
    owe_unmarked(tiered, batch->items, count);
}

static void
mark_all(struct batch *batch)
{
    struct sf_tiered *tiered = batch->tiered;
    if (!make_items(batch)) {
        owe_all(tiered);
        return;
    }
    if (!sf_l2_call(tiered->l2, SF_STORE_WRITES, SF_L2_HIDE, batch->items, batch->marked))
        sf_tiered_count(tiered, SF_L2_COUNT_FAILED, 1);
    owe_unmarked(tiered, batch->items, batch->marked);
}

/* What may still be written, late, stays marked for as long as marks stay. */
static void
show_all(struct batch *batch)
{
    for (size_t i = 0; i < batch->marked; i++)
        if (batch->writes[batch->at[i]].status == SF_UNCERTAIN)
            batch->items[i].ticket.mark = 0;
    (void)sf_l2_call(batch->tiered->l2, SF_STORE_WRITES, SF_L2_SHOW, batch->items, batch->marked);
    note_losses(batch->tiered); /* nobody knows whether those marks have lasted */
    mark_again(batch);
}

/* ---- writing ---- */

static bool
is_change_on(const struct batch *batch, size_t i, const bool servers[SF_STORE_HOSTS_MAX])
{
    return batch->writes[i].kind == SF_WRITE_PUT && servers[sf_l2_place(batch->tiered->l2, &batch->writes[i].key)];
}

/* Before anything is written. false: what is to be changed may be seen as it was, and nobody can be told. */
static bool
cover(const struct batch *batch)
{
    struct sf_tiered *tiered = batch->tiered;
    bool is_open[SF_STORE_HOSTS_MAX], has_moved[SF_STORE_HOSTS_MAX] = {false};
    bool is_covered = true;
    sf_time now = sf_clock_steady();
    for (size_t i = 0; i < tiered->l2->server_count; i++)
        is_open[i] = tiered->owes[i] && now >= tiered->covered_until[i];
    move_on(tiered, false, has_moved, batch->deadline);
    for (size_t i = 0; i < tiered->l2->server_count; i++)
        is_open[i] &= !has_moved[i];
    for (size_t i = 0; i < batch->count && is_covered; i++)
        is_covered = !is_change_on(batch, i, is_open);
    return is_covered;
}

static void
write_batch(struct batch *batch)
{
    struct sf_store *inner = batch->tiered->inner;
    if (cover(batch))
        (void)!inner->ops->write(inner, batch->writes, batch->count, batch->deadline);
    else
        for (size_t i = 0; i < batch->count; i++)
            batch->writes[i].status = SF_UNAVAILABLE;
}

/* What L2 may still show as it was is stored, but does not count as that until it is written once more. */
static void
take_back(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct sf_write *write = &batch->writes[i];
        if (write->status != SF_OK || !is_change_on(batch, i, batch->tiered->owes))
            continue;
        write->status = SF_UNCERTAIN;
        write->is_news = false;
        if (write->merged != NULL)
            sf_buffer_clear(write->merged);
    }
}

enum sf_status
sf_tiered_write(struct sf_store *store, struct sf_write *writes, size_t count, sf_time deadline)
{
    struct sf_tiered *tiered = (struct sf_tiered *)store;
    struct batch batch = {.tiered = tiered, .writes = writes, .count = count, .deadline = deadline};
    if (sf_l2_epochs_are_due(&tiered->epochs, EPOCH_AGE, sf_clock_steady()))
        (void)read_epochs(tiered, LOADER_PATIENCE, deadline);
    mark_all(&batch);
    if (sf_l2_epochs_are_disputed(&tiered->epochs))
        owe_all(tiered);
    write_batch(&batch);
    show_all(&batch);
    settle(tiered);
    if (owes_any(tiered, sf_clock_steady()))
        pay(tiered, false, deadline);
    take_back(&batch);
    free(batch.items);
    free(batch.at);
    sf_tiered_log_states(tiered);
    return sf_store_worst(writes, count);
}
