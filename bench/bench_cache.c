/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bench_cache: what a session cache costs, ours beside everything else that holds sessions, in one run.
 * See docs/benchmarks/README.md.
 *
 * Exit status 1: an answer was wrong, or counters do not add up to the changes that were acknowledged.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/load/draw.h"
#include "bench/report.h"

#define SEQUENCE (1u << 20) /* sessions drawn in advance */
#define TARGETS_MAX 16
#define WORKLOADS_MAX 16
#define WORKERS_MAX 8
#define COUNTS_MAX 8

struct request {
    uint32_t sessions, bytes;
    double exponent;
    unsigned worker_counts[COUNTS_MAX], worker_counts_count;
    bool is_threads;
    uint64_t per_second;
    unsigned rounds;
    uint64_t round_ns, operations;
    const struct workload *workloads[WORKLOADS_MAX];
    unsigned workload_count;
    struct contestant contestants[TARGETS_MAX];
    unsigned contestant_count;
    const char *memory, *disk, *json;
};

static const char usage[] =
    "usage: bench_cache [options]\n"
    "  --sessions N (100000)   --bytes N (1024)   --popularity EXPONENT (0.99; 0: uniform)\n"
    "  --workers N[,N...] (1,2)   --threads   --rounds N (5)   --milliseconds N (300, of a round)\n"
    "  --operations N          so many by each worker in a round, whatever they take\n"
    "  --rate N                as many operations a second, latency since each was due\n"
    "  --workload NAME         100/0 95/5 90/10 70/30 30/70 'field change' 'field read'; may be repeated\n"
    "  --target NAME           may be repeated; the first is compared with the others\n"
    "  --memory DIR (/dev/shm)   --disk DIR (.)   --json FILE (appended to)\n";

static bool
fail(const char *what, const char *why)
{
    fprintf(stderr, "bench_cache: %s: %s\n", what, why);
    return false;
}

/* ---- arguments ---- */

static bool
add_target(struct request *request, const char *name)
{
    for (unsigned i = 0; targets[i] != NULL; i++)
        if (strcmp(targets[i]->name, name) == 0 && request->contestant_count < TARGETS_MAX) {
            request->contestants[request->contestant_count++].ops = targets[i];
            return true;
        }
    return fail(name, "no such target");
}

static bool
add_workload(struct request *request, const char *name)
{
    const struct workload *workload = workload_find(name);

    if (workload == NULL || request->workload_count == WORKLOADS_MAX)
        return fail(name, "no such workload");
    request->workloads[request->workload_count++] = workload;
    return true;
}

static bool
set_workers(struct request *request, char *list)
{
    char *rest = NULL;

    request->worker_counts_count = 0;
    for (char *word = strtok_r(list, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest)) {
        unsigned workers = (unsigned)strtoul(word, NULL, 10);
        if (workers == 0 || workers > 4096 || request->worker_counts_count == COUNTS_MAX)
            return fail(word, "not a number of workers");
        request->worker_counts[request->worker_counts_count++] = workers;
    }
    return request->worker_counts_count > 0;
}

static void
take_all(struct request *request)
{
    if (request->workload_count == 0)
        for (const struct workload *workload = workloads; workload->name != NULL; workload++)
            request->workloads[request->workload_count++] = workload;
    if (request->contestant_count == 0)
        for (unsigned i = 0; targets[i] != NULL; i++)
            request->contestants[request->contestant_count++].ops = targets[i];
}

static bool
set_option(struct request *request, int option, char *value)
{
    switch (option) {
    case 's': request->sessions = (uint32_t)strtoul(value, NULL, 10); return true;
    case 'b': request->bytes = (uint32_t)strtoul(value, NULL, 10); return true;
    case 'p': request->exponent = strtod(value, NULL); return true;
    case 'w': return set_workers(request, value);
    case 't': request->is_threads = true; return true;
    case 'r': request->rounds = (unsigned)strtoul(value, NULL, 10); return true;
    case 'm': request->round_ns = strtoull(value, NULL, 10) * 1000000; return true;
    case 'o': request->operations = strtoull(value, NULL, 10); return true;
    case 'R': request->per_second = strtoull(value, NULL, 10); return true;
    case 'W': return add_workload(request, value);
    case 'T': return add_target(request, value);
    case 'M': request->memory = value; return true;
    case 'D': request->disk = value; return true;
    case 'j': request->json = value; return true;
    default: fputs(usage, stderr); return false;
    }
}

