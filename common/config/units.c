/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/bytes.h"

struct unit {
    const char *name;
    int64_t factor;
    bool is_written; /* others are only understood */
};

/* Largest first, so that formatting takes the first that divides. */
static const struct unit duration_units[] = {
    {"w", 7 * SF_DAY, false}, {"d", SF_DAY, true},     {"h", SF_HOUR, true},
    {"min", SF_MINUTE, true}, {"m", SF_MINUTE, false}, {"s", SF_SECOND, true},
    {"ms", 1, true},
};

static const struct unit size_units[] = {
    {"G", 1 << 30, true},
    {"M", 1 << 20, true},
    {"K", 1 << 10, true},
};

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static const struct unit *
find_unit(const struct unit *units, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(units[i].name, name) == 0)
            return &units[i];
    return NULL;
}

static enum sf_status
parse_number(const char *text, const char **unit_out, int64_t *number_out)
{
    size_t digits = strspn(text, "0123456789");
    *unit_out = text + digits;
    return sf_int64_parse(sf_span_of(text, digits), number_out);
}

static enum sf_status
multiply(int64_t number, int64_t factor, int64_t *product_out)
{
    int64_t product; /* *product_out stays as it was on overflow */
    if (__builtin_mul_overflow(number, factor, &product))
        return SF_INVALID;
    *product_out = product;
    return SF_OK;
}

enum sf_status
sf_duration_parse(const char *text, sf_time *duration_out)
{
    const char *name;
    int64_t number;
    enum sf_status status = parse_number(text, &name, &number);
    if (status != SF_OK)
        return status;
    const struct unit *unit =
        find_unit(duration_units, COUNT_OF(duration_units), *name == '\0' ? "s" : name);
    return unit == NULL ? SF_INVALID : multiply(number, unit->factor, duration_out);
}

enum sf_status
sf_size_parse(const char *text, uint64_t *size_out)
{
    const char *name;
    int64_t number;
    enum sf_status status = parse_number(text, &name, &number);
    if (status != SF_OK)
        return status;
    const struct unit *unit = find_unit(size_units, COUNT_OF(size_units), name);
    if (unit == NULL && *name != '\0')
        return SF_INVALID;
    int64_t size;
    status = multiply(number, unit == NULL ? 1 : unit->factor, &size);
    if (status == SF_OK)
        *size_out = (uint64_t)size;
    return status;
}

static const struct unit *
find_divisor(const struct unit *units, size_t count, int64_t value)
{
    for (size_t i = 0; i < count; i++)
        if (value != 0 && units[i].is_written && value % units[i].factor == 0)
            return &units[i];
    return NULL;
}

static void
format_value(int64_t value, const struct unit *unit, char *text_out)
{
    snprintf(text_out, SF_UNITS_TEXT_BYTES, "%" PRId64 "%s",
             unit == NULL ? value : value / unit->factor, unit == NULL ? "" : unit->name);
}

void
sf_duration_format(sf_time duration, char text_out[SF_UNITS_TEXT_BYTES])
{
    format_value(duration, find_divisor(duration_units, COUNT_OF(duration_units), duration),
                 text_out);
}

void
sf_size_format(uint64_t size, char text_out[SF_UNITS_TEXT_BYTES])
{
    int64_t value = size > INT64_MAX ? INT64_MAX : (int64_t)size;
    format_value(value, find_divisor(size_units, COUNT_OF(size_units), value), text_out);
}
