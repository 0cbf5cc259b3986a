# SPDX-License-Identifier: Apache-2.0
libsession_a_SOURCES += \
	%D%/session_id.c %D%/session_id.h \
	%D%/imported_id.c %D%/imported_id.h \
	%D%/cookie.c %D%/cookie.h
