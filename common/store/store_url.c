/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_url.c - one copy of the URL, cut up and decoded in place: decoding never makes a part longer.
 *
 * Errors name the part that is wrong and never repeat it: a '/' or '?' in a password that was not
 * written as %XX puts half of the password where a port or an option is looked for.
 */
#include "common/store/store_url.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/bytes.h"

#define PORT_MAX 65535
#define OPTION_SOCKET "socket"
#define OPTION_PASSWORD_FILE "password-file"

/* ---- pieces of text ---- */

/* Ends `text` at the first of these characters and returns what is behind; NULL: none of them is there. */
static char *
cut(char *text, char separator)
{
    char *at = strchr(text, separator);
    if (at == NULL)
        return NULL;
    *at = '\0';
    return at + 1;
}

/* In place. */
static bool
decode(char *text)
{
    unsigned char byte;
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        size_t digits = strnlen(from + 1, 2);
        if (digits != 2 || sf_hex_decode(sf_span_of(from + 1, digits), &byte, 1) != SF_OK || byte == 0)
            return false;
        *to++ = (char)byte;
        from += digits;
    }
    *to = '\0';
    return true;
}

/* To a text that is cut where it has no room left. */
static void append(char *text, size_t room, const char *format, ...) SF_PRINTF(3, 4);

static void
append(char *text, size_t room, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, room - used, format, arguments);
    va_end(arguments);
}

static bool
decode_or_null(char *text)
{
    return text == NULL || decode(text);
}

/* ---- options ---- */

static bool
is_known(const char *name, const struct sf_store_url_rules *rules)
{
    if (strcmp(name, OPTION_SOCKET) == 0 || strcmp(name, OPTION_PASSWORD_FILE) == 0)
        return true;
    for (const char *const *known = rules->options; *known != NULL; known++)
        if (strcmp(name, *known) == 0)
            return true;
    return false;
}

static enum sf_status
refuse_option(const struct sf_store_url_rules *rules, struct sf_error *error)
{
    char known[160] = OPTION_SOCKET " " OPTION_PASSWORD_FILE;
    for (const char *const *name = rules->options; *name != NULL; name++)
        append(known, sizeof known, " %s", *name);
    return sf_error_set(error, SF_INVALID, "URL: an option is unknown; known are %s", known);
}

static enum sf_status
parse_options(struct sf_store_url *url, char *text, const struct sf_store_url_rules *rules, struct sf_error *error)
{
    for (char *next; text != NULL && *text != '\0'; text = next) {
        next = cut(text, '&');
        char *value = cut(text, '=');
        if (url->parameter_count == SF_STORE_PARAMETERS_MAX)
            return sf_error_set(error, SF_INVALID, "URL: more than %d options", SF_STORE_PARAMETERS_MAX);
        if (!decode(text) || !is_known(text, rules))
            return refuse_option(rules, error);
        if (value == NULL || !decode(value))
            return sf_error_set(error, SF_INVALID, "URL: option %s: is not written as %s=VALUE", text, text);
        if (sf_store_url_option(url, text) != NULL)
            return sf_error_set(error, SF_INVALID, "URL: option %s: stands twice", text);
        url->parameters[url->parameter_count++] = (struct sf_store_parameter){text, value};
    }
    return SF_OK;
}

const char *
sf_store_url_option(const struct sf_store_url *url, const char *name)
{
    for (size_t i = 0; i < url->parameter_count; i++)
        if (strcmp(url->parameters[i].name, name) == 0)
            return url->parameters[i].value;
    return NULL;
}

enum sf_status
sf_store_url_number(int64_t *number_out, const struct sf_store_url *url, const char *name, int64_t preset,
                    int64_t min, int64_t max, struct sf_error *error)
{
    const char *text = sf_store_url_option(url, name);
    *number_out = preset;
    if (text == NULL)
        return SF_OK;
    if (sf_int64_parse(sf_span_text(text), number_out) != SF_OK || *number_out < min || *number_out > max)
        return sf_error_set(error, SF_INVALID, "URL: option %s: is not a number from %lld to %lld", name,
                            (long long)min, (long long)max);
    return SF_OK;
}

