# SPDX-License-Identifier: Apache-2.0
"""What every store on a network has to show: the contract, and an outage that nobody notices who need not."""
import contextlib
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from . import build
from .daemon import DaemonError, create, key
from .site import change, log_in
from .waiting import wait_until

LINES = "SessionFastFlushDelay 100ms\n"
CACHED, STORED = 1, 2  # sessions: the cache knows one, the other one is known to the store alone
LOAD_DEADLINE = 5  # seconds: of the daemon's loader
AT_ONCE = 1.0  # seconds: what needs no store, on a busy machine


def run_suite(name, *urls):
    """A program of tests/unit with the stores that it is to try."""
    done = subprocess.run([build.built(build.PROGRAMS, f"tests/unit/{name}")],
                          env=dict(os.environ, STORE_URLS=" ".join(urls)), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "100%" in done.stdout and "Checks: 0" not in done.stdout, done.stdout


def fill(daemon, count):
    """The last one is ended."""
    with daemon.client() as client:
        for number in range(1, count + 1):
            create(client, number, "SET", "name", f"n\u00ba {number}", "SETINT", "n", str(number))
        client.call("SESSION.END", key(count))


def exported_rows(text):
    return {line["key"]: line["row"] for line in map(json.loads, text.splitlines())}


def check_import_and_export(daemon, store, url):
    """What goes into a store comes out of it as it was."""
    fill(daemon, 300)
    exported = store(daemon, "export")[1]
    assert len(exported_rows(exported)) == 300
    assert store(daemon, "import", url, lines=exported)[:2] == (0, "imported  300\nrefused   0\n")
    code, again, errors = store(daemon, "export", url)
    assert code == 0, errors
    assert exported_rows(again) == exported_rows(exported)


def logged(daemon):
    """How often each change of state was logged: loads fail, they work; writes fail, they work."""
    return [daemon.log_text().count(id) for id in ("SF0113", "SF0114", "SF0201", "SF0202")]


class Outage:
    """Two sessions, of which the cache knows one only."""

    def __init__(self, alone, url, lines=LINES):
        self.daemon = alone(lines, store=url).start()
        with self.daemon.client() as client:
            for number in (CACHED, STORED):
                create(client, number, "SET", "n", "0")
            client.call("SESSION.FLUSH")
        assert self.daemon.stop() == 0
        (self.daemon.folder / "l1.cache").unlink()
        self.daemon.start()
        self.acknowledged = 0
        self.increment()

    def increment(self):
        began = time.monotonic()
        with self.daemon.client() as client:
            client.call("SESSION.APPLY", key(CACHED), "OPS", "INCREMENT", "n", "1")
            self.acknowledged += 1
            assert int(client.pairs("SESSION.GET", key(CACHED))["n"]) == self.acknowledged
        return time.monotonic() - began

    def flush(self):
        with self.daemon.client() as client:
            client.call("SESSION.FLUSH")

    def load(self, number):
        with self.daemon.client(2 * LOAD_DEADLINE) as client:
            return client.call("SESSION.LOAD", key(number))

    def is_loaded(self):
        try:
            return self.load(STORED) is not None
        except DaemonError:
            return False

    def is_gone(self):
        try:
            return self.load(STORED) is None
        except DaemonError:
            return False

    def assert_cache_goes_on(self):
        """Whatever the store does meanwhile."""
        for _ in range(20):
            assert self.increment() < AT_ONCE

    def assert_nothing_is_loaded(self):
        began = time.monotonic()
        with pytest.raises(DaemonError, match="^UNAVAILABLE"):
            self.load(STORED)
        assert time.monotonic() - began < LOAD_DEADLINE + AT_ONCE

    def wait_for_failed_write(self):
        wait_until(lambda: "SF0201" in self.daemon.log_text(), "a write to fail", 30)

    def assert_over(self, seconds=40):
        """All that was acknowledged is in the store, as another daemon with an empty cache finds."""
        wait_until(self.is_loaded, "the store to be asked again", seconds)
        wait_until(lambda: self.daemon.status()["store_state"] == "up", "what waited to be written", seconds)
        self.flush()
        changes = logged(self.daemon)
        assert self.daemon.stop() == 0
        (self.daemon.folder / "l1.cache").unlink()
        self.daemon.start()
        self.load(CACHED)
        with self.daemon.client() as client:
            assert int(client.pairs("SESSION.GET", key(CACHED))["n"]) == self.acknowledged
        return changes


# ---- outages that are the same everywhere; `server` is one of postgresql.py or mysql.py ----

def killed_and_started_again(server, outage):
    server.end(signal.SIGKILL)
    outage.assert_cache_goes_on()
    outage.assert_nothing_is_loaded()
    outage.wait_for_failed_write()
    outage.assert_cache_goes_on()
    server.start()
    assert outage.assert_over() == [1, 1, 1, 1]


def restarted_between_two_calls(server, outage):
    """Nobody fails; and what the cache has is put again, to be sure."""
    outage.flush()
    server.stop()
    server.start()
    outage.increment()
    outage.flush()
    wait_until(lambda: outage.daemon.status()["restore_runs"] == 1, "all to be put again", 30)
    assert outage.daemon.status()["restore_news"] == 0
    assert outage.assert_over() == [0, 0, 0, 0]


def frozen(server, outage):
    server.freeze()
    try:
        outage.assert_cache_goes_on()
        outage.assert_nothing_is_loaded()
        with outage.daemon.client(20) as client, pytest.raises(DaemonError, match="^UNCERTAIN"):
            client.call("SESSION.APPLY", key(CACHED), "STORE", "OPS", "INCREMENT", "n", "1")
        outage.acknowledged += 1  # it is in the cache, and not lost
        outage.wait_for_failed_write()
        outage.assert_cache_goes_on()
    finally:
        server.thaw()
    assert outage.assert_over() == [1, 1, 1, 1]


def table_locked_by_somebody(server, outage):
    """The server itself ends what waits too long: no session of ours is left behind there."""
    other = server.session(server.LOCK, "sessions")
    try:
        outage.assert_cache_goes_on()
        outage.assert_nothing_is_loaded()
        outage.wait_for_failed_write()
        outage.assert_cache_goes_on()
        assert int(server.ask(server.COUNT_SESSIONS_OF_APP)) <= 3  # for loads, writes and news
    finally:
        other.kill()
        other.communicate()
    assert outage.assert_over() == [1, 1, 1, 1]


def tables_gone(server, outage):
    """A database restored from nothing is no reason to log everybody out: they are not made anew."""
    rename = "ALTER TABLE session_fast_{0} RENAME TO kept_{0}; "
    back = "ALTER TABLE kept_{0} RENAME TO session_fast_{0}; "
    server.ask(rename.format("session") + rename.format("schema"), "sessions")
    outage.assert_cache_goes_on()
    outage.assert_nothing_is_loaded()
    outage.assert_nothing_is_loaded()
    outage.wait_for_failed_write()
    server.ask(back.format("session") + back.format("schema"), "sessions")
    assert outage.assert_over() == [1, 1, 1, 1]


def killed_under_load(server, outage):
    keeps_what_it_has_stored(outage, lambda: server.end(signal.SIGKILL), server.start,
                             lambda session: server.ask(server.VERSION_OF + f"'{session}'", "sessions"))


def keeps_what_it_has_stored(outage, kill, start, version_of):
    """A change that was said to be in the store is there after each kill."""
    stop, stored = threading.Event(), []

    def work():
        with outage.daemon.client(60) as client:
            create(client, 3, "SET", "n", "0")
            while not stop.is_set():
                try:
                    stored.append(client.call("SESSION.APPLY", key(3), "STORE", "OPS", "INCREMENT", "n", "1")[1])
                except DaemonError:
                    stop.wait(0.01)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(3):
            before = len(stored)
            wait_until(lambda: len(stored) > before + 5, "stored changes", 30)
            kill()
            version = stored[-1]
            start()
            assert int(version_of(key(3))) >= version
    finally:
        stop.set()
        worker.join(60)
    outage.assert_over()


OUTAGES = [killed_and_started_again, restarted_between_two_calls, frozen, table_locked_by_somebody, tables_gone,
           killed_under_load]


def outage_reason(daemon):
    """The line that says why nothing can be loaded."""
    wait_until(lambda: "SF0113" in daemon.log_text(), "the daemon to say why")
    return [line for line in daemon.log_text().splitlines() if "SF0113" in line][0]


def assert_row_is_refused_alone(server, daemon):
    """Two of fifty are larger than 5,000 bytes."""
    with daemon.client() as client:
        for number in range(50):
            create(client, number, "SET", "a", "x" * (40000 if number in (7, 31) else 50))
        with pytest.raises(DaemonError, match="^UNAVAILABLE"):
            client.call("SESSION.FLUSH")
    assert server.ask("SELECT count(*) FROM session_fast_session", "sessions") == "48"
    assert daemon.log_text().count("SF0203") == 2
    assert "xxx" not in daemon.log_text() and "787878" not in daemon.log_text()


PAGES = 20


def count_a_page(browser):
    """One more page of the story; how many there were, as the page sees it."""
    assert change(browser, "X-Session-Increment: pages").status == 200
    assert browser.get("/member/index.html").status == 200
    session = browser.get("/app/probe").session
    assert session["SESSION_USER"] == "alice"
    return int(session["SESSION_FIELD_PAGES"])


def start_again(web, keeps_cache=False):
    """Behind a flush, so that the store alone has to know everything."""
    web.flush()
    web.stop()
    wait_until(lambda: not web.daemon_processes(), "the daemon to end with httpd")
    if not keeps_cache:
        (web.instance / "l1.cache").unlink()
    web.start()


def assert_story(servers, url, lines="", ask=None, keeps_cache=False, around_reading=contextlib.nullcontext):
    """
    What every visitor does, behind a real httpd: comes, logs in, looks at pages, lives through a restart without the cache, logs
    out, and is out for good. `ask`: has the session of alice ended, as the store's own tools show it?
    """
    web = servers.start("event", instance=f'SessionFastStore "{url}"\n{lines}')
    browser = web.browser()
    assert browser.get("/member/index.html").status == 401 and browser.id is None
    assert log_in(browser).status == 302
    known = [("Cookie", f"__Host-id={browser.id}")]
    for page in range(PAGES):
        assert count_a_page(browser) == page + 1
    web.flush()
    assert ask is None or not ask()
    start_again(web, keeps_cache)
    with around_reading(web):
        assert count_a_page(browser) == PAGES + 1
    assert browser.get("/logout").status == 307
    assert browser.id is None and browser.get("/member/index.html").status == 401
    start_again(web, keeps_cache)
    assert ask is None or ask()
    assert browser.get("/member/index.html", known).status == 401
    return web


class Counters:
    """Sessions that count through the daemon, each in a thread of its own, until they are told to stop; no error is expected."""

    def __init__(self, daemon, count, first=100):
        self.daemon = daemon
        self.acknowledged = dict.fromkeys(range(first, first + count), 0)
        self.errors = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in self.acknowledged]

    def run(self, number):
        try:
            with self.daemon.client(30) as client:
                create(client, number, "SET", "n", "0", "LOGIN", f"user{number}")
                while not self.over.is_set():
                    self.count(client, number)
                    self.over.wait(0.002)
        except (DaemonError, OSError, AssertionError) as error:
            self.errors.append(error)

    def count(self, client, number):
        client.call("SESSION.APPLY", key(number), "OPS", "INCREMENT", "n", "1")
        self.acknowledged[number] += 1
        assert int(client.pairs("SESSION.GET", key(number))["n"]) == self.acknowledged[number]

    def wait_for_more(self, more):
        goals = {number: count + more for number, count in self.acknowledged.items()}
        wait_until(lambda: self.errors or all(self.acknowledged[number] >= goal for number, goal in goals.items()), "changes", 60)
        assert not self.errors, self.errors

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(60)
        assert not self.errors, self.errors
