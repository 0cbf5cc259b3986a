# SPDX-License-Identifier: Apache-2.0
"""
SessionFastL2 with real memcacheds and Redises that are frozen, killed, restarted empty or with old copies, and mixed up, in front of a store that two
hosts share. A host here is a daemon with a cache of its own.
"""
import contextlib
import itertools
import os
import shutil
import subprocess
import time

import pytest

from harness import build
from harness.chaos import Chaos
from harness.daemon import create, key
from harness.memcached import Memcached
from harness.redis_cache import RedisCache
from harness.store_suites import assert_story
from harness.waiting import wait_until

pytestmark = pytest.mark.backends
numbers = itertools.count(1)
LINES = "SessionFastFlushDelay 100ms\nSessionFastLoginDurability store\nSessionFastSharedStore on\n"
FRESHNESS = 1  # seconds: SessionFastFreshness as it is preset
BUSY = 2  # seconds that a busy machine may take for what takes none


@pytest.fixture
def cache(request):
    """What L2 is on: memcached, where a test does not say."""
    server = getattr(request, "param", Memcached)().start()
    yield server
    server.clean_up()


both = pytest.mark.parametrize("cache", [Memcached, RedisCache], indirect=True)


@pytest.fixture
def chaos(cache):
    made = []

    def make():
        made.append(Chaos(cache.port))
        return made[-1]

    yield make
    for proxy in made:
        proxy.clean_up()


def uses_l2(host, connect):
    before = count(host, "l2_misses") + count(host, "l2_failed")
    with connect() as client:
        client.call("SESSION.LOAD", key(next(numbers)))
    return count(host, "l2_misses") + count(host, "l2_failed") > before


class Hosts:
    """Daemons with one SQLite database and one secret."""

    def __init__(self, alone, folder):
        self.alone, self.folder = alone, folder
        self.secret = None

    def add(self, url, lines=""):
        host = self.alone(f"{LINES}SessionFastL2 {url}\n{lines}", store=f"sqlite:{self.folder}/shared.db")
        if self.secret is not None:
            shutil.copy(self.secret, host.folder / "secret.keys")
        host.start()
        self.secret = host.folder / "secret.keys"
        wait_until(lambda: uses_l2(host, host.client), "the host to use L2", 30)
        return host


@pytest.fixture
def hosts(alone, tmp_path):
    return Hosts(alone, tmp_path)


def count(host, name):
    return int(host.status()[name])


def new_session(host, value="1"):
    """Stored, and in no host's cache."""
    session = key(next(numbers))
    with host.client() as client:
        client.call("SESSION.APPLY", "-", "NEWKEY", session, "STORE", "CREATE", "OPS", "SET", "n", value)
    return session


def change(host, session, *ops):
    with host.client() as client:
        client.call("SESSION.APPLY", session, "STORE", "OPS", *ops)


def field(host, session):
    with host.client() as client:
        found = client.pairs("SESSION.GET", session)
    return None if found is None else "ended" if found["@state"] == "ended" else found["n"]


def assert_seen_in_time(host, session, expected):
    """Whoever asks later than SessionFastFreshness from now on is told; sooner or later, before that."""
    acknowledged = time.monotonic()

    def is_seen():
        asked = time.monotonic()
        seen = field(host, session)
        assert seen == expected or asked < acknowledged + FRESHNESS + BUSY
        return seen == expected

    wait_until(is_seen, "the change to be seen")


def forget(host):
    """Restarts it without its cache: what it is asked for it must load."""
    assert host.stop() == 0
    (host.folder / "l1.cache").unlink()
    host.start()
    wait_until(lambda: uses_l2(host, host.client), "the host to use L2", 30)


def lines_of(host, *ids):
    return [host.log_text().count(id) for id in ids]


# ---- all is well ----

