/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules across options. A browser drops a cookie that breaks its prefix's promise without a word, so that every visitor would get a
 * new session with each request: such a cookie must not get as far as a browser.
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
    return sf_error_set(error, SF_INVALID, "SessionFastCookieName: '%s' is not a cookie name (letters, digits, %s)",
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
    bool is_prefixed = has_prefix(config->cookie_name, "__Host-") || has_prefix(config->cookie_name, "__Secure-");
    if (!is_prefixed || config->cookie_secure)
        return SF_OK;
    return sf_error_set(error, SF_INVALID, "SessionFastCookieName: '%s' needs SessionFastCookieSecure On",
                        config->cookie_name);
}

static enum sf_status
check_host_prefix(const struct sf_config *config, struct sf_error *error)
{
    if (!has_prefix(config->cookie_name, "__Host-"))
        return SF_OK;
    if (strcmp(config->cookie_path, "/") != 0)
        return sf_error_set(error, SF_INVALID, "SessionFastCookieName: '%s' needs SessionFastCookiePath /",
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
    return sf_error_set(error, SF_INVALID,
                        "SessionFastCookieDomain: '%.80s' is not a domain (letters, digits, '-', '.')",
                        config->cookie_domain);
}

static enum sf_status
check_cookie_path(const struct sf_config *config, struct sf_error *error)
{
    const char *path = config->cookie_path;
    if (*path != '/')
        return sf_error_set(error, SF_INVALID, "SessionFastCookiePath: '%.80s' does not begin with '/'", path);
    for (const char *at = path; *at != '\0'; at++)
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f || *at == ';' || *at == ',')
            return sf_error_set(error, SF_INVALID,
                                "SessionFastCookiePath: '%.80s' is not a path (ASCII without blanks, ';', ',')", path);
    return SF_OK;
}

static enum sf_status
check_timeouts(const struct sf_config *config, struct sf_error *error)
{
    if (config->absolute_timeout == 0 || config->absolute_timeout >= config->idle_timeout)
        return SF_OK;
    char absolute[SF_UNITS_TEXT_BYTES], idle[SF_UNITS_TEXT_BYTES];
    sf_duration_format(config->absolute_timeout, absolute);
    sf_duration_format(config->idle_timeout, idle);
    return sf_error_set(error, SF_INVALID,
                        "SessionFastAbsoluteTimeout: '%s' is shorter than SessionFastIdleTimeout (%s)", absolute,
                        idle);
}

static enum sf_status
check_rotate_grace(const struct sf_config *config, struct sf_error *error)
{
    if (config->rotate_grace <= config->tombstone_lifetime)
        return SF_OK;
    char grace[SF_UNITS_TEXT_BYTES], tombstone[SF_UNITS_TEXT_BYTES];
    sf_duration_format(config->rotate_grace, grace);
    sf_duration_format(config->tombstone_lifetime, tombstone);
    return sf_error_set(error, SF_INVALID,
                        "SessionFastRotateGrace: '%s' is longer than SessionFastTombstoneLifetime (%s)", grace,
                        tombstone);
}

static enum sf_status
check_deadline(const struct sf_config *config, struct sf_error *error)
{
    if (config->deadline < config->idle_timeout)
        return SF_OK;
    char deadline[SF_UNITS_TEXT_BYTES], idle[SF_UNITS_TEXT_BYTES];
    sf_duration_format(config->deadline, deadline);
    sf_duration_format(config->idle_timeout, idle);
    return sf_error_set(error, SF_INVALID,
                        "SessionFastDeadline: '%s' is not shorter than SessionFastIdleTimeout (%s)", deadline, idle);
}

/* The value is not repeated: it may hold a password. */
static enum sf_status
check_store(const struct sf_config *config, struct sf_error *error)
{
    size_t scheme = strspn(config->store, ALPHANUMERIC "+-.");
    if (strspn(config->store, LETTERS) > 0 && config->store[scheme] == ':')
        return SF_OK;
    return sf_error_set(error, SF_INVALID,
                        "SessionFastStore: the value has no scheme (as sqlite: in sqlite:sessions.db)");
}

enum sf_status
sf_config_check(const struct sf_config *config, struct sf_error *error)
{
    static rule_fn *const rules[] = {
        check_cookie_name, check_secure_prefix, check_host_prefix, check_same_site,
        check_cookie_domain, check_cookie_path, check_timeouts, check_rotate_grace,
        check_deadline, check_store,
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        enum sf_status status = rules[i](config, error);
        if (status != SF_OK)
            return status;
    }
    return SF_OK;
}
