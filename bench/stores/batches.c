/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "bench/stores/plain.h"
#include "bench/stores/rounds.h"
#include "common/base/random.h"
#include "common/store/store.h"

#define ROWS 2000 /* of ours; the plain client has those of a round */
#define BATCH_MAX 1000
#define WAIT (30 * SF_SECOND)
#define NS_PER_MS 1000000u

static const unsigned sizes[] = {1, 16, 128, BATCH_MAX};

struct batches {
    const struct rounds_request *request;
    struct sf_store *store;
    struct plain *plain; /* NULL: nobody does that plainly */
    struct sf_key keys[ROWS];
    struct sf_write writes[BATCH_MAX];
    struct sf_load loads[BATCH_MAX];
    struct sf_stored stored[BATCH_MAX];
    struct sf_buffer record, found;
    char *value;
    uint64_t version;
};

/* ---- ours ---- */

/* One record for all: what is measured is the store. */
static bool
make_record(struct batches *batches)
{
    sf_time now = sf_clock_wall();
    struct sf_record_head head = {.kind = SF_RECORD_SESSION,
                                  .version = ++batches->version,
                                  .created = now,
                                  .last_access = now,
                                  .idle_timeout = PLAIN_LIFETIME_S * SF_SECOND,
                                  .field_count = 1};
    struct sf_field field = {.name = sf_span_text("value"),
                             .value = {.type = SF_VALUE_BYTES,
                                       .bytes = sf_span_of(batches->value, batches->request->bytes)}};

    sf_buffer_clear(&batches->record);
    return sf_record_encode(&batches->record, &head, &field, SF_RECORD_BYTES_MAX) == SF_OK;
}

static bool
write_batch(struct batches *batches, size_t first, unsigned count)
{
    sf_time now = sf_clock_wall();

    if (!make_record(batches))
        return false;
    for (unsigned i = 0; i < count; i++)
        batches->writes[i] = (struct sf_write){.kind = SF_WRITE_PUT,
                                               .key = batches->keys[(first + i) % ROWS],
                                               .version = batches->version,
                                               .last_access = now,
                                               .expires = now + PLAIN_LIFETIME_S * SF_SECOND,
                                               .record = sf_buffer_span(&batches->record)};
    struct sf_store *store = batches->store;
    return store->ops->write(store, batches->writes, count, sf_clock_steady() + WAIT) == SF_OK;
}

static bool
is_whole(const struct batches *batches, const struct sf_load *load)
{
    struct sf_span wanted = sf_span_of(batches->value, batches->request->bytes);
    struct sf_value value;

    return load->status == SF_OK &&
           sf_record_find(&value, sf_buffer_span(&load->stored->record), sf_span_text("value")) == SF_OK &&
           sf_span_equal(value.bytes, wanted);
}

static bool
load_batch(struct batches *batches, size_t first, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        batches->loads[i] =
            (struct sf_load){.key = batches->keys[(first + i) % ROWS], .stored = &batches->stored[i]};
    batches->store->ops->load(batches->store, batches->loads, count, sf_clock_steady() + WAIT);
    for (unsigned i = 0; i < count; i++)
        if (!is_whole(batches, &batches->loads[i]))
            return false;
    return true;
}

/* ---- plainly, `count` one after the other ---- */

static bool
save_plainly(struct batches *batches, size_t first, unsigned count)
{
    char id[PLAIN_ID_TEXT];

    for (unsigned i = 0; i < count; i++) {
        plain_id(id, (first + i) % batches->request->sessions);
        if (!batches->plain->ops->save(batches->plain, id, sf_span_of(batches->value, batches->request->bytes)))
            return false;
    }
    return true;
}

