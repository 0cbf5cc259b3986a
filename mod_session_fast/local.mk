# SPDX-License-Identifier: Apache-2.0
if BUILD_APACHE
apachemodule_LTLIBRARIES = mod_session_fast.la
mod_session_fast_la_SOURCES = \
	%D%/mod_session_fast.c
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
