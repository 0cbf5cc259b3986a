/* SPDX-License-Identifier: Apache-2.0 */
/* Which session a visit takes when several ids come with it. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "common/front/front_private.h"
#include "common/front/visit.h"
#include "common/identity/imported_id.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"
#include "tests/unit/visit_case.h"

static uint64_t
counted(enum sf_counter counter)
{
    return atomic_load(&sf_front_counters(test.front)->values[counter]);
}

static bool
is_taken(const struct sf_session_id *id)
{
    return read_session() == SF_VISIT_ACTIVE &&
           sf_key_equal(&test.visit.key, &id->key);
}

START_TEST(test_forged_id_is_counted_and_never_looked_up)
{
    begin_with_header("__Host-id=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    ck_assert_uint_eq(counted(SF_COUNTER_ids_refused), 1);
    ck_assert_int_eq(read_session(), SF_VISIT_NONE);
}
END_TEST

START_TEST(test_forged_id_beside_a_good_one_does_not_count)
{
    char header[200];
    struct sf_session_id id = make_session(0);
    snprintf(header, sizeof header, "__Host-id=forged; __Host-id=%s", id.text);
    begin_with_header(header);
    ck_assert(is_taken(&id));
}
END_TEST

START_TEST(test_cookie_of_another_name_is_no_id)
{
    char header[200];
    struct sf_session_id id = make_session(0);
    snprintf(header, sizeof header, "x__Host-id=%s; id=%s", id.text, id.text);
    begin_with_header(header);
    ck_assert_int_eq(read_session(), SF_VISIT_NONE);
}
END_TEST

START_TEST(test_same_id_twice_is_one)
{
    struct sf_session_id id = make_session(0);
    begin(&id, &id);
    ck_assert(is_taken(&id));
}
END_TEST

START_TEST(test_living_one_is_taken_beside_a_dead_one)
{
    struct sf_session_id dead = make_session(0);
    struct sf_session_id alive = make_session(0);
    change_session(&dead, SF_OP_END, NULL);
    begin(&dead, &alive);
    ck_assert(is_taken(&alive));
    ck_assert(shows("color", "red"));
    begin(&alive, &dead);
    ck_assert(is_taken(&alive));
}
END_TEST

START_TEST(test_of_two_living_ones_none_is_taken)
{
    struct sf_session_id one = make_session(0);
    struct sf_session_id other = make_session(0);
    begin(&one, &other);
    ck_assert_int_eq(read_session(), SF_VISIT_NONE);
    ck_assert(test.visit.is_ambiguous);
    ck_assert(!sf_visit_is_certain(&test.visit, &test.call));
    ck_assert(was_logged("SF0510: "));
    ck_assert_uint_eq(counted(SF_COUNTER_ids_ambiguous), 1);
}
END_TEST

START_TEST(test_several_sessions_are_told_once_a_minute)
{
    struct sf_session_id one = make_session(0);
    struct sf_session_id other = make_session(0);
    begin(&one, &other);
    read_session();
    begin(&one, &other);
    read_session();
    ck_assert_int_eq(test.log.count, 0);
    ck_assert_uint_eq(counted(SF_COUNTER_ids_ambiguous), 2);
}
END_TEST

START_TEST(test_more_ids_than_anybody_has_are_ambiguous)
{
    char header[400] = "";
    for (int i = 0; i <= SF_VISIT_IDS_MAX; i++) {
        struct sf_session_id id = unknown_id();
        size_t used = strlen(header);
        snprintf(header + used, sizeof header - used, "__Host-id=%s; ", id.text);
    }
    begin_with_header(header);
    ck_assert_int_eq(read_session(), SF_VISIT_NONE);
    ck_assert(test.visit.is_ambiguous);
}
END_TEST

START_TEST(test_replaced_id_stands_back_behind_its_successor)
{
    struct sf_session_id old = make_session(0);
    struct sf_session_id new = change_session(&old, SF_OP_ROTATE, NULL);
    begin(&old, &new);
    ck_assert(is_taken(&new));
    begin(&old, NULL);
    ck_assert(is_taken(&old));
    ck_assert(test.visit.loaded.is_former);
}
END_TEST

START_TEST(test_two_replaced_ids_are_ambiguous)
{
    struct sf_session_id one = make_session(0);
    struct sf_session_id other = make_session(0);
    change_session(&one, SF_OP_ROTATE, NULL);
    change_session(&other, SF_OP_ROTATE, NULL);
    begin(&one, &other);
    ck_assert_int_eq(read_session(), SF_VISIT_NONE);
    ck_assert(test.visit.is_ambiguous);
}
END_TEST

START_TEST(test_living_one_is_not_taken_while_the_other_is_unknown)
{
    struct sf_session_id alive = make_session(0);
    struct sf_session_id unknown = unknown_id();
    begin(&alive, &unknown);
    ck_assert_int_eq(read_session(), SF_VISIT_UNKNOWN);
    ck_assert_int_eq(sf_visit_refuse(&test.visit, &test.call), SF_HTTP_UNAVAILABLE);
}
END_TEST

START_TEST(test_two_dead_ones_are_none)
{
    struct sf_session_id one = make_session(0);
    struct sf_session_id other = make_session(0);
    change_session(&one, SF_OP_END, NULL);
    change_session(&other, SF_OP_END, NULL);
    begin(&one, &other);
    ck_assert_int_eq(read_session(), SF_VISIT_NONE);
    ck_assert(!test.visit.is_ambiguous);
}
END_TEST

/* ---- ids of another system ---- */

