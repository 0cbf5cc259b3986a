/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_records.h"

#define URL "file:sessions.json"
#define KILLED 77

static struct sf_temp_folder folder;
static struct sf_store *store;
static struct sf_stored stored;
static struct sf_error error;

/* They stand in front of the C library's: a disk that fails, a process that is killed. */
static atomic_bool log_fails, file_fails, rename_fails;
static unsigned steps_left; /* 0: for ever */

static void
count_step(void)
{
    if (steps_left > 0 && --steps_left == 0)
        _exit(KILLED);
}

__attribute__((visibility("default"))) int
fdatasync(int fd)
{
    count_step();
    errno = EIO;
    return atomic_load(&log_fails) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

__attribute__((visibility("default"))) int
fsync(int fd)
{
    count_step();
    errno = ENOSPC;
    return atomic_load(&file_fails) ? -1 : (int)syscall(SYS_fsync, fd);
}

__attribute__((visibility("default"))) int
rename(const char *from, const char *to)
{
    count_step();
    errno = EIO;
    return atomic_load(&rename_fails) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

__attribute__((visibility("default"))) int
unlink(const char *name)
{
    count_step();
    return (int)syscall(SYS_unlinkat, AT_FDCWD, name, 0);
}

static sf_time
soon(void)
{
    return sf_clock_steady() + 10 * SF_SECOND;
}

static enum sf_status
attach_in(const char *path)
{
    ck_assert_int_eq(sf_store_open(&store, URL, path, &error), SF_OK);
    return store->ops->attach(store, soon(), &error);
}

static void
attach(void)
{
    ck_assert_msg(attach_in(folder.path) == SF_OK, "%s", error.text);
}

static void
detach(void)
{
    sf_store_close(store);
    store = NULL;
}

static void
set_up(void)
{
    atomic_store(&log_fails, false);
    atomic_store(&file_fails, false);
    atomic_store(&rename_fails, false);
    steps_left = 0;
    sf_temp_folder_init(&folder);
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    attach();
}

static void
tear_down(void)
{
    detach();
    sf_buffer_fini(&stored.record);
    sf_temp_folder_fini(&folder);
}

static enum sf_status
put(unsigned number, uint64_t version, const char *text)
{
    struct sf_buffer record = sf_test_record(version, "alice", sf_span_text(text));
    struct sf_write write = sf_test_put(number, version, &record);
    enum sf_status status = store->ops->write(store, &write, 1, soon());
    sf_buffer_fini(&record);
    return status;
}

static enum sf_status
load(unsigned number)
{
    struct sf_key key = sf_test_key(number);
    return sf_store_load_one(store, &key, soon(), &stored);
}

static void
assert_loads(unsigned number, const char *expected)
{
    struct sf_value value;
    ck_assert_int_eq(load(number), SF_OK);
    ck_assert_int_eq(sf_record_find(&value, sf_buffer_span(&stored.record), sf_span_text("value")), SF_OK);
    ck_assert(sf_span_equal(value.bytes, sf_span_text(expected)));
}

static uint64_t
stored_version(void)
{
    struct sf_record_head head;
    ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&stored.record)), SF_OK);
    return head.version;
}

static void
assert_explains(const char *part)
{
    store->ops->explain(store, &error);
    ck_assert_msg(strstr(error.text, part) != NULL, "%s", error.text);
}

static const char *
path(const char *name)
{
    return sf_temp_folder_path(&folder, name);
}

/* The whole file, with a NUL behind it. */
static char *
slurp(const char *from, size_t *size_out)
{
    FILE *stream = fopen(from, "r");
    ck_assert_msg(stream != NULL, "%s: %s", from, strerror(errno));
    char *bytes = calloc(1, 1 << 20);
    *size_out = fread(bytes, 1, (1 << 20) - 1, stream);
    fclose(stream);
    return bytes;
}

static void
spill(const char *to, const char *bytes, size_t size)
{
    FILE *stream = fopen(to, "w");
    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(bytes, 1, size, stream), size);
    fclose(stream);
}

/* ---- what is kept ---- */

START_TEST(test_rows_and_touches_are_kept_over_a_restart)
{
    struct sf_write touch = sf_test_touch(1, 5000, 0);
    ck_assert_int_eq(put(1, 1, "one"), SF_OK);
    ck_assert_int_eq(put(2, 7, "two"), SF_OK);
    ck_assert_int_eq(store->ops->write(store, &touch, 1, soon()), SF_OK);
    detach();
    attach();
    assert_loads(1, "one");
    ck_assert_int_eq(stored.last_access, 5000);
    assert_loads(2, "two");
}
END_TEST

