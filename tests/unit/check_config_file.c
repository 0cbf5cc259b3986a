/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/config_file.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/config_case.h"

static struct sf_temp_folder folder;
static char path[128];

static void
make_folder(void)
{
    make_defaults();
    umask(022); /* a test before may have changed it */
    sf_temp_folder_init(&folder);
    snprintf(path, sizeof path, "%s/instance.conf", folder.path);
}

static void
remove_folder(void)
{
    sf_temp_folder_fini(&folder);
    drop_pool();
}

static void
write_file(const char *content)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(content, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void
assert_file_is(const char *content)
{
    char found[8192];
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    found[fread(found, 1, sizeof found - 1, file)] = '\0';
    fclose(file);
    ck_assert_str_eq(found, content);
}

static void
read_text(const char *text)
{
    enum sf_status status =
        sf_config_read_text(&config, sf_span_text(text), "some.conf", pool, &error);
    ck_assert_msg(status == SF_OK, "%s", error.text);
}

static void
assert_refused(const char *text, const char *why)
{
    enum sf_status status =
        sf_config_read_text(&config, sf_span_text(text), "some.conf", pool, &error);
    ck_assert_int_eq(status, SF_INVALID);
    ck_assert_str_eq(error.text, why);
}

static void
set(enum sf_option_index option, const char *text)
{
    enum sf_status status = sf_config_set(&config, &sf_options[option], text, pool, &error);
    ck_assert_int_eq(status, SF_OK);
}

static void
write_config(void)
{
    enum sf_status status = sf_config_write(&config, path, pool, &error);
    ck_assert_msg(status == SF_OK, "%s", error.text);
}

START_TEST(test_lines_set_options_of_both_scopes)
{
    read_text("SessionFastStore sqlite:a.db\n"
              "sessionfastcachesize\t128M \n"
              "  SessionFastIdleTimeout 1h");
    ck_assert_str_eq(config.store, "sqlite:a.db");
    ck_assert_uint_eq(config.cache_size, 128 << 20);
    ck_assert_int_eq(config.idle_timeout, SF_HOUR);
    ck_assert(config.is_set[SF_OPTION_AT_store]);
    ck_assert(!config.is_set[SF_OPTION_AT_instance]);
}
END_TEST

START_TEST(test_comments_and_empty_lines_are_skipped)
{
    read_text("# SessionFastStore sqlite:a.db\n\n \t\n   # more\nSessionFastFlushBatch 7\n");
    ck_assert_int_eq(config.flush_batch, 7);
    ck_assert(!config.is_set[SF_OPTION_AT_store]);
}
END_TEST

START_TEST(test_last_line_about_an_option_counts)
{
    read_text("SessionFastFlushBatch 7\nSessionFastFlushBatch 8\n");
    ck_assert_int_eq(config.flush_batch, 8);
}
END_TEST

START_TEST(test_quotes_keep_blanks_and_escapes)
{
    read_text("SessionFastDaemon \"/opt/session fast/\\\"bin\\\"\\\\x\\y\"\n");
    ck_assert_str_eq(config.daemon, "/opt/session fast/\"bin\"\\x\\y");
    read_text("SessionFastDaemon \"\"\n");
    ck_assert_str_eq(config.daemon, "");
}
END_TEST

START_TEST(test_list_takes_many_words)
{
    read_text("SessionFastExport theme \"cart lang\"  x\n");
    ck_assert_str_eq(config.export, "theme cart lang x");
    read_text("SessionFastExport \"\"\n");
    ck_assert_str_eq(config.export, "");
}
END_TEST

START_TEST(test_backslash_joins_lines)
{
    read_text("SessionFastExport a \\\n  b \\\nc\nSessionFastFlush\\\nBatch 9\n");
    ck_assert_str_eq(config.export, "a b c");
    ck_assert_int_eq(config.flush_batch, 9);
}
END_TEST

START_TEST(test_joined_comment_stays_a_comment)
{
    read_text("# a \\\nSessionFastFlushBatch 9\nSessionFastFlushBatch 3 \\");
    ck_assert_int_eq(config.flush_batch, 3);
}
END_TEST

START_TEST(test_carriage_returns_at_line_ends_are_tolerated)
{
    read_text("SessionFastFlushBatch 9\r\nSessionFastExport a \\\r\nb\r\n\r\n");
    ck_assert_int_eq(config.flush_batch, 9);
    ck_assert_str_eq(config.export, "a b");
}
END_TEST

START_TEST(test_unknown_directive_is_refused_with_file_and_line)
{
    assert_refused("\n# x\nSessionFastCacheSiz 1M\n",
                   "some.conf:3: unknown directive 'SessionFastCacheSiz'");
    assert_refused("<Location />\n", "some.conf:1: unknown directive '<Location'");
}
END_TEST

START_TEST(test_bad_value_is_refused_with_file_and_line)
{
    assert_refused("SessionFastCacheSize 12X\n",
                   "some.conf:1: SessionFastCacheSize: '12X' is not a size (0 to 64G)");
}
END_TEST

START_TEST(test_error_in_joined_lines_names_the_first)
{
    assert_refused("\nSessionFastCacheSize \\\n\\\n12X\n",
                   "some.conf:2: SessionFastCacheSize: '12X' is not a size (0 to 64G)");
}
END_TEST

START_TEST(test_number_of_values_is_checked)
{
    assert_refused("SessionFastFlushBatch\n", "some.conf:1: SessionFastFlushBatch takes a value");
    assert_refused("SessionFastFlushBatch 1 2\n", "some.conf:1: SessionFastFlushBatch takes one "
                                                  "value (one with blanks in quotes)");
}
END_TEST

START_TEST(test_wrong_quotes_are_refused)
{
    static const char *const refused[] = {
        "SessionFastDaemon \"/opt\n",        "SessionFastDaemon \"\n",
        "SessionFastDaemon \"/opt\\\"\n",    "SessionFastDaemon \"/opt\"x\n",
        "SessionFastDaemon \"/opt\"\"x\"\n",
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_refused(refused[i], "some.conf:1: a quote is not closed, or closed inside a word");
}
END_TEST

START_TEST(test_nul_byte_is_refused)
{
    static const char text[] = "SessionFastFlushBatch 9\nSessionFast\0 On\n";
    enum sf_status status =
        sf_config_read_text(&config, sf_span_of(text, sizeof text - 1), "some.conf", pool, &error);
    ck_assert_int_eq(status, SF_INVALID);
    ck_assert_str_eq(error.text, "some.conf:2: the line has a NUL byte");
}
END_TEST

START_TEST(test_line_of_8_kib_is_the_longest)
{
    static char text[SF_CONFIG_LINE_MAX + 2];
    memset(text, ' ', sizeof text);
    memcpy(text, "SessionFastFlushBatch 9", 23);
    text[SF_CONFIG_LINE_MAX] = '\0';
    read_text(text);
    ck_assert_int_eq(config.flush_batch, 9);
    text[SF_CONFIG_LINE_MAX] = ' ';
    text[SF_CONFIG_LINE_MAX + 1] = '\0';
    assert_refused(text, "some.conf:1: the line is too long");
}
END_TEST

START_TEST(test_joined_lines_together_are_limited_too)
{
    static char text[SF_CONFIG_LINE_MAX * 2 + 1];
    for (size_t i = 0; i + 1 < sizeof text; i += 4)
        memcpy(text + i, "  \\\n", 4);
    text[sizeof text - 1] = '\0';
    read_text(text);
    memset(text, ' ', sizeof text - 1);
    memcpy(text + SF_CONFIG_LINE_MAX, "\\\n", 2);
    assert_refused(text, "some.conf:1: the line is too long");
}
END_TEST

START_TEST(test_file_is_read_over_the_defaults)
{
    config.flush_batch = 77;
    write_file("SessionFastStore sqlite:a.db\n");
    ck_assert_int_eq(sf_config_read(&config, path, pool, &error), SF_OK);
    ck_assert_str_eq(config.store, "sqlite:a.db");
    ck_assert_int_eq(config.flush_batch, 10);
}
END_TEST

START_TEST(test_error_in_a_file_names_its_path)
{
    char expected[200];
    write_file("\nNoSuch thing\n");
    ck_assert_int_eq(sf_config_read(&config, path, pool, &error), SF_INVALID);
    snprintf(expected, sizeof expected, "%s:2: unknown directive 'NoSuch'", path);
    ck_assert_str_eq(error.text, expected);
}
END_TEST

START_TEST(test_missing_file_is_unavailable)
{
    ck_assert_int_eq(sf_config_read(&config, "/nonexistent/x.conf", pool, &error), SF_UNAVAILABLE);
    ck_assert_str_eq(error.text,
                     "/nonexistent/x.conf: cannot be opened: No such file or directory");
}
END_TEST

START_TEST(test_what_is_no_file_is_refused_without_waiting)
{
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(sf_config_read(&config, path, pool, &error), SF_INVALID);
    ck_assert_int_eq(sf_config_read(&config, folder.path, pool, &error), SF_INVALID);
    ck_assert_int_eq(sf_config_read(&config, "/dev/zero", pool, &error), SF_INVALID);
}
END_TEST

START_TEST(test_written_file_has_the_set_options_of_the_instance_only)
{
    set(SF_OPTION_AT_store, "sqlite:a.db");
    set(SF_OPTION_AT_cache_size, "2048K");
    set(SF_OPTION_AT_idle_timeout, "1h");
    write_config();
    assert_file_is("# Written by the web server at each start.\n"
                   "SessionFastStore sqlite:a.db\n"
                   "SessionFastCacheSize 2M\n");
}
END_TEST

START_TEST(test_written_values_are_read_back_as_they_were)
{
    set(SF_OPTION_AT_daemon, "/opt/a \"b\" \\c\\");
    set(SF_OPTION_AT_state_directory, "");
    set(SF_OPTION_AT_store, "sqlite:a#b.db");
    struct sf_config written = config;
    write_config();
    ck_assert_int_eq(sf_config_read(&config, path, pool, &error), SF_OK);
    for (size_t i = 0; i < SF_OPTION_COUNT; i++) {
        ck_assert_int_eq(config.is_set[i], written.is_set[i]);
        ck_assert_str_eq(sf_config_format(&config, &sf_options[i], pool),
                         sf_config_format(&written, &sf_options[i], pool));
    }
}
END_TEST

START_TEST(test_differences_are_named)
{
    set(SF_OPTION_AT_flush_batch, "7");
    set(SF_OPTION_AT_cookie_name, "id");
    write_config();
    ck_assert_ptr_null(sf_config_differs(&config, path, pool));
    set(SF_OPTION_AT_store, "memory:");
    set(SF_OPTION_AT_flush_batch, "8");
    ck_assert_str_eq(sf_config_differs(&config, path, pool),
                     "SessionFastStore, SessionFastFlushBatch");
}
END_TEST

START_TEST(test_what_is_a_default_is_no_difference)
{
    write_config();
    set(SF_OPTION_AT_flush_delay, "5000ms");
    set(SF_OPTION_AT_idle_timeout, "1h"); /* not of the whole server: the file has none of it */
    ck_assert_ptr_null(sf_config_differs(&config, path, pool));
}
END_TEST

START_TEST(test_no_file_is_a_difference)
{
    ck_assert_str_eq(sf_config_differs(&config, "/nonexistent/x", pool),
                     "/nonexistent/x cannot be read");
}
END_TEST

START_TEST(test_written_file_has_mode_0640_and_leaves_no_other)
{
    struct stat seen;
    umask(077);
    write_config();
    write_config();
    ck_assert_int_eq(stat(path, &seen), 0);
    ck_assert_uint_eq(seen.st_mode, S_IFREG | 0640);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(folder.path), 0);
    ck_assert_int_eq(mkdir(folder.path, 0700), 0); /* for the fixture */
}
END_TEST

START_TEST(test_written_file_belongs_to_the_group_of_its_folder)
{
    struct stat seen;
    if (geteuid() != 0)
        return; /* only root can give folders away */
    ck_assert_int_eq(chown(folder.path, 65534, 65534), 0);
    write_config();
    ck_assert_int_eq(stat(path, &seen), 0);
    ck_assert_uint_eq(seen.st_uid, 0);
    ck_assert_uint_eq(seen.st_gid, 65534);
}
END_TEST

START_TEST(test_write_replaces_a_link_and_not_its_target)
{
    char target[160];
    struct stat seen;
    snprintf(target, sizeof target, "%s.target", path);
    ck_assert_int_eq(symlink(target, path), 0);
    write_config();
    ck_assert_int_eq(lstat(path, &seen), 0);
    ck_assert(S_ISREG(seen.st_mode));
    ck_assert_int_ne(access(target, F_OK), 0);
}
END_TEST

START_TEST(test_write_into_a_missing_folder_is_unavailable)
{
    ck_assert_int_eq(sf_config_write(&config, "/nonexistent/x", pool, &error),
                     SF_UNAVAILABLE);
    ck_assert_str_eq(error.text, "/nonexistent/x: cannot be written: No such file or directory");
}
END_TEST

static TCase *
line_tests(void)
{
    TCase *tests = tcase_create("lines");
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, test_lines_set_options_of_both_scopes);
    tcase_add_test(tests, test_comments_and_empty_lines_are_skipped);
    tcase_add_test(tests, test_last_line_about_an_option_counts);
    tcase_add_test(tests, test_quotes_keep_blanks_and_escapes);
    tcase_add_test(tests, test_list_takes_many_words);
    tcase_add_test(tests, test_backslash_joins_lines);
    tcase_add_test(tests, test_joined_comment_stays_a_comment);
    tcase_add_test(tests, test_carriage_returns_at_line_ends_are_tolerated);
    tcase_add_test(tests, test_unknown_directive_is_refused_with_file_and_line);
    tcase_add_test(tests, test_bad_value_is_refused_with_file_and_line);
    tcase_add_test(tests, test_error_in_joined_lines_names_the_first);
    tcase_add_test(tests, test_number_of_values_is_checked);
    tcase_add_test(tests, test_wrong_quotes_are_refused);
    tcase_add_test(tests, test_nul_byte_is_refused);
    tcase_add_test(tests, test_line_of_8_kib_is_the_longest);
    tcase_add_test(tests, test_joined_lines_together_are_limited_too);
    return tests;
}

