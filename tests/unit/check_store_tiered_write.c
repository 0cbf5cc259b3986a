/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_store_tiered_write.c - that no host is given by L2 what another one has changed, whatever race, cut, restart or
 * wrong list of servers there is.
 */
#include "common/store/l2/store_tiered.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/run_suite.h"
#include "tests/unit/tiered_case.h"

static struct host *const a = &hosts[0];
static struct host *const b = &hosts[1];
static unsigned server; /* of session 1 */

static void
set_up(void)
{
    tiered_set_up();
    server = tiered_server(1);
    ck_assert_int_eq(tiered_put(a, 1, 3), SF_OK);
}

static void
assert_loads(struct host *host, uint64_t version)
{
    ck_assert_int_eq(tiered_load(host, 1), SF_OK);
    ck_assert_uint_eq(tiered_version(), version);
}

static struct sf_fake_entry *
entry(void)
{
    struct sf_key key = sf_test_key(1);
    return sf_fake_find(&servers[server], &key);
}

static uint64_t
disowned(const struct host *host)
{
    return tiered_count(host, SF_L2_COUNT_DISOWNED);
}

START_TEST(test_a_change_is_seen_by_the_other_host)
{
    assert_loads(b, 3);
    ck_assert_int_eq(tiered_put(a, 1, 4), SF_OK);
    assert_loads(b, 4);
    ck_assert_uint_eq(disowned(a), 0);
}
END_TEST

/* ---- races ---- */

static void
other_host_loads(void)
{
    common_store.before_write = NULL;
    assert_loads(b, 3);
}

START_TEST(test_what_is_loaded_while_it_changes_does_not_stay)
{
    assert_loads(b, 3);
    common_store.before_write = other_host_loads;
    ck_assert_int_eq(tiered_put(a, 1, 4), SF_OK);
    assert_loads(b, 4);
    assert_loads(a, 4);
}
END_TEST

static void
other_host_changes(void)
{
    common_store.before_load = NULL;
    ck_assert_int_eq(tiered_put(a, 1, 4), SF_OK);
}

/* B has a lease and asks the store; A changes the session before the store answers; then once more behind it. */
START_TEST(test_a_lease_from_before_a_change_fills_nothing)
{
    common_store.before_load = other_host_changes;
    ck_assert_int_eq(tiered_load(b, 1), SF_OK);
    ck_assert(entry() == NULL);
    assert_loads(b, 4);
}
END_TEST

static void
evict_and_other_host_loads(void)
{
    struct sf_fake_entry *mark = entry();
    common_store.before_write = NULL;
    free(mark->bytes);
    *mark = servers[server].entries[--servers[server].count];
    assert_loads(b, 3);
}

/* The mark is gone before the store has the change, and an old copy comes in. */
START_TEST(test_a_lost_mark_is_noticed)
{
    common_store.before_write = evict_and_other_host_loads;
    ck_assert_int_eq(tiered_put(a, 1, 4), SF_OK);
    assert_loads(b, 4);
}
END_TEST

/* ---- writes that fail ---- */

START_TEST(test_what_was_not_written_is_loaded_as_it_was)
{
    common_store.fails_writes = SF_UNAVAILABLE;
    ck_assert_int_eq(tiered_put(a, 1, 4), SF_UNAVAILABLE);
    common_store.fails_writes = SF_OK;
    assert_loads(b, 3);
    ck_assert(entry() != NULL && entry()->size > 1);
}
END_TEST

START_TEST(test_what_may_still_be_written_stays_marked)
{
    common_store.fails_writes = SF_UNCERTAIN;
    ck_assert_int_eq(tiered_put(a, 1, 4), SF_UNCERTAIN);
    assert_loads(b, 4);
    ck_assert_uint_eq(entry()->size, 1);
}
END_TEST

/* ---- a host that does not reach L2 ---- */

START_TEST(test_what_cannot_be_marked_is_disowned_for_all_hosts)
{
    assert_loads(b, 3);
    sf_fake_l2_cut(a->l2, server, true);
    for (uint64_t version = 4; version < 10; version++) {
        ck_assert_int_eq(tiered_put(a, 1, version), SF_OK);
        assert_loads(b, version);
        assert_loads(b, version);
    }
}
END_TEST