/* ---- hosts ---- */

static enum sf_status
parse_port(uint16_t *port_out, const char *text, struct sf_error *error)
{
    int64_t number;
    if (sf_int64_parse(sf_span_text(text), &number) != SF_OK || number < 1 || number > PORT_MAX)
        return sf_error_set(error, SF_INVALID, "URL: what stands as port is not a number from 1 to %d "
                            "(in a password, write : / ? # @ and %% as %%XX)", PORT_MAX);
    *port_out = (uint16_t)number;
    return SF_OK;
}

/* "name", "name:port", "[number]", "[number]:port" */
static enum sf_status
parse_host(struct sf_store_host *host, char *text, struct sf_error *error)
{
    char *name = text, *port;
    if (*text == '[') {
        name = text + 1;
        char *behind = cut(name, ']');
        if (behind == NULL || (*behind != '\0' && *behind != ':'))
            return sf_error_set(error, SF_INVALID, "URL: a host that begins with [ is not written as [::1]:PORT");
        port = *behind == ':' ? behind + 1 : NULL;
    } else {
        port = cut(name, ':');
    }
    if (!decode(name) || *name == '\0')
        return sf_error_set(error, SF_INVALID, "URL: a host has no name");
    host->name = name;
    return port == NULL ? SF_OK : parse_port(&host->port, port, error);
}

static enum sf_status
parse_hosts(struct sf_store_url *url, char *text, const struct sf_store_url_rules *rules, struct sf_error *error)
{
    const char *path = sf_store_url_option(url, OPTION_SOCKET);
    if (path != NULL && (*path != '/' || *text != '\0'))
        return sf_error_set(error, SF_INVALID,
                            "URL: option " OPTION_SOCKET ": needs a path that begins with /, and no host beside it");
    if (path != NULL) {
        url->hosts[url->host_count++] = (struct sf_store_host){path, 0};
        return SF_OK;
    }
    for (char *next; text != NULL; text = next) {
        next = cut(text, ',');
        if (url->host_count == SF_STORE_HOSTS_MAX)
            return sf_error_set(error, SF_INVALID, "URL: more than %d hosts", SF_STORE_HOSTS_MAX);
        struct sf_store_host *host = &url->hosts[url->host_count++];
        host->port = rules->port;
        enum sf_status status = parse_host(host, text, error);
        if (status != SF_OK)
            return status;
    }
    return SF_OK;
}

/* ---- the whole ---- */

static enum sf_status
parse_user(struct sf_store_url *url, char *user, struct sf_error *error)
{
    char *password = cut(user, ':');
    if (!decode(user) || !decode_or_null(password))
        return sf_error_set(error, SF_INVALID, "URL: user or password: %% is not followed by two hex digits");
    if (password != NULL && strlen(password) >= SF_STORE_PASSWORD_MAX)
        return sf_error_set(error, SF_INVALID, "URL: a password of more than %d bytes", SF_STORE_PASSWORD_MAX - 1);
    url->user = user;
    url->password = password;
    if (password != NULL && sf_store_url_option(url, OPTION_PASSWORD_FILE) != NULL)
        return sf_error_set(error, SF_INVALID, "URL: a password and a " OPTION_PASSWORD_FILE);
    return SF_OK;
}

static void
print_label(struct sf_store_url *url, const char *scheme)
{
    char *label = url->label;
    size_t room = sizeof url->label;
    *label = '\0';
    append(label, room, "%s://%s%s", scheme, url->user, *url->user == '\0' ? "" : "@");
    for (size_t i = 0; i < url->host_count; i++) {
        const struct sf_store_host *host = &url->hosts[i];
        bool is_v6 = strchr(host->name, ':') != NULL;
        append(label, room, "%s%s%s%s", i > 0 ? "," : "", is_v6 ? "[" : "", host->name, is_v6 ? "]" : "");
        if (*host->name != '/')
            append(label, room, ":%u", host->port);
    }
    if (*url->name != '\0')
        append(label, room, "/%s", url->name);
    sf_text_clean(label);
}

