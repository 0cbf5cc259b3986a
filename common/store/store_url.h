/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_url.h - where a store on the network is, and how it is spoken to.
 *
 *   scheme://[user[:password]@]host[:port][,host[:port]...][/name][?option=value[&option=value...]]
 *
 * A host is a name, a number ([::1] for IPv6), or the path of a unix socket with its slashes written
 * as %2F; easier to read is ?socket=/PATH and no host. Every part may hold %XX, which is decoded. The
 * options "socket" and "password-file" are known everywhere; the others are each backend's own. No
 * text made here ever holds the password.
 */
#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"

#define SF_STORE_HOSTS_MAX 8
#define SF_STORE_PARAMETERS_MAX 24
#define SF_STORE_PASSWORD_MAX 512

struct sf_store_host {
    const char *name; /* begins with '/': a unix socket */
    uint16_t port;
};

struct sf_store_parameter {
    const char *name, *value;
};

struct sf_store_url {
    char *text;                 /* owned: what the others point into */
    const char *user;           /* "": none */
    const char *name;           /* behind the host: number or name of a database; "": none */
    const char *password;       /* NULL: none in the URL */
    struct sf_store_host hosts[SF_STORE_HOSTS_MAX];
    size_t host_count;
    struct sf_store_parameter parameters[SF_STORE_PARAMETERS_MAX];
    size_t parameter_count;
    char label[128]; /* for logs: without password and options */
};

/* What a backend takes. */
struct sf_store_url_rules {
    uint16_t port;              /* where none is given */
    const char *const *options; /* names, and NULL; besides those that are known everywhere */
};

/* Needs sf_store_url_fini after SF_OK only. SF_INVALID: the text says what is wrong. */
enum sf_status sf_store_url_parse(struct sf_store_url *url_out, const char *text,
                                  const struct sf_store_url_rules *rules, struct sf_error *error) SF_MUST_CHECK;
void sf_store_url_fini(struct sf_store_url *url); /* wipes the password */
void sf_store_url_keep_host(struct sf_store_url *url, size_t host); /* and none of the others */

const char *sf_store_url_option(const struct sf_store_url *url, const char *name); /* NULL: not given */

/* A whole number from `min` to `max`; not given: `preset`. */
enum sf_status sf_store_url_number(int64_t *number_out, const struct sf_store_url *url, const char *name,
                                   int64_t preset, int64_t min, int64_t max, struct sf_error *error) SF_MUST_CHECK;

/*
 * The password of the URL, or the first line of its password-file, which is read each time so that it can be changed;
 * "" when there is neither. The caller wipes it. SF_UNAVAILABLE: the file cannot be read. SF_INVALID: others than its
 * owner and group can read it, or it is too long.
 */
enum sf_status sf_store_url_password(char password_out[SF_STORE_PASSWORD_MAX], const struct sf_store_url *url,
                                     struct sf_error *error) SF_MUST_CHECK;

/* The same of a file that another option names; NULL: "". */
enum sf_status sf_store_password_file(char password_out[SF_STORE_PASSWORD_MAX], const char *path,
                                      struct sf_error *error) SF_MUST_CHECK;
