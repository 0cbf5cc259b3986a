# SPDX-License-Identifier: Apache-2.0
"""session-fast, the operator's program, against a running server."""
import json
import subprocess

import pytest

from harness import build
from harness.servers import Servers
from harness.site import change, log_in


@pytest.fixture(scope="module")
def server(probe):
    with Servers(probe) as servers:
        yield servers.start("event")


@pytest.fixture
def session_fast(server):
    """Runs a subcommand; returns its exit status and its output."""
    program = build.program("session-fast", "command_line")

    def run(*arguments):
        done = subprocess.run([program, "-i", server.instance, *arguments], capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout if done.returncode == 0 else done.stdout + done.stderr

    return run


def test_status(session_fast):
    code, text = session_fast("status")
    assert code == 0 and text
    code, text = session_fast("--json", "status")
    assert code == 0
    assert json.loads(text)


def test_list_show_end(browser, session_fast):
    log_in(browser)
    change(browser, "X-Session-Set: theme=dark")
    code, text = session_fast("--json", "list")
    assert code == 0
    label = browser.get("/app/probe").session["SESSION_KEY"]
    (row,) = [row for row in json.loads(text)["sessions"] if row["key"].startswith(label)]
    assert row["user"] == "alice"

    code, text = session_fast("show", row["key"])
    assert code == 0
    assert "alice" in text and "theme" in text and "dark" in text
    code, _ = session_fast("end", row["key"])
    assert code == 0
    assert browser.get("/member/index.html").status == 401
    code, _ = session_fast("end", row["key"])
    assert code == 1


def test_flush(browser, session_fast, server):
    change(browser, "X-Session-Set: theme=dark")
    assert session_fast("flush")[0] == 0


def test_cache_check(browser, session_fast):
    change(browser, "X-Session-Set: theme=dark")
    code, text = session_fast("cache", "check")
    assert code == 0, text


def test_no_daemon(session_fast, servers):
    other = servers.make("event")
    program = build.program("session-fast", "command_line")
    done = subprocess.run([program, "-i", other.instance, "status"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 3
    assert len(done.stderr.strip().splitlines()) == 1


def test_wrong_usage(session_fast):
    for words in ([], ["jump"], ["show"], ["show", "xyz"]):
        code, text = session_fast(*words)
        assert code == 2, (words, text)
