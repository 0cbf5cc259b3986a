/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * folder_examine.h - can what must last be kept in this folder? Judged for the user that we are.
 */
#include "common/base/finding.h"

/*
 * Owner, mode, room, kind of file system, and whether the disk takes what it is told to keep: by a file
 * without a name, which leaves nothing behind. false: the folder is of no use as it is.
 */
bool sf_folder_examine(const char *folder, struct sf_findings *findings);

/* A file that only its owner and group should read. false: it is not there, which is no finding. */
bool sf_private_file_examine(const char *path, struct sf_findings *findings);
