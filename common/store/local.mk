# SPDX-License-Identifier: Apache-2.0
libstore_la_SOURCES += \
	%D%/json_file.c %D%/json_file.h \
	%D%/row_json.c %D%/row_json.h %D%/row_json_read.c %D%/row_json_words.h \
	%D%/store_file.c \
	%D%/resolver.c %D%/resolver.h \
	%D%/row_checksum.c %D%/row_checksum.h \
	%D%/store.c %D%/store.h \
	%D%/store_fail.c \
	%D%/store_memory.c \
	%D%/store_sqlite.c \
	%D%/store_sqlite_connection.c %D%/store_sqlite_connection.h \
	%D%/store_url.c %D%/store_url.h
