/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * workers.h - the threads that serve connections, each one at a time, and who waits for them.
 *
 * Idle threads wait at the sockets; a connection wakes one, which accepts for itself. While all are
 * busy a thread of its own accepts: those connections wait in a queue, for GatewayQueueTime at
 * most, and are then answered 503. A connection that a web server keeps without
 * using it is closed when somebody waits.
 */
#include "fcgi_gateway/gateway.h"
#include "fcgi_gateway/listeners.h"

struct sf_workers;

/* Both must outlive it. SF_UNAVAILABLE: not as many threads can be made. */
enum sf_status sf_workers_start(struct sf_workers **workers_out, struct sf_gateway *gateway,
                                const struct sf_listeners *listeners,
                                struct sf_error *error) SF_MUST_CHECK;

/*
 * No connection more; waits until those that are served have ended, at most until `deadline`
 * (steady clock) or until `hurry` (a descriptor, or -1) is readable: then they are cut off. Returns
 * how many were.
 */
unsigned sf_workers_stop(struct sf_workers *workers, sf_time deadline, int hurry);
