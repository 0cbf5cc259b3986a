# SPDX-License-Identifier: Apache-2.0
"""What clients of several hosts that share a store did and saw, and whether it is what docs/stores.md promises."""
import bisect
import collections
import random
import threading
import time

from .daemon import DaemonError, create, key
from .figures import tell
from .waiting import wait_until

FRESHNESS = 1.0  # seconds: SessionFastFreshness as it is by default, which is also the least
CLOCKS = 0.25  # seconds that this process and a daemon may be apart about the time
MANY = 50  # reads that show something
WRITES = ("write", "store")  # the second one is acknowledged when the store has it


def stale_served(host):
    return int(host.status()["l1_stale_served"])


def assert_in_time(host, condition, what):
    """
    What was stored just now is seen on another host within SessionFastFreshness, which is when it is looked for, and not before. It may
    be later only where the store has not answered in time; that is counted, and then it is asked again as soon. So nobody fails because
    a machine is slow, and a host does that trusts for too long what it has.
    """
    for _ in range(10):
        so_far, began = stale_served(host), time.monotonic()
        wait_until(lambda: time.monotonic() > began + FRESHNESS + CLOCKS, "the time to pass")
        if condition():
            return
        assert stale_served(host) > so_far, what
    raise AssertionError(f"{what}, and the store never answers in time")


class Event:
    """One call of a client: `began` and `over` by one clock for all. `result` None: no answer came."""

    def __init__(self, host, client, session, kind, began, over=None, result=None):
        self.host, self.client, self.session, self.kind, self.began = host, client, session, kind, began
        self.over, self.result = over, result


class Changes:
    """Of one client to one session, in their order."""

    def __init__(self):
        self.overs, self.values = [], []

    def add(self, over, value):
        self.overs.append(over)
        self.values.append(value)

    def before(self, instant):
        """The last one that was acknowledged before then; 0: none."""
        at = bisect.bisect_left(self.overs, instant)
        return self.values[at - 1] if at > 0 else 0


class History:
    """Clients call do(); each check looks at everything when they are done."""

    def __init__(self, events=()):
        self.events, self.running = list(events), set()
        self.lock = threading.Lock()

    def do(self, host, client, session, kind, call):
        """The answer, or None if the connection was lost: then it may have been done or not."""
        event = Event(host, client, session, kind, time.monotonic())
        with self.lock:
            self.running.add(event)
        try:
            event.result = call()
        except (OSError, AssertionError):
            pass
        event.over = time.monotonic()
        with self.lock:
            self.running.remove(event)
            self.events.append(event)
        return event.result

    def up_to(self, instant):
        """What began before then."""
        return History(event for event in self.events if event.began < instant)

    def of(self, *kinds, session=None):
        return [event for event in self.events if event.kind in kinds and session in (None, event.session)]

    def longest_store(self):
        """The longest that the store has let anybody wait, so far."""
        now = time.monotonic()
        with self.lock:
            return max((event.over - event.began for event in self.of("store", "end") if event.result is not None), default=0) \
                + max((now - event.began for event in self.running if event.kind == "store"), default=0)

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
        """
        Who asks so long after an end was stored, or has seen it, finds the session ended; how many reads of other hosts that
        was said of.
        """
        judged = 0
        for end in self.of("end"):
            if end.result is None:
                continue
            for event in self.of("read", *WRITES, session=end.session):
                if event.began > end.over + (0 if event.host == end.host else seconds):
                    assert event.result in (None, {}), f"session {event.session} on host {event.host} after its end"
                    judged += event.host != end.host
        last = {}
        for event in sorted(self.of("read"), key=lambda event: event.began):
            place = (event.host, event.client, event.session)
            if event.result is not None:
                assert not (last.get(place) and event.result), f"{place} was ended and came back"
                last[place] = event.result == {}
        return judged

    def changes(self, kinds):
        """By session, host and the name of the field that belongs to the client alone."""
        found = collections.defaultdict(Changes)
        for event in sorted(self.of(*kinds), key=lambda event: event.over):
            name = f"w{event.client}"
            if event.result:
                found[event.session, event.host, name].add(event.over, event.result[name])
        return found

    def check_changes_are_seen(self, seconds):
        """
        Who asks another host so long after a change was stored, or the same host after it was acknowledged, finds it, or a later
        one; how many changes a reader on another host was to find.
        """
        acknowledged, stored, judged = self.changes(WRITES), self.changes(["store"]), 0
        for read in self.of("read"):
            for (session, host, name), changes in acknowledged.items() if read.result else ():
                if session != read.session:
                    continue
                known = changes.before(read.began) if host == read.host else stored[session, host, name].before(read.began - seconds)
                assert read.result.get(name, 0) >= known, \
                    f"session {session} on host {read.host}: {read.result}, though host {host} has stored {name}={known} before"
                judged += host != read.host and known > 0
        return judged

    def check_nobody_is_logged_out(self, sessions):
        for event in self.of("read", *WRITES):
            assert event.session not in sessions or event.result != {}, f"session {event.session} on host {event.host}"

    def increments(self, session):
        """Acknowledged ones, and those of which nobody knows."""
        writes = self.of(*WRITES, session=session)
        return sum(event.result is not None and event.result != {} for event in writes), \
            sum(event.result is None for event in writes)


