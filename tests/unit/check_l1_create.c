/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cache/l1_private.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"

static struct sf_temp_folder folder;
static struct sf_instance instance;
static struct sf_error error;
static struct sf_l1_made made;

static void
set_up(void)
{
    sf_temp_folder_init(&folder);
    sf_test_cache_instance(&instance, folder.path);
}

static void
tear_down(void)
{
    sf_temp_folder_fini(&folder);
}

static void
create(uint64_t bytes)
{
    ck_assert_msg(sf_l1_create(&instance, bytes, &made, &error) == SF_OK, "%s", error.text);
}

static struct sf_l1 *
attach(void)
{
    struct sf_l1 *l1;

    ck_assert_msg(sf_l1_attach(&l1, &instance, SF_L1_READ_WRITE, &error) == SF_OK, "%s",
                  error.text);
    return l1;
}

static void
patch(size_t offset, const void *bytes, size_t size)
{
    int descriptor = open(instance.cache_path, O_RDWR);

    ck_assert_int_eq(pwrite(descriptor, bytes, size, (off_t)offset), (ssize_t)size);
    close(descriptor);
}

static bool
exists(const char *name)
{
    return access(sf_temp_folder_path(&folder, name), F_OK) == 0;
}

START_TEST(test_new_cache_is_empty_and_sound)
{
    struct sf_l1_usage usage;

    create(1 << 20);
    ck_assert(made.is_new && !made.set_aside && !made.size_differs);
    struct sf_l1 *l1 = attach();
    ck_assert_msg(sf_l1_check(l1, true, &error) == SF_OK, "%s", error.text);
    sf_l1_usage(l1, &usage);
    ck_assert_uint_eq(usage.blocks_live + usage.index_used + usage.slabs_used, 0);
    ck_assert_uint_eq(usage.processes, 1);
    sf_l1_close(l1);
    ck_assert(!exists("l1.cache.new"));
}
END_TEST

START_TEST(test_cache_is_kept_over_a_restart)
{
    create(1 << 20);
    struct sf_l1 *l1 = attach();
    ck_assert_int_eq(sf_test_create(l1, 1, "a", "b"), SF_OK);
    sf_l1_close(l1);
    create(1 << 20);
    ck_assert(!made.is_new && !made.size_differs);
    l1 = attach();
    ck_assert_str_eq(sf_test_look(l1, 1, "a").text, "b");
    sf_l1_close(l1);
}
END_TEST

/* A process that takes all slots, or all but one, and dies. */
static void
take_slots_and_die(bool leaves_one)
{
    struct sf_l1 *l1;
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        l1 = attach();
        (void)!sf_test_create(l1, 1, "a", "b");
        for (uint32_t slot = 1; slot < l1->plan.slots - leaves_one; slot++)
            (void)attach();
        _exit(EXIT_SUCCESS);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

START_TEST(test_the_dead_keep_nobody_out_for_ever)
{
    struct sf_l1 *l1 = NULL;

    create(1 << 20);
    take_slots_and_die(false);
    ck_assert_int_eq(sf_l1_attach(&l1, &instance, SF_L1_READ_WRITE, &error), SF_FULL);
    create(1 << 20);
    ck_assert(!made.is_new);
    l1 = attach();
    ck_assert_msg(sf_l1_check(l1, true, &error) == SF_OK, "%s", error.text);
    ck_assert_str_eq(sf_test_look(l1, 1, "a").text, "b");
    ck_assert(sf_l1_lead(l1, SF_L1_SWEEPER));
    sf_l1_close(l1);
}
END_TEST

START_TEST(test_who_is_under_way_is_left_to_the_sweeper)
{
    uint64_t word = 0;

    create(1 << 20);
    take_slots_and_die(true);
    create(1 << 20);
    struct sf_l1 *l1 = attach();
    word = atomic_load(&l1->slots.slots[0].word);
    ck_assert_msg((word & 1) != 0, "buried before there is need");
    sf_l1_close(l1);
}
END_TEST

START_TEST(test_other_size_is_kept_while_anything_is_dirty)
{
    create(1 << 20);
    struct sf_l1 *l1 = attach();
    ck_assert_int_eq(sf_test_create(l1, 1, "a", "b"), SF_OK);
    sf_l1_close(l1);
    create(2 << 20);
    ck_assert(!made.is_new && made.size_differs);
    ck_assert_uint_eq(made.bytes, 1 << 20);
}
END_TEST

START_TEST(test_other_size_is_kept_while_somebody_is_attached)
{
    create(1 << 20);
    struct sf_l1 *l1 = attach();
    create(2 << 20);
    ck_assert(made.size_differs && !sf_l1_is_retired(l1));
    sf_l1_close(l1);
}
END_TEST

START_TEST(test_other_size_replaces_a_clean_cache)
{
    struct sf_l1 *reader;

    create(1 << 20);
    struct sf_l1 *l1 = attach();
    ck_assert_int_eq(sf_test_fill(l1, 1, 3, "x"), SF_OK);
    sf_l1_close(l1);
    ck_assert_int_eq(sf_l1_attach(&reader, &instance, SF_L1_READ_ONLY, &error), SF_OK);
    create(2 << 20);
    ck_assert(made.is_new);
    ck_assert_uint_eq(made.bytes, 2 << 20);
    ck_assert(sf_l1_is_retired(reader));
    sf_l1_close(reader);
}
END_TEST

START_TEST(test_cache_of_another_layout_is_set_aside)
{
    uint64_t version = SF_L1_LAYOUT_VERSION + 1;
    struct sf_l1 *l1;

    create(1 << 20);
    struct sf_l1 *front = attach();
    patch(offsetof(struct sf_l1_header, layout_version), &version, sizeof(version));
    ck_assert_int_eq(sf_l1_attach(&l1, &instance, SF_L1_READ_WRITE, &error), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "another version"));
    create(1 << 20);
    ck_assert(made.is_new && made.set_aside && exists("l1.cache.bad"));
    ck_assert(sf_l1_is_retired(front));
    sf_l1_close(front);
}
END_TEST

