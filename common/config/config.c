/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/config.h"

#include <apr_strings.h>
#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/bytes.h"
#include "common/config/units.h"

#define SHOWN 80 /* bytes of a refused value that an error repeats */

static const char *const same_site_words[] = {"Strict", "Lax", "None", NULL};
static const char *const durability_words[] = {"memory", "journal", "store", NULL};
static const char *const on_error_words[] = {"unavailable", "anonymous", NULL};
static const char *const data_format_words[] = {"form", "json", "none", NULL};

static const char *const preset_words[] = {"none", "read-heavy", "write-heavy", "django", NULL};

static const char *const shared_store_words[] = {"auto", "on", "off", NULL};

#define WORDS_preset preset_words
#define WORDS_shared_store shared_store_words
#define WORDS_cookie_same_site same_site_words
#define WORDS_durability durability_words
#define WORDS_login_durability durability_words
#define WORDS_on_error on_error_words
#define WORDS_data_format data_format_words

#define WORDS_OF_DURATION(field) NULL
#define WORDS_OF_SIZE(field) NULL
#define WORDS_OF_INTEGER(field) NULL
#define WORDS_OF_FLAG(field) NULL
#define WORDS_OF_TEXT(field) NULL
#define WORDS_OF_ENUM(field) WORDS_##field
#define WORDS_OF_LIST(field) NULL

const struct sf_option sf_options[SF_OPTION_COUNT] = {
#define OPTION(kind, field, name, preset, least, most, where, text) \
    [SF_OPTION_AT_##field] = {                                      \
        .directive = name,                                          \
        .type = SF_OPTION_##kind,                                   \
        .scope = SF_SCOPE_##where,                                  \
        .offset = offsetof(struct sf_config, field),                \
        .default_text = preset,                                     \
        .min = least,                                               \
        .max = most,                                                \
        .help = text,                                               \
        .words = WORDS_OF_##kind(field),                            \
    },
#include "common/config/options.def"
#undef OPTION
};

/* Any value an option can have, before it is stored in its field. */
union value {
    sf_time duration;
    uint64_t size;
    int64_t integer;
    bool flag;
    int word;
    const char *text;
};

static size_t
value_bytes(enum sf_option_type type)
{
    switch (type) {
    case SF_OPTION_DURATION: return sizeof(sf_time);
    case SF_OPTION_SIZE: return sizeof(uint64_t);
    case SF_OPTION_INTEGER: return sizeof(int64_t);
    case SF_OPTION_FLAG: return sizeof(bool);
    case SF_OPTION_ENUM: return sizeof(int);
    case SF_OPTION_TEXT:
    case SF_OPTION_LIST: return sizeof(const char *);
    }
    return 0;
}

static void
store_value(struct sf_config *config, const struct sf_option *option, const union value *value)
{
    memcpy((char *)config + option->offset, value, value_bytes(option->type));
}

static union value
load_value(const struct sf_config *config, const struct sf_option *option)
{
    union value value = {0};
    memcpy(&value, (const char *)config + option->offset, value_bytes(option->type));
    return value;
}

static void
format_words(const struct sf_option *option, char *text_out)
{
    size_t used = 0;
    text_out[0] = '\0';
    for (size_t i = 0; option->words[i] != NULL && used < SF_OPTION_RANGE_BYTES; i++)
        used += (size_t)snprintf(text_out + used, SF_OPTION_RANGE_BYTES - used, "%s%s",
                                 i == 0 ? "" : ", ", option->words[i]);
}

