# SPDX-License-Identifier: Apache-2.0
# Measured, not judged: one line of JSON a benchmark on standard output.
bench_programs =
EXTRA_PROGRAMS += $(bench_programs)

.PHONY: bench
bench: $(bench_programs)
	@for program in $(bench_programs); do ./$$program || exit; done

bench_programs += %D%/bench_store
bench_bench_store_SOURCES = %D%/bench_store.c
bench_bench_store_LDADD = libstore.la libsession.la
