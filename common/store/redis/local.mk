# SPDX-License-Identifier: Apache-2.0
if HAVE_REDIS
libstore_a_SOURCES += \
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
