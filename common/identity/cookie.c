/* SPDX-License-Identifier: Apache-2.0 */
#include "common/identity/cookie.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "common/identity/session_id.h"

struct pair {
    struct sf_span whole; /* between two separators, blanks and all */
    struct sf_span name, value;
    bool has_name;
    bool is_joined; /* a ',' stands in front of it */
};

static bool
is_blank(unsigned char c)
{
    return c == ' ' || c == '\t';
}

static struct sf_span
trim(struct sf_span text)
{
    while (text.size > 0 && is_blank(text.data[0]))
        text = sf_span_of(text.data + 1, text.size - 1);
    while (text.size > 0 && is_blank(text.data[text.size - 1]))
        text.size--;
    return text;
}

static struct sf_span
unquote(struct sf_span text)
{
    if (text.size >= 2 && text.data[0] == '"' && text.data[text.size - 1] == '"')
        return sf_span_of(text.data + 1, text.size - 2);
    return text;
}

static const bool is_base64url[256] = {
    ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['0' ... '9'] = true,
    ['-'] = true,         ['_'] = true,
};

static bool
begins_line(struct sf_span text)
{
    return text.size > 2 && text.data[0] == ',' && text.data[1] == ' ';
}

/* How long a pair of this name with an id is that stands here, alone in a line; 0: none does. */
static size_t
own_pair(struct sf_span text, struct sf_span name)
{
    size_t size = name.size + 1 + SF_ID_TEXT;

    if (name.size == 0 || text.size < size || memcmp(text.data, name.data, name.size) != 0 ||
        text.data[name.size] != '=')
        return 0;
    for (size_t i = name.size + 1; i < size; i++) {
        if (!is_base64url[text.data[i]])
            return 0;
    }
    return text.size == size || begins_line(sf_span_of(text.data + size, text.size - size)) ? size : 0;
}

/*
 * Two Cookie lines of one request reach us as one, joined by ", ". A ',' may also belong to a value;
 * where our own pair stands in front of it or behind it, it is taken for the end of a line.
 */
static size_t
line_size(struct sf_span text, struct sf_span name)
{
    struct sf_span own = trim(text);
    size_t blanks = own.size > 0 ? (size_t)(own.data - text.data) : 0;
    size_t size;

    if (own.size == 0 || memchr(own.data, ',', own.size) == NULL)
        return text.size;
    size = own_pair(own, name);
    if (size > 0)
        return size < own.size ? blanks + size : text.size;
    for (size_t i = 0; i + 2 < text.size; i++) {
        struct sf_span rest = sf_span_of(text.data + i, text.size - i);

        if (begins_line(rest) && own_pair(sf_span_of(rest.data + 2, rest.size - 2), name) > 0)
            return i;
    }
    return text.size;
}

/*
 * The next pair; false behind the last one. A ';' at the end has an empty one behind it. Quotes do
 * not protect a ';': browsers end a value there, and a parser that saw it otherwise could be shown
 * another cookie than the application sees.
 */
static bool
next_pair(struct sf_span header, struct sf_span own_name, size_t *at, struct pair *pair_out)
{
    const unsigned char *begin, *end, *equals;

    if (*at > header.size)
        return false;
    begin = header.data + *at;
    end = *at < header.size ? memchr(begin, ';', header.size - *at) : NULL;
    pair_out->whole = sf_span_of(begin, end != NULL ? (size_t)(end - begin) : header.size - *at);
    if (pair_out->whole.size > 0)
        pair_out->whole.size = line_size(pair_out->whole, own_name);
    pair_out->is_joined = *at > 0 && header.data[*at - 1] == ',';
    *at += pair_out->whole.size + 1;
    equals = pair_out->whole.size > 0 ? memchr(begin, '=', pair_out->whole.size) : NULL;
    pair_out->has_name = equals != NULL;
    if (equals == NULL)
        return true;
    pair_out->name = trim(sf_span_of(begin, (size_t)(equals - begin)));
    pair_out->value =
        trim(sf_span_of(equals + 1, pair_out->whole.size - (size_t)(equals - begin) - 1));
    return true;
}

static bool
is_named(const struct pair *pair, struct sf_span name)
{
    return pair->has_name && name.size > 0 && sf_span_equal(pair->name, name);
}

void
sf_cookie_each(struct sf_span header, const char *name, sf_cookie_value_fn *value, void *context)
{
    struct sf_span wanted = sf_span_text(name);
    struct pair pair;

    if (header.size == 0 || header.size > SF_COOKIE_HEADER_MAX)
        return;
    for (size_t at = 0; next_pair(header, wanted, &at, &pair);) {
        if (is_named(&pair, wanted) && !pair.is_joined && !value(context, unquote(pair.value)))
            return;
    }
}

/* What is being put together from the pairs that stay. */
struct remainder {
    char *to;
    bool has_pairs;
    bool has_text; /* more than blanks */
};

