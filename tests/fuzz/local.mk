# SPDX-License-Identifier: Apache-2.0
# Each fuzz_<name>.c feeds one parser. With --enable-fuzzing they are libFuzzer programs (tests/fuzz/README.md);
# otherwise replay.c makes them tests that run over corpus/<name>.
fuzz_targets =

EXTRA_DIST += \
	%D%/README.md %D%/corpus
