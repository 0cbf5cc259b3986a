/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_store_hosts.c - what a store promises to several hosts that use it at once; each of them is
 * a thread with a store of its own. As check_store_contract.c, for the stores that STORE_URLS
 * names.
 */
#include "common/store/store.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_records.h"

#define PATIENCE (100 * SF_SECOND) /* SQLite gives no turn to who has waited longest */
#define STORES_MAX 16
#define HOSTS 4

static char known[4096];
static const char *urls[STORES_MAX];
static int stores; /* so many */

static struct sf_temp_folder folder;
static char url[1024];
static pthread_barrier_t all_there;

static sf_time
soon(void)
{
    return sf_clock_steady() + PATIENCE;
}

static void
find_urls(void)
{
    const char *given = getenv("STORE_URLS");
    snprintf(known, sizeof known, "%s", given != NULL ? given : "sqlite:hosts.db");
    char *rest = known;
    for (char *next; stores < STORES_MAX && (next = strsep(&rest, " ")) != NULL; stores++)
        urls[stores] = next;
}

static void
choose(int which)
{
    static int tests;
    const char *number = strstr(urls[which], "%n");
    if (number == NULL)
        snprintf(url, sizeof url, "%s", urls[which]);
    else
        snprintf(url, sizeof url, "%.*sh%d_%d%s", (int)(number - urls[which]), urls[which],
                 (int)getpid(), ++tests, number + 2);
}

static void
set_up(void)
{
    sf_temp_folder_init(&folder);
    ck_assert_int_eq(pthread_barrier_init(&all_there, NULL, HOSTS), 0);
}

static void
tear_down(void)
{
    pthread_barrier_destroy(&all_there);
    sf_temp_folder_fini(&folder);
}

/* ---- hosts ---- */

struct host {
    pthread_t thread;
    unsigned number;
    void (*work)(struct host *host);
    struct sf_store *store;
    struct sf_stored stored;
    char failure[300]; /* Check's assertions belong into the first thread */
    size_t count;
};

#define MUST(host, condition) must(host, condition, #condition, __LINE__)

static bool
must(struct host *host, bool is_true, const char *what, int line)
{
    struct sf_error error = {.status = SF_OK};
    if (is_true || host->failure[0] != '\0')
        return is_true;
    host->store->ops->explain(host->store, &error);
    snprintf(host->failure, sizeof host->failure, "line %d: %s (%.200s)", line, what, error.text);
    return false;
}

static void *
run(void *argument)
{
    struct host *host = argument;
    pthread_barrier_wait(&all_there);
    struct sf_error error;
    if (MUST(host, host->store->ops->attach(host->store, soon(), &error) == SF_OK))
        host->work(host);
    return NULL;
}

static struct host hosts[HOSTS];

static void
at_once(void (*work)(struct host *host))
{
    for (unsigned i = 0; i < HOSTS; i++) {
        struct sf_error error = {.status = SF_OK};
        hosts[i] = (struct host){.number = i, .work = work};
        sf_buffer_init(&hosts[i].stored.record, SF_RECORD_BYTES_MAX);
        ck_assert_msg(sf_store_open(&hosts[i].store, url, folder.path, &error) == SF_OK, "%s",
                      error.text);
    }
    for (unsigned i = 0; i < HOSTS; i++)
        ck_assert_int_eq(pthread_create(&hosts[i].thread, NULL, run, &hosts[i]), 0);
    for (unsigned i = 0; i < HOSTS; i++)
        pthread_join(hosts[i].thread, NULL);
    for (unsigned i = 0; i < HOSTS; i++)
        ck_assert_msg(hosts[i].failure[0] == '\0', "host %u: %s", i, hosts[i].failure);
}

static void
close_all(void)
{
    for (unsigned i = 0; i < HOSTS; i++) {
        sf_store_close(hosts[i].store);
        sf_buffer_fini(&hosts[i].stored.record);
    }
}

static enum sf_status
put(struct host *host, unsigned number, uint64_t expected, uint64_t version, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    struct sf_buffer record = sf_test_record(version, NULL, sf_span_text(text));
    struct sf_write write = sf_test_put(number, version, &record);
    write.expected = expected;
    enum sf_status status = host->store->ops->write(host->store, &write, 1, soon());
    sf_buffer_fini(&record);
    return status;
}

static bool
read_value(struct host *host, unsigned number, uint64_t *version_out, int64_t *value_out)
{
    struct sf_key key = sf_test_key(number);
    struct sf_record_head head;
    struct sf_value value;
    if (!MUST(host, sf_store_load_one(host->store, &key, soon(), &host->stored) == SF_OK))
        return false;
    struct sf_span record = sf_buffer_span(&host->stored.record);
    *version_out = 0;
    if (sf_record_head(&head, record) == SF_OK)
        *version_out = head.version;
    return MUST(host, sf_record_find(&value, record, sf_span_text("value")) == SF_OK &&
                          sf_int64_parse(value.bytes, value_out) == SF_OK);
}

