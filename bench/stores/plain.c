/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/stores/plain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct plain_ops *const clients[] = {
    &plain_sqlite,
    &plain_file,
#ifdef SF_WITH_POSTGRESQL
    &plain_postgresql,
#endif
#ifdef SF_WITH_MYSQL
    &plain_mysql,
#endif
#ifdef SF_WITH_REDIS
    &plain_redis,
#endif
};

const struct plain_ops *
plain_find(const char *url)
{
    size_t size = strcspn(url, ":");

    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++)
        if (strlen(clients[i]->scheme) == size && strncmp(clients[i]->scheme, url, size) == 0)
            return clients[i];
    return NULL;
}

void
plain_id(char id_out[PLAIN_ID_TEXT], uint64_t number)
{
    snprintf(id_out, PLAIN_ID_TEXT, "%016" PRIx64 "%016" PRIx64, number * 0x9E3779B97F4A7C15u, number);
}

void
plain_value(char *value_out, size_t bytes, uint64_t number, uint64_t version)
{
    char head[64];
    size_t size = (size_t)snprintf(head, sizeof head, "%" PRIu64 " %" PRIu64 " ", number, version);

    memset(value_out, 'x', bytes);
    memcpy(value_out, head, size < bytes ? size : bytes);
}

struct plain *
plain_fail(const struct plain_ops *ops, const char *text)
{
    fprintf(stderr, "bench_stores: a plain client of %s: %s\n", ops->scheme, text);
    return NULL;
}
