# SPDX-License-Identifier: Apache-2.0
"""What one host changes or ends another one does not go on showing: news from the store, and what holds without them."""
import signal
import statistics
import time
from itertools import count

import pytest

from harness.chaos import Chaos
from harness.daemon import DaemonError, create, key
from harness.figures import tell
from harness.history import Ride, assert_in_time
from harness.postgresql import PostgreSQL
from harness.redis import ADMIN, Redis
from harness.waiting import wait_until

# Nothing but news explains that a change is seen, and nothing but a wait for the store that it was stored.
ONLY_NEWS = "SessionFastFreshness 1h\nSessionFastFlushDelay 1h\nSessionFastFlushBatch 100000"
TRIPS = 10
numbers = count(1)


class Shared:
    """A server of a kind, and what its connection for news says first."""

    def __init__(self, server, listens, settings):
        self.server = server
        self.listens = listens
        self.settings = settings
        server.start(*settings)
        if isinstance(server, PostgreSQL):
            server.ask("CREATE USER app PASSWORD 'secret'; GRANT ALL ON SCHEMA public TO app")

    def url(self, port=None):
        if isinstance(self.server, Redis):
            return self.server.tcp_url(port=port)
        return f"postgresql://app:secret@127.0.0.1:{port or self.server.port}/postgres?sslmode=disable"

    def restart(self):
        if isinstance(self.server, Redis):
            self.server.end()
        else:
            self.server.end(signal.SIGKILL)
        self.server.start(*self.settings)


@pytest.fixture(scope="module", params=[pytest.param(kind, marks=pytest.mark.backends) for kind in ("redis", "postgresql")])
def shared(request):
    if request.param == "redis":
        shared = Shared(Redis(), b"SUBSCRIBE", ["appendonly yes", "appendfsync always"])
    else:
        shared = Shared(PostgreSQL(), b"LISTEN", [])
    yield shared
    print(shared.server.log.read_text()[-2000:])
    shared.server.clean_up()


@pytest.fixture
def chaos(shared):
    proxy = Chaos(shared.server.port)
    proxy.only = shared.listens
    yield proxy
    proxy.clean_up()


def start(alone, url, lines=""):
    return alone(lines, store=url).start()


def news(daemon):
    return daemon.status()["news_state"]


def wait_for_news(*daemons, state="up"):
    for daemon in daemons:
        wait_until(lambda: news(daemon) == state, f"news to be {state}", 20)


@pytest.fixture
def hosts(alone, shared):
    """So many of them, which hear of each other in no other way; a session that all have; and their clients."""
    clients = []

    def make(how_many, lines=ONLY_NEWS):
        daemons = [start(alone, shared.url(), lines) for _ in range(how_many)]
        wait_for_news(*daemons)
        clients.extend(daemon.client() for daemon in daemons)
        for daemon, client in zip(daemons, clients):
            wait_for_links(daemon, client)
        number = new_session(clients)
        return daemons, clients, number

    yield make
    for client in clients:
        client.__exit__()


def wait_for_links(daemon, client):
    """What loads is connected when the daemon begins, before the link for news: a load makes no second one."""
    assert state(client, next(numbers)) is None
    wait_until(lambda: daemon.status()["news_losses"] == 1, "the link")


def new_session(clients):
    number = next(numbers)
    create(clients[0], number, "SET", "n", "0", "LOGIN", "alice", options=("STORE",))
    for client in clients:
        assert state(client, number) == "active"
    return number


def state(client, number):
    found = client.pairs("SESSION.GET", key(number))
    return None if found is None else found["@state"]


def field(client, number):
    return client.pairs("SESSION.GET", key(number))["n"]


def change(client, number, value):
    client.call("SESSION.APPLY", key(number), "STORE", "OPS", "SET", "n", value)


def milliseconds_until(condition, what):
    """The pause is shorter than what is waited for; without any, two of these starve the servers on two processors."""
    began = time.monotonic()
    wait_until(condition, what, 20, 0.0001)
    return (time.monotonic() - began) * 1000


