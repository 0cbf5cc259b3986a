# SPDX-License-Identifier: Apache-2.0
libstore_a_SOURCES += \
	%D%/json_file.c %D%/json_file.h \
	%D%/json_plain.c %D%/json_plain.h \
	%D%/row_json.c %D%/row_json.h \
	%D%/row_json_read.c \
	%D%/row_json_words.h \
	%D%/store_file.c
