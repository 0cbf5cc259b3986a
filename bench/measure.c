/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/measure.h"

#include <stdlib.h>

#include "bench/load/crowd.h"

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

double
measure_median(double *values, unsigned count)
{
    qsort(values, count, sizeof *values, compare);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void
add_result(struct contestant *contestant, struct finding *finding, unsigned round,
           const struct workload_result *result)
{
    finding->rates[round] += (double)result->operations * 1e9 / (double)result->ns;
    finding->operations += result->operations;
    finding->lost += result->lost;
    finding->torn += result->torn;
    finding->wrong += result->wrong;
    sf_histogram_merge(&finding->reads, &result->reads);
    sf_histogram_merge(&finding->writes, &result->writes);
    contestant->changes += result->changes;
    contestant->lost += result->lost;
    contestant->wrong += result->wrong;
}

static bool
run_one(const struct cell *cell, struct contestant *contestant, struct finding *finding,
        unsigned round)
{
    struct workload_run run = {
        .workload = cell->workload,
        .ops = contestant->ops,
        .target = contestant->target,
        .sequence = cell->sequence,
        .sequence_count = cell->sequence_count,
        .seed = 1 + round * 1000u,
        .duration_ns = cell->round_ns,
        .operations = cell->operations,
        .per_second = cell->per_second,
    };
    const struct sf_crowd crowd = {
        .is_threads = cell->is_threads,
        .count = cell->workers,
        .prepare = workload_prepare,
        .work = workload_work,
        .context = &run,
        .result_bytes = sizeof(struct workload_result),
    };
    struct workload_result *results = calloc(cell->workers, sizeof *results);
    uint64_t cpu_ns = 0, operations = 0;
    bool is_well = results != NULL && sf_crowd_run(&crowd, results) == SF_OK;

    for (unsigned i = 0; i < cell->workers && is_well; i++) {
        add_result(contestant, finding, round, &results[i]);
        cpu_ns += results[i].cpu_ns;
        operations += results[i].operations;
    }
    finding->cpu[round] = (double)cpu_ns / (double)operations;
    free(results);
    return is_well;
}

/* The ratio to the first that is there, round by round: they ran within the same second. */
static void
conclude(const struct cell *cell, const struct contestant *contestants, unsigned count,
         struct finding *findings)
{
    const struct finding *first = NULL;

    for (unsigned i = 0; i < count; i++) {
        if (contestants[i].is_missing)
            continue;
        first = first == NULL ? &findings[i] : first;
        for (unsigned round = 0; round < cell->rounds; round++)
            findings[i].ratios[round] = first->rates[round] / findings[i].rates[round];
    }
    for (unsigned i = 0; i < count; i++) {
        if (contestants[i].is_missing)
            continue;
        findings[i].rate = measure_median(findings[i].rates, cell->rounds);
        findings[i].cpu_ns = measure_median(findings[i].cpu, cell->rounds);
        findings[i].ratio = measure_median(findings[i].ratios, cell->rounds);
    }
}

bool
measure_cell(const struct cell *cell, struct contestant *contestants, unsigned count,
             struct finding *findings_out)
{
    for (unsigned i = 0; i < count; i++)
        findings_out[i] = (struct finding){.rate = 0};
    for (unsigned round = 0; round < cell->rounds; round++)
        for (unsigned i = 0; i < count; i++)
            if (!contestants[i].is_missing &&
                !run_one(cell, &contestants[i], &findings_out[i], round))
                return false;
    conclude(cell, contestants, count, findings_out);
    return true;
}
