#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Who may include whom. A folder includes itself and folders of a lower rank, nothing else; a library's header appears
# only where this list says so.

cd "${top_srcdir:-.}" || exit 1
[ -r common/base/status.h ] || { echo "check_layers: no sources here: $PWD"; exit 1; }

find common session_daemon mod_session_fast fcgi_gateway command_line docs bench tests -name '*.[ch]' -o -name '*.def' | sort |
    xargs awk '
BEGIN {
    rank["common/base"] = 0
    rank["common/config"] = 1
    rank["common/identity"] = 2
    rank["common/session"] = 3
    rank["common/cache"] = rank["common/store"] = 4
    rank["common/writeback"] = rank["common/front"] = 5
    rank["bench/load"] = 5
    rank["session_daemon"] = rank["mod_session_fast"] = rank["fcgi_gateway"] = rank["command_line"] = rank["docs"] = 6
    rank["bench"] = rank["tests"] = 7

    # Library headers and the one place for each; tests may look into what they test.
    at["sqlite3.h"] = "^(common/store/sqlite/|common/writeback/journal[a-z_]*\\.c|tests/|bench/)"
    at["jansson.h"] = "^(common/store/(file|foreign)/|command_line/|fcgi_gateway/|tests/|bench/)"
    at["sodium.h"] = "^(common/(base|identity|session)/|common/store/(file|foreign|l2)/|tests/)"
    at["libpq-fe.h"] = "^(common/store/postgresql/|bench/)"
    at["mysql.h"] = "^(common/store/mysql/|bench/)"
    at["xxhash.h"] = "^(common/base/|common/cache/|common/store/|tests/|bench/)"
    at["check.h"] = "^tests/"
    at["hiredis.h"] = "^(common/store/(redis|l2)/|tests/|bench/)"
    openssl = "^(common/store/wire_tls\\.c|tests/)"
    at["lmdb.h"] = "^bench/"
    httpd = "^(httpd|http_[a-z]+|ap_[a-z_]+|mod_[a-z_]+|util_[a-z]+|unixd|scoreboard|mpm_common)\\.h$"
}

function fail(why) {
    printf "%s:%d: %s\n", FILENAME, FNR, why
    failed = 1
}

function folder_of(path,   parts) {
    split(path, parts, "/")
    return parts[1] == "common" || path ~ "^bench/load/" ? parts[1] "/" parts[2] : parts[1]
}

FNR == 1 {
    files++
    here = folder_of(FILENAME)
    if (!(here in rank))
        fail("folder " here " has no rank in check_layers.sh")
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, quoted, "\"")
    there = folder_of(quoted[2])
    if (!(there in rank))
        fail("included files are named from the top of the project: \"" quoted[2] "\"")
    else if (there != here && rank[there] >= rank[here])
        fail(here " may not include " there)
    else if ((getline line < quoted[2]) < 0)
        fail("no such file: " quoted[2])
    close(quoted[2])
}

/^[ \t]*#[ \t]*include[ \t]*</ {
    header = $0
    sub(/^[^<]*</, "", header)
    sub(/>.*/, "", header)
    if ((header in at) && FILENAME !~ at[header])
        fail("<" header "> belongs only in " at[header])
    if (header ~ "^openssl/" && FILENAME !~ openssl)
        fail("<" header "> belongs only in " openssl)
    if (header ~ httpd && FILENAME !~ "^(mod_session_fast/|bench/targets/shmcb\\.c)")
        fail("headers of httpd belong only in mod_session_fast/: <" header ">")
}

END {
    if (files < 20) {
        print "check_layers: only " files " files found"
        failed = 1
    }
    exit failed
}'
