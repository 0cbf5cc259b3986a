/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * json_file.h - rows in one readable JSON file, and beside it a log of what has changed since it was
 * written: a batch costs what has changed, and a reader of the file sees whole sessions.
 *
 *   PATH       {"format": "session-fast 1", "sessions": {"<key>": {row}, ...}}
 *   PATH-log   a line a change: {"key": "<key>", "row": {row}} or {"key": "<key>", "touched": "<time>"}
 *   PATH-new   the file while it is written; becomes PATH by rename
 *   PATH-lock  held while somebody has the file open
 *
 * What was acknowledged is in PATH or in PATH-log at any moment. Nothing is written again through a
 * descriptor that has failed: then the whole is written anew. Rows are those of row_json.h.
 */
#include <jansson.h>
#include <sys/stat.h>

#include "common/base/status.h"
#include "common/identity/session_id.h"

struct sf_json_file {
    char *path, *log_path, *new_path, *lock_path;
    int lock_fd, log_fd;     /* -1: not open */
    uint64_t bytes, log_bytes;
    struct stat seen;        /* the file as it was read or written last */
};

enum sf_status sf_json_file_init(struct sf_json_file *file, const char *path) SF_MUST_CHECK;
void sf_json_file_fini(struct sf_json_file *file);

/* One entry; what it is called with is freed after the call. */
typedef enum sf_status sf_json_file_entry_fn(void *context, const char *key, json_t *row,
                                             json_t *touched);

/* The file is another program's. SF_OK: taken over, it is kept as PATH.old. SF_NOT_FOUND: of no kind that is known. */
typedef enum sf_status sf_json_file_other_fn(void *context, json_t *root, struct sf_error *error);

/*
 * Takes the lock and calls `entry` for each row of the file and each line of the log, in order; stops at the
 * first status but SF_OK. *torn_out: lines of the log that are none. SF_INVALID: something else, or of a later
 * version. SF_UNAVAILABLE: in use, or cannot be read.
 */
enum sf_status sf_json_file_read(struct sf_json_file *file, sf_json_file_entry_fn *entry,
                                 sf_json_file_other_fn *other, void *context, size_t *torn_out,
                                 struct sf_error *error) SF_MUST_CHECK;

/*
 * Appends whole lines to the log, synced. SF_CONFLICT: the file is not the one that was read: somebody
 * else has written it, and has the last word. SF_FULL, SF_UNAVAILABLE: the log is given up; only a rewrite helps.
 */
enum sf_status sf_json_file_append(struct sf_json_file *file, const char *lines, size_t size,
                                   struct sf_error *error) SF_MUST_CHECK;

/* The whole anew, and an empty log. The old file stands until the new one is on disk. SF_CONFLICT: as append. */
enum sf_status sf_json_file_rewrite(struct sf_json_file *file, json_t *sessions,
                                    struct sf_error *error) SF_MUST_CHECK;

/* The log has grown beyond what the file itself has. */
bool sf_json_file_is_long(const struct sf_json_file *file);
