/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes that are acknowledged when journal or store have them, through the front as a web server makes them,
 * by so many threads at once. One line of JSON.
 *
 *   session-fastd --config FILE &      with SessionFastInstance FOLDER
 *   bench/bench_journal FOLDER memory|journal|store WRITERS SECONDS
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/front/front.h"

#define BUCKETS 4096 /* of 25 us */
#define BUCKET_NS 25000
#define RECORD_BYTES 1024

static struct sf_front *front;
static struct sf_config config;
static atomic_bool must_stop;
static _Atomic uint64_t done, failed, latencies[BUCKETS];

static uint64_t
now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void
note(uint64_t nanoseconds)
{
    uint64_t bucket = nanoseconds / BUCKET_NS;
    atomic_fetch_add_explicit(&latencies[bucket < BUCKETS ? bucket : BUCKETS - 1], 1, memory_order_relaxed);
}

static enum sf_status
apply(const struct sf_key *key, struct sf_saved *saved, bool is_first)
{
    static char text[RECORD_BYTES];
    struct sf_ops ops;
    sf_ops_init(&ops);
    enum sf_status status = is_first ? sf_ops_add_set(&ops, sf_span_text("text"), sf_span_of(text, sizeof text))
                                     : sf_ops_add_increment(&ops, sf_span_text("count"), 1);
    if (status == SF_OK)
        status = sf_front_apply(front, key, &ops, &config, sf_clock_wall(), saved);
    sf_ops_fini(&ops);
    return status;
}

static void *
write_changes(void *unused)
{
    struct sf_saved saved;
    (void)unused;
    if (apply(NULL, &saved, true) != SF_OK)
        exit(EXIT_FAILURE);
    const struct sf_key key = saved.id.key;
    while (!atomic_load_explicit(&must_stop, memory_order_relaxed)) {
        uint64_t began = now_ns();
        bool is_good = apply(&key, &saved, false) == SF_OK;
        atomic_fetch_add_explicit(is_good ? &done : &failed, 1, memory_order_relaxed);
        note(now_ns() - began);
    }
    return NULL;
}

static double
percentile(double share)
{
    uint64_t all = 0, seen = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        all += latencies[i];
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += latencies[i];
        if ((double)seen >= share * (double)all)
            return (double)(i + 1) * BUCKET_NS / 1e6;
    }
    return 0;
}

static void
run(const char *class, int writers, double seconds)
{
    pthread_t threads[1024];
    struct timespec pause = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    uint64_t began = now_ns();
    for (int i = 0; i < writers; i++)
        pthread_create(&threads[i], NULL, write_changes, NULL);
    nanosleep(&pause, NULL);
    atomic_store(&must_stop, true);
    for (int i = 0; i < writers; i++)
        pthread_join(threads[i], NULL);
    double took = (double)(now_ns() - began) / 1e9;
    printf("{\"bench\": \"journal\", \"class\": \"%s\", \"writers\": %d, "
           "\"acknowledged_per_s\": %.0f, \"failed\": %llu, "
           "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f}\n",
           class, writers, (double)done / took, (unsigned long long)failed, percentile(0.5), percentile(0.99),
           percentile(0.999));
}

static bool
set_up(char **arguments, apr_pool_t *pool)
{
    struct sf_error error = {.text = ""};
    struct sf_instance instance;
    const struct sf_log log = {.write = sf_log_to_stderr, .level = SF_LOG_WARNING};
    sf_config_init(&config);
    enum sf_status status = sf_config_set(&config, sf_option_find("SessionFastInstance"), arguments[1], pool, &error);
    if (status == SF_OK)
        status = sf_config_set(&config, sf_option_find("SessionFastDurability"), arguments[2], pool, &error);
    if (status == SF_OK)
        status = sf_instance_resolve(&instance, &config, &error);
    if (status == SF_OK)
        status = sf_front_open(&front, &instance, &log, &error);
    if (status != SF_OK)
        fprintf(stderr, "bench_journal: %s\n", error.text);
    return status == SF_OK;
}

int
main(int count, char **arguments)
{
    apr_pool_t *pool;
    int writers = count == 5 ? (int)strtol(arguments[3], NULL, 10) : 0;
    if (writers < 1 || writers > 1024) {
        fprintf(stderr, "usage: bench_journal FOLDER memory|journal|store WRITERS SECONDS\n");
        return 2;
    }
    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (!set_up(arguments, pool))
        return 1;
    run(arguments[2], writers, strtod(arguments[4], NULL));
    sf_front_close(front);
    return 0;
}
