# SPDX-License-Identifier: Apache-2.0
"""A daemon whose store is mistreated: who is in the cache goes on, nobody is logged out, and all that was acknowledged is kept."""
import re
import secrets
import threading
import time

from .alone import Alone
from .daemon import DaemonError, create, key
from .figures import tell
from .store_suites import AT_ONCE, LOAD_DEADLINE, logged
from .waiting import wait_until

LINES = "SessionFastFlushDelay 100ms\n"
CACHED, STORED = range(1, 11), range(101, 121)


class Rider:
    def __init__(self, name, backend):
        self.name, self.backend = name, backend
        self.daemon = Alone(LINES, store=backend.url).start()
        self.counts = dict.fromkeys([*CACHED, *STORED], 0)
        with self.daemon.client() as client:
            for number in self.counts:
                create(client, number, "SET", "owner", key(number), "SET", "n", "0")
        self.flush()
        self.begin_without_cache()
        for number in CACHED:
            self.look(number)
        self.unseen = list(STORED)  # by the cache

    def begin_without_cache(self):
        assert self.daemon.stop() == 0
        (self.daemon.folder / "l1.cache").unlink()
        self.daemon.start()

    def flush(self):
        wait_until(self.is_flushed, f"{self.name}: all to be written", 40)

    def is_flushed(self):
        try:
            with self.daemon.client(30) as client:
                client.call("SESSION.FLUSH")
            return True
        except DaemonError:
            return False

    def look(self, number):
        with self.daemon.client(2 * LOAD_DEADLINE) as client:
            client.call("SESSION.LOAD", key(number))
            session = client.pairs("SESSION.GET", key(number))
        assert session is not None, f"{self.name}: {number} was logged out"
        assert session["owner"] == key(number)
        return int(session["n"])

    def change(self, client, number):
        began = time.monotonic()
        client.call("SESSION.APPLY", key(number), "OPS", "INCREMENT", "n", "1")
        self.counts[number] += 1
        session = client.pairs("SESSION.GET", key(number))
        assert (session["owner"], int(session["n"])) == (key(number), self.counts[number])
        return time.monotonic() - began

    def ask_for(self, session, is_there=False):
        """true: there was an answer, and the right one; and in time in any case."""
        began = time.monotonic()
        try:
            with self.daemon.client(2 * LOAD_DEADLINE) as client:
                assert (client.call("SESSION.LOAD", session) is not None) == is_there, f"{self.name}: {session}, a wrong answer"
            return True
        except DaemonError as error:
            assert str(error).startswith("UNAVAILABLE"), error
            return False
        finally:
            assert time.monotonic() - began < LOAD_DEADLINE + AT_ONCE

    def ride(self, harm, what):
        """Changes go on while `harm` does what it does and until all is well again; returns how long that took."""
        over, times, failures = threading.Event(), [], []

        def work():
            try:
                with self.daemon.client() as client:
                    while not over.is_set():
                        times.extend(self.change(client, number) for number in CACHED)
                        over.wait(0.005)
            except Exception as failure:  # told by the test's own thread
                failures.append(failure)

        worker = threading.Thread(target=work)
        worker.start()
        try:
            harm()
            began = time.monotonic()
            wait_until(self.is_well, f"{self.name} to be well again", 60)
            recovery = time.monotonic() - began
        finally:
            over.set()
            worker.join(30)
        if failures:
            raise failures[0]
        times.sort()
        tell(f"{self.name}, {what}: {len(times)} changes in the cache, p99 {times[len(times) * 99 // 100] * 1000:.1f} ms, "
             f"longest {times[-1] * 1000:.1f} ms; well again after {recovery:.2f} s")
        assert times[len(times) * 99 // 100] < AT_ONCE
        assert times[-1] < LOAD_DEADLINE  # nobody has waited for a call to end
        return recovery

    def is_well(self):
        return self.ask_for(secrets.token_hex(16)) and self.daemon.status()["store_state"] == "up"

    def suffer(self, fault):
        """Until a load and a write have failed."""
        chaos, before, done = self.backend.chaos, logged(self.daemon), []
        unseen, log = self.unseen.pop(), len(self.daemon.log_text())

        def harm():
            chaos.fault = fault
            wait_until(lambda: not self.ask_for(key(unseen), True), f"{self.name}: a load to fail", 30)
            wait_until(lambda: logged(self.daemon)[2] > before[2], f"{self.name}: a write to fail", 30)
            chaos.fault = None
            done.append(True)

        try:
            self.ride(harm, fault)
        finally:
            chaos.fault = None
        assert self.look(unseen) == 0
        if fault == "shift":  # and not because of a connection that could not even be made; a load or the writer met it first
            assert chaos.shifted > 0
            assert re.search("SF0(113|201|205).*: it answers what it was not asked", self.daemon.log_text()[log:]), self.name
        changes = [now - then for now, then in zip(logged(self.daemon), before)]
        assert changes == [1, 1, 1, 1], f"{self.name}, {fault}: {changes}"

    def assert_nothing_is_lost(self):
        """As another daemon with an empty cache finds it."""
        self.flush()
        self.begin_without_cache()
        assert {number: self.look(number) for number in self.counts} == self.counts

    def clean_up(self):
        print(self.name, self.daemon.log_text()[-3000:])
        self.daemon.clean_up()
        self.backend.clean_up()


def side_by_side(riders, work):
    """All at the same time; the first failure is told."""
    failures = []

    def run(rider):
        try:
            work(rider)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(rider,)) for rider in riders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
