/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory a session takes: caches of several sizes, filled until somebody has to leave. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/load/draw.h"
#include "command_line/bench_scenarios.h"
#include "common/cache/l1.h"

#define RECORD_BYTES 512
#define AIM 10000u
#define AIM_BYTES (8u << 20)

static struct sf_key
key_of(uint32_t number)
{
    struct sf_key key;

    sf_store_u64(key.bytes, sf_draw_mix(number + 1));
    sf_store_u64(key.bytes + 8, number);
    return key;
}

/* A record of exactly `bytes`, or as near as a field of 64 bytes allows. */
static bool
make_record(struct sf_buffer *record_out, uint32_t bytes, sf_time now)
{
    static unsigned char value[SF_RECORD_BYTES_MAX];
    struct sf_record_head head = {.kind = SF_RECORD_SESSION,
                                  .version = 1,
                                  .created = now,
                                  .last_access = now,
                                  .field_count = 1};
    size_t size = SF_PATTERN_BYTES_MIN;

    for (int attempt = 0; attempt < 2; attempt++) {
        struct sf_field field = {sf_span_text("data"),
                                 {.type = SF_VALUE_BYTES, .bytes = sf_span_of(value, size)}};
        if (sf_record_encode(record_out, &head, &field, SF_RECORD_BYTES_MAX) != SF_OK)
            return false;
        if (record_out->size < bytes)
            size += bytes - record_out->size;
    }
    return true;
}

static bool
put(struct sf_l1 *l1, uint32_t number, struct sf_span record, sf_time now, struct sf_buffer *copy)
{
    struct sf_key key = key_of(number);
    struct sf_l1_view view;

    return sf_l1_get(l1, &key, copy, &view) == SF_OK ||
           sf_l1_fill(l1, &key, record, now, &view.vacancy) == SF_OK;
}

static bool
is_there(struct sf_l1 *l1, uint32_t number, size_t bytes, struct sf_buffer *copy)
{
    struct sf_key key = key_of(number);
    struct sf_l1_view view;

    return sf_l1_get(l1, &key, copy, &view) == SF_OK && copy->size == bytes;
}

/* Until an eviction, or nothing goes in any more. */
static uint32_t
fill(struct sf_l1 *l1, struct sf_span record, sf_time now, struct sf_buffer *copy)
{
    const struct sf_counters *counters = sf_l1_counters(l1);
    uint32_t number = 0;

    while (put(l1, number, record, now, copy)) {
        number++;
        if (atomic_load(&counters->values[SF_COUNTER_l1_evictions]) > 0)
            break;
    }
    return number > 0 ? number - 1 : 0;
}

static uint32_t
count_there(struct sf_l1 *l1, uint32_t upto, size_t bytes, struct sf_buffer *copy)
{
    uint32_t found = 0;

    for (uint32_t number = 0; number < upto; number++)
        found += is_there(l1, number, bytes, copy);
    return found;
}

static bool
measure_size(struct bench_report *report, const struct bench_stage *stage, uint64_t bytes,
             struct sf_span record)
{
    struct sf_l1_made made;
    struct sf_l1 *l1;
    struct sf_error error;
    struct sf_buffer copy;
    char name[80];

    if (sf_l1_create(&stage->instance, bytes, &made, &error) != SF_OK ||
        sf_l1_attach(&l1, &stage->instance, SF_L1_READ_WRITE, &error) != SF_OK) {
        command_fail(EXIT_NO_ANSWER, "%s", error.text);
        return false;
    }
    sf_buffer_init(&copy, SF_RECORD_BYTES_MAX);
    uint32_t held = fill(l1, record, sf_clock_wall(), &copy);
    uint32_t found = count_there(l1, held + 1, record.size, &copy);
    sf_buffer_fini(&copy);
    sf_l1_close(l1);
    unlink(stage->instance.cache_path);
    snprintf(name, sizeof name, "%llu MiB: sessions before the first had to leave",
             (unsigned long long)(bytes >> 20));
    bench_report_count(report, name, held);
    snprintf(name, sizeof name, "%llu MiB: bytes of each over its record",
             (unsigned long long)(bytes >> 20));
    bench_report_number(report, name,
                        held > 0 ? (double)bytes / held - (double)record.size : 0);
    report->is_right = report->is_right && held > 0 && found >= held;
    if (bytes == AIM_BYTES)
        bench_report_count(report, "10,000 sessions fit into 8 MiB", held >= AIM);
    return true;
}

bool
bench_play_memory(const struct bench_scenario *scenario, const struct bench_request *request,
                  struct bench_report *report)
{
    static const uint64_t sizes[] = {1u << 20, 4u << 20, AIM_BYTES, 16u << 20, 64u << 20};
    struct sf_buffer record;
    bool is_well;

    (void)scenario;
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    is_well = make_record(&record, request->bytes > 0 ? request->bytes : RECORD_BYTES,
                          sf_clock_wall());
    bench_report_count(report, "bytes of a record", record.size);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && is_well; i++)
        is_well = measure_size(report, request->stage, sizes[i], sf_buffer_span(&record));
    sf_buffer_fini(&record);
    return is_well;
}
