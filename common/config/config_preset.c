/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A preset is other defaults for some options, in one word. What the administrator has set stays,
 * wherever it stands: in front of the preset or behind it, on the same level or another.
 */
#include "common/config/config.h"

#include <assert.h>

struct row {
    enum sf_preset preset;
    enum sf_option_index option;
    const char *text;
};

static const struct row rows[] = {
    {SF_PRESET_READ_HEAVY, SF_OPTION_AT_cache_ttl, "10min"},
    {SF_PRESET_WRITE_HEAVY, SF_OPTION_AT_cache_ttl, "1min"},
    {SF_PRESET_DJANGO, SF_OPTION_AT_cookie_max_age, "1209600"}, /* SESSION_COOKIE_AGE: two weeks, of the cookie... */
    {SF_PRESET_DJANGO, SF_OPTION_AT_idle_timeout, "1209600"},   /* ...and of the session behind it */
    {SF_PRESET_DJANGO, SF_OPTION_AT_absolute_timeout, "0"},
    {SF_PRESET_DJANGO, SF_OPTION_AT_cookie_http_only, "On"},
    {SF_PRESET_DJANGO, SF_OPTION_AT_cookie_same_site, "Lax"},
    {SF_PRESET_DJANGO, SF_OPTION_AT_l2_ttl, "3600"}, /* TIMEOUT of its cache */
};

#define ROWS (sizeof rows / sizeof rows[0])

static void
set_default(struct sf_config *config, enum sf_option_index option, const char *text)
{
    struct sf_error error;
    if (config->is_set[option])
        return;
    enum sf_status status = sf_config_set(config, &sf_options[option], text, NULL, &error);
    assert(status == SF_OK && "a preset has a value that is out of its option's range");
    (void)status;
    config->is_set[option] = false;
}

void
sf_config_preset(struct sf_config *config)
{
    for (size_t i = 0; i < ROWS; i++)
        set_default(config, rows[i].option, sf_options[rows[i].option].default_text);
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].preset == (enum sf_preset)config->preset)
            set_default(config, rows[i].option, rows[i].text);
    }
}
