# SPDX-License-Identifier: Apache-2.0
#
# The gateway: a FastCGI application that runs CGI programs and other FastCGI applications with sessions. All but main.c
# is a library, which the tests link too.
noinst_LIBRARIES += libgateway.a
libgateway_a_SOURCES = \
	%D%/api.c %D%/api.h \
	%D%/authorizer.c %D%/authorizer.h \
	%D%/cgi_header.c %D%/cgi_header.h \
	%D%/cgi_path.c %D%/cgi_path.h \
	%D%/cgi_run.c %D%/cgi_run.h \
	%D%/cgi_spawn.c %D%/cgi_spawn.h \
	%D%/connection.c %D%/connection.h \
	%D%/daemon_watch.c %D%/daemon_watch.h \
	%D%/fcgi_record.c %D%/fcgi_record.h \
	%D%/gateway.h \
	%D%/leftovers.c %D%/leftovers.h \
	%D%/listeners.c %D%/listeners.h \
	%D%/outbox.c %D%/outbox.h \
	%D%/params.c %D%/params.h \
	%D%/patience.c %D%/patience.h \
	%D%/request.c %D%/request.h \
	%D%/response.c %D%/response.h \
	%D%/response_head.c %D%/response_head.h \
	%D%/settings.c %D%/settings.h \
	%D%/upstream.c %D%/upstream.h \
	%D%/upstream_link.c %D%/upstream_link.h \
	%D%/upstream_pool.c %D%/upstream_pool.h \
	%D%/workers.c %D%/workers.h
libgateway_a_CPPFLAGS = $(AM_CPPFLAGS) -DSF_DAEMON_PATH='"$(sbindir)/session-fastd"'
libgateway = libgateway.a $(JANSSON_LIBS)

sbin_PROGRAMS += session-fast-gateway
session_fast_gateway_SOURCES = %D%/main.c
session_fast_gateway_LDADD = $(libgateway) $(libsession)
