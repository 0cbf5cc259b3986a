# SPDX-License-Identifier: Apache-2.0
libstore_a_SOURCES += \
	%D%/store_sqlite.c \
	%D%/store_sqlite_connection.c %D%/store_sqlite_connection.h
