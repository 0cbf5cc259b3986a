/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sqlite_case.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/support/test_records.h"

#define PATIENCE (10 * SF_SECOND)

struct sf_temp_folder folder;
struct sf_store *store;
struct sf_stored stored;
struct sf_error error;
char path[128], log_path[132];

sf_time
soon(void)
{
    return sf_clock_steady() + PATIENCE;
}

void
set_up(void)
{
    sf_temp_folder_init(&folder);
    snprintf(path, sizeof path, "%s/state/test.db", folder.path);
    snprintf(log_path, sizeof log_path, "%s-wal", path);
    ck_assert_int_eq(mkdir(sf_temp_folder_path(&folder, "state"), 0700), 0);
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    error = (struct sf_error){.status = SF_OK};
    store = NULL;
}

void
tear_down(void)
{
    sf_store_close(store);
    sf_buffer_fini(&stored.record);
    sf_temp_folder_fini(&folder);
}

enum sf_status
attach(void)
{
    const char *state = sf_temp_folder_path(&folder, "state");
    ck_assert_int_eq(sf_store_open(&store, "sqlite:test.db", state, &error), SF_OK);
    return store->ops->attach(store, soon(), &error);
}

void
attach_well(void)
{
    ck_assert_msg(attach() == SF_OK, "%s", error.text);
}

void
close_store(void)
{
    sf_store_close(store);
    store = NULL;
}

enum sf_status
put_bytes(unsigned number, uint64_t version, size_t size)
{
    unsigned char *bytes = calloc(1, size + 1);
    struct sf_buffer record = sf_test_record(version, "alice", sf_span_of(bytes, size));
    struct sf_write write = sf_test_put(number, version, &record);
    write.expires = 2000;
    enum sf_status status = store->ops->write(store, &write, 1, soon());
    ck_assert_int_eq(status, write.status);
    sf_buffer_fini(&record);
    free(bytes);
    return status;
}

enum sf_status
put(unsigned number, uint64_t version)
{
    return put_bytes(number, version, 10);
}

enum sf_status
load(unsigned number)
{
    struct sf_key key = sf_test_key(number);
    return sf_store_load_one(store, &key, soon(), &stored);
}

const char *
explanation(void)
{
    store->ops->explain(store, &error);
    return error.text;
}

void
assert_says(const char *expected)
{
    ck_assert_msg(strstr(error.text, expected) != NULL, "\"%s\" is not in: %s", expected,
                  error.text);
}

sqlite3 *
open_other(void)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

void
run(sqlite3 *db, const char *sql)
{
    char *text = NULL;
    int code = sqlite3_exec(db, sql, NULL, NULL, &text);
    ck_assert_msg(code == SQLITE_OK, "%s: %s", sql, text);
}

void
run_once(const char *sql)
{
    sqlite3 *db = open_other();
    run(db, sql);
    sqlite3_close(db);
}
