# SPDX-License-Identifier: Apache-2.0
"""
SessionFastCacheTTL: what has been in the cache for long is compared with the store before it is used again.

The store is changed behind the daemon's back by a second daemon, of another instance, that uses the same database.
"""
import signal
import sqlite3
import time

import pytest

from harness.processes import send
from harness.site import change, log_in
from harness.waiting import wait_until

SHORT = "SessionFastCacheTTL 1s"
LONG = "SessionFastCacheTTL 1h"
IN_TIME = 1.0


@pytest.fixture
def other(as_root, alone):
    """Another daemon on the store of `database`."""
    return lambda database: alone(store=f"sqlite:{database}").start().client()


def theme(browser):
    return browser.get("/app/probe").session.get("SESSION_FIELD_THEME")


def logged_in(server):
    """A browser whose session the store has, with its key."""
    browser = server.browser()
    assert log_in(browser).status == 302
    label = change(browser, "X-Session-Set: theme=dark").session["SESSION_KEY"]
    server.flush()
    with server.daemon() as daemon:
        rows = daemon.call("SESSION.LIST", "-", "1000")[1]
    return browser, next(row[0] for row in rows if row[0].startswith(label))


def set_theme(client, key, value):
    client.call("SESSION.APPLY", key, "OPS", "SET", "theme", value)
    client.call("SESSION.FLUSH")


def counter(server, name):
    return int(server.status()[name])


def test_what_another_program_has_written_appears(servers, other):
    server = servers.start("event", extra=SHORT)
    browser, key = logged_in(server)
    set_theme(other(server.database), key, "light")
    wait_until(lambda: theme(browser) == "light", "the later version to be seen")
    assert counter(server, "l1_stale") > 0
    assert change(browser, "X-Session-Increment: n=1").status == 200
    assert browser.get("/app/probe").session["SESSION_FIELD_THEME"] == "light"


def test_until_then_it_does_not(servers, other):
    server = servers.start("event", extra=LONG)
    browser, key = logged_in(server)
    set_theme(other(server.database), key, "light")
    assert theme(browser) == "dark"
    assert counter(server, "l1_stale") == 0


def test_who_was_logged_out_elsewhere_is(servers, other):
    server = servers.start("event", extra=SHORT)
    browser, key = logged_in(server)
    client = other(server.database)
    assert client.call("SESSION.END", key) == 1
    client.call("SESSION.FLUSH")
    wait_until(lambda: browser.get("/member/index.html").status == 401, "the end to be seen")


def test_row_that_is_gone_ends_the_session(servers):
    server = servers.start("event", extra=SHORT)
    browser, key = logged_in(server)
    connection = sqlite3.connect(server.database, isolation_level=None, timeout=5)
    connection.execute("DELETE FROM session WHERE key = ?", (bytes.fromhex(key),))
    connection.close()
    wait_until(lambda: browser.get("/member/index.html").status == 401, "the end to be seen")


def test_sessions_go_on_while_the_store_is_away(servers, as_root):
    server = servers.start("event", extra=SHORT)
    browser, _ = logged_in(server)
    for suffix in ("", "-wal", "-shm"):
        server.database.with_name(server.database.name + suffix).chmod(0)
    served = counter(server, "l1_stale_served")
    ends = time.monotonic() + 20
    while counter(server, "l1_stale_served") < served + 2 and time.monotonic() < ends:
        began = time.monotonic()
        assert theme(browser) == "dark"
        assert browser.get("/member/index.html").status == 200
        assert time.monotonic() - began < IN_TIME
    assert counter(server, "l1_stale_served") >= served + 2
    for suffix in ("", "-wal", "-shm"):
        server.database.with_name(server.database.name + suffix).chmod(0o600)
    assert theme(browser) == "dark"


def test_sessions_go_on_while_the_daemon_hangs(servers):
    server = servers.start("event", extra=SHORT)
    browser, _ = logged_in(server)
    daemon = server.daemon_pid()
    send(daemon, signal.SIGSTOP)
    try:
        ends = time.monotonic() + 2.5
        while time.monotonic() < ends:
            began = time.monotonic()
            assert theme(browser) == "dark"
            assert time.monotonic() - began < IN_TIME
    finally:
        send(daemon, signal.SIGCONT)
    wait_until(lambda: counter(server, "l1_stale_served") > 0, "the daemon to answer again")
