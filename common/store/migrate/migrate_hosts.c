/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/migrate/migrate_hosts.h"

#include <string.h>

#include "common/session/session.h"

#define ID_DIGITS 16

/* No hash of an id is that, as far as chance goes. */
static const struct sf_key row_key = {{'s', 'f', '-', 'm', 'i', 'g', 'r', 'a', 't', 'e', '-', 'h', 'o', 's', 't', 's'}};

static const char *const number_names[] = {"phase", "store", "target"};

enum { PHASE, STORE, TARGET, NUMBERS };

bool
sf_migrate_hosts_is_row(const struct sf_key *key)
{
    return sf_key_equal(key, &row_key);
}

struct sf_migrate_host *
sf_migrate_hosts_find(struct sf_migrate_hosts *hosts, uint64_t id)
{
    for (size_t i = 0; i < hosts->count; i++)
        if (hosts->list[i].id == id)
            return &hosts->list[i];
    return NULL;
}

struct sf_migrate_host *
sf_migrate_hosts_add(struct sf_migrate_hosts *hosts, uint64_t id)
{
    struct sf_migrate_host *host = sf_migrate_hosts_find(hosts, id);
    if (host != NULL || hosts->count == SF_MIGRATE_HOSTS_MAX)
        return host;
    host = &hosts->list[hosts->count++];
    *host = (struct sf_migrate_host){.id = id, .state = SF_HOST_COPIES};
    return host;
}

const struct sf_migrate_host *
sf_migrate_hosts_other_than(const struct sf_migrate_hosts *hosts, enum sf_host_state state)
{
    for (size_t i = 0; i < hosts->count; i++)
        if (hosts->list[i].state != state)
            return &hosts->list[i];
    return NULL;
}

/* ---- as a record: numbers, three with a name, and one for each host ---- */

static enum sf_status
set_number(struct sf_session *session, const char *name, uint64_t number)
{
    const struct sf_value value = {.type = SF_VALUE_INTEGER, .integer = (int64_t)number};
    return sf_session_set(session, sf_span_text(name), &value);
}

static enum sf_status
encode(const struct sf_migrate_hosts *hosts, sf_time now, struct sf_buffer *record)
{
    char names[SF_MIGRATE_HOSTS_MAX][ID_DIGITS + 1]; /* borrowed by the session */
    const uint64_t numbers[NUMBERS] = {[PHASE] = hosts->phase, [STORE] = hosts->store, [TARGET] = hosts->target};
    struct sf_session session;
    enum sf_status status = SF_OK;
    sf_session_init(&session);
    session.head.kind = SF_RECORD_ENDED;
    session.head.end_reason = SF_END_ADMIN;
    session.head.version = hosts->version;
    session.head.created = session.head.last_access = now;
    for (size_t i = 0; status == SF_OK && i < NUMBERS; i++)
        status = set_number(&session, number_names[i], numbers[i]);
    for (size_t i = 0; status == SF_OK && i < hosts->count; i++) {
        unsigned char id[sizeof hosts->list[i].id];
        sf_store_u64(id, hosts->list[i].id);
        sf_hex_encode(id, sizeof id, names[i]);
        status = set_number(&session, names[i], hosts->list[i].state);
    }
    if (status == SF_OK)
        status = sf_session_encode(&session, SF_RECORD_BYTES_MAX, record);
    sf_session_fini(&session);
    return status;
}

static bool
take_number(struct sf_migrate_hosts *hosts, const struct sf_field *field)
{
    uint64_t number = (uint64_t)field->value.integer;
    if (sf_span_equal(field->name, sf_span_text(number_names[PHASE])))
        hosts->phase = number <= SF_HOSTS_COMING ? (enum sf_hosts_phase)number : SF_HOSTS_LEFT;
    else if (sf_span_equal(field->name, sf_span_text(number_names[STORE])))
        hosts->store = number;
    else if (sf_span_equal(field->name, sf_span_text(number_names[TARGET])))
        hosts->target = number;
    else
        return false;
    return true;
}

static bool
take_field(struct sf_migrate_hosts *hosts, const struct sf_field *field)
{
    unsigned char id[sizeof hosts->list[0].id];
    if (field->value.type != SF_VALUE_INTEGER)
        return false;
    if (take_number(hosts, field))
        return true;
    if (sf_hex_decode(field->name, id, sizeof id) != SF_OK || field->value.integer < 0
        || field->value.integer > SF_HOST_ASKED)
        return false;
    struct sf_migrate_host *host = sf_migrate_hosts_add(hosts, sf_load_u64(id));
    if (host != NULL)
        host->state = (enum sf_host_state)field->value.integer;
    return host != NULL;
}

static enum sf_status
decode(struct sf_migrate_hosts *hosts, struct sf_span record)
{
    struct sf_session session;
    sf_session_init(&session);
    enum sf_status status = sf_session_decode(&session, record);
    hosts->version = session.head.version;
    for (size_t i = 0; status == SF_OK && i < session.count; i++)
        if (!take_field(hosts, &session.fields[i]))
            status = SF_CORRUPT;
    sf_session_fini(&session);
    return status;
}

/* ---- in the store ---- */

enum sf_status
sf_migrate_hosts_load(struct sf_migrate_hosts *hosts_out, struct sf_store *store, sf_time deadline)
{
    struct sf_stored stored;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    *hosts_out = (struct sf_migrate_hosts){.version = 0};
    enum sf_status status = sf_store_load_one(store, &row_key, deadline, &stored);
    if (status == SF_OK)
        status = decode(hosts_out, sf_buffer_span(&stored.record));
    sf_buffer_fini(&stored.record);
    return status;
}

enum sf_status
sf_migrate_hosts_store(struct sf_migrate_hosts *hosts, struct sf_store *store, sf_time deadline)
{
    struct sf_buffer record;
    sf_time now = sf_clock_wall();
    uint64_t former = hosts->version;
    hosts->version = former == 0 ? (uint64_t)now : former + 1; /* no number that was used before the row was lost */
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    enum sf_status status = encode(hosts, now, &record);
    if (status == SF_OK) {
        struct sf_write write = {.kind = SF_WRITE_PUT,
                                 .key = row_key,
                                 .version = hosts->version,
                                 .expected = former == 0 ? SF_EXPECTED_NONE : former,
                                 .last_access = now,
                                 .record = sf_buffer_span(&record)};
        status = store->ops->write(store, &write, 1, deadline);
    }
    sf_buffer_fini(&record);
    return status;
}