START_TEST(test_an_ended_session_is_refused_by_a_host_that_reaches_what_the_other_does_not)
{
    struct sf_record_head head;
    assert_loads(b, 3);
    sf_fake_l2_cut(a->l2, server, true);
    ck_assert_int_eq(tiered_end(a, 1, 4), SF_OK);
    ck_assert_int_eq(tiered_load(b, 1), SF_OK);
    ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&stored.record)), SF_OK);
    ck_assert_int_eq(head.kind, SF_RECORD_ENDED);
}
END_TEST

START_TEST(test_it_costs_the_other_server_nothing)
{
    unsigned other = 2;
    while (tiered_server(other) == server)
        other++;
    ck_assert_int_eq(tiered_put(a, other, 1), SF_OK);
    ck_assert_int_eq(tiered_load(b, other), SF_OK);
    sf_fake_l2_cut(a->l2, server, true);
    ck_assert_int_eq(tiered_put(a, 1, 4), SF_OK);
    unsigned loads = common_store.loads;
    ck_assert_int_eq(tiered_load(b, other), SF_OK);
    ck_assert_uint_eq(common_store.loads, loads);
}
END_TEST

/* So long as everybody leaves the server alone, one move is enough for all changes. */
START_TEST(test_one_move_covers_what_follows_soon)
{
    tiered_restart(a, 0, SF_HOUR);
    sf_fake_l2_cut(a->l2, server, true);
    uint64_t before = disowned(a);
    for (uint64_t version = 4; version < 10; version++)
        ck_assert_int_eq(tiered_put(a, 1, version), SF_OK);
    ck_assert_uint_eq(disowned(a), before + 1);
}
END_TEST

/* The first epoch of all makes nobody leave the server alone: a change right behind it needs a move of its own. */
START_TEST(test_the_first_epoch_covers_nothing)
{
    struct sf_error error;
    sf_store_close(common_store.memory);
    ck_assert_int_eq(sf_store_open(&common_store.memory, "memory:emptied", "", &error), SF_OK);
    tiered_restart(a, 0, SF_HOUR);
    tiered_restart(b, 0, SF_HOUR);
    ck_assert_int_eq(tiered_put(a, 1, 3), SF_OK);
    ck_assert_int_eq(tiered_load(b, 1), SF_OK); /* learns the epochs */
    assert_loads(b, 3);
    ck_assert(entry() != NULL && entry()->size > 1);
    sf_fake_l2_cut(a->l2, server, true);
    ck_assert_int_eq(tiered_put(a, 1, 4), SF_OK);
    ck_assert_uint_eq(disowned(a), 1);
    assert_loads(b, 4);
}
END_TEST

START_TEST(test_who_sees_a_new_epoch_leaves_the_server_alone)
{
    sf_fake_l2_cut(a->l2, server, true);
    ck_assert_int_eq(tiered_put(a, 1, 3), SF_OK);
    tiered_restart(b, 0, SF_HOUR);
    unsigned gets = servers[server].calls[SF_L2_GET];
    assert_loads(b, 3);
    ck_assert_uint_eq(servers[server].calls[SF_L2_GET], gets);
}
END_TEST

START_TEST(test_a_server_with_old_copies_is_not_believed)
{
    static struct sf_fake_server before;
    assert_loads(b, 3);
    sf_fake_server_copy(&before, &servers[server]);
    sf_fake_l2_cut(a->l2, server, true);
    sf_fake_l2_cut(b->l2, server, true);
    ck_assert_int_eq(tiered_put(a, 1, 4), SF_OK);
    sf_fake_server_fini(&servers[server]);
    sf_fake_server_copy(&servers[server], &before);
    sf_fake_l2_cut(b->l2, server, false);
    assert_loads(b, 4);
    sf_fake_server_fini(&before);
}
END_TEST

/* Restored from a copy of its memory: every mark was set, and is gone with what was there then. */
START_TEST(test_a_lost_connection_is_a_server_to_be_disowned)
{
    static struct sf_fake_server before;
    assert_loads(b, 3);
    sf_fake_server_copy(&before, &servers[server]);
    ck_assert_int_eq(tiered_put(a, 1, 4), SF_OK);
    sf_fake_server_fini(&servers[server]);
    sf_fake_server_copy(&servers[server], &before);
    sf_fake_l2_relink(a->l2, server);
    unsigned other = 2;
    while (tiered_server(other) != server)
        other++;
    ck_assert_int_eq(tiered_put(a, other, 1), SF_OK);
    assert_loads(b, 4);
    sf_fake_server_fini(&before);
}
END_TEST

