# SPDX-License-Identifier: Apache-2.0
sbin_PROGRAMS += session-fastd
session_fastd_SOURCES = \
	%D%/call.c %D%/call.h \
	%D%/clock_watch.c %D%/clock_watch.h \
	%D%/command_apply.c \
	%D%/command_epoch.c \
	%D%/command_flush.c \
	%D%/command_list.c \
	%D%/command_load.c \
	%D%/command_migrate.c \
	%D%/command_status.c \
	%D%/commands.c %D%/commands.h \
	%D%/connection.c %D%/connection.h \
	%D%/daemon.c %D%/daemon.h \
	%D%/epochs.c %D%/epochs.h \
	%D%/event_loop.c %D%/event_loop.h \
	%D%/follower.c %D%/follower.h \
	%D%/instance_lock.c %D%/instance_lock.h \
	%D%/journaler.c %D%/journaler.h \
	%D%/lease.c %D%/lease.h \
	%D%/listener.c %D%/listener.h \
	%D%/loader.c %D%/loader.h \
	%D%/main.c \
	%D%/migrator.c %D%/migrator.h \
	%D%/server.c %D%/server.h \
	%D%/store_waits.c %D%/store_waits.h \
	%D%/task_queue.c %D%/task_queue.h \
	%D%/touch_through.c %D%/touch_through.h \
	%D%/usage.c %D%/usage.h \
	%D%/worker.c %D%/worker.h \
	%D%/write_through.c %D%/write_through.h \
	%D%/writer.c %D%/writer.h
session_fastd_LDADD = $(libstore) $(libsession)
