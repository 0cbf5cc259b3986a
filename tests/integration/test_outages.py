# SPDX-License-Identifier: Apache-2.0
"""
The store or the daemon is away: sessions in the cache go on, others get what SessionFastOnError says, in time.

Each test has two sessions: `cached`, which the shared cache knows, and `stored`, which only the store has.
"""
import os
import signal
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from contextlib import contextmanager

import pytest

from harness.backends import ALL
from harness.processes import send
from harness.servers import MPMS
from harness.site import change, log_in
from harness.waiting import wait_until

ANONYMOUS = """
ScriptAlias /easy/ "{folder}/cgi/"
<Location "/easy/">
    SessionFast On
    SessionFastOnError anonymous
</Location>
"""
GUARDED = ANONYMOUS + """
<LocationMatch "^/guarded-">
    SessionFast On
    SessionFastOnError anonymous
</LocationMatch>
Alias /guarded-not/ "{folder}/site/"
Alias /guarded-none/ "{folder}/site/"
Alias /guarded-valid/ "{folder}/site/"
<Location "/guarded-not/">
    <RequireAll>
        Require all granted
        Require not session-user alice
    </RequireAll>
</Location>
<Location "/guarded-none/">
    <RequireAll>
        Require all granted
        <RequireNone>
            Require session-field theme dark
        </RequireNone>
    </RequireAll>
</Location>
<Location "/guarded-valid/">
    Require session-valid
</Location>
"""
DAEMON_DEADLINE = 0.25  # seconds: SessionFastDeadline
IN_TIME = 1.0  # four of them: for a busy machine


def two_sessions(server):
    """The server is stopped and started with an empty cache in between."""
    cached, stored = server.browser(), server.browser()
    for browser in (cached, stored):
        assert log_in(browser).status == 302
        change(browser, "X-Session-Set: theme=dark")
    server.flush()
    server.stop()
    (server.instance / "l1.cache").unlink()
    server.start()
    assert theme(cached) == "dark"
    return cached, stored


def theme(browser):
    return browser.get("/app/probe").session.get("SESSION_FIELD_THEME")


def assert_unknown(browser):
    """Nobody knows: 503, or no session for the request; the browser keeps its cookie; and all of that in time."""
    began = time.monotonic()
    response = browser.get("/app/probe")
    assert response.status == 503, response
    assert not response.all("Set-Cookie")
    response = browser.get("/easy/probe")
    assert response.status == 200, response
    assert response.session["SESSION_STATE"] == "none"
    assert not response.all("Set-Cookie")
    assert time.monotonic() - began < 2 * IN_TIME


def assert_goes_on(browser, value):
    began = time.monotonic()
    response = change(browser, f"X-Session-Set: theme={value}")
    assert response.status == 200, response
    assert theme(browser) == value
    assert time.monotonic() - began < 2 * IN_TIME


def test_daemon_stopped(servers):
    server = servers.start("event", extra=ANONYMOUS)
    cached, stored = two_sessions(server)
    daemon = server.daemon_pid()
    send(daemon, signal.SIGSTOP)
    try:
        for round_number in range(3):
            assert_goes_on(cached, f"away{round_number}")
            assert_unknown(stored)
    finally:
        send(daemon, signal.SIGCONT)
    wait_until(lambda: theme(stored) == "dark", "the daemon to answer again")
    assert theme(cached) == "away2"
    assert server.daemon_pid() == daemon
    assert_stored(server, cached, "away2")
    assert_logged_once_per_process(server, "SF0403", "SF0404")


