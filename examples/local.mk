# SPDX-License-Identifier: Apache-2.0
#
# Not built here: ./demo sets it up, and an administrator may copy from it.

EXTRA_DIST += \
	demo \
	%D%/demo/httpd.conf.in \
	%D%/demo/users \
	%D%/demo/cgi/cart.pl %D%/demo/cgi/session.sh %D%/demo/cgi/visits.c \
	%D%/demo/php/theme.php \
	%D%/demo/site/login.html %D%/demo/site/style.css
