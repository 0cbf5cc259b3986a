# SPDX-License-Identifier: Apache-2.0
"""Several hosts, each with a cache and a daemon of its own, and one store for all of them."""
import random
import shutil
import subprocess
import threading

import pytest

from harness import build
from harness.daemon import DaemonError, create, key
from harness.history import Ride, field
from harness.memcached import Memcached
from harness.mysql import MySQL
from harness.postgresql import PostgreSQL
from harness.redis import Redis
from harness.waiting import wait_until

SESSIONS = 100
BACKENDS = ["postgresql", "mysql", "redis"]
FLUSH = "SessionFastFlushDelay 50ms\n"
HEARD = 6.0  # seconds: SessionFastFreshness, and five more on a busy machine


class Stores:
    """A new and empty store each time, of any kind; servers are started once."""

    def __init__(self):
        self.servers = {}
        self.count = 0

    def server(self, kind):
        if kind not in self.servers:
            server = {"postgresql": PostgreSQL, "mysql": MySQL, "redis": Redis}[kind]()
            server.start()
            if kind == "postgresql":
                server.ask("CREATE ROLE app LOGIN")
                server.ask("CREATE DATABASE sessions OWNER app")
            if kind == "mysql":
                server.ask("CREATE DATABASE sessions; CREATE USER app@localhost; GRANT ALL ON sessions.* TO app@localhost")
            self.servers[kind] = server
        return self.servers[kind]

    def url(self, kind, folder):
        self.count += 1
        if kind == "sqlite":
            return f"sqlite:{folder}/shared.db"
        server = self.server(kind)
        if kind == "postgresql":
            return server.url("sessions", f"schema=t{self.count}", user="app")
        return server.url("sessions", f"&prefix=t{self.count}_") if kind == "mysql" else server.url(f"prefix=t{self.count}:")


@pytest.fixture(scope="module")
def stores():
    made = Stores()
    yield made
    for server in made.servers.values():
        print(server.log.read_text()[-2000:])
        server.clean_up()


@pytest.fixture(params=["sqlite", *(pytest.param(kind, marks=pytest.mark.backends) for kind in BACKENDS)])
def hosts(request, stores, alone, tmp_path):
    """Daemons of instances of their own."""
    def start(count, lines=""):
        store = stores.url(request.param, tmp_path)
        shared = "SessionFastSharedStore on\n" if request.param == "sqlite" else ""
        return [alone(shared + lines, store=store).start() for _ in range(count)]
    return start


def increment_at_random(daemon, times, seed):
    chance = random.Random(seed)
    with daemon.client() as client:
        for _ in range(times):
            client.call("SESSION.APPLY", key(chance.randrange(SESSIONS) + 1), "OPS", "INCREMENT", "n", "1")