@pytest.mark.parametrize("mpm", MPMS)
def test_what_nobody_knows_opens_no_door(servers, mpm):
    """Where requests go on without their session, no page is kept for others and no refusal is forgotten."""
    server = servers.start(mpm, extra=GUARDED)
    _, stored = two_sessions(server)
    daemon = server.daemon_pid()
    pages = {place: f"/guarded-{place}/index.html" for place in ("not", "none", "valid")}
    send(daemon, signal.SIGSTOP)
    try:
        response = change(stored, "Cache-Control: public, max-age=600, s-maxage=600", "/easy/probe")
        assert response.session["SESSION_STATE"] == "none"
        assert {"private", "no-store"} <= set(response.one("Cache-Control").split(", "))
        assert "public" not in response.one("Cache-Control") and "s-maxage" not in response.one("Cache-Control")
        assert "Cookie" in response.one("Vary")
        assert {place: stored.get(page).status for place, page in pages.items()} == \
            {"not": 500, "none": 500, "valid": 403}
        nobody = server.browser()
        assert {place: nobody.get(page).status for place, page in pages.items()} == \
            {"not": 200, "none": 200, "valid": 403}
    finally:
        send(daemon, signal.SIGCONT)
    wait_until(lambda: theme(stored) == "dark", "the daemon to answer again")
    assert {place: stored.get(page).status for place, page in pages.items()} == {"not": 403, "none": 403, "valid": 200}


@pytest.mark.backends
@pytest.mark.parametrize("kind", ALL)
def test_store_that_takes_everything_and_answers_nothing(servers, kind):
    """No worker is held for longer than SessionFastDeadline, however many ask."""
    backend = ALL[kind]()
    try:
        server = servers.start("event", extra=ANONYMOUS, instance=f'SessionFastStore "{backend.url}"')
        cached, stored = two_sessions(server)
        backend.chaos.fault = "silent"
        for round_number in range(3):
            assert_goes_on(cached, f"away{round_number}")
            assert_unknown(stored)
        backend.chaos.fault = None
        wait_until(lambda: theme(stored) == "dark", "the store to be used again", 20)
        assert theme(cached) == "away2"
    finally:
        backend.clean_up()


@pytest.mark.parametrize("daemon", ["goes on", "is killed"])
def test_store_unreadable(servers, as_root, daemon):
    server = servers.start("event", extra=ANONYMOUS)
    cached, stored = two_sessions(server)
    server.flush()
    old = server.daemon_pid()
    set_mode(server, 0)
    if daemon == "is killed":
        send(old, signal.SIGKILL)
        wait_until(lambda: server.daemon_pid() not in (None, old), "a new daemon")
    for round_number in range(3):
        assert_goes_on(cached, f"away{round_number}")
        assert_unknown(stored)
    assert server.status()["store_state"] == "down"
    set_mode(server, 0o600)
    wait_until(lambda: theme(stored) == "dark", "the store to be used again", 20)
    wait_until(lambda: server.status()["store_state"] == "up", "what waited to be written", 20)
    assert_logged_once(server, "SF0113|SF0114|SF0201|SF0202")
    assert_stored(server, cached, "away2")


