/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * units.h - durations and sizes as people write them: "30min", "64M".
 */
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/status.h"

#define SF_UNITS_TEXT_BYTES 24 /* room for any formatted value, with the NUL */

/* A whole number and ms, s, min (or m), h, d or w, without a blank; seconds when bare. Never negative. */
enum sf_status sf_duration_parse(const char *text, sf_time *duration_out) SF_MUST_CHECK;
/* In the largest unit up to days that leaves no remainder; `duration` is not negative. */
void sf_duration_format(sf_time duration, char text_out[SF_UNITS_TEXT_BYTES]);

/* A whole number and K, M or G, of 1024; bytes when bare. */
enum sf_status sf_size_parse(const char *text, uint64_t *size_out) SF_MUST_CHECK;
void sf_size_format(uint64_t size, char text_out[SF_UNITS_TEXT_BYTES]);
