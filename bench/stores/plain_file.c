/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process has all sessions in memory and writes all of them with each change: a temporary file, indented,
 * and a rename. Nothing is synced. Others are not told.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench/stores/plain.h"

struct plain_json {
    struct plain base;
    char path[4096], temporary[4104];
    json_t *sessions;
};

static void
close_file(struct plain *plain)
{
    struct plain_json *self = (struct plain_json *)plain;

    json_decref(self->sessions);
    (void)unlink(self->path);
    (void)unlink(self->temporary);
    free(self);
}

static bool
write_all(struct plain_json *self)
{
    return json_dump_file(self->sessions, self->temporary, JSON_INDENT(2)) == 0 &&
           rename(self->temporary, self->path) == 0;
}

static struct plain *
open_file(const char *url, const char *folder)
{
    struct plain_json *self = calloc(1, sizeof *self);

    (void)url;
    if (self == NULL)
        return plain_fail(&plain_file, "no memory");
    self->base.ops = &plain_file;
    snprintf(self->path, sizeof self->path, "%s/plain.json", folder);
    snprintf(self->temporary, sizeof self->temporary, "%s.tmp", self->path);
    self->sessions = json_object();
    if (self->sessions != NULL && write_all(self))
        return &self->base;
    close_file(&self->base);
    return plain_fail(&plain_file, "the file cannot be written");
}

static bool
put(struct plain *plain, const char *id, struct sf_span value)
{
    struct plain_json *self = (struct plain_json *)plain;
    json_t *row = json_pack("{s:s%, s:I}", "value", (const char *)value.data, value.size, "expires",
                            (json_int_t)time(NULL) + PLAIN_LIFETIME_S);

    return json_object_set_new(self->sessions, id, row) == 0 && write_all(self);
}

static bool
read_one(struct plain *plain, const char *id, struct sf_buffer *value_out)
{
    json_t *row = json_object_get(((struct plain_json *)plain)->sessions, id);
    json_t *value = json_object_get(row, "value");

    sf_buffer_clear(value_out);
    return value != NULL && json_integer_value(json_object_get(row, "expires")) > (json_int_t)time(NULL) &&
           sf_buffer_append(value_out, json_string_value(value), json_string_length(value)) == SF_OK;
}

static bool
end(struct plain *plain, const char *id)
{
    struct plain_json *self = (struct plain_json *)plain;

    return json_object_del(self->sessions, id) == 0 && write_all(self);
}

const struct plain_ops plain_file = {
    .scheme = "file",
    .what = "all sessions in memory, the whole file written with each change, not synced",
    .open = open_file,
    .close = close_file,
    .create = put,
    .read = read_one,
    .save = put,
    .end = end,
};