/* As kill -9 leaves it. */
static void
attach_to_copy(const char *name)
{
    char command[512], copy[128];
    snprintf(copy, sizeof copy, "%s/%s", folder.path, name);
    snprintf(command, sizeof command, "mkdir %s && cp -p %s/sessions.json* %s", copy, folder.path, copy);
    ck_assert_int_eq(system(command), 0);
    detach();
    ck_assert_msg(attach_in(copy) == SF_OK, "%s", error.text);
}

START_TEST(test_what_was_acknowledged_is_there_after_a_kill)
{
    char text[16];
    for (unsigned i = 0; i < 50; i++) {
        snprintf(text, sizeof text, "%u", i);
        ck_assert_int_eq(put(i % 20, i + 1, text), SF_OK);
    }
    attach_to_copy("copy");
    assert_loads(9, "49");
    assert_loads(10, "30");
}
END_TEST

/* A life with everything that touches the disk; each answer goes to `answers` before the next step. */
static void
live_and_die(unsigned steps, int answers)
{
    char text[16];
    steps_left = steps;
    attach();
    for (unsigned i = 1; i <= 4; i++) {
        snprintf(text, sizeof text, "%u", i);
        atomic_store(&log_fails, i == 3); /* the whole anew */
        if (put(1, i, text) != SF_OK || write(answers, "+", 1) != 1)
            _exit(EXIT_FAILURE);
    }
    detach();
    _exit(EXIT_SUCCESS);
}

/* What was acknowledged, or one more; never a mixture. How the life ended. */
static int
assert_life_leaves_something_whole(unsigned steps)
{
    int answers[2], ending;
    char acknowledged[8], text[16];
    ck_assert_int_eq(pipe(answers), 0);
    pid_t child = fork();
    if (child == 0)
        live_and_die(steps, answers[1]);
    ck_assert_int_eq(waitpid(child, &ending, 0), child);
    close(answers[1]);
    ssize_t count = read(answers[0], acknowledged, sizeof acknowledged);
    close(answers[0]);
    attach();
    if (count > 0 || load(1) == SF_OK) {
        ck_assert_int_eq(load(1), SF_OK);
        ck_assert_uint_ge(stored_version(), (uint64_t)count);
        ck_assert_uint_le(stored_version(), (uint64_t)count + 1);
        snprintf(text, sizeof text, "%u", (unsigned)stored_version());
        assert_loads(1, text);
    }
    return WEXITSTATUS(ending);
}

START_TEST(test_killed_at_any_step_the_file_is_the_old_or_the_new_one)
{
    unsigned steps = 1;
    int ending;
    detach();
    do {
        ending = assert_life_leaves_something_whole(steps++);
        ck_assert_msg(ending == KILLED || ending == EXIT_SUCCESS, "%d after %u steps", ending, steps - 1);
        detach();
        (void)unlink(path("sessions.json"));
        (void)unlink(path("sessions.json-log"));
    } while (ending == KILLED);
    ck_assert_uint_gt(steps, 10);
    attach();
}
END_TEST

START_TEST(test_batch_costs_what_has_changed)
{
    struct stat before, after;
    for (unsigned i = 0; i < 200; i++)
        ck_assert_int_eq(put(i, 1, "some text that takes a while to be written"), SF_OK);
    detach();
    attach();
    ck_assert_int_eq(stat(path("sessions.json"), &before), 0);
    ck_assert_int_eq(put(1, 2, "more"), SF_OK);
    ck_assert_int_eq(stat(path("sessions.json-log"), &after), 0);
    ck_assert_int_gt(after.st_size, 0);
    ck_assert_int_lt(after.st_size, before.st_size / 50);
    ck_assert_int_eq(stat(path("sessions.json"), &after), 0);
    ck_assert_uint_eq(after.st_ino, before.st_ino);
}
END_TEST

START_TEST(test_swept_rows_do_not_come_back)
{
    size_t removed;
    struct sf_buffer record = sf_test_tombstone(2, 4000);
    struct sf_write write = sf_test_put(1, 2, &record);
    write.expires = 4000;
    ck_assert_int_eq(store->ops->write(store, &write, 1, soon()), SF_OK);
    ck_assert_int_eq(put(2, 1, "stays"), SF_OK);
    ck_assert_int_eq(store->ops->sweep(store, 5000, 10, soon(), &removed), SF_OK);
    ck_assert_uint_eq(removed, 1);
    attach_to_copy("copy");
    ck_assert_int_eq(load(1), SF_NOT_FOUND);
    assert_loads(2, "stays");
    sf_buffer_fini(&record);
}
END_TEST

/* ---- failures ---- */