#define FOREIGN_ID "3za78fpyfhks5s164d9u5yuhg8eqo81j"

/* As an import has left it. */
static void
import_session(void)
{
    struct sf_l1 *l1 = sf_front_l1(test.front);
    struct sf_key key;
    struct sf_l1_view view;
    struct sf_buffer record = sf_test_record(1, NULL, sf_span_text("imported")), found;

    sf_buffer_init(&found, SF_RECORD_BYTES_MAX);
    sf_imported_id_key(&key, sf_span_text(FOREIGN_ID), sf_front_secrets(test.front), 0);
    ck_assert_int_eq(sf_l1_get(l1, &key, &found, &view), SF_NOT_FOUND);
    ck_assert_int_eq(sf_l1_fill(l1, &key, sf_buffer_span(&record), sf_clock_wall(), &view.vacancy), SF_OK);
    sf_buffer_fini(&found);
    sf_buffer_fini(&record);
}

START_TEST(test_imported_id_counts_where_the_place_says_so)
{
    import_session();
    begin_with_header("sessionid=" FOREIGN_ID);
    ck_assert_int_eq(read_session(), SF_VISIT_NONE);
    test.config.imported_cookie = "sessionid";
    begin_with_header("a=b; sessionid=" FOREIGN_ID);
    ck_assert_int_eq(read_session(), SF_VISIT_ACTIVE);
    ck_assert(shows("value", "imported"));
    begin_with_header("__Host-id=" FOREIGN_ID);
    ck_assert_int_eq(read_session(), SF_VISIT_NONE);
}
END_TEST

START_TEST(test_an_id_of_ours_goes_before_an_imported_one)
{
    char header[300];
    struct sf_session_id id = make_session(0);
    import_session();
    test.config.imported_cookie = "sessionid";
    snprintf(header, sizeof header, "sessionid=" FOREIGN_ID "; __Host-id=%s", id.text);
    begin_with_header(header);
    ck_assert(is_taken(&id));
}
END_TEST

START_TEST(test_login_gives_an_imported_session_an_id_of_ours)
{
    import_session();
    test.config.imported_cookie = "sessionid";
    begin_with_header("sessionid=" FOREIGN_ID);
    sf_visit_add_header(&test.visit, "X-Session-Login", "alice");
    sf_visit_commit(&test.visit, &test.call);
    ck_assert_int_eq(test.visit.failure, 0);
    ck_assert_int_eq(test.visit.cookie, SF_VISIT_SEND_COOKIE);
    struct sf_session_id own = test.visit.id;
    begin(&own, NULL);
    ck_assert(is_taken(&own));
}
END_TEST

START_TEST(test_what_is_no_imported_id_is_refused_without_a_lookup)
{
    test.config.imported_cookie = "sessionid";
    begin_with_header("sessionid=short");
    ck_assert_int_eq(read_session(), SF_VISIT_NONE);
    ck_assert_uint_eq(counted(SF_COUNTER_ids_refused), 1);
}
END_TEST

/* Whoever may set a cookie for the domain would log people out otherwise. */
START_TEST(test_many_ids_that_look_imported_do_not_hide_the_true_one)
{
    import_session();
    test.config.imported_cookie = "sessionid";
    begin_with_header("sessionid=" FOREIGN_ID "; sessionid=aaaaaaaaaaaaaaaaaaaa; sessionid=bbbbbbbbbbbbbbbbbbbb; "
                      "sessionid=cccccccccccccccccccc; sessionid=dddddddddddddddddddd");
    ck_assert(!test.visit.is_ambiguous);
    ck_assert(sf_key_equal(&test.visit.ids[0], &test.visit.key));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("visit_choose");
    TCase *tests = tcase_create("visit_choose");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_forged_id_is_counted_and_never_looked_up);
    tcase_add_test(tests, test_forged_id_beside_a_good_one_does_not_count);
    tcase_add_test(tests, test_cookie_of_another_name_is_no_id);
    tcase_add_test(tests, test_same_id_twice_is_one);
    tcase_add_test(tests, test_living_one_is_taken_beside_a_dead_one);
    tcase_add_test(tests, test_of_two_living_ones_none_is_taken);
    tcase_add_test(tests, test_several_sessions_are_told_once_a_minute);
    tcase_add_test(tests, test_more_ids_than_anybody_has_are_ambiguous);
    tcase_add_test(tests, test_replaced_id_stands_back_behind_its_successor);
    tcase_add_test(tests, test_two_replaced_ids_are_ambiguous);
    tcase_add_test(tests, test_living_one_is_not_taken_while_the_other_is_unknown);
    tcase_add_test(tests, test_two_dead_ones_are_none);
    tcase_add_test(tests, test_imported_id_counts_where_the_place_says_so);
    tcase_add_test(tests, test_an_id_of_ours_goes_before_an_imported_one);
    tcase_add_test(tests, test_login_gives_an_imported_session_an_id_of_ours);
    tcase_add_test(tests, test_what_is_no_imported_id_is_refused_without_a_lookup);
    tcase_add_test(tests, test_many_ids_that_look_imported_do_not_hide_the_true_one);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
