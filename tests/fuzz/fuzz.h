/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * fuzz.h - what libFuzzer, and replay.c in its stead, call.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Must survive any bytes; what it finds wrong it ends with abort(). Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As assert, but never compiled out: the arguments do the work. */
static inline void
must(bool holds)
{
    if (!holds) {
        abort();
    }
}
