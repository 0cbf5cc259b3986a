/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A browser drops a cookie that breaks the promise of its prefix without a word, and the visitor
 * would get a new session with each request: such a combination must not get past the start.
 */
#include "common/config/config.h"

#include <string.h>
#include <strings.h>

#include "common/config/units.h"

typedef enum sf_status rule_fn(const struct sf_config *config, struct sf_error *error);

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ALPHANUMERIC LETTERS "0123456789"
#define TOKEN_MARKS "!#$%&'*+-.^_`|~" /* RFC 6265 takes its token from RFC 2616 */

static bool
consists_of(const char *text, const char *allowed)
{
    return text[strspn(text, allowed)] == '\0';
}

static enum sf_status
check_cookie_name(const struct sf_config *config, struct sf_error *error)
{
    if (*config->cookie_name != '\0' && consists_of(config->cookie_name, ALPHANUMERIC TOKEN_MARKS))
        return SF_OK;
    return sf_error_set(error, SF_INVALID,
                        "SessionFastCookieName: '%s' is not a cookie name (letters, digits, %s)",
                        config->cookie_name, TOKEN_MARKS);
}

static bool
has_prefix(const char *text, const char *prefix)
{
    return strncasecmp(text, prefix, strlen(prefix)) == 0; /* browsers look at it without case */
}

static enum sf_status
check_secure_prefix(const struct sf_config *config, struct sf_error *error)
{
    bool is_prefixed =
        has_prefix(config->cookie_name, "__Host-") || has_prefix(config->cookie_name, "__Secure-");
    if (!is_prefixed || config->cookie_secure)
        return SF_OK;
    return sf_error_set(error, SF_INVALID,
                        "SessionFastCookieName: '%s' needs SessionFastCookieSecure On",
                        config->cookie_name);
}

static enum sf_status
check_host_prefix(const struct sf_config *config, struct sf_error *error)
{
    if (!has_prefix(config->cookie_name, "__Host-"))
        return SF_OK;
    if (strcmp(config->cookie_path, "/") != 0)
        return sf_error_set(error, SF_INVALID,
                            "SessionFastCookieName: '%s' needs SessionFastCookiePath /",
                            config->cookie_name);
    if (*config->cookie_domain != '\0')
        return sf_error_set(error, SF_INVALID,
                            "SessionFastCookieName: '%s' does not go with SessionFastCookieDomain",
                            config->cookie_name);
    return SF_OK;
}

static enum sf_status
check_same_site(const struct sf_config *config, struct sf_error *error)
{
    if (config->cookie_same_site != SF_SAME_SITE_NONE || config->cookie_secure)
        return SF_OK;
    return sf_error_set(error, SF_INVALID,
                        "SessionFastCookieSameSite: 'None' needs SessionFastCookieSecure On");
}

static enum sf_status
check_cookie_domain(const struct sf_config *config, struct sf_error *error)
{
    if (consists_of(config->cookie_domain, ALPHANUMERIC "-."))
        return SF_OK;
    return sf_error_set(error, SF_INVALID, "SessionFastCookieDomain: '%.80s' is not a domain name",
                        config->cookie_domain);
}

static bool
is_safe_in_cookie_path(unsigned char byte)
{
    return byte > ' ' && byte < 0x7f && byte != ';' && byte != ',';
}

static enum sf_status
check_cookie_path(const struct sf_config *config, struct sf_error *error)
{
    const char *at = config->cookie_path;
    if (*at != '/')
        return sf_error_set(error, SF_INVALID,
                            "SessionFastCookiePath: '%.80s' does not begin with '/'", at);
    while (is_safe_in_cookie_path((unsigned char)*at))
        at++;
    if (*at == '\0')
        return SF_OK;
    return sf_error_set(error, SF_INVALID,
                        "SessionFastCookiePath: '%.80s' has a blank, ';', ',' or non-ASCII",
                        config->cookie_path);
}

struct named_duration {
    const char *directive;
    sf_time duration;
};

static enum sf_status
refuse_duration(struct named_duration wrong, const char *relation, struct named_duration other,
                struct sf_error *error)
{
    char wrong_text[SF_UNITS_TEXT_BYTES], other_text[SF_UNITS_TEXT_BYTES];
    sf_duration_format(wrong.duration, wrong_text);
    sf_duration_format(other.duration, other_text);
    return sf_error_set(error, SF_INVALID, "%s: '%s' is %s %s (%s)", wrong.directive, wrong_text,
                        relation, other.directive, other_text);
}

static enum sf_status
check_absolute_timeout(const struct sf_config *config, struct sf_error *error)
{
    struct named_duration absolute = {"SessionFastAbsoluteTimeout", config->absolute_timeout};
    struct named_duration idle = {"SessionFastIdleTimeout", config->idle_timeout};
    if (absolute.duration == 0 || absolute.duration >= idle.duration)
        return SF_OK;
    return refuse_duration(absolute, "shorter than", idle, error);
}

static enum sf_status
check_rotate_grace(const struct sf_config *config, struct sf_error *error)
{
    struct named_duration grace = {"SessionFastRotateGrace", config->rotate_grace};
    struct named_duration tombstone = {"SessionFastTombstoneLifetime", config->tombstone_lifetime};
    if (grace.duration <= tombstone.duration)
        return SF_OK;
    return refuse_duration(grace, "longer than", tombstone, error);
}

static enum sf_status
check_deadline(const struct sf_config *config, struct sf_error *error)
{
    struct named_duration deadline = {"SessionFastDeadline", config->deadline};
    struct named_duration idle = {"SessionFastIdleTimeout", config->idle_timeout};
    if (deadline.duration < idle.duration)
        return SF_OK;
    return refuse_duration(deadline, "not shorter than", idle, error);
}

/* The value is not repeated: it may hold a password. */
static enum sf_status
check_store(const struct sf_config *config, struct sf_error *error)
{
    size_t scheme = strspn(config->store, ALPHANUMERIC "+-.");
    if (strspn(config->store, LETTERS) > 0 && config->store[scheme] == ':')
        return SF_OK;
    return sf_error_set(error, SF_INVALID,
                        "SessionFastStore: no scheme, such as sqlite: in sqlite:sessions.db");
}

enum sf_status
sf_config_check(const struct sf_config *config, struct sf_error *error)
{
    static rule_fn *const rules[] = {
        check_cookie_name, check_secure_prefix, check_host_prefix, check_same_site,
        check_cookie_domain, check_cookie_path, check_absolute_timeout,
        check_rotate_grace, check_deadline, check_store,
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        enum sf_status status = rules[i](config, error);
        if (status != SF_OK)
            return status;
    }
    return SF_OK;
}
