# SPDX-License-Identifier: Apache-2.0
libstore_la_SOURCES += \
	%D%/batch_writer.c %D%/batch_writer.h \
	%D%/refused.c %D%/refused.h \
	%D%/sweep.c %D%/sweep.h \
	%D%/touches.c %D%/touches.h
