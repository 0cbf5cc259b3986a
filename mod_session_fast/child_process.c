/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a child of httpd opens: after fork, because no handle of shared memory or socket may be
 * shared with the parent.
 */
#include "mod_session_fast/module.h"

#include <http_log.h>

APLOG_USE_MODULE(session_fast);

/*
 * Nothing closes the front again: prefork's children run their cleanups inside a signal handler,
 * and the kernel takes memory, sockets and the process slot back in any case.
 */
void
sf_child_process_init(apr_pool_t *pchild, server_rec *s)
{
    struct sf_process *process = sf_server_of(s)->process;
    struct sf_error error;
    (void)pchild;
    sf_daemon_process_child_init();
    sf_response_headers_child_init(process); /* .htaccess may switch sessions on */
    if (!process->is_used)
        return;
    process->log = sf_log_lines_of_server(s);
    if (sf_front_open(&process->front, &process->instance, &process->log, &error) != SF_OK) {
        process->front = NULL;
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "SF0503: no sessions in this process: %s",
                     error.text);
    }
}
