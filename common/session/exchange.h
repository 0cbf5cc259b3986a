/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * exchange.h - what an application says about its session: response headers that become ops.
 *
 *   X-Session-Login: user                  X-Session-Append: name=value[&...]
 *   X-Session-Replace: name=value[&...]    X-Session-Increment: name[=n][&...]
 *   X-Session-Unset: name[&...]            X-Session-Rotate: anything
 *   X-Session-Set: name=value[&...]        X-Session-Logout: anything
 *
 *   X-Session-Logout-Others: anything      (with or without Login: all other sessions of the user end,
 *                                          on all hosts; this one gets a new id)
 *
 *   X-Session-Durability: journal          (or store, memory: raises the route's for this response)
 *
 * Form-encoded. A bare ',' begins another header of the same name, as HTTP has it for lists: web
 * servers join headers so, some on some ways only. In Login a bare '+' or ',' is refused, because
 * "joe+x@example.org" and "joe x@example.org" are two people: write %2B, %20 or %2C. All such
 * headers of one response make one list, applied whole or not at all, in this order (down the left
 * column, then the right); Logout makes the others void. A malformed one makes the whole list
 * invalid, but a logout is done in any case.
 * The headers never reach the client, whether they were understood or not.
 */
#include "common/config/config.h"
#include "common/session/ops.h"

#define SF_EXCHANGE_BYTES_MAX 65536 /* all values of one response together */
#define SF_EXCHANGE_HEADERS_MAX 64  /* of one response */
#define SF_EXCHANGE_PREFIX "X-Session-"

struct sf_exchange; /* collects the headers of one response; owns the bytes its ops point to */

struct sf_exchange *sf_exchange_new(void); /* NULL: no memory */
void sf_exchange_free(struct sf_exchange *exchange);

/* X-Session-..., in any case; '_', '.' and the like are taken for '-'. */
bool sf_exchange_is_control(const char *header);

/*
 * Request headers that must not get through: all that CGI would make HTTP_SESSION, HTTP_X_SESSION,
 * HTTP_SESSION_... or HTTP_X_SESSION_... of.
 */
bool sf_exchange_is_spoof(const char *header);

/*
 * Unknown X-Session-* names are SF_INVALID too: a typing error must not pass in silence. What was
 * refused here makes sf_exchange_ops fail as well, and that is the better place to look: go on
 * adding, a Logout may follow. Values are copied.
 */
enum sf_status sf_exchange_add(struct sf_exchange *exchange, const char *header, const char *value,
                               struct sf_error *error) SF_MUST_CHECK;

/* What this response wants at least; SF_DURABILITY_MEMORY: whatever the place says. */
enum sf_durability sf_exchange_durability(const struct sf_exchange *exchange);

/*
 * Adds to ops_out (initialised by the caller; as it was on failure). `current` is what the request
 * had read, for Replace and Login; NULL: nothing. The spans live as long as the exchange (and
 * `current`), until the next call. A Login in place of somebody else clears that one's fields; any
 * Login takes away fields of mod_auth_form that name another user.
 */
enum sf_status sf_exchange_ops(struct sf_exchange *exchange, const struct sf_session *current,
                               struct sf_ops *ops_out, struct sf_error *error) SF_MUST_CHECK;
