/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/resolver.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/un.h>

#include "tests/support/run_suite.h"

#define PATIENCE (20 * SF_SECOND)

static struct sf_resolver *resolver;
static struct sf_addresses addresses;
static struct sf_error error;
static char text[SF_ADDRESS_TEXT];

static sf_time
soon(void)
{
    return sf_clock_steady() + PATIENCE;
}

static void
begin(const char *host, sf_resolver_ask_fn *ask)
{
    resolver = sf_resolver_new(host, 6379, ask);
    ck_assert_ptr_nonnull(resolver);
}

static void
assert_found(const char *expected)
{
    ck_assert_msg(sf_resolver_find(resolver, soon(), &addresses, &error) == SF_OK, "%s", error.text);
    sf_address_format(&addresses.list[0], text);
    ck_assert_str_eq(text, expected);
}

/* ---- what needs no asking ---- */

static enum sf_status
ask_nobody(const char *host, uint16_t port, struct sf_addresses *addresses_out, struct sf_error *reason)
{
    (void)port, (void)addresses_out, (void)reason;
    ck_abort_msg("asked for %s", host);
}

START_TEST(test_numbers_are_not_asked_for)
{
    begin("192.0.2.7", ask_nobody);
    assert_found("192.0.2.7");
    ck_assert_uint_eq(addresses.count, 1);
    ck_assert_uint_eq(ntohs(((struct sockaddr_in *)&addresses.list[0].socket)->sin_port), 6379);
    sf_resolver_free(resolver);
    begin("2001:db8::7", ask_nobody);
    assert_found("2001:db8::7");
    sf_resolver_free(resolver);
}
END_TEST

START_TEST(test_unix_sockets_are_not_asked_for)
{
    char path[200];
    begin("/run/x y.sock", ask_nobody);
    assert_found("/run/x y.sock");
    ck_assert_int_eq(addresses.list[0].socket.ss_family, AF_UNIX);
    sf_resolver_free(resolver);
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    begin(path, ask_nobody);
    ck_assert_int_eq(sf_resolver_find(resolver, soon(), &addresses, &error), SF_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "too long"));
    sf_resolver_free(resolver);
}
END_TEST

/* ---- names ---- */

static atomic_int asked;
static atomic_int answer; /* last byte of the address; 0: no such name */
static sem_t go_on, gone; /* of those in ask_and_wait */
static atomic_int waiting;

static enum sf_status
ask_at_once(const char *host, uint16_t port, struct sf_addresses *addresses_out, struct sf_error *reason)
{
    int number = atomic_load(&answer);
    atomic_fetch_add(&asked, 1);
    if (number == 0)
        return sf_error_set(reason, SF_UNAVAILABLE, "%s: no such name", host);
    struct sockaddr_in *v4 = (struct sockaddr_in *)&addresses_out->list[0].socket;
    *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    v4->sin_addr.s_addr = htonl(0xC0000200u + (uint32_t)number);
    addresses_out->list[0].size = sizeof *v4;
    addresses_out->count = 1;
    return SF_OK;
}

static enum sf_status
ask_and_wait(const char *host, uint16_t port, struct sf_addresses *addresses_out, struct sf_error *reason)
{
    enum sf_status status = ask_at_once(host, port, addresses_out, reason);
    atomic_fetch_add(&waiting, 1);
    sem_wait(&go_on);
    sem_post(&gone);
    return status;
}

static void
wait_for_askers(int count)
{
    while (atomic_load(&waiting) < count)
        sched_yield();
}

static void
set_up(void)
{
    atomic_store(&asked, 0);
    atomic_store(&answer, 1);
    atomic_store(&waiting, 0);
    ck_assert_int_eq(sem_init(&go_on, 0, 0), 0);
    ck_assert_int_eq(sem_init(&gone, 0, 0), 0);
}

/* Where tests share a process, nobody may be left who takes what is meant for the next test. */
static void
tear_down(void)
{
    for (int left = atomic_load(&waiting); left > 0; left--)
        sem_wait(&gone);
}

START_TEST(test_name_is_asked_for_once_and_then_known)
{
    begin("cache.example", ask_at_once);
    assert_found("192.0.2.1");
    atomic_store(&answer, 2);
    assert_found("192.0.2.1");
    ck_assert_int_eq(atomic_load(&asked), 1);
    sf_resolver_free(resolver);
}
END_TEST

START_TEST(test_name_that_does_not_exist_says_so_and_is_asked_for_again)
{
    atomic_store(&answer, 0);
    begin("cache.example", ask_at_once);
    ck_assert_int_eq(sf_resolver_find(resolver, soon(), &addresses, &error), SF_UNAVAILABLE);
    ck_assert_str_eq(error.text, "cache.example: no such name");
    atomic_store(&answer, 3);
    assert_found("192.0.2.3");
    ck_assert_int_eq(atomic_load(&asked), 2);
    sf_resolver_free(resolver);
}
END_TEST

