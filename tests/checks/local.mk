# SPDX-License-Identifier: Apache-2.0
# The rules of this project that no compiler knows. Each script fails when it cannot find what it should read.
dist_check_SCRIPTS += \
	%D%/check_docs.sh \
	%D%/check_layers.sh \
	%D%/check_tests.sh \
	%D%/check_words.sh
%D%/check_docs.log: docs/gen_reference$(EXEEXT)
