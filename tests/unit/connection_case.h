/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * connection_case.h - one connection of the gateway, and a web server at its other end, which says what a test wants.
 */
#include "fcgi_gateway/connection.h"
#include "tests/unit/web_server_case.h"

extern struct sf_connection connection;
extern struct sf_params params;
extern struct web_server web;

void connection_case_start(void);
void connection_case_finish(void);

void add_request(uint16_t id, const char *body); /* a whole one, kept until it is said */
enum sf_status connection_begin(sf_time timeout);
void begin_request(const char *body);
size_t take_body(void); /* how much it was */
