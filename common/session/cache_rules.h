/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * cache_rules.h - what caches between server and browser may do with a response that depends on a
 * session: pure functions over the values of Cache-Control and Vary.
 *
 * `value` is what the application said, all lines of the header joined by ", "; NULL: nothing. The
 * result, one line in place of those, is written to value_out, SF_CACHE_RULES_BYTES(its length).
 */
enum sf_cache_rule {
    SF_CACHE_BY_COOKIE, /* Vary is enough */
    SF_CACHE_PRIVATE,
    SF_CACHE_NO_STORE   /* nor the browser itself */
};

#define SF_CACHE_RULES_BYTES(size) (2 * (size) + 32)

/*
 * Cache-Control. Whatever else the application said stays: max-age, no-cache, must-revalidate, ...
 * Empty: no such header.
 */
void sf_cache_rules_control(enum sf_cache_rule rule, const char *value, char *value_out);

/* The same where the application said nothing, as it is for nearly all responses. */
const char *sf_cache_rules_alone(enum sf_cache_rule rule);

/* Vary, with Cookie in it: nothing else where the application said nothing. */
#define SF_CACHE_RULES_VARY "Cookie"
void sf_cache_rules_vary(const char *value, char *value_out);
