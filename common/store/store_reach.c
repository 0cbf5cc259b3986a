/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_reach.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/store/resolver.h"

#define PATH_TEXT 256
#define CLOCK_WARNING SF_SECOND
#define CLOCK_ERROR (2 * SF_MINUTE) /* so much longer a session is kept than it lives */

/* ---- a connection ---- */

/* 0 or errno. */
static int
wait_connected(int socket, sf_time deadline)
{
    struct pollfd one = {.fd = socket, .events = POLLOUT};
    int failed = 0;
    socklen_t size = sizeof failed;
    for (;;) {
        sf_time left = deadline - sf_clock_steady();
        if (left <= 0)
            return ETIMEDOUT;
        int ready = poll(&one, 1, left > INT_MAX ? INT_MAX : (int)left);
        if (ready > 0)
            break;
        if (ready < 0 && errno != EINTR)
            return errno;
    }
    return getsockopt(socket, SOL_SOCKET, SO_ERROR, &failed, &size) == 0 ? failed : errno;
}

static int
try_address(const struct sf_address *address, sf_time deadline)
{
    int failed = 0;
    int one = socket(address->socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (one < 0)
        return errno;
    if (connect(one, (const struct sockaddr *)&address->socket, address->size) != 0)
        failed = errno == EINPROGRESS || errno == EINTR ? wait_connected(one, deadline) : errno;
    close(one);
    return failed;
}

static enum sf_reach
reach_of(const struct sf_address *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->socket;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->socket;
    bool is_loopback = false;
    if (address->socket.ss_family == AF_UNIX)
        return SF_REACH_SOCKET;
    if (address->socket.ss_family == AF_INET)
        is_loopback = ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    if (address->socket.ss_family == AF_INET6)
        is_loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    return is_loopback ? SF_REACH_LOOPBACK : SF_REACH_NETWORK;
}

/* The first address that takes it does, as for the store itself. */
static enum sf_reach
connect_any(const struct sf_addresses *addresses, sf_time deadline, struct sf_findings *findings)
{
    char text[SF_ADDRESS_TEXT] = "";
    int failed = 0;
    for (size_t i = 0; i < addresses->count; i++) {
        sf_time now = sf_clock_steady();
        const struct sf_address *address = &addresses->list[i];
        sf_address_format(address, text);
        sf_findings_begin(findings);
        failed = try_address(address, now + (deadline - now) / (sf_time)(addresses->count - i));
        if (failed != 0)
            continue;
        sf_found(findings, SF_FINDING_OK, "connect", "", "%s", text);
        return reach_of(address);
    }
    sf_found(findings, SF_FINDING_ERROR, "connect",
             "does the server run, and does it listen there? is there a firewall?",
             "%s: %s", text, strerror(failed));
    return SF_REACH_FAILED;
}

enum sf_reach
sf_reach_examine(const char *host, uint16_t port, sf_time deadline, struct sf_findings *findings)
{
    struct sf_addresses addresses;
    struct sf_error error = {.text = "no memory"};
    struct sf_resolver *resolver = sf_resolver_new(host, port, sf_resolver_ask_system);
    enum sf_status status = SF_NO_MEMORY;
    bool is_path = host[0] == '/';
    snprintf(findings->where, sizeof findings->where, is_path ? "%s" : "%s:%u", host, port);
    sf_findings_begin(findings);
    if (resolver != NULL)
        status = sf_resolver_find(resolver, deadline, &addresses, &error);
    sf_resolver_free(resolver);
    if (status != SF_OK) {
        sf_found(findings, SF_FINDING_ERROR, "look up", "is the name right? do /etc/hosts and DNS know it?", "%s",
                 error.text);
        return SF_REACH_FAILED;
    }
    if (!is_path)
        sf_found(findings, SF_FINDING_OK, "look up", "", "%zu address%s", addresses.count,
                 addresses.count == 1 ? "" : "es");
    return connect_any(&addresses, deadline, findings);
}

enum sf_reach
sf_reach_examine_hosts(const struct sf_store_url *url, uint16_t port, const char *socket_name, sf_time deadline,
                       struct sf_findings *findings)
{
    enum sf_reach farthest = SF_REACH_FAILED;
    for (size_t i = 0; i < url->host_count; i++) {
        const struct sf_store_host *host = &url->hosts[i];
        uint16_t its_port = host->port == 0 ? port : host->port;
        bool is_in_folder = host->name[0] == '/' && socket_name != NULL;
        char path[PATH_TEXT];
        snprintf(path, sizeof path, "%s/%s.%u", host->name, socket_name == NULL ? "" : socket_name, its_port);
        enum sf_reach reach = sf_reach_examine(is_in_folder ? path : host->name, its_port,
                                               sf_resolver_share(deadline, url->host_count - i), findings);
        farthest = reach > farthest ? reach : farthest;
    }
    findings->where[0] = '\0';
    return farthest;
}

/* ---- what it says of the way ---- */

void
sf_reach_examine_login(const struct sf_reach_login *login, const struct sf_error *error, struct sf_findings *findings)
{
    const char *what = login->is_tls ? "TLS, log in" : "log in";
    if (error == NULL)
        sf_found(findings, SF_FINDING_OK, what, "", "as %s", login->user);
    else
        sf_found(findings, SF_FINDING_ERROR, what, login->mend, "%s", error->text);
}

void
sf_reach_examine_secrecy(enum sf_reach reach, bool is_tls, bool is_checked, const char *mend,
                         struct sf_findings *findings)
{
    if (reach == SF_REACH_SOCKET)
        sf_found(findings, SF_FINDING_OK, "secrecy", "", "a unix socket");
    else if (is_tls && is_checked)
        sf_found(findings, SF_FINDING_OK, "secrecy", "", "TLS, and the certificate is checked");
    else if (is_tls)
        sf_found(findings, reach == SF_REACH_LOOPBACK ? SF_FINDING_OK : SF_FINDING_WARNING, "secrecy", mend,
                 "TLS, but anybody's certificate is taken");
    else if (reach == SF_REACH_LOOPBACK)
        sf_found(findings, SF_FINDING_OK, "secrecy", "", "it stays on this machine");
    else
        sf_found(findings, SF_FINDING_WARNING, "secrecy", mend,
                 "all that is said, passwords too, goes over a network as plain text");
}

void
sf_reach_examine_clock(sf_time server, sf_time before, sf_time after, struct sf_findings *findings)
{
    sf_time difference = server < before ? server - before : server > after ? server - after : 0;
    sf_time size = difference < 0 ? -difference : difference;
    enum sf_finding_level level = size >= CLOCK_ERROR     ? SF_FINDING_ERROR
                                  : size >= CLOCK_WARNING ? SF_FINDING_WARNING
                                                          : SF_FINDING_OK;
    if (size == 0) {
        sf_found(findings, SF_FINDING_OK, "clock", "", "goes as ours does");
        return;
    }
    sf_found(findings, level, "clock", level == SF_FINDING_OK ? "" : "run chrony or another NTP client on both",
             "%" PRId64 " ms %s ours", size, difference < 0 ? "behind" : "ahead of");
}