START_TEST(test_doubt_asks_again_and_keeps_what_is_known)
{
    begin("cache.example", ask_at_once);
    assert_found("192.0.2.1");
    atomic_store(&answer, 2);
    sf_resolver_doubt(resolver);
    assert_found("192.0.2.2");
    atomic_store(&answer, 0);
    sf_resolver_doubt(resolver);
    assert_found("192.0.2.2");
    ck_assert_int_eq(atomic_load(&asked), 3);
    sf_resolver_free(resolver);
}
END_TEST

/* A quarter of the time is spent on asking, the rest is left for the connection. */
START_TEST(test_known_address_is_used_when_the_resolver_hangs)
{
    begin("cache.example", ask_and_wait);
    sem_post(&go_on);
    assert_found("192.0.2.1");
    sf_resolver_doubt(resolver);
    sf_time began = sf_clock_steady();
    ck_assert_int_eq(sf_resolver_find(resolver, began + 200, &addresses, &error), SF_OK);
    ck_assert_int_ge(sf_clock_steady(), began + 50);
    wait_for_askers(2);
    sem_post(&go_on);
    sf_resolver_free(resolver);
}
END_TEST

START_TEST(test_resolver_that_hangs_is_left_behind_and_not_started_twice)
{
    begin("cache.example", ask_and_wait);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(sf_resolver_find(resolver, sf_clock_steady() + 20, &addresses, &error), SF_UNAVAILABLE);
        ck_assert_str_eq(error.text, "cache.example: the name was not found in time");
    }
    sem_post(&go_on);
    assert_found("192.0.2.1");
    ck_assert_int_eq(atomic_load(&asked), 1);
    sf_resolver_free(resolver);
}
END_TEST

START_TEST(test_deadline_in_the_past_finds_nothing)
{
    begin("cache.example", ask_and_wait);
    ck_assert_int_eq(sf_resolver_find(resolver, sf_clock_steady() - 1, &addresses, &error), SF_UNAVAILABLE);
    sem_post(&go_on);
    assert_found("192.0.2.1");
    sf_resolver_free(resolver);
}
END_TEST

/* It is let go while it hangs; the thread frees what it shares, and the leak checker watches. */
START_TEST(test_resolver_may_be_freed_while_it_hangs)
{
    begin("cache.example", ask_and_wait);
    ck_assert_int_eq(sf_resolver_find(resolver, sf_clock_steady() + 20, &addresses, &error), SF_UNAVAILABLE);
    wait_for_askers(1);
    sf_resolver_free(resolver);
    sem_post(&go_on);
}
END_TEST

START_TEST(test_share_leaves_time_for_those_behind)
{
    sf_time began = sf_clock_steady(), share = sf_resolver_share(began + 3 * PATIENCE, 2);
    ck_assert_int_ge(share, began + PATIENCE);
    ck_assert_int_le(share, sf_clock_steady() + PATIENCE);
    ck_assert_int_le(sf_resolver_share(began - 1, 1), began);
}
END_TEST

START_TEST(test_free_accepts_null)
{
    sf_resolver_free(NULL);
}
END_TEST

START_TEST(test_system_knows_localhost)
{
    ck_assert_msg(sf_resolver_ask_system("localhost", 80, &addresses, &error) == SF_OK, "%s", error.text);
    ck_assert_uint_ge(addresses.count, 1);
    sf_address_format(&addresses.list[0], text);
    ck_assert(strcmp(text, "127.0.0.1") == 0 || strcmp(text, "::1") == 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("resolver");
    TCase *names = tcase_create("names");
    tcase_set_timeout(names, 60);
    tcase_add_checked_fixture(names, set_up, tear_down);
    tcase_add_test(names, test_numbers_are_not_asked_for);
    tcase_add_test(names, test_unix_sockets_are_not_asked_for);
    tcase_add_test(names, test_name_is_asked_for_once_and_then_known);
    tcase_add_test(names, test_name_that_does_not_exist_says_so_and_is_asked_for_again);
    tcase_add_test(names, test_doubt_asks_again_and_keeps_what_is_known);
    tcase_add_test(names, test_known_address_is_used_when_the_resolver_hangs);
    tcase_add_test(names, test_resolver_that_hangs_is_left_behind_and_not_started_twice);
    tcase_add_test(names, test_deadline_in_the_past_finds_nothing);
    tcase_add_test(names, test_resolver_may_be_freed_while_it_hangs);
    tcase_add_test(names, test_share_leaves_time_for_those_behind);
    tcase_add_test(names, test_free_accepts_null);
    tcase_add_test(names, test_system_knows_localhost);
    suite_add_tcase(suite, names);
    return sf_run_suite(suite);
}
