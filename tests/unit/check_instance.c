/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/instance.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"

#define SOMEBODY 65534

static struct sf_temp_folder folder;
static struct sf_config config;
static struct sf_instance instance;
static struct sf_error error;

static void
resolve_run_and_state(void)
{
    static char run[80], state[80];
    snprintf(run, sizeof run, "%s/run", folder.path);
    snprintf(state, sizeof state, "%s/state", folder.path);
    sf_config_init(&config);
    config.instance = run;
    config.state_directory = state;
    ck_assert_int_eq(sf_instance_resolve(&instance, &config, &error), SF_OK);
}

static void
make_folder(void)
{
    umask(022); /* a test before may have changed it */
    sf_temp_folder_init(&folder);
    resolve_run_and_state();
}

static void
remove_folder(void)
{
    sf_temp_folder_fini(&folder);
}

static void
assert_name_refused(const char *name, const char *text)
{
    sf_config_init(&config);
    config.instance = name;
    ck_assert_int_eq(sf_instance_resolve(&instance, &config, &error), SF_INVALID);
    ck_assert_str_eq(error.text, text);
}

static enum sf_status
prepare(void)
{
    return sf_instance_prepare(&instance, geteuid(), getegid(), &error);
}

static void
assert_folder_refused(const char *why)
{
    ck_assert_int_eq(prepare(), SF_INVALID);
    ck_assert_msg(strstr(error.text, why) != NULL, "'%s' does not say '%s'", error.text, why);
}

static void
assert_folder(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
    struct stat seen;
    ck_assert_int_eq(lstat(path, &seen), 0);
    ck_assert_uint_eq(seen.st_mode, S_IFDIR | mode);
    ck_assert_uint_eq(seen.st_uid, uid);
    ck_assert_uint_eq(seen.st_gid, gid);
}

START_TEST(test_name_means_run_and_var_lib)
{
    sf_config_init(&config);
    ck_assert_int_eq(sf_instance_resolve(&instance, &config, &error), SF_OK);
    ck_assert_str_eq(instance.run, "/run/session-fast");
    ck_assert_str_eq(instance.state, "/var/lib/session-fast");
    ck_assert_str_eq(instance.cache_path, "/run/session-fast/l1.cache");
    ck_assert_str_eq(instance.cache_lock_path, "/run/session-fast/l1.lock");
    ck_assert_str_eq(instance.socket_path, "/run/session-fast/daemon.sock");
    ck_assert_str_eq(instance.daemon_lock_path, "/run/session-fast/daemon.lock");
    ck_assert_str_eq(instance.config_path, "/run/session-fast/instance.conf");
    ck_assert_str_eq(instance.secret_path, "/var/lib/session-fast/secret.keys");
}
END_TEST

START_TEST(test_folder_holds_everything)
{
    sf_config_init(&config);
    config.instance = "/srv/sessions//";
    ck_assert_int_eq(sf_instance_resolve(&instance, &config, &error), SF_OK);
    ck_assert_str_eq(instance.run, "/srv/sessions");
    ck_assert_str_eq(instance.socket_path, "/srv/sessions/daemon.sock");
    ck_assert_str_eq(instance.secret_path, "/srv/sessions/secret.keys");
}
END_TEST

START_TEST(test_state_folder_may_be_elsewhere)
{
    sf_config_init(&config);
    config.instance = "shop";
    config.state_directory = "/srv/state/";
    ck_assert_int_eq(sf_instance_resolve(&instance, &config, &error), SF_OK);
    ck_assert_str_eq(instance.run, "/run/shop");
    ck_assert_str_eq(instance.state, "/srv/state");
    ck_assert_str_eq(instance.secret_path, "/srv/state/secret.keys");
}
END_TEST

START_TEST(test_longest_folder_that_an_option_can_name_still_fits)
{
    char longest[81];
    memset(longest, 'x', sizeof longest);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    sf_config_init(&config);
    config.instance = longest;
    ck_assert_int_eq(sf_instance_resolve(&instance, &config, &error), SF_OK);
    ck_assert_uint_lt(strlen(instance.config_path), SF_INSTANCE_PATH_MAX);
}
END_TEST