def milliseconds_for(call):
    began = time.monotonic()
    call()
    return (time.monotonic() - began) * 1000


def report(what, times, stores):
    """Two round trips to the store take no longer than some of those that store something, whatever else the machine does."""
    seen, stored = statistics.median(times), statistics.median(stores)
    tell(f"news: {what}: median {seen:.2f} ms, longest {max(times):.2f} ms, of {len(times)}; it was acknowledged after {stored:.2f} ms")
    assert seen < TRIPS * stored


@pytest.mark.parametrize("how_many", [2, 3])
def test_change_is_seen_on_the_other_hosts(hosts, how_many):
    _, clients, number = hosts(how_many)
    times, stores = [], []
    for value in range(1, 30):
        changer, *others = clients[value % how_many:] + clients[:value % how_many]
        stores.append(milliseconds_for(lambda: change(changer, number, str(value))))
        times += [milliseconds_until(lambda: field(other, number) == str(value), "change") for other in others]
    report("a change is seen after it was acknowledged", times, stores)


def test_logout_is_refused_on_the_other_host(hosts):
    """Without waiting for anything but journal or store, as the fronts do."""
    _, (here, there), _ = hosts(2)
    times, stores = [], []
    for _ in range(20):
        number = new_session([here, there])
        stores.append(milliseconds_for(lambda: here.call("SESSION.END", key(number))))
        assert state(here, number) == "ended"
        times.append(milliseconds_until(lambda: state(there, number) == "ended", "logout"))
    report("a logout is refused elsewhere after it was acknowledged", times, stores)


def test_login_and_logout_are_in_the_store_when_they_are_acknowledged(hosts):
    """A host that has never seen the session does not wait for news."""
    _, (here, there, elsewhere), _ = hosts(3)
    for _ in range(10):
        number = next(numbers)
        create(here, number, "LOGIN", "alice", options=("JOURNAL",))
        assert state(there, number) == "active"
        here.call("SESSION.END", key(number))
        assert state(elsewhere, number) == "ended"


def test_logout_ends_what_another_host_is_changing(hosts):
    _, (here, there), number = hosts(2)
    there.call("SESSION.APPLY", key(number), "OPS", "SET", "n", "late")
    here.call("SESSION.END", key(number))
    wait_until(lambda: state(there, number) == "ended", "the change to give way")
    there.call("SESSION.FLUSH")
    assert state(here, number) == "ended"


def test_what_a_host_writes_itself_is_no_reason_to_distrust(hosts):
    (daemon, _), (here, _), number = hosts(2)
    before = daemon.status()["news_losses"]
    for value in range(20):
        change(here, number, str(value))
        assert field(here, number) == str(value)
    assert daemon.status()["news_losses"] == before
    assert daemon.status()["l1_stale"] == 0


# ---- without news ----

def assert_seen_in_time(here, there, number, value, host):
    change(here, number, value)
    assert_in_time(host, lambda: field(there, number) == value, f"{value} is seen late")


@pytest.mark.parametrize("fault", ["silent", "half"])
def test_link_that_is_cut(alone, shared, chaos, fault):
    """No stale read after SessionFastFreshness while the store answers; and when the link is back, none at all."""
    daemons = start(alone, shared.url()), start(alone, shared.url(chaos.port))
    wait_for_news(*daemons)
    with daemons[0].client() as here, daemons[1].client() as there:
        number = new_session([here, there])
        chaos.fault = fault
        assert_seen_in_time(here, there, number, "1", daemons[1])
        wait_for_news(daemons[1], state="down")
        assert_seen_in_time(here, there, number, "2", daemons[1])
        here.call("SESSION.END", key(number))
        assert_in_time(daemons[1], lambda: state(there, number) == "ended", "a logout is seen late")
        number = new_session([here, there])
        chaos.fault = None
        wait_for_news(daemons[1])
        for value in "45":
            change(here, number, value)
            wait_until(lambda: field(there, number) == value, "the change to be seen")
    log = daemons[1].log_text()
    assert log.count("SF0117") == 1 and log.count("SF0116") == 1
    assert daemons[1].status()["store_state"] == "up"


