/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/cgi_run.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fcgi_gateway/cgi_spawn.h"
#include "fcgi_gateway/patience.h"

#define PART_BYTES 16384 /* of what is looked at: headers, errors */
#define PIPE_PARTS 4     /* what a pipe holds; what is written later is that of others */
#define EXIT_TIME 100    /* ms between the end of the output and that of the program, as a rule */

enum outcome { RUNNING, ANSWERED, REFUSED, OUT_OF_TIME, GIVEN_UP };

struct run {
    struct sf_request *request;
    struct sf_response *response;
    struct sf_connection *connection;
    struct sf_cgi_process process;
    enum outcome outcome;
    bool has_ended; /* the program; what it started may hold its output open */
    size_t left;    /* of its output, once it has ended; what comes behind is of others */
    uint64_t moved; /* by the program; together with the connection's it is the progress */
    struct sf_patience patience;
    enum sf_patience_end end; /* while OUT_OF_TIME */
    unsigned char part[PART_BYTES];
};

enum { CONNECTION, INPUT, OUTPUT, ERRORS, END, CUT, WAITS };

/* ---- which program, and what it is told ---- */

static enum sf_status
find_program(const struct sf_request *request, struct sf_cgi_path *path_out, struct sf_error *error)
{
    const struct sf_config *config = &request->route->config;
    const char *below = request->path + sf_route_prefix_size(request->route);
    if (*config->cgi_program != '\0')
        return sf_cgi_path_open(path_out, config->cgi_program, error);
    return sf_cgi_path_find(path_out, config->cgi_directory, below, config->cgi_symlinks, error);
}

/* How much of the path is the program's name; what is behind it is PATH_INFO. */
static size_t
script_size(const struct sf_request *request, const struct sf_cgi_path *path)
{
    const struct sf_route *route = request->route;
    if (*route->config.cgi_program == '\0')
        return sf_route_prefix_size(route) + path->used;
    return sf_route_part_size(route, request->path);
}

/* "ROOT" and what follows it as one value. */
static enum sf_status
set_joined(struct sf_params *params, const char *name, const char *root, const char *rest,
           size_t rest_size)
{
    char *value;
    if (asprintf(&value, "%s%.*s", root, (int)rest_size, rest) < 0)
        return SF_NO_MEMORY;
    enum sf_status status = sf_params_set_text(params, name, value);
    free(value);
    return status;
}

static enum sf_status
set_path_info(struct sf_request *request, const char *info)
{
    struct sf_params *params = request->params;
    const char *root = sf_params_get(params, "DOCUMENT_ROOT");
    sf_params_remove(params, "PATH_INFO");
    sf_params_remove(params, "PATH_TRANSLATED");
    if (*info == '\0')
        return SF_OK;
    enum sf_status status = sf_params_set_text(params, "PATH_INFO", info);
    return status == SF_OK && root != NULL
               ? set_joined(params, "PATH_TRANSLATED", root, info, strlen(info))
               : status;
}

static void
remove_if_empty(struct sf_params *params, const char *name)
{
    const char *value = sf_params_get(params, name);
    if (value != NULL && *value == '\0')
        sf_params_remove(params, name);
}

static enum sf_status
set_params(struct sf_request *request, const struct sf_cgi_path *path)
{
    const struct sf_config *config = &request->route->config;
    struct sf_params *params = request->params;
    size_t size = script_size(request, path), prefix = sf_route_prefix_size(request->route);
    sf_params_filter(params, sf_cgi_is_for_the_loader);
    enum sf_status status = sf_params_set(params, "SCRIPT_NAME", sf_span_of(request->path, size));
    remove_if_empty(params, "CONTENT_LENGTH");
    remove_if_empty(params, "CONTENT_TYPE");
    if (status == SF_OK)
        status = sf_params_set_text(params, "GATEWAY_INTERFACE", "CGI/1.1");
    if (status == SF_OK && *config->cgi_program != '\0')
        status = sf_params_set_text(params, "SCRIPT_FILENAME", config->cgi_program);
    else if (status == SF_OK)
        status = set_joined(params, "SCRIPT_FILENAME", config->cgi_directory,
                            request->path + prefix, path->used);
    return status == SF_OK ? set_path_info(request, request->path + size) : status;
}

/* ---- moving ---- */

/* What the program does not read is not kept for it: it may have ended, or never look at its input.
 */
static void
give_body(struct run *run)
{
    struct sf_span body = sf_connection_body(run->connection);
    ssize_t given = 0;
    while (body.size > 0 && given >= 0) {
        given = run->process.input < 0 ? (ssize_t)body.size
                                       : write(run->process.input, body.data, body.size);
        if (given > 0) {
            sf_connection_take(run->connection, (size_t)given);
            run->moved += run->process.input < 0 ? 0 : (uint64_t)given;
        } else if (errno == EINTR || errno == EPIPE) {
            given = 0;
            if (errno == EPIPE)
                sf_cgi_process_close(&run->process.input);
        }
        body = sf_connection_body(run->connection);
    }
    if (sf_connection_is_body_taken(run->connection))
        sf_cgi_process_close(&run->process.input);
}

