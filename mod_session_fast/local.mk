# SPDX-License-Identifier: Apache-2.0
if BUILD_APACHE
# To automake it is a program: for a shared object it would want libtool.
apachemodule_PROGRAMS = mod_session_fast.so
mod_session_fast_so_SOURCES = \
	%D%/access.c \
	%D%/cache_control.c \
	%D%/check_config.c \
	%D%/check_places.c \
	%D%/child_process.c \
	%D%/controls.c \
	%D%/daemon_keeper.c %D%/daemon_keeper.h \
	%D%/daemon_options.c %D%/daemon_options.h \
	%D%/daemon_process.c \
	%D%/directives.c \
	%D%/environment.c \
	%D%/expressions.c \
	%D%/hidden_cookie.c \
	%D%/log_lines.c \
	%D%/mod_session_fast.c %D%/module.h \
	%D%/mod_session_view.c \
	%D%/provider.c \
	%D%/request_headers.c \
	%D%/request_session.c \
	%D%/response_headers.c
mod_session_fast_so_CPPFLAGS = $(AM_CPPFLAGS) $(APACHE_CPPFLAGS) -DSF_DAEMON_PATH='"$(sbindir)/session-fastd"'
# httpd's macros cast away const and narrow integers.
mod_session_fast_so_CFLAGS = $(AM_CFLAGS) -Wno-conversion -Wno-cast-qual
mod_session_fast_so_LDFLAGS = $(AM_LDFLAGS) -shared
mod_session_fast_so_LDADD = $(libsession)
endif
