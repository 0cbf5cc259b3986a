/* SPDX-License-Identifier: Apache-2.0 */
#define XXH_INLINE_ALL
#include "common/store/l2/l2_epochs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define READ_AGAIN SF_SECOND
#define MOVED 1 /* as the generation of a row: somebody has missed something, and counts on the pause */

/* No hash of an id begins so, as far as chance goes. */
static const unsigned char row_prefix[SF_KEY_BYTES - 8] = "sf-epoch";

static uint64_t
hash_of(const char *name)
{
    return XXH3_64bits(name, strlen(name));
}

/* The order in which a host names them makes no difference. */
static uint64_t
hash_of_all(const struct sf_l2 *l2)
{
    uint64_t sum = l2->server_count;
    for (size_t i = 0; i < l2->server_count; i++)
        sum += hash_of(l2->servers[i].name);
    return sum;
}

void
sf_l2_epochs_init(struct sf_l2_epochs *epochs_out, const struct sf_l2 *l2, sf_time pause)
{
    memset(epochs_out, 0, sizeof *epochs_out);
    pthread_mutex_init(&epochs_out->lock, NULL);
    epochs_out->pause = pause;
    epochs_out->count = l2->server_count;
    for (size_t i = 0; i < l2->server_count; i++) {
        memcpy(epochs_out->rows[i].bytes, row_prefix, sizeof row_prefix);
        sf_store_u64(epochs_out->rows[i].bytes + sizeof row_prefix, hash_of(l2->servers[i].name));
    }
    snprintf(epochs_out->list, sizeof epochs_out->list, "%016" PRIx64, hash_of_all(l2));
}

void
sf_l2_epochs_fini(struct sf_l2_epochs *epochs)
{
    pthread_mutex_destroy(&epochs->lock);
}

bool
sf_l2_epochs_has_row(const struct sf_key *key)
{
    return memcmp(key->bytes, row_prefix, sizeof row_prefix) == 0;
}

/* ---- reading ---- */

bool
sf_l2_epochs_are_due(struct sf_l2_epochs *epochs, sf_time age, sf_time now)
{
    pthread_mutex_lock(&epochs->lock);
    bool is_due = epochs->settled != epochs->doubts || epochs->read_at == 0 || epochs->read_at + age <= now;
    if (epochs->failed_at != 0 && now < epochs->failed_at + READ_AGAIN)
        is_due = false;
    pthread_mutex_unlock(&epochs->lock);
    return is_due;
}

/* false: the store has not said what it is. */
static bool
take_row(struct sf_l2_epochs *epochs, size_t server, const struct sf_load *load, sf_time now)
{
    struct sf_record_head head;
    uint64_t epoch = 0;
    bool is_first = false;
    if (load->status == SF_OK && sf_record_head(&head, sf_buffer_span(&load->stored->record)) == SF_OK) {
        epoch = head.version;
        is_first = epochs->epochs[server] == 0 && head.generation != MOVED;
        epochs->is_others[server] = !sf_span_equal(head.user, sf_span_text(epochs->list));
    } else if (load->status != SF_NOT_FOUND) {
        return false;
    }
    if (epoch != epochs->epochs[server])
        epochs->usable_from[server] = is_first ? now : now + epochs->pause;
    epochs->epochs[server] = epoch;
    return true;
}

struct sf_l2_reading
sf_l2_epochs_begin(struct sf_l2_epochs *epochs, sf_time now)
{
    pthread_mutex_lock(&epochs->lock);
    const struct sf_l2_reading reading = {now, epochs->doubts};
    pthread_mutex_unlock(&epochs->lock);
    return reading;
}

bool
sf_l2_epochs_take(struct sf_l2_epochs *epochs, const struct sf_load *loads, const struct sf_l2_reading *reading,
                  sf_time now)
{
    bool is_well = true;
    pthread_mutex_lock(&epochs->lock);
    for (size_t i = 0; i < epochs->count; i++)
        is_well &= take_row(epochs, i, &loads[i], now);
    if (is_well) {
        epochs->read_at = reading->began;
        epochs->settled = reading->doubts;
    }
    epochs->failed_at = is_well ? 0 : now;
    pthread_mutex_unlock(&epochs->lock);
    return is_well;
}

