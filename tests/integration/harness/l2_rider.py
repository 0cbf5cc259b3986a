# SPDX-License-Identifier: Apache-2.0
"""Two hosts, one store, and an L2 that is mistreated: no request fails, nobody is another one, and all that was acknowledged is kept."""
import secrets
import shutil
import tempfile
import threading
import time
from pathlib import Path

from .alone import Alone
from .chaos import Chaos
from .daemon import create, key
from .figures import tell
from .store_suites import AT_ONCE, LOAD_DEADLINE
from .waiting import wait_until

LINES = "SessionFastFlushDelay 100ms\nSessionFastSharedStore on\n"
SHARED = 60    # sessions that L2 has to begin with
PAUSE = 0.1    # seconds between two visitors
LOOK = 0.1     # seconds between two looks at the status
FLAPPING = 10  # seconds


class L2Rider:
    def __init__(self, name, cache):
        self.name, self.cache = name, cache.start()
        self.folder = Path(tempfile.mkdtemp(prefix="sf-test-"))
        self.roads = [Chaos(cache.port) for _ in range(2)]
        self.hosts = []
        self.visitors = []  # what was acknowledged of them is in the store
        self.fills = None
        self.shared = range(1, SHARED + 1)
        self.unseen = list(self.shared)  # by B

    def begin(self):
        for road in self.roads:
            self.add_host(road)
        self.a, self.b = self.hosts
        self.share()

    def add_host(self, road):
        lines = f"{LINES}SessionFastL2 {self.cache.url(road.port, 'timeout=50')}\n"
        host = Alone(lines, store=f"sqlite:{self.folder}/shared.db")
        self.hosts.append(host)
        if len(self.hosts) > 1:
            shutil.copy(self.hosts[0].folder / "secret.keys", host.folder / "secret.keys")
        host.start()

    def share(self):
        with self.a.client() as client:
            for number in self.shared:
                create(client, number, "SET", "owner", key(number), "SET", "n", "1")
            client.call("SESSION.FLUSH")
        wait_until(self.is_asked_by_b, f"{self.name}: B to use L2", 30, LOOK)
        for number in self.shared:
            self.look(self.b, number)
        self.begin_without_cache(self.b)

    def is_asked_by_b(self):
        before = self.count(self.b, "l2_misses")
        with self.b.client() as client:
            client.call("SESSION.LOAD", secrets.token_hex(16))
        return self.count(self.b, "l2_misses") > before

    @staticmethod
    def begin_without_cache(host):
        assert host.stop() == 0
        (host.folder / "l1.cache").unlink()
        host.start()

    @staticmethod
    def count(host, name):
        return int(host.status()[name])

    # ---- what visitors do ----

    def look(self, host, number):
        """What `host` says of it: its number, or "ended"."""
        with host.client() as client:
            client.call("SESSION.LOAD", key(number))
            session = client.pairs("SESSION.GET", key(number))
        assert session is not None, f"{self.name}: {number} is not there"
        if session["@state"] == "ended":
            return "ended"
        assert session["owner"] == key(number), f"{self.name}: {number} was given {session['owner']}"
        return session["n"]

    @staticmethod
    def last_change(number):
        return ("END",) if number % 2 else ("SET", "n", "2")

    @staticmethod
    def last_state(number):
        return "ended" if number % 2 else "2"

    def visit(self, number, timed):
        """Comes to A, goes on to B, and changes on A, or logs out there, what B and L2 have a copy of."""
        with self.a.client() as client:
            timed(lambda: create(client, number, "SET", "owner", key(number), "SET", "n", "1", options=("STORE",)))
            assert timed(lambda: self.look(self.b, number)) == "1"
            timed(lambda: client.call("SESSION.APPLY", key(number), "STORE", "OPS", *self.last_change(number)))
        self.visitors.append(number)
        assert self.look(self.a, number) == self.last_state(number)
        assert timed(lambda: self.look(self.b, number)) in ("1", self.last_state(number))
        if self.unseen and number % 3 == 0:
            assert timed(lambda: self.look(self.b, self.unseen.pop())) == "1"

    # ---- the ride ----

    def ride(self, what, harm):
        """Visitors come while `harm` does what it does, and until all is well again."""
        over, times, failures = threading.Event(), [], []

        def timed(work):
            began = time.monotonic()
            result = work()
            times.append(time.monotonic() - began)
            return result

        def work():
            try:
                while not over.is_set():
                    self.visit(1000 + len(self.visitors), timed)
                    over.wait(PAUSE)
            except Exception as failure:  # told by the test's own thread
                failures.append(failure)

        worker = threading.Thread(target=work)
        worker.start()
        try:
            harm()
            began = time.monotonic()
            wait_until(lambda: failures or self.is_well(), f"{self.name}: L2 to be used again", 60, LOOK)
            recovery = time.monotonic() - began
        finally:
            over.set()
            worker.join(30)
        if failures:
            raise failures[0]
        times.sort()
        tell(f"{self.name}, {what}: {len(times)} requests, p99 {times[len(times) * 99 // 100] * 1000:.1f} ms, "
             f"longest {times[-1] * 1000:.1f} ms; used again after {recovery:.2f} s")
        assert times[-1] < LOAD_DEADLINE and times[len(times) * 99 // 100] < AT_ONCE

    def wait_for(self, host, state):
        wait_until(lambda: host.status()["l2_state"] == state, f"{self.name}: a host to be {state}", 30, LOOK)

    def is_well(self):
        """Both reach it, and since they do what one has read another one finds there."""
        if any(host.status()["l2_state"] != "up" for host in self.hosts):
            self.fills = None
            return False
        fills = self.count(self.b, "l2_fills")
        if self.fills is None:
            self.fills = fills
        return fills > self.fills

    def set_fault(self, fault):
        for road in self.roads:
            road.fault = fault

    def flap(self):
        end = time.monotonic() + FLAPPING
        while time.monotonic() < end:
            self.set_fault("refuse")
            time.sleep(1)
            self.set_fault(None)
            time.sleep(1)
        assert all(road.faults > 0 for road in self.roads)

    def kill(self):
        self.cache.end()
        self.wait_for(self.a, "down")
        self.cache.start()

    def lose_packets(self):
        """As soon as A cannot mark what it changes, B asks it no more."""
        for host, road in zip((self.b, self.a), reversed(self.roads)):
            road.fault = "lost"
            self.wait_for(host, "down")
        self.set_fault(None)

    def suffer(self):
        self.ride("flapping each second", self.flap)
        self.ride("killed", self.kill)
        self.ride("packets lost", self.lose_packets)
        assert self.count(self.a, "l2_disowned") > 0
        self.assert_nothing_is_lost()

    def assert_nothing_is_lost(self):
        wait_until(lambda: all(self.look(self.b, number) == self.last_state(number) for number in self.visitors),
                   f"{self.name}: B to see what A has been told is stored")
        for host in self.hosts:
            self.begin_without_cache(host)
        for host in self.hosts:
            for number in self.visitors:
                assert self.look(host, number) == self.last_state(number)
            for number in self.shared:
                assert self.look(host, number) == "1"
            assert [host.log_text().count(id) for id in ("SF0113", "SF0201", "SF0233")] == [0, 0, 0]

    def clean_up(self):
        for host in self.hosts:
            print(self.name, host.log_text()[-3000:])
            host.clean_up()
        for road in self.roads:
            road.clean_up()
        self.cache.clean_up()
        shutil.rmtree(self.folder)
