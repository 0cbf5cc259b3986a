/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the reference pages whose facts stand in options.def and counters.def, for docs/configuration.md and
 * docs/counters.md. The test run compares the pages with what this program prints.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/counters.h"
#include "common/config/config.h"

static void
print_configuration_head(void)
{
    puts("# Options\n"
         "\n"
         "<!-- Printed by docs/gen_reference from common/config/options.def: change that file, then run\n"
         "     `make docs-update`. -->\n"
         "\n"
         "The same directives stand in httpd's configuration, in the gateway's file and in the file that\n"
         "`session-fastd --config` reads (one `Directive value` a line). Directives, `On`, `Off` and other\n"
         "words may be written in any case.\n"
         "\n"
         "* **Durations** are a whole number with a unit: `ms`, `s`, `min` (or `m`), `h`, `d`, `w`; seconds without\n"
         "  one.\n"
         "* **Sizes** are a whole number with `K`, `M` or `G` (1024 of the one before); bytes without one.\n"
         "* **Texts** with blanks stand in double quotes.\n"
         "* **Lists** are words separated by blanks; `\"\"` is the empty list. A list on an inner level replaces the\n"
         "  outer one.");
}

static void
print_escaped(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            putchar('\\');
        putchar(*text);
    }
}

static void
print_option(const struct sf_option *option)
{
    char range[SF_OPTION_RANGE_BYTES];
    sf_option_range(option, range);
    const char *shown = *option->default_text == '\0' ? "\"\"" : option->default_text;
    printf("| `%s` | `%s` | %s | ", option->directive, shown, range);
    print_escaped(option->help);
    puts(" |");
}

static void
print_options(enum sf_option_scope scope)
{
    puts("\n"
         "| Directive | Default | Values | Meaning |\n"
         "|---|---|---|---|");
    for (size_t i = 0; i < SF_OPTION_COUNT; i++)
        if (sf_options[i].scope == scope)
            print_option(&sf_options[i]);
}

static void
print_configuration(void)
{
    print_configuration_head();
    puts("\n"
         "## Of the whole server\n"
         "\n"
         "One value for the web server and the daemon; in httpd outside of any `<VirtualHost>`, in the\n"
         "gateway's file outside of any `<Route>`.");
    print_options(SF_SCOPE_INSTANCE);
    puts("\n"
         "## Of a place\n"
         "\n"
         "In httpd for the server, a `<VirtualHost>`, a `<Directory>` or a `<Location>`; in the gateway's\n"
         "file for all routes or in a `<Route>`. What is not written in an inner section is taken from the outer\n"
         "one.");
    print_options(SF_SCOPE_LOCATION);
    puts("\n"
         "## Of the gateway\n"
         "\n"
         "In the gateway's file only, outside of any `<Route>`.");
    print_options(SF_SCOPE_GATEWAY);
    puts("\n"
         "## Of a route of the gateway\n"
         "\n"
         "In the gateway's file only: in a `<Route>`, or in front of or behind them for all routes. Exactly one of\n"
         "`GatewayCgiDirectory`, `GatewayCgiProgram`, `GatewayUpstream`, `GatewayAuthorizer` and `GatewayApi`\n"
         "stands in each `<Route>`.");
    print_options(SF_SCOPE_ROUTE);
    puts("\n"
         "## What must go together\n"
         "\n"
         "Checked at the start, by `apachectl -t` and by `session-fast config check`; a violation is an error.\n"
         "\n"
         "* A cookie whose name begins with `__Host-` needs `SessionFastCookieSecure On`, `SessionFastCookiePath /`\n"
         "  and no `SessionFastCookieDomain`; one that begins with `__Secure-` needs `SessionFastCookieSecure On`.\n"
         "  Browsers look at these prefixes in any case, and drop a cookie that breaks their rules.\n"
         "* `SessionFastCookieSameSite None` needs `SessionFastCookieSecure On`.\n"
         "* `SessionFastCookieName` consists of letters, digits and ``!#$%&'*+-.^_`|~``;\n"
         "`SessionFastCookieDomain` is\n"
         "  a domain name; `SessionFastCookiePath` begins with `/` and is printable ASCII without blanks, `;` and\n"
         "  `,`.\n"
         "* `SessionFastAbsoluteTimeout` is 0 or at least `SessionFastIdleTimeout`.\n"
         "* `SessionFastRotateGrace` is at most `SessionFastTombstoneLifetime`.\n"
         "* `SessionFastDeadline` is shorter than `SessionFastIdleTimeout`.\n"
         "* `SessionFastStore` begins with a scheme, such as `sqlite:`. The whole of its URL, of `SessionFastL2` and\n"
         "  of `SessionFastMigrate` is looked at by `session-fast config check` and at the start, not by\n"
         "  `apachectl -t`: only the daemon knows the stores.");
}

static void
print_counters(void)
{
    puts("# Counters\n"
         "\n"
         "<!-- Printed by docs/gen_reference from common/base/counters.def: change that file, then run\n"
         "     `make docs-update`. -->\n"
         "\n"
         "Each process counts in shared memory; `session-fast status` and `SESSION.STATUS` show the sums. They grow\n"
         "from when the shared memory was made and are never set back, not even when processes end.\n"
         "\n"
         "| Name | Counts |\n"
         "|---|---|");
    for (unsigned i = 0; i < SF_COUNTER_COUNT; i++) {
        printf("| `%s` | ", sf_counter_name((enum sf_counter)i));
        print_escaped(sf_counter_help((enum sf_counter)i));
        puts(" |");
    }
}

static bool
print_page(const char *name)
{
    if (strcmp(name, "configuration") == 0)
        print_configuration();
    else if (strcmp(name, "counters") == 0)
        print_counters();
    else
        return false;
    return fflush(stdout) == 0 && ferror(stdout) == 0;
}

int
main(int argument_count, char **arguments)
{
    if (argument_count == 2 && print_page(arguments[1]))
        return EXIT_SUCCESS;
    fprintf(stderr, "usage: gen_reference configuration|counters\n");
    return EXIT_FAILURE;
}