@pytest.mark.parametrize("cache, stores", [(Memcached, "tiered:memory:x tiered:sqlite:x.db"), (RedisCache, "tiered:memory:x")], indirect=["cache"])
def test_contract(cache, stores):
    program = build.built(build.PROGRAMS, "tests/unit/check_store_contract")
    done = subprocess.run([program], env=dict(os.environ, STORE_URLS=stores, L2_URL=cache.url()),
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and "100%" in done.stdout, done.stdout + done.stderr


@both
def test_story_through_httpd(servers, cache):
    """What was loaded from the store after the restart goes into L2."""
    @contextlib.contextmanager
    def filling(web):
        wait_until(lambda: uses_l2(web, web.daemon), "L2 to be used", 30)
        before = count(web, "l2_fills")
        yield
        assert count(web, "l2_fills") > before

    assert_story(servers, "sqlite:sessions.db", f"SessionFastL2 {cache.url()}", around_reading=filling)


@both
def test_one_host_loads_for_all(hosts, cache):
    a, b, c = (hosts.add(url) for url in cache.urls())
    session = new_session(a, "sunny")
    assert field(b, session) == "sunny"
    assert field(c, session) == "sunny"
    assert count(c, "l2_hits") == 1
    # Nobody who reads it there learns anything, and a value put elsewhere is none.
    assert b"sunny" not in cache.value(session)
    other = new_session(a, "rainy")
    cache.put(other, cache.value(session))
    assert field(b, other) == "rainy"
    assert count(b, "l2_refused") == 1
    assert lines_of(b, "SF0233") == [1]


@both
def test_a_change_is_no_longer_there(hosts, cache):
    a, b = (hosts.add(cache.url()) for _ in range(2))
    session = new_session(a)
    assert field(b, session) == "1"
    assert len(cache.value(session)) > 1
    change(a, session, "SET", "n", "2")
    assert cache.value(session) is None
    forget(b)
    assert field(b, session) == "2"
    with a.client() as client:
        client.call("SESSION.APPLY", session, "STORE", "OPS", "END")
    forget(b)
    assert field(b, session) == "ended"
    assert len(cache.value(session)) > 1  # as ended


# ---- it is not well ----

@both
def test_frozen(hosts, cache):
    """Not slower than its timeout allows, three times; then not slower at all; one line each."""
    a = hosts.add(cache.url(options="timeout=50"))
    sessions = [new_session(a) for _ in range(40)]
    forget(a)
    cache.freeze()
    began = time.monotonic()
    assert [field(a, session) for session in sessions] == ["1"] * 40
    assert time.monotonic() - began < 20 * 50e-3 + 2
    change(a, sessions[0], "SET", "n", "2")
    assert a.status()["l2_state"] == "down"
    assert "no answer in time" in a.status()["l2_error"]
    assert lines_of(a, "SF0231", "SF0232", "SF0113", "SF0201") == [1, 0, 0, 0]
    cache.thaw()
    # Both lanes must have found it well again: loads and writes ask for themselves.
    wait_until(lambda: field(a, new_session(a)) == "1" and uses_l2(a, a.client) and a.status()["l2_state"] == "up", "L2 to be used", 60)
    assert lines_of(a, "SF0231", "SF0232", "SF0113", "SF0201") == [1, 1, 0, 0]


def test_killed_and_restarted_empty(hosts, cache):
    a, b = (hosts.add(cache.url()) for _ in range(2))
    session = new_session(a)
    assert field(b, session) == "1"
    cache.end()
    change(a, session, "SET", "n", "2")
    forgotten = new_session(a, "3")
    assert field(b, forgotten) == "3"
    cache.start()
    change(a, session, "SET", "n", "4")
    forget(b)
    assert field(b, session) == "4"
    assert count(a, "l2_disowned") > 0


@pytest.mark.parametrize("cache, what, has_copy", [(Memcached, "change", False), (Memcached, "logout", False), (Memcached, "logout", True),
                                                   (RedisCache, "logout", False)], indirect=["cache"])
def test_a_host_that_does_not_reach_it(hosts, cache, chaos, what, has_copy):
    """A changes, or ends, what L2 still holds; B reaches it and would find it there, or has it from there."""
    road = chaos()
    a, b = hosts.add(cache.url(road.port, "timeout=500")), hosts.add(cache.url())
    session = new_session(a)
    forget(a)
    assert field(a, session) == "1"
    assert len(cache.value(session)) > 1
    road.fault = "refuse"
    old = cache.value(session)
    if has_copy:
        before = count(b, "l2_hits")
        assert field(b, session) == "1"
        assert count(b, "l2_hits") == before + 1
    change(a, session, *(["SET", "n", "2"] if what == "change" else ["END"]))
    assert cache.value(session) == old  # the trap is there
    expected = "2" if what == "change" else "ended"
    if has_copy:
        assert_seen_in_time(b, session, expected)
    else:
        wait_until(lambda: not uses_l2(b, b.client), "B to know what A has disowned", FRESHNESS + BUSY)
        assert field(b, session) == expected
    assert count(b, "l2_refused") == 0


def test_it_comes_back_with_old_copies(hosts, cache, chaos):
    roads = [chaos(), chaos()]
    a, b = (hosts.add(cache.url(road.port, "timeout=500")) for road in roads)
    session = new_session(a)
    forget(a)  # a connection that is there would carry its mark through
    assert field(a, session) == field(b, session) == "1"
    old = cache.value(session)
    for road in roads:
        road.fault = "refuse"
    change(a, session, "SET", "n", "2")
    for road in roads:
        road.fault = None
    forget(b)
    assert cache.value(session) == old
    assert field(b, session) == "2"


@pytest.mark.parametrize("cache", [RedisCache], indirect=True)
def test_a_redis_that_comes_back_with_an_older_copy(hosts, cache):
    """Killed, and restarted with what it had saved before a logout: what is there is from another run."""
    a, b = (hosts.add(cache.url()) for _ in range(2))
    session = new_session(a)
    assert field(b, session) == "1"
    old = cache.value(session)
    cache.ask("SAVE")
    change(a, session, "END")
    cache.end()
    cache.start()
    assert cache.value(session) == old
    forget(b)
    assert field(b, session) == "ended"
    assert lines_of(b, "SF0233") == [0]


@both
def test_mixed_up_replies(hosts, cache, chaos):
    road = chaos()
    a, b = hosts.add(cache.url()), hosts.add(cache.url(road.port, "timeout=500"))
    sessions = {new_session(a, f"value{i}"): f"value{i}" for i in range(20)}
    for session in sessions:
        field(a, session)
    road.fault = "shift"
    for session, value in sessions.items():
        assert field(b, session) == value
    assert road.shifted > 0
    assert lines_of(b, "SF0113", "SF0201") == [0, 0]


FAULTS = ("half", "slow", "silent", "lost", "refuse")


@both
def test_faults_on_the_way(hosts, cache, chaos):
    """Whoever loads meets each, and whoever changes; he waits for the timeout, and is as well off as without L2."""
    timeout = 0.3
    road = chaos()
    a, b = hosts.add(cache.url(road.port, f"timeout={int(timeout * 1000)}")), hosts.add(cache.url())
    sessions = {fault: new_session(b, fault) for fault in FAULTS}

    def failures():
        status = a.status()
        return int(status["l2_loads_failures"]) + int(status["l2_writes_failures"])

    def is_well(work):
        before = failures()
        work()
        return failures() == before and a.status()["l2_state"] == "up"

    def meet(fault, work):
        failed, faults, began = failures(), road.faults, time.monotonic()
        road.fault = fault
        work()
        assert time.monotonic() - began < 2 * timeout + BUSY  # of who changes: HIDE and SHOW
        assert failures() > failed
        assert fault == "lost" or road.faults > faults
        road.fault = None

    for fault, session in sessions.items():
        wait_until(lambda: is_well(lambda: uses_l2(a, a.client)), "loads to be answered")
        meet(fault, lambda: field(a, session))
        assert field(a, session) == fault
    for fault, session in sessions.items():
        wait_until(lambda: is_well(lambda: new_session(a)), "marks to be set")
        meet(fault, lambda: change(a, session, "SET", "n", "2"))
        assert field(a, session) == "2"
        assert_seen_in_time(b, session, "2")
    assert lines_of(a, "SF0113", "SF0201", "SF0233") == [0, 0, 0]


SERVERS = 8
WAITING = 24  # at once: more than there are servers


def load_at_once(host, sessions):
    """How long it took until all had been told."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(host.client(30)) for _ in sessions]
        began = time.monotonic()
        for client, session in zip(clients, sessions):
            client.send("SESSION.LOAD", session)
        assert None not in [client.receive() for client in clients]
        return time.monotonic() - began


def test_many_servers_whose_packets_are_lost(hosts, cache, chaos):
    """Who waits does not wait for one after another: neither while they are found out, nor when they are tried again."""
    timeout = 0.4
    roads = [chaos() for _ in range(SERVERS)]
    ports, names = ",".join(f"127.0.0.1:{road.port}" for road in roads), ",".join(f"s{i}" for i in range(SERVERS))
    a, b = (hosts.add(f"memcached://{ports}?names={names}&timeout={int(timeout * 1000)}") for _ in range(2))
    rounds = [[new_session(b) for _ in range(WAITING)] for _ in range(5)]
    for road in roads:
        road.fault = "lost"
    times = [load_at_once(a, sessions) for sessions in rounds]
    # Two calls of the loader: one for whoever came first, one for all others.
    assert max(times) < 2 * timeout + BUSY < SERVERS * timeout
    began = time.monotonic()
    change(a, rounds[0][0], "SET", "n", "2")
    assert time.monotonic() - began < 2 * timeout + BUSY < SERVERS * timeout
    assert field(a, rounds[0][0]) == "2"
    status = a.status()
    assert (status["l2_loads_state"], int(status["l2_servers_down"])) == ("down", SERVERS)
    assert int(status["l2_loads_late"]) >= 3 * SERVERS and int(status["l2_loads_refused"]) > 0
    assert int(status["l2_loads_longest_us"]) >= timeout * 1e6
    assert lines_of(a, "SF0113", "SF0201", "SF0231") == [0, 0, SERVERS]


def test_hosts_that_name_other_servers(hosts, cache):
    a = hosts.add(cache.url())
    b = hosts.alone(f"{LINES}SessionFastL2 memcached://127.0.0.1:{cache.port}\n", store=f"sqlite:{hosts.folder}/shared.db")
    assert a.status()["l2_state"] == "up"
    b.configure(f"{LINES}SessionFastL2 memcached://127.0.0.1:{cache.port},127.0.0.1:{cache.port}?names=cache,second&timeout=5000\n",
                store=f"sqlite:{hosts.folder}/shared.db")
    shutil.copy(hosts.secret, b.folder / "secret.keys")
    b.start()
    session = new_session(b)
    assert field(a, session) == "1"
    change(a, session, "SET", "n", "2")
    for host in (a, b):
        wait_until(lambda: new_session(host) and host.status()["l2_state"] == "disputed", "both to notice")
        assert lines_of(host, "SF0234")[0] >= 1
        assert host.status()["l2_error"] == ""


# ---- other ends ----

def test_a_url_that_is_none_is_refused(alone):
    for url, words in (("memcached://user:geheim@127.0.0.1", "takes no user"), ("gopher://x", "known are memcached:"), ("x", "no scheme"),
                       ("redis://user:geheim@127.0.0.1/x", "number of a database"), ("redis-cluster://user:geheim@127.0.0.1", "no Cluster")):
        done = alone(f"SessionFastL2 {url}").run("--check-config")
        assert done.returncode == 1
        assert words in done.stderr
        assert "geheim" not in done.stderr
