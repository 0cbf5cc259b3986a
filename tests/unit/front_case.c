/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/front_case.h"

#include <check.h>
#include <string.h>

#include "common/front/resp.h"
#include "tests/support/test_cache.h"

struct sf_temp_folder folder;
struct sf_instance instance;
struct sf_config config;
struct sf_front *front;
struct sf_fake_daemon fake;
struct sf_loaded loaded;
struct sf_saved saved;
struct sf_ops ops;

void
make_cache(void)
{
    struct sf_l1_made made;
    struct sf_error error = {.text = ""};
    ck_assert_msg(sf_l1_create(&instance, 4 * SF_L1_BYTES_MIN, &made, &error) == SF_OK, "%s", error.text);
}

static void
open_front(void)
{
    struct sf_error error = {.text = ""};
    ck_assert_msg(sf_front_open(&front, &instance, NULL, &error) == SF_OK, "%s", error.text);
}

void
set_up_without_cache(void)
{
    struct sf_error error = {.text = ""};
    sf_temp_folder_init(&folder);
    sf_config_init(&config);
    config.instance = folder.path;
    config.login_durability = SF_DURABILITY_MEMORY;
    config.deadline = 2 * SF_SECOND;
    ck_assert_msg(sf_instance_resolve(&instance, &config, &error) == SF_OK, "%s", error.text);
    sf_loaded_init(&loaded);
    sf_ops_init(&ops);
    open_front();
}

void
set_up(void)
{
    set_up_without_cache();
    sf_front_close(front);
    make_cache();
    open_front();
}

void
tear_down(void)
{
    sf_ops_fini(&ops);
    sf_loaded_fini(&loaded);
    sf_front_close(front);
    sf_temp_folder_fini(&folder);
}

struct sf_buffer
make_reply(const struct sf_buffer *record)
{
    struct sf_buffer reply;
    sf_buffer_init(&reply, 10000);
    ck_assert_int_eq(sf_resp_append_array(&reply, 2), SF_OK);
    ck_assert_int_eq(sf_resp_append_bulk(&reply, sf_buffer_span(record)), SF_OK);
    ck_assert_int_eq(sf_resp_append_integer(&reply, NOW), SF_OK);
    return reply;
}

bool
request_begins(size_t number, const char *text)
{
    return strncmp(fake.requests[number], text, strlen(text)) == 0;
}

enum sf_status
load(const struct sf_key *key, sf_time now)
{
    return sf_front_load(front, key, &config, now, &loaded);
}

enum sf_status
apply(const struct sf_key *key, sf_time now)
{
    enum sf_status status = sf_front_apply(front, key, &ops, &config, now, &saved);
    sf_ops_fini(&ops);
    sf_ops_init(&ops);
    return status;
}

void
add_set(const char *name, const char *value)
{
    ck_assert_int_eq(sf_ops_add_set(&ops, sf_span_text(name), sf_span_text(value)), SF_OK);
}

void
add(enum sf_op_kind kind, const char *name)
{
    ck_assert_int_eq(sf_ops_add_name(&ops, kind, sf_span_text(name)), SF_OK);
}

struct sf_key
make_session(void)
{
    add_set("color", "red");
    ck_assert_int_eq(apply(NULL, NOW), SF_OK);
    return saved.id.key;
}

bool
field_is(const char *name, const char *value)
{
    const struct sf_field *field = sf_session_find(&loaded.session, sf_span_text(name));
    return field != NULL && sf_span_equal(field->value.bytes, sf_span_text(value));
}
