# SPDX-License-Identifier: Apache-2.0
if HAVE_POSTGRESQL
libstore_a_SOURCES += \
	%D%/store_postgresql.c %D%/store_postgresql.h \
	%D%/store_postgresql_array.c %D%/store_postgresql_array.h \
	%D%/store_postgresql_connect.c \
	%D%/store_postgresql_connection.c %D%/store_postgresql_connection.h \
	%D%/store_postgresql_examine.c \
	%D%/store_postgresql_follow.c %D%/store_postgresql_follow.h \
	%D%/store_postgresql_schema.c \
	%D%/store_postgresql_write.c
libstore += $(POSTGRESQL_LIBS)
endif
