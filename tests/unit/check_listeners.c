/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/listeners.h"

#include <apr_general.h>
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"

static struct sf_temp_folder folder;
static struct sf_config config;
static struct sf_listeners listeners;
static struct sf_error error;
static char words[256], path[128];

static void
start(void)
{
    sf_temp_folder_init(&folder);
    sf_config_init(&config);
    snprintf(path, sizeof path, "%s/gateway.sock", folder.path);
    snprintf(words, sizeof words, "unix:%s", path);
    config.gateway_listen = words;
    listeners.count = 0;
}

static void
finish(void)
{
    sf_listeners_close(&listeners);
    sf_temp_folder_fini(&folder);
}

static enum sf_status
open_all(void)
{
    return sf_listeners_open(&listeners, &config, geteuid(), getegid(), &error);
}

static bool
can_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_connected = connect(client, (struct sockaddr *)&address, sizeof address) == 0;
    close(client);
    return is_connected;
}

START_TEST(test_socket_has_its_mode_and_goes_with_us)
{
    struct stat seen;
    config.gateway_listen_mode = "0640";
    ck_assert_int_eq(open_all(), SF_OK);
    ck_assert_int_eq(stat(path, &seen), 0);
    ck_assert_uint_eq(seen.st_mode & 07777, 0640);
    ck_assert(can_connect());
    ck_assert_int_ne(fcntl(listeners.sockets[0], F_GETFL) & O_NONBLOCK, 0);
    sf_listeners_close(&listeners);
    ck_assert_int_ne(stat(path, &seen), 0);
}
END_TEST

START_TEST(test_what_was_left_behind_is_replaced)
{
    ck_assert_int_eq(open_all(), SF_OK);
    close(listeners.sockets[0]); /* as a killed process leaves it */
    free(listeners.paths[0]);
    listeners.count = 0;
    ck_assert_int_eq(open_all(), SF_OK);
    ck_assert(can_connect());
}
END_TEST

START_TEST(test_socket_in_use_is_refused)
{
    struct sf_listeners second;
    ck_assert_int_eq(open_all(), SF_OK);
    ck_assert_int_eq(sf_listeners_open(&second, &config, geteuid(), getegid(), &error), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "somebody listens there already"));
    ck_assert(can_connect());
}
END_TEST

START_TEST(test_what_is_no_socket_stays)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(open_all(), SF_INVALID);
    ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(test_link_is_not_followed)
{
    char target[200];
    snprintf(target, sizeof target, "%s/target", folder.path);
    ck_assert_int_eq(symlink(target, path), 0);
    ck_assert_int_eq(open_all(), SF_INVALID);
    ck_assert_int_ne(access(target, F_OK), 0);
}
END_TEST

/* A sticky bit lets only its owner remove it. */
START_TEST(test_folder_where_anybody_may_write_is_refused)
{
    ck_assert_int_eq(chmod(folder.path, 0777), 0);
    ck_assert_int_eq(open_all(), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "anybody could put another socket there"));
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_eq(chmod(folder.path, 01777), 0);
    ck_assert_int_eq(open_all(), SF_OK);
    ck_assert(can_connect());
    ck_assert_int_eq(chmod(folder.path, 0755), 0);
}
END_TEST

START_TEST(test_umask_is_as_it_was)
{
    mode_t before = umask(0123);
    ck_assert_int_eq(open_all(), SF_OK);
    ck_assert_uint_eq(umask(before), 0123);
}
END_TEST

START_TEST(test_one_that_fails_closes_all)
{
    snprintf(words, sizeof words, "unix:%s unix:/nonexistent/x.sock", path);
    ck_assert_int_eq(open_all(), SF_UNAVAILABLE);
    ck_assert_uint_eq(listeners.count, 0);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(test_inherited_needs_somebody_who_hands_over)
{
    snprintf(words, sizeof words, "inherited");
    ck_assert_int_eq(open_all(), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "nobody handed a socket over"));
}
END_TEST

START_TEST(test_descriptor_0_is_taken_over_and_moved)
{
    int kept = dup(STDIN_FILENO);
    ck_assert_int_eq(open_all(), SF_OK);
    ck_assert_int_eq(dup2(listeners.sockets[0], STDIN_FILENO), STDIN_FILENO);
    struct sf_listeners second;
    config.gateway_listen = "inherited";
    enum sf_status status = sf_listeners_open(&second, &config, geteuid(), getegid(), &error);
    ck_assert_int_eq(dup2(kept, STDIN_FILENO), STDIN_FILENO);
    close(kept);
    ck_assert_int_eq(status, SF_OK);
    ck_assert_uint_eq(second.count, 1);
    ck_assert_int_gt(second.sockets[0], 2);
    ck_assert_ptr_null(second.paths[0]);
    sf_listeners_close(&second);
}
END_TEST

int
main(void)
{
    apr_initialize();
    Suite *suite = suite_create("listeners");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, finish);
    tcase_add_test(all, test_socket_has_its_mode_and_goes_with_us);
    tcase_add_test(all, test_what_was_left_behind_is_replaced);
    tcase_add_test(all, test_socket_in_use_is_refused);
    tcase_add_test(all, test_what_is_no_socket_stays);
    tcase_add_test(all, test_link_is_not_followed);
    tcase_add_test(all, test_folder_where_anybody_may_write_is_refused);
    tcase_add_test(all, test_umask_is_as_it_was);
    tcase_add_test(all, test_one_that_fails_closes_all);
    tcase_add_test(all, test_inherited_needs_somebody_who_hands_over);
    tcase_add_test(all, test_descriptor_0_is_taken_over_and_moved);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