static TCase *
file_tests(void)
{
    TCase *tests = tcase_create("files");
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, test_file_is_read_over_the_defaults);
    tcase_add_test(tests, test_error_in_a_file_names_its_path);
    tcase_add_test(tests, test_missing_file_is_unavailable);
    tcase_add_test(tests, test_what_is_no_file_is_refused_without_waiting);
    tcase_add_test(tests, test_written_file_has_the_set_options_of_the_instance_only);
    tcase_add_test(tests, test_written_values_are_read_back_as_they_were);
    tcase_add_test(tests, test_differences_are_named);
    tcase_add_test(tests, test_what_is_a_default_is_no_difference);
    tcase_add_test(tests, test_no_file_is_a_difference);
    tcase_add_test(tests, test_written_file_has_mode_0640_and_leaves_no_other);
    tcase_add_test(tests, test_written_file_belongs_to_the_group_of_its_folder);
    tcase_add_test(tests, test_write_replaces_a_link_and_not_its_target);
    tcase_add_test(tests, test_write_into_a_missing_folder_is_unavailable);
    return tests;
}

int
main(void)
{
    Suite *suite = suite_create("config_file");
    suite_add_tcase(suite, line_tests());
    suite_add_tcase(suite, file_tests());
    return sf_run_suite(suite);
}
