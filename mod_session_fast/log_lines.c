/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of common/ in httpd's error log.
 */
#include "mod_session_fast/module.h"

#include <http_log.h>

APLOG_USE_MODULE(session_fast);

static int
httpd_level(enum sf_log_level level)
{
    switch (level) {
    case SF_LOG_ERROR:
        return APLOG_ERR;
    case SF_LOG_WARNING:
        return APLOG_WARNING;
    case SF_LOG_NOTICE:
        return APLOG_NOTICE;
    case SF_LOG_INFO:
        return APLOG_INFO;
    case SF_LOG_DEBUG:
        break;
    }
    return APLOG_DEBUG;
}

static void
write_for_server(void *context, enum sf_log_level level, const char *line)
{
    const server_rec *s = context;
    ap_log_error(APLOG_MARK, httpd_level(level), 0, s, "%s", line);
}

static void
write_for_request(void *context, enum sf_log_level level, const char *line)
{
    const request_rec *r = context;
    ap_log_rerror(APLOG_MARK, httpd_level(level), 0, r, "%s", line);
}

struct sf_log
sf_log_lines_of_server(const server_rec *s)
{
    return (struct sf_log){
        .write = write_for_server, .context = (void *)s, .level = SF_LOG_DEBUG};
}

struct sf_log
sf_log_lines_of_request(const request_rec *r)
{
    return (struct sf_log){
        .write = write_for_request, .context = (void *)r, .level = SF_LOG_DEBUG};
}
