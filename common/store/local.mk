# SPDX-License-Identifier: Apache-2.0
libstore_la_SOURCES += \
	%D%/resolver.c %D%/resolver.h \
	%D%/row_checksum.c %D%/row_checksum.h \
	%D%/store.c %D%/store.h \
	%D%/store_fail.c \
	%D%/store_memory.c \
	%D%/store_sqlite.c \
	%D%/store_sqlite_connection.c %D%/store_sqlite_connection.h \
	%D%/store_url.c %D%/store_url.h
