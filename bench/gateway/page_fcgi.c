/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page_fcgi.c - page_cgi.c as a FastCGI application: COUNT threads that accept at descriptor 0.
 * With the query "read" it does not count.
 */
#include <fcgiapp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void
answer(FCGX_Request *request)
{
    const char *counted = FCGX_GetParam("SESSION_FIELD_N", request->envp);
    const char *query = FCGX_GetParam("QUERY_STRING", request->envp);
    long count = counted == NULL ? 0 : strtol(counted, NULL, 10);
    bool is_read = query != NULL && strcmp(query, "read") == 0;
    if (FCGX_GetParam("SESSION_STATE", request->envp) == NULL)
        FCGX_PutS("Content-Type: text/plain\r\n\r\nn=0\n", request->out);
    else if (is_read && count > 0)
        FCGX_FPrintF(request->out, "Content-Type: text/plain\r\n\r\nn=%ld\n", count);
    else
        FCGX_FPrintF(request->out,
                     "Content-Type: text/plain\r\nX-Session-Increment: n\r\n\r\nn=%ld\n",
                     count + 1);
}

static void *
serve(void *unused)
{
    FCGX_Request request;
    FCGX_InitRequest(&request, 0, 0);
    while (FCGX_Accept_r(&request) == 0)
        answer(&request);
    return unused;
}

int
main(int count, char **words)
{
    pthread_t thread;
    long threads = count > 1 ? strtol(words[1], NULL, 10) : 1;
    if (FCGX_Init() != 0)
        return EXIT_FAILURE;
    for (long i = 1; i < threads; i++) {
        if (pthread_create(&thread, NULL, serve, NULL) != 0)
            return EXIT_FAILURE;
    }
    serve(NULL);
    return EXIT_SUCCESS;
}
