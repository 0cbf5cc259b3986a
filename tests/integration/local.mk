# SPDX-License-Identifier: Apache-2.0
# Real servers on loopback; never part of "make check". Programs that the tests run are built for them only.
integration_programs =
EXTRA_PROGRAMS += $(integration_programs)
EXTRA_DIST += \
	tests/integration

.PHONY: check-integration
check-integration: all $(integration_programs)
	SF_SOURCE_DIR='$(abs_top_srcdir)' SF_BUILD_DIR='$(abs_top_builddir)' PYTHONDONTWRITEBYTECODE=1 \
		$(PYTEST) -p no:cacheprovider $(PYTEST_FLAGS) $(abs_top_srcdir)/tests/integration
