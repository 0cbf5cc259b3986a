/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_path_examine.h - a store in a file of this machine: its folder, the file, and whose it is.
 */
#include "common/base/finding.h"
#include "common/store/store.h"

/* The file need not be there yet. SF_UNAVAILABLE: it could not be used. */
enum sf_status sf_store_path_examine(const char *path, struct sf_findings *findings);

/* The same for SQLite, which keeps more files beside it, and a head in it. */
enum sf_status sf_store_sqlite_path_examine(const char *path, int schema_version, struct sf_findings *findings);

#define SF_SQLITE_APPLICATION_ID 0x73667374 /* "sfst": tells file(1) and us whose database it is */
