# SPDX-License-Identifier: Apache-2.0
# What several tests share; linked into every test program.
check_LIBRARIES += libtest_support.a
libtest_support_a_SOURCES = \
	%D%/temp_folder.c %D%/temp_folder.h \
	%D%/test_cache.c %D%/test_cache.h \
	%D%/kept_lines.c %D%/kept_lines.h \
	%D%/run_suite.c %D%/run_suite.h \
	%D%/failing_vfs.c %D%/failing_vfs.h \
	%D%/workload.c %D%/workload.h \
	%D%/fake_daemon.c %D%/fake_daemon.h \
	%D%/daemon_double.c %D%/daemon_double.h \
	%D%/fake_l2.c %D%/fake_l2.h \
	%D%/test_records.c %D%/test_records.h
