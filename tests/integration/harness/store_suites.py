# SPDX-License-Identifier: Apache-2.0
"""What every store on a network has to show: the contract, and an outage that nobody notices who need not."""
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
    done = subprocess.run([build.built(build.PROGRAMS, f"tests/unit/.libs/{name}", f"tests/unit/{name}")],
                          env=dict(os.environ, STORE_URLS=" ".join(urls)), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "100%" in done.stdout and "Checks: 0" not in done.stdout, done.stdout


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

    def load(self, number):
        with self.daemon.client(2 * LOAD_DEADLINE) as client:
            return client.call("SESSION.LOAD", key(number))

    def is_loaded(self):
        try:
            return self.load(STORED) is not None
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
        with self.daemon.client() as client:
            client.call("SESSION.FLUSH")
        changes = logged(self.daemon)
        assert self.daemon.stop() == 0
        (self.daemon.folder / "l1.cache").unlink()
        self.daemon.start()
        self.load(CACHED)
        with self.daemon.client() as client:
            assert int(client.pairs("SESSION.GET", key(CACHED))["n"]) == self.acknowledged
        return changes


def outage_reason(daemon):
    """The line that says why nothing can be loaded."""
    wait_until(lambda: "SF0113" in daemon.log_text(), "the daemon to say why")
    return [line for line in daemon.log_text().splitlines() if "SF0113" in line][0]


def assert_story(servers, url, ask, alive, ended):
    """Login, change, restart without a cache, logout; `ask` tells whether the session of alice has ended."""
    web = servers.start("event", instance=f'SessionFastStore "{url}"')
    browser = web.browser()
    assert log_in(browser).status == 302
    change(browser, "X-Session-Set: theme=dark")
    web.flush()
    assert ask() == alive
    web.stop()
    (web.instance / "l1.cache").unlink()
    web.start()
    assert browser.get("/app/probe").session["SESSION_FIELD_THEME"] == "dark"
    assert browser.get("/member/index.html").status == 200
    browser.get("/logout")
    assert browser.get("/member/index.html").status == 401
    web.flush()
    assert ask() == ended


def kill_under_load(outage, server, version_of_session_3):
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
            server.end(signal.SIGKILL)
            version = stored[-1]
            server.start()
            assert int(server.ask(version_of_session_3, "sessions")) >= version
    finally:
        stop.set()
        worker.join(60)
    outage.assert_over()
