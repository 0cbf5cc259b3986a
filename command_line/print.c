/* SPDX-License-Identifier: Apache-2.0 */
#include "command_line/print.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#define CELL_MAX 512
#define COLUMNS_MAX 16
#define DIGITS 12 /* of a fraction: 0.1, not 0.10000000000000001 */

void
print_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY | JSON_REAL_PRECISION(DIGITS));
    putchar('\n');
}

/* Copies text with C0, DEL and C1 control characters as \xNN; cut at CELL_MAX. */
static void
escape_text(const char *text, char cell_out[CELL_MAX])
{
    size_t used = 0;

    for (const unsigned char *at = (const unsigned char *)text; *at != 0 && used + 8 < CELL_MAX;
         at++) {
        bool is_c1 = at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0;
        if (*at < 0x20 || *at == 0x7f || is_c1)
            used += (size_t)snprintf(cell_out + used, CELL_MAX - used, "\\x%02x", *at);
        else
            cell_out[used++] = (char)*at;
        if (is_c1) /* the second byte alone is no control character */
            used += (size_t)snprintf(cell_out + used, CELL_MAX - used, "\\x%02x", *++at);
    }
    cell_out[used] = '\0';
}

static void
format_bytes(json_int_t bytes, char cell_out[CELL_MAX])
{
    static const char units[] = "BKMGT";
    double amount = (double)bytes;
    size_t unit = 0;

    while (amount >= 1024 && unit + 2 < sizeof units) {
        amount /= 1024;
        unit++;
    }
    snprintf(cell_out, CELL_MAX, unit == 0 || amount >= 100 ? "%.0f%c" : "%.1f%c", amount,
             units[unit]);
}

static void
format_time(json_int_t milliseconds, char cell_out[CELL_MAX])
{
    time_t seconds = (time_t)(milliseconds / SF_SECOND);
    struct tm local;

    if (milliseconds == 0 || localtime_r(&seconds, &local) == NULL)
        strncpy(cell_out, "-", CELL_MAX);
    else
        strftime(cell_out, CELL_MAX, "%Y-%m-%d %H:%M:%S", &local);
}

static void
format_duration(json_int_t milliseconds, char cell_out[CELL_MAX])
{
    if (milliseconds < SF_SECOND)
        snprintf(cell_out, CELL_MAX, "%dms", (int)milliseconds);
    else if (milliseconds < SF_MINUTE)
        snprintf(cell_out, CELL_MAX, "%.1fs", (double)milliseconds / SF_SECOND);
    else if (milliseconds < SF_HOUR)
        snprintf(cell_out, CELL_MAX, "%dmin", (int)(milliseconds / SF_MINUTE));
    else if (milliseconds < SF_DAY)
        snprintf(cell_out, CELL_MAX, "%.1fh", (double)milliseconds / SF_HOUR);
    else
        snprintf(cell_out, CELL_MAX, "%.1fd", (double)milliseconds / SF_DAY);
}

static void
format_structure(const json_t *value, char cell_out[CELL_MAX])
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    escape_text(text != NULL ? text : "", cell_out);
    free(text);
}