START_TEST(test_names_that_are_neither_plain_nor_absolute_are_refused)
{
    assert_name_refused("run/shop", "SessionFastInstance: 'run/shop' is not an absolute folder");
    assert_name_refused("./shop", "SessionFastInstance: './shop' is not an absolute folder");
    assert_name_refused("//", "SessionFastInstance: '//' is not an absolute folder");
    assert_name_refused("/", "SessionFastInstance: '/' is not an absolute folder");
    assert_name_refused("..", "SessionFastInstance: '..' is neither a name nor an absolute folder");
    assert_name_refused("", "SessionFastInstance: '' is neither a name nor an absolute folder");
    assert_name_refused("a b",
                        "SessionFastInstance: 'a b' is neither a name nor an absolute folder");
}
END_TEST

START_TEST(test_steps_upwards_are_refused)
{
    assert_name_refused("/run/../etc", "SessionFastInstance: '/run/../etc' must not contain '..'");
    assert_name_refused("/run/..", "SessionFastInstance: '/run/..' must not contain '..'");
    sf_config_init(&config);
    config.instance = "/run/..shop/a..b";
    ck_assert_int_eq(sf_instance_resolve(&instance, &config, &error), SF_OK);
}
END_TEST

START_TEST(test_path_that_does_not_fit_is_refused)
{
    char text[200];
    memset(text, 'x', sizeof text);
    text[0] = '/';
    text[sizeof text - 1] = '\0';
    sf_config_init(&config);
    config.instance = text;
    ck_assert_int_eq(sf_instance_resolve(&instance, &config, &error), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "is longer than 99 bytes"));
}
END_TEST

START_TEST(test_relative_state_folder_is_refused)
{
    sf_config_init(&config);
    config.state_directory = "state";
    ck_assert_int_eq(sf_instance_resolve(&instance, &config, &error), SF_INVALID);
    ck_assert_str_eq(error.text, "SessionFastStateDirectory: 'state' is not an absolute folder");
}
END_TEST

START_TEST(test_missing_folders_are_made_with_mode_0750)
{
    umask(0);
    ck_assert_int_eq(prepare(), SF_OK);
    assert_folder(instance.run, 0750, geteuid(), getegid());
    assert_folder(instance.state, 0750, geteuid(), getegid());
}
END_TEST

START_TEST(test_mode_of_a_new_folder_does_not_depend_on_umask)
{
    umask(077);
    ck_assert_int_eq(prepare(), SF_OK);
    assert_folder(instance.run, 0750, geteuid(), getegid());
}
END_TEST

START_TEST(test_prepared_folders_are_accepted_again)
{
    ck_assert_int_eq(prepare(), SF_OK);
    ck_assert_int_eq(prepare(), SF_OK);
}
END_TEST

START_TEST(test_one_folder_for_both_is_fine)
{
    config.state_directory = "";
    ck_assert_int_eq(sf_instance_resolve(&instance, &config, &error), SF_OK);
    ck_assert_int_eq(prepare(), SF_OK);
    assert_folder(instance.state, 0750, geteuid(), getegid());
}
END_TEST

START_TEST(test_mode_of_an_existing_folder_is_left_alone)
{
    ck_assert_int_eq(mkdir(instance.run, 0700), 0);
    ck_assert_int_eq(chmod(instance.run, 0755), 0);
    ck_assert_int_eq(prepare(), SF_OK);
    assert_folder(instance.run, 0755, geteuid(), getegid());
}
END_TEST

START_TEST(test_folder_that_others_may_write_is_refused)
{
    ck_assert_int_eq(mkdir(instance.run, 0700), 0);
    ck_assert_int_eq(chmod(instance.run, 01777), 0);
    assert_folder_refused("mode 1777 lets others write there; it should be 0750");
}
END_TEST

START_TEST(test_symbolic_link_is_refused)
{
    ck_assert_int_eq(symlink(folder.path, instance.run), 0);
    assert_folder_refused("is a symbolic link or not a folder");
}
END_TEST

