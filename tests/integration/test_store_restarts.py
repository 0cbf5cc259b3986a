# SPDX-License-Identifier: Apache-2.0
"""Redis, PostgreSQL and MySQL that come back empty, or as they were some time ago: the cache puts again what it has."""
import signal

import pytest

from harness.backends import ALL, RedisBackend
from harness.daemon import DaemonError, create, key
from harness.store_rider import CACHED, STORED, Rider
from harness.waiting import wait_until

pytestmark = pytest.mark.backends
ENDED = CACHED[0]


@pytest.fixture(params=ALL)
def rider(request):
    made = Rider(request.param, ALL[request.param]())
    yield made
    made.clean_up()


def change_all(rider):
    """Everything is in the store, and clean in the cache."""
    with rider.daemon.client() as client:
        for number in CACHED[1:]:
            rider.change(client, number)
    rider.flush()


def wait_for_restore(rider, run):
    """Whoever asks for something lets the daemon notice."""
    wait_until(lambda: rider.ask_for("0" * 32) or rider.daemon.status()["restore_runs"] == run, "a connection", 30)
    wait_until(lambda: rider.daemon.status()["restore_runs"] == run, "all to be put again", 30)
    assert rider.daemon.status()["restore_state"] == "idle"


def assert_cache_was_kept(rider):
    assert rider.daemon.status()["restore_news"] == len(CACHED)
    for number in STORED:  # in no cache
        rider.counts.pop(number)
    rider.assert_nothing_is_lost()


def test_restarted_empty(rider):
    change_all(rider)
    rider.backend.kill()
    rider.backend.start_empty()
    wait_for_restore(rider, 1)
    assert_cache_was_kept(rider)


@pytest.mark.parametrize("daemon", ["goes on", "is killed"])
def test_restarted_with_an_older_copy(rider, daemon):
    """Changes are not taken back, and who was logged out stays so; also by a daemon that was not there when it happened."""
    restarts = rider.backend.snapshot()
    if restarts:
        wait_for_restore(rider, restarts)
    with rider.daemon.client() as client:
        client.call("SESSION.END", key(ENDED))
    change_all(rider)
    rider.backend.kill()
    if daemon == "is killed":
        rider.daemon.kill()
        restarts = 0
    rider.backend.start_older()
    if daemon == "is killed":
        rider.daemon.start()
    wait_for_restore(rider, restarts + 1)
    rider.counts.pop(ENDED)
    assert_cache_was_kept(rider)
    with rider.daemon.client(20) as client:
        client.call("SESSION.LOAD", key(ENDED))
        assert client.pairs("SESSION.GET", key(ENDED))["@state"] == "ended"


@pytest.fixture
def redis():
    backend = RedisBackend()
    yield backend
    backend.clean_up()


def increments(client):
    try:
        return client.call("SESSION.APPLY", key(1), "OPS", "INCREMENT", "n", "1") is not None
    except DaemonError:
        return False  # there is no connection yet


def test_host_that_counts_on_from_an_older_copy_hides_no_change(alone, redis):
    """What it had counted before is in the cache of another host, under the versions that it gives once more."""
    one, other = (alone("SessionFastMaxBytes 512K\n", store=redis.url).start() for _ in range(2))
    with one.client() as here, other.client() as there:
        create(here, 1, "SETINT", "n", "0")
        here.call("SESSION.FLUSH")
        redis.snapshot()
        for _ in range(5):
            assert increments(here)
        here.call("SESSION.APPLY", key(1), "OPS", "SET", "large", 200000 * "x")  # more than the cache holds: it leaves it
        here.call("SESSION.APPLY", key(1), "OPS", "UNSET", "large")
        assert there.pairs("SESSION.GET", key(1))["n"] == 5
        other.process.send_signal(signal.SIGSTOP)
        redis.kill()
        redis.start_older()
        for _ in range(2):
            wait_until(lambda: increments(here), "a connection")
        here.call("SESSION.FLUSH")
        assert here.pairs("SESSION.GET", key(1))["n"] == 2
        other.process.send_signal(signal.SIGCONT)
        wait_until(lambda: [client.pairs("SESSION.GET", key(1)).get("n") for client in (here, there)] == [7, 7],
                   "what both have counted", 20)