@pytest.mark.parametrize("count", [2, 3])
def test_increments_of_all_hosts_end_exact(hosts, count):
    daemons = hosts(count, FLUSH)
    with daemons[0].client() as client:
        for number in range(1, SESSIONS + 1):
            create(client, number, "SETINT", "n", "0")
        client.call("SESSION.FLUSH")
    each = 10000 // count
    threads = [threading.Thread(target=increment_at_random, args=(daemon, each, seed))
               for seed, daemon in enumerate(daemons)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for daemon in daemons:
        with daemon.client() as client:
            client.call("SESSION.FLUSH")

    def sums():
        return [sum(field(daemon, number) for number in range(1, SESSIONS + 1)) for daemon in daemons]

    wait_until(lambda: sums() == [each * count] * count, "all hosts to agree", 20)


def test_fields_of_two_hosts_both_stay(hosts):
    one, other = hosts(2)
    with one.client() as here, other.client() as there:
        create(here, 1, "SET", "theme", "dark")
        here.call("SESSION.FLUSH")
        assert there.pairs("SESSION.GET", key(1))["theme"] == "dark"
        here.call("SESSION.APPLY", key(1), "OPS", "SET", "a", "here")
        there.call("SESSION.APPLY", key(1), "OPS", "SET", "b", "there")
        here.call("SESSION.FLUSH")
        there.call("SESSION.FLUSH")
        here.call("SESSION.APPLY", key(1), "OPS", "SET", "c", "here")
        here.call("SESSION.FLUSH")
        found = there.pairs("SESSION.GET", key(1))
        assert (found["a"], found["b"], found["theme"]) == ("here", "there", "dark")
        wait_until(lambda: there.pairs("SESSION.GET", key(1)).get("c") == "here", "the other host to hear of it")


def test_logout_on_one_host_is_refused_on_the_other_in_time(hosts):
    one, other = hosts(2)
    with one.client() as here, other.client() as there:
        create(here, 1, "LOGIN", "alice")
        here.call("SESSION.FLUSH")
        assert there.pairs("SESSION.GET", key(1))["@state"] == "active"
        here.call("SESSION.END", key(1))
        here.call("SESSION.FLUSH")
        wait_until(lambda: there.pairs("SESSION.GET", key(1))["@state"] == "ended", "the end to be heard of", 2)


def end_user(daemon, user):
    """What session-fast says; it comes back when all hosts have heard."""
    done = subprocess.run([build.program("session-fast", "command_line"), "-i", daemon.folder, "end-user", user],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_user_is_logged_out_on_all_hosts(hosts):
    daemons = hosts(2)
    with daemons[0].client() as here, daemons[1].client() as there:
        create(here, 1, "LOGIN", "alice", options=("JOURNAL",))
        create(there, 2, "LOGIN", "alice", options=("JOURNAL",))
        create(there, 3, "LOGIN", "bob", options=("JOURNAL",))
        create(there, 4, "SET", "theme", "dark")
        there.call("SESSION.FLUSH")
        both = [here, there]
        states = lambda: [[client.pairs("SESSION.GET", key(n))["@state"] for n in range(1, 5)] for client in both]
        assert states() == [["active"] * 4] * 2
        assert end_user(daemons[0], "alice") == "2 sessions ended\n"
        assert states() == [["ended", "ended", "active", "active"]] * 2
        assert end_user(daemons[0], "alice") == "0 sessions ended\n"
        assert end_user(daemons[0], "--all") == "1 session ended\n"
        assert states() == [["ended", "ended", "ended", "active"]] * 2
    for daemon in daemons:
        daemon.kill()
        daemon.start()
        with daemon.client() as client:
            assert [client.pairs("SESSION.GET", key(n))["@state"] for n in range(1, 4)] == ["ended"] * 3


def log_user_in(client, number, user="alice"):
    create(client, number, "LOGIN", user, options=("STORE",))


def state_of(client, number):
    return client.pairs("SESSION.GET", key(number))["@state"]


def test_who_was_logged_in_before_is_refused_on_all_hosts_and_who_logs_in_afterwards_is_not(hosts):
    daemons = hosts(2)
    with daemons[0].client() as here, daemons[1].client() as there:
        log_user_in(here, 1)
        log_user_in(there, 2)
        log_user_in(there, 3, "bob")
        create(there, 4, "SET", "theme", "dark", options=("STORE",))
        assert [[state_of(client, n) for n in range(1, 5)] for client in (here, there)] == [["active"] * 4] * 2
        here.call("SESSION.EPOCH", "END", "alice")
        assert [state_of(here, n) for n in range(1, 5)] == ["ended", "ended", "active", "active"]
        log_user_in(there, 5)  # at once, whatever this host has heard
        wait_until(lambda: [state_of(there, n) for n in (1, 2)] == ["ended"] * 2, "the other host to hear of it", HEARD)
        assert [[state_of(client, n) for n in (3, 4, 5)] for client in (here, there)] == [["active"] * 3] * 2

        there.call("SESSION.EPOCH", "ENDALL")
        assert [state_of(there, n) for n in (3, 4, 5)] == ["ended", "active", "ended"]
        log_user_in(here, 6, "bob")
        wait_until(lambda: [state_of(here, n) for n in (3, 5)] == ["ended"] * 2, "this host to hear of it", HEARD)
        assert [state_of(client, 6) for client in (here, there)] == ["active"] * 2
    for daemon in daemons:
        daemon.kill()
        (daemon.folder / "l1.cache").unlink()
        daemon.start()
        with daemon.client() as client:
            assert [state_of(client, n) for n in (1, 3, 4, 6)] == ["ended", "ended", "active", "active"]


def test_change_beside_a_logout_does_not_bring_it_back(hosts):
    one, other = hosts(2)
    with one.client() as here, other.client() as there:
        create(here, 1, "LOGIN", "alice")
        here.call("SESSION.FLUSH")
        there.pairs("SESSION.GET", key(1))
        here.call("SESSION.END", key(1))
        try:
            there.call("SESSION.APPLY", key(1), "OPS", "SET", "late", "1")
        except DaemonError as error:  # the store has told it of the end already
            assert str(error).startswith("NOT_FOUND")
        here.call("SESSION.FLUSH")
        there.call("SESSION.FLUSH")
        assert there.pairs("SESSION.GET", key(1))["@state"] == "ended"


def test_killed_daemons_count_nothing_twice(hosts):
    one, other = hosts(2, FLUSH)
    with one.client() as client:
        create(client, 1, "SETINT", "n", "0")
        client.call("SESSION.FLUSH")
    for _ in range(15):
        for daemon in one, other:
            with daemon.client() as client:
                for _ in range(20):
                    client.call("SESSION.APPLY", key(1), "OPS", "INCREMENT", "n", "1")
            daemon.kill()
            daemon.start()
    for daemon in one, other, one:
        with daemon.client() as client:
            client.call("SESSION.FLUSH")
    wait_until(lambda: field(one, 1) == field(other, 1) == 600, "all 600 increments")


def test_append_on_one_host_and_other_fields_on_the_other(hosts):
    one, other = hosts(2)
    with one.client() as here, other.client() as there:
        create(here, 1, "SET", "log", "a", "SET", "gone", "x")
        here.call("SESSION.FLUSH")
        there.pairs("SESSION.GET", key(1))
        for letter in "bcd":
            here.call("SESSION.APPLY", key(1), "OPS", "APPEND", "log", letter)
        there.call("SESSION.APPLY", key(1), "OPS", "UNSET", "gone", "INCREMENT", "n", "1")
        there.call("SESSION.FLUSH")
        here.call("SESSION.FLUSH")
        found = here.pairs("SESSION.GET", key(1))
        assert (found["log"], found["n"], "gone" in found) == ("abcd", 1, False)


def test_new_id_of_one_host_is_known_to_the_other(hosts):
    one, other = hosts(2)
    with one.client() as here, other.client() as there:
        create(here, 1, "SET", "a", "1")
        here.call("SESSION.FLUSH")
        there.pairs("SESSION.GET", key(1))
        here.call("SESSION.APPLY", key(1), "NEWKEY", key(2), "STORE", "OPS", "LOGIN", "alice")
        assert there.pairs("SESSION.GET", key(2))["a"] == "1"
        wait_until(lambda: there.pairs("SESSION.GET", key(1))["@state"] != "active", "the old id to be over")
        there.call("SESSION.APPLY", key(2), "OPS", "SET", "b", "2")
        there.call("SESSION.FLUSH")
        wait_until(lambda: here.pairs("SESSION.GET", key(2)).get("b") == "2", "the first host to hear of it")


@pytest.mark.parametrize("kills", [0, 8])
def test_history_is_what_is_promised(hosts, kills):
    """Three hosts, six clients; one session is ended in the midst of it. Now and then a daemon is killed."""
    daemons = hosts(3, FLUSH)
    with Ride(daemons) as ride:
        ride.wait_for_events(500)
        ride.end()
        for i in range(kills):
            ride.wait_for_events(50)
            daemons[i % 3].kill()
            daemons[i % 3].start()
        ride.go_on()
    ride.check(is_all_known=kills == 0)


def uses_l2(daemon):
    with daemon.client() as client:
        client.call("SESSION.LOAD", key(10 ** 6))
    return int(daemon.status()["l2_misses"]) > 0


@pytest.mark.backends
def test_history_with_a_memcached_in_between(alone, tmp_path):
    cache = Memcached().start()
    try:
        lines = f"SessionFastSharedStore on\nSessionFastL2 {cache.url()}\n{FLUSH}"
        daemons = [alone(lines, store=f"sqlite:{tmp_path}/shared.db") for _ in range(3)]
        daemons[0].start()
        for daemon in daemons[1:]:
            shutil.copy(daemons[0].folder / "secret.keys", daemon.folder / "secret.keys")
            daemon.start()
        for daemon in daemons:
            wait_until(lambda: uses_l2(daemon), "the host to use L2", 30)
        with Ride(daemons, count=12) as ride:
            ride.wait_for_events(500)
            ride.end()
            ride.go_on()
        assert sum(int(daemon.status()["l2_hits"]) for daemon in daemons) > 0
        ride.check()
    finally:
        cache.clean_up()
