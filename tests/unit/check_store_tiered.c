/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/l2/store_tiered.h"

#include <check.h>
#include <string.h>

#include "tests/support/run_suite.h"
#include "tests/unit/tiered_case.h"

static struct host *const a = &hosts[0];
static struct host *const b = &hosts[1];

static void
assert_loads(struct host *host, unsigned number, uint64_t version)
{
    ck_assert_int_eq(tiered_load(host, number), SF_OK);
    ck_assert_uint_eq(tiered_version(), version);
}

START_TEST(test_what_one_host_loads_the_other_finds_in_l2)
{
    ck_assert_int_eq(tiered_put(a, 1, 3), SF_OK);
    assert_loads(a, 1, 3);
    unsigned loads = common_store.loads;
    assert_loads(b, 1, 3);
    ck_assert_uint_eq(common_store.loads, loads);
    ck_assert_uint_eq(tiered_count(b, SF_L2_COUNT_HITS), 1);
    ck_assert_uint_eq(tiered_count(a, SF_L2_COUNT_FILLS), 1);
}
END_TEST

START_TEST(test_what_the_store_does_not_have_is_not_found)
{
    ck_assert_int_eq(tiered_load(a, 1), SF_NOT_FOUND);
    ck_assert_int_eq(tiered_load(b, 1), SF_NOT_FOUND);
    ck_assert_uint_eq(tiered_count(a, SF_L2_COUNT_FILLS), 0);
}
END_TEST

START_TEST(test_the_truth_is_the_stores)
{
    struct sf_load load = {.key = sf_test_key(1), .stored = &stored, .needs_truth = true};
    ck_assert_int_eq(tiered_put(a, 1, 3), SF_OK);
    assert_loads(b, 1, 3);
    unsigned loads = common_store.loads;
    a->store->ops->load(a->store, &load, 1, sf_clock_steady() + SF_MINUTE);
    ck_assert_int_eq(load.status, SF_OK);
    ck_assert_uint_eq(common_store.loads, loads + 1);
}
END_TEST

START_TEST(test_ended_sessions_are_there_as_ended)
{
    struct sf_record_head head;
    ck_assert_int_eq(tiered_put(a, 1, 3), SF_OK);
    ck_assert_int_eq(tiered_end(a, 1, 4), SF_OK);
    assert_loads(a, 1, 4);
    unsigned loads = common_store.loads;
    assert_loads(b, 1, 4);
    ck_assert_uint_eq(common_store.loads, loads);
    ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&stored.record)), SF_OK);
    ck_assert_int_eq(head.kind, SF_RECORD_ENDED);
}
END_TEST

START_TEST(test_l2_away_is_as_if_there_were_none)
{
    ck_assert_int_eq(tiered_put(a, 1, 3), SF_OK);
    for (unsigned i = 0; i < LOAD_SERVERS; i++)
        sf_fake_l2_cut(b->l2, i, true);
    for (int i = 0; i < 10; i++)
        assert_loads(b, 1, 3);
    ck_assert_int_eq(tiered_put(b, 1, 4), SF_OK);
    assert_loads(b, 1, 4);
    ck_assert_int_eq(tiered_load(b, 2), SF_NOT_FOUND);
    struct sf_tiered_state state;
    sf_store_tiered_state(b->store, &state);
    ck_assert_uint_ge(state.servers_down, 1);
    ck_assert_str_ne(state.last.text, "");
}
END_TEST

static unsigned
number_on(unsigned server)
{
    unsigned number = 1;
    while (tiered_server(number) != server)
        number++;
    return number;
}

START_TEST(test_one_servers_loss_concerns_its_keys_only)
{
    unsigned lost = number_on(0), kept = number_on(1);
    ck_assert_int_eq(tiered_put(a, lost, 1), SF_OK);
    ck_assert_int_eq(tiered_put(a, kept, 1), SF_OK);
    sf_fake_l2_cut(a->l2, 0, true);
    assert_loads(a, lost, 1);
    assert_loads(a, kept, 1);
    unsigned loads = common_store.loads;
    assert_loads(a, kept, 1);
    ck_assert_uint_eq(common_store.loads, loads);
    assert_loads(a, lost, 1);
    ck_assert_uint_eq(common_store.loads, loads + 1);
}
END_TEST