START_TEST(test_cache_of_an_earlier_boot_is_forgotten)
{
    struct sf_l1 *l1;

    create(1 << 20);
    patch(offsetof(struct sf_l1_header, boot_id), "0000", 4);
    ck_assert_int_eq(sf_l1_attach(&l1, &instance, SF_L1_READ_WRITE, &error), SF_INVALID);
    create(1 << 20);
    ck_assert(made.is_new && !made.set_aside && !exists("l1.cache.bad"));
}
END_TEST

START_TEST(test_cache_without_its_lock_file_is_set_aside)
{
    struct sf_l1 *l1;

    create(1 << 20);
    ck_assert_int_eq(rename(instance.cache_lock_path, sf_temp_folder_path(&folder, "moved")), 0);
    create(1 << 20);
    ck_assert(made.is_new && made.set_aside);
    ck_assert_int_eq(sf_l1_attach(&l1, &instance, SF_L1_READ_WRITE, &error), SF_OK);
    sf_l1_close(l1);
}
END_TEST

/* A front that goes on with the old one would change what nobody will ever store. */
START_TEST(test_what_was_not_stored_survives_a_replaced_lock_file)
{
    create(1 << 20);
    struct sf_l1 *front = attach();
    for (uint64_t number = 0; number < 200; number++)
        ck_assert_int_eq(sf_test_create(front, number, "a", "stored"), SF_OK);
    sf_test_settle_all(front);
    for (uint64_t number = 100; number < 300; number++)
        (void)!sf_test_create(front, number, "a", "new");
    for (uint64_t number = 0; number < 100; number++)
        ck_assert_int_eq(sf_test_set(front, number, "a", "changed"), SF_OK);
    ck_assert_int_eq(unlink(instance.cache_lock_path), 0);
    create(2 << 20);
    ck_assert(made.is_new && made.set_aside && sf_l1_is_retired(front));
    ck_assert_uint_eq(made.inherited, 200);
    ck_assert_uint_eq(made.lost, 0);
    struct sf_l1 *l1 = attach();
    ck_assert_msg(sf_l1_check(l1, true, &error) == SF_OK, "%s", error.text);
    for (uint64_t number = 0; number < 300; number++) {
        struct sf_test_seen seen = sf_test_look(l1, number, "a");
        bool was_stored = number >= 100 && number < 200;

        ck_assert_int_eq(seen.status, was_stored ? SF_NOT_FOUND : SF_OK);
        ck_assert_str_eq(seen.text, was_stored ? "" : number < 100 ? "changed" : "new");
        ck_assert(!seen.is_clean);
    }
    sf_l1_close(l1);
    sf_l1_close(front);
}
END_TEST

START_TEST(test_records_without_room_in_the_successor_are_counted)
{
    uint64_t dirty = 0;

    create(4 << 20);
    struct sf_l1 *l1 = attach();
    while (dirty < 6000 && sf_test_create(l1, dirty, "a", "b") == SF_OK)
        dirty++;
    sf_l1_close(l1);
    ck_assert_int_eq(rename(instance.cache_lock_path, sf_temp_folder_path(&folder, "moved")), 0);
    create(1 << 20);
    ck_assert_uint_gt(made.inherited, 1000);
    ck_assert_uint_eq(made.inherited + made.lost, dirty);
}
END_TEST

