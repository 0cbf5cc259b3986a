#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What can be generated is current, what is named exists, and every log line can be looked up.

cd "${top_srcdir:-.}" || exit 1
builddir=${top_builddir:-.}
[ -r docs/configuration.md ] && [ -r README.md ] || { echo "check_docs: no docs/configuration.md or README.md in $PWD"; exit 1; }
status=0

fail ()
{
    echo "$*"
    status=1
}

for page in configuration counters; do
    "$builddir/docs/gen_reference" $page | cmp -s - docs/$page.md ||
        fail "docs/$page.md is not what docs/gen_reference prints: run make docs-update"
done

# Links relative to the page, and `paths` in backticks from the top of the project; a path with < or * is a pattern.
pages="README.md HACKING.md CHANGES.md $(find docs tests packaging -name '*.md' ! -path '*/node_modules/*' | sort)"
for page in $pages; do
    [ -r "$page" ] || { fail "no $page"; continue; }
    for link in $(grep -o '](\([^)]*\))' "$page" | sed 's/^](//; s/)$//; s/#.*//' | grep -v '^[a-z]*:'); do
        [ -e "$(dirname "$page")/$link" ] || fail "$page: link to $link, which does not exist"
    done
    for path in $(grep -Eo '`(\./|common/|session_daemon/|mod_session_fast/|fcgi_gateway/|command_line/|tests/|bench/|packaging/|docs/|m4/)[A-Za-z0-9_./-]+`' "$page" | tr -d '`'); do
        [ -e "$path" ] || [ "$path" = ./configure ] || fail "$page: names $path, which does not exist"
    done
done

# What a page says is shown by a test must be one.
tests=$(grep -rhoE 'test_[a-z0-9_]+' --include='*.py' --include='*.c' tests | sort -u)
for test in $(grep -hoE '`test_[a-z0-9_]+`' docs/security.md | tr -d '`' | sort -u); do
    echo "$tests" | grep -qx "$test" || fail "docs/security.md: names $test, which does not exist"
done

used=$(grep -Eoh '"SF[0-9]{4}' $(find common session_daemon mod_session_fast fcgi_gateway command_line -name '*.[ch]') | tr -d '"' | sort -u)
[ -n "$used" ] || fail "no log ids found in the sources"
listed=$(grep -Eo '^\| *`?SF[0-9]{4}' docs/log-messages.md | grep -Eo 'SF[0-9]{4}')
[ -n "$listed" ] || fail "docs/log-messages.md: no table of log ids"
[ "$listed" = "$(echo "$listed" | sort -u)" ] || fail "docs/log-messages.md: not sorted, or an id twice"
for id in $used; do
    echo "$listed" | grep -q "$id" || fail "docs/log-messages.md: $id is missing"
done
for id in $listed; do
    echo "$used" | grep -q "$id" || fail "docs/log-messages.md: nothing logs $id any more"
done

exit $status
