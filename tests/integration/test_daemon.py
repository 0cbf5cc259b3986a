# SPDX-License-Identifier: Apache-2.0
"""session-fastd as operators and other programs meet it: its socket, its signals, one for each instance."""
import os
import shutil
import signal
import stat
import subprocess
import sys
import time

import pytest

from harness import processes
from harness.daemon import DaemonError
from harness.servers import Servers
from harness.site import change, log_in
from harness.waiting import wait_until


@pytest.fixture(scope="module")
def server(probe):
    with Servers(probe) as servers:
        yield servers.start("event")


def key_of(server, browser):
    label = browser.get("/app/probe").session["SESSION_KEY"]
    with server.daemon() as daemon:
        rows = daemon.call("SESSION.LIST", "-", "1000")[1]
    return next(row[0] for row in rows if row[0].startswith(label))


def run_as_nobody(*command):
    return subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command],
                          capture_output=True, text=True, timeout=20)


def test_redis_cli_can_drive_it(server, browser):
    client = shutil.which("redis-cli")
    if not client:
        pytest.skip("redis-cli is not installed")

    def ask(*words):
        done = subprocess.run([client, "-s", server.socket, *words], capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert ask("PING") == ["PONG"]
    log_in(browser)
    change(browser, "X-Session-Set: theme=dark")
    key = key_of(server, browser)
    seen = ask("SESSION.GET", key)
    pairs = dict(zip(seen[::2], seen[1::2]))
    assert (pairs["@state"], pairs["@user"], pairs["theme"]) == ("active", "alice", "dark")
    ask("SESSION.APPLY", key, "OPS", "SET", "theme", "sepia", "INCREMENT", "n", "5")
    session = browser.get("/app/probe").session
    assert (session["SESSION_FIELD_THEME"], session["SESSION_FIELD_N"]) == ("sepia", "5")
    assert ask("SESSION.FLUSH") == ["OK"]
    assert ask("SESSION.END", key) == ["1"]
    assert ask("SESSION.END", key) == ["0"]
    assert browser.get("/member/index.html").status == 401
    assert browser.get("/app/probe").session["SESSION_STATE"] == "none"


def test_wrong_commands_are_answered(server):
    with server.daemon() as daemon:
        for words in (["NONSENSE"], ["SESSION.GET"], ["SESSION.GET", "xyz"], ["SESSION.APPLY", "-", "OPS", "JUMP"]):
            with pytest.raises(DaemonError, match="^INVALID "):
                daemon.call(*words)
        assert daemon.call("PING") == "PONG"


def test_a_session_made_through_the_socket(server):
    """A program without httpd makes one; without ops that set something nothing is made."""
    with server.daemon() as daemon:
        with pytest.raises(DaemonError, match="^NOT_FOUND"):
            daemon.call("SESSION.APPLY", "f" * 32, "OPS", "SET", "a", "1")
        key, version, flags = daemon.call("SESSION.APPLY", "-", "NEWKEY", "e" * 32, "CREATE", "STORE", "OPS",
                                          "SET", "a", "1")
        assert key == "e" * 32 and "created" in flags.split() and "stored" in flags.split()
        assert daemon.pairs("SESSION.GET", key)["a"] == "1"


def test_socket_is_for_the_server_only(server, as_root):
    mode = server.socket.stat().st_mode
    assert stat.S_IMODE(mode) == 0o660
    assert stat.S_IMODE(server.instance.stat().st_mode) & 0o007 == 0
    assert stat.S_IMODE((server.instance / "secret.keys").stat().st_mode) == 0o600
    done = run_as_nobody(sys.executable, "-c", f"import socket\n"
                         f"socket.socket(socket.AF_UNIX).connect('{server.socket}')")
    assert "PermissionError" in done.stderr


def test_runs_without_privileges(server, as_root):
    ids = [line.split()[1:] for line in open(f"/proc/{server.daemon_pid()}/status") if line.startswith(("Uid", "Gid"))]
    assert all("0" not in four for four in ids)


def test_a_second_one_leaves(server):
    first = server.daemon_pid()
    command = processes.Process(first).command.split()
    assert command[0].endswith("session-fastd")
    as_server = ["setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups"] if os.geteuid() == 0 else []
    second = subprocess.run([*as_server, *command], capture_output=True, timeout=20)
    assert second.returncode is not None
    assert server.daemon_pid() == first
    assert len(server.daemon_processes()) == 1


def test_sigterm_writes_what_waits(servers):
    """Longer delays than the test: only the end of the daemon can have written it."""
    server = servers.start("event", instance="SessionFastFlushDelay 1h\nSessionFastFlushBatch 1000")
    browser = server.browser()
    change(browser, "X-Session-Set: theme=dark")
    old = server.daemon_pid()
    began = time.monotonic()
    os.kill(old, signal.SIGTERM)
    wait_until(lambda: server.daemon_pid() not in (None, old), "httpd to start another")
    assert time.monotonic() - began < 5
    (stored,) = server.query("SELECT count(*) FROM session")[0]
    assert stored == 1
    server.stop()
    (server.instance / "l1.cache").unlink()
    server.start()
    assert browser.get("/app/probe").session["SESSION_FIELD_THEME"] == "dark"


def test_changes_reach_the_store_by_count_and_by_age(servers):
    server = servers.start("event", instance="SessionFastFlushBatch 10\nSessionFastFlushDelay 1s")
    for _ in range(9):
        change(server.browser(), "X-Session-Set: a=1")
    wait_until(lambda: rows(server) == 9, "the oldest change to get too old", 5)
    before = int(server.status()["flushes"])
    browsers = [server.browser() for _ in range(10)]
    for browser in browsers:
        change(browser, "X-Session-Set: a=1")
    wait_until(lambda: rows(server) == 19, "a full batch", 5)
    assert int(server.status()["flushes"]) - before <= 3


def rows(server):
    """What the store has now, without asking anybody to write."""
    import sqlite3
    connection = sqlite3.connect(f"file:{server.database}?mode=ro", uri=True, timeout=5)
    try:
        return connection.execute("SELECT count(*) FROM session").fetchone()[0]
    finally:
        connection.close()


def test_many_changes_to_one_session_are_one_write(servers):
    server = servers.start("event", instance="SessionFastFlushBatch 1000\nSessionFastFlushDelay 1h")
    browser = server.browser()
    for _ in range(200):
        change(browser, "X-Session-Increment: n")
    server.flush()
    assert int(server.status()["flushed_records"]) <= 3
    assert rows(server) == 1
