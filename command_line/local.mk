# SPDX-License-Identifier: Apache-2.0
bin_PROGRAMS += session-fast
session_fast_SOURCES = \
	%D%/main.c
session_fast_CPPFLAGS = $(AM_CPPFLAGS) -DSF_DAEMON_PATH='"$(sbindir)/session-fastd"'
session_fast_LDADD = libsession.la $(JANSSON_LIBS)