class Client(threading.Thread):
    """Reads and changes sessions of one host at random until told to stop; those of `only_read` it does not change."""

    def __init__(self, history, daemon, host, number, sessions, only_read):
        super().__init__()
        self.history, self.daemon, self.host, self.number = history, daemon, host, number
        self.sessions, self.only_read = sessions, only_read
        self.chance = random.Random(number)
        self.stopped = threading.Event()
        self.connection = None
        self.written = 0

    def run(self):
        while not self.stopped.wait(0.003):
            try:
                self.connection = self.connection or self.daemon.client(20)
            except OSError:
                continue
            session = self.chance.choice(self.sessions)
            act = self.read if session in self.only_read else self.chance.choices([self.read, self.write, self.store], [6, 3, 1])[0]
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

    def store(self, session):
        return self.write(session, "STORE")

    def write(self, session, *options):
        """One more in the counter that is everybody's, and a number in a field that is this client's."""
        self.written += 1
        name = f"w{self.number}"
        try:
            done = self.connection.call("SESSION.APPLY", key(session), *options, "OPS", "INCREMENT", "n", "1", "SETINT", name,
                                        self.written)
        except DaemonError as error:
            assert str(error).startswith("NOT_FOUND"), error
            return {}
        return {"@version": done[1], name: self.written}


class Ride:
    """
    Two clients on each host with some sessions, of which end() ends one; check() when they have stopped. Each session is changed on all
    hosts but one: who changes it hears of what the others do when that is stored, and only who just reads depends on news and freshness.
    """

    def __init__(self, daemons, first=1, count=4):
        self.daemons, self.history = daemons, History()
        self.ended, *self.alive = self.sessions = list(range(first, first + count))
        self.end_was_told = self.over = self.seconds = None
        with daemons[0].client() as client:
            for session in self.sessions:
                create(client, session, "SETINT", "n", "0")
            client.call("SESSION.FLUSH")
        self.clients = [Client(self.history, daemon, host, 2 * host + i, self.sessions, self.only_read_on(host))
                        for host, daemon in enumerate(daemons) for i in range(2)]

    def only_read_on(self, host):
        """On the first one, which ends one of them, all are changed."""
        return {session for place, session in enumerate(self.sessions) if host == 1 + place % (len(self.daemons) - 1)}

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_):
        for client in self.clients:
            client.stopped.set()
        for client in self.clients:
            client.join()

    def wait_for_events(self, more):
        goal = len(self.history.events) + more
        wait_until(lambda: len(self.history.events) > goal, "more traffic", 30)

    def end(self):
        with self.daemons[0].client() as client:
            self.history.do(0, -1, self.ended, "end",
                            lambda: client.call("SESSION.APPLY", key(self.ended), "STORE", "OPS", "END"))
        self.end_was_told = time.monotonic()

    def in_time(self):
        """
        Seconds after which another host shows what was stored. SessionFastFreshness needs no slack by itself: it is a question of
        clocks, not of who is given the processor when. But a host that has changes of its own, or no answer from the store
        within 0.1 s, goes on with what it has until they are stored, or the next time: it is given what a store that is
        that slow has let others wait, and if it has used what it knew to be old (which it counts), 5 s more.
        """
        late = any(stale_served(daemon) for daemon in self.daemons)
        return FRESHNESS + CLOCKS + 4 * self.history.longest_store() + (5 if late else 0)

    def go_on(self):
        """For three times the freshness; until what was stored before the end has had to be seen, and looked for, for as long as that."""
        wait_until(self.is_long_enough, "the time to pass", 60, 0.1)

    def is_long_enough(self):
        self.over, self.seconds = time.monotonic(), self.in_time()
        due = self.end_was_told + self.seconds
        looks = sum(due < read.began < self.over and read.host != 0 for read in self.history.of("read", session=self.ended))
        return looks > MANY and self.over > max(self.end_was_told + 3 * FRESHNESS, due + FRESHNESS)

    def check(self, is_all_known=True):
        for daemon in self.daemons:
            with daemon.client() as client:
                client.call("SESSION.FLUSH")
        looked_at = self.history.up_to(self.over)
        self.history.check_reads_never_go_back()
        self.history.check_nobody_is_logged_out(self.alive)
        ends = looked_at.check_end_is_the_end(self.seconds)
        changes = looked_at.check_changes_are_seen(self.seconds)
        tell(f"history: {len(self.history.events)} calls; {ends} behind an end and {changes} changes had to be seen after {self.seconds:.2f} s")
        assert min(ends, changes) >= MANY
        for session in self.alive:
            known, unknown = self.history.increments(session)
            wait_until(lambda: len({field(daemon, session) for daemon in self.daemons}) == 1, "all hosts to agree")
            assert known <= field(self.daemons[0], session) <= known + unknown
            assert unknown == 0 or not is_all_known


def field(daemon, number, name="n"):
    with daemon.client() as client:
        return client.pairs("SESSION.GET", key(number)).get(name)
