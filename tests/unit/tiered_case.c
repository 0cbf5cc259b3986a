/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/tiered_case.h"

#include <check.h>
#include <string.h>

#include "common/store/l2/l2_epochs.h"

struct common_store common_store;
struct host hosts[HOSTS];
struct sf_fake_server servers[LOAD_SERVERS];
struct sf_stored stored;

/* ---- the store that both have ---- */

static enum sf_status
common_attach(struct sf_store *store, sf_time deadline, struct sf_error *error)
{
    (void)store;
    (void)deadline;
    (void)error;
    return SF_OK;
}

static bool
is_epoch(const struct sf_key *key)
{
    return memcmp(key->bytes, "sf-epoch", 8) == 0;
}

static void
common_load(struct sf_store *store, struct sf_load *loads, size_t count, sf_time deadline)
{
    (void)store;
    for (size_t i = 0; i < count; i++)
        is_epoch(&loads[i].key) ? common_store.rows++ : common_store.loads++;
    if (common_store.before_load != NULL)
        common_store.before_load();
    if (common_store.fails_loads == SF_OK)
        common_store.memory->ops->load(common_store.memory, loads, count, deadline);
    else
        sf_store_answer_loads(loads, count, common_store.fails_loads);
}

/* As a store does that has no transactions: row by row, and killed in between. */
static void
write_rows(struct sf_write *writes, size_t count, sf_time deadline)
{
    for (size_t i = 0; i < count; i++) {
        if (common_store.is_cut && common_store.rows_left == 0)
            writes[i].status = SF_UNAVAILABLE;
        else
            (void)!common_store.memory->ops->write(common_store.memory, &writes[i], 1, deadline);
        common_store.rows_left -= common_store.rows_left > 0;
    }
}

static enum sf_status
common_write(struct sf_store *store, struct sf_write *writes, size_t count, sf_time deadline)
{
    (void)store;
    if (common_store.before_write != NULL)
        common_store.before_write();
    if (common_store.fails_writes == SF_OK || common_store.fails_writes == SF_UNCERTAIN)
        write_rows(writes, count, deadline);
    for (size_t i = 0; i < count && common_store.fails_writes != SF_OK; i++)
        writes[i].status = common_store.fails_writes;
    return sf_store_worst(writes, count);
}

static enum sf_status
common_scan(struct sf_store *store, const struct sf_key *after, struct sf_span user, size_t limit, sf_time deadline,
            sf_store_visit_fn *visit, void *context)
{
    (void)store;
    return common_store.memory->ops->scan(common_store.memory, after, user, limit, deadline, visit, context);
}

static enum sf_status
common_follow(struct sf_store *store, sf_time until, struct sf_follow *follow)
{
    (void)store;
    (void)until;
    follow->news(follow->context, &common_store.news);
    return SF_OK;
}

static void
common_explain(struct sf_store *store, struct sf_error *error_out)
{
    (void)store;
    *error_out = (struct sf_error){.text = ""};
}

static void
common_close(struct sf_store *store)
{
    (void)store;
}

static const struct sf_store_ops ops = {
    .scheme = "common",
    .flags = SF_STORE_EXPIRES,
    .attach = common_attach,
    .load = common_load,
    .write = common_write,
    .scan = common_scan,
    .follow = common_follow,
    .explain = common_explain,
    .close = common_close,
};

static struct sf_store handle = {.ops = &ops};

/* ---- hosts ---- */

static sf_time
soon(void)
{
    return sf_clock_steady() + 20 * SF_SECOND;
}

static void
start(struct host *host, sf_time freshness, sf_time pause)
{
    struct sf_secrets secrets = {.count = 1};
    struct sf_error error;
    host->l2 = sf_fake_l2_new(servers, LOAD_SERVERS);
    const struct sf_tiered_options options = {.ttl = SF_HOUR,
                                              .freshness = freshness,
                                              .pause = pause,
                                              .secrets = &secrets};
    ck_assert_int_eq(sf_store_tiered_new(&host->store, host->l2, &handle, &options), SF_OK);
    ck_assert_int_eq(host->store->ops->attach(host->store, soon(), &error), SF_OK);
}

void
tiered_restart(struct host *host, sf_time freshness, sf_time pause)
{
    sf_store_close(host->store);
    start(host, freshness, pause);
}

void
tiered_set_up(void)
{
    struct sf_error error;
    common_store = (struct common_store){.loads = 0};
    ck_assert_int_eq(sf_store_open(&common_store.memory, "memory:common", "", &error), SF_OK);
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    memset(hosts, 0, sizeof hosts);
    for (size_t i = 0; i < HOSTS; i++)
        start(&hosts[i], 0, 0);
    for (size_t i = 0; i < HOSTS; i++)
        ck_assert_int_eq(tiered_load(&hosts[i], 999), SF_NOT_FOUND);
}

void
tiered_tear_down(void)
{
    for (size_t i = 0; i < HOSTS; i++)
        sf_store_close(hosts[i].store);
    for (size_t i = 0; i < LOAD_SERVERS; i++)
        sf_fake_server_fini(&servers[i]);
    sf_store_close(common_store.memory);
    sf_buffer_fini(&stored.record);
}

static enum sf_status
write_record(struct host *host, unsigned number, uint64_t version, struct sf_buffer *record)
{
    struct sf_write write = sf_test_put(number, version, record);
    enum sf_status status = host->store->ops->write(host->store, &write, 1, soon());
    ck_assert_int_eq(status, write.status);
    sf_buffer_fini(record);
    return status;
}

enum sf_status
tiered_put(struct host *host, unsigned number, uint64_t version)
{
    struct sf_buffer record = sf_test_record(version, "alice", sf_span_text("x"));
    return write_record(host, number, version, &record);
}

enum sf_status
tiered_end(struct host *host, unsigned number, uint64_t version)
{
    struct sf_buffer record = sf_test_tombstone(version, sf_clock_wall() + SF_HOUR);
    return write_record(host, number, version, &record);
}

struct sf_load
tiered_load_whole(struct host *host, unsigned number)
{
    struct sf_load load = {.key = sf_test_key(number), .stored = &stored};
    host->store->ops->load(host->store, &load, 1, soon());
    return load;
}

enum sf_status
tiered_load(struct host *host, unsigned number)
{
    return tiered_load_whole(host, number).status;
}

uint64_t
tiered_count(const struct host *host, enum sf_l2_count which)
{
    struct sf_tiered_state state;
    sf_store_tiered_state(host->store, &state);
    return state.counts[which];
}

uint64_t
tiered_version(void)
{
    struct sf_record_head head;
    ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&stored.record)), SF_OK);
    return head.version;
}

unsigned
tiered_server(unsigned number)
{
    struct sf_key key = sf_test_key(number);
    return sf_l2_place(hosts[0].l2, &key);
}

struct sf_key
tiered_epoch(unsigned server)
{
    struct sf_l2_epochs epochs;
    sf_l2_epochs_init(&epochs, hosts[0].l2, 0);
    struct sf_key key = epochs.rows[server];
    sf_l2_epochs_fini(&epochs);
    return key;
}
