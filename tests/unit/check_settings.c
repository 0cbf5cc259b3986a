/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/settings.h"

#include <apr_general.h>
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"

static struct sf_temp_folder folder;
static char path[128];
static struct sf_error error;

static void
start(void)
{
    sf_temp_folder_init(&folder);
    snprintf(path, sizeof path, "%s/gateway.conf", folder.path);
}

static void
finish(void)
{
    sf_temp_folder_fini(&folder);
}

static void
write_file(const char *content)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(content, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* The file says `content` and has one route. */
static struct sf_settings *
load(const char *content)
{
    struct sf_settings *settings = NULL;
    char text[200];
    snprintf(text, sizeof text, "%s<Route /a>\nGatewayApi On\n</Route>\n", content);
    write_file(text);
    ck_assert_msg(sf_settings_load(&settings, path, &error) == SF_OK, "%s", error.text);
    return settings;
}

START_TEST(test_who_took_them_keeps_them)
{
    struct sf_settings_slot slot;
    sf_settings_slot_init(&slot, load("GatewayThreads 1\n"));
    struct sf_settings *first = sf_settings_take(&slot);
    sf_settings_replace(&slot, load("GatewayThreads 2\n"));
    struct sf_settings *second = sf_settings_take(&slot);
    ck_assert_int_eq(first->routes.top.gateway_threads, 1);
    ck_assert_int_eq(second->routes.top.gateway_threads, 2);
    ck_assert_uint_eq(first->users, 1);
    ck_assert_uint_eq(second->users, 2);
    sf_settings_release(first);
    sf_settings_slot_fini(&slot);
    ck_assert_uint_eq(second->users, 1);
    sf_settings_release(second);
    sf_settings_release(NULL);
}
END_TEST

START_TEST(test_bad_file_is_refused)
{
    struct sf_settings *settings;
    ck_assert_int_eq(sf_settings_load(&settings, "/nonexistent", &error), SF_UNAVAILABLE);
    static const struct {
        const char *content, *why;
    } wrong[] = {
        {"\nNothing 1\n", ":2: unknown directive 'Nothing'"},
        {"GatewayThreads 1\n", ": no <Route>: nothing would be served"},
        {"<Route /a>\nGatewayCgiProgram /nonexistent\n</Route>\n",
         ":2: GatewayCgiProgram: /nonexistent: cannot be looked at: No such file or directory"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        write_file(wrong[i].content);
        ck_assert_int_eq(sf_settings_load(&settings, path, &error), SF_INVALID);
        ck_assert_str_eq(error.text + strlen(path), wrong[i].why);
    }
}
END_TEST

START_TEST(test_what_counts_at_the_next_start_only_is_named)
{
    struct sf_settings *running =
        load("GatewayThreads 1\nSessionFastCacheSize 4M\nGatewayTimeout 1s\n");
    struct sf_settings *wanted =
        load("GatewayThreads 2\nSessionFastCacheSize 8M\nGatewayTimeout 2s\n");
    ck_assert_str_eq(sf_settings_differ(&running->routes.top, &wanted->routes.top, running->pool),
                     "SessionFastCacheSize, GatewayThreads");
    ck_assert_ptr_null(
        sf_settings_differ(&running->routes.top, &running->routes.top, running->pool));
    sf_settings_release(running);
    sf_settings_release(wanted);
}
END_TEST

int
main(void)
{
    apr_initialize();
    Suite *suite = suite_create("settings");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, finish);
    tcase_add_test(all, test_who_took_them_keeps_them);
    tcase_add_test(all, test_bad_file_is_refused);
    tcase_add_test(all, test_what_counts_at_the_next_start_only_is_named);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
