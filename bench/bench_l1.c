/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the shared-memory cache costs: whole-record reads and one-field changes, by one process and
 * by two, beside a bare memcpy from a perfect index: an array, in shared memory too. Keys are asked
 * for as a web site's sessions are: a few often, most rarely (zipf 0.99).
 *
 * All operations take turns, in slices of some milliseconds, and what is reported is the median
 * slice, in time of the processor: so other work on the machine falls on all of them alike, and the
 * ratios mean something. JSON lines on standard output, a table on standard error. Arguments:
 * sessions, bytes of a record, rounds.
 */
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cache/l1.h"

#define SEQUENCE                                                                                   \
    (1u << 20) /* keys drawn in advance: drawing them costs more than looking them up */
#define BATCH 64            /* operations between two looks at the clock */
#define SLICE_NS 30000000u
#define PROCESSES_MAX 2
#define ROUNDS_MAX 1000
#define NOW ((sf_time)1700000000000)

struct bench {
    struct sf_instance instance;
    struct sf_l1 *l1;
    struct sf_key *keys;
    uint32_t *sequence;
    struct sf_key *wanted; /* keys in that order: a request brings its own */
    unsigned char *array; /* of bare records, for memcpy */
    uint32_t sessions;
    uint32_t record_bytes;
    uint32_t rounds;
    uint32_t at;          /* in the sequence */
    struct sf_buffer record;
    struct sf_ops ops;
    volatile unsigned char sink;
};

typedef bool operate_fn(struct bench *bench, uint32_t at);

static void
must(bool is_true, const char *what)
{
    if (is_true)
        return;
    fprintf(stderr, "bench_l1: %s\n", what);
    exit(EXIT_FAILURE);
}

/* ---- what is measured ---- */

static bool
copy_bare(struct bench *bench, uint32_t at)
{
    uint32_t session = bench->sequence[at];
    const unsigned char *from = bench->array + (size_t)session * bench->record_bytes;

    memcpy(bench->record.data, from, bench->record_bytes);
    bench->sink = bench->record.data[session % bench->record_bytes];
    return true;
}

static bool
get(struct bench *bench, uint32_t at)
{
    struct sf_l1_view view;

    return sf_l1_get(bench->l1, &bench->wanted[at], &bench->record, &view) == SF_OK;
}

static bool
get_field(struct bench *bench, uint32_t at)
{
    struct sf_l1_field field;

    return sf_l1_get_field(bench->l1, &bench->wanted[at], sf_span_text("n"), NULL, 0, &field) ==
           SF_OK;
}

static bool
increment(struct bench *bench, uint32_t at)
{
    struct sf_l1_applied applied;
    const struct sf_l1_change change = {
        .ops = &bench->ops, .now = NOW + 1000, .max_bytes = 65536, .tombstone_lifetime = SF_HOUR};

    return sf_l1_apply(bench->l1, &bench->wanted[at], &change, NULL, &applied) == SF_OK;
}

/* ---- measuring ---- */

static const struct {
    const char *name;
    operate_fn *operate;
} operations[] = {
    {"memcpy", copy_bare},
    {"get", get},
    {"get field", get_field},
    {"apply increment", increment},
};

#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

/* In shared memory: what the children found, and where they wait for each other. */
struct results {
    _Atomic uint32_t arrived;
    _Atomic uint64_t failures[OPERATIONS];
    double ns[PROCESSES_MAX][OPERATIONS][ROUNDS_MAX];
};

static uint64_t
processor_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Nanoseconds an operation. */
static double
run_slice(struct bench *bench, size_t operation, _Atomic uint64_t *failures)
{
    uint64_t begin = processor_ns(), end, done = 0, failed = 0;

    do {
        for (int i = 0; i < BATCH; i++, done++)
            failed += !operations[operation].operate(bench, bench->at++ % SEQUENCE);
        end = processor_ns();
    } while (end - begin < SLICE_NS);
    atomic_fetch_add(failures, failed);
    return (double)(end - begin) / (double)done;
}

/* All processes do the same at the same time. */
static void
meet(struct results *results, uint32_t processes, uint32_t meeting)
{
    atomic_fetch_add(&results->arrived, 1);
    while (atomic_load(&results->arrived) < processes * (meeting + 1))
        sched_yield();
}

