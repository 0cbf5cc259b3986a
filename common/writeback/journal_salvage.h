/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * journal_salvage.h - rows of a damaged file, read page by page: without the tree that leads to
 * them, and behind the flipped bit at which SQLite stops reading a log.
 *
 * A row counts only if its own checksum binds record, version and key together. The formats of
 * database and log are SQLite's documented ones; ours only ever grow, so no page has been two things.
 */
#include "common/writeback/journal_file.h"

/* Each intact row, some several times; `record` is valid during the call. */
typedef enum sf_status sf_journal_salvaged_fn(void *context, const struct sf_journal_row *row);

/* SF_OK: all that could be read was read. SF_NO_MEMORY, SF_UNAVAILABLE, or what `visit` has said. */
enum sf_status sf_journal_salvage(const struct sf_journal_file *file, sf_journal_salvaged_fn *visit,
                                  void *context) SF_MUST_CHECK;

enum sf_journal_end {
    SF_JOURNAL_WHOLE, /* SQLite reads the log to its end */
    SF_JOURNAL_TORN,  /* but for what may be a last transaction that a crash has cut short */
    SF_JOURNAL_CUT,   /* behind that there is more: it was acknowledged once */
    SF_JOURNAL_BARE   /* a log without a database: SQLite would remove it */
};

enum sf_journal_end sf_journal_end(const struct sf_journal_file *file);
