/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store.h"

#include <check.h>
#include <string.h>

#include "tests/support/run_suite.h"

static struct sf_error error;

static void
assert_refused(const char *url, const char *expected_text)
{
    struct sf_store *store;
    ck_assert_int_eq(sf_store_open(&store, url, "/nowhere", &error), SF_INVALID);
    ck_assert_ptr_null(store);
    ck_assert_msg(strstr(error.text, expected_text) != NULL, "\"%s\" is not in: %s", expected_text,
                  error.text);
}

START_TEST(test_backend_is_found_by_its_scheme)
{
    static const char *const urls[] = {"memory:", "memory:name", "fail:", "sqlite:x.db",
                                       "sqlite:/var/lib/x.db"};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct sf_store *store;
        ck_assert_int_eq(sf_store_open(&store, urls[i], "/nowhere", &error), SF_OK);
        ck_assert_int_eq(strncmp(urls[i], store->ops->scheme, strlen(store->ops->scheme)), 0);
        sf_store_close(store);
    }
}
END_TEST

START_TEST(test_unknown_scheme_is_refused_with_the_known_ones)
{
    assert_refused("oracle://host/db", "\"oracle\"");
#define STORE(name, scheme) assert_refused("oracle://host/db", strcmp(scheme, "none") == 0 ? " none " : " " scheme ":");
#include "common/config/stores.def"
#undef STORE
    assert_refused("", "unknown scheme");
    assert_refused("sqlite", "unknown scheme");
    assert_refused("sqlit:x", "unknown scheme");
    assert_refused("sqlite3:x", "unknown scheme");
}
END_TEST

START_TEST(test_password_of_an_unknown_store_is_not_repeated)
{
    assert_refused("mysqll://root:hunter2@host/db", "mysqll");
    ck_assert_ptr_null(strstr(error.text, "hunter2"));
}
END_TEST

START_TEST(test_sqlite_without_a_path_is_refused)
{
    assert_refused("sqlite:", "path is missing");
    assert_refused("sqlite::memory:", "path is missing");
}
END_TEST

START_TEST(test_endless_path_is_refused)
{
    char url[8192] = "sqlite:/";
    memset(url + 8, 'x', sizeof url - 9);
    url[sizeof url - 1] = '\0';
    assert_refused(url, "longer than");
}
END_TEST

START_TEST(test_closing_nothing_is_fine)
{
    sf_store_close(NULL);
}
END_TEST

START_TEST(test_only_sqlite_may_hold_the_truth)
{
    ck_assert_uint_eq(sf_store_sqlite.flags & SF_STORE_DURABLE, SF_STORE_DURABLE);
    ck_assert_uint_eq(sf_store_memory.flags, 0);
    ck_assert_uint_eq(sf_store_fail.flags, 0);
}
END_TEST

START_TEST(test_worst_of_a_batch)
{
    static const enum sf_status rising[] = {SF_OK,        SF_NOT_FOUND,   SF_INVALID,  SF_FULL,
                                            SF_NO_MEMORY, SF_UNAVAILABLE, SF_UNCERTAIN};
    ck_assert_int_eq(sf_store_worst(NULL, 0), SF_OK);
    for (size_t i = 1; i < sizeof rising / sizeof rising[0]; i++) {
        struct sf_write writes[] = {
            {.status = rising[i - 1]}, {.status = rising[i]}, {.status = SF_OK}};
        ck_assert_int_eq(sf_store_worst(writes, 3), rising[i]);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store");
    TCase *registry = tcase_create("registry");
    tcase_add_test(registry, test_backend_is_found_by_its_scheme);
    tcase_add_test(registry, test_unknown_scheme_is_refused_with_the_known_ones);
    tcase_add_test(registry, test_password_of_an_unknown_store_is_not_repeated);
    tcase_add_test(registry, test_sqlite_without_a_path_is_refused);
    tcase_add_test(registry, test_endless_path_is_refused);
    tcase_add_test(registry, test_closing_nothing_is_fine);
    tcase_add_test(registry, test_only_sqlite_may_hold_the_truth);
    tcase_add_test(registry, test_worst_of_a_batch);
    suite_add_tcase(suite, registry);
    return sf_run_suite(suite);
}
