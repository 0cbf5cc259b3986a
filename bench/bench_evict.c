/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What stays in a cache that is too small: the share of requests of regular visitors that find their
 * session, while others come once and never again. The cache is the real one, with its own samples
 * and words; its clock is this program's, and the last choice among a sample is made once as the cache
 * does it, and once by last access alone. An hour of requests for each row, of which the
 * second half counts. A table on standard output. Arguments: requests a second, seed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/load/draw.h"
#include "common/cache/l1_private.h"
#include "common/cache/l1_worth.h"

#define CACHE_BYTES (4u << 20)
#define RECORD_BYTES 400
#define SECONDS 3600
#define REGULARS 40000
#define DRIFT_SECONDS 600 /* in which a tenth of the regular visitors leave, and others come */

static sf_time now = 1700000000000;
static bool is_by_age;

sf_time __wrap_sf_clock_wall(void);
sf_time __wrap_sf_clock_steady(void);
uint64_t __real_sf_l1_rank(uint64_t touch, uint32_t now_seconds, bool is_stale);
uint64_t __wrap_sf_l1_rank(uint64_t touch, uint32_t now_seconds, bool is_stale);

/* The linker puts these in the places of the real ones. */
sf_time
__wrap_sf_clock_wall(void)
{
    return now;
}

sf_time
__wrap_sf_clock_steady(void)
{
    return now;
}

uint64_t
__wrap_sf_l1_rank(uint64_t touch, uint32_t now_seconds, bool is_stale)
{
    return is_by_age ? sf_l1_touch_seconds(touch) : __real_sf_l1_rank(touch, now_seconds, is_stale);
}

struct trace {
    unsigned once;        /* percent of the requests that come from those who never come again */
    bool is_drifting;
    double exponent;
};

struct run {
    struct sf_instance instance;
    char folder[32];
    struct sf_l1 *l1;
    struct sf_popularity *popularity;
    struct sf_draw draw;
    struct sf_buffer record, copy;
    uint64_t visitors;
    uint64_t asked, found; /* by regular visitors, in the second half */
};

/*
 * What the daemon does for a session that is only in the store; where `key` is new it is as good as
 * made. Another key's removal may make it try again.
 */
static enum sf_status
fill(struct run *run, const struct sf_key *key, const struct sf_l1_vacancy *vacancy)
{
    struct sf_field field = {sf_span_text("value"), {.type = SF_VALUE_BYTES}};
    static const unsigned char bytes[RECORD_BYTES];
    struct sf_record_head head = {
        .kind = SF_RECORD_SESSION,
        .version = 1,
        .created = now,
        .last_access = now - SF_MINUTE,
        .idle_timeout = SF_DAY,
        .field_count = 1,
    };

    field.value.bytes = sf_span_of(bytes, sizeof(bytes));
    if (sf_record_encode(&run->record, &head, &field, SF_RECORD_BYTES_MAX) != SF_OK)
        abort();
    return sf_l1_fill(run->l1, key, sf_buffer_span(&run->record), head.last_access, vacancy);
}

static struct sf_key
key_of(uint64_t number)
{
    struct sf_key key;
    const uint64_t words[] = {sf_draw_mix(number), sf_draw_mix(~number)};

    memcpy(key.bytes, words, sizeof(key.bytes));
    return key;
}

/* true: it was there. */
static bool
request(struct run *run, uint64_t number, bool comes_again)
{
    struct sf_key key = key_of(number);
    struct sf_l1_view view;
    enum sf_status status = sf_l1_get(run->l1, &key, &run->copy, &view);

    for (enum sf_status filled = status; filled != SF_OK;) {
        filled = fill(run, &key, &view.vacancy);
        if (filled == SF_CONFLICT)
            (void)!sf_l1_get(run->l1, &key, &run->copy, &view);
        else if (filled != SF_OK)
            abort();
    }
    if (comes_again)
        sf_l1_touch(run->l1, &key, now);
    return status == SF_OK;
}

