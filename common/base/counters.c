/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/counters.h"

#include <assert.h>

static const struct {
    const char *name;
    const char *help;
} counters[SF_COUNTER_COUNT] = {
#define COUNTER(name, help) [SF_COUNTER_##name] = {#name, help},
#include "common/base/counters.def"
#undef COUNTER
};

const char *
sf_counter_name(enum sf_counter which)
{
    assert(which < SF_COUNTER_COUNT);
    return counters[which].name;
}

const char *
sf_counter_help(enum sf_counter which)
{
    assert(which < SF_COUNTER_COUNT);
    return counters[which].help;
}
