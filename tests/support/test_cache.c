/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
must(enum sf_status status, const char *what, const struct sf_error *error)
{
    if (status == SF_OK)
        return;
    fprintf(stderr, "%s: %s %s\n", what, sf_status_name(status), error != NULL ? error->text : "");
    abort();
}

void
sf_test_cache_instance(struct sf_instance *instance_out, const char *folder)
{
    *instance_out = (struct sf_instance){.run = ""};
    snprintf(instance_out->run, sizeof(instance_out->run), "%s", folder);
    snprintf(instance_out->cache_path, sizeof(instance_out->cache_path), "%s/l1.cache", folder);
    snprintf(instance_out->cache_lock_path, sizeof(instance_out->cache_lock_path), "%s/l1.lock",
             folder);
}

struct sf_l1 *
sf_test_cache_attach(const struct sf_test_cache *cache)
{
    struct sf_l1 *l1;
    struct sf_error error = {.status = SF_OK};

    must(sf_l1_attach(&l1, &cache->instance, SF_L1_READ_WRITE, &error), "attach", &error);
    return l1;
}

void
sf_test_cache_init(struct sf_test_cache *cache, uint64_t bytes)
{
    struct sf_l1_made made;
    struct sf_error error = {.status = SF_OK};

    sf_temp_folder_init(&cache->folder);
    sf_test_cache_instance(&cache->instance, cache->folder.path);
    must(sf_l1_create(&cache->instance, bytes, &made, &error), "create", &error);
    cache->l1 = sf_test_cache_attach(cache);
}

void
sf_test_cache_fini(struct sf_test_cache *cache)
{
    sf_l1_close(cache->l1);
    sf_temp_folder_fini(&cache->folder);
}

struct sf_key
sf_test_cache_key(uint64_t number)
{
    struct sf_key key;
    uint64_t mixed = (number + 1) * 0x9E3779B97F4A7C15u;

    memcpy(key.bytes, &mixed, sizeof(mixed));
    memcpy(key.bytes + sizeof(mixed), &number, sizeof(number));
    return key;
}

struct sf_l1_change
sf_test_change(const struct sf_ops *ops, sf_time now)
{
    return (struct sf_l1_change){
        .ops = ops,
        .now = now,
        .max_bytes = 65536,
        .idle_timeout = 30 * SF_MINUTE,
        .absolute_timeout = 12 * SF_HOUR,
        .rotate_grace = 10 * SF_SECOND,
        .tombstone_lifetime = SF_HOUR,
        .end_reason = SF_END_LOGOUT,
    };
}

/* ---- one list of one operation ---- */

static enum sf_status
apply_one(struct sf_l1 *l1, const struct sf_key *key, const struct sf_op *op,
          const struct sf_key *new_key, uint64_t *version_out)
{
    struct sf_ops ops;
    struct sf_l1_applied applied;

    sf_ops_init(&ops);
    must(sf_ops_add(&ops, op), "add", NULL);
    struct sf_l1_change change = sf_test_change(&ops, SF_TEST_NOW);
    change.new_key = new_key;
    change.may_create = key == NULL;
    enum sf_status status = sf_l1_apply(l1, key, &change, NULL, &applied);
    if (version_out != NULL)
        *version_out = applied.version;
    sf_ops_fini(&ops);
    return status;
}

static struct sf_op
set_op(const char *name, const char *text)
{
    return (struct sf_op){
        .kind = SF_OP_SET,
        .name = sf_span_text(name),
        .value = {.type = SF_VALUE_STRING, .bytes = sf_span_text(text)},
    };
}

enum sf_status
sf_test_create(struct sf_l1 *l1, uint64_t number, const char *name, const char *text)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_op op = set_op(name, text);

    return apply_one(l1, NULL, &op, &key, NULL);
}

enum sf_status
sf_test_set(struct sf_l1 *l1, uint64_t number, const char *name, const char *text)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_op op = set_op(name, text);

    return apply_one(l1, &key, &op, NULL, NULL);
}

enum sf_status
sf_test_increment(struct sf_l1 *l1, uint64_t number, const char *name, uint64_t *version_out)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_op op = {.kind = SF_OP_INCREMENT, .name = sf_span_text(name), .delta = 1};

    return apply_one(l1, &key, &op, NULL, version_out);
}

void
sf_test_count_up(struct sf_l1 *l1, uint64_t number)
{
    if (sf_test_look(l1, number, "count").status == SF_NOT_FOUND)
        must(sf_test_create(l1, number, "count", "0"), "create", NULL);
    else
        must(sf_test_increment(l1, number, "count", NULL), "increment", NULL);
}

