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
