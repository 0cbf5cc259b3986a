# SPDX-License-Identifier: Apache-2.0
libsession_a_SOURCES += \
	%D%/config.c %D%/config.h %D%/options.def %D%/stores.def \
	%D%/config_check.c %D%/config_preset.c \
	%D%/config_file.c %D%/config_file.h \
	%D%/config_lines.c %D%/config_lines.h \
	%D%/endpoint.c %D%/endpoint.h \
	%D%/instance.c %D%/instance.h \
	%D%/migrate_words.c %D%/migrate_words.h \
	%D%/places.c %D%/places.h \
	%D%/routes.c %D%/routes.h \
	%D%/units.c %D%/units.h
