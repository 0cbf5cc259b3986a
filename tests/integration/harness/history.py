# SPDX-License-Identifier: Apache-2.0
"""What clients of several hosts that share a store did and saw, and whether it is what docs/stores.md promises."""
import random
import threading
import time

from .daemon import DaemonError, key


class Event:
    """One call of a client: `began` and `over` by one clock for all. `result` None: no answer came."""

    def __init__(self, host, client, session, kind, began):
        self.host, self.client, self.session, self.kind, self.began = host, client, session, kind, began
        self.over = self.result = None


class History:
    """Clients call do(); check() looks at everything when they are done."""

    def __init__(self):
        self.events = []
        self.lock = threading.Lock()

    def do(self, host, client, session, kind, call):
        """The answer, or None if the connection was lost: then it may have been done or not."""
        event = Event(host, client, session, kind, time.monotonic())
        try:
            event.result = call()
        except (OSError, AssertionError):
            pass
        event.over = time.monotonic()
        with self.lock:
            self.events.append(event)
        return event.result

    def of(self, *kinds, session=None):
        return [event for event in self.events if event.kind in kinds and session in (None, event.session)]

    def check_reads_never_go_back(self):
        """Of one client on one host: the version, the counter, and what each client has set."""
        seen = {}
        for event in sorted(self.events, key=lambda event: event.began):
            if event.result is None or event.kind == "end":
                continue
            for name, value in event.result.items():
                place = (event.host, event.client, event.session, name)
                assert value >= seen.get(place, 0), f"{place}: {seen[place]}, then {value}"
                seen[place] = value

    def check_end_is_the_end(self, seconds):
        """Who asks so long after an end was stored, or has seen it, finds the session ended."""
        for end in self.of("end"):
            if end.result is None:
                continue
            for event in self.of("read", "write", session=end.session):
                if event.began > end.over + seconds or (event.host == end.host and event.began > end.over):
                    assert event.result in (None, {}), f"session {event.session} on host {event.host} after its end"
        last = {}
        for event in sorted(self.of("read"), key=lambda event: event.began):
            place = (event.host, event.client, event.session)
            if event.result is not None:
                assert not (last.get(place) and event.result), f"{place} was ended and came back"
                last[place] = event.result == {}

    def increments(self, session):
        """Acknowledged ones, and those of which nobody knows."""
        writes = self.of("write", session=session)
        return sum(event.result is not None and event.result != {} for event in writes), \
            sum(event.result is None for event in writes)


class Client(threading.Thread):
    """Reads and changes sessions of one host at random until told to stop."""

    def __init__(self, history, daemon, host, number, sessions):
        super().__init__()
        self.history, self.daemon, self.host, self.number = history, daemon, host, number
        self.sessions = sessions
        self.chance = random.Random(number)
        self.stopped = threading.Event()
        self.connection = None
        self.written = 0

    def run(self):
        while not self.stopped.is_set():
            try:
                self.connection = self.connection or self.daemon.client(20)
            except OSError:
                self.stopped.wait(0.005)
                continue
            session = self.chance.choice(self.sessions)
            act = self.write if self.chance.random() < 0.4 else self.read
            if self.history.do(self.host, self.number, session, act.__name__, lambda: act(session)) is None:
                self.connection.__exit__()
                self.connection = None
        if self.connection is not None:
            self.connection.__exit__()

    def read(self, session):
        found = self.connection.pairs("SESSION.GET", key(session))
        if found is None or found["@state"] != "active":
            return {}
        return {name: int(value) for name, value in found.items() if name in ("n", "@version") or name.startswith("w")}

    def write(self, session):
        """One more in the counter that is everybody's, and a number in a field that is this client's."""
        self.written += 1
        name = f"w{self.number}"
        try:
            done = self.connection.call("SESSION.APPLY", key(session), "OPS", "INCREMENT", "n", "1", "SETINT", name,
                                        self.written)
        except DaemonError as error:
            assert str(error).startswith("NOT_FOUND"), error
            return {}
        return {"@version": done[1], name: self.written}
