/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "common/cache/l1_evict.h"
#include "tests/support/run_suite.h"
#include "tests/unit/cache_case.h"

static struct sf_l1_usage
usage_now(void)
{
    struct sf_l1_usage usage;

    sf_l1_usage(cache.l1, &usage);
    return usage;
}

START_TEST(test_new_records_always_find_room_among_clean_ones)
{
    for (uint64_t number = 0; number < 20000; number++) {
        ck_assert_int_eq(sf_test_create(cache.l1, number, "a", "some text of a visitor"), SF_OK);
        if (number % 100 == 99)
            sf_test_settle_all(cache.l1);
    }
    struct sf_l1_usage usage = usage_now();
    ck_assert_uint_gt(usage.blocks_live, 1000);
    uint64_t reserve = (usage.blocks_live + usage.blocks_free) / SF_L1_RESERVE_SHARE;
    ck_assert_uint_lt(usage.blocks_free, 20 + reserve);
}
END_TEST

START_TEST(test_cache_full_of_small_records_still_takes_larger_ones)
{
    for (uint64_t number = 0; number < 8000; number++)
        (void)!sf_test_fill(cache.l1, number, 3, "small");
    ck_assert_int_eq(
        sf_test_create(
            cache.l1, 9000, "a",
            "something longer, which does not fit into the blocks of the small ones, not by far, "
            "as it has more than two hundred bytes of text in a single field, whatever it says, "
            "and needs a size of its own"),
        SF_OK);
}
END_TEST

/* Filled at one time, what stays lies side by side: a hand that stands there looks further. */
START_TEST(test_nobody_goes_while_most_of_a_size_is_free_elsewhere)
{
    uint64_t count = 0, stay;

    for (uint64_t free_before = 1; free_before > 0; count++) {
        ck_assert_int_eq(sf_test_fill(cache.l1, count, 3, "visitor"), SF_OK);
        struct sf_l1_usage usage = usage_now();
        free_before = usage.blocks_free + (usage.slabs - usage.slabs_used > 2);
    }
    stay = count / 4;
    for (uint64_t number = stay; number < count; number++) {
        struct sf_key key = sf_test_cache_key(number);
        ck_assert_int_eq(sf_l1_drop(cache.l1, &key), SF_OK);
    }
    for (uint64_t number = 0; number < 100; number++)
        ck_assert_int_eq(sf_test_create(cache.l1, 100000 + number, "a", "b"), SF_OK);
    for (uint64_t number = 0; number < stay; number++)
        ck_assert_int_eq(sf_test_look(cache.l1, number, NULL).status, SF_OK);
}
END_TEST

/* Each try looks at as many blocks as a slab of the smallest size has. */
START_TEST(test_hand_comes_to_every_slab_of_the_smallest_size)
{
    struct sf_l1 *other = sf_test_cache_attach(&cache);
    struct sf_key key = sf_test_cache_key(300);
    struct sf_l1_found found;
    struct sf_l1_owned owned;
    bool is_taken = false;
    /* For some keys the words of the index are gone before the blocks. */
    for (uint64_t number = 0; number < 6000; number++)
        (void)!sf_test_create(cache.l1, number, "a", "dirty");
    ck_assert_int_eq(sf_l1_find(other, &key, NULL, &found), SF_OK);
    const struct sf_l1_ticket ticket = {found.block, found.control};
    sf_l1_settle(other, &ticket, sf_clock_steady());
    ck_assert_int_eq(sf_l1_drop(other, &key), SF_OK);
    for (int i = 0; i < 8 && !is_taken; i++)
        is_taken = sf_l1_take_any(cache.l1, 0, &owned);
    ck_assert(is_taken);
    ck_assert_uint_eq(owned.block, found.block);
    sf_l1_block_give_back(cache.l1, &owned);
    sf_l1_close(other);
}
END_TEST

START_TEST(test_only_the_size_that_lacks_room_is_said_to_want_it)
{
    const char *text = "of more than the smallest size, so that blocks are gone before the words of the index "
                       "that name them: for that it has to be a hundred and fifty bytes long, or more";
    uint32_t class_index = sf_l1_plan_class(&cache.l1->plan, SF_RECORD_HEAD_BYTES + 17 + strlen(text));
    uint64_t created = 0;

    while (sf_test_create(cache.l1, created, "a", text) == SF_OK)
        created++;
    for (uint32_t i = 0; i < cache.l1->plan.class_count; i++)
        ck_assert_int_eq(sf_l1_peek(&cache.l1->header->wanted[i]) > 0, i == class_index);
}
END_TEST

