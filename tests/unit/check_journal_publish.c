/* SPDX-License-Identifier: Apache-2.0 */
/* What others do while rows are on their way to the disk, and while a record is settled. */
#include <check.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/writeback/batch_writer.h"
#include "common/writeback/journal_private.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"
#include "tests/unit/journal_case.h"

static void (*meanwhile)(void); /* once, when the rows of a transaction are being synced */

/* Stands in front of the C library's, for SQLite. */
__attribute__((visibility("default"))) int
fdatasync(int file)
{
    void (*now)(void) = meanwhile;
    if (now != NULL && journal->pending_count > 0) {
        meanwhile = NULL;
        now();
    }
    return (int)syscall(SYS_fdatasync, file);
}

/* ---- what they do ---- */

static uint64_t loaded;
static bool was_store_asked;

static void
load(uint64_t number)
{
    struct sf_stored stored;
    struct sf_record_head head = {.version = 0};
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    struct sf_load one = {.key = sf_test_cache_key(number), .stored = &stored};
    sf_journal_load_both(journal, store, &one, 1, sf_clock_steady() + SF_SECOND);
    if (one.status == SF_OK)
        ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&stored.record)), SF_OK);
    sf_buffer_fini(&stored.record);
    was_store_asked = !one.is_own;
    loaded = head.version;
}

static void
store_all(void)
{
    const struct sf_batch_writer_options batch = {
        .flush_batch = 1, .flush_delay = 1, .write_deadline = SF_SECOND, .journal = journal};
    struct sf_batch_writer *writer;
    ck_assert_int_eq(sf_batch_writer_new(&writer, cache.l1, store, &batch, NULL), SF_OK);
    ck_assert_int_eq(sf_batch_writer_drain(writer, sf_clock_steady() + 10 * SF_SECOND), SF_OK);
    sf_batch_writer_free(writer);
}

static void
evict(uint64_t number)
{
    struct sf_key key = sf_test_cache_key(number);
    ck_assert_int_eq(sf_l1_drop(cache.l1, &key), SF_OK);
}

static void
change_one(void)
{
    change(1);
}

static void
store_and_evict_one(void)
{
    store_all();
    evict(1);
}

static void
change_store_and_evict_one(void)
{
    change(1);
    store_and_evict_one();
}

static void
store_one_and_change_it(void)
{
    store_all();
    change(1);
}

/* As the sweeper takes out what is damaged: the store has never had it. */
static void
lose_one(void)
{
    sf_test_settle_all(cache.l1);
    evict(1);
}

static void
doubt_one(void)
{
    struct sf_key key = sf_test_cache_key(1);
    sf_journal_doubt(journal, &key);
}

static void
refuse_one(void)
{
    struct sf_key key = sf_test_cache_key(1);
    sf_journal_refused(journal, &key, 1);
}

static void
tell_one(void)
{
    struct sf_key key = sf_test_cache_key(1);
    sf_journal_stored(journal, &key, 1, sf_clock_steady());
}

/* The session 1 is committed, and that happens before it is on disk. There is a file already. */
static void
commit_while(bool is_orphan, void (*happens)(void))
{
    change(1);
    change(9);
    ck_assert_int_eq(commit(9), SF_OK);
    meanwhile = happens;
    ck_assert_int_eq(commit_as(1, 1, is_orphan), SF_OK);
    ck_assert(meanwhile == NULL);
}

/* ---- rows of what is in L1 ---- */

START_TEST(test_row_that_was_overtaken_on_its_way_is_not_the_last_word)
{
    commit_while(_i == 1, change_store_and_evict_one);
    load(1);
    ck_assert_uint_eq(loaded, 2);
    ck_assert(was_store_asked);
}
END_TEST

START_TEST(test_row_whose_session_changes_on_its_way_gives_way_once_that_is_stored)
{
    commit_while(_i == 1, change_one);
    ck_assert_uint_eq(journalled(1), 1);
    store_and_evict_one();
    load(1);
    ck_assert_uint_eq(loaded, 2);
}
END_TEST

START_TEST(test_row_that_the_store_has_got_on_its_way_is_not_entered)
{
    commit_while(_i == 1, store_all);
    ck_assert_uint_eq(journalled(1), 0);
    ck_assert_uint_eq(state.sessions, 0);
    ck_assert_uint_eq(state.orphans, 0);
}
END_TEST

START_TEST(test_row_of_an_earlier_version_than_the_one_that_waits_stays)
{
    commit_while(_i == 1, store_one_and_change_it);
    ck_assert_uint_eq(journalled(1), 1);
    store_all();
    ck_assert_uint_eq(journalled(1), 0);
}
END_TEST

/* Who was told "journal", or relies on the spill, gets it back from here. */
START_TEST(test_row_of_what_has_gone_from_the_cache_is_all_there_is)
{
    struct sf_key key = sf_test_cache_key(1);
    commit_while(_i == 1, lose_one);
    ck_assert(sf_journal_owes(journal, &key));
    load(1);
    ck_assert_uint_eq(loaded, 1);
    tell_one();
    ck_assert(!sf_journal_owes(journal, NULL));
}
END_TEST

START_TEST(test_row_of_what_is_in_the_cache_as_it_was_is_the_last_word)
{
    commit_while(true, NULL);
    load(1);
    ck_assert_uint_eq(loaded, 1);
    ck_assert(!was_store_asked);
}
END_TEST

/* ---- rows that move ---- */

