/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_store.c - the SQLite store: rows a second by batch size, one load; 1 KiB records.
 *
 * bench_store [FOLDER]: where the database is made; without one in the current folder, because /tmp
 * may be memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/random.h"
#include "common/store/store.h"

#define ROWS 20000
#define RECORD_BYTES 1024
#define BATCH_MAX 1000
#define RUN_NS 2000000000u
#define LOADS 50000
#define FILE_NAME "bench_store.db"

static struct sf_key keys[ROWS];
static uint64_t version = 1;

static void
require(bool is_well, const char *what)
{
    if (is_well)
        return;
    fprintf(stderr, "bench_store: %s\n", what);
    exit(EXIT_FAILURE);
}

static void
remove_files(const char *folder)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/" FILE_NAME "%s", folder, endings[i]);
        unlink(path);
    }
}

static void
make_record(struct sf_buffer *record_out)
{
    unsigned char value[RECORD_BYTES - 128];
    require(sf_random_bytes(value, sizeof value) == SF_OK, "no random bytes");
    struct sf_record_head head = {.kind = SF_RECORD_SESSION, .version = 1, .field_count = 1};
    struct sf_field field = {
        .name = sf_span_text("value"),
        .value = {.type = SF_VALUE_BYTES, .bytes = sf_span_of(value, sizeof value)}};
    sf_buffer_init(record_out, SF_RECORD_BYTES_MAX);
    require(sf_record_encode(record_out, &head, &field, SF_RECORD_BYTES_MAX) == SF_OK,
            "cannot encode");
}

/* `first` < 0: random rows. */
static void
write_batch(struct sf_store *store, const struct sf_buffer *record, size_t count, long first)
{
    static struct sf_write writes[BATCH_MAX];
    version++;
    for (size_t i = 0; i < count; i++)
        writes[i] = (struct sf_write){
            .kind = SF_WRITE_PUT,
            .key = keys[first >= 0 ? (size_t)first + i : (size_t)random() % ROWS],
            .version = version,
            .last_access = 1,
            .expires = 1700000000000 + (sf_time)version,
            .record = sf_buffer_span(record),
        };
    enum sf_status status = store->ops->write(store, writes, count, sf_clock_steady() + SF_MINUTE);
    require(status == SF_OK, "a batch was refused");
}

static void
measure_batches(struct sf_store *store, const struct sf_buffer *record, size_t count)
{
    uint64_t begin = sf_clock_ns(), now = begin, worst = 0, rows = 0;
    while (now - begin < RUN_NS) {
        uint64_t before = now;
        write_batch(store, record, count, -1);
        now = sf_clock_ns();
        rows += count;
        if (now - before > worst)
            worst = now - before;
    }
    printf("{\"bench\": \"store_sqlite_write\", \"batch\": %zu, \"rows_per_second\": %.0f,"
           " \"worst_ms\": %.1f}\n",
           count, (double)rows * 1e9 / (double)(now - begin), (double)worst / 1e6);
}

static void
measure_loads(struct sf_store *store)
{
    struct sf_stored stored;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    uint64_t begin = sf_clock_ns();
    for (int i = 0; i < LOADS; i++) {
        const struct sf_key *key = &keys[random() % ROWS];
        enum sf_status status = sf_store_load_one(store, key, sf_clock_steady() + SF_MINUTE, &stored);
        require(status == SF_OK, "a row is missing");
    }
    printf("{\"bench\": \"store_sqlite_load\", \"us\": %.2f}\n",
           (double)(sf_clock_ns() - begin) / LOADS / 1000);
    sf_buffer_fini(&stored.record);
}

int
main(int count, char **arguments)
{
    const char *folder = count > 1 ? arguments[1] : ".";
    struct sf_error error = {.status = SF_OK};
    struct sf_store *store;
    struct sf_buffer record;
    remove_files(folder);
    require(sf_store_open(&store, "sqlite:" FILE_NAME, folder, &error) == SF_OK
                && store->ops->attach(store, sf_clock_steady() + SF_MINUTE, &error) == SF_OK,
            error.text);
    require(sf_random_bytes(keys, sizeof keys) == SF_OK, "no random bytes");
    make_record(&record);
    for (long first = 0; first < ROWS; first += BATCH_MAX)
        write_batch(store, &record, BATCH_MAX, first);
    for (size_t batch = 1; batch <= BATCH_MAX; batch *= 10)
        measure_batches(store, &record, batch);
    measure_loads(store);
    sf_buffer_fini(&record);
    sf_store_close(store);
    remove_files(folder);
    return EXIT_SUCCESS;
}
