/* SPDX-License-Identifier: Apache-2.0 */
#include "common/front/front.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cache/l1_layout.h"
#include "tests/support/fake_daemon.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cache.h"
#include "tests/support/test_records.h"

#define NOW ((sf_time)1700000000000)
#define SLACK 400 /* ms that a loaded machine may be late */

static struct sf_temp_folder folder;
static struct sf_instance instance;
static struct sf_config config;
static struct sf_front *front;
static struct sf_fake_daemon fake;
static struct sf_loaded loaded;
static struct sf_saved saved;
static struct sf_ops ops;

/* So many looks into the cache are to find a record that changes meanwhile. */
static unsigned conflicts;

enum sf_status __real_sf_l1_get(struct sf_l1 *l1, const struct sf_key *key, struct sf_buffer *record_out,
                                struct sf_l1_view *view_out);
enum sf_status __wrap_sf_l1_get(struct sf_l1 *l1, const struct sf_key *key, struct sf_buffer *record_out,
                                struct sf_l1_view *view_out);

/* The linker puts it in the place of sf_l1_get. */
enum sf_status
__wrap_sf_l1_get(struct sf_l1 *l1, const struct sf_key *key, struct sf_buffer *record_out,
                 struct sf_l1_view *view_out)
{
    if (conflicts > 0) {
        conflicts--;
        return SF_CONFLICT;
    }
    return __real_sf_l1_get(l1, key, record_out, view_out);
}

static void
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

static void
setup_without_cache(void)
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

static void
setup(void)
{
    setup_without_cache();
    sf_front_close(front);
    make_cache();
    open_front();
}

static void
teardown(void)
{
    sf_ops_fini(&ops);
    sf_loaded_fini(&loaded);
    sf_front_close(front);
    sf_temp_folder_fini(&folder);
}

#define START(...)                                                       \
    static const struct sf_fake_step steps[] = {__VA_ARGS__};             \
    sf_fake_daemon_start(&fake, instance.socket_path, steps, sizeof steps / sizeof steps[0])

static enum sf_status
load(const struct sf_key *key, sf_time now)
{
    return sf_front_load(front, key, &config, now, &loaded);
}

static enum sf_status
apply(const struct sf_key *key, sf_time now)
{
    enum sf_status status = sf_front_apply(front, key, &ops, &config, now, &saved);
    sf_ops_fini(&ops);
    sf_ops_init(&ops);
    return status;
}

static void
add_set(const char *name, const char *value)
{
    ck_assert_int_eq(sf_ops_add_set(&ops, sf_span_text(name), sf_span_text(value)), SF_OK);
}

static void
add(enum sf_op_kind kind, const char *name)
{
    ck_assert_int_eq(sf_ops_add_name(&ops, kind, sf_span_text(name)), SF_OK);
}

/* A session with color=red in L1. */
static struct sf_key
make_session(void)
{
    add_set("color", "red");
    ck_assert_int_eq(apply(NULL, NOW), SF_OK);
    return saved.id.key;
}

static bool
field_is(const char *name, const char *value)
{
    const struct sf_field *field = sf_session_find(&loaded.session, sf_span_text(name));
    return field != NULL && sf_span_equal(field->value.bytes, sf_span_text(value));
}

static bool
request_begins(size_t number, const char *text)
{
    return strncmp(fake.requests[number], text, strlen(text)) == 0;
}

/* ---- load ---- */

START_TEST(test_hit_comes_from_the_cache_and_asks_nobody)
{
    struct sf_key key = make_session();
    START({.reply = NULL});
    ck_assert_int_eq(load(&key, NOW + SF_MINUTE), SF_OK);
    ck_assert_int_eq(loaded.source, SF_FROM_CACHE);
    ck_assert(field_is("color", "red"));
    ck_assert(!loaded.is_former);
    ck_assert_int_eq(loaded.expires, NOW + SF_MINUTE + config.idle_timeout);
    ck_assert_uint_eq(fake.accepted, 0);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_load_keeps_the_session_alive)
{
    struct sf_key key = make_session();
    for (int i = 1; i <= 5; i++)
        ck_assert_int_eq(load(&key, NOW + i * (config.idle_timeout - SF_SECOND)), SF_OK);
}
END_TEST

