/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/loader_case.h"

#include <check.h>

#include "tests/support/test_records.h"

struct sf_test_cache cache;
struct daemon daemon_;
struct connection first, second;
enum sf_status answers[2];
uint64_t versions[2];
bool is_in_cache;
const struct sf_key *held_by_first;
int writer_retries, writer_urges;

void
writer_urge(struct writer *writer)
{
    ck_assert_ptr_eq(writer, &daemon_.writer);
    writer_urges++;
}

void
writer_retry(struct writer *writer)
{
    ck_assert_ptr_eq(writer, &daemon_.writer);
    writer_retries++;
}

void
connection_resume(struct connection *connection, const struct answer *answer)
{
    struct sf_record_head head = {.version = 0};
    answers[connection == &second] = answer->status;
    if (answer->status == SF_OK)
        ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&answer->stored->record)), SF_OK);
    versions[connection == &second] = head.version;
    is_in_cache = answer->is_in_cache;
    if (connection == &first && held_by_first != NULL) {
        ck_assert(loader_hold(&daemon_, held_by_first));
        held_by_first = NULL;
    }
}

void
set_up(void)
{
    struct sf_error error;
    sf_test_cache_init(&cache, SF_L1_BYTES_MIN);
    daemon_ = (struct daemon){.l1 = cache.l1, .writer.restore.l1 = cache.l1};
    const struct sf_journal_options options = {.folder = cache.folder.path, .bytes_max = UINT64_MAX};
    ck_assert_int_eq(sf_journal_open(&daemon_.journaler.journal, cache.l1, &options, NULL, &error), SF_OK);
    ck_assert_int_eq(sf_store_open(&daemon_.store, "memory:", "/nowhere", &error), SF_OK);
    daemon_.writer.restore.store = daemon_.store;
    ck_assert_int_eq(task_queue_init(&daemon_.loader.worker.queue, false), SF_OK);
    first = second = (struct connection){.daemon = &daemon_};
    answers[0] = answers[1] = SF_INVALID;
    writer_urges = 0;
}

void
tear_down(void)
{
    ck_assert_uint_eq(daemon_.loader.loads, 0);
    for (int half = 0; half < LEASE_HALVES; half++)
        ck_assert_uint_eq(atomic_load(&daemon_.follower.lease.open[half]), 0);
    task_queue_fini(&daemon_.loader.worker.queue);
    sf_journal_close(daemon_.journaler.journal);
    sf_store_close(daemon_.store);
    sf_test_cache_fini(&cache);
}

void
reopen_store(const char *url)
{
    sf_store_close(daemon_.store);
    ck_assert_int_eq(sf_store_open(&daemon_.store, url, "/nowhere", NULL), SF_OK);
    daemon_.writer.restore.store = daemon_.store;
}

/* As if its server had been restarted. */
static uint64_t
be_another(struct sf_store *store)
{
    (void)store;
    return 2;
}

void
restart_store(void)
{
    static struct sf_store_ops ops;
    ops = *daemon_.store->ops;
    ops.incarnation = be_another;
    daemon_.store->ops = &ops;
    sf_l1_set_store(cache.l1, 1);
}

struct task *
run_next(void)
{
    struct task *task = task_queue_pop(&daemon_.loader.worker.queue, 0);
    ck_assert_ptr_nonnull(task);
    task->run(task, &daemon_);
    return task;
}
void
create_now(const struct sf_key *key)
{
    struct sf_ops ops;
    struct sf_l1_applied applied;
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add_set(&ops, sf_span_text("n"), sf_span_text("1")), SF_OK);
    struct sf_l1_change change = sf_test_change(&ops, sf_clock_wall());
    change.may_create = true;
    change.new_key = key;
    ck_assert_int_eq(sf_l1_apply(cache.l1, NULL, &change, NULL, &applied), SF_OK);
    sf_ops_fini(&ops);
}

struct sf_key
fill_stale(void)
{
    sf_l1_set_ttl(cache.l1, 1);
    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "old"), SF_OK);
    return sf_test_cache_key(1);
}

void
load_once(const struct sf_key *key)
{
    ck_assert(loader_join(&daemon_, &first, key, false));
    struct task *task = run_next();
    task->finish(task, &daemon_);
}

void
store(const struct sf_key *key, uint64_t version, const char *text)
{
    struct sf_buffer record = sf_test_record(version, NULL, sf_span_text(text));
    struct sf_write write = sf_test_put(1, version, &record);
    write.key = *key;
    ck_assert_int_eq(daemon_.store->ops->write(daemon_.store, &write, 1, sf_clock_steady() + SF_SECOND), SF_OK);
    sf_buffer_fini(&record);
}

uint64_t
counted(enum sf_counter counter)
{
    return atomic_load(&sf_l1_counters(cache.l1)->values[counter]);
}

void
finish_next(void)
{
    struct task *task = run_next();
    task->finish(task, &daemon_);
}

bool
is_idle(void)
{
    return task_queue_pop(&daemon_.loader.worker.queue, 0) == NULL;
}

bool
is_trusted(uint64_t number)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_l1_view view;
    struct sf_buffer record;
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    sf_l1_lease(cache.l1, SF_HOUR, sf_clock_steady() + SF_HOUR);
    ck_assert_int_eq(sf_l1_get(cache.l1, &key, &record, &view), SF_OK);
    sf_buffer_fini(&record);
    return !sf_l1_is_stale(cache.l1, &key, &view);
}

void
wait_until_older_than_the_ttl(void)
{
    sf_time began = sf_clock_steady();
    while (sf_clock_steady() < began + 3)
        continue;
}
