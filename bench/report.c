/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/report.h"

static const char *
kind_of(const struct cell *cell)
{
    if (cell->is_threads)
        return cell->workers == 1 ? "thread" : "threads";
    return cell->workers == 1 ? "process" : "processes";
}

static void
print_head(const struct occasion *occasion, const struct cell *cell)
{
    printf("\n%s, %u sessions of %u bytes, %s, %u %s", cell->workload->name, occasion->sessions,
           occasion->bytes, occasion->popularity, cell->workers, kind_of(cell));
    if (cell->per_second > 0)
        printf(", %llu a second", (unsigned long long)cell->per_second);
    printf("; median of %u rounds of %llu ms\n", cell->rounds,
           (unsigned long long)(cell->round_ns / 1000000));
    printf("  %-22s %11s %10s %9s %9s | %7s %7s %7s | %7s %7s | %s\n", "", "a second", "first is",
           "ns each", "ns of cpu", "rd p50", "p99", "p99.9", "wr p50", "p99", "lost");
}

/* 950n 12u 3.1m: nanoseconds, short enough for a column. */
static void
print_time(const struct sf_histogram *histogram, double part)
{
    double ns = (double)sf_histogram_quantile(histogram, part);

    if (histogram->count == 0)
        printf(" %7s", "-");
    else if (ns < 1e4)
        printf(" %5.0fns", ns);
    else if (ns < 1e7)
        printf(" %5.0fus", ns / 1e3);
    else
        printf(" %5.0fms", ns / 1e6);
}

static void
print_row(const struct cell *cell, const struct contestant *contestant,
          const struct finding *finding)
{
    printf("  %-22s", contestant->ops->name);
    if (contestant->is_missing) {
        printf(" missing: %s\n", contestant->why.text);
        return;
    }
    printf(" %11.0f %9.2fx %9.1f %9.1f |", finding->rate, finding->ratio,
           1e9 * cell->workers / finding->rate, finding->cpu_ns);
    print_time(&finding->reads, 0.5);
    print_time(&finding->reads, 0.99);
    print_time(&finding->reads, 0.999);
    printf(" |");
    print_time(&finding->writes, 0.5);
    print_time(&finding->writes, 0.99);
    printf(" | %.2f%%", 100.0 * (double)finding->lost / (double)finding->operations);
    if (finding->torn > 0)
        printf(", %llu torn", (unsigned long long)finding->torn);
    puts(finding->wrong > 0 ? ", WRONG ANSWERS" : "");
}

static void
write_times(FILE *json, const char *what, const struct sf_histogram *histogram)
{
    if (histogram->count > 0)
        fprintf(json, ",\"%s_p50_ns\":%llu,\"%s_p99_ns\":%llu,\"%s_p999_ns\":%llu,\"%s_max_ns\":%llu",
                what, (unsigned long long)sf_histogram_quantile(histogram, 0.5), what,
                (unsigned long long)sf_histogram_quantile(histogram, 0.99), what,
                (unsigned long long)sf_histogram_quantile(histogram, 0.999), what,
                (unsigned long long)histogram->max);
}

static void
write_row(const struct occasion *occasion, const struct cell *cell,
          const struct contestant *contestant, const struct finding *finding)
{
    FILE *json = occasion->json;

    fprintf(json,
            "{\"bench\":\"cache\",\"target\":\"%s\",\"workload\":\"%s\",\"sessions\":%u,\"bytes\":%u,"
            "\"popularity\":\"%s\",\"workers\":%u,\"kind\":\"%s\",\"per_second\":%llu",
            contestant->ops->name, cell->workload->name, occasion->sessions, occasion->bytes,
            occasion->popularity, cell->workers, cell->is_threads ? "threads" : "processes",
            (unsigned long long)cell->per_second);
    if (contestant->is_missing) {
        fprintf(json, ",\"missing\":true}\n");
        return;
    }
    fprintf(json,
            ",\"rounds\":%u,\"operations_per_second\":%.0f,\"first_is\":%.3f,"
            "\"cpu_ns\":%.1f,\"operations\":%llu,\"lost\":%llu,\"torn\":%llu,\"wrong\":%llu",
            cell->rounds, finding->rate, finding->ratio, finding->cpu_ns,
            (unsigned long long)finding->operations, (unsigned long long)finding->lost,
            (unsigned long long)finding->torn, (unsigned long long)finding->wrong);
    write_times(json, "read", &finding->reads);
    write_times(json, "write", &finding->writes);
    fputs("}\n", json);
}

void
report_cell(const struct occasion *occasion, const struct cell *cell,
            const struct contestant *contestants, unsigned count, const struct finding *findings)
{
    print_head(occasion, cell);
    for (unsigned i = 0; i < count; i++) {
        print_row(cell, &contestants[i], &findings[i]);
        if (occasion->json != NULL)
            write_row(occasion, cell, &contestants[i], &findings[i]);
    }
    fflush(stdout);
    if (occasion->json != NULL)
        fflush(occasion->json);
}
