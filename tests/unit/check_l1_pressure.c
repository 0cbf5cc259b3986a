/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cache/l1_evict.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"

#define VISITOR 1
#define USER 2
#define OTHER 3
#define NEW 4

static struct sf_test_cache cache;
static struct sf_l1_applied applied;

static void
set_up_empty(void)
{
    sf_test_cache_init(&cache, SF_L1_BYTES_MIN);
}

/* A visitor, a user who has logged in, and one more visitor. */
static void
set_up(void)
{
    set_up_empty();
    ck_assert_int_eq(sf_test_create(cache.l1, VISITOR, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_test_create(cache.l1, OTHER, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_test_create(cache.l1, 100, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_test_rotate(cache.l1, 100, USER, "alice"), SF_OK);
}

static void
tear_down(void)
{
    struct sf_error error = {.text = ""};

    ck_assert_msg(sf_l1_check(cache.l1, true, &error) == SF_OK, "%s", error.text);
    sf_test_cache_fini(&cache);
}

/* With a new key. number 0: no session yet. `applied` tells the rest. */
static enum sf_status
change(uint64_t number, const struct sf_op *list, size_t count)
{
    struct sf_key key = sf_test_cache_key(number), new_key = sf_test_cache_key(NEW);
    struct sf_ops ops;

    sf_ops_init(&ops);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(sf_ops_add(&ops, &list[i]), SF_OK);
    struct sf_l1_change work = sf_test_change(&ops, SF_TEST_NOW);
    work.new_key = &new_key;
    work.may_create = number == 0;
    enum sf_status status =
        sf_l1_apply(cache.l1, number == 0 ? NULL : &key, &work, NULL, &applied);
    sf_ops_fini(&ops);
    return status;
}

static enum sf_status
set(uint64_t number)
{
    const struct sf_op op = {.kind = SF_OP_SET,
                             .name = sf_span_text("n"),
                             .value = {.type = SF_VALUE_STRING, .bytes = sf_span_text("v")}};

    return change(number, &op, 1);
}

static enum sf_status
log_in(uint64_t number)
{
    return change(number, &(struct sf_op){.kind = SF_OP_LOGIN, .name = sf_span_text("bob")}, 1);
}

static void
assert_refused(enum sf_status status, enum sf_l1_pressure pressure)
{
    ck_assert_int_eq(status, SF_FULL);
    ck_assert_int_eq(applied.pressure, pressure);
    ck_assert_uint_eq(applied.version, 0);
    ck_assert(!applied.missed);
}

START_TEST(test_without_pressure_everything_is_taken)
{
    ck_assert_int_eq(sf_l1_pressure(cache.l1), SF_L1_PRESSURE_NONE);
    ck_assert_int_eq(set(0), SF_OK);
    ck_assert_int_eq(set(VISITOR), SF_OK);
    ck_assert_int_eq(set(USER), SF_OK);
    ck_assert_int_eq(applied.pressure, SF_L1_PRESSURE_NONE);
}
END_TEST

START_TEST(test_first_level_refuses_only_new_anonymous_sessions)
{
    sf_l1_set_pressure(cache.l1, SF_L1_PRESSURE_NO_NEW);
    assert_refused(set(0), SF_L1_PRESSURE_NO_NEW);
    ck_assert_int_eq(sf_test_look(cache.l1, NEW, "n").status, SF_NOT_FOUND);
    ck_assert_int_eq(set(VISITOR), SF_OK);
    ck_assert_int_eq(set(USER), SF_OK);
    ck_assert_uint_eq(cache.l1->counters->values[SF_COUNTER_pressure_refused], 1);
}
END_TEST

START_TEST(test_second_level_refuses_changes_of_anonymous_sessions_too)
{
    sf_l1_set_pressure(cache.l1, SF_L1_PRESSURE_NO_ANONYMOUS);
    assert_refused(set(0), SF_L1_PRESSURE_NO_ANONYMOUS);
    assert_refused(set(VISITOR), SF_L1_PRESSURE_NO_ANONYMOUS);
    assert_refused(change(VISITOR, &(struct sf_op){.kind = SF_OP_ROTATE}, 1), SF_L1_PRESSURE_NO_ANONYMOUS);
    ck_assert_uint_eq(sf_test_look(cache.l1, VISITOR, "a").version, 1);
    ck_assert_int_eq(set(USER), SF_OK);
}
END_TEST

START_TEST(test_no_level_refuses_who_logs_in)
{
    sf_l1_set_pressure(cache.l1, SF_L1_PRESSURE_FULL);
    ck_assert_int_eq(log_in(VISITOR), SF_OK);
    ck_assert(applied.rotated);
}
END_TEST

START_TEST(test_no_level_refuses_a_session_that_begins_with_a_login)
{
    sf_l1_set_pressure(cache.l1, SF_L1_PRESSURE_FULL);
    ck_assert_int_eq(log_in(0), SF_OK);
    ck_assert(applied.created);
}
END_TEST

START_TEST(test_no_level_refuses_ends_users_touches_and_what_is_pinned)
{
    const struct sf_op pin[] = {{.kind = SF_OP_MARK, .name = sf_span_text("pinned")}};

    ck_assert_int_eq(change(OTHER, pin, 1), SF_OK);
    sf_l1_set_pressure(cache.l1, SF_L1_PRESSURE_FULL);
    ck_assert_int_eq(set(OTHER), SF_OK);
    ck_assert_int_eq(set(USER), SF_OK);
    ck_assert_int_eq(change(VISITOR, &(struct sf_op){.kind = SF_OP_TOUCH}, 1), SF_OK);
    ck_assert_int_eq(sf_test_end(cache.l1, VISITOR), SF_OK);
    ck_assert_int_eq(sf_test_end(cache.l1, USER), SF_OK);
}
END_TEST

START_TEST(test_level_goes_down_again)
{
    sf_l1_set_pressure(cache.l1, SF_L1_PRESSURE_FULL);
    assert_refused(set(0), SF_L1_PRESSURE_FULL);
    sf_l1_set_pressure(cache.l1, SF_L1_PRESSURE_NONE);
    ck_assert_int_eq(set(0), SF_OK);
}
END_TEST

/* The daemon was killed, and there is no other. */
START_TEST(test_level_that_nobody_renews_ends_by_itself)
{
    int64_t now = sf_clock_steady() / SF_SECOND, life = SF_L1_PRESSURE_LIFE / SF_SECOND;

    atomic_store(&cache.l1->header->pressure, sf_l1_pressure_make(SF_L1_PRESSURE_FULL, now - life + 5));
    ck_assert_int_eq(sf_l1_pressure(cache.l1), SF_L1_PRESSURE_FULL);
    atomic_store(&cache.l1->header->pressure, sf_l1_pressure_make(SF_L1_PRESSURE_FULL, now - life - 1));
    ck_assert_int_eq(sf_l1_pressure(cache.l1), SF_L1_PRESSURE_NONE);
    ck_assert_int_eq(set(0), SF_OK);
}
END_TEST

START_TEST(test_level_that_does_not_exist_is_none)
{
    int64_t now = sf_clock_steady() / SF_SECOND;

    atomic_store(&cache.l1->header->pressure, sf_l1_pressure_make(SF_L1_PRESSURE_FULL + 1, now));
    ck_assert_int_eq(sf_l1_pressure(cache.l1), SF_L1_PRESSURE_NONE);
    atomic_store(&cache.l1->header->pressure, UINT64_MAX);
    ck_assert_int_eq(sf_l1_pressure(cache.l1), SF_L1_PRESSURE_NONE);
    ck_assert_int_eq(set(0), SF_OK);
}
END_TEST

START_TEST(test_every_level_says_what_it_refuses)
{
    for (int i = SF_L1_PRESSURE_NONE; i <= SF_L1_PRESSURE_FULL; i++) {
        char level[32];

        snprintf(level, sizeof(level), "level %d: ", i);
        ck_assert_ptr_nonnull(strstr(sf_l1_pressure_text((enum sf_l1_pressure)i), level));
    }
}
END_TEST

/* ---- the reserve ---- */

#define FIRST 1000

static char *
text_of(size_t size)
{
    char *text = malloc(size + 1);

    ck_assert_ptr_nonnull(text);
    memset(text, 'x', size);
    text[size] = '\0';
    return text;
}

/* Sessions that the store does not have, until one finds no room. Returns how many. */
static uint64_t
fill_with(const char *text)
{
    uint64_t made = 0;

    while (sf_test_create(cache.l1, FIRST + made, "a", text) == SF_OK)
        made++;
    return made;
}

static uint64_t
end_all(uint64_t made)
{
    uint64_t ended = 0;

    while (ended < made && sf_test_end(cache.l1, FIRST + ended) == SF_OK)
        ended++;
    for (uint64_t i = 0; i < ended; i++) {
        struct sf_key key = sf_test_cache_key(FIRST + i);
        ck_assert(!sf_l1_is_stored(cache.l1, &key, 2));
    }
    return ended;
}

/* Each end frees the block of a session; here others take it at once. */
static uint64_t
end_while_others_come(uint64_t made, const char *text)
{
    uint64_t ended = 0, others = FIRST + made, tries = 0;

    while (ended < made && sf_test_end(cache.l1, FIRST + ended) == SF_OK) {
        ended++;
        for (tries = 0; tries < 20; tries++)
            others += sf_test_create(cache.l1, others, "a", tries % 2 ? text : "") == SF_OK;
    }
    return ended;
}

START_TEST(test_who_logs_out_finds_room_when_nobody_else_does)
{
    char *text = text_of(700);
    uint64_t made = fill_with(text);

    (void)fill_with("");
    uint64_t ended = end_while_others_come(made, text);
    ck_assert_uint_gt(ended, made / 20);
    ck_assert_uint_lt(ended, made);
    ck_assert_uint_gt(sf_test_settle_all(cache.l1), made);
    ck_assert_int_eq(set(USER), SF_OK);
    free(text);
}
END_TEST

START_TEST(test_all_may_log_out_when_nobody_takes_their_room)
{
    char *text = text_of(700);
    uint64_t made = fill_with(text);

    ck_assert_uint_gt(made, 300);
    ck_assert_uint_eq(end_all(made), made);
    free(text);
}
END_TEST

/* Of such sizes a slab has not twenty blocks, and they take all slabs but the one of the smallest. */
START_TEST(test_there_is_a_reserve_when_all_sessions_are_large)
{
    uint64_t made = 0;

    for (size_t size = 60000; size > 10000; size -= 5000) {
        char *text = text_of(size);
        while (sf_test_create(cache.l1, FIRST + made, "a", text) == SF_OK)
            made++;
        free(text);
    }
    ck_assert_uint_gt(made, 5);
    ck_assert_uint_eq(end_all(made), made);
}
END_TEST

START_TEST(test_changes_leave_the_reserve_alone_and_loads_do_not)
{
    char *text = text_of(300);

    (void)fill_with(text);
    for (uint64_t i = 0; i < 1000; i++) /* they push each other out */
        ck_assert_int_ne(sf_test_fill(cache.l1, 50000 + i, 3, text), SF_FULL);
    uint32_t dirty = 0, clean = 0, limit = sf_l1_block_limit(cache.l1);
    for (uint32_t block = 0; block < limit; block = sf_l1_block_next(cache.l1, block)) {
        struct sf_l1_place place;
        if (!sf_l1_plan_is_reserved(&cache.l1->plan, block) ||
            !sf_l1_block_place(cache.l1, block, &place))
            continue;
        uint64_t control = sf_l1_load(&place.control->state);
        dirty += sf_l1_control_state(control) == SF_L1_LIVE && !sf_l1_control_is_clean(control);
        clean += sf_l1_control_state(control) == SF_L1_LIVE && sf_l1_control_is_clean(control);
    }
    ck_assert_uint_eq(dirty, 0);
    ck_assert_uint_gt(clean, 30);
    ck_assert_int_eq(sf_test_end(cache.l1, USER), SF_OK); /* they give way to whoever logs out */
    free(text);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1_pressure");
    TCase *levels = tcase_create("levels");
    TCase *reserve = tcase_create("reserve");
    TCase *large = tcase_create("large");
    tcase_add_checked_fixture(levels, set_up, tear_down);
    tcase_add_test(levels, test_without_pressure_everything_is_taken);
    tcase_add_test(levels, test_first_level_refuses_only_new_anonymous_sessions);
    tcase_add_test(levels, test_second_level_refuses_changes_of_anonymous_sessions_too);
    tcase_add_test(levels, test_no_level_refuses_who_logs_in);
    tcase_add_test(levels, test_no_level_refuses_a_session_that_begins_with_a_login);
    tcase_add_test(levels, test_no_level_refuses_ends_users_touches_and_what_is_pinned);
    tcase_add_test(levels, test_level_goes_down_again);
    tcase_add_test(levels, test_level_that_nobody_renews_ends_by_itself);
    tcase_add_test(levels, test_level_that_does_not_exist_is_none);
    tcase_add_test(levels, test_every_level_says_what_it_refuses);
    tcase_add_checked_fixture(reserve, set_up, tear_down);
    tcase_set_timeout(reserve, 60);
    tcase_add_test(reserve, test_who_logs_out_finds_room_when_nobody_else_does);
    tcase_add_test(reserve, test_all_may_log_out_when_nobody_takes_their_room);
    tcase_add_test(reserve, test_changes_leave_the_reserve_alone_and_loads_do_not);
    suite_add_tcase(suite, levels);
    suite_add_tcase(suite, reserve);
    tcase_add_checked_fixture(large, set_up_empty, tear_down);
    tcase_add_test(large, test_there_is_a_reserve_when_all_sessions_are_large);
    suite_add_tcase(suite, large);
    return sf_run_suite(suite);
}
