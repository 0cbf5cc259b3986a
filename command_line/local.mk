# SPDX-License-Identifier: Apache-2.0
bin_PROGRAMS += session-fast
session_fast_SOURCES = \
	%D%/ask.c \
	%D%/bench_door.c %D%/bench_door.h \
	%D%/bench_door_front.c \
	%D%/bench_door_store.c \
	%D%/bench_lives.c \
	%D%/bench_load.c \
	%D%/bench_memory.c \
	%D%/bench_outage.c \
	%D%/bench_play.c %D%/bench_play.h \
	%D%/bench_report.c %D%/bench_report.h \
	%D%/bench_scenarios.c %D%/bench_scenarios.h \
	%D%/bench_stage.c %D%/bench_stage.h \
	%D%/command_bench.c \
	%D%/command.h \
	%D%/command_cache.c \
	%D%/command_config.c \
	%D%/command_end_user.c \
	%D%/command_doctor.c %D%/doctor.h \
	%D%/command_flush.c \
	%D%/command_migrate.c \
	%D%/command_pin.c \
	%D%/command_probe.c \
	%D%/command_sessions.c \
	%D%/command_status.c \
	%D%/command_store.c %D%/command_store.h \
	%D%/doctor_daemon.c \
	%D%/doctor_files.c \
	%D%/doctor_machine.c \
	%D%/doctor_stores.c \
	%D%/findings.c %D%/findings.h \
	%D%/l2_check.c %D%/l2_check.h \
	%D%/main.c \
	%D%/owner.c \
	%D%/print.c \
	%D%/print.h \
	%D%/progress.c %D%/progress.h \
	%D%/store_check.c \
	%D%/store_export.c \
	%D%/store_import.c %D%/store_import.h \
	%D%/store_import_foreign.c
session_fast_CPPFLAGS = $(AM_CPPFLAGS) -DSF_DAEMON_PATH='"$(sbindir)/session-fastd"'
session_fast_LDADD = libload.a $(libstore) $(libsession) $(JANSSON_LIBS)
