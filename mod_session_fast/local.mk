# SPDX-License-Identifier: Apache-2.0
if BUILD_APACHE
apachemodule_LTLIBRARIES = mod_session_fast.la
mod_session_fast_la_SOURCES = \
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
mod_session_fast_la_CPPFLAGS = $(AM_CPPFLAGS) $(APACHE_CPPFLAGS) -DSF_DAEMON_PATH='"$(sbindir)/session-fastd"'
# httpd's macros cast away const and narrow integers.
mod_session_fast_la_CFLAGS = $(AM_CFLAGS) -Wno-conversion -Wno-cast-qual
mod_session_fast_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -export-symbols-regex '^session_fast_module$$'
mod_session_fast_la_LIBADD = libsession.la

# httpd loads the .so; libtool's .la beside it would only puzzle.
install-data-hook:
	rm -f $(DESTDIR)$(apachemoduledir)/mod_session_fast.la
uninstall-hook:
	rm -f $(DESTDIR)$(apachemoduledir)/mod_session_fast.so
endif