START_TEST(test_dirty_records_are_never_evicted)
{
    uint64_t created = 0;

    while (sf_test_create(cache.l1, created, "a", "dirty") == SF_OK)
        created++;
    ck_assert_uint_gt(created, 1000);
    for (uint64_t number = 0; number < created; number++)
        ck_assert_str_eq(sf_test_look(cache.l1, number, "a").text, "dirty");
    ck_assert_uint_eq(sf_test_settle_all(cache.l1), created);
    ck_assert_int_eq(sf_test_create(cache.l1, created, "a", "dirty"), SF_OK);
}
END_TEST

/* sf_test_end works at a time long past; eviction looks at today's tombstones another way. */
static enum sf_status
end_today(uint64_t number, const struct sf_op *op, uint64_t new_number)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_key new_key = sf_test_cache_key(new_number);
    struct sf_ops ops;
    struct sf_l1_applied applied;

    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add(&ops, op), SF_OK);
    struct sf_l1_change change = sf_test_change(&ops, SF_TEST_NOW);
    change.new_key = &new_key;
    change.rotate_grace = sf_clock_wall() - SF_TEST_NOW + SF_MINUTE;
    change.tombstone_lifetime = sf_clock_wall() - SF_TEST_NOW + SF_HOUR;
    enum sf_status status = sf_l1_apply(cache.l1, &key, &change, NULL, &applied);
    sf_ops_fini(&ops);
    return status;
}

static const struct sf_op end_op = {.kind = SF_OP_END}, rotate_op = {.kind = SF_OP_ROTATE};

START_TEST(test_tombstones_stay_while_sessions_can_go)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(end_today(1, &end_op, 0), SF_OK);
    sf_test_settle_all(cache.l1);
    for (uint64_t number = 10; number < 12000; number++)
        (void)!sf_test_fill(cache.l1, number, 3, "filler");
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).kind, SF_RECORD_ENDED);
}
END_TEST

/* Who logs in and out all day must not leave others without room. */
START_TEST(test_cache_full_of_stored_tombstones_still_has_room)
{
    for (uint64_t number = 0; number < 10000; number++) {
        ck_assert_int_eq(sf_test_create(cache.l1, number, "a", "b"), SF_OK);
        ck_assert_int_eq(end_today(number, &end_op, 0), SF_OK);
        if (number % 16 == 0)
            sf_test_settle_all(cache.l1);
    }
}
END_TEST

START_TEST(test_images_in_their_grace_are_the_last_to_go)
{
    unsigned kept = 0;

    for (uint64_t number = 0; number < 20; number++) {
        ck_assert_int_eq(sf_test_create(cache.l1, number, "a", "b"), SF_OK);
        ck_assert_int_eq(end_today(number, &rotate_op, 100000 + number), SF_OK);
    }
    for (uint64_t number = 1000; number < 10000; number++) {
        ck_assert_int_eq(sf_test_create(cache.l1, number, "a", "b"), SF_OK);
        ck_assert_int_eq(end_today(number, &end_op, 0), SF_OK);
        if (number % 16 == 0)
            sf_test_settle_all(cache.l1);
    }
    for (uint64_t number = 0; number < 20; number++)
        kept += sf_test_look(cache.l1, number, NULL).status == SF_OK;
    ck_assert_uint_eq(kept, 20);
    for (uint64_t number = 10000; number < 18000; number++) {
        uint64_t new_number = 200000 + number;

        ck_assert_int_eq(sf_test_create(cache.l1, number, "a", "b"), SF_OK);
        ck_assert_int_eq(end_today(number, &rotate_op, new_number), SF_OK);
        ck_assert_int_eq(end_today(new_number, &rotate_op, 2 * new_number), SF_OK);
        sf_test_settle_all(cache.l1);
    }
}
END_TEST

START_TEST(test_recently_used_records_outlive_others)
{
    enum { REGULARS = 200, VISITORS = 20000 };
    unsigned kept = 0;

    for (uint64_t number = 0; number < REGULARS; number++)
        ck_assert_int_eq(sf_test_fill(cache.l1, number, 3, "a regular"), SF_OK);
    for (uint64_t number = 0; number < VISITORS; number++) {
        if (number % 500 == 0) {
            for (uint64_t regular = 0; regular < REGULARS; regular++) {
                struct sf_key key = sf_test_cache_key(regular);
                sf_l1_touch(cache.l1, &key, SF_TEST_NOW + SF_HOUR);
            }
        }
        (void)!sf_test_fill(cache.l1, 1000 + number, 3, "a visitor");
    }
    for (uint64_t number = 0; number < REGULARS; number++)
        kept += sf_test_look(cache.l1, number, NULL).status == SF_OK;
    ck_assert_uint_gt(kept, REGULARS * 8 / 10);
}
END_TEST

/* ---- who outlives whom ---- */

static sf_time seconds_ago; /* the time of visits */

