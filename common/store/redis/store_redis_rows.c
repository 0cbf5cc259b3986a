/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_rows.h"

#include <hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/store/redis/store_redis_map.h"
#include "common/store/redis/store_redis_script.h"
#include "common/store/row_checksum.h"

#define MARK '@'
#define NUMBER_TEXT 32
#define WORDS_EVALSHA 4 /* EVALSHA, the script, how many keys, the key */
#define WORDS_ENTRY 3   /* of ARGV */
#define OWN_FIELDS 3    /* @checksum, @head, @types: those of the script's fields that a put brings as such */

/* ---- words ---- */

static enum sf_status
add_text(struct sf_redis_connection *connection, const char *text)
{
    return sf_redis_word(connection, sf_span_text(text));
}

static enum sf_status
add_number(struct sf_redis_connection *connection, uint64_t number)
{
    char text[NUMBER_TEXT];
    snprintf(text, sizeof text, "%" PRIu64, number);
    return add_text(connection, text);
}

static enum sf_status
add_expected(struct sf_redis_connection *connection, uint64_t version)
{
    return version == SF_EXPECTED_NONE ? add_text(connection, "none") : add_number(connection, version);
}

/* Always three digits behind the point: later ones are longer, or larger as texts. */
static enum sf_status
add_time(struct sf_redis_connection *connection, sf_time time)
{
    char text[NUMBER_TEXT];
    sf_time from = time < 0 ? 0 : time;
    snprintf(text, sizeof text, "%" PRId64 ".%03d", from / SF_SECOND, (int)(from % SF_SECOND));
    return add_text(connection, text);
}

/* ---- keys ---- */

static void
format_key(const struct sf_redis_server *server, const struct sf_key *key, char text_out[SF_REDIS_INDEX_TEXT])
{
    char id[SF_KEY_TEXT + 1];
    sf_key_format(key, id);
    snprintf(text_out, SF_REDIS_INDEX_TEXT, "%s%s", server->prefix, id);
}

void
sf_redis_index_format(const struct sf_redis_server *server, struct sf_span user, char text_out[SF_REDIS_INDEX_TEXT])
{
    snprintf(text_out, SF_REDIS_INDEX_TEXT, "%s@user:%.*s", server->prefix, (int)user.size,
             user.size == 0 ? "" : (const char *)user.data);
}

unsigned
sf_redis_key_slot(const struct sf_redis_server *server, const struct sf_key *key)
{
    char text[SF_REDIS_INDEX_TEXT];
    format_key(server, key, text);
    return sf_redis_slot(sf_span_text(text));
}

unsigned
sf_redis_index_slot(const struct sf_redis_server *server, struct sf_span user)
{
    char text[SF_REDIS_INDEX_TEXT];
    sf_redis_index_format(server, user, text);
    return sf_redis_slot(sf_span_text(text));
}

static enum sf_status
add_key(struct sf_redis_connection *connection, const struct sf_key *key)
{
    char text[SF_REDIS_INDEX_TEXT];
    format_key(connection->server, key, text);
    return add_text(connection, text);
}

enum sf_status
sf_redis_add_load(struct sf_redis_connection *connection, const struct sf_key *key)
{
    enum sf_status status = sf_redis_command(connection, 2);
    if (status == SF_OK)
        status = add_text(connection, "HGETALL");
    return status == SF_OK ? add_key(connection, key) : status;
}

/* ---- writing ---- */

/* What a put needs to know of its record, all at once: no half of a command goes into the pipeline. */
struct parts {
    struct sf_record_head head;
    struct sf_field *fields;
    struct sf_buffer bare; /* the record without its fields */
};

static enum sf_status
take_apart(struct parts *parts, struct sf_span record)
{
    if (record.size > SF_RECORD_BYTES_MAX || sf_record_head(&parts->head, record) != SF_OK)
        return SF_INVALID;
    parts->fields = calloc(parts->head.field_count + 1, sizeof *parts->fields);
    if (parts->fields == NULL)
        return SF_NO_MEMORY;
    if (sf_record_fields(parts->fields, record) != SF_OK)
        return SF_INVALID;
    struct sf_record_head bare = parts->head;
    bare.field_count = 0;
    return sf_record_encode(&parts->bare, &bare, NULL, SF_RECORD_BYTES_MAX);
}

/* When the server drops it; 0: never. */
static enum sf_status
add_end(struct sf_redis_connection *connection, const struct sf_write *write)
{
    return add_number(connection, write->expires <= 0 ? 0 : (uint64_t)(write->expires + SF_REDIS_MARGIN));
}

