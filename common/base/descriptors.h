/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * descriptors.h - a program that was started with standard input, output or error closed gets its
 * own files and sockets there, and then writes its errors into one of them.
 */
#include <stdbool.h>

/* Opens /dev/null at those of 0 to 2 that are closed. First of all. false: it cannot be opened. */
bool sf_descriptors_fill(void);
