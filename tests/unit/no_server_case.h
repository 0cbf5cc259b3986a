/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * no_server_case.h - a store on the network, and where its server should be: nobody, or somebody
 * who is none.
 */
#include "common/store/store.h"

void no_server_set_up(void);
void no_server_tear_down(void);

/* "%u" in the URL becomes a port of 127.0.0.1 on which nobody listens, so far. */
void no_server_open(const char *url);

/* The URL is refused in a text that holds `why`, and no "s3cret". */
void no_server_refuses(const char *url, const char *why);

/* Attach, load, write and sweep answer "unavailable" and say why, without a "s3cret". */
void no_server_is_unavailable(sf_time patience, const char *why);

/* Looked up for as long as the test lasts. The program is linked with -Wl,--wrap=getaddrinfo. */
#define NO_SERVER_NAME_THAT_HANGS "hangs.example"
/* The URL begins with that name, which does not keep attach from what 127.0.0.1 says behind it. */
void no_server_is_reached_behind_a_name_that_hangs(const char *url, const char *why);

void no_server_listen(void); /* connects, and says nothing */
/* The same with a server that answers the first bytes it is sent with these, and hangs up. */
void no_server_is_unavailable_after(const char *greeting, const char *why);
/* The same with one that says them at once. */
void no_server_is_unavailable_after_welcome(const char *greeting, const char *why);