/* To both kinds of write. */
static enum sf_status
add_beginning(struct sf_redis_connection *connection, const struct sf_write *write, const char *kind, size_t words)
{
    char id[SF_KEY_TEXT + 1];
    sf_key_format(&write->key, id);
    enum sf_status status = sf_redis_command(connection, WORDS_EVALSHA + words);
    if (status == SF_OK)
        status = add_text(connection, "EVALSHA");
    if (status == SF_OK)
        status = add_text(connection, connection->script);
    if (status == SF_OK)
        status = add_text(connection, "1");
    if (status == SF_OK)
        status = add_key(connection, &write->key);
    if (status == SF_OK)
        status = add_text(connection, kind);
    if (status == SF_OK)
        status = add_text(connection, connection->server->prefix);
    if (status == SF_OK)
        status = add_text(connection, id);
    if (status == SF_OK)
        status = add_time(connection, write->last_access);
    return status == SF_OK ? add_end(connection, write) : status;
}

static enum sf_status
add_field(struct sf_redis_connection *connection, const struct sf_field *field)
{
    unsigned char name[SF_FIELD_NAME_MAX + 1];
    bool is_marked = field->name.data[0] == MARK;
    name[0] = MARK;
    memcpy(name + is_marked, field->name.data, field->name.size);
    enum sf_status status = sf_redis_word(connection, sf_span_of(name, field->name.size + is_marked));
    if (status != SF_OK)
        return status;
    if (field->value.type != SF_VALUE_INTEGER)
        return sf_redis_word(connection, field->value.bytes);
    char text[NUMBER_TEXT];
    snprintf(text, sizeof text, "%" PRId64, field->value.integer);
    return add_text(connection, text);
}

static char
letter_of(enum sf_value_type type)
{
    switch (type) {
    case SF_VALUE_INTEGER: return 'i';
    case SF_VALUE_BYTES: return 'b';
    case SF_VALUE_STRING: return 's';
    }
    return 's';
}

static enum sf_status
add_own_fields(struct sf_redis_connection *connection, const struct parts *parts, uint64_t checksum)
{
    char text[NUMBER_TEXT], types[SF_FIELDS_MAX];
    for (uint32_t i = 0; i < parts->head.field_count; i++)
        types[i] = letter_of(parts->fields[i].value.type);
    snprintf(text, sizeof text, "%016" PRIx64, checksum);
    enum sf_status status = add_text(connection, "@checksum");
    if (status == SF_OK)
        status = add_text(connection, text);
    if (status == SF_OK)
        status = add_text(connection, "@head");
    if (status == SF_OK)
        status = sf_redis_word(connection, sf_buffer_span(&parts->bare));
    if (status == SF_OK)
        status = add_text(connection, "@types");
    return status == SF_OK ? sf_redis_word(connection, sf_span_of(types, parts->head.field_count)) : status;
}

static enum sf_status
add_put(struct sf_redis_connection *connection, const struct sf_write *write, const struct parts *parts)
{
    const struct sf_record_head *head = &parts->head;
    size_t pairs = OWN_FIELDS + head->field_count;
    enum sf_status status = add_beginning(connection, write, "put", SF_REDIS_WORDS_PUT + 2 * pairs);
    if (status == SF_OK)
        status = add_number(connection, write->version);
    if (status == SF_OK)
        status = add_expected(connection, sf_store_expected(write, atomic_load(&connection->server->incarnation)));
    if (status == SF_OK)
        status = sf_redis_word(connection, head->user);
    if (status == SF_OK)
        status = add_text(connection, head->kind == SF_RECORD_ENDED ? "1" : "0");
    if (status == SF_OK)
        status = add_own_fields(connection, parts, sf_row_checksum(&write->key, write->version, write->record));
    for (uint32_t i = 0; i < head->field_count && status == SF_OK; i++)
        status = add_field(connection, &parts->fields[i]);
    return status;
}

enum sf_status
sf_redis_add_write(struct sf_redis_connection *connection, const struct sf_write *write)
{
    if (write->kind == SF_WRITE_TOUCH)
        return add_beginning(connection, write, "touch", SF_REDIS_WORDS_TOUCH);
    struct parts parts = {.fields = NULL};
    sf_buffer_init(&parts.bare, SF_RECORD_BYTES_MAX);
    enum sf_status status = take_apart(&parts, write->record);
    if (status == SF_OK)
        status = add_put(connection, write, &parts);
    free(parts.fields);
    sf_buffer_fini(&parts.bare);
    return status;
}

enum sf_status
sf_redis_add_entry(struct sf_redis_connection *connection, struct sf_span user, const struct sf_write *write,
                   bool is_final)
{
    char id[SF_KEY_TEXT + 1], name[SF_REDIS_INDEX_TEXT];
    sf_key_format(&write->key, id);
    sf_redis_index_format(connection->server, user, name);
    enum sf_status status = sf_redis_command(connection, WORDS_EVALSHA + WORDS_ENTRY);
    if (status == SF_OK)
        status = add_text(connection, "EVALSHA");
    if (status == SF_OK)
        status = add_text(connection, connection->index_script);
    if (status == SF_OK)
        status = add_text(connection, "1");
    if (status == SF_OK)
        status = add_text(connection, name);
    if (status == SF_OK)
        status = add_text(connection, id);
    if (status == SF_OK)
        status = add_end(connection, write);
    return status == SF_OK ? add_text(connection, is_final ? "1" : "0") : status;
}

