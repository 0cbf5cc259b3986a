/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * cgi_header.h - the header block in front of an application's answer, CGI or FastCGI, as it
 * arrives.
 *
 * Lines end with "\n" or "\r\n", mixed as they may be; the block ends with an empty line. A first
 * line "HTTP/1.1 200 OK", as nph- programs write it, counts as Status. Strict where a mistake would
 * let an application's text become headers of its own: names are tokens, values have no control
 * characters but tabs, no line is continued.
 */
#include "common/base/bytes.h"

struct sf_cgi_header {
    struct sf_buffer text; /* the block as it came */
    size_t line_at;        /* begin of the line that is not whole yet */
    size_t fields_at;      /* behind the status line, if there is one */
    bool is_nph;           /* there is one */
    unsigned status;       /* 200 to 999; 0: not said */
    size_t reason_at, reason_size;
};

struct sf_cgi_field {
    struct sf_span name, value; /* value without blanks around it */
};

void sf_cgi_header_init(struct sf_cgi_header *header, size_t size_limit);
void sf_cgi_header_fini(struct sf_cgi_header *header);
void sf_cgi_header_clear(struct sf_cgi_header *header); /* for the next answer; keeps the memory */

/*
 * Takes from the front of *input what belongs to the block. SF_OK: it is complete, *input is the
 * body; SF_NOT_FOUND: all was taken, more is needed. SF_FULL: longer than the limit; SF_INVALID:
 * malformed, or empty.
 */
enum sf_status sf_cgi_header_feed(struct sf_cgi_header *header,
                                  struct sf_span *input) SF_MUST_CHECK;

/*
 * The fields of a complete block, Status left out: *at is 0 before the first. false: there are no
 * more.
 */
bool sf_cgi_header_next(const struct sf_cgi_header *header, size_t *at,
                        struct sf_cgi_field *field_out);

/* The first of that name, in any case; an empty span for none. */
struct sf_span sf_cgi_header_find(const struct sf_cgi_header *header, const char *name);
/* No Content-Length, or the same number wherever there is one: all must agree on where the answer
 * ends. */
bool sf_cgi_header_has_one_length(const struct sf_cgi_header *header);
bool sf_cgi_field_is(const struct sf_cgi_field *field, const char *name);

/* What the application said behind the number; empty: nothing. */
struct sf_span sf_cgi_header_reason(const struct sf_cgi_header *header);
