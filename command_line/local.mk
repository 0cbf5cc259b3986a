# SPDX-License-Identifier: Apache-2.0
bin_PROGRAMS += session-fast
session_fast_SOURCES = \
	%D%/ask.c \
	%D%/command.h \
	%D%/command_cache.c \
	%D%/command_config.c \
	%D%/command_flush.c \
	%D%/command_sessions.c \
	%D%/command_status.c \
	%D%/main.c \
	%D%/print.c \
	%D%/print.h
session_fast_LDADD = libsession.la $(JANSSON_LIBS)