enum sf_status
sf_test_end(struct sf_l1 *l1, uint64_t number)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_op op = {.kind = SF_OP_END};

    return apply_one(l1, &key, &op, NULL, NULL);
}

enum sf_status
sf_test_rotate(struct sf_l1 *l1, uint64_t number, uint64_t new_number, const char *user)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_key new_key = sf_test_cache_key(new_number);
    struct sf_op op = {.kind = user != NULL ? SF_OP_LOGIN : SF_OP_ROTATE,
                       .name = sf_span_text(user)};

    return apply_one(l1, &key, &op, &new_key, NULL);
}

/* ---- records ---- */

static void
encode_stored(struct sf_buffer *record_out, uint64_t version, const char *text)
{
    struct sf_field field = {sf_span_text("value"),
                             {.type = SF_VALUE_STRING, .bytes = sf_span_text(text)}};
    struct sf_record_head head = {
        .kind = SF_RECORD_SESSION,
        .version = version,
        .created = SF_TEST_NOW,
        .last_access = SF_TEST_NOW,
        .idle_timeout = 30 * SF_MINUTE,
        .field_count = 1,
    };

    must(sf_record_encode(record_out, &head, &field, SF_RECORD_BYTES_MAX), "encode", NULL);
}

enum sf_status
sf_test_fill(struct sf_l1 *l1, uint64_t number, uint64_t version, const char *text)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_buffer record;
    struct sf_l1_view view;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    enum sf_status status = sf_l1_get(l1, &key, &record, &view);
    if (status == SF_NOT_FOUND) {
        encode_stored(&record, version, text);
        status = sf_l1_fill(l1, &key, sf_buffer_span(&record), SF_TEST_NOW, &view.vacancy);
    }
    sf_buffer_fini(&record);
    return status;
}

enum sf_status
sf_test_confirm(struct sf_l1 *l1, uint64_t number, uint64_t version, sf_time last_access,
                const struct sf_l1_question *question)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_buffer record;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    encode_stored(&record, version, "stored");
    enum sf_status status = sf_l1_confirm(
        l1, &key, &(struct sf_l1_answer){sf_buffer_span(&record), last_access, false}, question);
    sf_buffer_fini(&record);
    return status;
}

void
sf_test_hand_over(struct sf_l1 *to, struct sf_l1 *from, uint64_t number)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_l1_question question;
    struct sf_l1_view view;
    struct sf_buffer record;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    sf_l1_ask(to, &key, &question);
    must(sf_l1_get(from, &key, &record, &view), "read a session", NULL);
    const struct sf_l1_answer answer = {sf_buffer_span(&record), view.last_access, false};
    must(sf_l1_confirm(to, &key, &answer, &question), "hand over a session", NULL);
    sf_buffer_fini(&record);
}

static void
see_field(struct sf_test_seen *seen, struct sf_span record, const char *name)
{
    struct sf_value value;

    if (name == NULL || sf_record_find(&value, record, sf_span_text(name)) != SF_OK)
        return;
    seen->integer = value.integer;
    if (value.type != SF_VALUE_INTEGER)
        snprintf(seen->text, sizeof(seen->text), "%.*s", (int)value.bytes.size,
                 (const char *)value.bytes.data);
}

struct sf_test_seen
sf_test_look(struct sf_l1 *l1, uint64_t number, const char *name)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_test_seen seen = {.text = ""};
    struct sf_l1_view view;
    struct sf_record_head head;
    struct sf_buffer record;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    seen.status = sf_l1_get(l1, &key, &record, &view);
    if (seen.status == SF_OK)
        seen.status = sf_record_head(&head, sf_buffer_span(&record));
    if (seen.status == SF_OK) {
        seen.kind = head.kind;
        seen.version = head.version;
        seen.is_clean = view.is_clean;
        see_field(&seen, sf_buffer_span(&record), name);
    }
    sf_buffer_fini(&record);
    return seen;
}

size_t
sf_test_settle_all(struct sf_l1 *l1)
{
    struct sf_l1_cursor cursor = {.hint = 0};
    struct sf_l1_dirty items[8];
    size_t settled = 0, taken;

    memset(items, 0, sizeof(items));
    do {
        taken = sf_l1_dirty_take(l1, &cursor, items, 8);
        for (size_t i = 0; i < taken; i++)
            sf_l1_settle(l1, &items[i].ticket, sf_clock_steady());
        settled += taken;
    } while (taken == 8);
    sf_l1_dirty_fini(items, 8);
    return settled;
}

size_t
sf_test_repair_all(struct sf_l1 *l1, sf_time now)
{
    uint32_t cursor = 0;

    return sf_l1_repair(l1, now, &cursor, UINT32_MAX);
}
