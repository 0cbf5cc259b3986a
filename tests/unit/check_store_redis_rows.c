/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_store_redis_rows.c - what a put sends is read back as the server would keep it; no server is
 * needed: the words of the command are the hash.
 */
#include "common/store/redis/store_redis_rows.h"

#include <check.h>
#include <hiredis.h>
#include <string.h>

#include "common/store/redis/store_redis_script.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"

#define FIELDS_FROM (4 + SF_REDIS_WORDS_PUT) /* in the words of the command */

static struct sf_redis_server server;
static struct sf_redis_connection connection;
static struct sf_stored stored;
static struct sf_buffer record;
static redisReply *words; /* of the command */

static void
set_up(void)
{
    server = (struct sf_redis_server){.prefix = "session:"};
    sf_redis_init(&connection, &server);
    memset(connection.script, 'a', SF_REDIS_SHA_TEXT);
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    words = NULL;
}

static void
tear_down(void)
{
    if (words != NULL)
        freeReplyObject(words);
    sf_redis_fini(&connection);
    sf_buffer_fini(&stored.record);
    sf_buffer_fini(&record);
}

static redisReply *
parse(struct sf_span bytes)
{
    void *reply = NULL;
    redisReader *reader = redisReaderCreate();
    ck_assert_int_eq(redisReaderFeed(reader, (const char *)bytes.data, bytes.size), REDIS_OK);
    ck_assert_int_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
    ck_assert_ptr_nonnull(reply);
    ck_assert_uint_eq(reader->pos, reader->len);
    redisReaderFree(reader);
    return reply;
}

/* The words of the put of what `record` holds. */
static void
put(uint64_t version)
{
    struct sf_write write = sf_test_put(7, version, &record);
    write.last_access = 1673123456789;
    write.expires = 1673123456000;
    ck_assert_int_eq(sf_redis_add_write(&connection, &write), SF_OK);
    words = parse(sf_buffer_span(&connection.out));
}

static struct sf_span
word(size_t at)
{
    ck_assert_uint_lt(at, words->elements);
    return sf_span_of(words->element[at]->str, words->element[at]->len);
}

/* What HGETALL says of it, with one field replaced; NULL: as it is, "": left out. */
static enum sf_status
read_back(const char *replaced, const char *value)
{
    struct sf_key key = sf_test_key(7);
    struct sf_redis_connection hash;
    sf_redis_init(&hash, &server);
    const char *const own[] = {"@user", "alice", "@version", "5", "@last_access", "1673123456.789", "@ended", "0"};
    size_t count = 0;
    struct sf_span list[64];
    for (size_t i = 0; i < 8; i++)
        list[count++] = sf_span_text(own[i]);
    for (size_t i = FIELDS_FROM; i < words->elements; i++)
        list[count++] = word(i);
    for (size_t i = 0; i < count && replaced != NULL; i += 2)
        if (sf_span_equal(list[i], sf_span_text(replaced)))
            list[*value == '\0' ? i : i + 1] = sf_span_text(*value == '\0' ? "@other" : value);
    ck_assert_int_eq(sf_redis_command(&hash, count), SF_OK);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(sf_redis_word(&hash, list[i]), SF_OK);
    redisReply *reply = parse(sf_buffer_span(&hash.out));
    enum sf_status status = sf_redis_read_row(&stored, &key, reply);
    freeReplyObject(reply);
    sf_redis_fini(&hash);
    return status;
}

static void
make_record(void)
{
    static const unsigned char bytes[] = {0, 255, '\r', '\n'};
    const struct sf_field fields[] = {
        {sf_span_text("@mine"), {.type = SF_VALUE_STRING, .bytes = sf_span_text("own")}},
        {sf_span_text("@version"), {.type = SF_VALUE_INTEGER, .integer = INT64_MIN}},
        {sf_span_text("blob"), {.type = SF_VALUE_BYTES, .bytes = sf_span_of(bytes, sizeof bytes)}},
        {sf_span_text("empty"), {.type = SF_VALUE_STRING, .bytes = sf_span_text("")}},
        {sf_span_text("page_views"), {.type = SF_VALUE_INTEGER, .integer = 42}},
        {sf_span_text("username"), {.type = SF_VALUE_STRING, .bytes = sf_span_text("alice")}},
    };
    const struct sf_record_head head = {.kind = SF_RECORD_SESSION, .version = 5, .created = 1000, .last_access = 2000,
                                        .idle_timeout = SF_HOUR, .user = sf_span_text("alice"), .field_count = 6};
    ck_assert_int_eq(sf_record_encode(&record, &head, fields, SF_RECORD_BYTES_MAX), SF_OK);
}

/* ---- */

START_TEST(test_every_field_comes_back_as_it_was)
{
    make_record();
    put(5);
    ck_assert_int_eq(read_back(NULL, NULL), SF_OK);
    ck_assert(sf_span_equal(sf_buffer_span(&stored.record), sf_buffer_span(&record)));
    ck_assert_int_eq(stored.last_access, 1673123456789);
}
END_TEST

static void
assert_word(size_t at, const char *expected)
{
    ck_assert_msg(sf_span_equal(word(at), sf_span_text(expected)), "word %zu: %.*s", at, (int)word(at).size,
                  (const char *)word(at).data);
}