static bool
read_arguments(struct request *request, int argc, char **argv)
{
    static const struct option options[] = {
        {"sessions", required_argument, NULL, 's'}, {"bytes", required_argument, NULL, 'b'},
        {"popularity", required_argument, NULL, 'p'}, {"workers", required_argument, NULL, 'w'},
        {"threads", no_argument, NULL, 't'}, {"rounds", required_argument, NULL, 'r'},
        {"milliseconds", required_argument, NULL, 'm'}, {"rate", required_argument, NULL, 'R'},
        {"operations", required_argument, NULL, 'o'},
        {"workload", required_argument, NULL, 'W'}, {"target", required_argument, NULL, 'T'},
        {"memory", required_argument, NULL, 'M'}, {"disk", required_argument, NULL, 'D'},
        {"json", required_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!set_option(request, option, optarg))
            return false;
    take_all(request);
    if (request->sessions == 0 || request->bytes < 256 || request->rounds == 0 ||
        request->rounds > MEASURE_ROUNDS_MAX || optind != argc)
        return fail("arguments", "sessions from 1, bytes from 256, rounds from 1 to 101 on");
    return true;
}

/* ---- opening and filling ---- */

static bool
make_folder(const char *above, char path_out[static 80])
{
    snprintf(path_out, 80, "%s/sf-bench-XXXXXX", above);
    return mkdtemp(path_out) != NULL || fail(path_out, "cannot be made");
}

struct folders {
    char memory[80], disk[80];
};

static bool
fill(const struct request *request, struct contestant *contestant)
{
    struct target_worker *worker = contestant->ops->attach(contestant->target);
    bool is_well =
        worker != NULL && contestant->ops->fill(worker, 0, request->sessions);

    if (worker != NULL)
        contestant->ops->detach(worker);
    return is_well || fail(contestant->ops->name, "cannot be filled");
}

static bool
open_one(const struct request *request, struct contestant *contestant, struct folders *folders)
{
    struct target_plan plan = {.sessions = request->sessions,
                               .bytes = request->bytes,
                               .workers = WORKERS_MAX,
                               .memory = folders->memory,
                               .disk = folders->disk};

    if (!make_folder(request->memory, folders->memory) ||
        !make_folder(request->disk, folders->disk))
        return false;
    contestant->is_missing =
        !contestant->ops->open(&contestant->target, &plan, &contestant->why);
    return contestant->is_missing || fill(request, contestant);
}

static void
remove_folder(const char *path)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "sessions.db", "sessions.db-wal",
                                        "sessions.db-shm", "socket", "shmcb", "mutex"};
    char file[120];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(file, sizeof file, "%s/%s", path, names[i]);
        unlink(file);
    }
    rmdir(path);
}

/* ---- checking ---- */

/* Every change that was acknowledged is there, once. */
static bool
counters_add_up(const struct request *request, struct contestant *contestant)
{
    uint64_t sum = 0;
    struct target_worker *worker = contestant->ops->attach(contestant->target);

    if (worker == NULL)
        return fail(contestant->ops->name, "cannot be attached to any more");
    for (uint32_t session = 0; session < request->sessions; session++) {
        int64_t n = 0;
        contestant->ops->field(worker, session, &n);
        sum += (uint64_t)n;
    }
    contestant->ops->detach(worker);
    if (sum == contestant->changes)
        return true;
    fprintf(stderr, "bench_cache: %s: the counters add up to %llu, %llu changes were acknowledged\n",
            contestant->ops->name, (unsigned long long)sum, (unsigned long long)contestant->changes);
    return false;
}

