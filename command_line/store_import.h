/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_import.h - sessions on their way into a store, some hundreds at a time.
 */
#include "command_line/command_store.h"
#include "command_line/progress.h"
#include "common/identity/imported_id.h"
#include "common/session/user_epochs.h"
#include "common/store/foreign/foreign.h"

#define IMPORT_ROWS 500

struct import {
    struct store_call *call;
    struct sf_foreign_options foreign;
    struct sf_secrets secrets; /* of the instance; foreign only, as what follows */
    uint32_t logins[SF_USER_EPOCH_ROWS];
    struct sf_write writes[IMPORT_ROWS];
    struct sf_stored rows[IMPORT_ROWS]; /* what writes[i] points into */
    uint64_t lines[IMPORT_ROWS];
    size_t waiting;
    uint64_t line, done, expired, refused, bytes;
    struct progress progress;
};

/*
 * One session into rows[waiting], with its key in writes[waiting].
 */
typedef enum sf_status import_read_fn(struct import *import, struct sf_span text,
                                      struct sf_error *error);

/* Reads it, counts and tells what is refused; writes all that wait when they are enough. */
enum sf_status import_one(struct import *import, import_read_fn *read,
                          struct sf_span text) SF_MUST_CHECK;

/* store_import_foreign.c: SF_NOT_FOUND: it has expired */
import_read_fn import_read_foreign;
/* What the others need to be read; EXIT_DONE or what was told. */
int import_begin_foreign(struct import *import) SF_MUST_CHECK;
/* The files sess_ID of PHP that belong to who we are: others may have put theirs beside them. */
enum sf_status import_folder(struct import *import) SF_MUST_CHECK;