def test_disk_full(servers, as_root, tmp_path):
    server = servers.make("event", extra=ANONYMOUS, instance='SessionFastStateDirectory "{folder}/state"\n'
                          "SessionFastFlushDelay 100ms")
    with small_disk(server.folder / "state") as disk:
        server.database = disk / "sessions.db"
        server.start()
        browser = server.browser()
        assert log_in(browser).status == 302
        server.flush()
        filler = fill(disk)

        for round_number in range(20):
            assert_goes_on(browser, f"{'x' * 2000}{round_number}")
        wait_until(lambda: server.status()["store_state"] == "down", "the daemon to see that its store is full")
        assert browser.get("/member/index.html").status == 200

        filler.unlink()
        wait_until(lambda: server.status()["store_state"] == "up", "the store to be used again", 20)
        assert_stored(server, browser, f"{'x' * 2000}19")
        # Moving the log into the database gives back a little room: the store may be up in between.
        lines = [line.split(": ")[2] for line in server.log_lines(r"\b(SF0201|SF0202): ")]
        assert lines == ["SF0201", "SF0202"] * (len(lines) // 2) and lines, lines
        server.stop()


def test_store_away_when_httpd_starts(servers, as_root):
    """httpd starts, serves what needs no session, and uses the store as soon as it is there."""
    server = servers.start("event", extra=ANONYMOUS)
    browser = server.browser()
    log_in(browser)
    server.stop()
    (server.instance / "l1.cache").unlink()
    set_mode(server, 0)
    server.start()
    assert browser.get("/index.html").status == 200
    assert_unknown(browser)
    set_mode(server, 0o600)
    wait_until(lambda: browser.get("/member/index.html").status == 200, "the store to be used", 20)


def test_login_waits_for_a_slow_store(servers):
    """Longer than SessionFastDeadline, which is for the daemon, as long as SessionFastStoreDeadline allows."""
    server = servers.start("event", extra="SessionFastLoginDurability store")
    browser = server.browser()
    with ThreadPoolExecutor(1) as pool:
        with locked(server.database):
            login = pool.submit(log_in, browser)
            with pytest.raises(TimeoutError):
                login.result(timeout=2 * DAEMON_DEADLINE)
        assert login.result(timeout=5).status == 302
    assert browser.get("/member/index.html").status == 200
    assert not server.log_lines("SF0403")


def test_login_that_a_slow_store_does_not_confirm_in_time(servers):
    server = servers.start("event", extra="SessionFastLoginDurability store\nSessionFastStoreDeadline 100ms")
    browser = server.browser()
    with locked(server.database):
        assert log_in(browser).status == 503
        assert browser.get("/member/index.html").status == 200
    assert not server.log_lines("SF0403")  # the daemon itself answers in time
    assert server.query("SELECT count(*) FROM session WHERE ended = 0") == [(1,)]


def test_login_goes_on_without_the_store(servers):
    """By default the journal of the host is enough; what it has is in the store when that is back."""
    server = servers.start("event", extra="SessionFastStoreDeadline 10s")
    browser = server.browser()
    with locked(server.database):
        began = time.monotonic()
        assert log_in(browser).status == 302
        assert time.monotonic() - began < 5
        assert server.status()["journal_rows"] == 1
    wait_until(lambda: server.status()["journal_sessions"] == 0, "the journal to be drained", 20)
    assert server.query("SELECT count(*) FROM session WHERE ended = 0") == [(1,)]


@contextmanager
def locked(database):
    """Another program writes to the store for as long as this lasts."""
    other = sqlite3.connect(database, isolation_level=None, timeout=5)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


def set_mode(server, mode):
    for suffix in ("", "-wal", "-shm"):
        path = server.database.with_name(server.database.name + suffix)
        if path.exists():
            path.chmod(mode)


def assert_stored(server, browser, value):
    """What the store has is what the cache says: seen after a start with an empty cache."""
    server.flush()
    server.stop()
    (server.instance / "l1.cache").unlink()
    server.start()
    assert theme(browser) == value


def assert_logged_once(server, ids):
    """One line when something goes away, one when it is back, whatever happens in between."""
    lines = server.log_lines(rf"\b({ids}): ")
    for line_id in ids.split("|"):
        assert len([line for line in lines if line_id in line]) <= 1, lines
    assert len(lines) >= 2, lines


def assert_logged_once_per_process(server, away, back):
    """A process says that the daemon is back when it asks it again; perhaps it finds all in the cache now."""
    assert server.log_lines(rf"\b{away}: ")
    for line_id in (away, back):
        lines = server.log_lines(rf"\b{line_id}: ")
        processes = [line.split("[pid ")[1].split(":")[0] for line in lines]
        assert len(processes) == len(set(processes)), lines


class small_disk:
    """A tmpfs of half a megabyte, owned by the server's user."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.path.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=750,uid=www-data,gid=www-data", "tmpfs",
                               self.path], capture_output=True, text=True, timeout=10)
        if done.returncode:
            pytest.skip(f"cannot mount a small disk here: {done.stderr.strip()}")
        return self.path

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=True, timeout=10)


def fill(disk):
    """A file that takes all the room there is."""
    filler = disk / "filler"
    file = os.open(filler, os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(file, b"x" * 4096)
    except OSError:
        return filler
    finally:
        os.close(file)
