# SPDX-License-Identifier: Apache-2.0
# Processes killed at the worst moment.
check_PROGRAMS += \
	%D%/check_l1_steps \
	%D%/check_l1_between \
	%D%/check_l1_torture
tests_crash_check_l1_steps_SOURCES = %D%/check_l1_steps.c \
	%D%/steps.c %D%/steps.h %D%/creations.c %D%/stepper.c %D%/stepper.h \
	%D%/scenarios.h %D%/scenario_parts.c %D%/scenario_parts.h %D%/session_scenarios.c %D%/upkeep_scenarios.c
tests_crash_check_l1_between_SOURCES = %D%/check_l1_between.c %D%/stepper.c %D%/stepper.h $(cache_case)

# Calls of the cache are watched: waits.c stands in front of them, and of what sleeps.
crash_watched = -Wl,--wrap=sf_l1_get -Wl,--wrap=sf_l1_get_field -Wl,--wrap=sf_l1_apply \
	-Wl,--wrap=sf_l1_fill -Wl,--wrap=sf_l1_touch \
	-Wl,--wrap=usleep -Wl,--wrap=sleep -Wl,--wrap=nanosleep -Wl,--wrap=clock_nanosleep -Wl,--wrap=poll -Wl,--wrap=select \
	-Wl,--wrap=sem_wait -Wl,--wrap=pthread_cond_wait -Wl,--wrap=flock -Wl,--wrap=read -Wl,--wrap=pthread_mutex_lock \
	-Wl,--wrap=fcntl64
tests_crash_check_l1_torture_SOURCES = %D%/check_l1_torture.c %D%/waits.c %D%/waits.h
tests_crash_check_l1_torture_LDFLAGS = $(AM_LDFLAGS) $(crash_watched)

# A whole instance. Not in `make check`: it is long, and would be so again in distcheck.
EXTRA_PROGRAMS += %D%/check_instance_torture
tests_crash_check_instance_torture_SOURCES = %D%/check_instance_torture.c %D%/actors.c %D%/actors.h \
	%D%/ledger.c %D%/ledger.h %D%/waits.c %D%/waits.h
tests_crash_check_instance_torture_LDFLAGS = $(AM_LDFLAGS) $(crash_watched)

TORTURE_SECONDS = 60
TORTURE_SEED =

check-torture: session-fastd$(EXEEXT) %D%/check_instance_torture$(EXEEXT)
	top_builddir='$(abs_builddir)' %D%/check_instance_torture $(TORTURE_SECONDS) $(TORTURE_SEED)

# The cache with one rule broken at a time; each time a test must fail. Not in `make check`: it would be the same again
# under sanitizers and in distcheck. ./check calls it once.
check-mutants: libsession.a libtest_support.a
	top_srcdir='$(srcdir)' MUTANTS='$(MUTANTS)' \
		COMPILE='$(CC) -I$(srcdir) -I. -D_GNU_SOURCE $(DEPS_CPPFLAGS) $(CPPFLAGS) -std=gnu11 -pthread $(CFLAGS) $(SANITIZER_CFLAGS)' \
		LINK='$(CC) -pthread $(CFLAGS) $(AM_LDFLAGS) $(LDFLAGS)' \
		LIBRARIES='libtest_support.a $(libsession) $(CHECK_LIBS) $(LIBS)' \
		LINK_CHECK_L1_READ='$(tests_unit_check_l1_read_LDFLAGS)' \
		LINK_CHECK_L1_TORTURE='$(tests_crash_check_l1_torture_LDFLAGS)' \
		$(SHELL) '$(srcdir)/%D%/check_mutants.sh'

EXTRA_DIST += %D%/check_mutants.sh
