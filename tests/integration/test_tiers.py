# SPDX-License-Identifier: Apache-2.0
"""The tiers by themselves: a cache without a store."""
import signal
import subprocess

import pytest

from harness import build
from harness.daemon import DaemonError, create, key
from harness.processes import send
from harness.site import change, log_in
from harness.store_suites import exported_rows
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
    for words in (("flush",), ("probe",)):
        status, text = command(server, *words)
        assert status == 1 and "SessionFastStore none: there is no store" in text
    status, text = command(server, "migrate", "start", "sqlite:other.db")
    assert status != 0 and "SessionFastStore none" in text


# ---- the same, spoken to by its socket ----

def in_cache_only(alone):
    return alone(store="none").start()


def test_store_that_is_named_later_gets_what_the_cache_has(alone, store):
    daemon = in_cache_only(alone)
    with daemon.client() as client:
        for number in range(1, 21):
            create(client, number, "SETINT", "n", str(number))
    assert daemon.stop() == 0
    daemon.configure()
    daemon.start()
    with daemon.client() as client:
        client.call("SESSION.FLUSH")
    rows = exported_rows(store(daemon, "export")[1])
    assert {id: row["fields"]["n"] for id, row in rows.items()} == {key(number): number for number in range(1, 21)}


def test_journal_for_another_store_is_not_left_behind(alone):
    """The store was away, the cache was lost, and only the journal has it."""
    daemon = alone("SessionFastFlushDelay 100ms\n", store="file:/nowhere/sessions.json").start()
    with daemon.client() as client:
        create(client, 1, "SET", "a", "1", options=("JOURNAL",))
    daemon.kill()
    (daemon.folder / "l1.cache").unlink()
    daemon.configure(store="none")
    done = daemon.run()
    assert done.returncode == 1 and "has 1 sessions for the store that was there before" in done.stderr


def test_full_cache_gives_up_visitors_before_users(alone):
    """And goes on."""
    daemon = in_cache_only(alone)
    count = 600  # of 16 KiB in 4 MiB
    with daemon.client() as client:
        create(client, 0, "LOGIN", "alice")
        for number in range(1, count + 1):
            create(client, number, "SET", "a", "x" * 16000)
        there = [number for number in range(count + 1) if client.call("SESSION.LOAD", key(number)) is not None]
    assert 50 < len(there) < count
    assert 0 in there and count in there
