/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * boot_id.h - which start of the machine this is: what has not been synced counts only until the next one.
 */
#define SF_BOOT_ID_BYTES 40

/* Text, filled up with NUL. */
void sf_boot_id(char boot_id_out[SF_BOOT_ID_BYTES]);
