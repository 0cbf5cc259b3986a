/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/migrate_case.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE (10 * SF_SECOND)
#define STEPS_MAX 10000
#define HOSTS 2

struct kept {
    struct sf_store *store;
    struct sf_store *data;   /* that store, or the copy that it has gone back to */
    struct sf_store *copy;
    const struct sf_store_ops *own;
    struct sf_store_ops ops; /* of its own, but for what is answered instead */
    _Atomic enum sf_status answers[SIDE_CALLS];
    _Atomic unsigned calls[SIDE_CALLS];
    _Atomic sf_time patience[SIDE_CALLS];
    enum sf_status (*during[SIDE_CALLS])(void);
    _Atomic uint64_t incarnation;
};

struct sf_temp_folder migrate_folder;
struct sf_migrate *migrate;
struct sf_store *migrate_store;
struct sf_error migrate_warning, migrate_error;
uint64_t migrate_host, migrate_former, migrate_now;

static struct kept kept[SIDES];
static struct {
    struct sf_temp_folder folder;
    struct sf_migrate *migrate;
    struct sf_store *store;
} hosts[HOSTS];
static unsigned chosen;
static sf_time now; /* steady; runs ahead of the clock, so that no test waits */

static struct kept *
kept_of(const struct sf_store *store)
{
    return store == kept[OLD].store ? &kept[OLD] : &kept[NEW];
}

/* As of the daemon: whoever is inside a store calls no other. */
struct errand {
    enum sf_status (*run)(void);
    enum sf_status status;
};

static void *
do_errand(void *context)
{
    struct errand *errand = context;
    errand->status = errand->run();
    return NULL;
}

static void
run_in_thread(enum sf_status (*run)(void))
{
    struct errand errand = {.run = run};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, do_errand, &errand), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(errand.status, SF_OK);
}

static enum sf_status
answer_of(struct sf_store *store, enum side_call call, sf_time deadline)
{
    struct kept *one = kept_of(store);
    enum sf_status (*during)(void) = one->during[call];
    one->calls[call]++;
    one->patience[call] = deadline - sf_clock_steady();
    one->during[call] = NULL;
    if (during != NULL)
        run_in_thread(during);
    return one->answers[call];
}

static enum sf_status
attach(struct sf_store *store, sf_time deadline, struct sf_error *error)
{
    enum sf_status answer = answer_of(store, SIDE_ATTACH, deadline);
    if (answer != SF_OK)
        return sf_error_set(error, answer, "it does not attach");
    return kept_of(store)->own->attach(store, deadline, error);
}

static void
load(struct sf_store *store, struct sf_load *loads, size_t count, sf_time deadline)
{
    enum sf_status answer = answer_of(store, SIDE_LOAD, deadline);
    if (answer == SF_OK)
        kept_of(store)->own->load(kept_of(store)->data, loads, count, deadline);
    else
        sf_store_answer_loads(loads, count, answer);
}

/* UNCERTAIN: it is done, and nobody hears of it. */
static enum sf_status
write_all(struct sf_store *store, struct sf_write *writes, size_t count, sf_time deadline)
{
    enum sf_status answer = answer_of(store, SIDE_WRITE, deadline);
    if (answer == SF_OK || answer == SF_UNCERTAIN)
        (void)!kept_of(store)->own->write(kept_of(store)->data, writes, count, deadline);
    for (size_t i = 0; i < count; i++)
        if (answer != SF_OK)
            writes[i].status = answer;
    return sf_store_worst(writes, count);
}

static enum sf_status
scan(struct sf_store *store, const struct sf_key *after, struct sf_span user, size_t limit, sf_time deadline,
     sf_store_visit_fn *visit, void *context)
{
    struct kept *one = kept_of(store);
    enum sf_status answer = answer_of(store, SIDE_SCAN, deadline);
    return answer == SF_OK ? one->own->scan(one->data, after, user, limit, deadline, visit, context) : answer;
}

static uint64_t
incarnation(struct sf_store *store)
{
    return kept_of(store)->incarnation;
}

void
migrate_restart(enum side side)
{
    kept[side].incarnation++;
}

static bool
copy_row(void *context, const struct sf_key *key, const struct sf_stored *stored)
{
    struct sf_store *copy = context;
    struct sf_record_head head;
    struct sf_span record = sf_buffer_span(&stored->record);
    ck_assert_int_eq(sf_record_head(&head, record), SF_OK);
    struct sf_write write = {.kind = SF_WRITE_PUT, .key = *key, .version = head.version,
                             .last_access = stored->last_access, .record = record};
    ck_assert_int_eq(copy->ops->write(copy, &write, 1, sf_clock_steady() + PATIENCE), SF_OK);
    return true;
}