/* Bytes; 0: the end, which closes it; -1: nothing now. */
static ssize_t
read_some(struct run *run, int *descriptor, unsigned char *to, size_t size)
{
    ssize_t got;
    do
        got = read(*descriptor, to, size);
    while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN)
        return -1;
    if (got > 0)
        run->moved += (uint64_t)got;
    else
        sf_cgi_process_close(descriptor);
    return got > 0 ? got : 0;
}

/* What a program has written is in the pipe when it has ended, all of it. */
static void
note_end(struct run *run)
{
    int lying = 0;
    if (run->process.output >= 0 && ioctl(run->process.output, FIONREAD, &lying) != 0)
        lying = 0;
    run->has_ended = true;
    run->left = (size_t)lying;
}

static ssize_t
read_output(struct run *run, unsigned char *to, size_t size)
{
    size_t wanted = run->has_ended && run->left < size ? run->left : size;
    ssize_t got = read_some(run, &run->process.output, to, wanted);
    run->left -= run->has_ended && got > 0 ? (size_t)got : 0;
    return got;
}

/* Straight into what is sent, once there is nothing more to be looked at. */
static void
move_body(struct run *run)
{
    unsigned char *room = sf_connection_reserve(run->connection);
    if (room == NULL) {
        run->connection->state = SF_CONNECTION_LOST;
        return;
    }
    ssize_t got = read_output(run, room, sf_connection_room(run->connection));
    if (got > 0)
        sf_connection_commit(run->connection, SF_FCGI_STDOUT, (size_t)got);
}

static void
move_output(struct run *run)
{
    if (run->response->state == SF_RESPONSE_BODY) {
        move_body(run);
        return;
    }
    ssize_t got = read_output(run, run->part, sizeof run->part);
    if (got > 0)
        sf_response_feed(run->response, sf_span_of(run->part, (size_t)got));
}

static ssize_t
move_errors(struct run *run)
{
    ssize_t got = read_some(run, &run->process.errors, run->part, sizeof run->part);
    if (got > 0)
        sf_response_note(run->response, sf_span_of(run->part, (size_t)got));
    return got;
}

/*
 * Others may hold the output of a program that has ended open, and write to it: what a program has
 * started in the background does not hold up its answer, nor go on with it.
 */
static void
move(struct run *run, const struct pollfd *waits)
{
    bool is_without_handle = run->process.handle < 0;
    if (!run->has_ended &&
        (is_without_handle ? sf_cgi_process_has_ended(&run->process) : waits[END].revents != 0))
        note_end(run);
    if (waits[ERRORS].revents != 0)
        move_errors(run);
    if (run->process.output >= 0 && sf_connection_room(run->connection) > 0 &&
        (run->has_ended ? run->left > 0 : waits[OUTPUT].revents != 0))
        move_output(run);
    if (run->process.output < 0 || (run->has_ended && run->left == 0))
        run->outcome = ANSWERED;
    if (run->response->state == SF_RESPONSE_FAILED)
        run->outcome = REFUSED;
    if (run->response->state == SF_RESPONSE_BROKEN)
        run->outcome = GIVEN_UP;
}

/* ---- waiting ---- */

static void
fill_waits(struct run *run, struct pollfd waits[WAITS])
{
    bool has_room = sf_connection_room(run->connection) > 0;
    bool has_body = sf_connection_body(run->connection).size > 0;
    waits[CONNECTION] =
        (struct pollfd){run->connection->socket, sf_connection_events(run->connection), 0};
    waits[INPUT] = (struct pollfd){has_body ? run->process.input : -1, POLLOUT, 0};
    waits[OUTPUT] = (struct pollfd){has_room ? run->process.output : -1, POLLIN, 0};
    waits[ERRORS] =
        (struct pollfd){has_room && !run->has_ended ? run->process.errors : -1, POLLIN, 0};
    waits[END] = (struct pollfd){run->has_ended ? -1 : run->process.handle, POLLIN, 0};
    waits[CUT] = (struct pollfd){run->request->gateway->cutting, POLLIN, 0};
}

static void
note_progress(struct run *run)
{
    bool wants_body = run->process.input >= 0;
    sf_patience_note(&run->patience, run->moved + run->connection->moved,
                     sf_connection_is_awaited(run->connection, wants_body));
}

/* What has ended is read to the end without being waited for: others may hold its output open. */
static bool
is_emptied(const struct run *run)
{
    return run->has_ended && run->process.output >= 0 && sf_connection_room(run->connection) > 0;
}

