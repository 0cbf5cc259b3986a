/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/cgi_header.h"

#include <check.h>

#include "tests/support/run_suite.h"

#define LIMIT 200

static struct sf_cgi_header header;

static void
start(void)
{
    sf_cgi_header_init(&header, LIMIT);
}

static void
finish(void)
{
    sf_cgi_header_fini(&header);
}

/* Gives `text` in parts of `step` bytes; *body_out: what is left of the part in which the block
 * ended. */
static enum sf_status
feed(const char *text, size_t step, size_t *body_at_out)
{
    struct sf_span all = sf_span_text(text);
    enum sf_status status = SF_NOT_FOUND;
    sf_cgi_header_clear(&header);
    for (size_t at = 0; at < all.size && status == SF_NOT_FOUND; at += step) {
        struct sf_span part =
            sf_span_of(all.data + at, step < all.size - at ? step : all.size - at);
        status = sf_cgi_header_feed(&header, &part);
        *body_at_out = (size_t)(part.data - all.data);
        ck_assert(status != SF_NOT_FOUND || part.size == 0);
    }
    return status;
}

static enum sf_status
parse(const char *text)
{
    size_t ignored;
    return feed(text, strlen(text), &ignored);
}

static bool
is(struct sf_span span, const char *text)
{
    return sf_span_equal(span, sf_span_text(text));
}

START_TEST(test_block_is_the_same_however_it_is_split)
{
    static const char text[] =
        "Content-Type: text/plain\r\nStatus: 404 Not Here\nX-A:\t1 \r\nX-A:2\n\r\nbody\n\n";
    for (size_t step = 1; step < sizeof text; step++) {
        struct sf_cgi_field field;
        size_t at = 0, body_at = 0;
        ck_assert_int_eq(feed(text, step, &body_at), SF_OK);
        ck_assert_str_eq(text + body_at, "body\n\n");
        ck_assert_uint_eq(header.status, 404);
        ck_assert(is(sf_cgi_header_reason(&header), "Not Here"));
        ck_assert(sf_cgi_header_next(&header, &at, &field));
        ck_assert(is(field.name, "Content-Type") && is(field.value, "text/plain"));
        ck_assert(sf_cgi_header_next(&header, &at, &field));
        ck_assert(is(field.name, "X-A") && is(field.value, "1"));
        ck_assert(sf_cgi_header_next(&header, &at, &field));
        ck_assert(is(field.name, "X-A") && is(field.value, "2"));
        ck_assert(!sf_cgi_header_next(&header, &at, &field));
    }
}
END_TEST

START_TEST(test_empty_line_ends_it_in_every_spelling)
{
    static const char *const texts[] = {"A: 1\n\nbody", "A: 1\r\n\r\nbody", "A: 1\n\r\nbody",
                                        "A: 1\r\n\nbody"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t body_at = 0;
        ck_assert_int_eq(feed(texts[i], 100, &body_at), SF_OK);
        ck_assert_str_eq(texts[i] + body_at, "body");
    }
}
END_TEST

START_TEST(test_fields_are_found_in_any_case)
{
    ck_assert_int_eq(parse("content-TYPE: a\nLocation:  /b  \nEmpty:\n\n"), SF_OK);
    ck_assert(is(sf_cgi_header_find(&header, "Content-Type"), "a"));
    ck_assert(is(sf_cgi_header_find(&header, "LOCATION"), "/b"));
    ck_assert(is(sf_cgi_header_find(&header, "Empty"), ""));
    ck_assert_ptr_null(sf_cgi_header_find(&header, "Content").data);
    ck_assert_uint_eq(header.status, 0);
}
END_TEST

START_TEST(test_status_line_counts_as_status)
{
    struct sf_cgi_field field;
    size_t at = 0;
    ck_assert_int_eq(parse("HTTP/1.1 201 Made\r\nA: 1\r\n\r\n"), SF_OK);
    ck_assert(header.is_nph);
    ck_assert_uint_eq(header.status, 201);
    ck_assert(is(sf_cgi_header_reason(&header), "Made"));
    ck_assert(sf_cgi_header_next(&header, &at, &field) && is(field.name, "A"));
    ck_assert(!sf_cgi_header_next(&header, &at, &field));
    at = 0;
    ck_assert_int_eq(parse("HTTP/1.0 204\n\n"), SF_OK);
    ck_assert_uint_eq(header.status, 204);
    ck_assert(!sf_cgi_header_next(&header, &at, &field));
    ck_assert_int_eq(parse("A: 1\nHTTP/1.0 204\n\n"), SF_INVALID);
}
END_TEST

