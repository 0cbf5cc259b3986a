/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/connection_case.h"

#include <check.h>

struct sf_connection connection;
struct sf_params params;
struct web_server web;

void
connection_case_start(void)
{
    ck_assert_int_eq(sf_connection_init(&connection, web_server_init(&web)), SF_OK);
    sf_params_init(&params, 4096, 50);
}

void
connection_case_finish(void)
{
    sf_connection_fini(&connection);
    sf_params_fini(&params);
    web_server_fini(&web);
}

void
add_request(uint16_t id, const char *body)
{
    add_begin(&web, id, SF_FCGI_RESPONDER, true);
    add_param(&web, id, "A", "1");
    add_stream(&web, SF_FCGI_STDIN, id, sf_span_text(body));
}

enum sf_status
connection_begin(sf_time timeout)
{
    const struct sf_connection_times times = {timeout, timeout, 0};
    return sf_connection_begin(&connection, &params, &times, -1);
}

void
begin_request(const char *body)
{
    add_request(1, body);
    say_all(&web);
    ck_assert_int_eq(connection_begin(SOON), SF_OK);
}

size_t
take_body(void)
{
    size_t taken = 0;
    while (!sf_connection_is_body_taken(&connection)) {
        size_t size = sf_connection_body(&connection).size;
        taken += size;
        if (size > 0)
            sf_connection_take(&connection, size);
        else
            ck_assert(sf_connection_await(&connection, SOON));
    }
    return taken;
}
