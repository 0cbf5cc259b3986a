# SPDX-License-Identifier: Apache-2.0
# Measured, not judged: one line of JSON a benchmark on standard output.
bench_programs =
EXTRA_PROGRAMS += $(bench_programs)

EXTRA_DIST += %D%/bench_httpd.py

.PHONY: bench
bench: all $(bench_programs)
	@for program in $(bench_programs); do ./$$program || exit; done
	@SF_BUILDDIR='$(abs_builddir)' CC='$(CC)' PYTHONDONTWRITEBYTECODE=1 $(PYTHON3) '$(srcdir)/bench/bench_httpd.py'

bench_programs += %D%/bench_store
bench_bench_store_SOURCES = %D%/bench_store.c
bench_bench_store_LDADD = libstore.la libsession.la

bench_programs += %D%/bench_l1
bench_bench_l1_SOURCES = %D%/bench_l1.c
bench_bench_l1_LDADD = libsession.la -lm
