/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store.h"

#include <check.h>
#include <string.h>

#include "tests/support/run_suite.h"

static struct sf_store *store;
static struct sf_error error;

static void
open_none(void)
{
    ck_assert_int_eq(sf_store_open(&store, "none", "/nowhere", &error), SF_OK);
    ck_assert_int_eq(store->ops->attach(store, 0, &error), SF_OK);
}

static void
close_none(void)
{
    sf_store_close(store);
}

START_TEST(test_takes_everything_and_has_nothing)
{
    struct sf_stored stored;
    struct sf_write write = {.kind = SF_WRITE_PUT, .key = {{1}}, .version = 1, .is_news = true, .status = SF_INVALID};
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(store->ops->write(store, &write, 1, 0), SF_OK);
    ck_assert_int_eq(write.status, SF_OK);
    ck_assert(!write.is_news);
    ck_assert_int_eq(sf_store_load_one(store, &write.key, 0, &stored), SF_NOT_FOUND);
    sf_buffer_fini(&stored.record);
}
END_TEST

START_TEST(test_cannot_be_listed_and_says_why)
{
    ck_assert_int_eq(store->ops->scan(store, NULL, sf_span_text(""), 1, 0, NULL, NULL), SF_INVALID);
    store->ops->explain(store, &error);
    ck_assert_ptr_nonnull(strstr(error.text, "there is no store"));
}
END_TEST

/* Otherwise a cache that gets a store one day would not put there what it has. */
START_TEST(test_is_another_store_than_any)
{
    ck_assert_uint_ne(sf_store_incarnation(store), 0);
    ck_assert_uint_eq(store->ops->flags, SF_STORE_EXPIRES);
    ck_assert_ptr_null(store->ops->sweep);
}
END_TEST

START_TEST(test_has_nothing_behind_its_name)
{
    struct sf_store *other;
    ck_assert_int_eq(sf_store_open(&other, "none:x", "/nowhere", &error), SF_INVALID);
    ck_assert_int_eq(sf_store_open(&other, "nonesuch", "/nowhere", &error), SF_INVALID);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_none");
    TCase *tests = tcase_create("store_none");
    tcase_add_checked_fixture(tests, open_none, close_none);
    tcase_add_test(tests, test_takes_everything_and_has_nothing);
    tcase_add_test(tests, test_cannot_be_listed_and_says_why);
    tcase_add_test(tests, test_is_another_store_than_any);
    tcase_add_test(tests, test_has_nothing_behind_its_name);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
