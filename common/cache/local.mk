# SPDX-License-Identifier: Apache-2.0
libsession_la_SOURCES += \
	%D%/shared_memory.c %D%/shared_memory.h \
	%D%/process_slots.c %D%/process_slots.h \
	%D%/l1.c %D%/l1.h \
	%D%/l1_apply.c %D%/l1_apply.h \
	%D%/l1_blocks.c %D%/l1_blocks.h \
	%D%/l1_evict.c %D%/l1_evict.h \
	%D%/l1_dirty.c %D%/l1_dirty.h \
	%D%/l1_repair.c %D%/l1_repair.h \
	%D%/l1_check.c %D%/l1_check.h
