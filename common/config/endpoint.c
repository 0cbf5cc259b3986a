/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "common/base/bytes.h"

#define UNIX_SCHEME "unix:"
#define PORT_MAX 65535

static bool
parse_unix(struct sf_endpoint *endpoint, const char *path)
{
    struct sockaddr_un *address = (struct sockaddr_un *)&endpoint->address;
    size_t length = strlen(path);
    if (*path != '/' || length >= sizeof address->sun_path)
        return false;
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length + 1);
    endpoint->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    return true;
}

static bool
parse_port(const char *text, in_port_t *port_out)
{
    int64_t number;
    if (sf_int64_parse(sf_span_text(text), &number) != SF_OK || number < 1 || number > PORT_MAX)
        return false;
    *port_out = htons((in_port_t)number);
    return true;
}

/* The address between `begin` and `end`, without its brackets. */
static bool
parse_address(struct sf_endpoint *endpoint, const char *begin, const char *end, in_port_t port)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&endpoint->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&endpoint->address;
    char text[INET6_ADDRSTRLEN + 2];
    size_t length = (size_t)(end - begin);
    if (length == 0 || length >= sizeof text)
        return false;
    memcpy(text, begin, length);
    text[length] = '\0';
    if (text[0] == '[' && text[length - 1] == ']') {
        text[length - 1] = '\0';
        *v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
        endpoint->size = sizeof *v6;
        return inet_pton(AF_INET6, text + 1, &v6->sin6_addr) == 1;
    }
    *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
    endpoint->size = sizeof *v4;
    return inet_pton(AF_INET, text, &v4->sin_addr) == 1;
}

enum sf_status
sf_endpoint_parse(struct sf_endpoint *endpoint_out, const char *text, struct sf_error *error)
{
    const char *colon = strrchr(text, ':');
    in_port_t port = 0;
    bool is_right;
    memset(endpoint_out, 0, sizeof *endpoint_out);
    if (strncmp(text, UNIX_SCHEME, sizeof UNIX_SCHEME - 1) == 0)
        is_right = parse_unix(endpoint_out, text + sizeof UNIX_SCHEME - 1);
    else
        is_right = colon != NULL && parse_port(colon + 1, &port) &&
                   parse_address(endpoint_out, text, colon, port);
    if (is_right)
        return SF_OK;
    return sf_error_set(error, SF_INVALID,
                        "'%.120s' is no place to connect to (unix:/PATH of up to 107 bytes, "
                        "127.0.0.1:PORT, [::1]:PORT)",
                        text);
}

bool
sf_endpoint_is_local(const struct sf_endpoint *endpoint)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&endpoint->address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&endpoint->address;
    if (endpoint->address.ss_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return endpoint->address.ss_family == AF_UNIX || IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}
