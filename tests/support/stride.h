/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * stride.h - how much those try that try one place after the other.
 */
#include <stddef.h>

/*
 * 1: every one. Where SF_TEST_AGAIN is set, because another build of the same sources has just tried them all,
 * `sample`: one of so many; and the test says so.
 */
size_t sf_test_stride(size_t sample);
