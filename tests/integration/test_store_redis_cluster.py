# SPDX-License-Identifier: Apache-2.0
"""The store redis-cluster on Clusters of its own: slots move and nodes die under load."""
import threading

import pytest

from harness.daemon import DaemonError, create, key
from harness.redis import ADMIN
from harness.redis_several import SLOTS, Cluster
from harness.store_suites import LINES, Counters, logged, run_suite
from harness.waiting import wait_until

pytestmark = pytest.mark.backends

SESSIONS = range(1000, 1600)
ONLY_NEWS = "SessionFastFreshness 1h\nSessionFastFlushDelay 1h\nSessionFastFlushBatch 100000"


@pytest.fixture(scope="module")
def shared():
    cluster = Cluster().start()
    yield cluster
    cluster.clean_up()


@pytest.fixture
def cluster(shared):
    for node in shared.masters:
        node.ask("FLUSHALL")
    return shared


def test_check(cluster, check):
    """Each master is looked at; a slot that nobody has is named."""
    code, findings = check(cluster.url())
    assert code == 4 and findings.bad() == {"maxmemory", "persistence", "replicas"}, findings
    assert findings.why("slots") == "all have a master, 3 masters"
    assert all(findings.level("rights", f":{node.port}") == "ok" for node in cluster.masters)
    cluster.masters[0].ask("CLUSTER", "DELSLOTS", 7)
    try:
        code, findings = check(f"redis-cluster://app:{ADMIN}@127.0.0.1:{cluster.masters[0].port}")
        assert code in (1, 3) and findings.why("slots").startswith("1 of 16384")
    finally:
        cluster.masters[0].ask("CLUSTER", "ADDSLOTS", 7)
        wait_until(lambda: all(cluster.is_whole(node) for node in cluster.nodes), "the Cluster", 30)


def test_tls(check):
    """To each node by the name that the nodes give; by number none is believed. A session lives there."""
    cluster = Cluster(masters=2, has_tls=True).start()
    try:
        code, findings = check(cluster.tls_url())
        assert code == 4 and findings.bad() == {"maxmemory", "persistence", "replicas"}, findings
        assert all(findings.level("TLS, log in", f"localhost:{node.tls_port}") == "ok" for node in cluster.masters)
        code, findings = check(cluster.tls_url(host="127.0.0.1"))
        assert code == 3 and "certificate" in findings.why("CLUSTER SLOTS")
        for node in cluster.nodes:
            node.ask("CONFIG", "SET", "cluster-preferred-endpoint-type", "ip")
        code, findings = check(cluster.tls_url())
        assert code == 3 and "certificate" in findings.why("TLS, log in")
    finally:
        cluster.clean_up()


def restart_without_cache(daemon):
    assert daemon.stop() == 0
    (daemon.folder / "l1.cache").unlink()
    daemon.start()


def stored_sessions(daemon):
    """Which the store alone knows afterwards."""
    with daemon.client(30) as client:
        for number in SESSIONS:
            create(client, number, "SET", "n", "0", "LOGIN", f"user{number % 7}")
        client.call("SESSION.FLUSH")
    restart_without_cache(daemon)


def assert_all_is_there(daemon, cluster, counters):
    with daemon.client(30) as client:
        client.call("SESSION.FLUSH")
    for number, count in counters.acknowledged.items():
        assert int(cluster.ask("HGET", f"session:{key(number)}", "n")) == count
        assert key(number) in cluster.ask("ZRANGE", f"session:@user:user{number}", 0, -1)


def slot_of(cluster, number):
    return int(cluster.masters[0].ask("CLUSTER", "KEYSLOT", f"session:{key(number)}"))


def of_node(cluster, index):
    """Of the stored sessions, those of this master, as the slots are shared out at the start."""
    bounds = SLOTS * index // 3, SLOTS * (index + 1) // 3
    return [number for number in SESSIONS[:60] if bounds[0] <= slot_of(cluster, number) < bounds[1]]


@pytest.mark.parametrize("suite", ["check_store_contract", "check_store_hosts", "check_store_news"])
def test_contract(cluster, suite):
    run_suite(suite, cluster.url("prefix=session:a%n:"))


def load(daemon, number):
    with daemon.client(30) as client:
        return client.call("SESSION.LOAD", key(number))


class Hosts:
    """Two that hear of each other by news alone, and sessions that both have."""

    def __init__(self, alone, cluster, numbers):
        self.numbers = numbers
        self.here, self.there = (alone(ONLY_NEWS, store=cluster.url()).start() for _ in range(2))
        self.wait_for("up")
        with self.here.client() as client:
            for number in numbers:
                create(client, number, "SET", "n", "0", options=("STORE",))
        for number in numbers:
            assert self.seen(number) == "0"

    def wait_for(self, state):
        for daemon in self.here, self.there:
            wait_until(lambda: daemon.status()["news_state"] == state, f"news to be {state}", 30)

    def seen(self, number):
        with self.there.client() as client:
            return client.pairs("SESSION.GET", key(number))["n"]

    def is_changed(self, number, value):
        """Behind a failover it may take a second try."""
        try:
            with self.here.client(30) as client:
                return client.call("SESSION.APPLY", key(number), "STORE", "OPS", "SET", "n", value) is not None
        except DaemonError:
            return False

    def assert_changes_are_seen(self, value):
        for number in self.numbers:
            wait_until(lambda: self.is_changed(number, value), f"{number} to be changed", 20)
        for number in self.numbers:
            wait_until(lambda: self.seen(number) == value, f"{number} to be {value}", 20)


