# SPDX-License-Identifier: Apache-2.0
libsession_a_SOURCES += \
	%D%/record.c %D%/record.h %D%/record_layout.h %D%/record_part.c \
	%D%/session.c %D%/session.h \
	%D%/life.c %D%/life.h \
	%D%/user_epochs.c %D%/user_epochs.h \
	%D%/lineage.c %D%/lineage.h %D%/lineage_keep.c %D%/lineage_keep.h \
	%D%/merge.c %D%/merge.h \
	%D%/ops.c %D%/ops_apply.c %D%/ops_diff.c %D%/ops_patch.c %D%/ops_words.c %D%/ops.h \
	%D%/form.c %D%/form.h \
	%D%/export.c %D%/export_json.c %D%/export.h \
	%D%/exchange.c %D%/exchange.h \
	%D%/cache_rules.c %D%/cache_rules.h
