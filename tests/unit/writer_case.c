/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/writer_case.h"

#include <check.h>
#include <string.h>

struct sf_test_cache cache;
struct sf_store *store;
struct sf_batch_writer *writer;
struct sf_batch_writer_state state;
sf_time now;
struct sf_kept_lines kept;

void
set_up(void)
{
    sf_test_cache_init(&cache, 4 * SF_L1_BYTES_MIN);
    store = NULL;
    writer = NULL;
    now = 1000000;
    sf_kept_lines_init(&kept);
}

void
tear_down(void)
{
    sf_batch_writer_free(writer);
    sf_store_close(store);
    sf_test_cache_fini(&cache);
}

void
open_writer(const char *url, size_t batch_max)
{
    struct sf_error error;
    const struct sf_batch_writer_options options = {
        .flush_batch = 10, .flush_delay = DELAY, .write_deadline = 1000, .batch_max = batch_max};
    ck_assert_msg(sf_store_open(&store, url, "/nowhere", &error) == SF_OK, "%s", error.text);
    ck_assert_int_eq(sf_batch_writer_new(&writer, cache.l1, store, &options, &kept.log), SF_OK);
}

void
open_quiet_writer(const char *url)
{
    open_writer(url, 0);
    (void)sf_batch_writer_step(writer, now);
}

void
open_writer_refusing(unsigned number)
{
    struct sf_key key = sf_test_cache_key(number);
    char url[64] = "fail:refuse=";
    sf_key_format(&key, url + strlen(url));
    open_quiet_writer(url);
}

void
step(void)
{
    sf_time next = sf_batch_writer_step(writer, now);
    ck_assert_int_ge(next, now);
    sf_batch_writer_state(writer, &state);
}

void
step_after(sf_time pause)
{
    now += pause;
    step();
}

void
change(unsigned number)
{
    sf_test_count_up(cache.l1, number);
}

uint64_t
stored_version(unsigned number)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_stored stored;
    struct sf_record_head head = {.version = 0};
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    if (sf_store_load_one(store, &key, sf_clock_steady() + 1000, &stored) == SF_OK)
        ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&stored.record)), SF_OK);
    sf_buffer_fini(&stored.record);
    return head.version;
}

sf_time
stored_access(unsigned number)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_stored stored;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_store_load_one(store, &key, sf_clock_steady() + 1000, &stored), SF_OK);
    sf_buffer_fini(&stored.record);
    return stored.last_access;
}
