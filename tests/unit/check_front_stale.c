/* SPDX-License-Identifier: Apache-2.0 */
/* What a front does with sessions that the store has not confirmed for SessionFastCacheTTL. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/front/front.h"
#include "common/front/resp.h"
#include "tests/support/fake_daemon.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cache.h"
#include "tests/support/test_records.h"

#define NOW ((sf_time)1700000000000)

static struct sf_temp_folder folder;
static struct sf_instance instance;
static struct sf_config config;
static struct sf_front *front;
static struct sf_fake_daemon fake;
static struct sf_loaded loaded;
static struct sf_saved saved;

static void
setup(void)
{
    struct sf_l1_made made;
    struct sf_error error = {.text = ""};
    sf_temp_folder_init(&folder);
    sf_config_init(&config);
    config.instance = folder.path;
    config.deadline = 2 * SF_SECOND;
    ck_assert_msg(sf_instance_resolve(&instance, &config, &error) == SF_OK, "%s", error.text);
    ck_assert_msg(sf_l1_create(&instance, 4 * SF_L1_BYTES_MIN, &made, &error) == SF_OK, "%s", error.text);
    ck_assert_msg(sf_front_open(&front, &instance, NULL, &error) == SF_OK, "%s", error.text);
    sf_loaded_init(&loaded);
}

static void
teardown(void)
{
    sf_loaded_fini(&loaded);
    sf_front_close(front);
    sf_temp_folder_fini(&folder);
}

#define START(...)                                            \
    static const struct sf_fake_step steps[] = {__VA_ARGS__}; \
    sf_fake_daemon_start(&fake, instance.socket_path, steps, sizeof steps / sizeof steps[0])

static enum sf_status
load(const struct sf_key *key)
{
    return sf_front_load(front, key, &config, NOW, &loaded);
}

static enum sf_status
set_color(const struct sf_key *key, const char *color)
{
    struct sf_ops ops;
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add_set(&ops, sf_span_text("color"), sf_span_text(color)), SF_OK);
    enum sf_status status = sf_front_apply(front, key, &ops, &config, NOW, &saved);
    sf_ops_fini(&ops);
    return status;
}

static bool
color_is(const char *color)
{
    const struct sf_field *field = sf_session_find(&loaded.session, sf_span_text("color"));
    return field != NULL && sf_span_equal(field->value.bytes, sf_span_text(color));
}

static bool
request_begins(size_t number, const char *text)
{
    return strncmp(fake.requests[number], text, strlen(text)) == 0;
}

/* A session with color=red that the store has, as old as may be. */
static struct sf_key
make_stale_session(void)
{
    struct sf_test_cache same = {.instance = instance};
    struct sf_l1 *l1 = sf_test_cache_attach(&same);
    ck_assert_int_eq(set_color(NULL, "red"), SF_OK);
    struct sf_key key = saved.id.key;
    ck_assert_uint_eq(sf_test_settle_all(l1), 1);
    sf_l1_set_ttl(l1, 1);
    sf_l1_close(l1);
    for (sf_time begun = sf_clock_steady(); sf_clock_steady() < begun + 2;)
        continue;
    return key;
}

static uint64_t
stale_served(void)
{
    return atomic_load(&sf_front_counters(front)->values[SF_COUNTER_l1_stale_served]);
}

START_TEST(test_stale_session_is_asked_for)
{
    struct sf_key key = make_stale_session();
    START({.reply = "$-1\r\n"});
    ck_assert_int_eq(load(&key), SF_NOT_FOUND);
    ck_assert(request_begins(0, "SESSION.LOAD"));
    ck_assert_uint_eq(stale_served(), 0);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_what_the_daemon_says_of_a_stale_session_counts)
{
    struct sf_key key = make_stale_session();
    struct sf_buffer record = sf_test_record(9, "joe", sf_span_text("new"));
    struct sf_buffer reply;
    sf_buffer_init(&reply, 4096);
    ck_assert_int_eq(sf_resp_append_array(&reply, 2), SF_OK);
    ck_assert_int_eq(sf_resp_append_bulk(&reply, sf_buffer_span(&record)), SF_OK);
    ck_assert_int_eq(sf_resp_append_integer(&reply, NOW), SF_OK);
    const struct sf_fake_step step = {.reply = (const char *)reply.data, .bytes = reply.size};
    sf_fake_daemon_start(&fake, instance.socket_path, &step, 1);
    ck_assert_int_eq(load(&key), SF_OK);
    ck_assert_uint_eq(loaded.session.head.version, 9);
    ck_assert_int_eq(loaded.source, SF_FROM_STORE);
    sf_fake_daemon_stop(&fake);
    sf_buffer_fini(&reply);
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_stale_session_goes_on_where_nobody_knows_better)
{
    struct sf_key key = make_stale_session();
    START({.reply = "-UNAVAILABLE\r\n"});
    ck_assert_int_eq(load(&key), SF_OK);
    ck_assert(color_is("red"));
    ck_assert_int_eq(loaded.source, SF_FROM_CACHE);
    ck_assert_uint_eq(stale_served(), 1);
    ck_assert_int_eq(load(&key), SF_OK); /* nobody waits again so soon */
    ck_assert_uint_eq(fake.answered, 1);
    ck_assert_uint_eq(stale_served(), 2);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_stale_session_goes_on_without_a_daemon)
{
    struct sf_key key = make_stale_session();
    config.deadline = 20;
    ck_assert_int_eq(load(&key), SF_OK);
    ck_assert_int_eq(set_color(&key, "blue"), SF_OK);
    ck_assert_int_eq(load(&key), SF_OK);
    ck_assert(color_is("blue"));
}
END_TEST

START_TEST(test_change_of_a_stale_session_asks_first)
{
    struct sf_key key = make_stale_session();
    START({.reply = "$-1\r\n"}, {.reply = "-UNAVAILABLE\r\n"});
    ck_assert_int_eq(set_color(&key, "blue"), SF_NOT_FOUND);
    ck_assert(request_begins(0, "SESSION.LOAD"));
    ck_assert_int_eq(set_color(&key, "green"), SF_OK);
    ck_assert(request_begins(1, "SESSION.LOAD"));
    ck_assert_uint_eq(fake.answered, 2);
    sf_fake_daemon_stop(&fake);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("front_stale");
    TCase *tests = tcase_create("front_stale");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_stale_session_is_asked_for);
    tcase_add_test(tests, test_what_the_daemon_says_of_a_stale_session_counts);
    tcase_add_test(tests, test_stale_session_goes_on_where_nobody_knows_better);
    tcase_add_test(tests, test_stale_session_goes_on_without_a_daemon);
    tcase_add_test(tests, test_change_of_a_stale_session_asks_first);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
