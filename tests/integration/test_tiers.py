# SPDX-License-Identifier: Apache-2.0
"""The tiers by themselves: a cache without a store."""
import signal
import subprocess

import pytest

from harness import build
from harness.daemon import DaemonError
from harness.processes import send
from harness.site import change, log_in
from harness.waiting import wait_until

NO_STORE = "SessionFastStore none\nSessionFastCacheTTL 1s"


def command(server, *words):
    done = subprocess.run([build.program("session-fast", "command_line"), "-i", server.instance, *words],
                          capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout + done.stderr


def test_without_a_store_sessions_live_as_long_as_the_cache(servers):
    server = servers.start("event", extra=NO_STORE)
    browser = server.browser()
    assert log_in(browser).status == 302
    change(browser, "X-Session-Increment: n=1")
    server.flush()
    send(server.daemon_pid(), signal.SIGKILL)
    wait_until(lambda: len(server.log_lines("SF0119")) == 2, "the next daemon, which says it once, too")
    assert change(browser, "X-Session-Increment: n=1").session["SESSION_FIELD_N"] == "1"
    server.graceful()
    assert change(browser, "X-Session-Increment: n=1").session["SESSION_FIELD_N"] == "2"
    assert browser.get("/member/index.html").status == 200
    assert browser.get("/logout").status == 307
    assert browser.get("/member/index.html").status == 401
    assert not server.database.exists()
    with server.daemon() as daemon, pytest.raises(DaemonError, match="no store"):
        daemon.call("SESSION.LIST", "-", "1000")
    for words in (("store", "check", "none"), ("store", "export", "none")):
        status, text = command(server, *words)
        assert status == 1 and "there is no store" in text
    status, text = command(server, "migrate", "start", "sqlite:other.db")
    assert status != 0 and "SessionFastStore none" in text
