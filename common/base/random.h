/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * random.h - bytes from the kernel's generator; no state in the process, so fork cannot repeat them.
 */
#include <stddef.h>

#include "common/base/status.h"

/* SF_UNAVAILABLE when the kernel refuses: the caller must do without, never with weaker bytes. */
enum sf_status sf_random_bytes(void *bytes_out, size_t size) SF_MUST_CHECK;