void
sf_l2_epochs_doubt(struct sf_l2_epochs *epochs)
{
    pthread_mutex_lock(&epochs->lock);
    epochs->doubts++;
    pthread_mutex_unlock(&epochs->lock);
}

static bool
are_disputed(const struct sf_l2_epochs *epochs)
{
    bool is_disputed = false;
    for (size_t i = 0; i < epochs->count; i++)
        is_disputed |= epochs->is_others[i];
    return is_disputed;
}

bool
sf_l2_epochs_are_disputed(struct sf_l2_epochs *epochs)
{
    pthread_mutex_lock(&epochs->lock);
    bool is_disputed = are_disputed(epochs);
    pthread_mutex_unlock(&epochs->lock);
    return is_disputed;
}

static uint64_t
epoch_of(const struct sf_l2_epochs *epochs, unsigned server, sf_time now)
{
    bool is_usable = now >= epochs->usable_from[server] && !are_disputed(epochs);
    return is_usable ? epochs->epochs[server] : 0;
}

uint64_t
sf_l2_epochs_of(struct sf_l2_epochs *epochs, unsigned server, sf_time now)
{
    pthread_mutex_lock(&epochs->lock);
    uint64_t epoch = epoch_of(epochs, server, now);
    pthread_mutex_unlock(&epochs->lock);
    return epoch;
}

sf_time
sf_l2_epochs_believe(struct sf_l2_epochs *epochs, unsigned server, uint64_t epoch, sf_time now)
{
    pthread_mutex_lock(&epochs->lock);
    bool is_believed = epochs->settled == epochs->doubts && epoch_of(epochs, server, now) == epoch;
    epochs->has_believed |= is_believed;
    sf_time as_of = is_believed ? epochs->read_at : 0;
    pthread_mutex_unlock(&epochs->lock);
    return as_of;
}

bool
sf_l2_epochs_have_believed(struct sf_l2_epochs *epochs)
{
    pthread_mutex_lock(&epochs->lock);
    bool has_believed = epochs->has_believed;
    epochs->has_believed = false;
    pthread_mutex_unlock(&epochs->lock);
    return has_believed;
}

bool
sf_l2_epochs_is_known(struct sf_l2_epochs *epochs, unsigned server)
{
    pthread_mutex_lock(&epochs->lock);
    bool is_known = epochs->epochs[server] != 0;
    pthread_mutex_unlock(&epochs->lock);
    return is_known;
}

/* ---- moving on ---- */

/* No number is used twice, not even where the row has gone, or the store has gone back. */
enum sf_status
sf_l2_epochs_next(struct sf_l2_epochs *epochs, unsigned server, bool is_first, struct sf_buffer *record,
                  struct sf_write *write_out)
{
    sf_time wall = sf_clock_wall();
    pthread_mutex_lock(&epochs->lock);
    uint64_t next = epochs->epochs[server] + 1;
    uint64_t epoch = next > (uint64_t)wall ? next : (uint64_t)wall;
    pthread_mutex_unlock(&epochs->lock);
    const struct sf_record_head head = {
        .kind = SF_RECORD_ENDED,
        .end_reason = SF_END_ADMIN,
        .version = epoch,
        .generation = is_first ? 0 : MOVED,
        .created = wall,
        .last_access = wall,
        .user = sf_span_text(epochs->list),
    };
    enum sf_status status = sf_record_encode(record, &head, NULL, SF_RECORD_BYTES_MAX);
    *write_out = (struct sf_write){
        .kind = SF_WRITE_PUT,
        .key = epochs->rows[server],
        .version = epoch,
        .last_access = wall,
        .record = sf_buffer_span(record),
    };
    return status;
}
