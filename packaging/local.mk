# SPDX-License-Identifier: Apache-2.0
#
# Samples: installed where the administrator may copy them from, or in place with --with-apache-modsavailable
# and --with-systemdsystemunitdir.

packaging_templates = \
	%D%/apache/session_fast.load.in \
	%D%/systemd/session-fastd.service.in
packaging_made = \
	%D%/apache/session_fast.load \
	%D%/systemd/session-fastd.service

apacheconf_DATA = %D%/apache/session_fast.load
dist_apacheconf_DATA = %D%/apache/session_fast.conf
systemdunit_DATA = %D%/systemd/session-fastd.service

nginxsampledir = $(datadir)/session-fast/nginx
dist_nginxsample_DATA = %D%/nginx/authorizer.conf

systemdsampledir = $(datadir)/session-fast/systemd
dist_systemdsample_DATA = %D%/systemd/session-fast.conf %D%/systemd/session-fast.tmpfiles.conf

$(packaging_made): Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(SED) -e 's|[@]sbindir[@]|$(sbindir)|g' -e 's|[@]sysconfdir[@]|$(sysconfdir)|g' \
		-e 's|[@]apachemoduledir[@]|$(apachemoduledir)|g' $(top_srcdir)/$@.in > $@.new && mv $@.new $@
%D%/apache/session_fast.load: %D%/apache/session_fast.load.in
%D%/systemd/session-fastd.service: %D%/systemd/session-fastd.service.in

CLEANFILES += $(packaging_made)
EXTRA_DIST += $(packaging_templates) %D%/debian-packages.txt %D%/install_missing.sh
