/* SPDX-License-Identifier: Apache-2.0 */
#include "common/identity/imported_id.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/run_suite.h"

static const struct sf_secrets secrets = {.count = 2, .keys = {{1}, {2}}};

/* "": refused. */
static const char *
read_id(const char *value)
{
    static char id[SF_IMPORTED_ID_MAX + 1];
    char scratch[SF_IMPORTED_ID_MAX];
    struct sf_span found;
    id[0] = '\0';
    if (sf_imported_id_read(&found, scratch, sf_span_text(value)) == SF_OK) {
        memcpy(id, found.data, found.size);
        id[found.size] = '\0';
    }
    return id;
}

static struct sf_key
key_of(const char *id, size_t which)
{
    struct sf_key key;
    sf_imported_id_key(&key, sf_span_text(id), &secrets, which);
    return key;
}

START_TEST(test_plain_ids_stay_as_they_are)
{
    ck_assert_str_eq(read_id("3za78fpyfhks5s164d9u5yuhg8eqo81j"),
                     "3za78fpyfhks5s164d9u5yuhg8eqo81j");
    ck_assert_str_eq(read_id("s:without-a-signature"), "s:without-a-signature");
    ck_assert_str_eq(read_id("sxxxxxxxxxxxxxxxxxxx.yyyy"), "sxxxxxxxxxxxxxxxxxxx.yyyy");
}
END_TEST

START_TEST(test_signature_of_connect_is_left_out)
{
    const char *id = "hJjSvKpZQ0aWn3mVx2yLr8tQ-1_bCdEf";
    ck_assert_str_eq(read_id("s:hJjSvKpZQ0aWn3mVx2yLr8tQ-1_bCdEf.c2lnbmF0dXJl"), id);
    ck_assert_str_eq(read_id("s%3AhJjSvKpZQ0aWn3mVx2yLr8tQ-1_bCdEf.c2ln%2BbmF0dXJl"), id);
    ck_assert_str_eq(read_id("s%3ahJjSvKpZQ0aWn3mVx2yLr8tQ-1_bCdEf.c2ln"), id);
}
END_TEST

START_TEST(test_uuid_of_spring_is_decoded)
{
    ck_assert_str_eq(read_id("MzNmZGM5ZTAtYTVmNC00YzFiLTkyMzItMWQ1NDg0N2JkZTBm"),
                     "33fdc9e0-a5f4-4c1b-9232-1d54847bde0f");
    /* 48 characters that are something else */
    ck_assert_str_eq(read_id("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
                     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    ck_assert_str_eq(read_id("MzNmZGM5ZTAtYTVmNC00YzFiLTkyMzItMWQ1NDg0N2JkZT!!"),
                     "MzNmZGM5ZTAtYTVmNC00YzFiLTkyMzItMWQ1NDg0N2JkZT!!");
}
END_TEST

START_TEST(test_lengths)
{
    char text[SF_IMPORTED_ID_MAX + 2];
    memset(text, 'x', sizeof text);
    text[SF_IMPORTED_ID_MAX + 1] = '\0';
    ck_assert_str_eq(read_id(text), "");
    text[SF_IMPORTED_ID_MAX] = '\0';
    ck_assert_str_eq(read_id(text), text);
    text[SF_IMPORTED_ID_MIN] = '\0';
    ck_assert_str_eq(read_id(text), text);
    text[SF_IMPORTED_ID_MIN - 1] = '\0';
    ck_assert_str_eq(read_id(text), "");
    ck_assert_str_eq(read_id(""), "");
    ck_assert_str_eq(read_id("s:."), "");
    ck_assert_str_eq(read_id("s:"), "");
}
END_TEST

START_TEST(test_key_depends_on_id_and_secret)
{
    struct sf_key key = key_of("3za78fpyfhks5s164d9u5yuhg8eqo81j", 0);
    struct sf_key again = key_of("3za78fpyfhks5s164d9u5yuhg8eqo81j", 0);
    struct sf_key other = key_of("3za78fpyfhks5s164d9u5yuhg8eqo81k", 0);
    struct sf_key under_another = key_of("3za78fpyfhks5s164d9u5yuhg8eqo81j", 1);
    ck_assert(sf_key_equal(&key, &again));
    ck_assert(!sf_key_equal(&key, &other));
    ck_assert(!sf_key_equal(&key, &under_another));
}
END_TEST

/* Whoever could have an id of ours hashed as an imported one would get past its check. */
START_TEST(test_an_id_of_ours_has_another_key)
{
    struct sf_session_id id;
    ck_assert_int_eq(sf_session_id_new(&id, &secrets), SF_OK);
    struct sf_key imported = key_of(id.text, 0);
    ck_assert(!sf_key_equal(&imported, &id.key));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("imported_id");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_plain_ids_stay_as_they_are);
    tcase_add_test(tests, test_signature_of_connect_is_left_out);
    tcase_add_test(tests, test_uuid_of_spring_is_decoded);
    tcase_add_test(tests, test_lengths);
    tcase_add_test(tests, test_key_depends_on_id_and_secret);
    tcase_add_test(tests, test_an_id_of_ours_has_another_key);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
