# SPDX-License-Identifier: Apache-2.0
# Caches that hosts share, between L1 and the store.
libstore_a_SOURCES += \
	%D%/l2.c %D%/l2.h \
	%D%/l2_crew.c %D%/l2_crew.h \
	%D%/l2_epochs.c %D%/l2_epochs.h \
	%D%/l2_seal.c %D%/l2_seal.h \
	%D%/memcached_meta.c %D%/memcached_meta.h \
	%D%/store_tiered.c %D%/store_tiered.h \
	%D%/store_tiered_private.h \
	%D%/store_tiered_write.c

if HAVE_REDIS
libstore_a_SOURCES += \
	%D%/l2_redis.c
endif

if HAVE_MEMCACHED
libstore_a_SOURCES += \
	%D%/l2_memcached.c \
	%D%/memcached_examine.c %D%/memcached_examine.h \
	%D%/memcached_facts.c %D%/memcached_facts.h
libstore += $(MEMCACHED_LIBS)
endif