static void
step(struct run *run)
{
    struct pollfd waits[WAITS];
    give_body(run);
    sf_connection_push(run->connection);
    if (run->connection->state != SF_CONNECTION_OPEN) { /* behind a piece of the body */
        run->outcome = GIVEN_UP;
        return;
    }
    note_progress(run);
    fill_waits(run, waits);
    sf_time left =
        sf_patience_deadline(&run->patience, run->request, &run->end) - sf_clock_steady();
    if (left <= 0) {
        run->outcome = OUT_OF_TIME;
        return;
    }
    if (is_emptied(run))
        left = 0;
    else if (!run->has_ended && run->process.handle < 0 && left > SF_CGI_LOOK_TIME)
        left = SF_CGI_LOOK_TIME;
    int found = poll(waits, WAITS, left > INT32_MAX ? INT32_MAX : (int)left);
    if (found < 0)
        return; /* interrupted: nothing is set */
    sf_connection_step(run->connection, waits[CONNECTION].revents);
    if (run->connection->state != SF_CONNECTION_OPEN || waits[CUT].revents != 0)
        run->outcome = GIVEN_UP;
    else
        move(run, waits);
}

/* ---- the end ---- */

static void
tell_of_end(const struct run *run, int status)
{
    const struct sf_log *log = &run->request->gateway->log;
    const char *script = sf_params_get(run->request->params, "SCRIPT_FILENAME");
    if (WIFSIGNALED(status))
        sf_log_write(log, SF_LOG_WARNING, "SF0724", "%s: ended by signal %d", script,
                     WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        sf_log_write(log, SF_LOG_WARNING, "SF0724", "%s: ended with exit status %d", script,
                     WEXITSTATUS(status));
}

/* Its answer is whole. One that works on in the background is left alone. */
static void
part(struct run *run)
{
    int status = 0;
    bool has_ended = sf_cgi_process_await(&run->process, sf_clock_steady() + EXIT_TIME, &status);
    for (int i = 0; i < PIPE_PARTS && run->process.errors >= 0 &&
                    sf_connection_room(run->connection) > 0 && move_errors(run) > 0;
         i++)
        ;
    if (!has_ended) {
        sf_leftovers_add(&run->request->gateway->leftovers, run->process.pid);
        return;
    }
    run->request->application_status =
        WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status) : UINT32_MAX;
    tell_of_end(run, status);
}

static void
finish(struct run *run)
{
    int status;
    if (run->outcome == ANSWERED) {
        part(run);
    } else {
        sf_cgi_process_kill(&run->process, &status);
        sf_count(sf_gateway_counters(run->request->gateway), gateway_programs_killed);
        if (run->outcome == OUT_OF_TIME)
            sf_patience_fail(run->end, run->response, "the program");
        else if (run->outcome == GIVEN_UP)
            run->response->state = SF_RESPONSE_BROKEN;
    }
    sf_cgi_process_close(&run->process.input);
    sf_cgi_process_close(&run->process.output);
    sf_cgi_process_close(&run->process.errors);
    sf_cgi_process_close(&run->process.handle);
}

static void
serve(struct sf_request *request, struct sf_response *response,
      const struct sf_cgi_process *process)
{
    struct run run = {
        .request = request,
        .response = response,
        .connection = request->connection,
        .process = *process,
    };
    sf_count(sf_gateway_counters(request->gateway), gateway_programs);
    while (run.outcome == RUNNING)
        step(&run);
    finish(&run);
}

static unsigned
refusal_of(enum sf_status status)
{
    return status == SF_NOT_FOUND ? 404 : status == SF_INVALID ? 403 : SF_HTTP_UNAVAILABLE;
}

void
sf_cgi_serve(struct sf_request *request, struct sf_response *response)
{
    const struct sf_log *log = &request->gateway->log;
    struct sf_cgi_process process;
    struct sf_cgi_path path;
    struct sf_error error;
    enum sf_status status = find_program(request, &path, &error);
    if (status != SF_OK) {
        sf_log_write(log, SF_LOG_INFO, "SF0723", "%s: answered %u: %s", request->path,
                     refusal_of(status), error.text);
        sf_response_refuse(response, refusal_of(status));
        return;
    }
    status = set_params(request, &path);
    if (status == SF_OK)
        status = sf_cgi_spawn(&process, &path, request, &error);
    else
        sf_error_set(&error, status, "its variables find no room");
    sf_cgi_path_close(&path);
    if (status == SF_OK)
        serve(request, response, &process);
    else
        sf_response_fail(response, status == SF_UNAVAILABLE ? SF_HTTP_UNAVAILABLE : SF_HTTP_FAILED,
                         error.text);
}