static void
run_child(struct bench *bench, struct results *results, uint32_t processes, uint32_t process)
{
    uint32_t meeting = 0;

    must(sf_l1_attach(&bench->l1, &bench->instance, SF_L1_READ_WRITE, NULL) == SF_OK, "attach");
    bench->at = process * (SEQUENCE / PROCESSES_MAX);
    for (uint32_t round = 0; round < bench->rounds; round++) {
        for (size_t i = 0; i < OPERATIONS; i++) {
            meet(results, processes, meeting++);
            results->ns[process][i][round] = run_slice(bench, i, &results->failures[i]);
        }
    }
    sf_l1_close(bench->l1);
    _exit(EXIT_SUCCESS);
}

static int
compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* Of the slices of all processes. */
static double
median(const struct bench *bench, struct results *results, uint32_t processes, size_t operation)
{
    double all[PROCESSES_MAX * ROUNDS_MAX];
    size_t count = 0;

    for (uint32_t process = 0; process < processes; process++) {
        for (uint32_t round = 0; round < bench->rounds; round++)
            all[count++] = results->ns[process][operation][round];
    }
    qsort(all, count, sizeof(all[0]), compare);
    return all[count / 2];
}

static void
report(const struct bench *bench, struct results *results, uint32_t processes)
{
    double bare = median(bench, results, processes, 0);

    for (size_t i = 0; i < OPERATIONS; i++) {
        double ns = median(bench, results, processes, i);
        unsigned long long failures = atomic_load(&results->failures[i]);

        printf("{\"bench\":\"l1\",\"operation\":\"%s\",\"processes\":%u,\"sessions\":%u,"
               "\"record_bytes\":%u,\"ns_per_operation\":%.1f,\"operations_per_second\":%.0f,"
               "\"times_memcpy\":%.2f,\"failures\":%llu}\n",
               operations[i].name, processes, bench->sessions, bench->record_bytes, ns,
               processes * 1e9 / ns, ns / bare, failures);
        fprintf(stderr, "%-18s %10u %12.1f %16.0f %10.2f %10llu\n", operations[i].name, processes,
                ns, processes * 1e9 / ns, ns / bare, failures);
    }
    fflush(stdout);
}

