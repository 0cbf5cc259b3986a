/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_reach.h - the way to a server, step by step: its name is looked up, a connection made and closed.
 */
#include "common/base/clock.h"
#include "common/base/finding.h"
#include "common/store/store_url.h"

/* How far away who may listen on the way is. */
enum sf_reach { SF_REACH_FAILED, SF_REACH_SOCKET, SF_REACH_LOOPBACK, SF_REACH_NETWORK };

/* Sets where the findings are. */
enum sf_reach sf_reach_examine(const char *host, uint16_t port, sf_time deadline, struct sf_findings *findings);

/*
 * All hosts of the URL; its port 0 stands for `port`. Paths are those of sockets, or with a socket_name of a folder
 * where FOLDER/NAME.PORT is one. The farthest that can be reached.
 */
enum sf_reach sf_reach_examine_hosts(const struct sf_store_url *url, uint16_t port, const char *socket_name,
                                     sf_time deadline, struct sf_findings *findings);

/* Who we are there. */
struct sf_reach_login {
    bool is_tls;
    const char *user, *mend; /* mend: where to look if we are not let in */
};

/* With the time since sf_findings_begin. `error` NULL: we are let in. */
void sf_reach_examine_login(const struct sf_reach_login *login, const struct sf_error *error,
                            struct sf_findings *findings);

/* What goes over a network should not be read on the way. */
void sf_reach_examine_secrecy(enum sf_reach reach, bool is_tls, bool is_checked, const char *mend,
                              struct sf_findings *findings);

/* The server's clock when it was asked between `before` and `after` (wall clock). */
void sf_reach_examine_clock(sf_time server, sf_time before, sf_time after, struct sf_findings *findings);
