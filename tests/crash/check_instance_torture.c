/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A whole instance at work: processes that read and write sessions as those of a web server do, and
 * session-fastd with an SQLite store, all of them killed and stopped at random moments and replaced.
 * The ledger is in memory that none of them knows. Arguments: seconds, seed.
 *
 * Behind each kill the cache is verified as it is, with the others at work. Every few seconds all die
 * at once, the daemon too: then the cache must be sound to the last block, and everything that was
 * acknowledged must be there; every third time the cache is lost with them, as when the power goes,
 * and what journal or store were said to have must be there. In the end the store has everything.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/store/store.h"
#include "tests/crash/actors.h"
#include "tests/crash/waits.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cache.h"

#define SECONDS 60
#define ROUND (5 * SF_SECOND)
#define CACHE_BYTES (1u << 20)
#define LOSES_CACHE 3         /* each third round */
#define PAUSE_MAX 3000000L    /* ns between two strikes */
#define STOP_MAX 40000000L    /* ns that somebody is stopped */
#define DAEMON_SHARE 40       /* one strike of so many is at the daemon */
#define CALM_SHARE 400        /* the same, every other round: so that it comes to its sweeps */
#define CALM_PAUSE 20000000L
#define LEAVE_MAX (30 * SF_SECOND)
#define DAEMON SF_ACTORS      /* the last of all */
#define ALL (SF_ACTORS + 1)

/* What all processes share. */
struct shared {
    struct sf_ledger ledger;
    struct sf_waits waits;
    _Atomic unsigned stops[ALL]; /* odd: he may be stopped */
};

struct torture {
    struct shared *shared;
    struct sf_temp_folder folder;
    struct sf_instance instance;
    struct sf_config config;
    char program[256], file[128], log[128]; /* of the daemon */
    pid_t processes[ALL];
    struct sf_l1 *l1; /* to look at; NULL: not attached */
    long kills, daemon_kills, stops, checks, rounds, losses;
    uint64_t counted[SF_COUNTER_COUNT];
};

static void
fail(struct torture *torture, const char *what, const char *text)
{
    struct sf_ledger *ledger = &torture->shared->ledger;

    if (atomic_fetch_add(&ledger->findings, 1) == 0)
        snprintf(ledger->finding, sizeof(ledger->finding), "%s: %s", what, text);
}

static bool
has_failed(const struct torture *torture)
{
    return atomic_load(&torture->shared->ledger.findings) > 0 ||
           atomic_load(&torture->shared->waits.findings) > 0;
}

/* ---- the instance ---- */

static void
write_config(const struct torture *torture)
{
    FILE *file = fopen(torture->file, "w");

    if (file == NULL)
        abort();
    fprintf(file,
            "SessionFastInstance %s\nSessionFastStore sqlite:sessions.db\nSessionFastCacheSize 1M\n"
            "SessionFastFlushDelay 50ms\nSessionFastSweepInterval 1s\nSessionFastCacheTTL 1s\n",
            torture->folder.path);
    if (fclose(file) != 0)
        abort();
}

static void
be_daemon(const struct torture *torture)
{
    const char *user = geteuid() == 0 ? "--user" : NULL;
    int log = open(torture->log, O_WRONLY | O_CREAT | O_APPEND, 0600);

    if (log < 0 || dup2(log, STDERR_FILENO) < 0)
        _exit(EXIT_FAILURE);
    (void)execl(torture->program, torture->program, "--config", torture->file, user, "root",
                (char *)NULL);
    _exit(EXIT_FAILURE);
}

static struct sf_actor
actor_of(const struct torture *torture, size_t role)
{
    return (struct sf_actor){
        .ledger = &torture->shared->ledger,
        .instance = torture->instance,
        .config = torture->config,
        .stops = &torture->shared->stops[role],
        .role = role,
        .seed = (unsigned)random(),
    };
}

static void
be_actor(const struct torture *torture, const struct sf_actor *actor)
{
    sf_waits_watch(&torture->shared->waits, actor->stops);
    sf_actor_play(actor);
    _exit(EXIT_SUCCESS);
}

static void
start(struct torture *torture, size_t role)
{
    struct sf_actor actor = actor_of(torture, role);
    pid_t process = fork();

    if (process == 0 && role == DAEMON)
        be_daemon(torture);
    if (process == 0)
        be_actor(torture, &actor);
    torture->processes[role] = process;
}

/* ---- strikes ---- */

static void
pause_up_to(long ns)
{
    nanosleep(&(struct timespec){.tv_nsec = random() % ns}, NULL);
}

