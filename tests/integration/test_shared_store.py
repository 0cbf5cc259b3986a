# SPDX-License-Identifier: Apache-2.0
"""Several hosts, each with a cache and a daemon of its own, and one store for all of them."""
import random
import threading

import pytest

from harness.daemon import create, key
from harness.waiting import wait_until

SESSIONS = 100


@pytest.fixture
def hosts(alone, tmp_path):
    """Daemons of instances of their own."""
    def start(count, lines=""):
        store = f"sqlite:{tmp_path}/shared.db"
        return [alone(f"SessionFastSharedStore on\n{lines}", store=store).start() for _ in range(count)]
    return start


def field(daemon, number, name="n"):
    with daemon.client() as client:
        return client.pairs("SESSION.GET", key(number)).get(name)


def increment_at_random(daemon, times, seed):
    chance = random.Random(seed)
    with daemon.client() as client:
        for _ in range(times):
            client.call("SESSION.APPLY", key(chance.randrange(SESSIONS) + 1), "OPS", "INCREMENT", "n", "1")


@pytest.mark.parametrize("count", [2, 3])
def test_increments_of_all_hosts_end_exact(hosts, count):
    daemons = hosts(count, "SessionFastFlushDelay 50ms")
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


def test_change_beside_a_logout_does_not_bring_it_back(hosts):
    one, other = hosts(2)
    with one.client() as here, other.client() as there:
        create(here, 1, "LOGIN", "alice")
        here.call("SESSION.FLUSH")
        there.pairs("SESSION.GET", key(1))
        here.call("SESSION.END", key(1))
        there.call("SESSION.APPLY", key(1), "OPS", "SET", "late", "1")
        here.call("SESSION.FLUSH")
        there.call("SESSION.FLUSH")
        assert there.pairs("SESSION.GET", key(1))["@state"] == "ended"


def test_killed_daemons_count_nothing_twice(hosts):
    one, other = hosts(2, "SessionFastFlushDelay 20ms")
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