static bool
read_plainly(struct batches *batches, size_t first, unsigned count)
{
    char id[PLAIN_ID_TEXT];
    struct sf_span wanted = sf_span_of(batches->value, batches->request->bytes);

    for (unsigned i = 0; i < count; i++) {
        plain_id(id, (first + i) % batches->request->sessions);
        if (!batches->plain->ops->read(batches->plain, id, &batches->found) ||
            !sf_span_equal(sf_buffer_span(&batches->found), wanted))
            return false;
    }
    return true;
}

/* ---- measuring ---- */

typedef bool call_fn(struct batches *batches, size_t first, unsigned count);

static bool
measure(struct batches *batches, const char *what, const char *who, call_fn *call, unsigned count)
{
    uint64_t begin = sf_clock_ns(), calls = 0;
    uint64_t end = begin + (uint64_t)batches->request->milliseconds * NS_PER_MS;

    do {
        if (!call(batches, (size_t)random() % ROWS, count)) /* NOLINT(concurrency-mt-unsafe) */
            return rounds_fail(what, who);
        calls++;
    } while (sf_clock_ns() < end);
    rounds_say(what, who, count, rounds_us_since(begin) / (double)calls);
    return true;
}

static bool
play_round(struct batches *batches)
{
    bool is_plain = batches->plain != NULL;

    if (is_plain && (!measure(batches, "load", "plain", read_plainly, 1) ||
                     !measure(batches, "write", "plain", save_plainly, 1)))
        return false;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (!measure(batches, "load", "session-fast", load_batch, sizes[i]) ||
            !measure(batches, "write", "session-fast", write_batch, sizes[i]))
            return false;
    return true;
}

static bool
fill(struct batches *batches)
{
    char id[PLAIN_ID_TEXT];

    plain_value(batches->value, batches->request->bytes, 0, 0);
    for (size_t first = 0; first < ROWS; first += BATCH_MAX)
        if (!write_batch(batches, first, BATCH_MAX))
            return rounds_fail("write", "the first rows were refused");
    for (unsigned i = 0; batches->plain != NULL && i < batches->request->sessions; i++) {
        plain_id(id, i);
        if (!batches->plain->ops->create(batches->plain, id, sf_span_of(batches->value, batches->request->bytes)))
            return rounds_fail("write", "the first plain rows were refused");
    }
    return true;
}

static bool
prepare(struct batches *batches)
{
    const struct rounds_request *request = batches->request;
    const struct plain_ops *ops = plain_find(request->url);
    struct sf_error error = {.text = "no memory"};

    sf_buffer_init(&batches->record, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&batches->found, SF_RECORD_BYTES_MAX);
    for (int i = 0; i < BATCH_MAX; i++)
        sf_buffer_init(&batches->stored[i].record, SF_RECORD_BYTES_MAX);
    batches->value = malloc(request->bytes);
    if (batches->value == NULL || sf_random_bytes(batches->keys, sizeof batches->keys) != SF_OK ||
        sf_store_open(&batches->store, request->url, request->folder, &error) != SF_OK ||
        batches->store->ops->attach(batches->store, sf_clock_steady() + WAIT, &error) != SF_OK)
        return rounds_fail("open", error.text);
    batches->plain = ops == NULL ? NULL : ops->open(request->url, request->folder);
    return (ops == NULL || batches->plain != NULL) && fill(batches);
}

static void
release(struct batches *batches)
{
    if (batches->plain != NULL)
        batches->plain->ops->close(batches->plain);
    sf_store_close(batches->store);
    for (int i = 0; i < BATCH_MAX; i++)
        sf_buffer_fini(&batches->stored[i].record);
    sf_buffer_fini(&batches->record);
    sf_buffer_fini(&batches->found);
    free(batches->value);
    free(batches);
}

bool
rounds_of_batches(const struct rounds_request *request)
{
    struct batches *all = calloc(1, sizeof *all);

    if (all == NULL)
        return rounds_fail("batches", "no memory");
    all->request = request;
    bool is_well = prepare(all);
    for (unsigned round = 0; is_well && round < request->rounds; round++)
        is_well = play_round(all);
    release(all);
    return is_well;
}
