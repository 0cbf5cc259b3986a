/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/journal_case.h"

#include <check.h>

struct sf_test_cache cache;
struct sf_temp_folder folder;
struct sf_journal *journal;
struct sf_journal_state state;
struct sf_store *store;
struct sf_journal_options options;
struct sf_kept_lines kept;

void
open_journal(void)
{
    struct sf_error error;
    ck_assert_msg(sf_journal_open(&journal, cache.l1, &options, &kept.log, &error) == SF_OK, "%s", error.text);
}

void
set_up(void)
{
    struct sf_error error;
    sf_test_cache_init(&cache, 4 * SF_L1_BYTES_MIN);
    sf_temp_folder_init(&folder);
    sf_kept_lines_init(&kept);
    options = (struct sf_journal_options){.folder = folder.path, .bytes_max = UINT64_MAX};
    ck_assert_int_eq(sf_store_open(&store, "memory:test", "/nowhere", &error), SF_OK);
    open_journal();
}

void
tear_down(void)
{
    sf_journal_close(journal);
    sf_store_close(store);
    sf_temp_folder_fini(&folder);
    sf_test_cache_fini(&cache);
}

void
lose_cache(void)
{
    sf_test_cache_fini(&cache);
    sf_test_cache_init(&cache, 4 * SF_L1_BYTES_MIN);
}

void
restart(void)
{
    sf_journal_close(journal);
    sf_kept_lines_init(&kept);
    open_journal();
}

void
change(uint64_t number)
{
    sf_test_count_up(cache.l1, number);
}

enum sf_status
commit_as(uint64_t number, uint64_t version, bool is_orphan)
{
    struct sf_journal_mark mark = {.key = sf_test_cache_key(number), .version = version, .is_orphan = is_orphan};
    enum sf_status status = sf_journal_commit(journal, &mark, 1);
    ck_assert(status == SF_OK || mark.status == SF_UNCERTAIN);
    sf_journal_trim(journal);
    sf_journal_state(journal, &state);
    return mark.status;
}

enum sf_status
commit(uint64_t number)
{
    return commit_as(number, 1, false);
}

uint64_t
journalled(uint64_t number)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_stored stored;
    struct sf_record_head head = {.version = 0};
    bool is_final;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    if (sf_journal_load(journal, &key, &stored, &is_final) == SF_OK)
        ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&stored.record)), SF_OK);
    sf_buffer_fini(&stored.record);
    return head.version;
}

void
note_stored(uint64_t number, uint64_t version)
{
    struct sf_key key = sf_test_cache_key(number);
    sf_journal_stored(journal, &key, version, sf_clock_steady());
    sf_journal_trim(journal);
    sf_journal_state(journal, &state);
}
