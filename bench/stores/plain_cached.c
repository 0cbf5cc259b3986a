/* SPDX-License-Identifier: Apache-2.0 */
/* memcached in front of another client, by the text protocol of a bare socket. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/stores/plain.h"
#include "bench/targets/client.h"

struct plain_cached {
    struct plain base;
    struct plain *inner;
    struct client client;
};

static const struct plain_ops cached;

static void
close_cache(struct plain *plain)
{
    struct plain_cached *self = (struct plain_cached *)plain;

    client_close(&self->client);
    free(self);
}

static bool
answers(struct plain_cached *self, const char *wanted)
{
    const char *line = client_send(&self->client) ? client_line(&self->client) : NULL;

    return line != NULL && strcmp(line, wanted) == 0;
}

static bool
fill(struct plain_cached *self, const char *id, struct sf_span value)
{
    struct sf_buffer *sent = &self->client.sent;

    return sf_buffer_append_format(sent, "set %s 0 %d %zu\r\n", id, PLAIN_LIFETIME_S, value.size) == SF_OK &&
           sf_buffer_append(sent, value.data, value.size) == SF_OK && sf_buffer_append_text(sent, "\r\n") == SF_OK &&
           answers(self, "STORED");
}

static bool
forget(struct plain *plain, const char *id)
{
    struct plain_cached *self = (struct plain_cached *)plain;

    return sf_buffer_append_format(&self->client.sent, "delete %s\r\n", id) == SF_OK && answers(self, "DELETED");
}

static bool
create(struct plain *plain, const char *id, struct sf_span value)
{
    struct plain_cached *self = (struct plain_cached *)plain;

    return self->inner->ops->create(self->inner, id, value) && fill(self, id, value);
}

static bool
save(struct plain *plain, const char *id, struct sf_span value)
{
    struct plain_cached *self = (struct plain_cached *)plain;

    return self->inner->ops->save(self->inner, id, value) && fill(self, id, value);
}

static bool
end(struct plain *plain, const char *id)
{
    struct plain_cached *self = (struct plain_cached *)plain;

    return self->inner->ops->end(self->inner, id) && forget(plain, id);
}

static bool
load(struct plain_cached *self, const char *id, struct sf_buffer *value_out)
{
    return self->inner->ops->read(self->inner, id, value_out) && fill(self, id, sf_buffer_span(value_out));
}

static bool
read_one(struct plain *plain, const char *id, struct sf_buffer *value_out)
{
    struct plain_cached *self = (struct plain_cached *)plain;
    size_t size;

    if (sf_buffer_append_format(&self->client.sent, "get %s\r\n", id) != SF_OK || !client_send(&self->client))
        return false;
    const char *line = client_line(&self->client);
    if (line != NULL && strcmp(line, "END") == 0)
        return load(self, id, value_out);
    if (line == NULL || sscanf(line, "VALUE %*s %*u %zu", &size) != 1)
        return false;
    const unsigned char *value = client_bytes(&self->client, size);
    sf_buffer_clear(value_out);
    if (value == NULL || sf_buffer_append(value_out, value, size) != SF_OK)
        return false;
    line = client_line(&self->client);
    return line != NULL && strcmp(line, "END") == 0;
}

struct plain *
plain_cached_open(struct plain *inner, const char *socket_path)
{
    struct plain_cached *self = calloc(1, sizeof *self);

    if (self == NULL)
        return plain_fail(&cached, "no memory");
    *self = (struct plain_cached){.base.ops = &cached, .inner = inner};
    if (client_open(&self->client, socket_path))
        return &self->base;
    client_close(&self->client);
    free(self);
    return plain_fail(&cached, "it does not answer");
}

static const struct plain_ops cached = {
    .scheme = "memcached",
    .what = "memcached in front of that, on a unix socket",
    .close = close_cache,
    .create = create,
    .read = read_one,
    .save = save,
    .end = end,
    .forget = forget,
};