void
migrate_back_up(enum side side)
{
    struct kept *one = &kept[side];
    struct sf_error error;
    ck_assert_int_eq(sf_store_open(&one->copy, "memory:copy", migrate_folder.path, &error), SF_OK);
    sf_time soon = sf_clock_steady() + PATIENCE;
    ck_assert_int_eq(one->own->scan(one->data, NULL, sf_span_text(NULL), STEPS_MAX, soon, copy_row, one->copy), SF_OK);
}

void
migrate_go_back(enum side side)
{
    kept[side].data = kept[side].copy;
}

static void
stay_open(struct sf_store *store)
{
    (void)store;
}

static void
keep(struct kept *one, const char *url)
{
    struct sf_error error;
    ck_assert_msg(sf_store_open(&one->store, url, migrate_folder.path, &error) == SF_OK, "%s", error.text);
    one->data = one->store;
    one->own = one->store->ops;
    one->ops = *one->own;
    one->ops.attach = attach;
    one->ops.load = load;
    one->ops.write = write_all;
    one->ops.scan = scan;
    one->ops.incarnation = incarnation;
    one->incarnation = 1000;
    one->ops.close = stay_open;
    one->store->ops = &one->ops;
}

static enum sf_status
open_kept(void *context, struct sf_store **store_out, const char *url, const char *state, struct sf_error *error)
{
    (void)context;
    if (strcmp(url, OLD_URL) != 0 && strcmp(url, NEW_URL) != 0)
        return sf_store_open(store_out, url, state, error);
    *store_out = kept[strcmp(url, OLD_URL) == 0 ? OLD : NEW].store;
    return SF_OK;
}

static void
note_exchange(void *context, uint64_t former, uint64_t new_one)
{
    (void)context;
    migrate_former = former;
    migrate_now = new_one;
}

void
migrate_set_up(void)
{
    memset(hosts, 0, sizeof hosts);
    for (unsigned i = 0; i < HOSTS; i++)
        sf_temp_folder_init(&hosts[i].folder);
    migrate_folder = hosts[0].folder;
    chosen = 0;
    migrate_host = migrate_former = migrate_now = 0;
    memset(kept, 0, sizeof kept);
    keep(&kept[OLD], OLD_URL);
    keep(&kept[NEW], NEW_URL);
    now = sf_clock_steady();
    ck_assert_int_eq(migrate_open(OLD_URL, ""), SF_OK);
}

void
migrate_tear_down(void)
{
    for (unsigned i = 0; i < HOSTS; i++) {
        migrate_choose(i);
        migrate_close();
    }
    for (int i = 0; i < SIDES; i++) {
        sf_store_close(kept[i].copy);
        kept[i].own->close(kept[i].store);
    }
    for (unsigned i = 0; i < HOSTS; i++)
        sf_temp_folder_fini(&hosts[i].folder);
}

void
migrate_choose(unsigned host)
{
    hosts[chosen].migrate = migrate;
    hosts[chosen].store = migrate_store;
    chosen = host;
    migrate = hosts[host].migrate;
    migrate_store = hosts[host].store;
    migrate_folder = hosts[host].folder;
}

enum sf_status
migrate_open(const char *store_url, const char *wanted)
{
    const struct sf_migrate_options options = {
        .store_url = store_url, .wanted = wanted, .state = migrate_folder.path, .open_store = open_kept,
        .exchanged = note_exchange};
    migrate_close();
    enum sf_status status = sf_migrate_open(&migrate, &options, &migrate_warning, &migrate_error);
    if (status != SF_OK)
        return status;
    migrate_store = sf_migrate_store(migrate);
    if (migrate_host != 0)
        sf_migrate_share(migrate, migrate_host);
    return migrate_store->ops->attach(migrate_store, sf_clock_steady() + PATIENCE, &migrate_error);
}

void
migrate_close(void)
{
    if (migrate != NULL)
        sf_store_close(sf_migrate_store(migrate));
    migrate = NULL;
}

/* What an orderly end would write is put aside. */
static void
copy_file(const char *from, const char *to)
{
    char command[512];
    snprintf(command, sizeof command, "cd %s && rm -f %s && ! [ -e %s ] || cp %s %s", migrate_folder.path, to, from,
             from, to);
    ck_assert_int_eq(system(command), 0); /* NOLINT(concurrency-mt-unsafe) */
}

void
migrate_kill(void)
{
    copy_file("migration", "kept-migration");
    copy_file("migration-owed", "kept-owed");
    migrate_close();
    copy_file("kept-migration", "migration");
    copy_file("kept-owed", "migration-owed");
}

void
migrate_reboot(void)
{
    migrate_kill();
    int file = open(sf_temp_folder_path(&migrate_folder, "migration-owed"), O_WRONLY);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(pwrite(file, "another boot", 12, 9), 12);
    close(file);
}

