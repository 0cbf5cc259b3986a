# SPDX-License-Identifier: Apache-2.0
if HAVE_MYSQL
libstore_a_SOURCES += \
	%D%/store_mysql.c %D%/store_mysql.h \
	%D%/store_mysql_connect.c \
	%D%/store_mysql_connection.c %D%/store_mysql_connection.h \
	%D%/store_mysql_examine.c \
	%D%/store_mysql_schema.c \
	%D%/store_mysql_write.c
libstore += $(MYSQL_LIBS)
endif
