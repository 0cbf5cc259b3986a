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
done

awk '
function fail(what) {
    print file ": " what
    failed = 1
}

function end_file(  name) {
    if (uses_check && !has_test)
        fail("no START_TEST")
    for (name in written)
        if (!(name in added))
            fail(name " is never added to a test case")
    split("", written)
    split("", added)
    uses_check = has_test = 0
}

FNR == 1 {
    if (file != "")
        end_file()
    file = FILENAME
}

/<check\.h>/ { uses_check = 1 }
/srunner_create/ { fail("end it with sf_run_suite of tests/support/run_suite.h") }

match($0, /^START_TEST\([A-Za-z0-9_]+\)/) {
    has_test = written[substr($0, 12, RLENGTH - 12)] = 1
}

match($0, /tcase_add_[a-z_]*test[a-z_]*\([^,]*, *[A-Za-z0-9_]+/) {
    name = substr($0, RSTART, RLENGTH)
    sub(/.*, */, "", name)
    added[name] = 1
}

END {
    end_file()
    exit failed
}' $tests || status=1

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
