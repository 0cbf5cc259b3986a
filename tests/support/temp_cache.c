/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/temp_cache.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/test_records.h"

static void
require(bool is_well, const char *text)
{
    if (is_well)
        return;
    fprintf(stderr, "temp_cache: %s\n", text);
    exit(EXIT_FAILURE);
}

static void
name_files(struct sf_instance *instance, const char *folder)
{
    snprintf(instance->run, sizeof instance->run, "%s", folder);
    snprintf(instance->state, sizeof instance->state, "%s", folder);
    snprintf(instance->cache_path, sizeof instance->cache_path, "%s/l1.cache", folder);
    snprintf(instance->cache_lock_path, sizeof instance->cache_lock_path, "%s/l1.lock", folder);
}

void
sf_temp_cache_init(struct sf_temp_cache *cache)
{
    struct sf_error error = {.status = SF_OK};
    struct sf_l1_made made;
    *cache = (struct sf_temp_cache){.wall = sf_clock_wall()};
    sf_temp_folder_init(&cache->folder);
    name_files(&cache->instance, cache->folder.path);
    require(sf_l1_create(&cache->instance, 4 * SF_L1_BYTES_MIN, &made, &error) == SF_OK, error.text);
    require(sf_l1_attach(&cache->l1, &cache->instance, SF_L1_READ_WRITE, &error) == SF_OK, error.text);
}

void
sf_temp_cache_fini(struct sf_temp_cache *cache)
{
    sf_l1_close(cache->l1);
    sf_temp_folder_fini(&cache->folder);
}

static void
apply(struct sf_temp_cache *cache, unsigned number, const struct sf_ops *ops)
{
    struct sf_key key = sf_test_key(number);
    struct sf_l1_applied applied;
    struct sf_l1_change change = {
        .ops = ops,
        .now = cache->wall,
        .max_bytes = SF_RECORD_BYTES_MAX,
        .idle_timeout = SF_TEMP_CACHE_IDLE,
        .tombstone_lifetime = SF_HOUR,
        .end_reason = SF_END_LOGOUT,
        .new_key = &key,
        .may_create = true,
    };
    bool is_there = sf_temp_cache_version(cache, number) != 0;
    enum sf_status status = sf_l1_apply(cache->l1, is_there ? &key : NULL, &change, NULL, &applied);
    require(status == SF_OK, sf_status_name(status));
}

void
sf_temp_cache_change(struct sf_temp_cache *cache, unsigned number)
{
    struct sf_ops ops;
    sf_ops_init(&ops);
    require(sf_ops_add_increment(&ops, sf_span_text("count"), 1) == SF_OK, "ops");
    apply(cache, number, &ops);
    sf_ops_fini(&ops);
}

void
sf_temp_cache_end(struct sf_temp_cache *cache, unsigned number)
{
    struct sf_ops ops;
    sf_ops_init(&ops);
    require(sf_ops_add_name(&ops, SF_OP_END, sf_span_text(NULL)) == SF_OK, "ops");
    apply(cache, number, &ops);
    sf_ops_fini(&ops);
}

uint64_t
sf_temp_cache_version(struct sf_temp_cache *cache, unsigned number)
{
    struct sf_key key = sf_test_key(number);
    struct sf_buffer record;
    struct sf_l1_view view;
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    enum sf_status status = sf_l1_get(cache->l1, &key, &record, &view);
    sf_buffer_fini(&record);
    return status == SF_OK ? view.head.version : 0;
}