/* ---- whoever is killed, and whatever the store does not take ---- */

static uint64_t
stored_version(void)
{
    struct sf_key key = sf_test_key(1);
    ck_assert_int_eq(sf_store_load_one(common_store.memory, &key, sf_clock_steady() + SF_MINUTE, &stored), SF_OK);
    return tiered_version();
}

START_TEST(test_what_cannot_be_disowned_is_not_written)
{
    assert_loads(b, 3);
    sf_fake_l2_cut(a->l2, server, true);
    common_store.fails_loads = SF_UNAVAILABLE;
    ck_assert_int_eq(tiered_put(a, 1, 4), SF_UNAVAILABLE);
    common_store.fails_loads = SF_OK;
    ck_assert_uint_eq(stored_version(), 3);
    ck_assert_int_eq(tiered_put(a, 1, 4), SF_OK);
    assert_loads(b, 4);
}
END_TEST

/* The other server's sessions have nothing to do with it. */
START_TEST(test_what_was_marked_is_written_whatever_is_owed_elsewhere)
{
    unsigned other = 2;
    while (tiered_server(other) == server)
        other++;
    ck_assert_int_eq(tiered_put(a, other, 1), SF_OK);
    sf_fake_l2_cut(a->l2, server, true);
    common_store.fails_loads = SF_UNAVAILABLE;
    ck_assert_int_eq(tiered_put(a, 1, 4), SF_UNAVAILABLE);
    ck_assert_int_eq(tiered_put(a, other, 2), SF_OK);
}
END_TEST

/* After each row that a store without transactions is given. */
START_TEST(test_whoever_is_killed_leaves_no_old_copy_that_counts)
{
    uint64_t version = 3;
    for (unsigned rows = 0; rows < 4; rows++) {
        tiered_restart(a, 0, 0);
        assert_loads(b, version);
        ck_assert(entry() != NULL && entry()->size > 1);
        sf_fake_l2_cut(a->l2, server, true);
        common_store.is_cut = true;
        common_store.rows_left = rows;
        (void)!tiered_put(a, 1, version + 1);
        common_store.is_cut = false;
        version = stored_version();
        assert_loads(b, version);
    }
    ck_assert_uint_gt(version, 3);
}
END_TEST

static void
lose_mark_and_server(void)
{
    evict_and_other_host_loads();
    sf_fake_l2_cut(a->l2, server, true);
}

/* It is stored, and the mark that was there has not kept an old copy out; that cannot be told. */
START_TEST(test_what_may_be_seen_as_it_was_does_not_count_as_written)
{
    common_store.before_write = lose_mark_and_server;
    common_store.is_cut = true;
    common_store.rows_left = 1;
    ck_assert_int_eq(tiered_put(a, 1, 4), SF_UNCERTAIN);
    ck_assert_uint_eq(stored_version(), 4);
    assert_loads(b, 3); /* which is why */
    common_store.is_cut = false;
    ck_assert_int_eq(tiered_put(a, 1, 4), SF_OK);
    assert_loads(b, 4);
}
END_TEST

START_TEST(test_a_host_knows_its_own_moves)
{
    tiered_restart(a, SF_HOUR, SF_HOUR);
    assert_loads(a, 3);
    ck_assert(entry() != NULL && entry()->size > 1);
    sf_fake_l2_cut(a->l2, server, true);
    ck_assert_int_eq(tiered_put(a, 1, 4), SF_OK);
    sf_fake_l2_cut(a->l2, server, false);
    assert_loads(a, 4);
}
END_TEST

/* ---- hosts that name different servers ---- */