/* They are in one batch; whatever waits for the one has waited for both. */
START_TEST(test_who_has_waited_for_one_server_does_not_wait_for_another)
{
    static struct sf_stored found[2];
    struct sf_load loads[2];
    const unsigned numbers[] = {number_on(0), number_on(1)};
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(tiered_put(a, numbers[i], 1), SF_OK);
        sf_buffer_init(&found[i].record, SF_RECORD_BYTES_MAX);
        loads[i] = (struct sf_load){.key = sf_test_key(numbers[i]), .stored = &found[i]};
    }
    sf_fake_l2_silence(a->l2, 0);
    a->l2->timeout = 100;
    unsigned fills = servers[1].calls[SF_L2_FILL];
    a->store->ops->load(a->store, loads, 2, sf_clock_steady() + SF_MINUTE);
    ck_assert(loads[0].status == SF_OK && loads[1].status == SF_OK);
    ck_assert_uint_eq(servers[1].calls[SF_L2_FILL], fills);
    a->l2->timeout = SF_MINUTE;
    ck_assert_int_eq(tiered_put(a, numbers[1], 2), SF_OK);
    assert_loads(a, numbers[1], 2);
    ck_assert_uint_eq(servers[1].calls[SF_L2_FILL], fills + 1);
    for (size_t i = 0; i < 2; i++)
        sf_buffer_fini(&found[i].record);
}
END_TEST

/* As L1 serves what it has while the store is away. */
START_TEST(test_while_the_store_is_away_l2_answers)
{
    ck_assert_int_eq(tiered_put(a, 1, 3), SF_OK);
    assert_loads(a, 1, 3);
    common_store.fails_loads = SF_UNAVAILABLE;
    assert_loads(b, 1, 3);
    ck_assert_int_eq(tiered_load(b, 2), SF_UNAVAILABLE);
}
END_TEST

static struct sf_fake_entry *
entry_of(unsigned number)
{
    struct sf_key key = sf_test_key(number);
    return sf_fake_find(&servers[tiered_server(number)], &key);
}

START_TEST(test_what_is_damaged_or_anothers_is_a_miss_and_replaced)
{
    ck_assert_int_eq(tiered_put(a, 1, 3), SF_OK);
    assert_loads(a, 1, 3);
    entry_of(1)->bytes[entry_of(1)->size / 2] ^= 1;
    assert_loads(b, 1, 3);
    ck_assert_uint_eq(tiered_count(b, SF_L2_COUNT_REFUSED), 1);
    assert_loads(a, 1, 3);
    ck_assert_uint_eq(tiered_count(a, SF_L2_COUNT_HITS), 1);
}
END_TEST

START_TEST(test_a_value_of_another_session_is_a_miss)
{
    unsigned one = 1, two = 2;
    while (tiered_server(two) != tiered_server(one))
        two++;
    ck_assert_int_eq(tiered_put(a, one, 3), SF_OK);
    ck_assert_int_eq(tiered_put(a, two, 5), SF_OK);
    assert_loads(a, one, 3);
    assert_loads(a, two, 5);
    struct sf_fake_entry swap = *entry_of(one);
    entry_of(one)->bytes = entry_of(two)->bytes;
    entry_of(two)->bytes = swap.bytes;
    assert_loads(b, one, 3);
    assert_loads(b, two, 5);
    ck_assert_uint_eq(tiered_count(b, SF_L2_COUNT_REFUSED), 2);
}
END_TEST

/* Idle by what L2 has, in use by what the store has. */
START_TEST(test_what_has_expired_in_l2_is_asked_of_the_store)
{
    struct sf_buffer record;
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    sf_time now = sf_clock_wall();
    const struct sf_record_head head = {
        .kind = SF_RECORD_SESSION, .version = 1, .created = 1000, .last_access = now - 8000, .idle_timeout = 10000};
    ck_assert_int_eq(sf_record_encode(&record, &head, NULL, SF_RECORD_BYTES_MAX), SF_OK);
    struct sf_write write = sf_test_put(1, 1, &record);
    write.last_access = now - 8000;
    ck_assert_int_eq(a->store->ops->write(a->store, &write, 1, sf_clock_steady() + SF_MINUTE), SF_OK);
    assert_loads(a, 1, 1);
    ck_assert_uint_eq(tiered_count(a, SF_L2_COUNT_FILLS), 1);
    struct sf_write touch = sf_test_touch(1, now + SF_HOUR, 0);
    ck_assert_int_eq(a->store->ops->write(a->store, &touch, 1, sf_clock_steady() + SF_MINUTE), SF_OK);
    while (sf_clock_wall() < now + 2000)
        assert_loads(b, 1, 1);
    assert_loads(b, 1, 1);
    ck_assert_int_eq(stored.last_access, now + SF_HOUR);
    sf_buffer_fini(&record);
}
END_TEST

