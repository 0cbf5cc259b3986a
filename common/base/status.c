/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/bytes.h"

const char *
sf_status_name(enum sf_status status)
{
    switch (status) {
#define S(name, text) case SF_##name: return #name;
        SF_STATUS_LIST(S)
#undef S
    }
    return "UNKNOWN";
}

const char *
sf_status_text(enum sf_status status)
{
    switch (status) {
#define S(name, text) case SF_##name: return text;
        SF_STATUS_LIST(S)
#undef S
    }
    return "unknown status";
}

enum sf_status
sf_error_set(struct sf_error *error, enum sf_status status, const char *format, ...)
{
    if (error == NULL)
        return status;
    error->status = status;
    error->text[0] = '\0';
    if (status == SF_OK)
        return status;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    if (length < 0)
        error->text[0] = '\0';
    sf_text_clean(error->text);
    return status;
}

enum sf_status
sf_error_set_errno(struct sf_error *error, const char *path, const char *doing)
{
    char room[128];
    const char *reason = strerror_r(errno, room, sizeof room); /* GNU's: returns the text */
    return sf_error_set(error, SF_UNAVAILABLE, "%s: cannot %s: %s", path, doing, reason);
}