static enum sf_status
parse_parts(struct sf_store_url *url, const struct sf_store_url_rules *rules, struct sf_error *error)
{
    char *rest = strstr(url->text, "://");
    if (rest == NULL)
        return sf_error_set(error, SF_INVALID, "URL: is not written as scheme://host");
    *rest = '\0';
    rest += strlen("://");
    enum sf_status status = parse_options(url, cut(rest, '?'), rules, error);
    char *name = cut(rest, '/');
    char *at = strrchr(rest, '@');
    url->user = url->name = "";
    if (status == SF_OK && !decode_or_null(name))
        status = sf_error_set(error, SF_INVALID, "URL: behind the host: %% is not followed by two hex digits");
    if (name != NULL)
        url->name = name;
    if (at != NULL)
        *at = '\0';
    if (status == SF_OK && at != NULL)
        status = parse_user(url, rest, error);
    if (status == SF_OK)
        status = parse_hosts(url, at == NULL ? rest : at + 1, rules, error);
    return status;
}

enum sf_status
sf_store_url_parse(struct sf_store_url *url_out, const char *text, const struct sf_store_url_rules *rules,
                   struct sf_error *error)
{
    memset(url_out, 0, sizeof *url_out);
    url_out->text = strdup(text);
    if (url_out->text == NULL)
        return sf_error_set(error, SF_NO_MEMORY, "URL: no memory");
    enum sf_status status = parse_parts(url_out, rules, error);
    if (status == SF_OK)
        print_label(url_out, url_out->text);
    else
        sf_store_url_fini(url_out);
    return status;
}

void
sf_store_url_fini(struct sf_store_url *url)
{
    if (url->password != NULL)
        explicit_bzero(url->text + (url->password - url->text), strlen(url->password));
    free(url->text);
    memset(url, 0, sizeof *url);
}

void
sf_store_url_keep_host(struct sf_store_url *url, size_t host)
{
    url->hosts[0] = url->hosts[host];
    url->host_count = 1;
    print_label(url, url->text);
}

/* ---- the password in a file ---- */

static enum sf_status
read_first_line(char password_out[SF_STORE_PASSWORD_MAX], int file, const char *path, struct sf_error *error)
{
    struct stat seen;
    if (fstat(file, &seen) != 0)
        return sf_error_set_errno(error, path, "be examined");
    if (!S_ISREG(seen.st_mode))
        return sf_error_set(error, SF_INVALID, "%s: is not a regular file", path);
    if ((seen.st_mode & (S_IWGRP | S_IRWXO)) != 0)
        return sf_error_set(error, SF_INVALID, "%s: mode %04o lets others in; it must be 0600 or 0640", path,
                            (unsigned)(seen.st_mode & 07777));
    ssize_t got = read(file, password_out, SF_STORE_PASSWORD_MAX);
    if (got < 0)
        return sf_error_set_errno(error, path, "be read");
    char *end = memchr(password_out, '\n', (size_t)got);
    if (end == NULL && got == SF_STORE_PASSWORD_MAX)
        return sf_error_set(error, SF_INVALID, "%s: longer than %d bytes", path, SF_STORE_PASSWORD_MAX - 1);
    size_t size = end == NULL ? (size_t)got : (size_t)(end - password_out);
    explicit_bzero(password_out + size, SF_STORE_PASSWORD_MAX - size);
    return SF_OK;
}

enum sf_status
sf_store_password_file(char password_out[SF_STORE_PASSWORD_MAX], const char *path, struct sf_error *error)
{
    password_out[0] = '\0';
    if (path == NULL)
        return SF_OK;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        return sf_error_set_errno(error, path, "be opened");
    enum sf_status status = read_first_line(password_out, file, path, error);
    close(file);
    if (status != SF_OK)
        explicit_bzero(password_out, SF_STORE_PASSWORD_MAX);
    return status;
}

enum sf_status
sf_store_url_password(char password_out[SF_STORE_PASSWORD_MAX], const struct sf_store_url *url,
                      struct sf_error *error)
{
    if (url->password == NULL)
        return sf_store_password_file(password_out, sf_store_url_option(url, OPTION_PASSWORD_FILE), error);
    snprintf(password_out, SF_STORE_PASSWORD_MAX, "%s", url->password);
    return SF_OK;
}