/* Returns true when he lives on. */
static bool
stop_for_a_while(struct torture *torture, size_t role)
{
    bool lives_on = random() % 2 == 0;

    atomic_fetch_add(&torture->shared->stops[role], 1);
    kill(torture->processes[role], SIGSTOP);
    pause_up_to(random() % 8 == 0 ? STOP_MAX : PAUSE_MAX);
    kill(torture->processes[role], lives_on ? SIGCONT : SIGKILL);
    atomic_fetch_add(&torture->shared->stops[role], 1);
    torture->stops++;
    return lives_on;
}

/* Nobody ends but by our hand. */
static void
bury(struct torture *torture, size_t role)
{
    int status = 0;
    char text[80];

    kill(torture->processes[role], SIGKILL);
    (void)waitpid(torture->processes[role], &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        snprintf(text, sizeof(text), "process %zu, status %x", role, (unsigned)status);
        fail(torture, "ended by itself", text);
    }
    torture->kills++;
    torture->daemon_kills += role == DAEMON;
}

/* With everybody else at work. */
static void
check_cache(struct torture *torture)
{
    struct sf_error error = {.text = ""};

    if (torture->l1 != NULL && sf_l1_is_retired(torture->l1)) {
        sf_l1_close(torture->l1);
        torture->l1 = NULL;
    }
    if (torture->l1 == NULL &&
        sf_l1_attach(&torture->l1, &torture->instance, SF_L1_READ_ONLY, NULL) != SF_OK) {
        torture->l1 = NULL;
        return; /* it is being made */
    }
    torture->checks++;
    if (sf_l1_check(torture->l1, false, &error) != SF_OK)
        fail(torture, "the cache behind a kill", error.text);
}

static void
strike(struct torture *torture)
{
    long share = torture->rounds % 2 == 0 ? DAEMON_SHARE : CALM_SHARE;
    size_t role = random() % share == 0 ? DAEMON : (size_t)random() % SF_ACTORS;

    if (random() % 4 == 0 && stop_for_a_while(torture, role))
        return;
    bury(torture, role);
    start(torture, role);
    check_cache(torture);
}

/* ---- all are dead ---- */

/* The daemon has stood still for a while: what is left is for the next one. */
static void
kill_all(struct torture *torture)
{
    kill(torture->processes[DAEMON], SIGSTOP);
    pause_up_to(STOP_MAX);
    for (size_t role = 0; role < ALL; role++)
        kill(torture->processes[role], SIGKILL);
    for (size_t role = 0; role < ALL; role++)
        bury(torture, role);
}

static void
add_counters(struct torture *torture, const struct sf_l1 *l1)
{
    uint64_t counted[SF_COUNTER_COUNT];

    sf_l1_counters_sum(l1, counted);
    if (counted[SF_COUNTER_l1_bad] != 0)
        fail(torture, "the cache", "damaged blocks");
    for (int i = 0; i < SF_COUNTER_COUNT; i++)
        torture->counted[i] += counted[i];
}

static void
judge_cache(struct torture *torture, struct sf_l1 *l1)
{
    struct sf_error error = {.text = ""};

    (void)sf_test_repair_all(l1, sf_clock_wall());
    if (sf_test_repair_all(l1, sf_clock_wall()) != 0)
        fail(torture, "the cache", "a second pass of the sweeper still finds something");
    if (sf_l1_check(l1, true, &error) != SF_OK)
        fail(torture, "the cache", error.text);
}

static void
lose_cache(struct torture *torture, struct sf_l1 *l1)
{
    add_counters(torture, l1);
    if (unlink(torture->instance.cache_path) != 0)
        abort();
    torture->losses++;
}

/* Returns true when the cache is gone. */
static bool
judge_ruins(struct torture *torture)
{
    bool is_lost = torture->rounds % LOSES_CACHE == 0;
    struct sf_error error = {.text = ""};
    struct sf_l1_made made;
    struct sf_l1 *l1 = NULL;

    sf_l1_close(torture->l1);
    torture->l1 = NULL;
    if (sf_l1_create(&torture->instance, CACHE_BYTES, &made, &error) != SF_OK || made.is_new ||
        sf_l1_attach(&l1, &torture->instance, SF_L1_READ_WRITE, &error) != SF_OK) {
        fail(torture, "the cache is not as it was left", error.text);
        return false;
    }
    judge_cache(torture, l1);
    if (is_lost)
        lose_cache(torture, l1);
    sf_l1_close(l1);
    return is_lost;
}

typedef void task_fn(const struct sf_actor *actor, bool flag);

static void
begin(const struct sf_actor *actor, bool unused)
{
    (void)unused;
    sf_actor_begin(actor);
}

