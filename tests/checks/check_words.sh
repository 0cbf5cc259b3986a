#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What must not stand in a source file: unsafe calls, the time from anywhere but clock.c, unfinished work, other comment
# styles, long lines, long functions, files without a licence line.

cd "${top_srcdir:-.}" || exit 1
[ -r common/base/clock.c ] || { echo "check_words: no sources here: $PWD"; exit 1; }

folders="common session_daemon mod_session_fast fcgi_gateway command_line docs bench tests packaging"
sources=$(find $folders -name '*.[ch]' | sort)
[ "$(echo "$sources" | wc -l)" -gt 20 ] || { echo "check_words: hardly any sources found"; exit 1; }
status=0

awk '
function fail(why) {
    printf "%s:%d: %s\n", FILENAME, FNR, why
    failed = 1
}

function call_of(names) {
    return "(^|[^A-Za-z0-9_>.])(" names ")[ \t]*\\("
}

# Each made once, and matched in one place: awk would compile it for each line again.
BEGIN {
    banned = call_of("strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|strtok|alloca")
    comparison = call_of("memcmp|strcmp")
    clock = call_of("time|gettimeofday|clock_gettime|apr_time_now")
    random = call_of("rand|random|srand|srandom|drand48")
}

{
    # Tabs count as one column: there are none in C files, and that is a rule too.
    if (length($0) > 120)
        fail("line of " length($0) " columns, 120 at most")
    if (index($0, "\t"))
        fail("tab")
    if ($0 ~ /[ \t]$/)
        fail("blank at the end of the line")
    if ($0 ~ /(^|[^A-Za-z0-9_])(TODO|FIXME|XXX)([^A-Za-z0-9_]|$)/)
        fail("unfinished work belongs into an issue")

    code = $0
    gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
    if (code ~ /(^|[^:])\/\//)
        fail("comments are written /* so */")
    if (code ~ /^ \*|^ *\/\*/)
        next
    if (code ~ banned)
        fail("banned: strcpy strcat sprintf gets atoi strtok alloca")
    if (code ~ comparison && code ~ /(secret|check|mac|token|password)[A-Za-z0-9_]*[,).\[]/ && FILENAME !~ /^tests\//)
        fail("secrets are compared in constant time: sodium_memcmp")
    # The clock of condition variables is the one clock that clock.h does not have.
    if (code ~ clock && !/clock_gettime\(CLOCK_MONOTONIC,/ && FILENAME !~ /^(common\/base\/clock\.c|tests\/|bench\/)/)
        fail("the time comes from clock.h")
    if (code ~ random && FILENAME !~ /^(tests|bench)\//)
        fail("random bytes come from random.h")
}

END { exit failed }' $sources || status=1

awk '
FNR <= 3 && /SPDX-License-Identifier: Apache-2\.0/ { has[FILENAME] = 1 }
FNR > 3 { nextfile }
END {
    for (i = 1; i < ARGC; i++)
        if (!(ARGV[i] in has)) {
            print ARGV[i] ":1: no SPDX-License-Identifier line"
            failed = 1
        }
    exit failed
}' $sources $(find $folders m4 \( -name '*.sh' -o -name '*.py' -o -name '*.mk' -o -name 'sf_*.m4' -o -name '*.def' \) ! -path '*/node_modules/*' | sort) \
    configure.ac Makefile.am check || status=1

wc -l $sources | awk '
$2 != "total" && $1 > 800 {
    print $2 ": " $1 " lines, 800 at most: has it grown past its name?"
    failed = 1
}
END { exit failed }' || status=1

# Universal Ctags knows where a function ends; other programs of that name do not.
if ctags --version 2>/dev/null | grep -q 'Universal Ctags'; then
    ctags -x --languages=C --c-kinds=f --_xformat='%{input} %n %{end} %N' $sources |
        awk '$3 - $2 + 1 > 70 { printf "%s:%d: %s has %d lines, 70 at most\n", $1, $2, $4, $3 - $2 + 1; failed = 1 }
             END { exit failed }' || status=1
else
    echo "check_words: no Universal Ctags: lengths of functions not checked"
fi

exit $status
