# SPDX-License-Identifier: Apache-2.0
#
# The gateway: a FastCGI application that runs CGI programs and other FastCGI applications with sessions. All but main.c
# is a library, which the tests link too.
noinst_LTLIBRARIES += libgateway.la
libgateway_la_SOURCES = \
	%D%/cgi_header.c %D%/cgi_header.h \
	%D%/connection.c %D%/connection.h \
	%D%/fcgi_record.c %D%/fcgi_record.h \
	%D%/params.c %D%/params.h \
	%D%/upstream_pool.c %D%/upstream_pool.h
libgateway_la_LIBADD = libsession.la
