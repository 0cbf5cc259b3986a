# SPDX-License-Identifier: Apache-2.0
# The rules of this project that no compiler knows. Each script fails when it cannot find what it should read.
dist_check_SCRIPTS += \
	%D%/check_docs.sh \
	%D%/check_layers.sh \
	%D%/check_tests.sh \
	%D%/check_words.sh
EXTRA_DIST += %D%/untested.txt

# What other programs have to say about the code; nothing of it is a gate.
.PHONY: lint
lint:
	-cd $(top_srcdir) && clang-tidy --quiet $$(find common session_daemon command_line fcgi_gateway mod_session_fast -name '*.c' | sort) \
		-- -I. $(APACHE_CPPFLAGS) $(DEPS_CPPFLAGS) -D_GNU_SOURCE -DSF_VERSION='""' -DSF_DAEMON_PATH='""' -std=gnu11 \
		2> /dev/null
	cd $(top_srcdir) && cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr -I. \
		common session_daemon command_line fcgi_gateway
