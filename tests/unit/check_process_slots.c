/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/process_slots.h"

#include <check.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"

#define SLOTS 4

static struct sf_temp_folder folder;
static struct sf_l1_slot words[SLOTS]; /* copied by fork: what a child does to them its parent does
                                          not see, but for the locks */
static struct sf_process_slots slots;

static void
set_up(void)
{
    struct sf_error error;

    sf_temp_folder_init(&folder);
    memset(words, 0, sizeof(words));
    slots = (struct sf_process_slots){.slots = words, .count = SLOTS};
    ck_assert_int_eq(sf_record_locks_open(&slots.locks, sf_temp_folder_path(&folder, "lock"),
                                          SF_RECORD_LOCKS_MAKE, &error),
                     SF_OK);
}

static void
tear_down(void)
{
    sf_record_locks_close(slots.locks);
    sf_temp_folder_fini(&folder);
}

/* What is left of a process that died in slot 0. */
static void
die_in_slot_0(void)
{
    words[0].word = 3;
}

START_TEST(test_each_claim_gets_its_own_slot)
{
    uint32_t slot;

    for (uint32_t i = 0; i < SLOTS; i++) {
        ck_assert_int_eq(sf_process_slot_claim(&slots, &slot), SF_OK);
        ck_assert_uint_eq(slot, i);
        ck_assert(sf_process_slot_is_alive(&slots, slot));
    }
    ck_assert_int_eq(sf_process_slot_claim(&slots, &slot), SF_FULL);
    ck_assert_uint_eq(sf_process_slots_alive(&slots), SLOTS);
    for (uint32_t i = 0; i < SLOTS; i++)
        sf_process_slot_release(&slots, i);
    ck_assert_uint_eq(sf_process_slots_alive(&slots), 0);
}
END_TEST

START_TEST(test_slot_is_free_again_with_another_incarnation)
{
    uint32_t slot;

    ck_assert_int_eq(sf_process_slot_claim(&slots, &slot), SF_OK);
    uint64_t before = words[slot].word;
    sf_process_slot_release(&slots, slot);
    ck_assert_int_eq(sf_process_slot_claim(&slots, &slot), SF_OK);
    ck_assert_uint_ne(words[slot].word, before);
    sf_process_slot_release(&slots, slot);
}
END_TEST

START_TEST(test_slot_of_a_dead_owner_is_not_claimed_before_it_is_buried)
{
    uint32_t slot;

    die_in_slot_0();
    uint64_t dead = sf_process_slot_dead_word(&slots, 0);
    ck_assert_uint_eq(dead, 3);
    ck_assert(!sf_process_slot_is_alive(&slots, 0));
    ck_assert_int_eq(sf_process_slot_claim(&slots, &slot), SF_OK);
    ck_assert_uint_eq(slot, 1);
    ck_assert(sf_process_slot_bury(&slots, 0, dead));
    ck_assert(!sf_process_slot_bury(&slots, 0, dead));
    ck_assert_uint_eq(sf_process_slot_dead_word(&slots, 0), 0);
    sf_process_slot_release(&slots, slot);
    ck_assert_int_eq(sf_process_slot_claim(&slots, &slot), SF_OK);
    ck_assert_uint_eq(slot, 0);
    sf_process_slot_release(&slots, slot);
}
END_TEST

START_TEST(test_nobody_dead_is_seen_while_owners_live)
{
    uint32_t slot;

    ck_assert_int_eq(sf_process_slot_claim(&slots, &slot), SF_OK);
    for (uint32_t i = 0; i < SLOTS; i++)
        ck_assert_uint_eq(sf_process_slot_dead_word(&slots, i), 0);
    sf_process_slot_release(&slots, slot);
}
END_TEST

START_TEST(test_owner_in_another_process_is_alive_until_it_ends)
{
    int up[2], down[2];
    char byte = 'x';

    ck_assert_int_eq(pipe(up) + pipe(down), 0);
    pid_t child = fork();
    if (child == 0) {
        struct sf_error error;
        uint32_t slot;
        bool is_claimed = sf_record_locks_open(&slots.locks, sf_temp_folder_path(&folder, "lock"),
                                               SF_RECORD_LOCKS_TAKE, &error) == SF_OK &&
                          sf_process_slot_claim(&slots, &slot) == SF_OK;
        _exit(!(is_claimed && write(up[1], &byte, 1) == 1 && read(down[0], &byte, 1) == 1));
    }
    ck_assert_int_eq(read(up[0], &byte, 1), 1);
    words[0].word = 3; /* as the child has it in shared memory */
    ck_assert(sf_process_slot_is_alive(&slots, 0));
    ck_assert_uint_eq(sf_process_slot_dead_word(&slots, 0), 0);
    ck_assert_int_eq(write(down[1], &byte, 1), 1);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_uint_eq(sf_process_slot_dead_word(&slots, 0), 3);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("process_slots");
    TCase *tests = tcase_create("process_slots");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_each_claim_gets_its_own_slot);
    tcase_add_test(tests, test_slot_is_free_again_with_another_incarnation);
    tcase_add_test(tests, test_slot_of_a_dead_owner_is_not_claimed_before_it_is_buried);
    tcase_add_test(tests, test_nobody_dead_is_seen_while_owners_live);
    tcase_add_test(tests, test_owner_in_another_process_is_alive_until_it_ends);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
