/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * print.h - JSON values on the screen: as JSON, as a table, as name and value lines.
 *
 * Text from sessions and stores is shown with control characters escaped: a session cannot steer a
 * terminal.
 */
#include <jansson.h>
#include <stdbool.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"

enum print_form {
    PRINT_TEXT,
    PRINT_NUMBER,  /* right-aligned */
    PRINT_BYTES,   /* 1.5K, 64M */
    PRINT_TIME,    /* milliseconds since 1970 -> local time; 0 -> "-" */
    PRINT_DURATION /* milliseconds -> 5.0s, 12min, 3h */
};

struct print_column {
    const char *field; /* of each row's object */
    const char *title;
    enum print_form form;
};

void print_json(const json_t *value);
void print_table(const json_t *rows, const struct print_column *columns, size_t count);
/* One "name  value" line for each column whose field the object has; `indent` blanks before it. */
void print_object(const json_t *object, const struct print_column *columns, size_t count,
                  int indent);
/* The same for every member of the object, as text. */
void print_members(const json_t *object, int indent);

/* A JSON string, or {"base64url": ...} when the bytes are not UTF-8. New reference. */
json_t *print_bytes_to_json(struct sf_span bytes);