static bool
visit(void *context, const struct sf_key *key, const struct sf_stored *row)
{
    unsigned *count = context;
    (void)key;
    (void)row;
    ++*count;
    return true;
}

START_TEST(test_scans_show_sessions_only)
{
    unsigned count = 0;
    struct sf_span nobody = {NULL, 0};
    ck_assert_int_eq(tiered_put(a, 1, 1), SF_OK);
    ck_assert_int_eq(a->store->ops->scan(a->store, NULL, nobody, 100, sf_clock_steady() + SF_MINUTE, visit, &count),
                     SF_OK);
    ck_assert_uint_eq(count, 1);
}
END_TEST

START_TEST(test_epochs_are_read_once_in_a_while)
{
    tiered_restart(a, SF_HOUR, 0);
    ck_assert_int_eq(tiered_put(a, 1, 1), SF_OK);
    assert_loads(a, 1, 1);
    unsigned rows = common_store.rows;
    for (int i = 0; i < 5; i++)
        assert_loads(a, 1, 1);
    ck_assert_uint_eq(common_store.rows, rows);
}
END_TEST

/* ---- epochs that may have moved ---- */

static unsigned told_sessions, told_of_anything;

static void
take_news(void *context, const struct sf_key *key)
{
    (void)context;
    *(key == NULL ? &told_of_anything : &told_sessions) += 1;
}

static void
hear(struct host *host, struct sf_key key)
{
    struct sf_follow follow = {.news = take_news};
    common_store.news = key;
    ck_assert_int_eq(host->store->ops->follow(host->store, 0, &follow), SF_OK);
}

/* A fills L2, and B finds it there; both know of each other only what they are told. */
static void
share_one_session(void)
{
    tiered_restart(a, SF_HOUR, 0);
    tiered_restart(b, SF_HOUR, 0);
    told_sessions = told_of_anything = 0;
    ck_assert_int_eq(tiered_put(a, 1, 3), SF_OK);
    assert_loads(a, 1, 3);
    unsigned loads = common_store.loads;
    assert_loads(b, 1, 3);
    ck_assert_uint_eq(common_store.loads, loads);
}

START_TEST(test_what_l2_says_is_as_old_as_the_epochs)
{
    share_one_session();
    sf_time known = tiered_load_whole(b, 1).as_of, now = sf_clock_steady();
    ck_assert_int_gt(known, 0);
    while (sf_clock_steady() < now + 3)
        continue;
    ck_assert_int_eq(tiered_load_whole(b, 1).as_of, known);
    ck_assert_int_eq(tiered_put(a, 1, 4), SF_OK);
    ck_assert_int_eq(tiered_load_whole(b, 1).as_of, 0); /* the store has said it */
}
END_TEST

START_TEST(test_what_l2_says_is_good_for_half_of_the_freshness_at_least)
{
    sf_time freshness = 100;
    share_one_session();
    tiered_restart(b, freshness, 0);
    assert_loads(b, 1, 3);
    for (sf_time began = sf_clock_steady(), now = began; now < began + freshness; now = sf_clock_steady())
        ck_assert_int_gt(tiered_load_whole(b, 1).as_of + freshness / 2, now);
}
END_TEST

START_TEST(test_in_doubt_the_store_is_asked_or_nobody)
{
    share_one_session();
    sf_fake_l2_cut(a->l2, tiered_server(1), true);
    ck_assert_int_eq(tiered_put(a, 1, 4), SF_OK);
    assert_loads(b, 1, 3); /* has not heard of it */
    hear(b, tiered_epoch(tiered_server(1)));
    common_store.fails_loads = SF_UNAVAILABLE;
    ck_assert_int_eq(tiered_load(b, 1), SF_UNAVAILABLE);
    common_store.fails_loads = SF_OK;
    assert_loads(b, 1, 4);
}
END_TEST

