# SPDX-License-Identifier: Apache-2.0
#
# Real servers, never in `make check`: `make check-integration`, or one file with PYTEST_FLAGS='-k rotation'.
# Each test has its own folders and ports: with PYTEST_FLAGS='-n 2 --dist loadfile' two files run at the same time.
# PROGRAMS_FROM=FOLDER takes the programs, not the module, from another build: one with sanitizers, whose reports are failures.
# BACKENDS=none leaves out what needs a database server.
# Debian's python3-pytest belongs to Debian's Python.

PYTHON3 = /usr/bin/python3
PYTEST_FLAGS =

# Run with real servers there.
if BUILD_TESTS
store_suites = tests/unit/check_store_contract$(EXEEXT) tests/unit/check_store_hosts$(EXEEXT) \
	tests/unit/check_store_news$(EXEEXT)
endif
PROGRAMS_FROM =
BACKENDS = auto

.PHONY: check-integration
check-integration: all $(store_suites)
	SF_BACKENDS='$(BACKENDS)' SF_BUILDDIR='$(abs_builddir)' SF_PROGRAMS_BUILDDIR='$(PROGRAMS_FROM)' CC='$(CC)' PYTHONDONTWRITEBYTECODE=1 \
		$(PYTHON3) -m pytest -p no:cacheprovider -q --durations=5 $(PYTEST_FLAGS) '$(srcdir)/tests/integration'

EXTRA_DIST += \
	%D%/applications/late_sleep.c %D%/applications/login.pl \
	%D%/applications/probe.c %D%/applications/probe.php %D%/applications/probe.pl %D%/applications/probe.sh %D%/applications/without_pidfd.py \
	%D%/browser/demo.mjs %D%/browser/package-lock.json %D%/browser/package.json \
	%D%/conftest.py \
	%D%/harness/__init__.py \
	%D%/harness/alone.py \
	%D%/harness/backend.py \
	%D%/harness/backends.py \
	%D%/harness/build.py \
	%D%/harness/certificates.py \
	%D%/harness/chaos.py \
	%D%/harness/client.py \
	%D%/harness/cores.py \
	%D%/harness/daemon.py \
	%D%/harness/demo.py \
	%D%/harness/fastcgi.py \
	%D%/harness/fcgiwrap.py \
	%D%/harness/figures.py \
	%D%/harness/findings.py \
	%D%/harness/gateway.py \
	%D%/harness/history.py \
	%D%/harness/httpd.py \
	%D%/harness/l2_rider.py \
	%D%/harness/ledger.py \
	%D%/harness/load.py \
	%D%/harness/memcached.py \
	%D%/harness/php.py \
	%D%/harness/mysql.py \
	%D%/harness/postgresql.py \
	%D%/harness/processes.py \
	%D%/harness/redis.py %D%/harness/redis_cache.py %D%/harness/redis_several.py \
	%D%/harness/samples.py \
	%D%/harness/sanitizers.py \
	%D%/harness/servers.py \
	%D%/harness/site.py \
	%D%/harness/store_rider.py \
	%D%/harness/store_suites.py \
	%D%/harness/waiting.py \
	%D%/harness/web_server.py \
	%D%/test_auth_form.py \
	%D%/test_bad_configuration.py \
	%D%/test_browser.py \
	%D%/test_cache_ttl.py \
	%D%/test_caching.py \
	%D%/test_coherence.py \
	%D%/test_command_line.py \
	%D%/test_concurrency.py \
	%D%/test_cookies.py \
	%D%/test_crashes.py \
	%D%/test_daemon.py \
	%D%/test_daemon_alone.py \
	%D%/test_daemon_changes.py \
	%D%/test_daemon_life.py \
	%D%/test_daemon_protocol.py \
	%D%/test_daemon_stores.py \
	%D%/test_demo.py \
	%D%/test_doctor.py \
	%D%/test_gateway.py \
	%D%/test_gateway_beside_fcgiwrap.py \
	%D%/test_gateway_counters.py \
	%D%/test_gateway_hostile.py \
	%D%/test_gateway_servers.py \
	%D%/test_gateway_upstream.py \
	%D%/test_history.py \
	%D%/test_identities.py \
	%D%/test_import.py \
	%D%/test_joined_headers.py \
	%D%/test_journal.py \
	%D%/test_l2.py \
	%D%/test_l2_faults.py \
	%D%/test_migrate.py \
	%D%/test_mod_session_options.py \
	%D%/test_nothing_for_nothing.py \
	%D%/test_other_modules.py \
	%D%/test_outages.py \
	%D%/test_power_loss.py %D%/test_pressure.py \
	%D%/test_redirects.py \
	%D%/test_require.py \
	%D%/test_restarts.py \
	%D%/test_rotation.py \
	%D%/test_shared_store.py \
	%D%/test_spoofing.py \
	%D%/test_store_mysql.py %D%/test_store_postgresql.py \
	%D%/test_store_check.py \
	%D%/test_store_commands.py \
	%D%/test_store_faults.py %D%/test_store_file.py %D%/test_store_restarts.py \
	%D%/test_store_redis.py %D%/test_store_redis_cluster.py %D%/test_store_redis_sentinel.py \
	%D%/test_store_only.py \
	%D%/test_story.py \
	%D%/test_tiers.py \
	%D%/test_two_ids.py \
	%D%/test_two_httpds.py \
	%D%/test_units.py \
	%D%/test_user_epochs.py
