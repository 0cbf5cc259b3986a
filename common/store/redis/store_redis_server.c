/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_server.h"

#include <string.h>

#define SENTINEL_PORT 26379
#define DATABASE_MAX 1000000
#define PREFIX "session:"
#define PREFIX_MAX 128
#define REPLICAS_MAX 100

/* ---- what the URL says ---- */

/* "redis" or "rediss", and what is behind it. */
static void
read_scheme(struct sf_redis_server *server, const char *url)
{
    const char *rest = url + strlen("redis");
    server->is_tls = *rest == 's';
    rest += server->is_tls;
    server->kind = strncmp(rest, "-sentinel:", strlen("-sentinel:")) == 0  ? SF_REDIS_SENTINEL
                   : strncmp(rest, "-cluster:", strlen("-cluster:")) == 0 ? SF_REDIS_CLUSTER
                                                                          : SF_REDIS_SINGLE;
}

static enum sf_status
check_tls(const struct sf_redis_server *server, struct sf_error *error)
{
    const struct sf_wire_tls *tls = &server->tls;
    if (server->is_tls && *server->url.hosts[0].name == '/')
        return sf_error_set(error, SF_INVALID, "URL: rediss: is for hosts; a unix socket needs no TLS");
    if (!server->is_tls && (tls->ca != NULL || tls->certificate != NULL || tls->key != NULL))
        return sf_error_set(error, SF_INVALID, "URL: options ca, cert and key are for rediss:");
    return SF_OK;
}

static enum sf_status
check_cluster(const struct sf_redis_server *server, struct sf_error *error)
{
    if (server->database != 0)
        return sf_error_set(error, SF_INVALID, "URL: a Cluster has no other database than 0");
    if (strchr(server->prefix, '{') != NULL)
        return sf_error_set(error, SF_INVALID, "URL: option prefix: a brace would bring all keys to one node");
    return SF_OK;
}

static enum sf_status
check_kind(const struct sf_redis_server *server, struct sf_error *error)
{
    const struct sf_store_url *url = &server->url;
    bool is_sentinel = server->kind == SF_REDIS_SENTINEL;
    bool is_for_sentinels = sf_store_url_option(url, "sentinel-user") != NULL
                            || sf_store_url_option(url, "sentinel-password-file") != NULL;
    if (is_sentinel && (server->master == NULL || *server->master == '\0'))
        return sf_error_set(error, SF_INVALID, "URL: option master: is missing: the name that the Sentinels know");
    if (server->kind != SF_REDIS_SINGLE && *url->hosts[0].name == '/')
        return sf_error_set(error, SF_INVALID, "URL: Sentinels and nodes of a Cluster are asked by host and port");
    if (!is_sentinel && (server->master != NULL || is_for_sentinels))
        return sf_error_set(error, SF_INVALID,
                            "URL: options master and sentinel-... are for redis-sentinel: and rediss-sentinel:");
    return server->kind == SF_REDIS_CLUSTER ? check_cluster(server, error) : SF_OK;
}

static enum sf_status
read_url(struct sf_redis_server *server, struct sf_error *error)
{
    const struct sf_store_url *url = &server->url;
    const char *prefix = sf_store_url_option(url, "prefix");
    server->prefix = prefix != NULL ? prefix : server->is_cache ? SF_REDIS_CACHE_PREFIX : PREFIX;
    server->master = sf_store_url_option(url, "master");
    server->tls = (struct sf_wire_tls){.ca = sf_store_url_option(url, "ca"),
                                       .certificate = sf_store_url_option(url, "cert"),
                                       .key = sf_store_url_option(url, "key")};
    if (strlen(server->prefix) > PREFIX_MAX)
        return sf_error_set(error, SF_INVALID, "URL: option prefix: longer than %d bytes", PREFIX_MAX);
    if (*url->name != '\0'
        && (sf_int64_parse(sf_span_text(url->name), &server->database) != SF_OK || server->database < 0
            || server->database > DATABASE_MAX))
        return sf_error_set(error, SF_INVALID, "URL: behind the host stands the number of a database");
    enum sf_status status = sf_store_url_number(&server->replicas, url, "wait", 0, 0, REPLICAS_MAX, error);
    if (status == SF_OK)
        status = check_tls(server, error);
    return status == SF_OK ? check_kind(server, error) : status;
}

/* ---- life ---- */

static enum sf_status
make_resolvers(struct sf_redis_server *server, struct sf_error *error)
{
    for (size_t i = 0; i < server->url.host_count; i++) {
        const struct sf_store_host *host = &server->url.hosts[i];
        server->resolvers[i] = sf_resolver_new(host->name, host->port, sf_resolver_ask_system);
        if (server->resolvers[i] == NULL)
            return sf_error_set(error, SF_NO_MEMORY, "URL: no memory");
    }
    return SF_OK;
}

enum sf_status
sf_redis_server_init(struct sf_redis_server *server, const char *url, struct sf_error *error)
{
    static const char *const options[] = {
        "prefix", "ca", "cert", "key", "wait", "master", "sentinel-user", "sentinel-password-file",
        NULL};
    read_scheme(server, url);
    struct sf_store_url_rules rules = {.port = server->kind == SF_REDIS_SENTINEL ? SENTINEL_PORT : SF_REDIS_PORT,
                                       .options = options};
    enum sf_status status = sf_store_url_parse(&server->url, url, &rules, error);
    if (status == SF_OK)
        status = read_url(server, error);
    return status == SF_OK ? make_resolvers(server, error) : status;
}

enum sf_status
sf_redis_server_init_cache(struct sf_redis_server *server, const char *url, const struct sf_store_url_rules *rules,
                           size_t host, struct sf_error *error)
{
    server->is_cache = true;
    read_scheme(server, url);
    enum sf_status status = sf_store_url_parse(&server->url, url, rules, error);
    if (status != SF_OK)
        return status;
    sf_store_url_keep_host(&server->url, host);
    status = read_url(server, error);
    return status == SF_OK ? make_resolvers(server, error) : status;
}

void
sf_redis_server_fini(struct sf_redis_server *server)
{
    for (size_t i = 0; i < SF_STORE_HOSTS_MAX; i++)
        sf_resolver_free(server->resolvers[i]);
    sf_store_url_fini(&server->url);
}

/* ---- places ---- */

enum sf_status
sf_redis_place_set(struct sf_redis_place *place_out, struct sf_span host, int64_t port)
{
    *place_out = (struct sf_redis_place){.port = (uint16_t)port};
    bool is_name = host.size > 0 && host.size < sizeof place_out->host && host.data[0] != '/'
                   && memchr(host.data, '\0', host.size) == NULL;
    if (!is_name || port < 1 || port > UINT16_MAX)
        return SF_INVALID;
    memcpy(place_out->host, host.data, host.size);
    sf_text_clean(place_out->host);
    return SF_OK;
}

bool
sf_redis_place_equal(const struct sf_redis_place *a, const struct sf_redis_place *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}