void
sf_option_range(const struct sf_option *option, char text_out[SF_OPTION_RANGE_BYTES])
{
    char min[SF_UNITS_TEXT_BYTES], max[SF_UNITS_TEXT_BYTES];
    switch (option->type) {
    case SF_OPTION_FLAG:
        snprintf(text_out, SF_OPTION_RANGE_BYTES, "On, Off");
        return;
    case SF_OPTION_ENUM:
        format_words(option, text_out);
        return;
    case SF_OPTION_DURATION:
        sf_duration_format((sf_time)option->min, min);
        sf_duration_format((sf_time)option->max, max);
        break;
    case SF_OPTION_SIZE:
        sf_size_format(option->min, min);
        sf_size_format(option->max, max);
        break;
    case SF_OPTION_INTEGER:
    case SF_OPTION_TEXT:
    case SF_OPTION_LIST:
        snprintf(min, sizeof min, "%" PRIu64, option->min);
        snprintf(max, sizeof max, "%" PRIu64, option->max);
        break;
    }
    bool is_length = option->type == SF_OPTION_TEXT || option->type == SF_OPTION_LIST;
    snprintf(text_out, SF_OPTION_RANGE_BYTES, "%s to %s%s", min, max, is_length ? " bytes" : "");
}

static enum sf_status
refuse(const struct sf_option *option, const char *text, const char *what, struct sf_error *error)
{
    char range[SF_OPTION_RANGE_BYTES];
    sf_option_range(option, range);
    return sf_error_set(error, SF_INVALID, "%s: '%.*s' is %s (%s)", option->directive, SHOWN, text,
                        what, range);
}

static enum sf_status
check_range(const struct sf_option *option, const char *text, uint64_t number,
            struct sf_error *error)
{
    if (number < option->min || number > option->max)
        return refuse(option, text, "out of range", error);
    return SF_OK;
}

static enum sf_status
parse_number(const struct sf_option *option, const char *text, union value *value,
             struct sf_error *error)
{
    if (sf_int64_parse(sf_span_text(text), &value->integer) != SF_OK || value->integer < 0)
        return refuse(option, text, "not a number", error);
    return check_range(option, text, (uint64_t)value->integer, error);
}

static enum sf_status
parse_flag(const struct sf_option *option, const char *text, union value *value,
           struct sf_error *error)
{
    value->flag = strcasecmp(text, "On") == 0;
    if (!value->flag && strcasecmp(text, "Off") != 0)
        return sf_error_set(error, SF_INVALID, "%s: '%.*s' is neither On nor Off",
                            option->directive, SHOWN, text);
    return SF_OK;
}

static enum sf_status
parse_word(const struct sf_option *option, const char *text, union value *value,
           struct sf_error *error)
{
    for (int i = 0; option->words[i] != NULL; i++) {
        if (strcasecmp(option->words[i], text) == 0) {
            value->word = i;
            return SF_OK;
        }
    }
    return refuse(option, text, "unknown", error);
}

