# SPDX-License-Identifier: Apache-2.0
libsession_a_SOURCES += \
	%D%/resp.c %D%/resp.h \
	%D%/ask_daemon.c %D%/ask_daemon.h \
	%D%/front.c %D%/front_apply.c %D%/front_epochs.c %D%/front.h %D%/front_private.h \
	%D%/visit.c %D%/visit_choose.c %D%/visit_commit.c %D%/visit.h %D%/visit_private.h \
	%D%/daemon_holder.c %D%/daemon_holder.h \
	%D%/daemon_start.c %D%/daemon_start.h \
	%D%/daemon_care.c %D%/daemon_care.h
