/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/upstream_pool.h"

#include <check.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/run_suite.h"

#define ADDRESS "unix:/run/app.sock"
#define THREADS 12

static struct sf_upstream_pools pools;
static struct sf_upstream_pool *pool;
static struct sf_config config;

static void
start(void)
{
    sf_config_init(&config);
    config.upstream_connections = 1;
    config.upstream_queue = 4;
    config.upstream_queue_time = 20 * SF_SECOND; /* never reached where something is awaited */
    config.upstream_keep_alive = 0;
    sf_upstream_pools_init(&pools);
    pool = sf_upstream_pools_find(&pools, ADDRESS);
    ck_assert_ptr_nonnull(pool);
}

static void
finish(void)
{
    sf_upstream_pools_fini(&pools);
}

static enum sf_status
take(int *socket_out)
{
    struct sf_upstream_place place = {.socket = -1};
    enum sf_status status = sf_upstream_pool_take(pool, &config, NULL, 0, &place);
    ck_assert(status == SF_OK || place.has_waited);
    *socket_out = place.socket;
    return status;
}

static int
take_one(void)
{
    int socket;
    ck_assert_int_eq(take(&socket), SF_OK);
    return socket;
}

static void
give(int socket)
{
    sf_upstream_pool_give(pool, &config, socket);
}

/* One end for the pool; the other is *peer_out. */
static int
make_socket(int *peer_out)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    *peer_out = ends[1];
    return ends[0];
}

static bool
is_closed(int peer)
{
    char byte;
    return recv(peer, &byte, 1, MSG_DONTWAIT) == 0;
}

static unsigned
count_waiting(void)
{
    pthread_mutex_lock(&pool->lock);
    unsigned count = pool->waiter_count;
    pthread_mutex_unlock(&pool->lock);
    return count;
}

START_TEST(test_address_has_one_pool)
{
    ck_assert_ptr_eq(sf_upstream_pools_find(&pools, ADDRESS), pool);
    ck_assert_ptr_ne(sf_upstream_pools_find(&pools, "127.0.0.1:9000"), pool);
}
END_TEST

START_TEST(test_full_upstream_and_no_queue_is_full)
{
    int socket;
    config.upstream_queue = 0;
    ck_assert_int_eq(take_one(), -1);
    ck_assert_int_eq(take(&socket), SF_FULL);
    give(-1);
    ck_assert_int_eq(take_one(), -1);
}
END_TEST

START_TEST(test_place_not_free_in_time_is_unavailable)
{
    int socket;
    config.upstream_queue_time = 1;
    take_one();
    ck_assert_int_eq(take(&socket), SF_UNAVAILABLE);
    ck_assert_uint_eq(count_waiting(), 0);
    give(-1);
    ck_assert_int_eq(take_one(), -1);
}
END_TEST

START_TEST(test_web_server_that_goes_ends_the_wait)
{
    struct sf_upstream_place place;
    int peer;
    take_one();
    struct pollfd other = {make_socket(&peer), POLLRDHUP, 0};
    close(peer);
    ck_assert_int_eq(sf_upstream_pool_take(pool, &config, &other, 1, &place), SF_NOT_FOUND);
    ck_assert(place.has_waited);
    ck_assert_uint_eq(count_waiting(), 0);
    close(other.fd);
}
END_TEST

/* ---- in turn ---- */

static unsigned order[THREADS]; /* of one who has a place: there is only one */
static unsigned served;

static void *
wait_in_turn(void *context)
{
    unsigned number = (unsigned)(uintptr_t)context;
    take_one();
    order[served++] = number;
    give(-1);
    return NULL;
}

START_TEST(test_those_who_wait_are_let_in_as_they_came)
{
    pthread_t threads[THREADS];
    config.upstream_queue = THREADS;
    take_one();
    for (unsigned i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, wait_in_turn, (void *)(uintptr_t)i), 0);
        while (count_waiting() != i + 1)
            ;
    }
    give(-1);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < THREADS; i++)
        ck_assert_uint_eq(order[i], i);
}
END_TEST

static _Atomic unsigned inside, most;

