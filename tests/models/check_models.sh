#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Checks the models of the protocol of cache, journal and lease: each without an error in all its states, and each with one
# mutant after the other (the BUG_ names at its top), in which an error must be found. Also that every function of the
# table in docs/shared-memory.md exists. check_models.sh [MODEL...]

folder=${top_srcdir:-.}/tests/models
all='publish flush_evict repair fill create end hints slots rotate retire move age journal lease leave'
status=0

fail ()
{
    echo "$*"
    status=1
}

check_table ()
{
    table=$(sed -n '/^## Models/,$p' "$folder/../../docs/shared-memory.md" | grep '^|')
    for model in $all; do
        echo "$table" | grep -q "^| \`$model\.pml\`" || fail "docs/shared-memory.md: no $model.pml in the section Models"
    done
    for name in $(echo "$table" | cut -d '|' -f 4 | grep -o '`[a-z0-9_]*`' | tr -d '`' | sort -u); do
        grep -rqE "^$name\(" "$folder/../../common" "$folder/../../session_daemon" ||
            fail "docs/shared-memory.md: no function $name in common or session_daemon"
    done
}

# run MODEL [MUTANT]: builds and runs it; what it says is in $work/out. All states of a model take their time, though of
# most not as much as -O2 would; the error of a mutant is found early: it takes longer to be optimized than to be run.
run ()
{
    rm -f "$work"/pan*
    level=-O1
    [ $# = 1 ] || level=-O0
    (cd "$work" && spin ${2:+-D"$2"} -a "$1.pml" && ${CC:-gcc} -w $level -DSAFETY -DCOLLAPSE -DMEMLIM=1024 -o pan pan.c &&
        ./pan -m200000) > "$work/out" 2>&1
    states=$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' "$work/out")
    errors=$(sed -n 's/.*errors: \([0-9]*\)$/\1/p' "$work/out")
}

report ()
{
    printf '%-12s %-32s %9s  %s\n' "$1" "$2" "${states:--}" "$3"
}

# Exhaustive means: neither memory nor depth ran out.
check_model ()
{
    run "$1"
    if [ "$errors" = 0 ] && ! grep -qiE 'search (not completed|depth too small)|too small|MEMLIM' "$work/out"; then
        report "$1" - 'no error'
    else
        report "$1" - 'FAILED'
        cat "$work/out"
        status=1
    fi
}

check_mutant ()
{
    run "$1" "$2"
    if [ "${errors:-0}" -gt 0 ] && grep -q 'assertion violated' "$work/out"; then
        report "$1" "$2" caught
    else
        report "$1" "$2" 'NOT CAUGHT'
        cat "$work/out"
        status=1
    fi
}

[ -r "$folder/l1.pml" ] || { echo "check_models: no models in $folder"; exit 1; }
command -v spin > /dev/null || { echo "check_models: skipped, spin is not installed (package spin)"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
cp "$folder"/*.pml "$work" && chmod u+w "$work"/*.pml || exit 1

check_table
printf '%-12s %-32s %9s  %s\n' model mutant states result
for model in ${*:-$all}; do
    check_model "$model"
    mutants=$(sed -n '/mutants:/,/\*\//p' "$folder/$model.pml" | grep -o 'BUG_[A-Z_]*')
    [ -n "$mutants" ] || fail "$model.pml: no mutants"
    for mutant in $mutants; do
        check_mutant "$model" "$mutant"
    done
done
exit $status