/*
 * One visitor, at today's time, as the sample sees it; `user` and `flag` may be NULL. Large enough for
 * the blocks to run out before the words of the index.
 */
static enum sf_status
visit(uint64_t number, const char *user, const char *flag)
{
    static const unsigned char bytes[400];
    struct sf_key key = sf_test_cache_key(number);
    struct sf_ops ops;
    struct sf_l1_applied applied;

    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add_set(&ops, sf_span_text("a"), sf_span_of(bytes, sizeof(bytes))),
                     SF_OK);
    if (user != NULL)
        ck_assert_int_eq(sf_ops_add_name(&ops, SF_OP_LOGIN, sf_span_text(user)), SF_OK);
    if (flag != NULL)
        ck_assert_int_eq(sf_ops_add_name(&ops, SF_OP_MARK, sf_span_text(flag)), SF_OK);
    struct sf_l1_change change = sf_test_change(&ops, sf_clock_wall() - seconds_ago * SF_SECOND);
    change.may_create = true;
    change.new_key = &key;
    enum sf_status status = sf_l1_apply(cache.l1, NULL, &change, NULL, &applied);
    sf_ops_fini(&ops);
    return status;
}

/* The batch writer's work. */
static void
store_what_waits(void)
{
    static struct sf_l1_dirty items[64];
    static struct sf_l1_cursor cursor;
    size_t taken;

    do {
        taken = sf_l1_dirty_take(cache.l1, &cursor, items, 64);
        for (size_t i = 0; i < taken; i++)
            sf_l1_settle(cache.l1, &items[i].ticket, sf_clock_steady());
    } while (taken == 64);
}

/* So many pass by, each once, and are stored. */
static void
pass_by(uint64_t first, uint64_t count, const char *user, const char *flag)
{
    for (uint64_t number = first; number < first + count; number++) {
        ck_assert_int_eq(visit(number, user, flag), SF_OK);
        if (number % 10 == 9)
            store_what_waits();
    }
    store_what_waits();
}

static uint64_t
count_kept(uint64_t first, uint64_t count)
{
    uint64_t kept = 0;

    for (uint64_t number = first; number < first + count; number++)
        kept += sf_test_look(cache.l1, number, NULL).status == SF_OK;
    return kept;
}

/* Fills the cache with bots; returns how many sessions that are. */
static uint64_t
fill_up(void)
{
    pass_by(1000000, 3000, NULL, "bot");
    struct sf_l1_usage usage = usage_now();
    ck_assert_uint_gt(usage.blocks_live, 800);
    ck_assert_uint_lt(usage.blocks_live, 2000);
    return usage.blocks_live;
}

static void
come_back(uint64_t number)
{
    struct sf_key key = sf_test_cache_key(number);

    sf_l1_touch(cache.l1, &key, sf_clock_wall() - seconds_ago * SF_SECOND);
}

START_TEST(test_visitors_who_come_once_never_push_out_a_regular)
{
    uint64_t room = fill_up(), regulars = room / 3;

    seconds_ago = 120;
    pass_by(0, regulars, NULL, NULL);
    seconds_ago = 90;
    for (uint64_t number = 0; number < regulars; number++)
        come_back(number);
    seconds_ago = 0; /* whoever comes now was seen later than all of them */
    pass_by(2000000, 50 * room, NULL, NULL);
    pass_by(4000000, 50 * room, NULL, "bot");
    ck_assert_uint_eq(count_kept(0, regulars), regulars);
}
END_TEST

START_TEST(test_bots_go_before_those_who_come_once)
{
    uint64_t room = fill_up(), visitors = room / 3;

    pass_by(0, visitors, NULL, NULL);
    pass_by(2000000, 10 * room, NULL, "bot");
    ck_assert_uint_eq(count_kept(0, visitors), visitors);
}
END_TEST

START_TEST(test_children_outlive_regulars_without)
{
    uint64_t room = fill_up(), parents = room / 3;

    pass_by(0, parents, NULL, "children");
    for (uint64_t number = 2000000; number < 2000000 + 10 * room; number++) {
        seconds_ago = 1;
        pass_by(number, 1, NULL, NULL);
        seconds_ago = 0;
        come_back(number);
    }
    ck_assert_uint_eq(count_kept(0, parents), parents);
}
END_TEST

START_TEST(test_users_outlive_visitors_even_when_they_are_most)
{
    uint64_t room = fill_up(), users = room * 97 / 100;

    pass_by(0, users, "anna", NULL);
    pass_by(2000000, 10 * room, NULL, NULL);
    ck_assert_uint_eq(count_kept(0, users), users);
}
END_TEST

