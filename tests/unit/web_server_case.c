/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/web_server_case.h"

#include <check.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void
init(struct web_server *web, int socket)
{
    *web = (struct web_server){.socket = socket};
    sf_buffer_init(&web->says, 1 << 24);
    sf_buffer_init(&web->heard, 1 << 24);
    sf_buffer_init(&web->output, 1 << 24);
    sf_buffer_init(&web->errors, 1 << 24);
}

int
web_server_init(struct web_server *web)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    init(web, ends[1]);
    return ends[0];
}

void
web_server_connect(struct web_server *web, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    ck_assert_int_eq(connect(client, (const struct sockaddr *)&address, sizeof address), 0);
    init(web, client);
}

void
web_server_close(struct web_server *web)
{
    if (web->socket >= 0)
        close(web->socket);
    web->socket = -1;
}

void
web_server_fini(struct web_server *web)
{
    web_server_close(web);
    sf_buffer_fini(&web->says);
    sf_buffer_fini(&web->heard);
    sf_buffer_fini(&web->output);
    sf_buffer_fini(&web->errors);
}

/* ---- what it says ---- */

void
add_begin(struct web_server *web, uint16_t id, enum sf_fcgi_role role, bool is_kept)
{
    unsigned char body[SF_FCGI_BODY_BYTES];
    struct sf_fcgi_begin begin = {(uint16_t)role, is_kept};
    sf_fcgi_begin_encode(&begin, body);
    ck_assert_int_eq(
        sf_fcgi_record_append(&web->says, SF_FCGI_BEGIN_REQUEST, id, sf_span_of(body, sizeof body)),
        SF_OK);
}

void
add_stream(struct web_server *web, enum sf_fcgi_type type, uint16_t id, struct sf_span content)
{
    ck_assert_int_eq(sf_fcgi_stream_append(&web->says, type, id, content), SF_OK);
}

void
add_param(struct web_server *web, uint16_t id, const char *name, const char *value)
{
    struct sf_buffer pairs;
    sf_buffer_init(&pairs, 1 << 20);
    ck_assert_int_eq(sf_fcgi_pair_append(&pairs, sf_span_text(name), sf_span_text(value)), SF_OK);
    add_stream(web, SF_FCGI_PARAMS, id, sf_buffer_span(&pairs));
    sf_buffer_fini(&pairs);
}

void
say(struct web_server *web, size_t size)
{
    ck_assert_int_eq(write(web->socket, web->says.data, size), (ssize_t)size);
    memmove(web->says.data, web->says.data + size, web->says.size - size);
    web->says.size -= size;
}

void
say_all(struct web_server *web)
{
    say(web, web->says.size);
}

void
await_reader(const struct web_server *web)
{
    sf_time deadline = sf_clock_steady() + SOON;
    int unread = 1;
    while (ioctl(web->socket, SIOCOUTQ, &unread) == 0 && unread > 0) {
        ck_assert_msg(sf_clock_steady() < deadline, "nobody reads what was said");
        poll(NULL, 0, 1);
    }
    ck_assert_int_eq(unread, 0);
}

/* ---- what it hears ---- */

static void
append_text(struct sf_buffer *text, struct sf_span span)
{
    ck_assert_int_eq(sf_buffer_append_span(text, span), SF_OK);
    ck_assert_int_eq(sf_buffer_reserve(text, 1), SF_OK);
    text->data[text->size] = '\0';
}

static void
keep_end(struct web_server *web, const struct sf_fcgi_piece *piece)
{
    ck_assert_uint_le(web->end_size + piece->content.size, sizeof web->end_body);
    memcpy(web->end_body + web->end_size, piece->content.data, piece->content.size);
    web->end_size += piece->content.size;
    if (!piece->is_last)
        return;
    sf_fcgi_end_decode(web->end_body, &web->end);
    web->has_end = true;
    web->end_size = 0;
    ck_assert_int_eq(sf_buffer_append_format(&web->heard, "%u,%u", web->end.application_status,
                                             web->end.protocol_status),
                     SF_OK);
}

static void
keep(struct web_server *web, struct sf_span input)
{
    struct sf_fcgi_piece piece;
    while (sf_fcgi_reader_take(&web->reader, &input, &piece) == SF_OK) {
        if (web->reader.content_left + piece.content.size == piece.record_size)
            ck_assert_int_eq(sf_buffer_append_format(&web->heard, "%u:", piece.type), SF_OK);
        if (piece.type == SF_FCGI_END_REQUEST)
            keep_end(web, &piece);
        else
            append_text(&web->heard, piece.content);
        if (piece.type == SF_FCGI_STDOUT)
            append_text(&web->output, piece.content);
        if (piece.type == SF_FCGI_STDERR)
            append_text(&web->errors, piece.content);
        if (piece.is_last)
            append_text(&web->heard, sf_span_text(";"));
    }
}

bool
hear(struct web_server *web)
{
    static _Thread_local unsigned char bytes[1 << 16];
    ssize_t got;
    while ((got = read(web->socket, bytes, sizeof bytes)) > 0)
        keep(web, sf_span_of(bytes, (size_t)got));
    return got < 0 && errno == EAGAIN;
}

bool
hear_end(struct web_server *web)
{
    sf_time deadline = sf_clock_steady() + SOON;
    bool is_open = true;
    web->has_end = false;
    while ((is_open = hear(web)) && !web->has_end) {
        struct pollfd wait = {web->socket, POLLIN, 0};
        ck_assert_msg(sf_clock_steady() < deadline, "no end of the request");
        poll(&wait, 1, (int)SOON);
    }
    return web->has_end;
}

void
assert_heard(struct web_server *web, const char *expected)
{
    hear(web);
    ck_assert_msg(sf_span_equal(sf_buffer_span(&web->heard), sf_span_text(expected)), "%.*s",
                  (int)web->heard.size, (const char *)web->heard.data);
    sf_buffer_clear(&web->heard);
}

const char *
output_of(const struct web_server *web)
{
    return web->output.size > 0 ? (const char *)web->output.data : "";
}