START_TEST(test_command_is_what_the_script_takes)
{
    char text[64], id[SF_KEY_TEXT + 1];
    struct sf_key key = sf_test_key(7);
    sf_key_format(&key, id);
    snprintf(text, sizeof text, "session:%s", id);
    make_record();
    put(5);
    const char *const expected[] = {
        "EVALSHA", connection.script, "1", text, "put", "session:", id, "1673123456.789", "1673123576000", "5", "0",
        "alice", "0",
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_word(i, expected[i]);
    ck_assert_uint_eq(words->elements, FIELDS_FROM + 2 * (3 + 6));
    assert_word(FIELDS_FROM, "@checksum");
    assert_word(FIELDS_FROM + 2, "@head");
    assert_word(FIELDS_FROM + 4, "@types");
    assert_word(FIELDS_FROM + 5, "sibsis");
    assert_word(FIELDS_FROM + 6, "@@mine");
    assert_word(FIELDS_FROM + 9, "-9223372036854775808");
    assert_word(FIELDS_FROM + 14, "page_views");
    assert_word(FIELDS_FROM + 15, "42");
}
END_TEST

START_TEST(test_touch_has_no_fields)
{
    struct sf_write write = sf_test_touch(7, 5001, 0);
    ck_assert_int_eq(sf_redis_add_write(&connection, &write), SF_OK);
    words = parse(sf_buffer_span(&connection.out));
    ck_assert_uint_eq(words->elements, 4 + SF_REDIS_WORDS_TOUCH);
    assert_word(4, "touch");
    assert_word(7, "5.001");
    assert_word(8, "0");
}
END_TEST

START_TEST(test_ended_session_says_so)
{
    struct sf_buffer ended = sf_test_tombstone(5, 9000);
    ck_assert_int_eq(sf_buffer_append_span(&record, sf_buffer_span(&ended)), SF_OK);
    sf_buffer_fini(&ended);
    put(5);
    assert_word(12, "1");
    ck_assert_int_eq(read_back(NULL, NULL), SF_OK);
    ck_assert(sf_span_equal(sf_buffer_span(&stored.record), sf_buffer_span(&record)));
}
END_TEST

START_TEST(test_what_is_no_record_is_refused_and_leaves_nothing)
{
    ck_assert_int_eq(sf_buffer_append_text(&record, "no record"), SF_OK);
    struct sf_write write = sf_test_put(7, 5, &record);
    ck_assert_int_eq(sf_redis_add_write(&connection, &write), SF_INVALID);
    ck_assert_uint_eq(connection.out.size, 0);
    ck_assert_uint_eq(connection.commands, 0);
}
END_TEST

/* Somebody has edited the hash, or it is another session's. */
START_TEST(test_whatever_is_changed_is_noticed)
{
    static const char *const changes[][2] = {
        {"username", "bob"}, {"username", ""}, {"page_views", "43"}, {"page_views", "many"},
        {"@version", "6"}, {"@version", ""}, {"@version", "x"}, {"@last_access", "soon"},
        {"@last_access", ""}, {"@checksum", "0"}, {"@checksum", ""}, {"@head", "x"},
        {"@head", ""}, {"@types", "ssssss"}, {"@types", "sibsisx"}, {"@types", "sibsi?"},
        {"@types", ""}, {"@@mine", "x"}, {"@@mine", ""},
    };
    make_record();
    put(5);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        ck_assert_msg(read_back(changes[i][0], changes[i][1]) == SF_CORRUPT, "%s %s", changes[i][0], changes[i][1]);
        ck_assert_uint_eq(stored.record.size, 0);
    }
    ck_assert_int_eq(read_back("@user", "mallory"), SF_OK); /* for people and the script; the record has its own */
}
END_TEST

START_TEST(test_row_of_another_session_is_damaged)
{
    struct sf_key other = sf_test_key(8);
    make_record();
    put(5);
    ck_assert_int_eq(read_back(NULL, NULL), SF_OK);
    redisReply *reply = parse(sf_buffer_span(&connection.out));
    ck_assert_int_eq(sf_redis_read_row(&stored, &other, reply), SF_CORRUPT);
    freeReplyObject(reply);
}
END_TEST

START_TEST(test_replies_that_are_no_hash)
{
    static const char *const replies[] = {
        "+OK\r\n", ":1\r\n", "$-1\r\n", "*1\r\n$1\r\na\r\n", "*2\r\n:1\r\n:2\r\n", "*-1\r\n",
    };
    struct sf_key key = sf_test_key(7);
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        redisReply *reply = parse(sf_span_text(replies[i]));
        ck_assert_msg(sf_redis_read_row(&stored, &key, reply) == SF_CORRUPT, "%s", replies[i]);
        freeReplyObject(reply);
    }
    redisReply *reply = parse(sf_span_text("*0\r\n"));
    ck_assert_int_eq(sf_redis_read_row(&stored, &key, reply), SF_NOT_FOUND);
    freeReplyObject(reply);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_redis_rows");
    TCase *rows = tcase_create("rows");
    tcase_add_checked_fixture(rows, set_up, tear_down);
    tcase_add_test(rows, test_every_field_comes_back_as_it_was);
    tcase_add_test(rows, test_command_is_what_the_script_takes);
    tcase_add_test(rows, test_touch_has_no_fields);
    tcase_add_test(rows, test_ended_session_says_so);
    tcase_add_test(rows, test_what_is_no_record_is_refused_and_leaves_nothing);
    tcase_add_test(rows, test_whatever_is_changed_is_noticed);
    tcase_add_test(rows, test_row_of_another_session_is_damaged);
    tcase_add_test(rows, test_replies_that_are_no_hash);
    suite_add_tcase(suite, rows);
    return sf_run_suite(suite);
}
