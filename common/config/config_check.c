/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A browser drops a cookie that breaks the promise of its prefix without a word, and the visitor
 * would get a new session with each request: such a combination must not get past the start.
 */
#include "common/config/config.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "common/config/migrate_words.h"
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

static enum sf_status
check_imported_cookie(const struct sf_config *config, struct sf_error *error)
{
    if (!consists_of(config->imported_cookie, ALPHANUMERIC TOKEN_MARKS))
        return sf_error_set(
            error, SF_INVALID,
            "SessionFastImportedCookie: '%s' is not a cookie name (letters, digits, %s)",
            config->imported_cookie, TOKEN_MARKS);
    if (strcmp(config->imported_cookie, config->cookie_name) == 0)
        return sf_error_set(error, SF_INVALID,
                            "SessionFastImportedCookie: '%s' is SessionFastCookieName, too",
                            config->imported_cookie);
    return SF_OK;
}

static bool
has_prefix(const char *text, const char *prefix)
{
    return strncasecmp(text, prefix, strlen(prefix)) == 0; /* browsers look at it without case */
}

static enum sf_status
check_secure_prefix(const struct sf_config *config, struct sf_error *error)
{
    bool is_prefixed = has_prefix(config->cookie_name, "__Host-") ||
                       has_prefix(config->cookie_name, "__Secure-") ||
                       has_prefix(config->cookie_name, "__Http-");
    if (!is_prefixed || config->cookie_secure)
        return SF_OK;
    return sf_error_set(error, SF_INVALID,
                        "SessionFastCookieName: '%s' needs SessionFastCookieSecure On",
                        config->cookie_name);
}

static enum sf_status
check_http_prefix(const struct sf_config *config, struct sf_error *error)
{
    bool is_prefixed = has_prefix(config->cookie_name, "__Http-") ||
                       has_prefix(config->cookie_name, "__Host-Http-");
    if (!is_prefixed || config->cookie_http_only)
        return SF_OK;
    return sf_error_set(error, SF_INVALID,
                        "SessionFastCookieName: '%s' needs SessionFastCookieHttpOnly On",
                        config->cookie_name);
}

static enum sf_status
check_host_path(const struct sf_config *config, struct sf_error *error)
{
    if (!has_prefix(config->cookie_name, "__Host-") || strcmp(config->cookie_path, "/") == 0)
        return SF_OK;
    return sf_error_set(error, SF_INVALID,
                        "SessionFastCookieName: '%s' needs SessionFastCookiePath /",
                        config->cookie_name);
}

static enum sf_status
check_host_domain(const struct sf_config *config, struct sf_error *error)
{
    if (!has_prefix(config->cookie_name, "__Host-") || *config->cookie_domain == '\0')
        return SF_OK;
    return sf_error_set(error, SF_INVALID,
                        "SessionFastCookieName: '%s' does not go with SessionFastCookieDomain",
                        config->cookie_name);
}

static enum sf_status
check_same_site(const struct sf_config *config, struct sf_error *error)
{
    if (config->cookie_same_site != SF_SAME_SITE_NONE || config->cookie_secure)
        return SF_OK;
    return sf_error_set(error, SF_INVALID,
                        "SessionFastCookieSameSite: 'None' needs SessionFastCookieSecure On");
}

static bool
is_label(const char *label, size_t length)
{
    return length > 0 && length < 64 && strspn(label, ALPHANUMERIC "-") >= length &&
           label[0] != '-' && label[length - 1] != '-';
}

/* Browsers take a dot in front as if it were not there. */
static bool
is_domain(const char *domain)
{
    const char *label = domain + (*domain == '.');
    size_t length = strcspn(label, ".");
    while (is_label(label, length) && label[length] == '.') {
        label += length + 1;
        length = strcspn(label, ".");
    }
    return is_label(label, length);
}