/* Who has the rank now: after each period a tenth of the ranks belong to somebody else. */
static uint64_t
regular_at(uint32_t rank, const struct trace *trace, unsigned second)
{
    unsigned periods = trace->is_drifting ? second / DRIFT_SECONDS : 0;
    unsigned changes = (periods + rank % 10) / 10;

    return (uint64_t)changes * REGULARS + rank;
}

static void
play_second(struct run *run, const struct trace *trace, unsigned second, unsigned rate)
{
    for (unsigned i = 0; i < rate; i++) {
        now = 1700000000000 + second * SF_SECOND + i * SF_SECOND / rate;
        if (sf_draw_u64(&run->draw) % 100 < trace->once) {
            (void)request(run, UINT64_C(1) << 40 | run->visitors++, false);
            continue;
        }
        uint32_t rank = sf_popularity_rank(run->popularity, &run->draw);
        bool is_found = request(run, regular_at(rank, trace, second), true);
        if (second < SECONDS / 2)
            continue;
        run->asked++;
        run->found += is_found;
    }
}

static void
begin(struct run *run, double exponent, uint64_t seed)
{
    struct sf_l1_made made;
    struct sf_error error = {.text = ""};

    *run = (struct run){.folder = "/dev/shm/bench_evict.XXXXXX"};
    if (mkdtemp(run->folder) == NULL)
        abort();
    snprintf(run->instance.cache_path, sizeof(run->instance.cache_path), "%s/l1.cache", run->folder);
    snprintf(run->instance.cache_lock_path, sizeof(run->instance.cache_lock_path), "%s/l1.lock",
             run->folder);
    if (sf_l1_create(&run->instance, CACHE_BYTES, &made, &error) != SF_OK ||
        sf_l1_attach(&run->l1, &run->instance, SF_L1_READ_WRITE, &error) != SF_OK ||
        sf_popularity_new(&run->popularity, REGULARS, exponent) != SF_OK)
        abort();
    sf_draw_init(&run->draw, seed);
    sf_buffer_init(&run->record, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&run->copy, SF_RECORD_BYTES_MAX);
}

static void
end(struct run *run)
{
    sf_popularity_free(run->popularity);
    sf_buffer_fini(&run->copy);
    sf_buffer_fini(&run->record);
    sf_l1_close(run->l1);
    (void)unlink(run->instance.cache_path);
    (void)unlink(run->instance.cache_lock_path);
    (void)rmdir(run->folder);
}

static double
play(const struct trace *trace, bool by_age, unsigned rate, uint64_t seed)
{
    struct run run;

    is_by_age = by_age;
    begin(&run, trace->exponent, seed);
    for (unsigned second = 0; second < SECONDS; second++)
        play_second(&run, trace, second, rate);
    end(&run);
    return 100.0 * (double)run.found / (double)run.asked;
}

int
main(int count, char **words)
{
    static const struct trace traces[] = {
        {0, false, 0.99}, {30, false, 0.99}, {60, false, 0.99}, {90, false, 0.99},
        {0, true, 0.99},  {60, true, 0.99},  {60, false, 0.6},
    };
    unsigned rate = count > 1 ? (unsigned)strtoul(words[1], NULL, 10) : 200;
    uint64_t seed = count > 2 ? strtoull(words[2], NULL, 10) : 1;

    printf("%u requests a second; found of those of %u regular visitors\n", rate, REGULARS);
    printf("zipf  once %%  drift   by last access   by frequency\n");
    for (size_t i = 0; i < sizeof(traces) / sizeof(traces[0]); i++) {
        double by_age = play(&traces[i], true, rate, seed);
        double by_frequency = play(&traces[i], false, rate, seed);

        printf("%.2f  %6u  %-5s %14.2f %% %12.2f %%\n", traces[i].exponent, traces[i].once,
               traces[i].is_drifting ? "yes" : "no", by_age, by_frequency);
        fflush(stdout);
    }
    return EXIT_SUCCESS;
}
