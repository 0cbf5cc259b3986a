/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * response.h - an application's answer on its way to the web server: its header block is read, what
 * it says about the session is done, and only then headers and body go on, as they come.
 */
#include "fcgi_gateway/cgi_header.h"
#include "fcgi_gateway/request.h"

enum sf_response_state {
    SF_RESPONSE_HEADER,  /* the block is not complete */
    SF_RESPONSE_BODY,    /* what comes goes on as it is */
    SF_RESPONSE_DROPPED, /* something else is answered, here or elsewhere: what comes is dropped */
    SF_RESPONSE_FAILED,  /* an error was answered: nothing more of the application is wanted */
    SF_RESPONSE_BROKEN   /* ended in the middle: closed, so that nobody takes it for whole */
};

struct sf_response {
    struct sf_request *request;
    enum sf_response_state state;
    struct sf_cgi_header header;
    struct sf_buffer head; /* as it is sent; then scratch */
};

void sf_response_init(struct sf_response *response, struct sf_request *request);
void sf_response_fini(struct sf_response *response);

/* What the application wrote to STDOUT, while the connection has room; all of it is taken. */
void sf_response_feed(struct sf_response *response, struct sf_span output);

/* STDERR: to the web server's log. */
void sf_response_note(struct sf_response *response, struct sf_span output);

/* The application has written all it will. SF_RESPONSE_HEADER becomes 502. */
void sf_response_finish(struct sf_response *response);

/*
 * The application has failed. Answers `status` (500 to 504) when nothing of its own was sent,
 * breaks off when something was. `why`: for the log.
 */
void sf_response_fail(struct sf_response *response, unsigned status, const char *why);

/* Answers `status` and a line of text in place of an application: 403, 404, 503, ... */
void sf_response_refuse(struct sf_response *response, unsigned status);