static enum sf_status
check_cookie_domain(const struct sf_config *config, struct sf_error *error)
{
    if (*config->cookie_domain == '\0' || is_domain(config->cookie_domain))
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

/* The attribute has seconds: less than one would be 0, and that deletes the cookie. */
static enum sf_status
check_cookie_max_age(const struct sf_config *config, struct sf_error *error)
{
    if (config->cookie_max_age == 0 || config->cookie_max_age >= SF_SECOND)
        return SF_OK;
    char text[SF_UNITS_TEXT_BYTES];
    sf_duration_format(config->cookie_max_age, text);
    return sf_error_set(error, SF_INVALID,
                        "SessionFastCookieMaxAge: '%s' would delete the cookie (0, or at least 1s)",
                        text);
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
    bool has_scheme = strspn(config->store, LETTERS) > 0 && config->store[scheme] == ':';
    if (has_scheme || !sf_config_has_store(config))
        return SF_OK;
    return sf_error_set(error, SF_INVALID,
                        "SessionFastStore: no scheme, such as sqlite: in sqlite:sessions.db");
}

static enum sf_status
check_migrate(const struct sf_config *config, struct sf_error *error)
{
    char url[1025];
    int percent;
    if (config->migrate[0] == '\0')
        return SF_OK;
    enum sf_status status = sf_migrate_words_parse(config->migrate, url, sizeof url, &percent, error);
    size_t scheme = strspn(url, ALPHANUMERIC "+-.");
    if (status == SF_OK && (scheme == 0 || url[scheme] != ':'))
        return sf_error_set(error, SF_INVALID, "SessionFastMigrate: no scheme, such as redis: in redis://host");
    return status;
}

static enum sf_status
check_l2(const struct sf_config *config, struct sf_error *error)
{
    size_t scheme = strspn(config->l2, ALPHANUMERIC "+-.");
    if (*config->l2 == '\0' || (strspn(config->l2, LETTERS) > 0 && config->l2[scheme] == ':'))
        return SF_OK;
    return sf_error_set(error, SF_INVALID, "SessionFastL2: no scheme, such as redis: in redis://127.0.0.1");
}

static bool
has_parent_step(const char *path)
{
    for (const char *step = path; *step != '\0'; step += *step == '/') {
        size_t length = strcspn(step, "/");
        if (length == 2 && strncmp(step, "..", 2) == 0)
            return true;
        step += length;
    }
    return false;
}

static enum sf_status
check_store_path(const struct sf_config *config, struct sf_error *error)
{
    static const char scheme[] = "sqlite:";
    if (strncmp(config->store, scheme, sizeof scheme - 1) != 0)
        return SF_OK;
    const char *path = config->store + sizeof scheme - 1;
    const char *wrong = NULL;
    if (*path == '\0' || *path == ':')
        wrong = "has no path, as in sqlite:sessions.db";
    else if (path[strlen(path) - 1] == '/')
        wrong = "is a folder, and not a file in it";
    else if (has_parent_step(path))
        wrong = "must not contain '..'";
    if (wrong == NULL)
        return SF_OK;
    return sf_error_set(error, SF_INVALID, "SessionFastStore: '%.80s' %s", config->store, wrong);
}

/* The default of SessionFastLoginDurability asks for as much as there is; who says so himself wants to have it. */
static enum sf_status
check_no_store(const struct sf_config *config, struct sf_error *error)
{
    bool wants_login = config->is_set[SF_OPTION_AT_login_durability] &&
                       config->login_durability != SF_DURABILITY_MEMORY;
    const char *wrong = NULL;
    if (sf_config_has_store(config))
        return SF_OK;
    if (config->durability != SF_DURABILITY_MEMORY)
        wrong = "SessionFastDurability: only memory";
    else if (wants_login)
        wrong = "SessionFastLoginDurability: only memory";
    else if (*config->l2 != '\0')
        wrong = "SessionFastL2: only \"\"";
    else if (*config->migrate != '\0')
        wrong = "SessionFastMigrate: only \"\"";
    else if (config->shared_store == SF_SHARED_ON)
        wrong = "SessionFastSharedStore: only off";
    if (wrong == NULL)
        return SF_OK;
    return sf_error_set(error, SF_INVALID, "%s goes with SessionFastStore none", wrong);
}

#define CACHE_MIN ((uint64_t)1 << 20)

static enum sf_status
check_cache_size(const struct sf_config *config, struct sf_error *error)
{
    if (config->cache_size == 0 || config->cache_size >= CACHE_MIN)
        return SF_OK;
    return sf_error_set(error, SF_INVALID, "SessionFastCacheSize: a cache has at least 1M; 0: there is none");
}

/* Without a cache of the host there is none anywhere: who wants none wants what the store says. */
static enum sf_status
check_no_cache(const struct sf_config *config, struct sf_error *error)
{
    if (sf_config_has_cache(config))
        return SF_OK;
    if (!sf_config_has_store(config))
        return sf_error_set(error, SF_INVALID,
                            "SessionFastCacheSize 0 and SessionFastStore none leave no place for a session");
    if (*config->l2 != '\0')
        return sf_error_set(error, SF_INVALID,
                            "SessionFastL2: nothing goes with SessionFastCacheSize 0, for it is a cache, too");
    return SF_OK;
}

struct rule {
    rule_fn *check;
    uint64_t options; /* that it looks at */
};

static_assert(SF_OPTION_AT_gateway_listen <= 64, "options that rules look at have no bit in one word");

#define BIT(field) SF_OPTION_BIT(SF_OPTION_AT_##field)

static const struct rule rules[] = {
    {check_cookie_name, BIT(cookie_name)},
    {check_imported_cookie, BIT(imported_cookie) | BIT(cookie_name)},
    {check_secure_prefix, BIT(cookie_name) | BIT(cookie_secure)},
    {check_http_prefix, BIT(cookie_name) | BIT(cookie_http_only)},
    {check_host_path, BIT(cookie_name) | BIT(cookie_path)},
    {check_host_domain, BIT(cookie_name) | BIT(cookie_domain)},
    {check_same_site, BIT(cookie_same_site) | BIT(cookie_secure)},
    {check_cookie_domain, BIT(cookie_domain)},
    {check_cookie_path, BIT(cookie_path)},
    {check_cookie_max_age, BIT(cookie_max_age)},
    {check_absolute_timeout, BIT(absolute_timeout) | BIT(idle_timeout)},
    {check_rotate_grace, BIT(rotate_grace) | BIT(tombstone_lifetime)},
    {check_deadline, BIT(deadline) | BIT(idle_timeout)},
    {check_store, BIT(store)},
    {check_store_path, BIT(store)},
    {check_migrate, BIT(migrate)},
    {check_l2, BIT(l2)},
    {check_cache_size, BIT(cache_size)},
    {check_no_cache, BIT(cache_size) | BIT(store) | BIT(l2)},
    {check_no_store, BIT(store) | BIT(durability) | BIT(login_durability) | BIT(l2) | BIT(migrate) | BIT(shared_store)},
};

bool
sf_config_has_rule(enum sf_option_index option)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if ((rules[i].options & SF_OPTION_BIT(option)) != 0)
            return true;
    }
    return false;
}

enum sf_status
sf_config_judge(const struct sf_config *config, uint64_t *options_out, struct sf_error *error)
{
    *options_out = 0;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        enum sf_status status = rules[i].check(config, error);
        if (status != SF_OK) {
            *options_out = rules[i].options;
            return status;
        }
    }
    return SF_OK;
}

enum sf_status
sf_config_check(const struct sf_config *config, struct sf_error *error)
{
    uint64_t ignored;
    return sf_config_judge(config, &ignored, error);
}