START_TEST(test_idle_session_is_not_found)
{
    struct sf_key key = make_session();
    ck_assert_int_eq(load(&key, NOW + config.idle_timeout), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_old_session_is_not_found_however_busy)
{
    config.absolute_timeout = SF_HOUR;
    struct sf_key key = make_session();
    ck_assert_int_eq(load(&key, NOW + 20 * SF_MINUTE), SF_OK);
    ck_assert_int_eq(load(&key, NOW + 40 * SF_MINUTE), SF_OK);
    ck_assert_int_eq(loaded.expires, NOW + SF_HOUR);
    ck_assert_int_eq(load(&key, NOW + 60 * SF_MINUTE), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_ended_session_is_not_found)
{
    struct sf_key key = make_session();
    add(SF_OP_END, NULL);
    ck_assert_int_eq(apply(&key, NOW), SF_OK);
    ck_assert(saved.ended && !saved.is_new_id);
    ck_assert_str_eq(saved.id.text, "");
    ck_assert_int_eq(load(&key, NOW), SF_NOT_FOUND);
    add_set("color", "blue");
    ck_assert_int_eq(apply(&key, NOW), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_replaced_id_shows_what_was_until_the_grace_ends)
{
    struct sf_key key = make_session();
    add(SF_OP_LOGIN, "joe");
    ck_assert_int_eq(apply(&key, NOW), SF_OK);
    ck_assert(saved.rotated && saved.is_new_id);
    struct sf_key fresh = saved.id.key;
    ck_assert_int_eq(load(&key, NOW + SF_SECOND), SF_OK);
    ck_assert(loaded.is_former);
    ck_assert_uint_eq(loaded.session.head.user.size, 0);
    ck_assert_int_eq(load(&key, NOW + config.rotate_grace), SF_NOT_FOUND);
    ck_assert_int_eq(load(&fresh, NOW + config.rotate_grace), SF_OK);
    ck_assert(sf_span_equal(loaded.session.head.user, sf_span_text("joe")));
}
END_TEST

/* The session gets a new id, which becomes its key; NULL: ROTATE. */
static struct sf_key
make_new_id(const struct sf_key *key, const char *user)
{
    add(user != NULL ? SF_OP_LOGIN : SF_OP_ROTATE, user);
    ck_assert_int_eq(apply(key, NOW), SF_OK);
    ck_assert(saved.rotated && saved.is_new_id);
    return saved.id.key;
}

START_TEST(test_logout_ends_the_ids_from_before)
{
    struct sf_key anonymous = make_session();
    struct sf_key first = make_new_id(&anonymous, "joe");
    struct sf_key second = make_new_id(&first, NULL);
    struct sf_key third = make_new_id(&second, NULL);
    ck_assert_int_eq(load(&first, NOW), SF_OK);
    ck_assert(loaded.is_former && sf_span_equal(loaded.session.head.user, sf_span_text("joe")));
    add(SF_OP_END, NULL);
    ck_assert_int_eq(apply(&third, NOW), SF_OK);
    ck_assert_int_eq(load(&second, NOW), SF_NOT_FOUND);
    ck_assert_int_eq(load(&first, NOW), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_another_login_ends_the_ids_from_before)
{
    struct sf_key anonymous = make_session();
    struct sf_key first = make_new_id(&anonymous, "joe");
    struct sf_key second = make_new_id(&first, NULL);
    struct sf_key third = make_new_id(&second, "joe");
    ck_assert_int_eq(load(&first, NOW), SF_NOT_FOUND);
    ck_assert_int_eq(load(&second, NOW), SF_NOT_FOUND);
    ck_assert_int_eq(load(&third, NOW), SF_OK);
}
END_TEST

START_TEST(test_replaced_id_gets_no_new_one)
{
    struct sf_key old = make_session();
    struct sf_key fresh = make_new_id(&old, NULL);
    add(SF_OP_LOGIN, "eve");
    ck_assert_int_eq(apply(&old, NOW), SF_NOT_FOUND);
    add(SF_OP_ROTATE, NULL);
    ck_assert_int_eq(apply(&old, NOW), SF_NOT_FOUND);
    ck_assert(!saved.is_new_id);
    add_set("color", "blue");
    ck_assert_int_eq(apply(&old, NOW), SF_OK);
    ck_assert_int_eq(load(&fresh, NOW), SF_OK);
    ck_assert(field_is("color", "blue"));
}
END_TEST

/* The cache has everything but `key`, which is in the store. */
static void
forget(const struct sf_key *key)
{
    struct sf_l1 *l1;
    struct sf_error error = {.text = ""};
    ck_assert_int_eq(sf_l1_attach(&l1, &instance, SF_L1_READ_WRITE, &error), SF_OK);
    ck_assert_uint_gt(sf_test_settle_all(l1), 0);
    ck_assert_int_eq(sf_l1_drop(l1, key), SF_OK);
    sf_l1_close(l1);
}

START_TEST(test_store_decides_about_an_id_whose_session_is_not_in_the_cache)
{
    struct sf_key old = make_session();
    struct sf_key fresh = make_new_id(&old, NULL);
    START({.reply = "-UNAVAILABLE\r\n"}, {.reply = "$-1\r\n"});
    forget(&fresh);
    ck_assert_int_eq(load(&old, NOW), SF_UNAVAILABLE); /* nobody knows: that is no logout */
    ck_assert_int_eq(load(&old, NOW), SF_NOT_FOUND);
    sf_fake_daemon_stop(&fake);
}
END_TEST

/* What the daemon answers to SESSION.LOAD. */
static void
encode_reply(struct sf_buffer *reply, struct sf_span record, sf_time last_access)
{
    sf_buffer_init(reply, 10000);
    ck_assert_int_eq(sf_buffer_append_format(reply, "*2\r\n$%zu\r\n", record.size), SF_OK);
    ck_assert_int_eq(sf_buffer_append_span(reply, record), SF_OK);
    ck_assert_int_eq(sf_buffer_append_format(reply, "\r\n:%lld\r\n", (long long)last_access), SF_OK);
}

static void
start_with_record(const struct sf_buffer *record, struct sf_buffer *reply)
{
    static struct sf_fake_step step;
    encode_reply(reply, sf_buffer_span(record), NOW);
    step = (struct sf_fake_step){.reply = (const char *)reply->data, .bytes = reply->size};
    sf_fake_daemon_start(&fake, instance.socket_path, &step, 1);
}

START_TEST(test_miss_asks_the_daemon)
{
    struct sf_key key = sf_test_key(1);
    struct sf_buffer record = sf_test_record(3, "joe", sf_span_text("green"));
    struct sf_buffer reply;
    start_with_record(&record, &reply);
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert_int_eq(loaded.source, SF_FROM_STORE);
    ck_assert(field_is("value", "green"));
    ck_assert(request_begins(0, "SESSION.LOAD 00000001"));
    ck_assert(sf_front_daemon_is_up(front));
    sf_fake_daemon_stop(&fake);
    sf_buffer_fini(&reply);
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_tombstone_from_the_daemon_is_not_found)
{
    struct sf_key key = sf_test_key(1);
    struct sf_buffer record = sf_test_tombstone(3, NOW + SF_HOUR);
    struct sf_buffer reply;
    start_with_record(&record, &reply);
    ck_assert_int_eq(load(&key, NOW), SF_NOT_FOUND);
    sf_fake_daemon_stop(&fake);
    sf_buffer_fini(&reply);
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_nil_from_the_daemon_is_not_found)
{
    struct sf_key key = sf_test_key(1);
    START({.reply = "$-1\r\n"});
    ck_assert_int_eq(load(&key, NOW), SF_NOT_FOUND);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_whatever_the_daemon_does_wrong_is_no_end_of_a_session)
{
    struct sf_key key = sf_test_key(1);
    START({.reply = "-UNAVAILABLE the store is away\r\n"}, {.reply = "-NO_MEMORY\r\n"}, {.reply = "+OK\r\n"},
          {.reply = ":1\r\n"}, {.reply = "*2\r\n$3\r\nabc\r\n:1\r\n"}, {.reply = "*0\r\n"}, {.reply = "-ERR what\r\n"},
          {.reply = "*2\r\n$0\r\n\r\n:1\r\n"}, {.reply = "rubbish\r\n"}, {.closes = true});
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        enum sf_status status = load(&key, NOW);
        ck_assert_msg(status == SF_UNAVAILABLE || status == SF_UNCERTAIN || status == SF_NO_MEMORY, "%zu: %s", i,
                      sf_status_name(status));
    }
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_dead_daemon_is_unavailable_at_the_deadline)
{
    struct sf_key key = sf_test_key(1);
    config.deadline = 50;
    sf_time before = sf_clock_steady();
    ck_assert_int_eq(load(&key, NOW), SF_UNAVAILABLE);
    ck_assert_int_le(sf_clock_steady() - before, 50 + SLACK);
    ck_assert(!sf_front_daemon_is_up(front));
}
END_TEST

START_TEST(test_hits_go_on_without_a_daemon)
{
    struct sf_key key = make_session();
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    add_set("color", "blue");
    ck_assert_int_eq(apply(&key, NOW), SF_OK);
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert(field_is("color", "blue"));
}
END_TEST

START_TEST(test_record_that_changes_under_each_look_is_looked_at_again)
{
    struct sf_key key = make_session();
    START({.reply = NULL});
    conflicts = 10;
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert_int_eq(loaded.source, SF_FROM_CACHE);
    ck_assert_uint_eq(fake.accepted, 0);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_record_that_never_stands_still_is_no_end_of_a_session)
{
    struct sf_key key = make_session();
    conflicts = 1000000;
    config.deadline = 50;
    ck_assert_int_eq(load(&key, NOW), SF_UNAVAILABLE);
    conflicts = 0;
}
END_TEST

/* ---- apply ---- */

START_TEST(test_new_session_gets_an_id_that_parses)
{
    make_session();
    struct sf_session_id parsed;
    ck_assert(saved.created && saved.is_new_id && saved.changed && !saved.is_durable);
    ck_assert_int_eq(sf_session_id_parse(&parsed, sf_span_text(saved.id.text), sf_front_secrets(front)), SF_OK);
    ck_assert(sf_key_equal(&parsed.key, &saved.id.key));
}
END_TEST

START_TEST(test_nothing_is_created_for_nothing)
{
    add(SF_OP_TOUCH, NULL);
    ck_assert_int_eq(apply(NULL, NOW), SF_NOT_FOUND);
    add(SF_OP_UNSET, "color");
    ck_assert_int_eq(apply(NULL, NOW), SF_NOT_FOUND);
    ck_assert(!saved.is_new_id);
}
END_TEST

START_TEST(test_change_keeps_the_id)
{
    struct sf_key key = make_session();
    add_set("color", "blue");
    ck_assert_int_eq(apply(&key, NOW), SF_OK);
    ck_assert(saved.changed && !saved.is_new_id && !saved.created && !saved.rotated);
    ck_assert_str_eq(saved.id.text, "");
    ck_assert_uint_eq(saved.version, 2);
}
END_TEST

START_TEST(test_refused_ops_change_nothing)
{
    struct sf_key key = make_session();
    ck_assert_int_eq(sf_ops_add_increment(&ops, sf_span_text("color"), 1), SF_OK);
    ck_assert_int_eq(apply(&key, NOW), SF_INVALID);
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert(field_is("color", "red"));
}
END_TEST

START_TEST(test_too_large_a_session_is_full)
{
    struct sf_key key = make_session();
    static char large[3000];
    memset(large, 'x', sizeof large - 1);
    config.max_bytes = 1024;
    add_set("large", large);
    ck_assert_int_eq(apply(&key, NOW), SF_FULL);
}
END_TEST

/* _i: for the store, for the journal. */
START_TEST(test_login_waits_for_store_or_journal)
{
    struct sf_key key = make_session();
    char old_text[SF_KEY_TEXT + 1], new_text[SF_KEY_TEXT + 1], expected[200];
    START({.reply = "+OK\r\n"});
    config.login_durability = _i == 0 ? SF_DURABILITY_STORE : SF_DURABILITY_JOURNAL;
    add(SF_OP_LOGIN, "joe");
    ck_assert_int_eq(apply(&key, NOW), SF_OK);
    ck_assert(saved.is_durable && saved.is_new_id);
    sf_key_format(&key, old_text);
    sf_key_format(&saved.id.key, new_text);
    snprintf(expected, sizeof expected, "SESSION.FLUSH WAIT 3000 %s%s 2 %s 1", _i == 0 ? "" : "JOURNAL ",
             new_text, old_text);
    ck_assert_str_eq(fake.requests[0], expected);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_higher_of_route_and_login_counts)
{
    START({.reply = "+OK\r\n"}, {.reply = "+OK\r\n"});
    config.durability = SF_DURABILITY_STORE;
    config.login_durability = SF_DURABILITY_JOURNAL;
    struct sf_key key = make_session();
    config.durability = SF_DURABILITY_JOURNAL;
    config.login_durability = SF_DURABILITY_STORE;
    add_set("color", "blue");
    ck_assert_int_eq(apply(&key, NOW), SF_OK);
    ck_assert_ptr_null(strstr(fake.requests[0], "JOURNAL"));
    ck_assert_ptr_nonnull(strstr(fake.requests[1], "JOURNAL"));
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_journalled_change_of_the_daemon_is_durable)
{
    START({.reply = "*3\r\n$32\r\n0000000900000000000000000000005f\r\n:1\r\n$26\r\ncreated changed journalled\r\n"});
    config.durability = SF_DURABILITY_JOURNAL;
    add_set("color", "red");
    ck_assert_int_eq(apply(NULL, NOW), SF_OK);
    ck_assert(saved.created && saved.is_durable);
    ck_assert_ptr_nonnull(strstr(fake.requests[0], " CREATE JOURNAL OPS SET color red"));
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_login_that_the_store_does_not_confirm_is_uncertain_and_has_its_id)
{
    struct sf_key key = make_session();
    START({.reply = "-UNAVAILABLE the store did not take it\r\n"});
    config.login_durability = SF_DURABILITY_STORE;
    add(SF_OP_LOGIN, "joe");
    ck_assert_int_eq(apply(&key, NOW), SF_UNCERTAIN);
    ck_assert(saved.is_new_id && saved.rotated && !saved.is_durable);
    struct sf_key fresh = saved.id.key;
    ck_assert_int_eq(load(&fresh, NOW), SF_OK);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_slow_store_has_a_deadline_of_its_own)
{
    struct sf_key key = make_session();
    START({.reply = "+OK\r\n", .delay_ms = 200});
    config.login_durability = SF_DURABILITY_STORE;
    config.deadline = 50;
    add(SF_OP_LOGIN, "joe");
    ck_assert_int_eq(apply(&key, NOW), SF_OK);
    ck_assert(saved.is_durable);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_store_that_is_too_slow_is_waited_for_until_its_deadline)
{
    struct sf_key key = make_session();
    START({.reply = NULL});
    config.login_durability = SF_DURABILITY_STORE;
    config.deadline = 20;
    config.store_deadline = 30;
    add(SF_OP_LOGIN, "joe");
    sf_time before = sf_clock_steady();
    ck_assert_int_eq(apply(&key, NOW), SF_UNCERTAIN);
    ck_assert_int_le(sf_clock_steady() - before, 50 + SLACK);
    ck_assert(saved.rotated && !saved.is_durable);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_route_that_wants_the_store_waits_for_every_change)
{
    START({.reply = "+OK\r\n"}, {.reply = "+OK\r\n"});
    config.durability = SF_DURABILITY_STORE;
    struct sf_key key = make_session();
    ck_assert(saved.is_durable && request_begins(0, "SESSION.FLUSH "));
    add(SF_OP_TOUCH, NULL);
    ck_assert_int_eq(apply(&key, NOW), SF_OK); /* no change: nothing to wait for */
    ck_assert_uint_eq(fake.answered, 1);
    add_set("color", "red");
    ck_assert_int_eq(apply(&key, NOW), SF_OK); /* it is there already, but the store may not have it yet */
    ck_assert_uint_eq(fake.answered, 2);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_change_of_an_unknown_session_asks_first)
{
    struct sf_key key = sf_test_key(9);
    START({.reply = "$-1\r\n"}, {.reply = "-UNAVAILABLE\r\n"});
    add_set("color", "blue");
    ck_assert_int_eq(apply(&key, NOW), SF_NOT_FOUND);
    ck_assert(request_begins(0, "SESSION.LOAD 00000009"));
    add_set("color", "blue");
    ck_assert_int_eq(apply(&key, NOW), SF_UNAVAILABLE);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_session_that_the_cache_cannot_keep_is_changed_by_the_daemon)
{
    struct sf_key key = sf_test_key(9);
    struct sf_buffer record = sf_test_record(3, "joe", sf_span_text("green"));
    struct sf_buffer reply;
    encode_reply(&reply, sf_buffer_span(&record), NOW);
    const struct sf_fake_step steps[] = {
        {.reply = (const char *)reply.data, .bytes = reply.size},
        {.reply = "*3\r\n$32\r\n0000000900000000000000000000005f\r\n:4\r\n$14\r\nchanged stored\r\n"},
    };
    sf_fake_daemon_start(&fake, instance.socket_path, steps, 2);
    config.durability = SF_DURABILITY_STORE;
    add_set("color", "blue");
    ck_assert_int_eq(apply(&key, NOW), SF_OK);
    ck_assert(saved.changed && saved.is_durable && !saved.is_new_id);
    ck_assert_uint_eq(saved.version, 4);
    ck_assert_str_eq(fake.requests[1],
                     "SESSION.APPLY 0000000900000000000000000000005f MAXBYTES 65536 IDLE 1800000 ABSOLUTE 43200000 "
                     "GRACE 10000 TOMBSTONE 3600000 WAIT 3000 STORE OPS SET color blue");
    sf_fake_daemon_stop(&fake);
    sf_buffer_fini(&reply);
    sf_buffer_fini(&record);
}
END_TEST

/* ---- without a cache, and when one comes ---- */

START_TEST(test_without_a_cache_the_daemon_does_it)
{
    START({.reply = "*3\r\n$32\r\n0000000900000000000000000000005f\r\n:1\r\n$15\r\ncreated changed\r\n"});
    add_set("color", "red");
    ck_assert_int_eq(apply(NULL, NOW), SF_OK);
    ck_assert(saved.created && saved.is_new_id);
    ck_assert(request_begins(0, "SESSION.APPLY - NEWKEY "));
    ck_assert_ptr_nonnull(strstr(fake.requests[0], " CREATE OPS SET color red"));
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_change_without_an_answer_claims_nothing)
{
    START({.reply = NULL, .closes = true});
    add_set("color", "red");
    ck_assert_int_eq(apply(NULL, NOW), SF_UNCERTAIN);
    ck_assert(!saved.created && !saved.is_new_id);
    ck_assert_str_eq(saved.id.text, "");
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_change_that_only_the_store_has_not_confirmed_has_its_id)
{
    START({.reply = "-UNCERTAIN changed in the cache, but the store has not confirmed\r\n"});
    add_set("color", "red");
    ck_assert_int_eq(apply(NULL, NOW), SF_UNCERTAIN);
    ck_assert(saved.created && saved.is_new_id);
    ck_assert_uint_eq(strlen(saved.id.text), SF_ID_TEXT);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_cache_is_attached_when_it_appears)
{
    make_cache();
    struct sf_key key = make_session();
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert_int_eq(loaded.source, SF_FROM_CACHE);
}
END_TEST

/* As the daemon does when it must begin anew. */
static void
replace_cache(void)
{
    uint64_t retired = 1;
    int fd = open(instance.cache_path, O_WRONLY | O_CLOEXEC);
    off_t where = (off_t)offsetof(struct sf_l1_header, retired);
    ck_assert_int_eq(pwrite(fd, &retired, sizeof retired, where), sizeof retired);
    close(fd);
    ck_assert_int_eq(unlink(instance.cache_path), 0);
    make_cache();
}

START_TEST(test_replaced_segment_is_attached_instead)
{
    make_cache();
    struct sf_key key = make_session();
    replace_cache();
    START({.reply = "$-1\r\n"});
    ck_assert_int_eq(load(&key, NOW), SF_NOT_FOUND); /* the new segment does not know it: the store was asked */
    ck_assert_uint_eq(fake.answered, 1);
    struct sf_key other = make_session();
    ck_assert_int_eq(load(&other, NOW), SF_OK);
    ck_assert_uint_eq(fake.answered, 1);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_open_says_why_secrets_are_refused)
{
    struct sf_front *other;
    struct sf_error error = {.text = ""};
    FILE *file = fopen(instance.secret_path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("too short\n", file);
    fclose(file);
    ck_assert_int_eq(sf_front_open(&other, &instance, NULL, &error), SF_INVALID);
    ck_assert_ptr_null(other);
    ck_assert_str_ne(error.text, "");
}
END_TEST

static void
count_line(void *context, enum sf_log_level level, const char *line)
{
    ck_assert_int_eq(level, SF_LOG_WARNING);
    *(int *)context += strncmp(line, "SF0401", 6) == 0;
}

START_TEST(test_segment_that_cannot_be_used_is_waited_for)
{
    int lines = 0;
    const struct sf_log log = {.write = count_line, .context = &lines, .level = SF_LOG_WARNING};
    struct sf_error error = {.text = ""};
    sf_front_close(front);
    make_cache();
    ck_assert_int_eq(chmod(instance.cache_path, 0666), 0);
    ck_assert_int_eq(sf_front_open(&front, &instance, &log, &error), SF_OK);
    ck_assert_int_eq(lines, 1);
    ck_assert_int_eq(chmod(instance.cache_path, 0600), 0);
    struct sf_key key = make_session();
    ck_assert_int_eq(load(&key, NOW), SF_OK);
    ck_assert_int_eq(loaded.source, SF_FROM_CACHE);
}
END_TEST

static TCase *
load_tests(void)
{
    TCase *tests = tcase_create("load");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_hit_comes_from_the_cache_and_asks_nobody);
    tcase_add_test(tests, test_load_keeps_the_session_alive);
    tcase_add_test(tests, test_idle_session_is_not_found);
    tcase_add_test(tests, test_old_session_is_not_found_however_busy);
    tcase_add_test(tests, test_ended_session_is_not_found);
    tcase_add_test(tests, test_replaced_id_shows_what_was_until_the_grace_ends);
    tcase_add_test(tests, test_logout_ends_the_ids_from_before);
    tcase_add_test(tests, test_another_login_ends_the_ids_from_before);
    tcase_add_test(tests, test_replaced_id_gets_no_new_one);
    tcase_add_test(tests, test_store_decides_about_an_id_whose_session_is_not_in_the_cache);
    tcase_add_test(tests, test_miss_asks_the_daemon);
    tcase_add_test(tests, test_tombstone_from_the_daemon_is_not_found);
    tcase_add_test(tests, test_nil_from_the_daemon_is_not_found);
    tcase_add_test(tests, test_whatever_the_daemon_does_wrong_is_no_end_of_a_session);
    tcase_add_test(tests, test_dead_daemon_is_unavailable_at_the_deadline);
    tcase_add_test(tests, test_hits_go_on_without_a_daemon);
    tcase_add_test(tests, test_record_that_changes_under_each_look_is_looked_at_again);
    tcase_add_test(tests, test_record_that_never_stands_still_is_no_end_of_a_session);
    return tests;
}

static TCase *
apply_tests(void)
{
    TCase *tests = tcase_create("apply");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_new_session_gets_an_id_that_parses);
    tcase_add_test(tests, test_nothing_is_created_for_nothing);
    tcase_add_test(tests, test_change_keeps_the_id);
    tcase_add_test(tests, test_refused_ops_change_nothing);
    tcase_add_test(tests, test_too_large_a_session_is_full);
    tcase_add_loop_test(tests, test_login_waits_for_store_or_journal, 0, 2);
    tcase_add_test(tests, test_higher_of_route_and_login_counts);
    tcase_add_test(tests, test_login_that_the_store_does_not_confirm_is_uncertain_and_has_its_id);
    tcase_add_test(tests, test_slow_store_has_a_deadline_of_its_own);
    tcase_add_test(tests, test_store_that_is_too_slow_is_waited_for_until_its_deadline);
    tcase_add_test(tests, test_route_that_wants_the_store_waits_for_every_change);
    tcase_add_test(tests, test_change_of_an_unknown_session_asks_first);
    tcase_add_test(tests, test_session_that_the_cache_cannot_keep_is_changed_by_the_daemon);
    return tests;
}

static TCase *
attach_tests(void)
{
    TCase *tests = tcase_create("attach");
    tcase_add_checked_fixture(tests, setup_without_cache, teardown);
    tcase_add_test(tests, test_without_a_cache_the_daemon_does_it);
    tcase_add_test(tests, test_journalled_change_of_the_daemon_is_durable);
    tcase_add_test(tests, test_change_without_an_answer_claims_nothing);
    tcase_add_test(tests, test_change_that_only_the_store_has_not_confirmed_has_its_id);
    tcase_add_test(tests, test_cache_is_attached_when_it_appears);
    tcase_add_test(tests, test_replaced_segment_is_attached_instead);
    tcase_add_test(tests, test_open_says_why_secrets_are_refused);
    tcase_add_test(tests, test_segment_that_cannot_be_used_is_waited_for);
    return tests;
}

int
main(void)
{
    Suite *suite = suite_create("front");
    suite_add_tcase(suite, load_tests());
    suite_add_tcase(suite, apply_tests());
    suite_add_tcase(suite, attach_tests());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
