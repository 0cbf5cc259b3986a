/* SPDX-License-Identifier: Apache-2.0 */
/* The URLs of a configuration: each is looked at, and what is wrong says which directive has it. */
#include "common/store/stores_check.h"

#include <check.h>
#include <string.h>

#include "tests/support/run_suite.h"

static struct sf_config config;

static void
make_defaults(void)
{
    sf_config_init(&config);
}

static void
assert_refused(const char *text)
{
    struct sf_error error = {.text = ""};
    ck_assert_int_eq(sf_stores_check(&config, "/nowhere", &error), SF_INVALID);
    ck_assert_msg(strncmp(error.text, text, strlen(text)) == 0, "%s", error.text);
    ck_assert_msg(strstr(error.text, "hush") == NULL, "%s", error.text);
}

START_TEST(test_what_can_be_used_is_taken_and_not_touched)
{
    struct sf_error error;
    ck_assert_int_eq(sf_stores_check(&config, "/nowhere", &error), SF_OK);
    config.migrate = "file:sessions.json percent=10";
    ck_assert_int_eq(sf_stores_check(&config, "/nowhere", &error), SF_OK);
    config.store = SF_CONFIG_NO_STORE;
    config.migrate = "";
    ck_assert_int_eq(sf_stores_check(&config, "/nowhere", &error), SF_OK);
}
END_TEST

START_TEST(test_the_text_begins_with_the_directive)
{
    config.store = "carrier-pigeon://u:hush@host";
    assert_refused("SessionFastStore: URL: unknown scheme \"carrier-pigeon\"");
    config.store = "sqlite:";
    assert_refused("SessionFastStore: ");
    make_defaults();
    config.l2 = "carrier-pigeon://u:hush@host";
    assert_refused("SessionFastL2: URL: ");
    make_defaults();
    config.migrate = "carrier-pigeon://u:hush@host percent=10";
    assert_refused("SessionFastMigrate: URL: unknown scheme");
    config.migrate = "file:sessions.json percent=101";
    assert_refused("SessionFastMigrate: ");
}
END_TEST

/* The daemon's own choice of backends: one that was left out is not called unknown. */
START_TEST(test_a_store_that_was_left_out_is_named_as_such)
{
    config.store = "postgresql://u:hush@host:port";
#ifdef SF_WITH_POSTGRESQL
    assert_refused("SessionFastStore: URL: what stands as port");
#else
    assert_refused("SessionFastStore: URL: postgresql: is not in this build");
#endif
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("stores_check");
    TCase *tests = tcase_create("stores_check");
    tcase_add_checked_fixture(tests, make_defaults, NULL);
    tcase_add_test(tests, test_what_can_be_used_is_taken_and_not_touched);
    tcase_add_test(tests, test_the_text_begins_with_the_directive);
    tcase_add_test(tests, test_a_store_that_was_left_out_is_named_as_such);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
