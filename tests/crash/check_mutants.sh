#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# check_mutants.sh: the code of the cache with one rule broken at a time (common/cache/l1_mutants.h), and a test that
# must fail then. `make check-mutants` calls it with COMPILE, LINK,
# LINK_CHECK_L1_READ, LINK_CHECK_L1_TORTURE and LIBRARIES; MUTANTS='3 12' for some of them.

top=${top_srcdir:-.}
header=$top/common/cache/l1_mutants.h
cache=$top/common/cache
[ -r "$header" ] && [ -n "$COMPILE" ] && [ -n "$LINK" ] && [ -n "$LIBRARIES" ] ||
    { echo "check_mutants: to be called by make check-mutants"; exit 1; }
work=$(mktemp -d) || exit 1
left=$(mktemp -d -p /dev/shm 2> /dev/null) || left=$work # as all tests: what is written to a disk may wait for it
trap 'rm -rf "$work" "$left"' EXIT
trap 'exit 1' HUP INT TERM
status=0
TORTURE_SOUND="10 1" # seconds and seed without a mutant: it never ends early then
SECONDS_MAX=240 # for a program: who waits for ever is not caught, but broken; longer than the torture may take

fail ()
{
    echo "$*"
    status=1
}

# The program that catches it, and its arguments; the torture ends with its first finding.
killer ()
{
    case $1 in
        NAMED_EMPTY) echo crash/check_l1_steps 1 fill ;;
        ONE_LOOK | NO_COUNT | EVICTS_DIRTY | RETIRES_NEXT | SETTLES_NEXT | CREATES_TWICE) echo unit/check_l1_late ;;
        ROBS_LIVING | SILENT_DEATH | FILLS_TWICE) echo unit/check_l1_repair ;;
        FILLS_OLD) echo unit/check_l1_fill ;;
        OLD_KEY_FIRST) echo crash/check_l1_steps 1 rotate ;;
        HIT_LOOKS_ONCE | FIELD_LOOKS_ONCE) echo unit/check_l1_read ;;
        NO_GRACE | OLD_BASE) echo unit/check_l1_move ;;
        WAITS_BUSY | WAITS_ASLEEP) echo crash/check_l1_torture 200 1 ;; # at most: it ends with the first finding
    esac
}

sources_of ()
{
    echo "$top/tests/$1.c"
    case $1 in
        crash/check_l1_steps)
            for part in steps creations scenario_parts session_scenarios upkeep_scenarios stepper; do
                echo "$top/tests/crash/$part.c"
            done
            ;;
        crash/check_l1_torture) echo "$top/tests/crash/waits.c" ;;
        unit/*) echo "$top/tests/unit/cache_case.c" ;;
    esac
}

# How it is linked, as its line in tests/unit/local.mk says.
flags_of ()
{
    case $1 in
        unit/check_l1_read) echo "$LINK_CHECK_L1_READ" ;;
        crash/check_l1_torture) echo "$LINK_CHECK_L1_TORTURE" ;;
    esac
}

# changed_by MUTANT PROGRAM: the files that name it, or, if it is one of a header, all that may include that.
changed_by ()
{
    if grep -q "SF_MUTANT($1)" "$cache"/*.h; then
        echo "$cache"/*.c "$(sources_of "$2")"
    else
        grep -l "SF_MUTANT($1)" "$cache"/*.c
    fi
}

# build FOLDER PROGRAM [NUMBER FILES...]: with objects of its own before those of the library, and those of the tests that
# the mutant does not change compiled once.
build ()
{
    folder=$1
    program=$2
    define=${3:+-DMUTANT=$3}
    shift $(($# < 3 ? 2 : 3))
    mkdir -p "$folder" "$work/tests" || return
    for source in "$@"; do
        $COMPILE $define -c -o "$folder/$(basename "$source" .c).o" "$source" || return
    done
    objects=
    for source in $(sources_of "$program"); do
        object=$(basename "$source" .c).o
        [ ! -e "$folder/$object" ] || continue
        [ -e "$work/tests/$object" ] || $COMPILE -c -o "$work/tests/$object" "$source" || return
        objects="$objects $work/tests/$object"
    done
    $LINK $(flags_of "$program") -o "$folder/program" $objects $(find "$folder" -name '*.o') $LIBRARIES
}

# run FOLDER PROGRAM [ARGUMENTS]: who fails leaves files, which go at the end.
run ()
{
    folder=$1
    shift 2
    SF_TEST_FOLDER=$left timeout -k 5 $SECONDS_MAX "$folder/program" "$@" > "$folder/output" 2>&1
}

# The same program passes without any mutant: else a failure would mean nothing.
check_sound ()
{
    [ "$1" != crash/check_l1_torture ] || set -- "$1" $TORTURE_SOUND
    sound=$work/sound/$(echo "$*" | tr -c 'a-z0-9_\n' -)
    [ ! -d "$sound" ] || return 0
    build "$sound" "$1" || { fail "$1: cannot be built"; return; }
    run "$sound" "$@"
    case $? in 0 | 77) return ;; esac
    fail "$*: fails without any mutant"
    cat "$sound/output"
}

# say_why MUTANT OUTPUT PROGRAM [ARGUMENTS]: it counts only if a test has said what it found.
say_why ()
{
    mutant=$1
    why=$(sed -n 's|^.*\.c:[0-9]*:[FE]:[^:]*:\([^:]*\):.*|\1|p; s|^FAIL ||p' "$2" | head -n 1)
    shift 2
    if [ -n "$why" ]; then echo "$mutant: caught by $* ($why)"; else fail "$mutant: $* failed without a finding"; fi
}

check_mutant ()
{
    number=$1
    name=$2
    what=$3
    set -- $(killer "$name")
    [ $# -gt 0 ] || { fail "mutant $number ($what): no test is named for it"; return; }
    files=$(changed_by "$name" "$1")
    [ -n "$files" ] || { fail "mutant $number ($what): nothing in common/cache names it"; return; }
    check_sound "$@"
    build "$work/$number" "$1" "$number" $files || { fail "mutant $number ($what): cannot be built"; return; }
    run "$work/$number" "$@"
    case $? in
        0) fail "mutant $number ($what): NOT CAUGHT by $*" ;;
        77) echo "mutant $number ($what): not tried, $1 cannot run here" ;;
        1) say_why "mutant $number ($what)" "$work/$number/output" "$@" ;;
        *) fail "mutant $number ($what): $* does not end, or not in order" ;;
    esac
    rm -rf "${work:?}/$number"
}

sed -n 's|^    SF_MUTANT_\([A-Z_]*\) = \([0-9]*\), */\* \(.*\) \*/$|\2 \1 \3|p' "$header" > "$work/mutants"
[ "$(wc -l < "$work/mutants")" = "$(grep -c '^    SF_MUTANT_' "$header")" ] && [ -s "$work/mutants" ] ||
    fail "common/cache/l1_mutants.h: a mutant that this script cannot read"
while read -r number name what; do
    case " ${MUTANTS:-$number} " in *" $number "*) check_mutant "$number" "$name" "$what" ;; esac
done < "$work/mutants"
exit $status