START_TEST(test_a_host_with_another_list_is_noticed_by_both)
{
    struct sf_secrets secrets = {.count = 1};
    struct sf_tiered_state state;
    struct sf_l2 *shorter = sf_fake_l2_new(servers, 1);
    const struct sf_tiered_options options = {.ttl = SF_HOUR, .secrets = &secrets};
    struct sf_store *other;
    struct sf_error error;
    assert_loads(b, 3);
    ck_assert_int_eq(sf_store_tiered_new(&other, shorter, common_store.memory, &options), SF_OK);
    ck_assert_int_eq(other->ops->attach(other, sf_clock_steady() + SF_MINUTE, &error), SF_OK);
    struct sf_buffer record = sf_test_record(4, "alice", sf_span_text("x"));
    struct sf_write write = sf_test_put(1, 4, &record);
    ck_assert_int_eq(other->ops->write(other, &write, 1, sf_clock_steady() + SF_MINUTE), SF_OK);
    assert_loads(b, 4);
    sf_store_tiered_state(b->store, &state);
    ck_assert(state.is_disputed);
    ck_assert_int_eq(tiered_put(b, 1, 5), SF_OK);
    struct sf_key key = sf_test_key(1);
    ck_assert_int_eq(sf_store_load_one(other, &key, sf_clock_steady() + SF_MINUTE, &stored), SF_OK);
    ck_assert_uint_eq(tiered_version(), 5);
    sf_store_tiered_state(other, &state);
    ck_assert(state.is_disputed);
    sf_buffer_fini(&record);
    common_store.memory = NULL;
    sf_store_close(other);
}
END_TEST

/* ---- a batch ---- */

START_TEST(test_items_keep_their_own_answers)
{
    struct sf_buffer good = sf_test_record(9, NULL, sf_span_text("good"));
    struct sf_buffer bad;
    sf_buffer_init(&bad, 16);
    ck_assert_int_eq(sf_buffer_append_text(&bad, "no record"), SF_OK);
    struct sf_write writes[] = {sf_test_put(1, 9, &good), sf_test_touch(77, 5000, 0), sf_test_put(2, 1, &bad),
                                sf_test_put(3, 9, &good)};
    sf_fake_l2_cut(a->l2, server, true);
    (void)!a->store->ops->write(a->store, writes, 4, sf_clock_steady() + SF_MINUTE);
    ck_assert_int_eq(writes[0].status, SF_OK);
    ck_assert_int_eq(writes[1].status, SF_NOT_FOUND);
    ck_assert_int_eq(writes[2].status, SF_INVALID);
    ck_assert_int_eq(writes[3].status, SF_OK);
    sf_buffer_fini(&good);
    sf_buffer_fini(&bad);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_tiered_write");
    TCase *tests = tcase_create("writing");
    tcase_add_checked_fixture(tests, set_up, tiered_tear_down);
    tcase_add_test(tests, test_a_change_is_seen_by_the_other_host);
    tcase_add_test(tests, test_what_is_loaded_while_it_changes_does_not_stay);
    tcase_add_test(tests, test_a_lease_from_before_a_change_fills_nothing);
    tcase_add_test(tests, test_a_lost_mark_is_noticed);
    tcase_add_test(tests, test_what_was_not_written_is_loaded_as_it_was);
    tcase_add_test(tests, test_what_may_still_be_written_stays_marked);
    tcase_add_test(tests, test_what_cannot_be_marked_is_disowned_for_all_hosts);
    tcase_add_test(tests, test_an_ended_session_is_refused_by_a_host_that_reaches_what_the_other_does_not);
    tcase_add_test(tests, test_it_costs_the_other_server_nothing);
    tcase_add_test(tests, test_one_move_covers_what_follows_soon);
    tcase_add_test(tests, test_the_first_epoch_covers_nothing);
    tcase_add_test(tests, test_who_sees_a_new_epoch_leaves_the_server_alone);
    tcase_add_test(tests, test_a_server_with_old_copies_is_not_believed);
    tcase_add_test(tests, test_a_lost_connection_is_a_server_to_be_disowned);
    tcase_add_test(tests, test_what_cannot_be_disowned_is_not_written);
    tcase_add_test(tests, test_what_was_marked_is_written_whatever_is_owed_elsewhere);
    tcase_add_test(tests, test_whoever_is_killed_leaves_no_old_copy_that_counts);
    tcase_add_test(tests, test_what_may_be_seen_as_it_was_does_not_count_as_written);
    tcase_add_test(tests, test_a_host_knows_its_own_moves);
    tcase_add_test(tests, test_a_host_with_another_list_is_noticed_by_both);
    tcase_add_test(tests, test_items_keep_their_own_answers);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
