# SPDX-License-Identifier: Apache-2.0
dist_man_MANS += \
	%D%/man/mod_session_fast.5 \
	%D%/man/session-fast.1 \
	%D%/man/session-fast-gateway.8 \
	%D%/man/session-fastd.8
# What who runs it needs; the manual pages name them.
dist_doc_DATA = \
	%D%/apache.md \
	%D%/application.md \
	%D%/configuration.md \
	%D%/counters.md \
	%D%/daemon.md \
	%D%/durability.md \
	%D%/gateway.md \
	%D%/log-messages.md \
	%D%/migration.md \
	%D%/security.md \
	%D%/stores.md
EXTRA_DIST += \
	%D%/architecture.md \
	%D%/benchmarks \
	%D%/record-format.md \
	%D%/shared-memory.md \
	%D%/decisions

# Prints the pages that are made from options.def and counters.def.
noinst_PROGRAMS += docs/gen_reference
docs_gen_reference_SOURCES = %D%/gen_reference.c
docs_gen_reference_LDADD = $(libsession)

.PHONY: docs-update
docs-update: docs/gen_reference$(EXEEXT)
	docs/gen_reference$(EXEEXT) configuration > $(top_srcdir)/docs/configuration.md
	docs/gen_reference$(EXEEXT) counters > $(top_srcdir)/docs/counters.md
