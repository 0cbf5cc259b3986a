# SPDX-License-Identifier: Apache-2.0
libsession_a_SOURCES += \
	%D%/boot_id.c %D%/boot_id.h \
	%D%/bytes.c %D%/bytes.h \
	%D%/lanes.h \
	%D%/clock.c %D%/clock.h \
	%D%/counters.c %D%/counters.def %D%/counters.h \
	%D%/descriptors.c %D%/descriptors.h \
	%D%/files.c %D%/files.h \
	%D%/finding.c %D%/finding.h \
	%D%/folder_examine.c %D%/folder_examine.h \
	%D%/histogram.c %D%/histogram.h \
	%D%/log.c %D%/log.h \
	%D%/privileges.c %D%/privileges.h \
	%D%/random.c %D%/random.h \
	%D%/secret.c %D%/secret.h \
	%D%/status.c %D%/status.h
