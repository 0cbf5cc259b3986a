/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/l2/memcached_meta.h"

#include <check.h>
#include <string.h>

#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"

#define KEY "sf:00000001000000000000000000000" "05f"

static struct sf_buffer out;
static struct sf_key key;
static struct sf_meta_item item;
static struct sf_meta_reply reply;

static void
set_up(void)
{
    sf_buffer_init(&out, 65536);
    key = sf_test_key(1);
    item = (struct sf_meta_item){.key = &key, .number = 7};
}

static void
tear_down(void)
{
    sf_buffer_fini(&out);
}

static void
assert_out(const char *expected)
{
    ck_assert_msg(sf_span_equal(sf_buffer_span(&out), sf_span_text(expected)), "%.*s", (int)out.size,
                  (const char *)out.data);
}

static enum sf_status
parse(const char *line)
{
    return sf_meta_parse(&reply, sf_span_text(line));
}

START_TEST(test_get_asks_for_value_and_cas_or_makes_a_lease)
{
    item.ttl = 10 * SF_SECOND;
    ck_assert_int_eq(sf_meta_get(&out, &item), SF_OK);
    assert_out("mg " KEY " v c N10 O7\r\n");
}
END_TEST

START_TEST(test_set_over_anything)
{
    item.ttl = 30 * SF_SECOND;
    item.value = sf_span_text("-");
    ck_assert_int_eq(sf_meta_set(&out, &item), SF_OK);
    assert_out("ms " KEY " 1 c T30 O7\r\n-\r\n");
}
END_TEST

START_TEST(test_set_over_one_cas_only)
{
    item.cas = 12;
    item.ttl = 1999;
    item.value = sf_span_text("abc");
    ck_assert_int_eq(sf_meta_set(&out, &item), SF_OK);
    assert_out("ms " KEY " 3 c T1 O7 C12\r\nabc\r\n");
}
END_TEST

/* T0 would be for ever. */
START_TEST(test_nothing_is_put_there_for_ever)
{
    item.ttl = 0;
    ck_assert_int_eq(sf_meta_set(&out, &item), SF_OK);
    assert_out("ms " KEY " 0 c T1 O7\r\n\r\n");
}
END_TEST

START_TEST(test_delete_of_one_cas_and_the_end)
{
    item.cas = 12;
    ck_assert_int_eq(sf_meta_delete(&out, &item), SF_OK);
    ck_assert_int_eq(sf_meta_end(&out), SF_OK);
    assert_out("md " KEY " O7 C12\r\nmn\r\n");
}
END_TEST

START_TEST(test_value_line)
{
    ck_assert_int_eq(parse("VA 30 c99 O7 W"), SF_OK);
    ck_assert_int_eq(reply.code, SF_META_VALUE);
    ck_assert_uint_eq(reply.size, 30);
    ck_assert_uint_eq(reply.cas, 99);
    ck_assert(reply.has_number);
    ck_assert_uint_eq(reply.number, 7);
    ck_assert(reply.is_ours);
    ck_assert_int_eq(parse("VA 0 c99 O7 Z"), SF_OK);
    ck_assert(!reply.is_ours);
}
END_TEST

START_TEST(test_other_lines)
{
    static const struct {
        const char *line;
        enum sf_meta_code code;
    } lines[] = {{"HD c1 O2", SF_META_DONE},      {"EX O2", SF_META_OTHER},
                 {"NF O2", SF_META_MISSING},      {"NS O2", SF_META_MISSING},
                 {"MN", SF_META_END},             {"SERVER_ERROR object too large for cache", SF_META_REFUSED}};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        ck_assert_int_eq(parse(lines[i].line), SF_OK);
        ck_assert_int_eq(reply.code, lines[i].code);
    }
}
END_TEST

START_TEST(test_largest_numbers)
{
    ck_assert_int_eq(parse("HD c9223372036854775807 O4294967295"), SF_OK);
    ck_assert_uint_eq(reply.number, UINT32_MAX);
    ck_assert_int_eq(parse("HD O4294967296"), SF_CORRUPT);
    ck_assert_int_eq(parse("HD c9223372036854775808"), SF_CORRUPT);
}
END_TEST

START_TEST(test_nonsense_is_corrupt)
{
    static const char *const lines[] = {
        "",        " ",      "V",        "VA",  "VA x",  "VA -1",          "VA 4294967296", "HTTP/1.1 400 Bad Request",
        "VA 1 Ox", "VA 1 c", "VA 1 c-1", "HDD", "ERROR", "CLIENT_ERROR x", "END",           "VALUE a 0 1",
        "STORED"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        ck_assert_msg(parse(lines[i]) == SF_CORRUPT, "%s", lines[i]);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("memcached_meta");
    TCase *tests = tcase_create("text");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_get_asks_for_value_and_cas_or_makes_a_lease);
    tcase_add_test(tests, test_set_over_anything);
    tcase_add_test(tests, test_set_over_one_cas_only);
    tcase_add_test(tests, test_nothing_is_put_there_for_ever);
    tcase_add_test(tests, test_delete_of_one_cas_and_the_end);
    tcase_add_test(tests, test_value_line);
    tcase_add_test(tests, test_other_lines);
    tcase_add_test(tests, test_largest_numbers);
    tcase_add_test(tests, test_nonsense_is_corrupt);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
