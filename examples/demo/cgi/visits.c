/* SPDX-License-Identifier: Apache-2.0 */
/*
 * visits.c - the demo's page in C: counts the visitor's visits.
 *
 * The session stands in the environment; one header changes it. However many requests run at once, every one counts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *field(const char *variable, const char *otherwise)
{
    const char *value = getenv(variable);
    return value ? value : otherwise;
}

static void print_text(const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", stdout);
            break;
        case '<':
            fputs("&lt;", stdout);
            break;
        case '>':
            fputs("&gt;", stdout);
            break;
        case '"':
            fputs("&quot;", stdout);
            break;
        default:
            putchar(*text);
        }
    }
}

static void print_row(const char *name, const char *id, const char *value)
{
    printf("<dt>%s</dt><dd id=\"%s\">", name, id);
    print_text(value);
    puts("</dd>");
}

int main(void)
{
    char visits[24];
    /* What we were given is how it was when the request came; this visit is one more. */
    snprintf(visits, sizeof(visits), "%lld", atoll(field("SESSION_FIELD_VISITS", "0")) + 1);

    fputs("X-Session-Increment: visits\r\nContent-Type: text/html; charset=utf-8\r\n\r\n", stdout);
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width\">\n<title>Visits - session-fast</title>\n"
          "<link rel=\"stylesheet\" href=\"/style.css\">\n<body class=\"", stdout);
    print_text(field("SESSION_FIELD_THEME", "light"));
    fputs("\">\n<header><b>session-fast</b> <a href=\"/c/visits\">Visits</a> <a href=\"/perl/cart\">Cart</a> "
          "<a href=\"/php/theme\">Theme</a> <a href=\"/shell/session\">Session</a> <a href=\"/logout\">Log out</a>"
          "</header>\n<main>\n<h1>Visits</h1>\n"
          "<p class=\"what\">A CGI in C. It answers with <code>X-Session-Increment: visits</code>.</p>\n"
          "<form method=\"get\"><button>Visit again</button></form>\n<dl>\n", stdout);
    print_row("User", "user", field("SESSION_USER", "nobody"));
    print_row("Visits", "visits", visits);
    print_row("Theme", "theme", field("SESSION_FIELD_THEME", "light"));
    print_row("Cart", "cart", field("SESSION_FIELD_CART", ""));
    puts("</dl>\n</main>\n</body>\n</html>");
    return 0;
}
