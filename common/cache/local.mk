# SPDX-License-Identifier: Apache-2.0
libsession_a_SOURCES += \
	%D%/shared_memory.c %D%/shared_memory.h \
	%D%/record_locks.c %D%/record_locks.h \
	%D%/process_slots.c %D%/process_slots.h \
	%D%/l1_layout.h %D%/l1_private.h %D%/l1_mutants.h \
	%D%/l1_plan.c %D%/l1_plan.h \
	%D%/l1_pressure.c \
	%D%/l1_segment.c %D%/l1_segment.h \
	%D%/l1_create.c %D%/l1_inherit.c \
	%D%/l1.c %D%/l1.h %D%/l1_read.c %D%/l1_copy.h \
	%D%/l1_blocks.c %D%/l1_blocks.h \
	%D%/l1_worth.c %D%/l1_worth.h \
	%D%/l1_index.c %D%/l1_index.h \
	%D%/l1_evict.c %D%/l1_evict.h \
	%D%/l1_hints.c %D%/l1_hints.h \
	%D%/l1_commit.c %D%/l1_commit.h \
	%D%/l1_apply.c \
	%D%/l1_fill.c \
	%D%/l1_confirm.c %D%/l1_confirm.h \
	%D%/l1_dirty.c \
	%D%/l1_host.c %D%/l1_host.h \
	%D%/l1_walk.c \
	%D%/l1_trim.c %D%/l1_trim.h \
	%D%/l1_repair.c \
	%D%/l1_section.c %D%/l1_section.h \
	%D%/l1_move.c %D%/l1_move.h \
	%D%/l1_check.c