START_TEST(test_nothing_is_left_of_the_answer_before)
{
    ck_assert_int_eq(parse("HTTP/1.1 500 Bad\r\n\r\n"), SF_OK);
    ck_assert_int_eq(parse("A: 1\n\n"), SF_OK);
    ck_assert(!header.is_nph);
    ck_assert_uint_eq(header.status, 0);
    ck_assert(is(sf_cgi_header_reason(&header), ""));
    ck_assert(is(sf_cgi_header_find(&header, "A"), "1"));
}
END_TEST

START_TEST(test_malformed_blocks_are_refused)
{
    static const char *const texts[] = {
        "\n",
        "\r\nbody",
        "no colon\n\n",
        ": no name\n\n",
        "na me: 1\n\n",
        "Name : 1\n\n",
        "N\303\244me: 1\n\n",
        "A: 1\n continued\n\n",
        "A: 1\n\tcontinued: 2\n\n",
        "A: 1\rB: 2\n\n",
        "A: \033[0m\n\n",
        "A: \177\n\n",
        "<html>\n\n",
        "Status: ok\n\n",
        "Status:\n\n",
        "Status: 20\n\n",
        "Status: 2000\n\n",
        "Status: 100 Continue\n\n",
        "Status: -20\n\n",
        "HTTP/1.1 x\n\n",
        "HTTP/1.1 \n\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        ck_assert_msg(parse(texts[i]) == SF_INVALID, "accepted: %s", texts[i]);
}
END_TEST

START_TEST(test_values_may_hold_bytes_above_ascii_and_tabs)
{
    ck_assert_int_eq(parse("A: \303\244\tb\n\n"), SF_OK);
    ck_assert(is(sf_cgi_header_find(&header, "A"), "\303\244\tb"));
}
END_TEST

START_TEST(test_nul_is_refused)
{
    static const char text[] = "A: 1\0\n\n";
    struct sf_span input = sf_span_of(text, sizeof text - 1);
    ck_assert_int_eq(sf_cgi_header_feed(&header, &input), SF_INVALID);
}
END_TEST

START_TEST(test_block_above_the_limit_is_refused_however_it_is_split)
{
    char text[LIMIT + 2] = "A: ";
    memset(text + 3, 'x', sizeof text - 3);
    memcpy(text + LIMIT - 2, "\n\n", 3);
    for (size_t step = 1; step <= LIMIT; step += 7) {
        size_t ignored;
        ck_assert_int_eq(feed(text, step, &ignored), SF_OK);
    }
    memcpy(text + LIMIT - 2, "x\n\n", 4);
    for (size_t step = 1; step <= LIMIT; step += 7) {
        size_t ignored;
        ck_assert_int_eq(feed(text, step, &ignored), SF_FULL);
    }
}
END_TEST

START_TEST(test_last_status_counts)
{
    ck_assert_int_eq(parse("Status: 200 OK\nStatus: 403\n\n"), SF_OK);
    ck_assert_uint_eq(header.status, 403);
    ck_assert(is(sf_cgi_header_reason(&header), ""));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cgi_header");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, finish);
    tcase_add_test(all, test_block_is_the_same_however_it_is_split);
    tcase_add_test(all, test_empty_line_ends_it_in_every_spelling);
    tcase_add_test(all, test_fields_are_found_in_any_case);
    tcase_add_test(all, test_status_line_counts_as_status);
    tcase_add_test(all, test_nothing_is_left_of_the_answer_before);
    tcase_add_test(all, test_malformed_blocks_are_refused);
    tcase_add_test(all, test_values_may_hold_bytes_above_ascii_and_tabs);
    tcase_add_test(all, test_nul_is_refused);
    tcase_add_test(all, test_block_above_the_limit_is_refused_however_it_is_split);
    tcase_add_test(all, test_last_status_counts);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