START_TEST(test_file_in_place_of_the_folder_is_refused)
{
    FILE *file = fopen(instance.state, "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
    assert_folder_refused("is a symbolic link or not a folder");
}
END_TEST

START_TEST(test_missing_parent_is_unavailable)
{
    char expected[200];
    config.instance = "/nonexistent/deeper";
    ck_assert_int_eq(sf_instance_resolve(&instance, &config, &error), SF_OK);
    ck_assert_int_eq(prepare(), SF_UNAVAILABLE);
    snprintf(expected, sizeof expected, "%s: cannot be made: No such file or directory",
             instance.run);
    ck_assert_str_eq(error.text, expected);
}
END_TEST

START_TEST(test_root_makes_folders_for_the_user_of_the_daemon)
{
    if (geteuid() != 0)
        return; /* only root can give folders away */
    ck_assert_int_eq(sf_instance_prepare(&instance, SOMEBODY, SOMEBODY, &error), SF_OK);
    assert_folder(instance.run, 0750, SOMEBODY, SOMEBODY);
    assert_folder(instance.state, 0750, SOMEBODY, SOMEBODY);
    ck_assert_int_eq(sf_instance_prepare(&instance, SOMEBODY, SOMEBODY, &error), SF_OK);
}
END_TEST

START_TEST(test_folder_of_somebody_else_is_refused_and_kept_as_it_is)
{
    if (geteuid() != 0)
        return; /* only root can give folders away */
    ck_assert_int_eq(mkdir(instance.run, 0750), 0);
    ck_assert_int_eq(chown(instance.run, 4711, 4711), 0);
    ck_assert_int_eq(sf_instance_prepare(&instance, SOMEBODY, SOMEBODY, &error), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "belongs to user 4711, not to user 65534 or root"));
    assert_folder(instance.run, 0750, 4711, 4711);
}
END_TEST

START_TEST(test_folder_that_only_root_may_write_is_refused)
{
    if (geteuid() != 0)
        return; /* only root can give folders away */
    ck_assert_int_eq(mkdir(instance.run, 0755), 0);
    ck_assert_int_eq(sf_instance_prepare(&instance, SOMEBODY, SOMEBODY, &error), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "belongs to root and user 65534 cannot write there"));
}
END_TEST

START_TEST(test_folder_of_root_that_the_group_of_the_daemon_may_write_is_fine)
{
    if (geteuid() != 0)
        return; /* only root can give folders away */
    ck_assert_int_eq(mkdir(instance.run, 0700), 0);
    ck_assert_int_eq(chown(instance.run, 0, SOMEBODY), 0);
    ck_assert_int_eq(chmod(instance.run, 0770), 0);
    ck_assert_int_eq(sf_instance_prepare(&instance, SOMEBODY, SOMEBODY, &error), SF_OK);
    ck_assert_int_eq(chown(instance.run, 0, 4711), 0);
    ck_assert_int_eq(sf_instance_prepare(&instance, SOMEBODY, SOMEBODY, &error), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "lets others write"));
}
END_TEST

static TCase *
path_tests(void)
{
    TCase *tests = tcase_create("paths");
    tcase_add_test(tests, test_name_means_run_and_var_lib);
    tcase_add_test(tests, test_folder_holds_everything);
    tcase_add_test(tests, test_state_folder_may_be_elsewhere);
    tcase_add_test(tests, test_longest_folder_that_an_option_can_name_still_fits);
    tcase_add_test(tests, test_names_that_are_neither_plain_nor_absolute_are_refused);
    tcase_add_test(tests, test_steps_upwards_are_refused);
    tcase_add_test(tests, test_path_that_does_not_fit_is_refused);
    tcase_add_test(tests, test_relative_state_folder_is_refused);
    return tests;
}

static TCase *
folder_tests(void)
{
    TCase *tests = tcase_create("folders");
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, test_missing_folders_are_made_with_mode_0750);
    tcase_add_test(tests, test_mode_of_a_new_folder_does_not_depend_on_umask);
    tcase_add_test(tests, test_prepared_folders_are_accepted_again);
    tcase_add_test(tests, test_one_folder_for_both_is_fine);
    tcase_add_test(tests, test_mode_of_an_existing_folder_is_left_alone);
    tcase_add_test(tests, test_folder_that_others_may_write_is_refused);
    tcase_add_test(tests, test_symbolic_link_is_refused);
    tcase_add_test(tests, test_file_in_place_of_the_folder_is_refused);
    tcase_add_test(tests, test_missing_parent_is_unavailable);
    tcase_add_test(tests, test_root_makes_folders_for_the_user_of_the_daemon);
    tcase_add_test(tests, test_folder_of_somebody_else_is_refused_and_kept_as_it_is);
    tcase_add_test(tests, test_folder_that_only_root_may_write_is_refused);
    tcase_add_test(tests, test_folder_of_root_that_the_group_of_the_daemon_may_write_is_fine);
    return tests;
}

int
main(void)
{
    Suite *suite = suite_create("instance");
    suite_add_tcase(suite, path_tests());
    suite_add_tcase(suite, folder_tests());
    return sf_run_suite(suite);
}