/* Pairs stay as they are, but the blanks in front of one that has become the first go. */
static void
keep_pair(struct remainder *remainder, struct sf_span whole, bool was_removed)
{
    if (remainder->has_pairs)
        *remainder->to++ = ';';
    while (!remainder->has_pairs && was_removed && whole.size > 0 && is_blank(whole.data[0]))
        whole = sf_span_of(whole.data + 1, whole.size - 1);
    if (whole.size > 0)
        memcpy(remainder->to, whole.data, whole.size);
    remainder->to += whole.size;
    remainder->has_pairs = true;
    remainder->has_text |= trim(whole).size > 0;
}

size_t
sf_cookie_remove(struct sf_span header, const char *name, char *header_out)
{
    struct sf_span unwanted = sf_span_text(name);
    struct remainder remainder = {.to = header_out};
    size_t removed = 0, at = 0;
    struct pair pair;

    if (header.size == 0) {
        *header_out = '\0';
        return 0;
    }
    while (next_pair(header, unwanted, &at, &pair)) {
        if (is_named(&pair, unwanted))
            removed++;
        else
            keep_pair(&remainder, pair.whole, removed > 0);
    }
    *(removed > 0 && !remainder.has_text ? header_out : remainder.to) = '\0';
    return removed;
}

/* Blanks around the name do not count. */
bool
sf_cookie_is_set_by(const char *set_cookie, const char *name)
{
    size_t length = strlen(name);

    set_cookie += strspn(set_cookie, " \t");
    if (strncmp(set_cookie, name, length) != 0)
        return false;
    set_cookie += length;
    return set_cookie[strspn(set_cookie, " \t")] == '=';
}

void
sf_cookie_options_from(struct sf_cookie_options *options_out, const struct sf_config *config)
{
    *options_out = (struct sf_cookie_options){
        .name = config->cookie_name,
        .domain = config->cookie_domain,
        .path = config->cookie_path,
        .secure = config->cookie_secure,
        .http_only = config->cookie_http_only,
        .same_site = (enum sf_same_site)config->cookie_same_site,
        .max_age = config->cookie_max_age,
    };
}

static bool
is_base64url_text(const char *value)
{
    while (is_base64url[(unsigned char)*value])
        value++;
    return *value == '\0';
}

/*
 * The options are checked at the start; this is what keeps a hole there from becoming a split
 * response.
 */
static bool
is_attribute(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f || *text == ';')
            return false;
    }
    return true;
}

static const char *
same_site_text(enum sf_same_site same_site)
{
    switch (same_site) {
    case SF_SAME_SITE_STRICT:
        return "; SameSite=Strict";
    case SF_SAME_SITE_NONE:
        return "; SameSite=None";
    case SF_SAME_SITE_LAX:
        break;
    }
    return "; SameSite=Lax";
}

static enum sf_status
append_lifetime(struct sf_buffer *header, int64_t seconds, sf_time ends)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t end = (time_t)(ends / SF_SECOND);
    struct tm date;

    if (gmtime_r(&end, &date) == NULL)
        return SF_INVALID;
    return sf_buffer_append_format(
        header, "; Max-Age=%" PRId64 "; Expires=%s, %02d %s %04d %02d:%02d:%02d GMT", seconds,
        days[date.tm_wday], date.tm_mday, months[date.tm_mon], date.tm_year + 1900, date.tm_hour,
        date.tm_min, date.tm_sec);
}

static enum sf_status
append_attributes(struct sf_buffer *header, const struct sf_cookie_options *options)
{
    bool has_domain = options->domain != NULL && options->domain[0] != '\0';

    return sf_buffer_append_format(
        header, "; Path=%s%s%s%s%s%s", options->path, has_domain ? "; Domain=" : "",
        has_domain ? options->domain : "", options->secure ? "; Secure" : "",
        options->http_only ? "; HttpOnly" : "", same_site_text(options->same_site));
}

static enum sf_status
append_cookie(struct sf_buffer *header, const struct sf_cookie_options *options, const char *value,
              sf_time now)
{
    enum sf_status status =
        sf_buffer_append_format(header, "%s=%s", options->name, value != NULL ? value : "");

    if (status == SF_OK)
        status = append_attributes(header, options);
    if (status != SF_OK)
        return status;
    if (value == NULL)
        return append_lifetime(header, 0, 0);
    if (options->max_age > 0)
        return append_lifetime(header, options->max_age / SF_SECOND, now + options->max_age);
    return SF_OK;
}

enum sf_status
sf_cookie_format(struct sf_buffer *header_out, const struct sf_cookie_options *options,
                 const char *value, sf_time now)
{
    if (value != NULL && (value[0] == '\0' || !is_base64url_text(value)))
        return SF_INVALID;
    if (options->name[0] == '\0' || strpbrk(options->name, " \t=,\"") != NULL ||
        !is_attribute(options->name) || !is_attribute(options->path) ||
        (options->domain != NULL && !is_attribute(options->domain)))
        return SF_INVALID;
    sf_buffer_clear(header_out);
    return append_cookie(header_out, options, value, now);
}
