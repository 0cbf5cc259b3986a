#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Requests a second of a small static page: without a session module at work, with SessionFast and no cookie, and with a
session read. All cases against the same httpd in the same run, in turn, several rounds; medians and ratios.

Needs wrk (Debian package wrk) and the build in $SF_BUILDDIR. One line of JSON a case, then a table on standard error.
"""
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/integration"))

from harness import build  # noqa: E402
from harness.httpd import Httpd, make_folder  # noqa: E402
from harness.site import SITE, change  # noqa: E402

SESSIONS = 1000
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))

EXTRA = """
Alias /off/ "{folder}/site/"
Alias /fast/ "{folder}/site/"
Alias /classic/ "{folder}/site/"
<Location "/fast/">
    SessionFast On
</Location>
<Location "/classic/">
    SessionFast On
    Session On
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

CASES = {
    "no session": ("/off/index.html", False),
    "SessionFast, no cookie": ("/fast/index.html", False),
    "no session, cookie sent": ("/off/index.html", True),
    "SessionFast, session read": ("/fast/index.html", True),
    "SessionFast as provider of mod_session": ("/classic/index.html", True),
}


def make_sessions(server, path):
    """Each its own browser: a session with a user's handful of fields."""
    lines = []
    for number in range(SESSIONS):
        browser = server.browser()
        change(browser, f"X-Session-Set: theme=dark&name=user{number}&note={'x' * 400}")
        lines.append("; ".join(f"{name}={value}" for name, value in browser.cookies.items()))
        browser.close()
    path.write_text("\n".join(lines) + "\n")


def run_wrk(server, folder, target, with_cookie):
    script = folder / "wrk.lua"
    script.write_text(LUA % (folder / "cookies", target) if with_cookie else "")
    output = subprocess.run(
        ["wrk", "-t1", "-c16", f"-d{SECONDS}s", "-s", str(script), f"http://127.0.0.1:{server.port}{target}"],
        check=True, capture_output=True, text=True, timeout=SECONDS + 30).stdout
    assert "Non-2xx" not in output, output
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", output)[1])


def measure(mpm, folder, probe):
    make_folder(folder, probe)
    server = Httpd(folder, mpm, site=SITE, extra=EXTRA).start()
    try:
        make_sessions(server, folder / "cookies")
        server.flush()
        results = {name: [] for name in CASES}
        for _ in range(ROUNDS):
            for name, (target, with_cookie) in CASES.items():
                results[name].append(run_wrk(server, folder, target, with_cookie))
        return {name: statistics.median(rates) for name, rates in results.items()}
    finally:
        server.clean_up()


def report(mpm, medians):
    base = {True: medians["no session, cookie sent"], False: medians["no session"]}
    print(f"\nhttpd {mpm}: static page, {SESSIONS} sessions, median of {ROUNDS} rounds", file=sys.stderr)
    for name, rate in medians.items():
        ratio = rate / base[CASES[name][1]]
        print(json.dumps({"bench": "httpd", "mpm": mpm, "case": name, "requests_per_second": round(rate),
                          "ratio": round(ratio, 3)}))
        print(f"  {name:42} {rate:9.0f}/s  {ratio:5.2f}", file=sys.stderr)


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
