/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * response_head.h - the header block of an answer: what the application says in it about the
 * session is done, and what the web server gets is made, into `head` of the response.
 */
#include "fcgi_gateway/response.h"

/* Once the application's block is complete: does what it says about the session, all of it. */
void sf_response_head_hear(struct sf_response *response);

/*
 * The application's block as it goes on: without what is about session, connection or web server,
 * with the session's cookie, and rules for caches. SF_FULL, SF_NO_MEMORY.
 */
enum sf_status sf_response_head_make(struct sf_response *response) SF_MUST_CHECK;

/* In its place one of our own, with a line of text behind it; the session's cookie and rules all
 * the same. */
enum sf_status sf_response_head_refuse(struct sf_response *response, unsigned status) SF_MUST_CHECK;
