/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_tiered_write.c - every session of a batch is marked in L2, written, and shown again.
 *
 * While the mark is there nobody gets a value in, so that when the batch is through no old one is there, and none on
 * its way. Where the mark cannot be set, or did not last, the server's epoch moves on: in the same batch, and once more
 * behind it if that took long. Other hosts see it within their freshness and leave the server alone for SF_L2_PAUSE;
 * what is written in the first two thirds of that needs no further move.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/store/store_tiered_private.h"

#define EPOCH_AGE SF_SECOND  /* of what is known when a batch is written */
#define LOADER_PATIENCE 250  /* ms: so long the loader may be inside the store */

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

/*
 * The loader may be inside the store for as long as its deadline: that is not waited for. Not by a timed lock, whose
 * clock may be set.
 */
static bool
lock_loads(struct sf_tiered *tiered)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int waited = 0; waited < LOADER_PATIENCE; waited++) {
        if (pthread_mutex_trylock(&tiered->load_lock) == 0)
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

static bool
read_epochs(struct sf_tiered *tiered, sf_time deadline)
{
    if (!lock_loads(tiered))
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

static void
make_moves(struct sf_tiered *tiered, struct moves *moves, bool is_start, sf_time deadline)
{
    moves->count = 0;
    moves->begun = sf_clock_steady();
    if (!owes_any(tiered, moves->begun) || !read_epochs(tiered, deadline))
        return;
    for (unsigned i = 0; i < tiered->l2->server_count; i++)
        if (tiered->owes[i])
            add_move(tiered, moves, i, is_start && !sf_l2_epochs_is_known(&tiered->epochs, i));
}

static void
end_moves(struct sf_tiered *tiered, struct moves *moves)
{
    for (size_t i = 0; i < moves->count; i++) {
        if (moves->writes[i].status == SF_OK && !moves->is_first[i]) {
            tiered->covered_until[moves->servers[i]] = moves->begun + tiered->epochs.pause / 3 * 2;
            sf_tiered_count(tiered, SF_L2_COUNT_DISOWNED, 1);
        }
        sf_buffer_fini(&moves->records[i]);
    }
}

/*
 * What was written up to now is covered, or still owed. A move that did nothing because another host was first is as
 * good, for that was after the epochs were read; so it is from then that the time counts.
 */
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
    struct moves moves;
    make_moves(tiered, &moves, is_start, deadline);
    if (moves.count > 0)
        (void)!tiered->inner->ops->write(tiered->inner, moves.writes, moves.count, deadline);
    for (size_t i = 0; i < moves.count; i++)
        tiered->owes[moves.servers[i]] &= moves.writes[i].status != SF_OK;
    end_moves(tiered, &moves);
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
    mark_again(batch);
}

/* ---- writing ---- */

static void
write_with_moves(struct batch *batch, struct moves *moves)
{
    struct sf_store *inner = batch->tiered->inner;
    size_t all = batch->count + moves->count;
    struct sf_write *writes = calloc(all + 1, sizeof *writes);
    if (writes == NULL) {
        (void)!inner->ops->write(inner, batch->writes, batch->count, batch->deadline);
        return;
    }
    memcpy(writes, batch->writes, batch->count * sizeof *writes);
    memcpy(writes + batch->count, moves->writes, moves->count * sizeof *writes);
    (void)!inner->ops->write(inner, writes, all, batch->deadline);
    memcpy(batch->writes, writes, batch->count * sizeof *writes);
    memcpy(moves->writes, writes + batch->count, moves->count * sizeof *writes);
    free(writes);
}

static void
write_batch(struct batch *batch)
{
    struct sf_tiered *tiered = batch->tiered;
    struct moves moves;
    make_moves(tiered, &moves, false, batch->deadline);
    if (moves.count == 0)
        (void)!tiered->inner->ops->write(tiered->inner, batch->writes, batch->count, batch->deadline);
    else
        write_with_moves(batch, &moves);
    end_moves(tiered, &moves);
}

enum sf_status
sf_tiered_write(struct sf_store *store, struct sf_write *writes, size_t count, sf_time deadline)
{
    struct sf_tiered *tiered = (struct sf_tiered *)store;
    struct batch batch = {.tiered = tiered, .writes = writes, .count = count, .deadline = deadline};
    if (sf_l2_epochs_are_due(&tiered->epochs, EPOCH_AGE, sf_clock_steady()))
        (void)read_epochs(tiered, deadline);
    mark_all(&batch);
    if (sf_l2_epochs_are_disputed(&tiered->epochs))
        owe_all(tiered);
    write_batch(&batch);
    show_all(&batch);
    settle(tiered);
    if (owes_any(tiered, sf_clock_steady()))
        pay(tiered, false, deadline);
    free(batch.items);
    free(batch.at);
    sf_tiered_log_states(tiered);
    return sf_store_worst(writes, count);
}