/* ---- giving one up while others come ---- */

START_TEST(test_who_attaches_to_what_was_given_up_is_turned_away)
{
    uint64_t retired = 1;
    struct sf_l1 *l1;

    create(1 << 20);
    patch(offsetof(struct sf_l1_header, retired), &retired, sizeof(retired));
    ck_assert_int_eq(sf_l1_attach(&l1, &instance, SF_L1_READ_WRITE, &error), SF_UNAVAILABLE);
    ck_assert_ptr_null(l1);
    create(1 << 20);
    ck_assert(made.is_new);
    sf_l1_close(attach());
}
END_TEST

START_TEST(test_creator_that_died_giving_one_up_loses_nothing)
{
    uint64_t retired = 1;

    create(1 << 20);
    struct sf_l1 *l1 = attach();
    ck_assert_int_eq(sf_test_create(l1, 1, "a", "b"), SF_OK);
    sf_l1_close(l1);
    patch(offsetof(struct sf_l1_header, retired), &retired, sizeof(retired));
    create(2 << 20);
    ck_assert(!made.is_new && made.size_differs);
    l1 = attach();
    ck_assert_str_eq(sf_test_look(l1, 1, "a").text, "b");
    sf_l1_close(l1);
}
END_TEST

#define SESSIONS 20000

static _Atomic bool must_stop;
static _Atomic unsigned creations;
static _Atomic uint64_t acknowledged;

/* A front that comes, creates a session, goes, and stays away for up to three creations of the cache. */
static void *
come_and_go(void *unused)
{
    struct sf_l1 *l1;

    (void)unused;
    while (!atomic_load(&must_stop) && acknowledged < SESSIONS) {
        unsigned seen = atomic_load(&creations);

        if (sf_l1_attach(&l1, &instance, SF_L1_READ_WRITE, NULL) != SF_OK)
            continue;
        if (sf_test_create(l1, acknowledged, "a", "b") == SF_OK)
            acknowledged++;
        sf_l1_close(l1);
        while (!atomic_load(&must_stop) && atomic_load(&creations) - seen <= seen % 4)
            sched_yield();
    }
    return NULL;
}

static bool is_stored[SESSIONS];

static void
store_all(void)
{
    struct sf_l1_cursor cursor = {.is_following = false};
    struct sf_l1_dirty items[16] = {{.dirty_since = 0}};
    struct sf_l1 *l1 = attach();
    size_t taken;

    do {
        taken = sf_l1_dirty_take(l1, &cursor, items, 16);
        for (size_t i = 0; i < taken; i++) {
            uint64_t number;

            memcpy(&number, items[i].key.bytes + sizeof(number), sizeof(number));
            is_stored[number] = true;
            sf_l1_settle(l1, &items[i].ticket, sf_clock_steady());
        }
    } while (taken == 16);
    sf_l1_dirty_fini(items, 16);
    sf_l1_close(l1);
}

START_TEST(test_no_change_goes_into_what_is_being_replaced)
{
    pthread_t front;
    unsigned replaced = 0;

    create(1 << 20);
    ck_assert_int_eq(pthread_create(&front, NULL, come_and_go, NULL), 0);
    while (replaced < 100 || acknowledged < 100) {
        create(atomic_fetch_add(&creations, 1) % 2 == 0 ? 2 << 20 : 1 << 20);
        replaced += made.is_new;
        store_all();
    }
    atomic_store(&must_stop, true);
    ck_assert_int_eq(pthread_join(front, NULL), 0);
    store_all();
    ck_assert_uint_gt(replaced, 0);
    ck_assert_uint_gt(acknowledged, 0);
    for (uint64_t number = 0; number < acknowledged; number++)
        ck_assert_msg(is_stored[number], "session %u of %u is lost", (unsigned)number,
                      (unsigned)acknowledged);
}
END_TEST

START_TEST(test_damaged_and_truncated_files_are_set_aside)
{
    struct sf_l1_header header = {.magic = 0};
    struct sf_l1 *l1;

    create(1 << 20);
    patch(0, &header, sizeof(header));
    ck_assert_int_eq(sf_l1_attach(&l1, &instance, SF_L1_READ_WRITE, &error), SF_INVALID);
    create(1 << 20);
    ck_assert(made.is_new && made.set_aside);
    ck_assert_int_eq(truncate(instance.cache_path, 1000), 0);
    create(1 << 20);
    ck_assert(made.is_new && made.set_aside);
    ck_assert_int_eq(truncate(instance.cache_path, (1 << 20) - 4096), 0);
    create(1 << 20);
    ck_assert(made.is_new && made.set_aside);
}
END_TEST