/* In a process of its own, which nobody strikes. */
static void
run_task(struct torture *torture, task_fn *task, bool flag)
{
    struct sf_actor actor = actor_of(torture, 0);
    int status = 0;
    pid_t process = fork();

    if (process == 0) {
        task(&actor, flag);
        _exit(EXIT_SUCCESS);
    }
    if (waitpid(process, &status, 0) != process || status != 0)
        fail(torture, "verifier", "has crashed");
}

static void
run_round(struct torture *torture, sf_time deadline)
{
    for (size_t role = 0; role < SF_ACTORS; role++)
        start(torture, role);
    while (sf_clock_steady() < deadline && !has_failed(torture)) {
        pause_up_to(torture->rounds % 2 != 0 ? CALM_PAUSE
                    : random() % 4 == 0      ? PAUSE_MAX
                                             : PAUSE_MAX / 20);
        strike(torture);
    }
    torture->rounds++;
    kill_all(torture);
    if (has_failed(torture))
        return;
    bool is_lost = judge_ruins(torture);
    start(torture, DAEMON);
    run_task(torture, sf_actor_verify, is_lost);
}

/* ---- the end ---- */

static void
stop_daemon(struct torture *torture)
{
    sf_time deadline = sf_clock_steady() + LEAVE_MAX;
    int status = -1;

    kill(torture->processes[DAEMON], SIGTERM);
    while (waitpid(torture->processes[DAEMON], &status, WNOHANG) == 0 &&
           sf_clock_steady() < deadline)
        usleep(10000);
    if (status != 0) {
        fail(torture, "the daemon", "does not leave in order");
        kill(torture->processes[DAEMON], SIGKILL);
    }
}

static uint64_t
stored_version(struct torture *torture, struct sf_store *store, const struct sf_key *key)
{
    struct sf_stored stored;
    struct sf_record_head head = {.version = 0};

    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    enum sf_status status =
        sf_store_load_one(store, key, sf_clock_steady() + LEAVE_MAX, &stored);
    if (status == SF_OK && sf_record_head(&head, sf_buffer_span(&stored.record)) != SF_OK)
        fail(torture, "the store", "a row is no record");
    sf_buffer_fini(&stored.record);
    return head.kind == SF_RECORD_SESSION ? head.version : 0;
}

static void
compare_stored(struct torture *torture, struct sf_store *store)
{
    struct sf_ledger *ledger = &torture->shared->ledger;

    for (size_t i = 0; i < SF_LEDGER_SHARED; i++) {
        uint64_t version = stored_version(torture, store, &ledger->shared[i].key);
        if (version != atomic_load(&ledger->shared[i].acknowledged))
            sf_ledger_report(ledger, &ledger->shared[i].key, "stored", version,
                             ledger->shared[i].acknowledged);
    }
    for (size_t i = 0; i < SF_LEDGER_OWNERS * SF_LEDGER_OWN; i++) {
        enum sf_ledger_doubt doubt;
        struct sf_ledger_state state =
            sf_ledger_state(&ledger->own[i / SF_LEDGER_OWN][i % SF_LEDGER_OWN], &doubt);
        if (state.version == 0)
            continue;
        uint64_t version = stored_version(torture, store, &state.key);
        if (version != state.version)
            sf_ledger_report(ledger, &state.key, "stored", version, state.version);
    }
}

/* The daemon has left in order, so the store has everything. */
static void
judge_store(struct torture *torture)
{
    struct sf_store *store;
    struct sf_error error = {.text = ""};

    if (sf_store_open(&store, "sqlite:sessions.db", torture->instance.state, &error) != SF_OK) {
        fail(torture, "the store", error.text);
        return;
    }
    if (store->ops->attach(store, sf_clock_steady() + LEAVE_MAX, &error) != SF_OK)
        fail(torture, "the store", error.text);
    else
        compare_stored(torture, store);
    sf_store_close(store);
}

static void
torture_for(struct torture *torture, long seconds)
{
    sf_time end = sf_clock_steady() + seconds * SF_SECOND;

    start(torture, DAEMON);
    run_task(torture, begin, false);
    while (sf_clock_steady() < end && !has_failed(torture)) {
        sf_time deadline = sf_clock_steady() + ROUND;
        run_round(torture, deadline < end ? deadline : end);
    }
    if (has_failed(torture)) {
        kill(torture->processes[DAEMON], SIGKILL);
        (void)waitpid(torture->processes[DAEMON], NULL, 0);
        return;
    }
    stop_daemon(torture);
    judge_store(torture);
    if (sf_l1_attach(&torture->l1, &torture->instance, SF_L1_READ_ONLY, NULL) == SF_OK) {
        add_counters(torture, torture->l1);
        sf_l1_close(torture->l1);
    }
}

