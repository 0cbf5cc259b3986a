/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/migrate_words.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/base/bytes.h"

#define BLANKS " \t"
#define PERCENT "percent="

enum sf_status
sf_percent_parse(const char *text, int *percent_out)
{
    int64_t percent;
    if (sf_int64_parse(sf_span_text(text), &percent) != SF_OK || percent < 0 || percent > 100)
        return SF_INVALID;
    *percent_out = (int)percent;
    return SF_OK;
}

enum sf_status
sf_migrate_words_parse(const char *text, char *url_out, size_t url_size, int *percent_out, struct sf_error *error)
{
    const char *url = text + strspn(text, BLANKS);
    size_t length = strcspn(url, BLANKS);
    const char *rest = url + length + strspn(url + length, BLANKS);
    *percent_out = 0;
    if (length == 0 || length >= url_size)
        return sf_error_set(error, SF_INVALID, "SessionFastMigrate: wants URL percent=N");
    snprintf(url_out, url_size, "%.*s", (int)length, url);
    if (*rest == '\0')
        return SF_OK;
    if (strncmp(rest, PERCENT, strlen(PERCENT)) == 0 && sf_percent_parse(rest + strlen(PERCENT), percent_out) == SF_OK)
        return SF_OK;
    return sf_error_set(error, SF_INVALID, "SessionFastMigrate: behind the URL stands percent=N, from 0 to 100");
}
