# SPDX-License-Identifier: Apache-2.0
libstore_a_SOURCES += \
	%D%/foreign.c %D%/foreign.h \
	%D%/foreign_django.c \
	%D%/foreign_php.c \
	%D%/foreign_plain.c \
	%D%/foreign_private.h \
	%D%/foreign_redis.c