/* The session 1 is in the journal alone, and its row gets another place. */
static void
move_while(void (*happens)(void))
{
    commit_while(true, NULL);
    note_stored(9, 1);
    sf_test_settle_all(cache.l1);
    evict(1);
    meanwhile = happens;
    sf_journal_tidy(journal, true);
    ck_assert(meanwhile == NULL);
    sf_journal_trim(journal);
    sf_journal_state(journal, &state);
}

START_TEST(test_row_that_moves_is_the_last_word_as_before)
{
    move_while(NULL);
    ck_assert_uint_eq(state.orphans, 1);
    load(1);
    ck_assert_uint_eq(loaded, 1);
    ck_assert(!was_store_asked);
}
END_TEST

START_TEST(test_row_that_the_store_has_got_while_it_moved_stays_forgotten)
{
    move_while(tell_one);
    ck_assert_uint_eq(journalled(1), 0);
    ck_assert_uint_eq(state.sessions, 0);
    ck_assert_uint_eq(state.orphans, 0);
}
END_TEST

START_TEST(test_row_that_was_doubted_while_it_moved_is_not_the_last_word)
{
    move_while(doubt_one);
    load(1);
    ck_assert_uint_eq(loaded, 1);
    ck_assert(was_store_asked);
}
END_TEST

START_TEST(test_row_that_was_refused_while_it_moved_holds_nobody_up)
{
    move_while(refuse_one);
    ck_assert_uint_eq(state.refused, 1);
    ck_assert(!sf_journal_owes(journal, NULL));
}
END_TEST

/* ---- what another host has changed ---- */

static void
hear_of_one(void)
{
    struct sf_buffer record = sf_test_record(2, NULL, sf_span_text("of another host"));
    struct sf_write write = sf_test_put(1, 2, &record);
    write.key = sf_test_cache_key(1);
    ck_assert_int_eq(store->ops->write(store, &write, 1, sf_clock_steady() + SF_SECOND), SF_OK);
    const struct sf_l1_answer answer = {write.record, SF_TEST_NOW, false};
    ck_assert_int_eq(sf_journal_merge(journal, &write.key, 0, &answer, sf_clock_steady()), SF_OK);
    sf_buffer_fini(&record);
}

START_TEST(test_what_came_from_the_store_is_later_than_the_row)
{
    struct sf_key key = sf_test_cache_key(1);
    commit_while(false, NULL);
    sf_test_settle_all(cache.l1);
    hear_of_one();
    ck_assert(sf_journal_owes(journal, &key));
    evict(1);
    load(1);
    ck_assert_uint_eq(loaded, 2);
    ck_assert(was_store_asked);
}
END_TEST

/* ---- the batch writer ---- */

void __real_sf_l1_settle(struct sf_l1 *l1, const struct sf_l1_ticket *ticket, sf_time written);
void __wrap_sf_l1_settle(struct sf_l1 *l1, const struct sf_l1_ticket *ticket, sf_time written);

static bool has_loader; /* one that is about whenever a record has become clean */

static bool
can_look(void)
{
    if (pthread_mutex_trylock(&journal->lock) != 0)
        return false;
    pthread_mutex_unlock(&journal->lock);
    return true;
}

void
__wrap_sf_l1_settle(struct sf_l1 *l1, const struct sf_l1_ticket *ticket, sf_time written)
{
    __real_sf_l1_settle(l1, ticket, written);
    if (!has_loader)
        return;
    evict(1);
    if (can_look())
        load(1);
}

START_TEST(test_nobody_loads_between_clean_and_forgotten)
{
    commit_while(true, NULL);
    note_stored(9, 1);
    lose_one();
    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 1, ""), SF_OK);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "count", "2"), SF_OK);
    loaded = 0;
    has_loader = true;
    store_all();
    has_loader = false;
    if (loaded == 0)
        load(1);
    ck_assert_uint_eq(loaded, 2);
}
END_TEST

static void
set_up_calm(void)
{
    meanwhile = NULL;
    set_up();
}

int
main(void)
{
    Suite *suite = suite_create("journal_publish");
    TCase *tests = tcase_create("journal_publish");
    tcase_add_checked_fixture(tests, set_up_calm, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_row_that_was_overtaken_on_its_way_is_not_the_last_word, 0, 2);
    tcase_add_loop_test(tests, test_row_whose_session_changes_on_its_way_gives_way_once_that_is_stored, 0, 2);
    tcase_add_loop_test(tests, test_row_that_the_store_has_got_on_its_way_is_not_entered, 0, 2);
    tcase_add_loop_test(tests, test_row_of_an_earlier_version_than_the_one_that_waits_stays, 0, 2);
    tcase_add_loop_test(tests, test_row_of_what_has_gone_from_the_cache_is_all_there_is, 0, 2);
    tcase_add_test(tests, test_row_of_what_is_in_the_cache_as_it_was_is_the_last_word);
    tcase_add_test(tests, test_row_that_moves_is_the_last_word_as_before);
    tcase_add_test(tests, test_row_that_the_store_has_got_while_it_moved_stays_forgotten);
    tcase_add_test(tests, test_row_that_was_doubted_while_it_moved_is_not_the_last_word);
    tcase_add_test(tests, test_row_that_was_refused_while_it_moved_holds_nobody_up);
    tcase_add_test(tests, test_what_came_from_the_store_is_later_than_the_row);
    tcase_add_test(tests, test_nobody_loads_between_clean_and_forgotten);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