START_TEST(test_log_that_failed_is_left_and_everything_is_written_anew)
{
    ck_assert_int_eq(put(1, 1, "one"), SF_OK);
    atomic_store(&log_fails, true);
    ck_assert_int_eq(put(2, 1, "two"), SF_OK);
    ck_assert_int_ne(access(path("sessions.json-new"), F_OK), 0);
    attach_to_copy("copy");
    assert_loads(1, "one");
    assert_loads(2, "two");
}
END_TEST

START_TEST(test_full_disk_is_an_outage_that_ends)
{
    ck_assert_int_eq(put(1, 1, "one"), SF_OK);
    atomic_store(&log_fails, true);
    atomic_store(&file_fails, true);
    ck_assert_int_eq(put(1, 2, "two"), SF_UNCERTAIN);
    assert_explains("No space left");
    ck_assert_int_ne(access(path("sessions.json-new"), F_OK), 0);
    ck_assert_int_eq(load(1), SF_OK);
    atomic_store(&file_fails, false);
    ck_assert_int_eq(put(1, 2, "two"), SF_OK);
    attach_to_copy("copy");
    assert_loads(1, "two");
}
END_TEST

START_TEST(test_file_that_cannot_be_renamed_leaves_nothing_behind)
{
    ck_assert_int_eq(put(1, 1, "one"), SF_OK);
    atomic_store(&log_fails, true);
    atomic_store(&rename_fails, true);
    ck_assert_int_eq(put(1, 2, "two"), SF_UNCERTAIN);
    assert_explains("rename");
    ck_assert_int_ne(access(path("sessions.json-new"), F_OK), 0);
    atomic_store(&log_fails, false);
    atomic_store(&rename_fails, false);
    ck_assert_int_eq(put(2, 1, "two"), SF_OK);
    detach();
    attach();
    assert_loads(1, "two");
}
END_TEST

START_TEST(test_file_is_one_daemons)
{
    struct sf_store *mine = store;
    ck_assert_int_eq(attach_in(folder.path), SF_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "in use"));
    ck_assert_int_eq(load(1), SF_UNAVAILABLE);
    detach();
    store = mine;
}
END_TEST

START_TEST(test_file_that_somebody_else_changed_is_left_alone)
{
    static const char edited[] = "{\"format\": \"session-fast 1\", \"sessions\": {}}";
    size_t size;
    ck_assert_int_eq(put(1, 1, "one"), SF_OK);
    spill(path("sessions.json"), edited, strlen(edited));
    ck_assert_int_eq(put(1, 2, "two"), SF_UNCERTAIN);
    assert_explains("changed by another program");
    char *found = slurp(path("sessions.json"), &size);
    ck_assert_str_eq(found, edited);
    free(found);
}
END_TEST

START_TEST(test_file_that_is_gone_is_made_again)
{
    ck_assert_int_eq(put(1, 1, "one"), SF_OK);
    ck_assert_int_eq(unlink(path("sessions.json")), 0);
    ck_assert_int_eq(put(2, 1, "two"), SF_OK);
    detach();
    attach();
    assert_loads(1, "one");
    assert_loads(2, "two");
}
END_TEST

START_TEST(test_other_files_are_refused)
{
    static const char *const wrong[] = {
        "",
        "hello",
        "[]",
        "{\"alice\": {}}",
        "{\"alice\": {\"sessions\": []}}",
        "{\"format\": \"session-fast 2\", \"sessions\": {}}",
        "{\"format\": \"session-fast 1\", \"sessions\": []}",
        "{\"format\": \"session-fast 1\", \"sessions\": {}",
    };
    size_t size;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        detach();
        spill(path("sessions.json"), wrong[i], strlen(wrong[i]));
        ck_assert_int_eq(attach_in(folder.path), SF_INVALID);
        ck_assert_ptr_nonnull(strstr(error.text, "sessions.json"));
        ck_assert_int_eq(put(1, 1, "one"), SF_UNAVAILABLE);
        char *found = slurp(path("sessions.json"), &size);
        ck_assert_str_eq(found, wrong[i]);
        free(found);
    }
}
END_TEST

/* ---- damage ---- */

START_TEST(test_log_cut_off_anywhere_gives_what_was_whole)
{
    size_t size;
    char digit[] = "0";
    for (unsigned i = 0; i < 5; i++) {
        digit[0] = (char)('0' + i);
        ck_assert_int_eq(put(1, i + 1, digit), SF_OK);
    }
    char *log = slurp(path("sessions.json-log"), &size);
    char *main_file = slurp(path("sessions.json"), &(size_t){0});
    for (size_t cut = 0; cut <= size; cut += 3) {
        unsigned lines = 0;
        for (size_t i = 0; i < cut; i++)
            lines += log[i] == '\n';
        /* The last line is whole without its end, too. */
        lines += cut < size && log[cut] == '\n';
        detach();
        spill(path("sessions.json"), main_file, strlen(main_file));
        spill(path("sessions.json-log"), log, cut);
        attach();
        digit[0] = (char)('0' + lines - 1);
        if (lines == 0)
            ck_assert_int_eq(load(1), SF_NOT_FOUND);
        else
            assert_loads(1, digit);
    }
    free(log);
    free(main_file);
}
END_TEST

