# SPDX-License-Identifier: Apache-2.0
libstore_a_SOURCES += \
	%D%/migrate_debts.c %D%/migrate_debts.h \
	%D%/migrate_hosts.c %D%/migrate_hosts.h \
	%D%/migrate_state.c %D%/migrate_state.h \
	%D%/store_migrate.c %D%/store_migrate.h \
	%D%/store_migrate_change.c \
	%D%/store_migrate_equalize.c %D%/store_migrate_equalize.h \
	%D%/store_migrate_hosts.c %D%/store_migrate_hosts.h \
	%D%/store_migrate_open.c \
	%D%/store_migrate_pass.c \
	%D%/store_migrate_private.h \
	%D%/store_migrate_row.c
