/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/places.h"

#include <apr_strings.h>
#include <check.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/config_case.h"

static struct sf_temp_folder folder;
static struct sf_routes routes;

static void
begin(void)
{
    make_defaults();
    sf_temp_folder_init(&folder);
}

static void
end(void)
{
    sf_temp_folder_fini(&folder);
    drop_pool();
}

/* With "@" for our folder. */
static void
read_text(const char *text)
{
    const char *at = strchr(text, '@');
    if (at != NULL)
        text = apr_psprintf(pool, "%.*s%s%s", (int)(at - text), text, folder.path, at + 1);
    ck_assert_msg(sf_routes_read_text(&routes, sf_span_text(text), "g.conf", pool, &error) == SF_OK,
                  "%s", error.text);
}

static void
assert_refused_with(enum sf_status status, const char *why)
{
    const char *at = strchr(why, '@');
    ck_assert_int_eq(status, SF_INVALID);
    ck_assert_str_eq(error.text, apr_psprintf(pool, "%.*s%s%s", (int)(at - why), why, folder.path, at + 1));
}

static void
make_program(const char *name, mode_t mode)
{
    const char *path = sf_temp_folder_path(&folder, name);
    FILE *file = fopen(path, "w");
    ck_assert(file != NULL && fclose(file) == 0 && chmod(path, mode) == 0);
}

static enum sf_status
start(const char *text)
{
    read_text(text);
    return sf_places_check_start(&routes, pool, &error);
}

static enum sf_status
check(const char *text)
{
    read_text(text);
    return sf_places_check_routes(&routes, &error);
}

START_TEST(test_folders_of_sockets_are_there)
{
    ck_assert_int_eq(start("GatewayListen unix:@/s inherited 127.0.0.1:9000 unix:/s\n"), SF_OK);
    assert_refused_with(start("\nGatewayListen inherited unix:@/none/s\n"),
                        "g.conf:2: GatewayListen: @/none/: cannot be looked at: No such file or directory");
    make_program("file", 0644);
    assert_refused_with(start("GatewayListen unix:@/file/s\n"),
                        "g.conf:1: GatewayListen: @/file/: cannot be looked at: Not a directory");
}
END_TEST

START_TEST(test_user_and_group_are_there)
{
    ck_assert_int_eq(start(""), SF_OK);
    ck_assert_int_eq(start("GatewayUser root\n"), SF_OK);
    ck_assert_str_eq(sf_places_user(&routes.top, pool), "root");
    ck_assert_int_eq(start("GatewayUser 4711\nGatewayGroup 0\n"), SF_OK);
    ck_assert_str_eq(sf_places_user(&routes.top, pool), "4711:0");
    ck_assert_int_eq(start("\nGatewayUser no-such-user\n"), SF_INVALID);
    ck_assert_str_eq(error.text, "g.conf:2: GatewayUser: there is no user no-such-user");
    ck_assert_int_eq(start("GatewayUser root\n\nGatewayGroup no-such-group\n"), SF_INVALID);
    ck_assert_str_eq(error.text, "g.conf:3: GatewayUser: there is no group no-such-group");
}
END_TEST

START_TEST(test_folder_of_programs_is_one)
{
    ck_assert_int_eq(check("<Route /a>\nGatewayCgiDirectory @\n</Route>\n"), SF_OK);
    assert_refused_with(check("<Route /a>\n\nGatewayCgiDirectory @/none\n</Route>\n"),
                        "g.conf:3: GatewayCgiDirectory: @/none: cannot be looked at: No such file or directory");
    make_program("file", 0755);
    assert_refused_with(check("<Route /a>\nGatewayCgiDirectory @/file\n</Route>\n"),
                        "g.conf:2: GatewayCgiDirectory: @/file is no folder");
}
END_TEST

START_TEST(test_program_can_be_run)
{
    make_program("runs", 0755);
    make_program("text", 0644);
    ck_assert_int_eq(check("<Route /a>\nGatewayCgiProgram @/runs\n</Route>\n"), SF_OK);
    assert_refused_with(check("<Route /a>\nGatewayCgiProgram @/text\n</Route>\n"),
                        "g.conf:2: GatewayCgiProgram: @/text: cannot be executed: Permission denied");
    assert_refused_with(check("<Route /a>\nGatewayCgiProgram @\n</Route>\n"),
                        "g.conf:2: GatewayCgiProgram: @ is no regular file");
    assert_refused_with(check("<Route /b>\nGatewayApi On\n</Route>\n<Route /a>\nGatewayCgiProgram @/none\n</Route>\n"),
                        "g.conf:5: GatewayCgiProgram: @/none: cannot be looked at: No such file or directory");
}
END_TEST

START_TEST(test_applications_need_not_run)
{
    ck_assert_int_eq(check("<Route /a>\nGatewayUpstream unix:@/none.sock\n</Route>\n"), SF_OK);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("places");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, begin, end);
    tcase_add_test(all, test_folders_of_sockets_are_there);
    tcase_add_test(all, test_user_and_group_are_there);
    tcase_add_test(all, test_folder_of_programs_is_one);
    tcase_add_test(all, test_program_can_be_run);
    tcase_add_test(all, test_applications_need_not_run);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
