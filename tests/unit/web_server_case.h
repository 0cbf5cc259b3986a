/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * web_server_case.h - what the test programs of the gateway share: a web server's end of a
 * connection, which says what it is told to and keeps what it hears.
 */
#include "common/base/clock.h"
#include "fcgi_gateway/fcgi_record.h"

#define SOON (20 * SF_SECOND) /* never reached where something is awaited */
#define NOW ((sf_time)10)     /* where nothing is to come */

struct web_server {
    int socket;            /* does not block; -1: closed */
    struct sf_buffer says; /* records that were added and not said yet */
    struct sf_fcgi_reader reader;
    struct sf_buffer heard;          /* "TYPE:CONTENT;" for each record, since the last look */
    struct sf_buffer output, errors; /* all of STDOUT and STDERR, with a NUL that is not counted */
    unsigned char end_body[SF_FCGI_BODY_BYTES];
    size_t end_size;
    bool has_end; /* of the request */
    struct sf_fcgi_end end;
};

/* Returns the other end, which does not block either. */
int web_server_init(struct web_server *web);
void web_server_connect(struct web_server *web, const char *path);
void web_server_fini(struct web_server *web);
void web_server_close(struct web_server *web);

/* ---- what it says ---- */

void add_begin(struct web_server *web, uint16_t id, enum sf_fcgi_role role, bool is_kept);
/* All of PARAMS: one variable. */
void add_param(struct web_server *web, uint16_t id, const char *name, const char *value);
void add_stream(struct web_server *web, enum sf_fcgi_type type, uint16_t id,
                struct sf_span content);
/* The first `size` bytes of what was added, or all of it. */
void say(struct web_server *web, size_t size);
void say_all(struct web_server *web);
/* Until what it has said was read. */
void await_reader(const struct web_server *web);

/* ---- what it hears ---- */

/* What has come, without waiting. false: and then the connection was closed. */
bool hear(struct web_server *web);
/* Waits for the end of a request; false: for that of the connection. */
bool hear_end(struct web_server *web);
/* Hears; the end of a request is "3:STATUS,PROTOCOL_STATUS;". Forgets what was heard. */
void assert_heard(struct web_server *web, const char *expected);
const char *output_of(const struct web_server *web);