static void
measure(struct bench *bench, uint32_t processes)
{
    struct results *results =
        mmap(NULL, sizeof(*results), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    must(results != MAP_FAILED, "no memory");
    for (uint32_t i = 0; i < processes; i++) {
        if (fork() == 0)
            run_child(bench, results, processes, i);
    }
    while (wait(NULL) > 0)
        ;
    report(bench, results, processes);
    munmap(results, sizeof(*results));
}

/* ---- preparing ---- */

static void
draw_sequence(struct bench *bench)
{
    double *sums = malloc(sizeof(*sums) * bench->sessions);
    double sum = 0;

    must(sums != NULL, "no memory");
    for (uint32_t i = 0; i < bench->sessions; i++)
        sums[i] = sum += 1 / pow(i + 1.0, 0.99);
    srandom(1);
    for (uint32_t i = 0; i < SEQUENCE; i++) {
        double wanted = (double)random() / RAND_MAX * sum;
        uint32_t low = 0, high = bench->sessions - 1;

        while (low < high) {
            uint32_t middle = (low + high) / 2;
            if (sums[middle] < wanted)
                low = middle + 1;
            else
                high = middle;
        }
        /* Popular sessions do not lie side by side. */
        bench->sequence[i] = (uint32_t)((uint64_t)low * 2654435761u % bench->sessions);
        bench->wanted[i] = bench->keys[bench->sequence[i]];
    }
    free(sums);
}

static void
build_record(struct bench *bench)
{
    static char text[65536];
    struct sf_field fields[] = {
        {sf_span_text("n"), {.type = SF_VALUE_INTEGER, .integer = 1}},
        {sf_span_text("text"), {.type = SF_VALUE_STRING}},
    };
    struct sf_record_head head = {.kind = SF_RECORD_SESSION,
                                  .version = 1,
                                  .created = NOW,
                                  .last_access = NOW,
                                  .field_count = 2};

    memset(text, 'x', sizeof(text));
    for (size_t size = 1;; size++) { /* until the record has the size that was asked for */
        fields[1].value.bytes = sf_span_of(text, size);
        sf_buffer_clear(&bench->record);
        must(sf_record_encode(&bench->record, &head, fields, SF_RECORD_BYTES_MAX) == SF_OK,
             "encode");
        if (bench->record.size >= bench->record_bytes || size == sizeof(text))
            break;
    }
    bench->record_bytes = (uint32_t)bench->record.size;
}

static void
fill(struct bench *bench)
{
    struct sf_buffer copy;
    struct sf_l1_view view;

    sf_buffer_init(&copy, SF_RECORD_BYTES_MAX);
    for (uint32_t i = 0; i < bench->sessions; i++) {
        enum sf_status status = SF_CONFLICT;
        uint64_t words[2] = {(i + 1) * 0x9E3779B97F4A7C15u, i};

        memcpy(bench->keys[i].bytes, words, sizeof(words));
        memcpy(bench->array + (size_t)i * bench->record_bytes, bench->record.data,
               bench->record_bytes);
        while (status == SF_CONFLICT &&
               sf_l1_get(bench->l1, &bench->keys[i], &copy, &view) != SF_OK)
            status = sf_l1_fill(bench->l1, &bench->keys[i], sf_buffer_span(&bench->record), NOW,
                                &view.vacancy);
        must(status == SF_OK, "the cache is too small");
    }
    sf_buffer_fini(&copy);
}

static void
prepare(struct bench *bench, const char *folder)
{
    struct sf_l1_made made;
    struct sf_error error = {.status = SF_OK};
    uint64_t bytes = (uint64_t)bench->sessions * (bench->record_bytes + 400) * 5 / 4 + (32u << 20);

    snprintf(bench->instance.cache_path, sizeof(bench->instance.cache_path), "%s/l1.cache", folder);
    snprintf(bench->instance.cache_lock_path, sizeof(bench->instance.cache_lock_path), "%s/l1.lock",
             folder);
    sf_buffer_init(&bench->record, SF_RECORD_BYTES_MAX);
    build_record(bench);
    bench->keys = calloc(bench->sessions, sizeof(*bench->keys));
    bench->sequence = calloc(SEQUENCE, sizeof(*bench->sequence));
    bench->array = mmap(NULL, (size_t)bench->sessions * bench->record_bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bench->wanted = calloc(SEQUENCE, sizeof(*bench->wanted));
    must(bench->keys != NULL && bench->sequence != NULL && bench->wanted != NULL &&
             bench->array != MAP_FAILED, "no memory");
    must(sf_l1_create(&bench->instance, bytes, &made, &error) == SF_OK, error.text);
    must(sf_l1_attach(&bench->l1, &bench->instance, SF_L1_READ_WRITE, &error) == SF_OK, error.text);
    sf_ops_init(&bench->ops);
    must(sf_ops_add_increment(&bench->ops, sf_span_text("n"), 1) == SF_OK, "ops");
    fill(bench);
    draw_sequence(bench);
}

int
main(int count, char **words)
{
    char folder[] = "/dev/shm/session-fast-bench-XXXXXX"; /* where /run is, too: memory */
    struct bench bench = {
        .sessions = count > 1 ? (uint32_t)strtoul(words[1], NULL, 10) : 100000,
        .record_bytes = count > 2 ? (uint32_t)strtoul(words[2], NULL, 10) : 1024,
        .rounds = count > 3 ? (uint32_t)strtoul(words[3], NULL, 10) : 100,
    };

    must(bench.sessions > 0 && bench.rounds > 0 && bench.rounds <= ROUNDS_MAX, "what?");
    must( mkdtemp(folder) != NULL, "no folder in /dev/shm");
    prepare(&bench, folder);
    fprintf(stderr, "%-18s %10s %12s %16s %10s %10s\n", "operation", "processes", "ns", "per second",
            "x memcpy", "failures");
    for (uint32_t processes = 1; processes <= PROCESSES_MAX; processes++)
        measure(&bench, processes);
    sf_l1_close(bench.l1);
    unlink(bench.instance.cache_path);
    unlink(bench.instance.cache_lock_path);
    rmdir(folder);
    return EXIT_SUCCESS;
}
