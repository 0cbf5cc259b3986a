/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page_cgi.c - a CGI program of a few lines: says how far its session has been counted, and counts
 * when SESSION_STATE says that somebody listens.
 */
#include <stdio.h>
#include <stdlib.h>

int
main(void)
{
    const char *counted = getenv("SESSION_FIELD_N");
    long count = counted == NULL ? 0 : strtol(counted, NULL, 10);
    if (getenv("SESSION_STATE") == NULL)
        fputs("Content-Type: text/plain\r\n\r\nn=0\n", stdout);
    else
        printf("Content-Type: text/plain\r\nX-Session-Increment: n\r\n\r\nn=%ld\n", count + 1);
    return 0;
}
