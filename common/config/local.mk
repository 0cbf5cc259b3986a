# SPDX-License-Identifier: Apache-2.0
libsession_la_SOURCES += \
	%D%/config.c %D%/config.h %D%/options.def %D%/stores.def \
	%D%/config_check.c %D%/config_preset.c \
	%D%/config_file.c %D%/config_file.h \
	%D%/instance.c %D%/instance.h \
	%D%/units.c %D%/units.h