/* Detected, or harmless: a session is what it was, damaged, or nobody's. */
START_TEST(test_flipped_bits_never_change_a_session)
{
    size_t size;
    ck_assert_int_eq(put(1, 1, "precious"), SF_OK);
    ck_assert_int_eq(put(2, 1, "other"), SF_OK);
    detach();
    char *bytes = slurp(path("sessions.json"), &size);
    for (size_t bit = 0; bit < size * 8; bit += 5) {
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        spill(path("sessions.json"), bytes, size);
        (void)unlink(path("sessions.json-log"));
        enum sf_status status = attach_in(folder.path);
        ck_assert(status == SF_OK || status == SF_INVALID);
        if (load(1) == SF_OK)
            assert_loads(1, "precious");
        detach();
        bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
    spill(path("sessions.json"), bytes, size);
    free(bytes);
    attach();
    assert_loads(1, "precious");
}
END_TEST

START_TEST(test_damaged_row_is_kept_until_it_is_written_again)
{
    size_t size;
    ck_assert_int_eq(put(1, 1, "precious"), SF_OK);
    ck_assert_int_eq(put(2, 1, "other"), SF_OK);
    detach();
    for (int restart = 0; restart < 2; restart++) {
        char *bytes = slurp(path("sessions.json"), &size);
        char *user = strstr(bytes, restart == 0 ? "alice" : "Alice"); /* the first session's */
        ck_assert_ptr_nonnull(user);
        *user = 'A';
        spill(path("sessions.json"), bytes, size);
        free(bytes);
        attach();
        assert_explains("checksum");
        ck_assert_int_eq(load(1), SF_CORRUPT);
        assert_loads(2, "other");
        if (restart == 0)
            detach();
    }
    ck_assert_int_eq(put(1, 2, "mended"), SF_OK);
    assert_loads(1, "mended");
    detach();
    attach();
    assert_loads(1, "mended");
}
END_TEST

START_TEST(test_damaged_line_is_kept_aside_and_takes_no_other_with_it)
{
    size_t size;
    for (unsigned i = 1; i <= 3; i++)
        ck_assert_int_eq(put(i, 1, "text"), SF_OK);
    char *log = slurp(path("sessions.json-log"), &size);
    char *main_file = slurp(path("sessions.json"), &(size_t){0});
    detach();
    *strstr(strchr(log, '\n'), "row") = '"';
    spill(path("sessions.json"), main_file, strlen(main_file));
    spill(path("sessions.json-log"), log, size);
    attach();
    assert_explains("1 damaged lines, kept as");
    ck_assert_int_eq(access(path("sessions.json-log.bad"), F_OK), 0);
    assert_loads(1, "text");
    ck_assert_int_eq(load(2), SF_NOT_FOUND);
    assert_loads(3, "text");
    free(log);
    free(main_file);
}
END_TEST

static Suite *
make_suite(void)
{
    (void)sf_temp_folder_want_memory(); /* thousands of files are synced */
    Suite *suite = suite_create("store_file");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, test_rows_and_touches_are_kept_over_a_restart);
    tcase_add_test(all, test_what_was_acknowledged_is_there_after_a_kill);
    tcase_add_test(all, test_killed_at_any_step_the_file_is_the_old_or_the_new_one);
    tcase_add_test(all, test_batch_costs_what_has_changed);
    tcase_add_test(all, test_swept_rows_do_not_come_back);
    tcase_add_test(all, test_log_that_failed_is_left_and_everything_is_written_anew);
    tcase_add_test(all, test_full_disk_is_an_outage_that_ends);
    tcase_add_test(all, test_file_that_cannot_be_renamed_leaves_nothing_behind);
    tcase_add_test(all, test_file_is_one_daemons);
    tcase_add_test(all, test_file_that_somebody_else_changed_is_left_alone);
    tcase_add_test(all, test_file_that_is_gone_is_made_again);
    tcase_add_test(all, test_other_files_are_refused);
    tcase_add_test(all, test_log_cut_off_anywhere_gives_what_was_whole);
    tcase_add_test(all, test_flipped_bits_never_change_a_session);
    tcase_add_test(all, test_damaged_row_is_kept_until_it_is_written_again);
    tcase_add_test(all, test_damaged_line_is_kept_aside_and_takes_no_other_with_it);
    suite_add_tcase(suite, all);
    return suite;
}

int
main(void)
{
    return sf_run_suite(make_suite());
}
