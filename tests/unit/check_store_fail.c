/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"

static struct sf_store *store;
static struct sf_stored stored;
static struct sf_error error;

static void
open_store(const char *url)
{
    ck_assert_msg(sf_store_open(&store, url, "/nowhere", &error) == SF_OK, "%s", error.text);
}

static void
set_up(void)
{
    store = NULL;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
}

static void
tear_down(void)
{
    sf_store_close(store);
    sf_buffer_fini(&stored.record);
}

static enum sf_status
load(unsigned number)
{
    struct sf_key key = sf_test_key(number);
    return sf_store_load_one(store, &key, 0, &stored);
}

static enum sf_status
put(unsigned number)
{
    struct sf_buffer record = sf_test_record(1, NULL, sf_span_text("x"));
    struct sf_write write = sf_test_put(number, 1, &record);
    enum sf_status status = store->ops->write(store, &write, 1, 0);
    ck_assert_int_eq(status, write.status);
    sf_buffer_fini(&record);
    return status;
}

START_TEST(test_without_a_script_all_is_well)
{
    open_store("fail:");
    ck_assert_int_eq(store->ops->attach(store, 0, &error), SF_OK);
    ck_assert_int_eq(put(1), SF_OK);
    ck_assert_int_eq(load(1), SF_OK);
}
END_TEST

START_TEST(test_last_answer_goes_on_for_ever)
{
    open_store("fail:load=UNAVAILABLE");
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(load(1), SF_UNAVAILABLE);
    ck_assert_int_eq(put(1), SF_OK);
}
END_TEST

START_TEST(test_answers_come_in_their_order)
{
    open_store("fail:write=OK*2+UNAVAILABLE+FULL*2+OK,load=OK");
    static const enum sf_status expected[] = {SF_OK,   SF_OK, SF_UNAVAILABLE, SF_FULL,
                                              SF_FULL, SF_OK, SF_OK};
    for (unsigned i = 0; i < 7; i++)
        ck_assert_int_eq(put(i), expected[i]);
    ck_assert_int_eq(load(1), SF_OK);
    ck_assert_int_eq(load(2), SF_NOT_FOUND);
    ck_assert_int_eq(load(5), SF_OK);
}
END_TEST

START_TEST(test_uncertain_write_was_done)
{
    open_store("fail:write=UNCERTAIN");
    ck_assert_int_eq(put(1), SF_UNCERTAIN);
    ck_assert_int_eq(load(1), SF_OK);
}
END_TEST

START_TEST(test_refused_keys_are_invalid_and_the_others_written)
{
    open_store("fail:refuse=00000002");
    struct sf_buffer record = sf_test_record(1, NULL, sf_span_text("x"));
    struct sf_write writes[] = {sf_test_put(1, 1, &record), sf_test_put(2, 1, &record),
                                sf_test_put(3, 1, &record)};
    ck_assert_int_eq(store->ops->write(store, writes, 3, 0), SF_INVALID);
    ck_assert_int_eq(load(1), SF_OK);
    ck_assert_int_eq(load(2), SF_NOT_FOUND);
    ck_assert_int_eq(load(3), SF_OK);
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_every_call_can_fail)
{
    size_t removed;
    open_store("fail:attach=INVALID+OK,sweep=UNAVAILABLE,scan=UNAVAILABLE");
    ck_assert_int_eq(store->ops->attach(store, 0, &error), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "attach"));
    ck_assert_int_eq(store->ops->attach(store, 0, &error), SF_OK);
    ck_assert_int_eq(store->ops->sweep(store, 0, 1, 0, &removed), SF_UNAVAILABLE);
    ck_assert_int_eq(store->ops->scan(store, NULL, sf_span_text(NULL), 1, 0, NULL, NULL),
                     SF_UNAVAILABLE);
}
END_TEST

START_TEST(test_failure_is_explained)
{
    open_store("fail:load=UNAVAILABLE");
    store->ops->explain(store, &error);
    ck_assert_str_eq(error.text, "");
    ck_assert_int_eq(load(1), SF_UNAVAILABLE);
    store->ops->explain(store, &error);
    ck_assert_str_eq(error.text, "fail store: load answers UNAVAILABLE as its script says");
    ck_assert_int_eq(error.status, SF_UNAVAILABLE);
}
END_TEST

START_TEST(test_malformed_scripts_are_refused)
{
    static const char *const urls[] = {
        "fail:load",
        "fail:load=",
        "fail:load=BROKEN",
        "fail:load=OK*0",
        "fail:load=OK*x",
        "fail:load=OK*-1",
        "fail:read=OK",
        "fail:load=OK++OK",
        "fail:=OK",
        "fail:load=OK,,write=OK",
        "fail:load=unavailable",
        "fail:refuse=0000000000000000000000000000000000",
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        ck_assert_msg(sf_store_open(&store, urls[i], "/nowhere", &error) == SF_INVALID, "%s",
                      urls[i]);
        ck_assert_ptr_null(store);
        ck_assert_str_ne(error.text, "");
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_fail");
    TCase *scripts = tcase_create("scripts");
    tcase_add_checked_fixture(scripts, set_up, tear_down);
    tcase_add_test(scripts, test_without_a_script_all_is_well);
    tcase_add_test(scripts, test_last_answer_goes_on_for_ever);
    tcase_add_test(scripts, test_answers_come_in_their_order);
    tcase_add_test(scripts, test_uncertain_write_was_done);
    tcase_add_test(scripts, test_refused_keys_are_invalid_and_the_others_written);
    tcase_add_test(scripts, test_every_call_can_fail);
    tcase_add_test(scripts, test_failure_is_explained);
    tcase_add_test(scripts, test_malformed_scripts_are_refused);
    suite_add_tcase(suite, scripts);
    return sf_run_suite(suite);
}
