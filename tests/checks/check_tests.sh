#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# No test is written and then forgotten, no source file is left without one: every START_TEST is added to a test case,
# every program of tests/unit is built, every file of common/ and fcgi_gateway/ is built and has tests/unit/check_<file>.c or a reason why
# not in tests/checks/untested.txt.

cd "${top_srcdir:-.}" || exit 1
[ -r tests/unit/local.mk ] && [ -r tests/checks/untested.txt ] || { echo "check_tests: no tests here: $PWD"; exit 1; }
status=0

fail ()
{
    echo "$*"
    status=1
}

tests=$(find tests/unit tests/crash -name 'check_*.c' | sort)
[ -n "$tests" ] || fail "no test programs found"
for test in $tests; do
    folder=$(dirname "$test")
    name=$(basename "$test" .c)
    grep -q "$name\b" "$folder/local.mk" || fail "$test: not in $folder/local.mk"
    written=$(sed -n 's/^START_TEST(\([A-Za-z0-9_]*\)).*/\1/p' "$test")
    [ -n "$written" ] || ! grep -q '<check.h>' "$test" || fail "$test: no START_TEST"
    ! grep -q 'srunner_create' "$test" || fail "$test: end it with sf_run_suite of tests/support/run_suite.h"
    for case in $written; do
        grep -Eq "tcase_add_[a-z_]*test[a-z_]*\([^,]*, *$case\b" "$test" || fail "$test: $case is never added to a test case"
    done
done

for source in $(find common fcgi_gateway -name '*.c' | sort); do
    folder=$(dirname "$source")
    stem=$(basename "$source" .c)
    grep -q "/$stem\.c\b" "$folder/local.mk" || fail "$source: not in $folder/local.mk"
    [ -r "tests/unit/check_$stem.c" ] || grep -q "^$source  *[^ ]" tests/checks/untested.txt ||
        fail "$source: no tests/unit/check_$stem.c, and no reason in tests/checks/untested.txt"
done

# An exemption that is no longer needed must go.
while read -r source reason; do
    case $source in ''|'#'*) continue ;; esac
    [ -r "$source" ] || fail "tests/checks/untested.txt: no such file: $source"
    [ ! -r "tests/unit/check_$(basename "$source" .c).c" ] || fail "tests/checks/untested.txt: $source has a test now"
done < tests/checks/untested.txt

exit $status
