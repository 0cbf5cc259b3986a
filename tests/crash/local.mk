# SPDX-License-Identifier: Apache-2.0
# Processes killed at the worst moment.
check_PROGRAMS += \
	%D%/check_l1_steps \
	%D%/check_l1_torture
tests_crash_check_l1_steps_SOURCES = %D%/check_l1_steps.c \
	%D%/scenarios.c %D%/scenarios.h %D%/stepper.c %D%/stepper.h
