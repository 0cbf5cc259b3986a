/* SPDX-License-Identifier: Apache-2.0 */
/* What is done when is in check_daemon_care.c; here, that the gateway has it done, with its
 * options. */
#include "fcgi_gateway/daemon_watch.h"

#include <apr_general.h>
#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/config/config_file.h"
#include "common/front/daemon_holder.h"
#include "tests/support/daemon_double.h"
#include "tests/support/kept_lines.h"
#include "tests/support/run_suite.h"
#include "tests/unit/daemon_case.h"

#define PATIENCE (20 * SF_SECOND) /* a loaded machine */

static apr_pool_t *pool;
static struct sf_error error;
static struct sf_kept_lines kept;
static struct sf_gateway gateway;
static struct sf_daemon_watch watch;

static void
start(void)
{
    char file[300];
    set_up();
    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
    sf_kept_lines_init(&kept);
    gateway = (struct sf_gateway){.log = kept.log, .instance = instance};
    snprintf(file, sizeof file,
             "SessionFastInstance %s\nSessionFastDaemon %s\nSessionFastCacheSize 8M\n", folder.path,
             SF_DAEMON_DOUBLE);
    sf_config_init(&gateway.config);
    ck_assert_int_eq(sf_config_read_text(&gateway.config, sf_span_text(file), "test", pool, &error),
                     SF_OK);
    setenv(SF_DAEMON_DOUBLE_ALWAYS, "serve", 1);
}

static void
finish(void)
{
    unsetenv(SF_DAEMON_DOUBLE_ALWAYS);
    sf_daemon_watch_end(&watch);
    apr_pool_destroy(pool);
    tear_down();
}

static void
begin(void)
{
    ck_assert_msg(sf_daemon_watch_begin(&watch, &gateway, pool, &error) == SF_OK, "%s", error.text);
}

static pid_t
holder(void)
{
    return sf_daemon_holder(instance.daemon_lock_path);
}

START_TEST(test_daemon_is_started_with_the_options_of_the_gateway)
{
    begin();
    ck_assert_int_ne(holder(), 0);
    ck_assert_int_eq(holder(), watch.state.child);
    ck_assert_ptr_null(sf_config_differs(&gateway.config, instance.config_path, pool));
    ck_assert_int_eq(sf_kept_lines_with(&kept, "SF0531: "), 1);
}
END_TEST

START_TEST(test_daemon_that_does_not_start_is_an_error)
{
    setenv(SF_DAEMON_DOUBLE_ALWAYS, "die", 1);
    ck_assert_int_eq(sf_daemon_watch_begin(&watch, &gateway, pool, &error), SF_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "ended with status 3"));
}
END_TEST

START_TEST(test_daemon_is_started_again)
{
    begin();
    pid_t first = watch.state.child;
    sf_time deadline = sf_clock_steady() + PATIENCE;
    kill(first, SIGKILL);
    while (holder() == 0 || holder() == first) {
        ck_assert_msg(sf_clock_steady() < deadline, "there is no other");
        poll(NULL, 0, 5);
        sf_daemon_watch_step(&watch);
    }
    ck_assert_int_eq(holder(), watch.state.child);
}
END_TEST

START_TEST(test_daemon_with_other_options_is_shared_and_told_of)
{
    struct sf_daemon_watch other;
    begin();
    gateway.config.cache_size = 16 << 20;
    ck_assert_int_eq(sf_daemon_watch_begin(&other, &gateway, pool, &error), SF_OK);
    ck_assert_int_eq(other.state.child, 0);
    ck_assert_int_eq(other.state.other, watch.state.child);
    ck_assert_int_eq(sf_kept_lines_with(&kept, "SF0538: "), 1);
    ck_assert_ptr_nonnull(strstr(kept.lines[kept.count - 1], "SessionFastCacheSize"));
    sf_daemon_watch_end(&other);
    ck_assert_int_eq(holder(), watch.state.child);
}
END_TEST

START_TEST(test_end_ends_our_own)
{
    begin();
    pid_t daemon = watch.state.child;
    sf_daemon_watch_end(&watch);
    ck_assert_int_eq(holder(), 0);
    ck_assert(!is_running(daemon));
}
END_TEST

START_TEST(test_none_is_looked_after_where_somebody_else_does)
{
    gateway.config.daemon = "none";
    begin();
    sf_daemon_watch_step(&watch);
    sf_daemon_watch_end(&watch);
    ck_assert_int_eq(holder(), 0);
    ck_assert_int_eq(access(instance.config_path, F_OK), -1);
    ck_assert_int_eq(kept.count, 0);
}
END_TEST

int
main(int argc, char **argv)
{
    sf_daemon_double(argc, argv);
    apr_initialize();
    Suite *suite = suite_create("daemon_watch");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, finish);
    tcase_set_timeout(all, 60);
    tcase_add_test(all, test_daemon_is_started_with_the_options_of_the_gateway);
    tcase_add_test(all, test_daemon_that_does_not_start_is_an_error);
    tcase_add_test(all, test_daemon_is_started_again);
    tcase_add_test(all, test_daemon_with_other_options_is_shared_and_told_of);
    tcase_add_test(all, test_end_ends_our_own);
    tcase_add_test(all, test_none_is_looked_after_where_somebody_else_does);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