struct sf_store *
migrate_side(enum side side)
{
    return kept[side].store;
}

void
migrate_answer(enum side side, enum side_call call, enum sf_status status)
{
    kept[side].answers[call] = status;
}

unsigned
migrate_calls(enum side side, enum side_call call)
{
    return atomic_exchange(&kept[side].calls[call], 0);
}

sf_time
migrate_patience(enum side side, enum side_call call)
{
    return kept[side].patience[call];
}

void
migrate_during(enum side side, enum side_call call, enum sf_status (*run)(void))
{
    kept[side].during[call] = run;
}

static enum sf_status
write_one(struct sf_store *store, struct sf_write write)
{
    enum sf_status status = store->ops->write(store, &write, 1, sf_clock_steady() + PATIENCE);
    ck_assert_int_eq(status, write.status);
    return status;
}

enum sf_status
migrate_put(struct sf_store *store, unsigned number, uint64_t version)
{
    struct sf_buffer record = sf_test_record(version, "alice", sf_span_text("some value"));
    enum sf_status status = write_one(store, sf_test_put(number, version, &record));
    sf_buffer_fini(&record);
    return status;
}

enum sf_status
migrate_end(struct sf_store *store, unsigned number, uint64_t version)
{
    struct sf_buffer record = sf_test_tombstone(version, sf_clock_wall() + SF_HOUR);
    enum sf_status status = write_one(store, sf_test_put(number, version, &record));
    sf_buffer_fini(&record);
    return status;
}

static enum sf_status
load_version(struct sf_store *store, unsigned number, uint64_t *version_out)
{
    struct sf_key key = sf_test_key(number);
    struct sf_stored stored;
    struct sf_record_head head = {.version = 0};
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    enum sf_status status = sf_store_load_one(store, &key, sf_clock_steady() + PATIENCE, &stored);
    if (status == SF_OK)
        ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&stored.record)), SF_OK);
    sf_buffer_fini(&stored.record);
    *version_out = head.version;
    return status;
}

uint64_t
migrate_version(struct sf_store *store, unsigned number)
{
    uint64_t version;
    enum sf_status status = load_version(store, number, &version);
    ck_assert_msg(status == SF_OK || status == SF_NOT_FOUND, "%s", sf_status_name(status));
    return version;
}

void
migrate_fill(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        ck_assert_int_eq(migrate_put(migrate_store, i, 1), SF_OK);
}

void
migrate_assert_refused(enum sf_status status, const char *why)
{
    ck_assert_int_eq(status, SF_INVALID);
    ck_assert_msg(strstr(migrate_error.text, why) != NULL, "%s", migrate_error.text);
}

void
migrate_assert_both(unsigned number, uint64_t version)
{
    ck_assert_uint_eq(migrate_version(migrate_side(OLD), number), version);
    ck_assert_uint_eq(migrate_version(migrate_side(NEW), number), version);
}

static bool
count_row(void *context, const struct sf_key *key, const struct sf_stored *stored)
{
    (void)key;
    (void)stored;
    ++*(unsigned *)context;
    return true;
}

unsigned
migrate_count(struct sf_store *store)
{
    unsigned rows = 0;
    sf_time soon = sf_clock_steady() + PATIENCE;
    ck_assert_int_eq(store->ops->scan(store, NULL, sf_span_text(NULL), STEPS_MAX, soon, count_row, &rows), SF_OK);
    return rows;
}

enum sf_status
migrate_load(unsigned number)
{
    uint64_t version;
    return load_version(migrate_store, number, &version);
}

void
migrate_begin(int percent)
{
    ck_assert_msg(sf_migrate_start(migrate, NEW_URL, percent, sf_clock_steady() + PATIENCE, &migrate_error) == SF_OK,
                  "%s", migrate_error.text);
}

void
migrate_step(unsigned steps)
{
    while (steps-- > 0) {
        sf_time next = sf_migrate_step(migrate, now);
        now = next > now ? next : now + 1;
    }
}

void
migrate_pass_time(sf_time time)
{
    now += time;
}

void
migrate_work_off(void)
{
    for (int steps = 0; steps < STEPS_MAX; steps++) {
        struct sf_migrate_report report = migrate_look();
        if (!report.is_copying && !report.is_comparing && report.owed == 0)
            return;
        migrate_step(1);
    }
    ck_abort_msg("it goes on for ever");
}

void
migrate_verify(int percent)
{
    migrate_begin(percent);
    migrate_work_off();
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_VERIFIED);
}

struct sf_migrate_report
migrate_look(void)
{
    struct sf_migrate_report report;
    sf_migrate_report(migrate, &report);
    return report;
}