START_TEST(test_links_and_foreign_folders_are_refused)
{
    ck_assert_int_eq(symlink("/etc/passwd", instance.cache_path), 0);
    ck_assert_int_eq(sf_l1_create(&instance, 1 << 20, &made, &error), SF_INVALID);
    sf_test_cache_instance(&instance, "/nonexistent");
    ck_assert_int_ne(sf_l1_create(&instance, 1 << 20, &made, &error), SF_OK);
}
END_TEST

START_TEST(test_sizes_out_of_range_are_refused)
{
    ck_assert_int_eq(sf_l1_create(&instance, 1000, &made, &error), SF_INVALID);
    ck_assert_int_eq(sf_l1_create(&instance, UINT64_C(1) << 40, &made, &error), SF_INVALID);
}
END_TEST

START_TEST(test_attaching_nothing_is_not_found)
{
    struct sf_l1 *l1;

    ck_assert_int_eq(sf_l1_attach(&l1, &instance, SF_L1_READ_WRITE, &error), SF_NOT_FOUND);
    ck_assert_int_eq(sf_l1_attach(&l1, &instance, SF_L1_READ_ONLY, &error), SF_NOT_FOUND);
    ck_assert_ptr_null(l1);
}
END_TEST

START_TEST(test_many_creators_agree_on_one)
{
    int fresh = 0;

    for (int i = 0; i < 6; i++) {
        if (fork() == 0) {
            enum sf_status status = sf_l1_create(&instance, 1 << 20, &made, &error);
            _exit(status == SF_OK ? made.is_new : 99);
        }
    }
    for (int i = 0; i < 6; i++) {
        int status = 0;

        wait(&status);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
        fresh += WEXITSTATUS(status);
    }
    ck_assert_int_eq(fresh, 1);
}
END_TEST

START_TEST(test_size_that_no_cache_has_is_refused_with_what_fits)
{
    ck_assert_int_eq(sf_l1_create(&instance, 4096, &made, &error), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "sessions of 1 KiB"));
    ck_assert_int_eq(sf_l1_create(&instance, SF_L1_BYTES_MAX + 4096, &made, &error), SF_INVALID);
    ck_assert_int_eq(sf_l1_create(&instance, SF_L1_BYTES_MIN, &made, &error), SF_OK);
    ck_assert_uint_gt(made.fits, 300);
    ck_assert_uint_lt(made.fits, 1024);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1_create");
    TCase *tests = tcase_create("l1_create");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_new_cache_is_empty_and_sound);
    tcase_add_test(tests, test_cache_is_kept_over_a_restart);
    tcase_add_test(tests, test_the_dead_keep_nobody_out_for_ever);
    tcase_add_test(tests, test_who_is_under_way_is_left_to_the_sweeper);
    tcase_add_test(tests, test_other_size_is_kept_while_anything_is_dirty);
    tcase_add_test(tests, test_other_size_is_kept_while_somebody_is_attached);
    tcase_add_test(tests, test_other_size_replaces_a_clean_cache);
    tcase_add_test(tests, test_cache_of_another_layout_is_set_aside);
    tcase_add_test(tests, test_cache_of_an_earlier_boot_is_forgotten);
    tcase_add_test(tests, test_cache_without_its_lock_file_is_set_aside);
    tcase_add_test(tests, test_what_was_not_stored_survives_a_replaced_lock_file);
    tcase_add_test(tests, test_records_without_room_in_the_successor_are_counted);
    tcase_add_test(tests, test_who_attaches_to_what_was_given_up_is_turned_away);
    tcase_add_test(tests, test_creator_that_died_giving_one_up_loses_nothing);
    tcase_add_test(tests, test_no_change_goes_into_what_is_being_replaced);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_damaged_and_truncated_files_are_set_aside);
    tcase_add_test(tests, test_links_and_foreign_folders_are_refused);
    tcase_add_test(tests, test_sizes_out_of_range_are_refused);
    tcase_add_test(tests, test_attaching_nothing_is_not_found);
    tcase_add_test(tests, test_many_creators_agree_on_one);
    tcase_add_test(tests, test_size_that_no_cache_has_is_refused_with_what_fits);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
