# SPDX-License-Identifier: Apache-2.0
#
# Samples: installed where the administrator may copy them from, or in place with --with-apache-modsavailable
# and --with-systemdsystemunitdir.

packaging_templates = \
	%D%/apache/authenticator_fcgid.conf.in \
	%D%/apache/authorizer_fcgid.conf.in \
	%D%/apache/authorizer_fcgid_basic.conf.in \
	%D%/apache/session-fast-authorizer.in \
	%D%/apache/session_fast.load.in \
	%D%/systemd/session-fast-gateway.service.in \
	%D%/systemd/session-fastd.service.in
packaging_made = \
	%D%/apache/authenticator_fcgid.conf \
	%D%/apache/authorizer_fcgid.conf \
	%D%/apache/authorizer_fcgid_basic.conf \
	%D%/apache/session-fast-authorizer \
	%D%/apache/session_fast.load \
	%D%/systemd/session-fast-gateway.service \
	%D%/systemd/session-fastd.service

apacheconf_DATA = %D%/apache/session_fast.load
dist_apacheconf_DATA = %D%/apache/session_fast.conf
systemdunit_DATA = %D%/systemd/session-fast-gateway.service %D%/systemd/session-fastd.service
dist_systemdunit_DATA = %D%/systemd/session-fast-gateway.socket

sampledir = $(datadir)/session-fast
dist_sample_DATA = %D%/gateway.conf

apachesampledir = $(datadir)/session-fast/apache
apachesample_DATA = %D%/apache/authenticator_fcgid.conf %D%/apache/authorizer_fcgid.conf \
	%D%/apache/authorizer_fcgid_basic.conf
dist_apachesample_DATA = %D%/apache/authorizer.conf %D%/apache/gateway.conf
pkglibexec_SCRIPTS = %D%/apache/session-fast-authorizer

lighttpdsampledir = $(datadir)/session-fast/lighttpd
dist_lighttpdsample_DATA = %D%/lighttpd/authorizer.conf %D%/lighttpd/gateway.conf

nginxsampledir = $(datadir)/session-fast/nginx
dist_nginxsample_DATA = %D%/nginx/authorizer.conf %D%/nginx/gateway.conf

systemdsampledir = $(datadir)/session-fast/systemd
dist_systemdsample_DATA = %D%/systemd/session-fast.conf %D%/systemd/session-fast.tmpfiles.conf

$(packaging_made): Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(SED) -e 's|[@]sbindir[@]|$(sbindir)|g' -e 's|[@]sysconfdir[@]|$(sysconfdir)|g' \
		-e 's|[@]pkglibexecdir[@]|$(pkglibexecdir)|g' -e 's|[@]apachemoduledir[@]|$(apachemoduledir)|g' $(top_srcdir)/$@.in > $@.new && mv $@.new $@
%D%/apache/authenticator_fcgid.conf: %D%/apache/authenticator_fcgid.conf.in
%D%/apache/authorizer_fcgid.conf: %D%/apache/authorizer_fcgid.conf.in
%D%/apache/authorizer_fcgid_basic.conf: %D%/apache/authorizer_fcgid_basic.conf.in
%D%/apache/session-fast-authorizer: %D%/apache/session-fast-authorizer.in
%D%/apache/session_fast.load: %D%/apache/session_fast.load.in
%D%/systemd/session-fast-gateway.service: %D%/systemd/session-fast-gateway.service.in
%D%/systemd/session-fastd.service: %D%/systemd/session-fastd.service.in

CLEANFILES += $(packaging_made)
EXTRA_DIST += $(packaging_templates) %D%/debian-packages.txt %D%/install_missing.sh