static void
format_cell(const json_t *value, enum print_form form, char cell_out[CELL_MAX])
{
    if (value == NULL || json_is_null(value))
        strncpy(cell_out, "-", CELL_MAX);
    else if (json_is_string(value))
        escape_text(json_string_value(value), cell_out);
    else if (!json_is_integer(value))
        format_structure(value, cell_out);
    else if (form == PRINT_BYTES)
        format_bytes(json_integer_value(value), cell_out);
    else if (form == PRINT_TIME)
        format_time(json_integer_value(value), cell_out);
    else if (form == PRINT_DURATION)
        format_duration(json_integer_value(value), cell_out);
    else
        snprintf(cell_out, CELL_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
}

/* Columns on the screen, as far as the locale knows; bytes otherwise. */
static int
width_of(const char *cell)
{
    wchar_t wide[CELL_MAX];
    size_t length = mbstowcs(wide, cell, CELL_MAX);
    int width = length == (size_t)-1 || length == CELL_MAX ? -1 : wcswidth(wide, length);

    return width >= 0 ? width : (int)strlen(cell);
}

static void
print_cell(const char *cell, enum print_form form, int width, bool is_last)
{
    int padding = width - width_of(cell);
    bool is_right = form == PRINT_NUMBER || form == PRINT_BYTES || form == PRINT_DURATION;

    if (is_right)
        printf("%*s%s", padding, "", cell);
    else
        printf("%s%*s", cell, is_last ? 0 : padding, "");
    fputs(is_last ? "\n" : "  ", stdout);
}

static void
widen(int widths[], const json_t *row, const struct print_column *columns, size_t count)
{
    char cell[CELL_MAX];

    for (size_t i = 0; i < count; i++) {
        format_cell(json_object_get(row, columns[i].field), columns[i].form, cell);
        int width = width_of(cell);
        if (width > widths[i])
            widths[i] = width;
    }
}

static void
print_row(const int widths[], const json_t *row, const struct print_column *columns, size_t count)
{
    char cell[CELL_MAX];

    for (size_t i = 0; i < count; i++) {
        format_cell(json_object_get(row, columns[i].field), columns[i].form, cell);
        print_cell(cell, columns[i].form, widths[i], i + 1 == count);
    }
}

void
print_table(const json_t *rows, const struct print_column *columns, size_t count)
{
    int widths[COLUMNS_MAX] = {0};

    assert(count <= COLUMNS_MAX);
    for (size_t i = 0; i < count; i++)
        widths[i] = width_of(columns[i].title);
    for (size_t i = 0; i < json_array_size(rows); i++)
        widen(widths, json_array_get(rows, i), columns, count);
    for (size_t i = 0; i < count; i++)
        print_cell(columns[i].title, columns[i].form, widths[i], i + 1 == count);
    for (size_t i = 0; i < json_array_size(rows); i++)
        print_row(widths, json_array_get(rows, i), columns, count);
}

void
print_object(const json_t *object, const struct print_column *columns, size_t count, int indent)
{
    char cell[CELL_MAX];
    int width = 0;

    for (size_t i = 0; i < count; i++)
        if (json_object_get(object, columns[i].field) != NULL && width_of(columns[i].title) > width)
            width = width_of(columns[i].title);
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(object, columns[i].field);
        if (value == NULL)
            continue;
        format_cell(value, columns[i].form, cell);
        printf("%*s%s%*s  %s\n", indent, "", columns[i].title, width - width_of(columns[i].title),
               "", cell);
    }
}

void
print_members(const json_t *object, int indent)
{
    char name[CELL_MAX], cell[CELL_MAX];
    int width = 0;
    const char *key;
    json_t *value;
    /* The foreach macro wants it mutable. */
    json_t *members = json_incref((json_t *)(uintptr_t)object);

    json_object_foreach(members, key, value) {
        escape_text(key, name);
        if (width_of(name) > width)
            width = width_of(name);
    }
    json_object_foreach(members, key, value) {
        escape_text(key, name);
        format_cell(value, PRINT_TEXT, cell);
        printf("%*s%s%*s  %s\n", indent, "", name, width - width_of(name), "", cell);
    }
    json_decref(members);
}

json_t *
print_bytes_to_json(struct sf_span bytes)
{
    if (bytes.size == 0)
        return json_string("");
    if (memchr(bytes.data, 0, bytes.size) == NULL) {
        json_t *text = json_stringn((const char *)bytes.data, bytes.size);
        if (text != NULL) /* it is UTF-8 */
            return text;
    }
    char *encoded = malloc(SF_BASE64URL_BYTES(bytes.size));
    if (encoded == NULL)
        return json_null();
    sf_base64url_encode(bytes.data, bytes.size, encoded);
    json_t *object = json_pack("{s:s}", "base64url", encoded);
    free(encoded);
    return object;
}
