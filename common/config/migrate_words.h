/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * migrate_words.h - the value of SessionFastMigrate: "URL percent=N"; without a percentage it is 0.
 */
#include <stddef.h>

#include "common/base/status.h"

/* `text` has no room in url_out, or it is none: SF_INVALID. Texts never repeat the URL: it may hold a password. */
enum sf_status sf_migrate_words_parse(const char *text, char *url_out, size_t url_size, int *percent_out,
                                      struct sf_error *error) SF_MUST_CHECK;

/* A whole number from 0 to 100. */
enum sf_status sf_percent_parse(const char *text, int *percent_out) SF_MUST_CHECK;