def test_history_around_a_link_that_is_cut(alone, shared, chaos):
    """It is cut under the eyes of all, and one of the sessions ends behind that."""
    lines = "SessionFastFlushDelay 50ms"
    daemons = [start(alone, shared.url(), lines), start(alone, shared.url(chaos.port), lines)]
    wait_for_news(*daemons)
    first, *_ = [next(numbers) for _ in range(4)]
    with Ride(daemons, first) as ride:
        ride.wait_for_events(200)
        chaos.fault = "silent"
        ride.end()
        ride.go_on()
    assert chaos.faults > 0
    ride.check()


def test_what_changes_while_the_link_is_away_is_not_missed(hosts, shared):
    """Too short for anybody to have noticed: the new link itself says that something may have changed."""
    daemons, (here, there), number = hosts(2, "")
    losses = daemons[1].status()["news_losses"]
    daemons[1].process.send_signal(signal.SIGSTOP)
    try:
        change(here, number, "unheard")
        if isinstance(shared.server, Redis):
            shared.server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        else:
            shared.server.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
    finally:
        daemons[1].process.send_signal(signal.SIGCONT)
    wait_until(lambda: daemons[1].status()["news_losses"] > losses, "a new link", 20)
    wait_until(lambda: field(there, number) == "unheard", "the change to be seen")


def test_server_that_is_killed_and_started_again(hosts, shared):
    daemons, (here, there), number = hosts(2, "")
    shared.restart()
    wait_for_news(*daemons, state="up")
    wait_until(lambda: can_change(here, number, "1"), "the store to be back", 20)
    wait_until(lambda: field(there, number) == "1", "the change to be seen")
    wait_for_news(*daemons)
    assert state(there, number) == "active"


def can_change(client, number, value):
    try:
        change(client, number, value)
    except DaemonError:
        return False
    return True


# ---- of one kind ----

@pytest.fixture
def redis():
    server = Redis().start()
    yield server
    server.clean_up()


@pytest.mark.backends
def test_flushed_server_logs_nobody_out_and_nothing_is_trusted(alone, redis):
    daemon = start(alone, redis.tcp_url(), ONLY_NEWS)
    wait_for_news(daemon)
    with daemon.client() as client:
        create(client, 1, "SET", "n", "1", options=("STORE",))
        losses = daemon.status()["news_losses"]
        redis.ask("FLUSHALL")
        wait_until(lambda: daemon.status()["news_losses"] > losses, "the news")
        assert field(client, 1) == "1"


@pytest.mark.backends
def test_server_that_will_not_tell(alone, redis):
    """A user without the right."""
    redis.ask("ACL", "SETUSER", "app", "-client|tracking")
    daemons = start(alone, redis.tcp_url()), start(alone, redis.tcp_url())
    wait_for_news(*daemons, state="refused")
    assert "NOPERM" in daemons[0].status()["news_error"] and ADMIN not in daemons[0].log_text()
    assert daemons[0].log_text().count("SF0117") == 1
    with daemons[0].client() as here, daemons[1].client() as there:
        number = new_session([here, there])
        assert_seen_in_time(here, there, number, "1", daemons[1])


@pytest.mark.backends
def test_while_sessions_are_moved_their_news_do_not_count(alone, redis):
    """What is read from the new store may be written there later than the news of it come."""
    daemon = start(alone, redis.tcp_url(), "SessionFastMigrate sqlite:new.db percent=0")
    wait_for_news(daemon, state="refused")
    assert "being moved" in daemon.status()["news_error"]


def test_store_without_news(alone, tmp_path):
    url = f"sqlite:{tmp_path}/shared.db"
    daemons = [start(alone, url, "SessionFastSharedStore on") for _ in range(2)]
    with daemons[0].client() as here, daemons[1].client() as there:
        number = new_session([here, there])
        assert_seen_in_time(here, there, number, "1", daemons[1])
    assert news(daemons[0]) == "none"


def test_store_that_nobody_shares_has_no_news(daemon):
    assert news(daemon) == "none"