/* ---- all of it ---- */

static bool
prepare(struct torture *torture)
{
    struct sf_error error = {.text = ""};
    const char *builddir = getenv("top_builddir");

    sf_temp_folder_init(&torture->folder);
    snprintf(torture->program, sizeof(torture->program), "%s/session-fastd",
             builddir != NULL ? builddir : ".");
    snprintf(torture->file, sizeof(torture->file), "%s/torture.conf", torture->folder.path);
    snprintf(torture->log, sizeof(torture->log), "%s/log", torture->folder.path);
    sf_config_init(&torture->config);
    torture->config.instance = torture->folder.path;
    torture->config.store_deadline = SF_SECOND;
    torture->config.rotate_grace = 10 * SF_MINUTE;
    write_config(torture);
    if (access(torture->program, X_OK) != 0 ||
        sf_instance_resolve(&torture->instance, &torture->config, &error) != SF_OK) {
        printf("FAIL cannot begin: %s %s\n", torture->program, error.text);
        return false;
    }
    return true;
}

static void
print_figures(const struct torture *torture)
{
    const struct sf_ledger *ledger = &torture->shared->ledger;

    printf("%ld kills, %ld of the daemon; %ld stops; the cache verified %ld times; all died %ld "
           "times, the cache with them %ld times\n",
           torture->kills, torture->daemon_kills, torture->stops, torture->checks, torture->rounds,
           torture->losses);
    printf("acknowledged: %llu changes in memory, %llu in the journal, %llu in the store; %llu "
           "sessions made, %llu rotated, %llu ended; %llu others; %llu reads; %llu without an answer\n",
           (unsigned long long)ledger->acknowledged[SF_DURABILITY_MEMORY],
           (unsigned long long)ledger->acknowledged[SF_DURABILITY_JOURNAL],
           (unsigned long long)ledger->acknowledged[SF_DURABILITY_STORE],
           (unsigned long long)ledger->created, (unsigned long long)ledger->rotated,
           (unsigned long long)ledger->ended, (unsigned long long)ledger->others,
           (unsigned long long)ledger->reads, (unsigned long long)ledger->unanswered);
    printf("%llu evictions, %llu slabs moved, %llu repairs, %llu loads, %llu rows stored, %llu "
           "swept\n",
           (unsigned long long)torture->counted[SF_COUNTER_l1_evictions],
           (unsigned long long)torture->counted[SF_COUNTER_l1_slabs_moved],
           (unsigned long long)torture->counted[SF_COUNTER_l1_repairs],
           (unsigned long long)torture->counted[SF_COUNTER_loads],
           (unsigned long long)torture->counted[SF_COUNTER_flushed_records],
           (unsigned long long)torture->counted[SF_COUNTER_swept]);
    sf_waits_print(&torture->shared->waits);
}

static void
show_log(const struct torture *torture)
{
    char line[400];
    FILE *log = fopen(torture->log, "r");

    if (log == NULL)
        return;
    printf("the daemon's last words:\n");
    (void)fseek(log, -4000, SEEK_END);
    while (fgets(line, sizeof(line), log) != NULL)
        fputs(line, stdout);
    fclose(log);
}

int
main(int count, char **words)
{
    static struct torture torture;
    long seconds = count > 1 ? strtol(words[1], NULL, 10) : SECONDS;
    unsigned seed = count > 2 ? (unsigned)strtoul(words[2], NULL, 10) : (unsigned)time(NULL);

    torture.shared = mmap(NULL, sizeof(*torture.shared), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool is_in_memory = sf_temp_folder_want_memory();
    if (torture.shared == MAP_FAILED || !prepare(&torture))
        return EXIT_FAILURE;
    printf("%ld s, seed %u%s\n", seconds, seed,
           is_in_memory ? "" : ", on a disk: whether anybody waits cannot be said");
    fflush(stdout);
    srandom(seed);
    torture_for(&torture, seconds);
    print_figures(&torture);
    if (torture.shared->ledger.findings > 0)
        printf("FAIL %u findings, the first: %s\n", torture.shared->ledger.findings,
               torture.shared->ledger.finding);
    if (torture.shared->waits.findings > 0)
        printf("FAIL %u calls have waited, the first: %s\n", torture.shared->waits.findings,
               torture.shared->waits.finding);
    if (has_failed(&torture))
        show_log(&torture);
    sf_temp_folder_fini(&torture.folder);
    return has_failed(&torture) ? EXIT_FAILURE : EXIT_SUCCESS;
}
