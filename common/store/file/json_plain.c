/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/file/json_plain.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/identity/imported_id.h"
#include "common/store/foreign/foreign.h"

#define LINE_MAX_BYTES (2 * SF_RECORD_BYTES_MAX)

struct reading {
    struct sf_secrets secrets;
    struct sf_foreign_options options;
    struct sf_buffer line;
    struct sf_stored stored;
    sf_json_plain_visit_fn *visit;
    void *context;
    size_t refused;
    struct sf_error *error;
};

bool
sf_json_plain_is(json_t *root)
{
    const char *user;
    json_t *of_user;
    json_object_foreach(root, user, of_user)
    {
        if (!json_is_object(json_object_get(of_user, "sessions")))
            return false;
    }
    return json_is_object(root);
}

static enum sf_status
write_line(struct reading *reading, const char *user, const char *id, json_t *session)
{
    char *text = json_dumps(session, JSON_COMPACT | JSON_ENCODE_ANY);
    sf_buffer_clear(&reading->line);
    enum sf_status status =
        text == NULL ? SF_NO_MEMORY : sf_buffer_append_format(&reading->line, "%s\t%s\t%s", user, id, text);
    free(text);
    return status;
}

/* SF_NOT_FOUND: it has expired. */
static enum sf_status
read_session(struct reading *reading, const char *user, const char *id, json_t *session, struct sf_key *key_out)
{
    struct sf_span found, read_id;
    struct sf_record_head head;
    char scratch[SF_IMPORTED_ID_MAX];
    enum sf_status status = write_line(reading, user, id, session);
    if (status != SF_OK)
        return sf_error_set(reading->error, status, "it is too large");
    status = sf_foreign_read(&reading->stored.record, &found, sf_buffer_span(&reading->line), &reading->options,
                             reading->error);
    if (status == SF_OK && sf_imported_id_read(&read_id, scratch, found) != SF_OK)
        status = sf_error_set(reading->error, SF_INVALID, "its id has not %d to %d bytes", SF_IMPORTED_ID_MIN,
                              SF_IMPORTED_ID_MAX);
    if (status == SF_OK)
        status = sf_record_head(&head, sf_buffer_span(&reading->stored.record));
    if (status != SF_OK)
        return status;
    reading->stored.last_access = head.last_access;
    sf_imported_id_key(key_out, read_id, &reading->secrets, 0);
    return SF_OK;
}

static enum sf_status
read_user(struct reading *reading, const char *user, json_t *sessions)
{
    const char *id;
    json_t *session;
    json_object_foreach(sessions, id, session)
    {
        struct sf_key key;
        enum sf_status status = read_session(reading, user, id, session, &key);
        if (status == SF_OK)
            status = reading->visit(reading->context, &key, &reading->stored);
        else if (status != SF_NO_MEMORY) {
            reading->refused += status != SF_NOT_FOUND;
            status = SF_OK;
        }
        if (status != SF_OK)
            return status;
    }
    return SF_OK;
}

static enum sf_status
load_secrets(struct reading *reading, const char *state)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/secret.keys", state);
    return sf_secrets_load(&reading->secrets, path, reading->error);
}

enum sf_status
sf_json_plain_read(json_t *root, const char *state, sf_json_plain_visit_fn *visit, void *context,
                   size_t *refused_out, struct sf_error *error)
{
    struct reading reading = {.options = {.kind = SF_FOREIGN_PLAIN,
                                          .now = sf_clock_wall(),
                                          .max_bytes = SF_RECORD_BYTES_MAX},
                              .visit = visit,
                              .context = context,
                              .error = error};
    const char *user;
    json_t *of_user;
    enum sf_status status = load_secrets(&reading, state);
    sf_buffer_init(&reading.line, LINE_MAX_BYTES);
    sf_buffer_init(&reading.stored.record, SF_RECORD_BYTES_MAX);
    json_object_foreach(root, user, of_user)
    {
        if (status == SF_OK)
            status = read_user(&reading, user, json_object_get(of_user, "sessions"));
    }
    *refused_out = reading.refused;
    sf_buffer_fini(&reading.line);
    sf_buffer_fini(&reading.stored.record);
    sf_secrets_wipe(&reading.secrets);
    return status;
}
