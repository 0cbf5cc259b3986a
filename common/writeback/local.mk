# SPDX-License-Identifier: Apache-2.0
libstore_a_SOURCES += \
	%D%/batch_writer.c %D%/batch_writer.h \
	%D%/journal.c %D%/journal.h %D%/journal_private.h \
	%D%/journal_commit.c \
	%D%/journal_drain.c %D%/journal_drain.h \
	%D%/journal_file.c %D%/journal_file.h \
	%D%/journal_map.c %D%/journal_map.h \
	%D%/journal_orphans.c \
	%D%/journal_publish.c \
	%D%/journal_recover.c \
	%D%/journal_salvage.c %D%/journal_salvage.h \
	%D%/journal_tidy.c \
	%D%/pressure.c %D%/pressure.h \
	%D%/refused.c %D%/refused.h \
	%D%/restore.c %D%/restore.h \
	%D%/spill.c %D%/spill.h \
	%D%/sweep.c %D%/sweep.h \
	%D%/touches.c %D%/touches.h
