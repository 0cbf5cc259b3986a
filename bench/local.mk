# SPDX-License-Identifier: Apache-2.0
#
# Measured, not judged. docs/benchmarks/README.md says how; BENCH_PARTS names some of the parts of bench/suite.py.
bench_programs =
EXTRA_PROGRAMS += $(bench_programs)

EXTRA_DIST += \
	%D%/bench_gateway.py %D%/gateway/counting.lua %D%/gateway/our_session.php %D%/gateway/page_cgi.c %D%/gateway/page_fcgi.c \
	%D%/gateway/php_session.php %D%/gateway/plain.php
EXTRA_DIST += %D%/bench_httpd.py %D%/bench_stores.py %D%/plots.py %D%/suite.py tests/integration/test_bench.py

.PHONY: bench
bench: all $(bench_programs)
	@SF_BUILDDIR='$(abs_builddir)' CC='$(CC)' PYTHONDONTWRITEBYTECODE=1 \
		$(PYTHON3) '$(srcdir)/bench/suite.py' bench-results $(BENCH_PARTS)

# tests/integration/test_bench.py has short runs of it.
check-integration: bench/bench_cache$(EXEEXT) bench/bench_stores$(EXEEXT)

# What the last `make bench` has found, into the documents.
.PHONY: bench-update
bench-update:
	cp bench-results/*.txt bench-results/*.jsonl bench-results/*.json bench-results/*.png bench-results/*.svg \
		'$(srcdir)/docs/benchmarks/'

clean-local:
	rm -rf bench-results

# Who asks for which session, how often: for bench_cache and for "session-fast bench".
noinst_LIBRARIES += libload.a
libload_a_SOURCES = \
	%D%/load/crowd.c %D%/load/crowd.h \
	%D%/load/draw.c %D%/load/draw.h \
	%D%/load/pace.c %D%/load/pace.h \
	%D%/load/pattern.c %D%/load/pattern.h

bench_programs += %D%/bench_cache
bench_bench_cache_SOURCES = \
	%D%/bench_cache.c \
	%D%/measure.c %D%/measure.h \
	%D%/report.c %D%/report.h \
	%D%/workload.c %D%/workload.h \
	%D%/targets/client.c %D%/targets/client.h \
	%D%/targets/l1.c \
	%D%/targets/memcached.c \
	%D%/targets/memcpy.c \
	%D%/targets/plain_worker.c %D%/targets/plain_worker.h \
	%D%/targets/redis.c \
	%D%/targets/rwlock.c \
	%D%/targets/server.c %D%/targets/server.h \
	%D%/targets/server_target.c %D%/targets/server_target.h \
	%D%/targets/sqlite.c \
	%D%/targets/target.h \
	%D%/targets/targets.c %D%/targets/targets.h
bench_bench_cache_CPPFLAGS = $(AM_CPPFLAGS) $(APACHE_CPPFLAGS) -DSHMCB_PATH='"$(SHMCB_PATH)"'
bench_bench_cache_LDADD = libload.a $(libsession) $(SQLITE_LIBS) $(LMDB_LIBS) -ldl
if HAVE_LMDB
bench_bench_cache_SOURCES += %D%/targets/lmdb.c
else
bench_bench_cache_SOURCES += %D%/targets/missing_lmdb.c
endif
if HAVE_SHMCB
bench_bench_cache_SOURCES += %D%/targets/shmcb.c
# mod_socache_shmcb finds in this program what it needs of httpd.
bench_bench_cache_LDFLAGS = $(AM_LDFLAGS) -Wl,--export-dynamic
else
bench_bench_cache_SOURCES += %D%/targets/missing_shmcb.c
endif

# Each backend as session-fast uses it, and as a plain client does: see bench_stores.py.
bench_programs += %D%/bench_stores
bench_bench_stores_SOURCES = \
	%D%/bench_stores.c \
	%D%/stores/batches.c \
	%D%/stores/plain.c %D%/stores/plain.h \
	%D%/stores/plain_cached.c \
	%D%/stores/plain_file.c \
	%D%/stores/plain_sqlite.c \
	%D%/stores/rounds.h \
	%D%/stores/steps.c \
	%D%/targets/client.c %D%/targets/client.h \
	command_line/bench_door.c command_line/bench_door.h \
	command_line/bench_door_front.c \
	command_line/bench_stage.c command_line/bench_stage.h
if HAVE_POSTGRESQL
bench_bench_stores_SOURCES += %D%/stores/plain_postgresql.c
endif
if HAVE_MYSQL
bench_bench_stores_SOURCES += %D%/stores/plain_mysql.c
endif
if HAVE_REDIS
bench_bench_stores_SOURCES += %D%/stores/plain_redis.c
endif
bench_bench_stores_LDADD = libload.a $(libstore) $(libsession)

bench_programs += %D%/bench_l1
bench_bench_l1_SOURCES = %D%/bench_l1.c
bench_bench_l1_LDADD = $(libsession)

# Wants a running session-fastd: see the head of the file.
EXTRA_PROGRAMS += %D%/bench_journal
bench_bench_journal_LDADD = $(libsession)

# What stays when the cache is full: by the clock of the program, so it says the same on any machine.
EXTRA_PROGRAMS += %D%/bench_evict
bench_bench_evict_LDADD = libload.a $(libsession)
bench_bench_evict_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=sf_clock_wall -Wl,--wrap=sf_clock_steady -Wl,--wrap=sf_l1_rank