/* The text itself is not repeated: a store's URL may hold a password. */
static enum sf_status
parse_text(const struct sf_option *option, const char *text, union value *value,
           struct sf_error *error)
{
    char range[SF_OPTION_RANGE_BYTES];
    sf_option_range(option, range);
    size_t length = strlen(text);
    if (length < option->min || length > option->max)
        return sf_error_set(error, SF_INVALID, "%s: a text of %zu bytes is out of range (%s)",
                            option->directive, length, range);
    for (const char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return sf_error_set(error, SF_INVALID, "%s: control characters are not allowed (%s)",
                                option->directive, range);
    value->text = text;
    return SF_OK;
}

static enum sf_status
parse_value(const struct sf_option *option, const char *text, union value *value,
            struct sf_error *error)
{
    switch (option->type) {
    case SF_OPTION_DURATION:
        if (sf_duration_parse(text, &value->duration) != SF_OK)
            return refuse(option, text, "not a duration", error);
        return check_range(option, text, (uint64_t)value->duration, error);
    case SF_OPTION_SIZE:
        if (sf_size_parse(text, &value->size) != SF_OK)
            return refuse(option, text, "not a size", error);
        return check_range(option, text, value->size, error);
    case SF_OPTION_INTEGER: return parse_number(option, text, value, error);
    case SF_OPTION_FLAG: return parse_flag(option, text, value, error);
    case SF_OPTION_ENUM: return parse_word(option, text, value, error);
    case SF_OPTION_TEXT:
    case SF_OPTION_LIST: return parse_text(option, text, value, error);
    }
    return SF_INVALID;
}

static const char *
join_words(const char *text, apr_pool_t *pool)
{
    const char *joined = "";
    char *rest = apr_pstrdup(pool, text);
    char *word;
    while ((word = strsep(&rest, " \t")) != NULL)
        if (*word != '\0')
            joined = *joined == '\0' ? word : apr_pstrcat(pool, joined, " ", word, NULL);
    return joined;
}

enum sf_status
sf_config_set(struct sf_config *config, const struct sf_option *option, const char *text,
              apr_pool_t *pool, struct sf_error *error)
{
    const char *kept = text;
    if (option->type == SF_OPTION_LIST)
        kept = join_words(text, pool);
    else if (option->type == SF_OPTION_TEXT)
        kept = apr_pstrdup(pool, text);
    union value value = {0};
    enum sf_status status = parse_value(option, kept, &value, error);
    if (status != SF_OK)
        return status;
    store_value(config, option, &value);
    config->is_set[option - sf_options] = true;
    if (option == &sf_options[SF_OPTION_AT_preset])
        sf_config_preset(config);
    return SF_OK;
}

void
sf_config_init(struct sf_config *config)
{
    memset(config, 0, sizeof *config);
    for (size_t i = 0; i < SF_OPTION_COUNT; i++) {
        union value value = {0};
        struct sf_error error = {0};
        enum sf_status status =
            parse_value(&sf_options[i], sf_options[i].default_text, &value, &error);
        assert(status == SF_OK && "a default in options.def is out of its own range");
        (void)status;
        store_value(config, &sf_options[i], &value);
    }
}

/* Most levels say little, and httpd merges those of a place for each request. */
static size_t
next_set(const struct sf_config *config, size_t from)
{
    const bool *found = memchr(config->is_set + from, true, SF_OPTION_COUNT - from);

    return found != NULL ? (size_t)(found - config->is_set) : SF_OPTION_COUNT;
}

void
sf_config_merge(struct sf_config *merged, const struct sf_config *outer,
                const struct sf_config *inner)
{
    *merged = *outer;
    for (size_t i = 0; (i = next_set(inner, i)) < SF_OPTION_COUNT; i++) {
        union value value = load_value(inner, &sf_options[i]);
        store_value(merged, &sf_options[i], &value);
        merged->is_set[i] = true;
    }
    if (merged->is_set[SF_OPTION_AT_preset])
        sf_config_preset(merged);
}

bool
sf_config_has_store(const struct sf_config *config)
{
    return strcmp(config->store, SF_CONFIG_NO_STORE) != 0;
}

bool
sf_config_has_cache(const struct sf_config *config)
{
    return config->cache_size > 0;
}

uint64_t
sf_config_cache_bytes(const struct sf_config *config)
{
    return sf_config_has_cache(config) ? config->cache_size : SF_CONFIG_NO_CACHE_BYTES;
}

const char *
sf_config_tier(const struct sf_config *config)
{
    if (!sf_config_has_cache(config))
        return "store only";
    return sf_config_has_store(config) ? "cached store" : "cache only";
}

const struct sf_option *
sf_option_find(const char *directive)
{
    for (size_t i = 0; i < SF_OPTION_COUNT; i++)
        if (strcasecmp(sf_options[i].directive, directive) == 0)
            return &sf_options[i];
    return NULL;
}

const char *
sf_config_format(const struct sf_config *config, const struct sf_option *option, apr_pool_t *pool)
{
    union value value = load_value(config, option);
    char text[SF_UNITS_TEXT_BYTES];
    switch (option->type) {
    case SF_OPTION_DURATION:
        sf_duration_format(value.duration, text);
        return apr_pstrdup(pool, text);
    case SF_OPTION_SIZE:
        sf_size_format(value.size, text);
        return apr_pstrdup(pool, text);
    case SF_OPTION_INTEGER: return apr_psprintf(pool, "%" APR_INT64_T_FMT, value.integer);
    case SF_OPTION_FLAG: return value.flag ? "On" : "Off";
    case SF_OPTION_ENUM: return option->words[value.word];
    case SF_OPTION_TEXT:
    case SF_OPTION_LIST: return apr_pstrdup(pool, value.text);
    }
    return "";
}
