# SPDX-License-Identifier: Apache-2.0
#
# Real servers, never in `make check`: `make check-integration`, or one file with PYTEST_FLAGS='-k rotation'.
# Debian's python3-pytest belongs to Debian's Python.

PYTHON3 = /usr/bin/python3
PYTEST_FLAGS =

.PHONY: check-integration
check-integration: all
	SF_BUILDDIR='$(abs_builddir)' CC='$(CC)' PYTHONDONTWRITEBYTECODE=1 \
		$(PYTHON3) -m pytest -p no:cacheprovider -q --durations=5 $(PYTEST_FLAGS) '$(srcdir)/tests/integration'

EXTRA_DIST += \
	%D%/conftest.py
