# SPDX-License-Identifier: Apache-2.0
sbin_PROGRAMS += session-fastd
session_fastd_SOURCES = \
	%D%/main.c
session_fastd_LDADD = libstore.la libsession.la
