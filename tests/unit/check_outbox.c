/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/outbox.h"

#include <check.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/run_suite.h"

#define LIMIT ((size_t)8 << 20)

static struct sf_outbox outbox;
static int other_side;
static uint64_t sent;

static void
start(void)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    sf_outbox_init(&outbox, ends[0], LIMIT);
    other_side = ends[1];
    sent = 0;
}

static void
stop(void)
{
    close(outbox.socket);
    if (other_side >= 0)
        close(other_side);
    sf_outbox_fini(&outbox);
}

static void
say(size_t size, unsigned char byte)
{
    sf_outbox_close_up(&outbox);
    ck_assert_int_eq(sf_buffer_reserve(&outbox.bytes, size), SF_OK);
    memset(outbox.bytes.data + outbox.bytes.size, byte, size);
    outbox.bytes.size += size;
}

/* Sends and reads by turns until the other side has all. */
static void
assert_heard(size_t size, unsigned char byte)
{
    static unsigned char part[65536], expected[65536];
    memset(expected, byte, sizeof expected);
    while (size > 0) {
        ck_assert(sf_outbox_send(&outbox, &sent));
        ssize_t got = read(other_side, part, size < sizeof part ? size : sizeof part);
        ck_assert_int_gt(got, 0);
        ck_assert_mem_eq(part, expected, (size_t)got);
        size -= (size_t)got;
    }
}

START_TEST(test_socket_gets_what_it_takes_and_the_rest_waits)
{
    size_t size = 4 << 20;
    say(size, 'a');
    ck_assert(sf_outbox_send(&outbox, &sent));
    ck_assert_uint_gt(sent, 0);
    ck_assert_uint_lt(sent, size);
    ck_assert_uint_eq(sf_outbox_pending(&outbox), size - sent);
    assert_heard(size, 'a');
    ck_assert_uint_eq(sent, size);
    ck_assert_uint_eq(sf_outbox_unsent(&outbox), 0);
}
END_TEST

START_TEST(test_what_is_in_the_file_comes_before_what_is_in_memory)
{
    say(1000000, 'a');
    ck_assert(sf_outbox_spool(&outbox));
    say(1000000, 'b');
    ck_assert(sf_outbox_spool(&outbox));
    say(3, 'c');
    ck_assert_uint_eq(sf_outbox_pending(&outbox), 3);
    ck_assert_uint_eq(sf_outbox_unsent(&outbox), 2000003);
    ck_assert_uint_eq(outbox.spooled, 2000000);
    assert_heard(1000000, 'a');
    assert_heard(1000000, 'b');
    assert_heard(3, 'c');
    ck_assert_int_eq(outbox.spool, -1);
    ck_assert_uint_eq(sent, 2000003);
}
END_TEST

START_TEST(test_room_of_what_was_sent_is_used_again)
{
    for (size_t i = 0; i < 2 * LIMIT; i += LIMIT / 8) {
        say(LIMIT / 8, 'a');
        assert_heard(LIMIT / 8, 'a');
    }
    ck_assert_uint_le(outbox.bytes.capacity, LIMIT / 4);
}
END_TEST

START_TEST(test_other_side_that_has_gone_is_seen)
{
    say(10, 'a');
    close(other_side);
    other_side = -1;
    ck_assert(!sf_outbox_send(&outbox, &sent));
    ck_assert_uint_eq(sent, 0);
}
END_TEST

START_TEST(test_file_that_was_made_shorter_is_no_answer)
{
    say(10, 'a');
    ck_assert(sf_outbox_spool(&outbox));
    ck_assert_int_eq(ftruncate(outbox.spool, 0), 0);
    ck_assert(!sf_outbox_send(&outbox, &sent));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("outbox");
    TCase *cases = tcase_create("all");
    tcase_add_checked_fixture(cases, start, stop);
    tcase_add_test(cases, test_socket_gets_what_it_takes_and_the_rest_waits);
    tcase_add_test(cases, test_what_is_in_the_file_comes_before_what_is_in_memory);
    tcase_add_test(cases, test_room_of_what_was_sent_is_used_again);
    tcase_add_test(cases, test_other_side_that_has_gone_is_seen);
    tcase_add_test(cases, test_file_that_was_made_shorter_is_no_answer);
    suite_add_tcase(suite, cases);
    return sf_run_suite(suite);
}
