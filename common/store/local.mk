# SPDX-License-Identifier: Apache-2.0
# What all stores share; that of those on a network is built in any case, so that it is tested in any case.
libstore_a_SOURCES += \
	%D%/breaker.c %D%/breaker.h \
	%D%/resolver.c %D%/resolver.h \
	%D%/row_checksum.c %D%/row_checksum.h \
	%D%/store.c %D%/store.h \
	%D%/store_fail.c \
	%D%/store_guard.c %D%/store_guard.h \
	%D%/store_memory.c \
	%D%/store_none.c \
	%D%/store_path_examine.c %D%/store_path_examine.h \
	%D%/store_reach.c %D%/store_reach.h \
	%D%/store_shared.c %D%/store_shared.h \
	%D%/store_sql.c %D%/store_sql.h \
	%D%/store_sql_facts.c %D%/store_sql_facts.h \
	%D%/store_url.c %D%/store_url.h \
	%D%/stores_check.c %D%/stores_check.h

if HAVE_WIRE
libstore_a_SOURCES += \
	%D%/wire.c %D%/wire.h \
	%D%/wire_tls.c %D%/wire_tls.h
endif

include %D%/file/local.mk
include %D%/foreign/local.mk
include %D%/l2/local.mk
include %D%/migrate/local.mk
include %D%/mysql/local.mk
include %D%/postgresql/local.mk
include %D%/redis/local.mk
include %D%/sqlite/local.mk
