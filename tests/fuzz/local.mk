# SPDX-License-Identifier: Apache-2.0
#
# Each fuzz_<name>.c feeds one parser. In an ordinary build replay.c is their main and they are tests that run over
# corpus/fuzz_<name>; with --enable-fuzzing they are libFuzzer programs. README.md says how to use and add one.

fuzz_targets = \
	%D%/fuzz_cgi_header \
	%D%/fuzz_config \
	%D%/fuzz_cookie \
	%D%/fuzz_exchange \
	%D%/fuzz_fcgi \
	%D%/fuzz_foreign \
	%D%/fuzz_memcached_meta \
	%D%/fuzz_ops_words \
	%D%/fuzz_record \
	%D%/fuzz_resp \
	%D%/fuzz_row_json

if BUILD_FUZZERS
noinst_PROGRAMS += $(fuzz_targets)
fuzz_main = $(FUZZER_LDFLAGS)
else
check_PROGRAMS += $(fuzz_targets)
check_LIBRARIES += libfuzz_replay.a
libfuzz_replay_a_SOURCES = %D%/replay.c
fuzz_main = libfuzz_replay.a
endif
fuzz_ldadd = $(fuzz_main) $(libsession)

tests_fuzz_fuzz_cgi_header_LDADD = $(fuzz_main) $(libgateway) $(libsession)
tests_fuzz_fuzz_config_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_cookie_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_exchange_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_fcgi_LDADD = $(fuzz_main) $(libgateway) $(libsession)
tests_fuzz_fuzz_foreign_LDADD = $(fuzz_main) $(libstore) $(libsession)
tests_fuzz_fuzz_memcached_meta_LDADD = $(fuzz_main) $(libstore) $(libsession)
tests_fuzz_fuzz_ops_words_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_record_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_resp_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_row_json_LDADD = $(fuzz_main) $(libstore) $(libsession)

EXTRA_DIST += %D%/fuzz.h %D%/README.md %D%/corpus
