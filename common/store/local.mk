# SPDX-License-Identifier: Apache-2.0
libstore_a_SOURCES += \
	%D%/breaker.c %D%/breaker.h \
	%D%/migrate_debts.c %D%/migrate_debts.h \
	%D%/migrate_hosts.c %D%/migrate_hosts.h \
	%D%/migrate_state.c %D%/migrate_state.h \
	%D%/foreign.c %D%/foreign.h %D%/foreign_django.c %D%/foreign_php.c %D%/foreign_plain.c %D%/foreign_private.h \
	%D%/foreign_redis.c \
	%D%/json_file.c %D%/json_file.h \
	%D%/json_plain.c %D%/json_plain.h \
	%D%/row_json.c %D%/row_json.h %D%/row_json_read.c %D%/row_json_words.h \
	%D%/store_file.c \
	%D%/store_path_examine.c %D%/store_path_examine.h \
	%D%/resolver.c %D%/resolver.h \
	%D%/row_checksum.c %D%/row_checksum.h \
	%D%/store.c %D%/store.h \
	%D%/store_fail.c \
	%D%/store_guard.c %D%/store_guard.h \
	%D%/store_memory.c \
	%D%/store_none.c \
	%D%/store_migrate.c %D%/store_migrate.h %D%/store_migrate_private.h \
	%D%/store_migrate_change.c \
	%D%/store_migrate_hosts.c %D%/store_migrate_hosts.h \
	%D%/store_migrate_open.c \
	%D%/store_migrate_pass.c \
	%D%/store_migrate_row.c \
	%D%/store_migrate_equalize.c %D%/store_migrate_equalize.h \
	%D%/store_shared.c %D%/store_shared.h \
	%D%/store_sqlite.c \
	%D%/store_sqlite_connection.c %D%/store_sqlite_connection.h \
	%D%/store_url.c %D%/store_url.h \
	%D%/stores_check.c %D%/stores_check.h

# What the stores on a network share is built in any case, so that it is tested in any case.
libstore_a_SOURCES += %D%/store_reach.c %D%/store_reach.h %D%/store_sql.c %D%/store_sql.h \
	%D%/store_sql_facts.c %D%/store_sql_facts.h

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

if HAVE_REDIS
libstore_a_SOURCES += \
	%D%/l2_redis.c \
	%D%/store_redis.c \
	%D%/store_redis_batch.c %D%/store_redis_batch.h \
	%D%/store_redis_connection.c %D%/store_redis_connection.h \
	%D%/store_redis_errors.c %D%/store_redis_errors.h \
	%D%/store_redis_examine.c %D%/store_redis_examine.h \
	%D%/store_redis_facts.c %D%/store_redis_facts.h \
	%D%/store_redis_follow.c %D%/store_redis_follow.h \
	%D%/store_redis_follow_cluster.c %D%/store_redis_follow_cluster.h \
	%D%/store_redis_greeting.c %D%/store_redis_greeting.h \
	%D%/store_redis_keys.c %D%/store_redis_keys.h \
	%D%/store_redis_lane.c %D%/store_redis_lane.h \
	%D%/store_redis_load.c %D%/store_redis_load.h \
	%D%/store_redis_login.c %D%/store_redis_login.h \
	%D%/store_redis_map.c %D%/store_redis_map.h \
	%D%/store_redis_marks.c %D%/store_redis_marks.h \
	%D%/store_redis_nodes.c %D%/store_redis_nodes.h \
	%D%/store_redis_reader.c %D%/store_redis_reader.h \
	%D%/store_redis_rights.c %D%/store_redis_rights.h \
	%D%/store_redis_rows.c %D%/store_redis_rows.h \
	%D%/store_redis_script.c %D%/store_redis_script.h \
	%D%/store_redis_sentinel.c %D%/store_redis_sentinel.h \
	%D%/store_redis_server.c %D%/store_redis_server.h \
	%D%/store_redis_write.c %D%/store_redis_write.h
libstore += $(REDIS_LIBS)
endif

# Caches that hosts share, between L1 and the store.
libstore_a_SOURCES += \
	%D%/l2.c %D%/l2.h \
	%D%/l2_crew.c %D%/l2_crew.h \
	%D%/l2_epochs.c %D%/l2_epochs.h \
	%D%/l2_seal.c %D%/l2_seal.h \
	%D%/memcached_meta.c %D%/memcached_meta.h \
	%D%/store_tiered.c %D%/store_tiered.h %D%/store_tiered_private.h %D%/store_tiered_write.c

if HAVE_MEMCACHED
libstore_a_SOURCES += \
	%D%/l2_memcached.c \
	%D%/memcached_examine.c %D%/memcached_examine.h \
	%D%/memcached_facts.c %D%/memcached_facts.h
libstore += $(MEMCACHED_LIBS)
endif

if HAVE_WIRE
libstore_a_SOURCES += \
	%D%/wire.c %D%/wire.h \
	%D%/wire_tls.c %D%/wire_tls.h
endif

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
