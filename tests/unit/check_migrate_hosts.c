/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/migrate/migrate_hosts.h"

#include <check.h>

#include "tests/support/run_suite.h"

#define SOON (sf_clock_steady() + 10 * SF_SECOND)

static struct sf_store *store;

static void
set_up(void)
{
    struct sf_error error;
    ck_assert_int_eq(sf_store_open(&store, "memory:", "/", &error), SF_OK);
}

static void
tear_down(void)
{
    sf_store_close(store);
}

START_TEST(test_what_was_stored_is_loaded)
{
    struct sf_migrate_hosts hosts, found;
    ck_assert_int_eq(sf_migrate_hosts_load(&hosts, store, SOON), SF_NOT_FOUND);
    ck_assert_uint_eq(hosts.version + hosts.count + hosts.store, 0);
    hosts.store = UINT64_MAX - 1;
    hosts.target = 7;
    hosts.phase = SF_HOSTS_ENDING;
    for (uint64_t id = 1; id <= SF_MIGRATE_HOSTS_MAX; id++)
        sf_migrate_hosts_add(&hosts, id << 56)->state = (enum sf_host_state)(id % 5);
    ck_assert_ptr_null(sf_migrate_hosts_add(&hosts, 5));
    ck_assert_int_eq(sf_migrate_hosts_store(&hosts, store, SOON), SF_OK);
    ck_assert_int_eq(sf_migrate_hosts_load(&found, store, SOON), SF_OK);
    ck_assert_uint_eq(found.version, hosts.version);
    ck_assert_uint_eq(found.store, UINT64_MAX - 1);
    ck_assert_uint_eq(found.target, 7);
    ck_assert_int_eq(found.phase, SF_HOSTS_ENDING);
    ck_assert_uint_eq(found.count, SF_MIGRATE_HOSTS_MAX);
    for (uint64_t id = 1; id <= SF_MIGRATE_HOSTS_MAX; id++)
        ck_assert_int_eq(sf_migrate_hosts_find(&found, id << 56)->state, (int)(id % 5));
    ck_assert_ptr_null(sf_migrate_hosts_find(&found, 5));
}
END_TEST

START_TEST(test_one_of_two_that_change_it_is_told)
{
    struct sf_migrate_hosts one, other;
    ck_assert_int_eq(sf_migrate_hosts_load(&one, store, SOON), SF_NOT_FOUND);
    other = one;
    ck_assert_int_eq(sf_migrate_hosts_store(&one, store, SOON), SF_OK);
    ck_assert_int_eq(sf_migrate_hosts_store(&other, store, SOON), SF_CONFLICT);
    ck_assert_int_eq(sf_migrate_hosts_load(&other, store, SOON), SF_OK);
    ck_assert_int_eq(sf_migrate_hosts_store(&one, store, SOON), SF_OK);
    ck_assert_int_eq(sf_migrate_hosts_store(&other, store, SOON), SF_CONFLICT);
}
END_TEST

START_TEST(test_who_is_in_another_state_is_found)
{
    struct sf_migrate_hosts hosts = {.version = 0};
    ck_assert_ptr_null(sf_migrate_hosts_other_than(&hosts, SF_HOST_HOLDS));
    sf_migrate_hosts_add(&hosts, 1)->state = SF_HOST_HOLDS;
    ck_assert_ptr_null(sf_migrate_hosts_other_than(&hosts, SF_HOST_HOLDS));
    ck_assert_ptr_eq(sf_migrate_hosts_add(&hosts, 1), &hosts.list[0]);
    sf_migrate_hosts_add(&hosts, 2)->state = SF_HOST_GONE;
    ck_assert_uint_eq(sf_migrate_hosts_other_than(&hosts, SF_HOST_HOLDS)->id, 2);
}
END_TEST

static bool
is_the_row(void *context, const struct sf_key *key, const struct sf_stored *stored)
{
    (void)stored;
    *(bool *)context = sf_migrate_hosts_is_row(key);
    return true;
}

START_TEST(test_the_row_is_known_by_its_key)
{
    struct sf_migrate_hosts hosts = {.version = 0};
    bool is_row = false;
    ck_assert_int_eq(sf_migrate_hosts_store(&hosts, store, SOON), SF_OK);
    ck_assert_int_eq(store->ops->scan(store, NULL, sf_span_text(NULL), 10, SOON, is_the_row, &is_row), SF_OK);
    ck_assert(is_row);
    const struct sf_key other = {{1}};
    ck_assert(!sf_migrate_hosts_is_row(&other));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("migrate_hosts");
    TCase *tests = tcase_create("migrate_hosts");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_what_was_stored_is_loaded);
    tcase_add_test(tests, test_one_of_two_that_change_it_is_told);
    tcase_add_test(tests, test_who_is_in_another_state_is_found);
    tcase_add_test(tests, test_the_row_is_known_by_its_key);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