START_TEST(test_pinned_ones_outlive_all_and_go_for_a_user_in_the_end)
{
    uint64_t room = fill_up(), pinned = room * 97 / 100;

    pass_by(0, pinned, NULL, "pinned");
    pass_by(2000000, 5 * room, "anna", NULL);
    ck_assert_uint_eq(count_kept(0, pinned), pinned);
    pass_by(10000, 2 * room, NULL, "pinned");
    ck_assert_int_eq(visit(9000000, "bert", NULL), SF_OK);
}
END_TEST

/* For the store it is over; its user is about. */
START_TEST(test_session_that_lives_by_its_touch_stays)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_ops ops;
    struct sf_l1_applied applied;

    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add_set(&ops, sf_span_text("a"), sf_span_text("b")), SF_OK);
    struct sf_l1_change change = sf_test_change(&ops, sf_clock_wall() - 40 * SF_MINUTE);
    change.may_create = true;
    change.new_key = &key;
    ck_assert_int_eq(sf_l1_apply(cache.l1, NULL, &change, NULL, &applied), SF_OK);
    sf_ops_fini(&ops);
    sf_test_settle_all(cache.l1);
    sf_l1_touch(cache.l1, &key, sf_clock_wall());
    for (uint64_t number = 10; sf_test_create(cache.l1, number, "a", "b") == SF_OK;)
        number++;
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).status, SF_OK);
}
END_TEST

static enum sf_status
create_of_size(size_t size)
{
    static char text[200000];
    struct sf_ops ops;
    struct sf_key key = sf_test_cache_key(size);
    struct sf_l1_applied applied;

    memset(text, 'x', size);
    text[size] = '\0';
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add_set(&ops, sf_span_text("a"), sf_span_text(text)), SF_OK);
    struct sf_l1_change change = sf_test_change(&ops, SF_TEST_NOW);
    change.max_bytes = SF_RECORD_BYTES_MAX;
    change.may_create = true;
    change.new_key = &key;
    enum sf_status status = sf_l1_apply(cache.l1, NULL, &change, NULL, &applied);
    sf_ops_fini(&ops);
    return status;
}

START_TEST(test_records_of_any_size_fit_until_a_slab_is_too_small)
{
    static const size_t sizes[] = {130000, 60000, 9000, 1000, 1};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        ck_assert_int_eq(create_of_size(sizes[i]), SF_OK);
    ck_assert_int_eq(create_of_size(131072), SF_FULL);
}
END_TEST

/* Nothing here can be evicted: the words name no block. */
START_TEST(test_index_is_two_thirds_full_before_a_key_finds_no_word)
{
    struct sf_test_cache other;
    _Atomic uint64_t *word;
    uint64_t value, inserted = 0;
    struct sf_key key = sf_test_cache_key(0);

    sf_test_cache_init(&other, 8 * SF_L1_BYTES_MIN);
    while (sf_l1_insert(other.l1, &key, 5, &word, &value) == SF_OK)
        key = sf_test_cache_key(++inserted);
    ck_assert_uint_ge(inserted * 3, (uint64_t)other.l1->plan.buckets * SF_L1_BUCKET_WORDS * 2);
    sf_test_cache_fini(&other);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1_evict");
    TCase *tests = tcase_create("l1_evict");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_new_records_always_find_room_among_clean_ones);
    tcase_add_test(tests, test_cache_full_of_small_records_still_takes_larger_ones);
    tcase_add_test(tests, test_nobody_goes_while_most_of_a_size_is_free_elsewhere);
    tcase_add_test(tests, test_hand_comes_to_every_slab_of_the_smallest_size);
    tcase_add_test(tests, test_only_the_size_that_lacks_room_is_said_to_want_it);
    tcase_add_test(tests, test_dirty_records_are_never_evicted);
    tcase_add_test(tests, test_tombstones_stay_while_sessions_can_go);
    tcase_add_test(tests, test_cache_full_of_stored_tombstones_still_has_room);
    tcase_add_test(tests, test_images_in_their_grace_are_the_last_to_go);
    tcase_add_test(tests, test_recently_used_records_outlive_others);
    tcase_add_test(tests, test_visitors_who_come_once_never_push_out_a_regular);
    tcase_add_test(tests, test_bots_go_before_those_who_come_once);
    tcase_add_test(tests, test_children_outlive_regulars_without);
    tcase_add_test(tests, test_users_outlive_visitors_even_when_they_are_most);
    tcase_add_test(tests, test_pinned_ones_outlive_all_and_go_for_a_user_in_the_end);
    tcase_add_test(tests, test_session_that_lives_by_its_touch_stays);
    tcase_add_test(tests, test_records_of_any_size_fit_until_a_slab_is_too_small);
    tcase_add_test(tests, test_index_is_two_thirds_full_before_a_key_finds_no_word);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