def test_news_from_all_masters(cluster, alone):
    """Of each, also where slots have moved to; while one is silent there is no news, and the log says so."""
    hosts = Hosts(alone, cluster, range(2000, 2012))
    assert {slot_of(cluster, number) * 3 // SLOTS for number in hosts.numbers} == {0, 1, 2}
    hosts.assert_changes_are_seen("1")
    cluster.reshard(cluster.masters[0], cluster.masters[1], 1500)
    hosts.assert_changes_are_seen("2")
    cluster.reshard(cluster.masters[1], cluster.masters[0], 1500)
    hosts.assert_changes_are_seen("3")
    cluster.masters[2].freeze()
    try:
        hosts.wait_for("down")
        assert "SF0117" in hosts.there.log_text()
    finally:
        cluster.masters[2].thaw()
    hosts.wait_for("up")
    hosts.assert_changes_are_seen("4")


def test_frozen_node_keeps_its_own_sessions_only(cluster, alone):
    """Loads of others are answered, their changes are written; its own changes wait for it."""
    daemon = alone(LINES, store=cluster.url()).start()
    stored_sessions(daemon)
    other, own = of_node(cluster, 0), of_node(cluster, 2)
    with Counters(daemon, 6) as counters:
        counters.wait_for_more(10)
        cluster.masters[2].freeze()
        try:
            with pytest.raises(DaemonError, match="^UNAVAILABLE"):
                load(daemon, own[0])
            assert load(daemon, other[0]) is not None
            mine = [number for number in counters.acknowledged if slot_of(cluster, number) < SLOTS // 3]
            before = {number: counters.acknowledged[number] for number in mine}
            assert before
            for number, count in before.items():
                wait_until(lambda n=number, c=count: int(cluster.ask("HGET", f"session:{key(n)}", "n")) >= c,
                           "a change to be written", 30)
        finally:
            cluster.masters[2].thaw()
        counters.wait_for_more(10)
        wait_until(lambda: daemon.status()["store_state"] == "up", "the node to be asked again", 30)
        assert load(daemon, own[1]) is not None
    assert_all_is_there(daemon, cluster, counters)


def test_resharding_under_load(cluster, alone):
    """While slots move from one node to another and back no load fails, no change is lost, and no list has holes."""
    daemon = alone(LINES, store=cluster.url()).start()
    stored_sessions(daemon)
    errors, loaded, over = [], set(), threading.Event()

    def read():
        try:
            while not over.is_set():
                for number in SESSIONS:
                    assert load(daemon, number) is not None, number
                    loaded.add(number)
                    over.wait(0.004)
        except (DaemonError, AssertionError, OSError) as error:
            errors.append(error)

    reader = threading.Thread(target=read)
    with Counters(daemon, 4) as counters:
        reader.start()
        try:
            cluster.reshard(cluster.masters[0], cluster.masters[1], 1500)
            wait_until(lambda: errors or len(loaded) == len(SESSIONS), "all to be loaded", 60)
            cluster.reshard(cluster.masters[1], cluster.masters[0], 1500)
        finally:
            over.set()
            reader.join(60)
        counters.wait_for_more(10)
    assert not errors, errors
    assert logged(daemon) == [0, 0, 0, 0]
    assert_all_is_there(daemon, cluster, counters)
    with daemon.client(30) as client:
        found = {row[0] for row in client.call("SESSION.LIST", "-", "1000")[1]}
    assert found == {key(number) for number in [*SESSIONS, *counters.acknowledged]}


def test_node_that_comes_back_empty(cluster, alone):
    """What the cache had called stored there is put again, though nobody changes it."""
    daemon = alone(LINES, store=cluster.url()).start()
    idle = SESSIONS[:60]
    with daemon.client(30) as client:
        for number in idle:
            create(client, number, "SET", "n", str(number))
        client.call("SESSION.FLUSH")
    with Counters(daemon, 6) as counters:  # who logs in behind the loss waits: nobody knows yet who was logged out before
        counters.wait_for_more(1)
        cluster.masters[1].end()
        cluster.masters[1].start()
        wait_until(lambda: all(cluster.is_whole(node) for node in cluster.masters), "the node to be taken back", 30)
        wait_until(lambda: daemon.status()["restore_runs"] >= 1, "all to be put again", 30)
    for number in idle:
        assert cluster.ask("HGET", f"session:{key(number)}", "n") == str(number)


def test_failover_under_load(alone):
    """A master dies, and its replica takes its place; it tells what other hosts change, too."""
    cluster = Cluster(replicas=1).start()
    try:
        daemon = alone(LINES, store=cluster.url()).start()
        hosts = Hosts(alone, cluster, range(2000, 2006))
        with Counters(daemon, 6) as counters:
            counters.wait_for_more(50)
            cluster.masters[0].end()
            wait_until(cluster.nodes[3].is_master, "a failover", 30)
            counters.wait_for_more(50)
            wait_until(lambda: daemon.status()["store_state"] == "up", "the daemon to find the new master", 30)
            counters.wait_for_more(50)
        assert_all_is_there(daemon, cluster, counters)
        wait_until(lambda: daemon.status()["restore_runs"] >= 1, "the new master to get what the cache has", 30)
        hosts.wait_for("up")
        hosts.assert_changes_are_seen("1")
    finally:
        cluster.clean_up()