/* ---- reading ---- */

/* The fields of a hash, sorted by what they are. */
struct row {
    struct sf_span version, last_access, checksum, head, types;
    struct sf_field *fields; /* of the session; all values are still texts */
    uint32_t field_count;
};

static struct sf_span
span_of_reply(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING ? sf_span_of(reply->str, reply->len) : sf_span_of(NULL, 0);
}

static void
take_own(struct row *row, struct sf_span name, struct sf_span value)
{
    const struct {
        const char *name;
        struct sf_span *value;
    } known[] = {
        {"@version", &row->version}, {"@last_access", &row->last_access}, {"@checksum", &row->checksum},
        {"@head", &row->head},       {"@types", &row->types},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (sf_span_equal(name, sf_span_text(known[i].name)))
            *known[i].value = value;
}

static void
take_pair(struct row *row, struct sf_span name, struct sf_span value)
{
    bool is_marked = name.size > 1 && name.data[0] == MARK && name.data[1] == MARK;
    if (name.size > 0 && name.data[0] == MARK && !is_marked) {
        take_own(row, name, value);
        return;
    }
    row->fields[row->field_count++] = (struct sf_field){
        .name = sf_span_of(name.data + is_marked, name.size - is_marked),
        .value = {.type = SF_VALUE_STRING, .bytes = value},
    };
}

static int
compare_fields(const void *a, const void *b)
{
    return sf_span_compare(((const struct sf_field *)a)->name, ((const struct sf_field *)b)->name);
}

static bool
give_type(struct sf_field *field, unsigned char letter)
{
    if (!sf_name_is_valid(field->name))
        return false;
    switch (letter) {
    case 's': return true;
    case 'b': field->value.type = SF_VALUE_BYTES; return true;
    case 'i': field->value.type = SF_VALUE_INTEGER; break;
    default: return false;
    }
    return sf_int64_parse(field->value.bytes, &field->value.integer) == SF_OK;
}

/* "1673123456.789" */
static bool
read_time(struct sf_span text, sf_time *time_out)
{
    char digits[NUMBER_TEXT];
    if (text.size < sizeof "0.000" - 1 || text.size >= sizeof digits || text.data[text.size - 4] != '.')
        return false;
    memcpy(digits, text.data, text.size - 4);
    memcpy(digits + text.size - 4, text.data + text.size - 3, 3);
    return sf_int64_parse(sf_span_of(digits, text.size - 1), time_out) == SF_OK;
}

static enum sf_status
put_together(struct sf_stored *stored, struct row *row)
{
    struct sf_record_head head;
    if (sf_record_head(&head, row->head) != SF_OK || row->types.size != row->field_count
        || row->field_count > SF_FIELDS_MAX)
        return SF_CORRUPT;
    qsort(row->fields, row->field_count, sizeof *row->fields, compare_fields);
    for (uint32_t i = 0; i < row->field_count; i++) {
        bool is_twice = i > 0 && compare_fields(&row->fields[i - 1], &row->fields[i]) == 0;
        if (is_twice || !give_type(&row->fields[i], row->types.data[i]))
            return SF_CORRUPT;
    }
    head.field_count = row->field_count;
    enum sf_status status = sf_record_encode(&stored->record, &head, row->fields, SF_RECORD_BYTES_MAX);
    return status == SF_OK || status == SF_NO_MEMORY ? status : SF_CORRUPT;
}

static enum sf_status
check_row(struct sf_stored *stored, const struct sf_key *key, const struct row *row)
{
    int64_t version;
    char checksum[NUMBER_TEXT];
    if (sf_int64_parse(row->version, &version) != SF_OK || !read_time(row->last_access, &stored->last_access))
        return SF_CORRUPT;
    snprintf(checksum, sizeof checksum, "%016" PRIx64,
             sf_row_checksum(key, (uint64_t)version, sf_buffer_span(&stored->record)));
    return sf_span_equal(row->checksum, sf_span_text(checksum)) ? SF_OK : SF_CORRUPT;
}

enum sf_status
sf_redis_read_row(struct sf_stored *stored_out, const struct sf_key *key, const struct redisReply *reply)
{
    struct row row = {.field_count = 0};
    sf_buffer_clear(&stored_out->record);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 0)
        return SF_CORRUPT;
    if (reply->elements == 0)
        return SF_NOT_FOUND;
    row.fields = calloc(reply->elements / 2, sizeof *row.fields);
    if (row.fields == NULL)
        return SF_NO_MEMORY;
    for (size_t i = 0; i < reply->elements; i += 2)
        take_pair(&row, span_of_reply(reply->element[i]), span_of_reply(reply->element[i + 1]));
    enum sf_status status = put_together(stored_out, &row);
    if (status == SF_OK)
        status = check_row(stored_out, key, &row);
    free(row.fields);
    if (status != SF_OK)
        sf_buffer_clear(&stored_out->record);
    return status;
}