/* ---- tests ---- */

static void
put_one(struct host *host)
{
    MUST(host, put(host, host->number, 0, 1, 7) == SF_OK);
}

START_TEST(test_all_may_be_the_first)
{
    uint64_t version;
    int64_t value;
    choose(_i);
    at_once(put_one);
    for (unsigned i = 0; i < HOSTS; i++)
        ck_assert(read_value(&hosts[0], i, &version, &value));
    close_all();
}
END_TEST

enum { INCREMENTS = 25 };

static void
increment(struct host *host)
{
    put(host, 1, 0, 1, 0);
    while (host->count < INCREMENTS) {
        uint64_t version;
        int64_t value;
        if (!read_value(host, 1, &version, &value))
            return;
        enum sf_status status = put(host, 1, version, version + 1, value + 1);
        if (!MUST(host, status == SF_OK || status == SF_CONFLICT))
            return;
        host->count += status == SF_OK;
    }
}

START_TEST(test_increments_add_up)
{
    uint64_t version;
    int64_t value;
    choose(_i);
    at_once(increment);
    ck_assert(read_value(&hosts[0], 1, &version, &value));
    ck_assert_int_eq(value, HOSTS * INCREMENTS);
    ck_assert_uint_eq(version, HOSTS * INCREMENTS + 1);
    close_all();
}
END_TEST

enum { SESSIONS = 40, ROUNDS = 20 };

static enum sf_status
write_all(struct host *host, uint64_t version, const struct sf_buffer *record)
{
    struct sf_write writes[SESSIONS];
    for (unsigned i = 0; i < SESSIONS; i++) {
        unsigned number = host->number % 2 == 0 ? i : SESSIONS - 1 - i;
        switch ((i + host->number) % 3) {
        case 0:
            writes[i] = sf_test_touch(number, (sf_time)(1000 + version), 0);
            break;
        case 1:
            writes[i] = sf_test_put(number, version, record);
            writes[i].expected = version - 1;
            break;
        default:
            writes[i] = sf_test_put(number, version, record);
        }
    }
    return host->store->ops->write(host->store, writes, SESSIONS, soon());
}

static void
write_everything(struct host *host)
{
    for (uint64_t version = 2; version < 2 + ROUNDS; version++) {
        struct sf_buffer record = sf_test_record(version, NULL, sf_span_text("x"));
        enum sf_status status = write_all(host, version, &record);
        MUST(host, status == SF_OK || status == SF_NOT_FOUND || status == SF_CONFLICT);
        sf_buffer_fini(&record);
    }
}

/* In whatever order each of them lists them. */
START_TEST(test_batches_of_the_same_sessions_wait_for_each_other)
{
    choose(_i);
    at_once(write_everything);
    close_all();
}
END_TEST

static void
sweep(struct host *host)
{
    size_t removed;
    if (host->store->ops->sweep == NULL) /* it drops them by itself */
        return;
    do {
        if (!MUST(host, host->store->ops->sweep(host->store, 3000, 7, soon(), &removed) == SF_OK))
            return;
        host->count += removed;
    } while (removed > 0);
}

START_TEST(test_expired_rows_are_swept_once)
{
    struct sf_write writes[SESSIONS];
    struct sf_error error;
    struct sf_buffer record = sf_test_record(1, NULL, sf_span_text("x"));
    struct sf_store *store;
    choose(_i);
    ck_assert_int_eq(sf_store_open(&store, url, folder.path, &error), SF_OK);
    for (unsigned i = 0; i < SESSIONS; i++) {
        writes[i] = sf_test_put(i, 1, &record);
        writes[i].expires = 2000;
    }
    ck_assert_int_eq(store->ops->write(store, writes, SESSIONS, soon()), SF_OK);
    at_once(sweep);
    size_t removed = 0;
    for (unsigned i = 0; i < HOSTS; i++)
        removed += hosts[i].count;
    ck_assert_uint_eq(removed, (store->ops->flags & SF_STORE_EXPIRES) != 0 ? 0 : SESSIONS);
    close_all();
    sf_store_close(store);
    sf_buffer_fini(&record);
}
END_TEST

int
main(void)
{
    find_urls();
    Suite *suite = suite_create("store_hosts");
    TCase *each = tcase_create("each_store");
    tcase_set_timeout(each, 300);
    tcase_add_checked_fixture(each, set_up, tear_down);
    tcase_add_loop_test(each, test_all_may_be_the_first, 0, stores);
    tcase_add_loop_test(each, test_increments_add_up, 0, stores);
    tcase_add_loop_test(each, test_batches_of_the_same_sessions_wait_for_each_other, 0, stores);
    tcase_add_loop_test(each, test_expired_rows_are_swept_once, 0, stores);
    suite_add_tcase(suite, each);
    return sf_run_suite(suite);
}
