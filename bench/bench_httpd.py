#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Requests a second of a small static page, and what a request costs the children of httpd in processor time: without
sessions, with SessionFast, with httpd's own modules that keep sessions. All cases against the same httpd in the same run,
in turn, several rounds: medians, and ratios taken round by round.

Needs wrk (Debian package wrk) and the build in $SF_BUILDDIR. One line of JSON a case, then a table on standard error.
"""
import json
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/integration"))

from harness import build  # noqa: E402
from harness.httpd import Httpd, make_folder  # noqa: E402
from harness.site import SITE, change  # noqa: E402

SESSIONS = 1000
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))

EXTRA = """
AliasMatch "^/(off|headers|fast|lean|classic|cookie|dbd)/(.*)" "{folder}/site/$2"
<Location "/headers/">
    Header merge Vary Cookie
    Header merge Cache-Control private
</Location>
<Location "/fast/">
    SessionFast On
</Location>
<Location "/lean/">
    SessionFast On
    SessionFastExport ""
    SessionFastDataFormat none
</Location>
<Location "/classic/">
    SessionFast On
    Session On
</Location>
<Location "/cookie/">
    Session On
    SessionCookieName kept path=/
</Location>
LoadModule dbd_module {modules}/mod_dbd.so
LoadModule session_dbd_module {modules}/mod_session_dbd.so
DBDriver sqlite3
DBDParams "{meeting}/kept.db"
DBDPrepareSQL "SELECT value FROM session WHERE key = %s AND (expiry = 0 OR expiry > %lld)" selectsession
<Location "/dbd/">
    Session On
    SessionDBDCookieName row path=/
</Location>
LogLevel warn
"""

LUA = """
local cookies = {}
for line in io.lines("%s") do cookies[#cookies + 1] = line end
local at = math.random(#cookies)
request = function()
    at = at %% #cookies + 1
    wrk.headers["Cookie"] = cookies[at]
    return wrk.format("GET", "%s")
end
"""

# What is asked for, which cookies come with it, and the case that it is compared with.
CASES = {
    "no session": ("off", None, "no session"),
    "SessionFast, no cookie": ("fast", None, "no session"),
    "no session, cookie sent": ("off", "ids", "no session, cookie sent"),
    "no session, mod_headers adds the two headers": ("headers", "ids", "no session, cookie sent"),
    "SessionFast, session read": ("fast", "ids", "no session, cookie sent"),
    "SessionFast, session read, nothing exported": ("lean", "ids", "no session, cookie sent"),
    "SessionFast as provider of mod_session": ("classic", "ids", "no session, cookie sent"),
    "no session, all of it sent as a cookie": ("off", "kept", "no session, all of it sent as a cookie"),
    "mod_session_cookie, session read": ("cookie", "kept", "no session, all of it sent as a cookie"),
    "no session, key of a row sent": ("off", "rows", "no session, key of a row sent"),
    "mod_session_dbd on SQLite, session read": ("dbd", "rows", "no session, key of a row sent"),
}


def write_lines(path, lines):
    path.write_text("\n".join(lines) + "\n")


def make_sessions(server, folder):
    """Each its own browser: a session with a user's handful of fields. The same for the modules of httpd."""
    fields = [f"theme=dark&name=user{number}&note={'x' * 400}" for number in range(SESSIONS)]
    ids = []
    for text in fields:
        browser = server.browser()
        change(browser, f"X-Session-Set: {text}")
        ids.append("; ".join(f"{name}={value}" for name, value in browser.cookies.items()))
        browser.close()
    keys = [str(uuid.uuid4()) for _ in fields]
    write_lines(folder / "ids", ids)
    write_lines(folder / "kept", [f"kept={text}" for text in fields])
    write_lines(folder / "rows", [f"row={key}" for key in keys])
    with sqlite3.connect(folder / "meeting/kept.db") as database:
        database.executemany("INSERT INTO session VALUES (?, 0, ?)", zip(keys, fields))


def run_wrk(server, folder, target, cookies):
    script = folder / "wrk.lua"
    script.write_text(LUA % (folder / cookies, target) if cookies else "")
    output = subprocess.run(
        ["wrk", "-t1", "-c16", f"-d{SECONDS}s", "-s", str(script), f"http://127.0.0.1:{server.port}{target}"],
        check=True, capture_output=True, text=True, timeout=SECONDS + 30).stdout
    assert "Non-2xx" not in output, output
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", output)[1]), int(re.search(r"(\d+) requests in", output)[1])


def processor_ns(server):
    """What the children have computed so far; of one that has gone nothing is known."""
    total = 0
    for child in server.workers():
        for path in Path(f"/proc/{child.pid}/task").glob("*/schedstat"):
            try:
                total += int(path.read_text().split()[0])
            except OSError:
                continue
    return total


def run_case(server, folder, name):
    place, cookies, _ = CASES[name]
    before = processor_ns(server)
    rate, requests = run_wrk(server, folder, f"/{place}/index.html", cookies)
    return {"rate": rate, "cpu": (processor_ns(server) - before) / requests / 1000}


def make_database(path):
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE session (key TEXT PRIMARY KEY, expiry INTEGER, value TEXT)")
    for file in path.parent.glob(path.name + "*"):
        file.chmod(0o666)


def measure(mpm, folder, probe):
    make_folder(folder, probe)
    make_database(folder / "meeting/kept.db")
    server = Httpd(folder, mpm, site=SITE, extra=EXTRA.replace("{modules}", str(build.HTTPD_MODULES))).start()
    try:
        make_sessions(server, folder)
        server.flush()
        rounds = []
        for number in range(ROUNDS):
            names = list(CASES) if number % 2 == 0 else list(CASES)[::-1]
            rounds.append({name: run_case(server, folder, name) for name in names})
        return rounds
    finally:
        server.clean_up()


def report(mpm, rounds):
    print(f"\nhttpd {mpm}: static page, {SESSIONS} sessions, median of {ROUNDS} rounds", file=sys.stderr)
    for name, (_, _, base) in CASES.items():
        rate = statistics.median(one[name]["rate"] for one in rounds)
        cpu = statistics.median(one[name]["cpu"] for one in rounds)
        ratio = statistics.median(one[name]["rate"] / one[base]["rate"] for one in rounds)
        more = statistics.median(one[name]["cpu"] - one[base]["cpu"] for one in rounds)
        print(json.dumps({"bench": "httpd", "mpm": mpm, "case": name, "requests_per_second": round(rate),
                          "ratio": round(ratio, 3), "cpu_us": round(cpu, 2), "more_cpu_us": round(more, 2)}))
        print(f"  {name:46} {rate:9.0f}/s  {ratio:5.2f} {cpu:8.1f} us {more:+6.1f}", file=sys.stderr)


def main():
    if shutil.which("wrk") is None:
        sys.exit("bench_httpd: wrk is missing: apt-get install wrk")
    with tempfile.TemporaryDirectory(prefix="sf-bench-") as name:
        top = Path(name)
        top.chmod(0o755)
        build.compile_c(build.APPLICATIONS / "probe.c", top / "probe")
        for mpm in ("event", "prefork"):
            folder = top / mpm
            folder.mkdir(mode=0o755)
            report(mpm, measure(mpm, folder, top / "probe"))


if __name__ == "__main__":
    main()
