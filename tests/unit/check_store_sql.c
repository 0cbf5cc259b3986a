/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_sql.h"

#include <check.h>
#include <stdlib.h>

#include "common/store/row_checksum.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"

#define LIMIT (8u << 20)

static struct sf_buffer record;
static struct sf_sql_batch batch;

static void
set_up(void)
{
    record = sf_test_record(1, "alice", sf_span_text("x"));
}

static void
tear_down(void)
{
    sf_buffer_fini(&record);
}

static void
assert_round(struct sf_write *const *expected, size_t count)
{
    ck_assert(sf_sql_batch_next(&batch, LIMIT));
    ck_assert_uint_eq(batch.round_count, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_ptr_eq(batch.round[i]->write, expected[i]);
}

START_TEST(test_rows_come_in_the_order_of_their_keys)
{
    struct sf_write writes[] = {sf_test_put(3, 1, &record), sf_test_touch(1, 5, 0),
                                sf_test_put(2, 1, &record), sf_test_put(4, 1, &record)};
    writes[2].expected = 7;
    writes[3].expected = SF_EXPECTED_NONE;
    ck_assert_int_eq(sf_sql_batch_init(&batch, writes, 4), SF_OK);
    assert_round((struct sf_write *[]){&writes[1], &writes[2], &writes[0], &writes[3]}, 4);
    ck_assert_int_eq(batch.round[0]->kind, SF_SQL_TOUCH);
    ck_assert_int_eq(batch.round[1]->kind, SF_SQL_REPLACE);
    ck_assert_int_eq(batch.round[2]->kind, SF_SQL_PUT);
    ck_assert_int_eq(batch.round[3]->kind, SF_SQL_INSERT);
    ck_assert(sf_span_equal(batch.round[2]->user, sf_span_text("alice")));
    ck_assert(!batch.round[2]->is_ended);
    for (uint64_t store = 4; store < 6; store++) {
        writes[2].of_store = 4;
        sf_sql_expect(batch.round, batch.round_count, store);
        ck_assert_uint_eq(batch.round[1]->expected, store == 4 ? 7 : INT64_MAX);
        ck_assert_uint_eq(batch.round[3]->expected, SF_EXPECTED_NONE);
    }
    ck_assert(!sf_sql_batch_next(&batch, LIMIT));
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(writes[i].status, SF_UNAVAILABLE);
    sf_sql_batch_fini(&batch);
}
END_TEST

START_TEST(test_changes_of_one_session_go_one_after_the_other)
{
    struct sf_write writes[] = {sf_test_put(1, 9, &record), sf_test_put(2, 1, &record),
                                sf_test_put(1, 3, &record), sf_test_touch(1, 5, 0),
                                sf_test_touch(2, 5, 0)};
    ck_assert_int_eq(sf_sql_batch_init(&batch, writes, 5), SF_OK);
    assert_round((struct sf_write *[]){&writes[0], &writes[1]}, 2);
    assert_round((struct sf_write *[]){&writes[2], &writes[4]}, 2);
    assert_round((struct sf_write *[]){&writes[3]}, 1);
    ck_assert(!sf_sql_batch_next(&batch, LIMIT));
    sf_sql_batch_fini(&batch);
}
END_TEST

START_TEST(test_round_is_never_much_larger_than_its_limit)
{
    enum { ROWS = 40 };
    unsigned char *large = calloc(1, 1000000);
    struct sf_write writes[ROWS];
    size_t rounds = 0, rows = 0;
    sf_buffer_fini(&record);
    record = sf_test_record(1, NULL, sf_span_of(large, 1000000));
    for (unsigned i = 0; i < ROWS; i++)
        writes[i] = sf_test_put(i, 1, &record);
    ck_assert_int_eq(sf_sql_batch_init(&batch, writes, ROWS), SF_OK);
    for (; sf_sql_batch_next(&batch, LIMIT); rounds++) {
        ck_assert_uint_le(batch.round_count, 9);
        rows += batch.round_count;
    }
    ck_assert_uint_eq(rows, ROWS);
    ck_assert_uint_eq(rounds, 5);
    sf_sql_batch_fini(&batch);
    free(large);
}
END_TEST

START_TEST(test_what_no_store_takes_becomes_no_row)
{
    struct sf_buffer bad;
    sf_buffer_init(&bad, 16);
    ck_assert_int_eq(sf_buffer_append_text(&bad, "no record"), SF_OK);
    struct sf_write writes[] = {sf_test_put(1, 1, &bad), sf_test_put(2, 1, &record),
                                sf_test_put(3, UINT64_MAX, &record), sf_test_put(4, 1, &record)};
    writes[3].expected = SF_EXPECTED_NONE - 1;
    ck_assert_int_eq(sf_sql_batch_init(&batch, writes, 4), SF_OK);
    assert_round((struct sf_write *[]){&writes[1]}, 1);
    ck_assert_int_eq(writes[0].status, SF_INVALID);
    ck_assert_int_eq(writes[2].status, SF_INVALID);
    ck_assert_int_eq(writes[3].status, SF_INVALID);
    sf_sql_batch_fini(&batch);
    sf_buffer_fini(&bad);
}
END_TEST

START_TEST(test_row_is_found_by_its_key)
{
    struct sf_write writes[] = {sf_test_put(5, 1, &record), sf_test_put(3, 1, &record)};
    struct sf_key other = sf_test_key(4);
    ck_assert_int_eq(sf_sql_batch_init(&batch, writes, 2), SF_OK);
    ck_assert(sf_sql_batch_next(&batch, LIMIT));
    for (size_t i = 0; i < 2; i++) {
        struct sf_span key = sf_span_of(writes[i].key.bytes, SF_KEY_BYTES);
        ck_assert_ptr_eq(sf_sql_find(batch.round, 2, key)->write, &writes[i]);
        ck_assert_ptr_null(sf_sql_find(batch.round, 2, sf_span_of(key.data, SF_KEY_BYTES - 1)));
    }
    ck_assert_ptr_null(sf_sql_find(batch.round, 2, sf_span_of(other.bytes, SF_KEY_BYTES)));
    sf_sql_batch_fini(&batch);
}
END_TEST

/* Says what it is told to, once; refuses the keys above 90; counts. */
struct server {
    enum sf_status next;
    size_t calls, stored;
};

static enum sf_status
run(void *context, struct sf_sql_row *const *rows, size_t count, struct sf_error *error)
{
    struct server *server = context;
    enum sf_status status = server->next;
    (void)error;
    server->calls++;
    server->next = SF_OK;
    for (size_t i = 0; i < count && status == SF_OK; i++)
        if (rows[i]->write->key.bytes[3] > 90)
            status = SF_INVALID;
    for (size_t i = 0; i < count && status == SF_OK; i++, server->stored++)
        rows[i]->write->status = SF_OK;
    return status;
}

enum { MANY = 100 };

static void
write_many(struct server *server, struct sf_write *writes, unsigned first)
{
    for (unsigned i = 0; i < MANY; i++)
        writes[i] = sf_test_put(first + i, 1, &record);
    sf_sql_write(writes, MANY, LIMIT, run, server, NULL);
}

START_TEST(test_refused_rows_hold_up_no_other)
{
    struct server server = {.next = SF_OK};
    struct sf_write writes[MANY];
    write_many(&server, writes, 0);
    for (unsigned i = 0; i < MANY; i++)
        ck_assert_int_eq(writes[i].status, i > 90 ? SF_INVALID : SF_OK);
    ck_assert_uint_eq(server.stored, 91);
    ck_assert_uint_lt(server.calls, 40);
}
END_TEST

START_TEST(test_transaction_that_was_in_the_way_is_waited_for)
{
    struct server server = {.next = SF_CONFLICT};
    struct sf_write write = sf_test_put(1, 1, &record);
    sf_sql_write(&write, 1, LIMIT, run, &server, NULL);
    ck_assert_int_eq(write.status, SF_OK);
    ck_assert_uint_eq(server.calls, 2);
}
END_TEST

START_TEST(test_nothing_is_sent_behind_an_outage)
{
    struct server server = {.next = SF_UNCERTAIN};
    struct sf_write writes[] = {sf_test_put(1, 1, &record), sf_test_put(1, 2, &record)};
    sf_sql_write(writes, 2, LIMIT, run, &server, NULL);
    ck_assert_int_eq(writes[0].status, SF_UNCERTAIN);
    ck_assert_int_eq(writes[1].status, SF_UNAVAILABLE);
    ck_assert_uint_eq(server.calls, 1);
}
END_TEST

static struct sf_sql_stored
stored_row(const struct sf_key *key)
{
    struct sf_span bytes = sf_buffer_span(&record);
    return (struct sf_sql_stored){.key = sf_span_of(key->bytes, SF_KEY_BYTES),
                                  .record = bytes,
                                  .version = 4,
                                  .checksum = sf_row_checksum(key, 4, bytes),
                                  .last_access = 77};
}

START_TEST(test_row_answers_every_load_of_its_key)
{
    struct sf_stored found[3];
    struct sf_load loads[3];
    for (unsigned i = 0; i < 3; i++) {
        sf_buffer_init(&found[i].record, SF_RECORD_BYTES_MAX);
        loads[i] = (struct sf_load){
            .key = sf_test_key(i % 2), .stored = &found[i], .status = SF_NOT_FOUND};
    }
    struct sf_sql_stored row = stored_row(&loads[0].key);
    sf_sql_answer_loads(loads, 3, &row);
    ck_assert_int_eq(loads[0].status, SF_OK);
    ck_assert_int_eq(loads[1].status, SF_NOT_FOUND);
    ck_assert_int_eq(loads[2].status, SF_OK);
    ck_assert_int_eq(found[2].last_access, 77);
    ck_assert(sf_span_equal(sf_buffer_span(&found[2].record), sf_buffer_span(&record)));
    for (unsigned i = 0; i < 3; i++)
        sf_buffer_fini(&found[i].record);
}
END_TEST

START_TEST(test_row_that_somebody_else_changed_is_damaged)
{
    struct sf_key key = sf_test_key(1), out;
    struct sf_stored found;
    sf_buffer_init(&found.record, SF_RECORD_BYTES_MAX);
    struct sf_sql_stored rows[] = {stored_row(&key), stored_row(&key), stored_row(&key),
                                   stored_row(&key)};
    rows[0].version++;
    rows[1].record.size--;
    rows[2].key.size--;
    ck_assert_int_eq(sf_sql_read_row(&rows[0], &out, &found), SF_CORRUPT);
    ck_assert_int_eq(sf_sql_read_row(&rows[1], &out, &found), SF_CORRUPT);
    ck_assert_int_eq(sf_sql_read_row(&rows[2], &out, &found), SF_CORRUPT);
    ck_assert_int_eq(sf_sql_read_row(&rows[3], &out, &found), SF_OK);
    sf_buffer_fini(&found.record);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_sql");
    TCase *rows = tcase_create("store_sql");
    tcase_add_checked_fixture(rows, set_up, tear_down);
    tcase_add_test(rows, test_rows_come_in_the_order_of_their_keys);
    tcase_add_test(rows, test_changes_of_one_session_go_one_after_the_other);
    tcase_add_test(rows, test_round_is_never_much_larger_than_its_limit);
    tcase_add_test(rows, test_what_no_store_takes_becomes_no_row);
    tcase_add_test(rows, test_row_is_found_by_its_key);
    tcase_add_test(rows, test_refused_rows_hold_up_no_other);
    tcase_add_test(rows, test_transaction_that_was_in_the_way_is_waited_for);
    tcase_add_test(rows, test_nothing_is_sent_behind_an_outage);
    tcase_add_test(rows, test_row_answers_every_load_of_its_key);
    tcase_add_test(rows, test_row_that_somebody_else_changed_is_damaged);
    suite_add_tcase(suite, rows);
    return sf_run_suite(suite);
}
