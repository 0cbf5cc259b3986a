/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.c - a CGI that says what it was given and answers with what it was asked for.
 *
 * Its body is its whole environment, each NAME=value ended by a NUL. The query string tells it, form-encoded:
 *   header=Name: value   answers with that header (any number)      status=404   answers with that status
 *   wait=NAME            makes $SF_MEETING/NAME.PID, then waits until $SF_MEETING/NAME exists: for slow requests
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int hex(char digit)
{
    return digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
}

static void decode(char *text)
{
    char *to = text;
    for (; *text; text++) {
        if (*text == '%' && text[1] && text[2]) {
            *to++ = (char)(hex(text[1]) * 16 + hex(text[2]));
            text += 2;
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
}

static void meet(const char *name)
{
    const struct timespec pause = {0, 5000000};
    char path[1024];
    snprintf(path, sizeof(path), "%s/%s.%ld", getenv("SF_MEETING"), name, (long)getpid());
    int file = open(path, O_CREAT | O_WRONLY, 0644);
    if (file < 0)
        exit(1);
    close(file);
    snprintf(path, sizeof(path), "%s/%s", getenv("SF_MEETING"), name);
    for (int i = 0; i < 6000 && access(path, F_OK); i++)
        nanosleep(&pause, NULL);
}

static void obey(char *pair)
{
    char *value = strchr(pair, '=');
    if (!value)
        return;
    *value++ = '\0';
    decode(value);
    if (!strcmp(pair, "header"))
        printf("%s\r\n", value);
    else if (!strcmp(pair, "status"))
        printf("Status: %s\r\n", value);
    else if (!strcmp(pair, "wait"))
        meet(value);
}

/* mod_cgid passes a socket: what nobody has read when it closes makes the answer end in a reset. */
static void read_body(void)
{
    char piece[4096];
    const char *length = getenv("CONTENT_LENGTH");
    if (length && *length && strcmp(length, "0"))
        while (fread(piece, 1, sizeof(piece), stdin) > 0)
            ;
}

int main(void)
{
    read_body();
    const char *query = getenv("QUERY_STRING");
    char *orders = strdup(query ? query : "");
    char *rest = orders;
    for (char *pair = strsep(&rest, "&"); pair; pair = strsep(&rest, "&"))
        obey(pair);
    printf("Content-Type: text/plain\r\n\r\n");
    for (char **variable = environ; *variable; variable++)
        fwrite(*variable, 1, strlen(*variable) + 1, stdout);
    free(orders);
    return 0;
}