/* Nothing protects the limit's counter, and a cache that loses sessions loses their counters too. */
static bool
is_right(const struct request *request, struct contestant *contestant)
{
    if (contestant->is_missing)
        return true;
    if (contestant->wrong > 0)
        return fail(contestant->ops->name, "wrong answers");
    if (!contestant->ops->counts_exactly || contestant->lost > 0 || contestant->changes == 0)
        return true;
    return counters_add_up(request, contestant);
}

/* ---- running ---- */

static uint32_t *
draw_sequence(const struct request *request)
{
    struct sf_popularity *popularity;
    struct sf_draw draw;
    uint32_t *sequence = calloc(SEQUENCE, sizeof *sequence);

    if (sequence == NULL ||
        sf_popularity_new(&popularity, request->sessions, request->exponent) != SF_OK)
        return NULL;
    sf_draw_init(&draw, 1);
    for (uint32_t i = 0; i < SEQUENCE; i++)
        sequence[i] = sf_popularity_session(popularity, &draw);
    sf_popularity_free(popularity);
    return sequence;
}

static bool
measure_all(struct request *request, const struct occasion *occasion, const uint32_t *sequence)
{
    struct finding *findings = calloc(TARGETS_MAX, sizeof *findings);
    bool is_well = findings != NULL;

    for (unsigned i = 0; i < request->workload_count && is_well; i++)
        for (unsigned k = 0; k < request->worker_counts_count && is_well; k++) {
            const struct cell cell = {
                .workload = request->workloads[i],
                .workers = request->worker_counts[k],
                .is_threads = request->is_threads,
                .per_second = request->per_second,
                .rounds = request->rounds,
                .round_ns = request->round_ns,
                .operations = request->operations,
                .sequence = sequence,
                .sequence_count = SEQUENCE,
            };
            is_well = measure_cell(&cell, request->contestants, request->contestant_count, findings) ||
                      fail(cell.workload->name, "a worker failed");
            if (is_well)
                report_cell(occasion, &cell, request->contestants, request->contestant_count,
                            findings);
        }
    free(findings);
    return is_well;
}

static bool
run(struct request *request, struct folders *folders)
{
    char popularity[32] = "uniform";
    struct occasion occasion = {.sessions = request->sessions, .bytes = request->bytes,
                                .popularity = popularity};
    uint32_t *sequence = draw_sequence(request);
    bool is_well = sequence != NULL || fail("drawing sessions", "no memory");

    if (request->exponent > 0)
        snprintf(popularity, sizeof popularity, "zipf %.2f", request->exponent);
    if (request->json != NULL && (occasion.json = fopen(request->json, "a")) == NULL)
        is_well = fail(request->json, "cannot be written");
    for (unsigned i = 0; i < request->contestant_count && is_well; i++)
        is_well = open_one(request, &request->contestants[i], &folders[i]);
    is_well = is_well && measure_all(request, &occasion, sequence);
    for (unsigned i = 0; i < request->contestant_count && is_well; i++)
        is_well = is_right(request, &request->contestants[i]);
    if (occasion.json != NULL)
        fclose(occasion.json);
    free(sequence);
    return is_well;
}

int
main(int argc, char **argv)
{
    static struct request request = {
        .sessions = 100000,
        .bytes = 1024,
        .exponent = 0.99,
        .worker_counts = {1, 2},
        .worker_counts_count = 2,
        .rounds = 5,
        .round_ns = 300000000,
        .memory = "/dev/shm",
        .disk = ".",
    };
    static struct folders folders[TARGETS_MAX];

    if (!read_arguments(&request, argc, argv))
        return 2;
    bool is_well = run(&request, folders);
    for (unsigned i = 0; i < request.contestant_count; i++) {
        struct contestant *contestant = &request.contestants[i];
        if (contestant->target != NULL && !contestant->is_missing)
            contestant->ops->close(contestant->target);
        remove_folder(folders[i].memory);
        remove_folder(folders[i].disk);
    }
    return is_well ? EXIT_SUCCESS : EXIT_FAILURE;
}
