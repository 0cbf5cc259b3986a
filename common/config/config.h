/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * config.h - every option of the product: one row of options.def each.
 *
 * The same directives stand in httpd's configuration, in the gateway's file and in the file that the daemon reads.
 * Values are kept with "was it set here", so merging two levels is one loop over the table.
 */
#include <apr_pools.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/status.h"

enum sf_option_type {
    SF_OPTION_DURATION,
    SF_OPTION_SIZE,
    SF_OPTION_INTEGER,
    SF_OPTION_FLAG,
    SF_OPTION_TEXT,
    SF_OPTION_ENUM,
    SF_OPTION_LIST
};

/* GATEWAY and ROUTE: the gateway's file only (routes.h); httpd does not know them. */
enum sf_option_scope { SF_SCOPE_INSTANCE, SF_SCOPE_LOCATION, SF_SCOPE_GATEWAY, SF_SCOPE_ROUTE };

enum sf_same_site { SF_SAME_SITE_STRICT, SF_SAME_SITE_LAX, SF_SAME_SITE_NONE };
enum sf_durability { SF_DURABILITY_MEMORY, SF_DURABILITY_JOURNAL, SF_DURABILITY_STORE }; /* rising */
enum sf_on_error { SF_ON_ERROR_UNAVAILABLE, SF_ON_ERROR_ANONYMOUS };
enum sf_data_format { SF_DATA_FORM, SF_DATA_JSON, SF_DATA_NONE };
enum sf_shared_store { SF_SHARED_AUTO, SF_SHARED_ON, SF_SHARED_OFF };

enum sf_preset { SF_PRESET_NONE, SF_PRESET_READ_HEAVY, SF_PRESET_WRITE_HEAVY, SF_PRESET_DJANGO };

enum sf_option_index {
#define OPTION(type, field, ...) SF_OPTION_AT_##field,
#include "common/config/options.def"
#undef OPTION
    SF_OPTION_COUNT
};

struct sf_config {
#define SF_FIELD_DURATION(field) sf_time field;
#define SF_FIELD_SIZE(field) uint64_t field;
#define SF_FIELD_INTEGER(field) int64_t field;
#define SF_FIELD_FLAG(field) bool field;
#define SF_FIELD_TEXT(field) const char *field;
#define SF_FIELD_ENUM(field) int field;
#define SF_FIELD_LIST(field) const char *field; /* words separated by one space */
#define OPTION(type, field, ...) SF_FIELD_##type(field)
#include "common/config/options.def"
#undef OPTION
    bool is_set[SF_OPTION_COUNT]; /* by the administrator, at this level */
};

struct sf_option {
    const char *directive; /* same spelling everywhere; compared without case */
    enum sf_option_type type;
    enum sf_option_scope scope;
    size_t offset; /* of the field in struct sf_config */
    const char *default_text; /* parsed by the same code as the administrator's text */
    uint64_t min, max;
    const char *help;
    const char *const *words; /* ENUM: what may stand there, in the order of the enum, NULL at the end */
};

/* SessionFastStore: the cache of the host is all there is. */
#define SF_CONFIG_NO_STORE "none"
bool sf_config_has_store(const struct sf_config *config);

/* SessionFastCacheSize 0: the store is all there is. Then the segment says so, and has what waits from before. */
#define SF_CONFIG_NO_CACHE_BYTES (8u << 20)
bool sf_config_has_cache(const struct sf_config *config);
uint64_t sf_config_cache_bytes(const struct sf_config *config); /* of the segment */
const char *sf_config_tier(const struct sf_config *config); /* "cached store", "store only", "cache only" */

extern const struct sf_option sf_options[SF_OPTION_COUNT];

/* All defaults, nothing set. Strings point to constants. */
void sf_config_init(struct sf_config *config);

/* `text` is copied into `pool`. SF_INVALID: the error says the directive, the value and what is allowed. */
enum sf_status sf_config_set(struct sf_config *config, const struct sf_option *option, const char *text,
                             apr_pool_t *pool, struct sf_error *error) SF_MUST_CHECK;

/* What is set in `inner` wins; lists are replaced, not joined. `merged` may be neither of the two. */
void sf_config_merge(struct sf_config *merged, const struct sf_config *outer, const struct sf_config *inner);

/* The defaults that the preset asks for, wherever nothing is set. Part of set and merge. */
void sf_config_preset(struct sf_config *config);

/* Rules across options: cookie prefixes, SameSite=None without Secure, absolute below idle timeout, and so on. */
enum sf_status sf_config_check(const struct sf_config *config, struct sf_error *error) SF_MUST_CHECK;

/* The same, and which options are at odds: bits of *options_out. 0: none. */
#define SF_OPTION_BIT(index) ((index) < 64 ? UINT64_C(1) << (index) : 0) /* no rule looks at those behind */
enum sf_status sf_config_judge(const struct sf_config *config, uint64_t *options_out,
                               struct sf_error *error) SF_MUST_CHECK;
/* Does any rule look at it? What sets none of these cannot break one. */
bool sf_config_has_rule(enum sf_option_index option);

const struct sf_option *sf_option_find(const char *directive); /* NULL: no such option */

/* What may stand there: "1M to 64G", "Strict, Lax, None", "1 to 80 bytes". */
#define SF_OPTION_RANGE_BYTES 64
void sf_option_range(const struct sf_option *option, char text_out[SF_OPTION_RANGE_BYTES]);

/* The value as an administrator would write it, from `pool`. */
const char *sf_config_format(const struct sf_config *config, const struct sf_option *option, apr_pool_t *pool);