/* With the very load that finds it: the next one may do without the store. */
START_TEST(test_a_later_epoch_in_l2_is_looked_up_at_once)
{
    unsigned other = 2;
    while (tiered_server(other) != tiered_server(1))
        other++;
    share_one_session();
    sf_fake_l2_cut(a->l2, tiered_server(1), true);
    ck_assert_int_eq(tiered_put(a, 1, 4), SF_OK);
    sf_fake_l2_cut(a->l2, tiered_server(1), false);
    ck_assert_int_eq(tiered_put(a, other, 1), SF_OK);
    ck_assert_int_eq(tiered_load(a, 999), SF_NOT_FOUND); /* reads the epochs */
    assert_loads(a, other, 1);
    assert_loads(b, other, 1);
    common_store.fails_loads = SF_UNAVAILABLE;
    assert_loads(b, other, 1);
}
END_TEST

START_TEST(test_news_of_an_epoch_is_news_of_whatever_l2_has_said)
{
    share_one_session();
    hear(b, sf_test_key(1));
    ck_assert_uint_eq(told_sessions, 1);
    ck_assert_uint_eq(told_of_anything, 0);
    hear(b, tiered_epoch(0));
    ck_assert_uint_eq(told_of_anything, 1);
    hear(b, tiered_epoch(1));
    ck_assert_uint_eq(told_of_anything, 1);
    ck_assert_uint_eq(told_sessions, 1);
}
END_TEST

START_TEST(test_many_loads_at_once)
{
    enum { MANY = 150 };
    static struct sf_stored found[MANY];
    static struct sf_load loads[MANY];
    for (unsigned i = 0; i < MANY; i += 2)
        ck_assert_int_eq(tiered_put(a, i, i + 1), SF_OK);
    for (unsigned i = 0; i < MANY; i++)
        sf_buffer_init(&found[i].record, SF_RECORD_BYTES_MAX);
    for (int pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < MANY; i++)
            loads[i] = (struct sf_load){.key = sf_test_key(i), .stored = &found[i]};
        b->store->ops->load(b->store, loads, MANY, sf_clock_steady() + SF_MINUTE);
        for (unsigned i = 0; i < MANY; i++)
            ck_assert_int_eq(loads[i].status, i % 2 == 0 ? SF_OK : SF_NOT_FOUND);
    }
    ck_assert_uint_eq(tiered_count(b, SF_L2_COUNT_HITS), MANY / 2);
    for (unsigned i = 0; i < MANY; i++)
        sf_buffer_fini(&found[i].record);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_tiered");
    TCase *tests = tcase_create("loading");
    tcase_add_checked_fixture(tests, tiered_set_up, tiered_tear_down);
    tcase_add_test(tests, test_what_one_host_loads_the_other_finds_in_l2);
    tcase_add_test(tests, test_what_the_store_does_not_have_is_not_found);
    tcase_add_test(tests, test_the_truth_is_the_stores);
    tcase_add_test(tests, test_ended_sessions_are_there_as_ended);
    tcase_add_test(tests, test_l2_away_is_as_if_there_were_none);
    tcase_add_test(tests, test_one_servers_loss_concerns_its_keys_only);
    tcase_add_test(tests, test_who_has_waited_for_one_server_does_not_wait_for_another);
    tcase_add_test(tests, test_while_the_store_is_away_l2_answers);
    tcase_add_test(tests, test_what_is_damaged_or_anothers_is_a_miss_and_replaced);
    tcase_add_test(tests, test_a_value_of_another_session_is_a_miss);
    tcase_add_test(tests, test_what_has_expired_in_l2_is_asked_of_the_store);
    tcase_add_test(tests, test_scans_show_sessions_only);
    tcase_add_test(tests, test_epochs_are_read_once_in_a_while);
    tcase_add_test(tests, test_what_l2_says_is_as_old_as_the_epochs);
    tcase_add_test(tests, test_what_l2_says_is_good_for_half_of_the_freshness_at_least);
    tcase_add_test(tests, test_in_doubt_the_store_is_asked_or_nobody);
    tcase_add_test(tests, test_a_later_epoch_in_l2_is_looked_up_at_once);
    tcase_add_test(tests, test_news_of_an_epoch_is_news_of_whatever_l2_has_said);
    tcase_add_test(tests, test_many_loads_at_once);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
