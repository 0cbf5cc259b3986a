/* SPDX-License-Identifier: Apache-2.0 */
#include "command_line/bench_report.h"

#include <stdio.h>

#include "command_line/print.h"

static const struct print_column columns[] = {
    {"what", "", PRINT_TEXT},
    {"by", "", PRINT_TEXT},
    {"count", "count", PRINT_NUMBER},
    {"per_second", "a second", PRINT_NUMBER},
    {"mean_ns", "mean ns", PRINT_NUMBER},
    {"p50_ns", "p50 ns", PRINT_NUMBER},
    {"p99_ns", "p99 ns", PRINT_NUMBER},
    {"max_ns", "max ns", PRINT_NUMBER},
};

void
bench_report_init(struct bench_report *report)
{
    *report = (struct bench_report){json_array(), json_object(), true};
}

void
bench_report_fini(struct bench_report *report)
{
    json_decref(report->rows);
    json_decref(report->facts);
}

void
bench_report_times(struct bench_report *report, const char *what, const char *by,
                   const struct sf_histogram *times, uint64_t ns)
{
    if (times->count == 0)
        return;
    json_array_append_new(
        report->rows,
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "what", what, "by", by, "count",
                  (json_int_t)times->count, "per_second",
                  (json_int_t)((double)times->count * 1e9 / (double)(ns > 0 ? ns : 1)), "mean_ns",
                  (json_int_t)sf_histogram_mean(times), "p50_ns",
                  (json_int_t)sf_histogram_quantile(times, 0.5), "p99_ns",
                  (json_int_t)sf_histogram_quantile(times, 0.99), "p999_ns",
                  (json_int_t)sf_histogram_quantile(times, 0.999), "max_ns",
                  (json_int_t)times->max));
}

void
bench_report_tally(struct bench_report *report, const char *by, const struct bench_tally *tally)
{
    char name[80];

    bench_report_times(report, "read", by, &tally->read_times, tally->ns);
    bench_report_times(report, "change", by, &tally->change_times, tally->ns);
    for (int status = 0; status < BENCH_STATUSES; status++) {
        if (tally->failed[status] == 0)
            continue;
        snprintf(name, sizeof name, "%s: %s", by, sf_status_name((enum sf_status)status));
        bench_report_count(report, name, tally->failed[status]);
        report->is_right = false;
    }
}

void
bench_report_number(struct bench_report *report, const char *name, double value)
{
    json_object_set_new(report->facts, name, json_real(value));
}

void
bench_report_count(struct bench_report *report, const char *name, uint64_t value)
{
    json_object_set_new(report->facts, name, json_integer((json_int_t)value));
}

void
bench_report_expect(struct bench_report *report, const char *name, int64_t expected, int64_t found)
{
    json_object_set_new(report->facts, name,
                        json_pack("{s:I, s:I}", "expected", (json_int_t)expected, "found",
                                  (json_int_t)found));
    if (expected != found)
        report->is_right = false;
}

static void
print_facts(json_t *facts)
{
    const char *name;
    json_t *value;

    json_object_foreach(facts, name, value) {
        json_t *expected = json_object_get(value, "expected");
        if (expected != NULL)
            printf("  %s: %" JSON_INTEGER_FORMAT ", expected %" JSON_INTEGER_FORMAT "\n", name,
                   json_integer_value(json_object_get(value, "found")),
                   json_integer_value(expected));
        else if (json_is_real(value))
            printf("  %s: %.6g\n", name, json_real_value(value));
        else
            printf("  %s: %" JSON_INTEGER_FORMAT "\n", name, json_integer_value(value));
    }
}

void
bench_report_print(const struct bench_report *report, const char *scenario, const char *what,
                   bool is_json)
{
    if (is_json) {
        json_t *all = json_pack("{s:s, s:b, s:O, s:O}", "bench", scenario, "right",
                                report->is_right, "rows", report->rows, "facts", report->facts);
        print_json(all);
        json_decref(all);
        return;
    }
    printf("%s: %s\n", scenario, what);
    if (json_array_size(report->rows) > 0)
        print_table(report->rows, columns, sizeof columns / sizeof columns[0]);
    print_facts(report->facts);
    puts(report->is_right ? "  every result was right" : "  NOT EVERY RESULT WAS RIGHT");
}