static void *
come_and_go(void *context)
{
    (void)context;
    for (int i = 0; i < 2000; i++) {
        take_one();
        unsigned now = atomic_fetch_add(&inside, 1) + 1;
        unsigned before = atomic_load(&most);
        while (before < now && !atomic_compare_exchange_weak(&most, &before, now))
            ;
        atomic_fetch_sub(&inside, 1);
        give(-1);
    }
    return NULL;
}

START_TEST(test_never_more_than_the_limit_at_once_and_none_forgotten)
{
    pthread_t threads[THREADS];
    config.upstream_connections = 3;
    config.upstream_queue = THREADS;
    for (unsigned i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_le(atomic_load(&most), 3);
    ck_assert_uint_eq(pool->used, 0);
    ck_assert_uint_eq(pool->waiter_count, 0);
}
END_TEST

/* ---- keeping ---- */

START_TEST(test_connections_are_not_kept_unless_wanted)
{
    int peer;
    take_one();
    give(make_socket(&peer));
    ck_assert(is_closed(peer));
    close(peer);
}
END_TEST

START_TEST(test_kept_connection_is_used_again)
{
    int peer, socket = make_socket(&peer);
    config.upstream_keep_alive = 1;
    take_one();
    give(socket);
    ck_assert_int_eq(take_one(), socket);
    give(-1);
    close(socket);
    close(peer);
}
END_TEST

START_TEST(test_not_more_than_that_are_kept)
{
    int peers[2], first = make_socket(&peers[0]), second = make_socket(&peers[1]);
    config.upstream_keep_alive = 1;
    config.upstream_connections = 2;
    take_one();
    take_one();
    give(first);
    give(second);
    ck_assert(!is_closed(peers[0]));
    ck_assert(is_closed(peers[1]));
    close(peers[0]);
    close(peers[1]);
}
END_TEST

START_TEST(test_connection_that_the_upstream_has_closed_is_not_used)
{
    int peer;
    config.upstream_keep_alive = 1;
    take_one();
    give(make_socket(&peer));
    close(peer);
    ck_assert_int_eq(take_one(), -1);
}
END_TEST

START_TEST(test_connection_with_bytes_nobody_has_asked_for_is_not_used)
{
    int peer;
    config.upstream_keep_alive = 1;
    take_one();
    give(make_socket(&peer));
    ck_assert_int_eq(write(peer, "x", 1), 1);
    ck_assert_int_eq(take_one(), -1);
    close(peer);
}
END_TEST

START_TEST(test_connection_that_nobody_uses_is_closed_after_a_while)
{
    int peer;
    sf_time now = sf_clock_steady();
    config.upstream_keep_alive = 1;
    take_one();
    give(make_socket(&peer));
    sf_upstream_pools_tidy(&pools, now + SF_UPSTREAM_KEPT_TIME - 1);
    ck_assert(!is_closed(peer));
    sf_upstream_pools_tidy(&pools, sf_clock_steady() + SF_UPSTREAM_KEPT_TIME);
    ck_assert(is_closed(peer));
    close(peer);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("upstream_pool");
    TCase *tests = tcase_create("upstream_pool");
    tcase_add_checked_fixture(tests, start, finish);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_address_has_one_pool);
    tcase_add_test(tests, test_full_upstream_and_no_queue_is_full);
    tcase_add_test(tests, test_place_not_free_in_time_is_unavailable);
    tcase_add_test(tests, test_web_server_that_goes_ends_the_wait);
    tcase_add_test(tests, test_those_who_wait_are_let_in_as_they_came);
    tcase_add_test(tests, test_never_more_than_the_limit_at_once_and_none_forgotten);
    tcase_add_test(tests, test_connections_are_not_kept_unless_wanted);
    tcase_add_test(tests, test_kept_connection_is_used_again);
    tcase_add_test(tests, test_not_more_than_that_are_kept);
    tcase_add_test(tests, test_connection_that_the_upstream_has_closed_is_not_used);
    tcase_add_test(tests, test_connection_with_bytes_nobody_has_asked_for_is_not_used);
    tcase_add_test(tests, test_connection_that_nobody_uses_is_closed_after_a_while);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
