# SPDX-License-Identifier: Apache-2.0
"""Logging a user out everywhere: one step in the store, and nothing brings back what was logged in before."""
import contextlib
import sqlite3
import subprocess

import pytest

from harness import build
from harness.chaos import Chaos
from harness.daemon import DaemonError, create, key
from harness.redis import Redis
from harness.site import change, log_in
from harness.waiting import wait_until

SLACK = 5  # seconds beyond SessionFastFreshness, on a busy machine
ROWS = 256


@pytest.fixture(scope="module")
def redis():
    server = Redis().start()
    yield server
    print(server.log.read_text()[-2000:])
    server.clean_up()


def state(client, number):
    found = client.pairs("SESSION.GET", key(number))
    return None if found is None else found["@state"]


def log_user_in(client, number, user="alice", option="JOURNAL"):
    create(client, number, "LOGIN", user, options=(option,))


def end_user(instance, user):
    done = subprocess.run([build.program("session-fast", "command_line"), "-i", instance, "end-user", user],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.backends
def test_a_login_of_a_host_that_was_cut_off_is_refused_when_it_is_back(redis, alone):
    """What it has in its journal and its cache only, and what it has not heard of."""
    road = Chaos(redis.port)
    near = alone(store=redis.tcp_url(user="")).start()
    far = alone("SessionFastStoreDeadline 1s", store=redis.tcp_url(user="", port=road.port)).start()
    try:
        with near.client() as here, far.client() as there:
            log_user_in(there, 1, option="STORE")
            assert state(here, 1) == "active"
            road.fault = "refuse"
            log_user_in(there, 2)
            here.call("SESSION.EPOCH", "END", "alice")
            log_user_in(here, 3, option="STORE")
            assert [state(there, n) for n in (1, 2)] == ["active"] * 2  # nobody is logged out by an outage
            with pytest.raises(DaemonError, match="UNAVAILABLE|UNCERTAIN"):
                there.call("SESSION.EPOCH", "END", "alice")
            road.fault = None
            wait_until(lambda: [state(there, n) for n in (1, 2)] == ["ended"] * 2, "the host to hear of it", 10 + SLACK)
            assert [state(client, 3) for client in (here, there)] == ["active"] * 2
            wait_until(lambda: state(here, 2) == "ended", "what was in the journal", 10 + SLACK)
    finally:
        road.clean_up()


@pytest.mark.backends
def test_a_store_that_has_gone_back_does_not_bring_back_who_was_logged_out(redis, alone):
    """To an old copy, in which everybody is logged in; and to nothing at all."""
    redis.ask("FLUSHALL")
    daemons = [alone(store=redis.url()).start() for _ in range(2)]
    with daemons[0].client() as here, daemons[1].client() as there:
        log_user_in(here, 1, option="STORE")
        log_user_in(here, 2, "bob", option="STORE")
        assert state(there, 1) == "active"
        redis.ask("SAVE")
        here.call("SESSION.EPOCH", "END", "alice")
        wait_until(lambda: state(there, 1) == "ended", "the other host to hear of it", 1 + SLACK)
        for is_empty in (False, True):
            runs = [int(daemon.status()["restore_runs"]) for daemon in daemons]
            redis.end()
            if is_empty:
                (redis.folder / "dump.rdb").unlink()
            redis.start()
            wait_until(lambda: all(int(daemon.status()["restore_runs"]) > run for daemon, run in zip(daemons, runs)),
                       "what the caches have to be put again", 20)
            assert [state(client, 1) for client in (here, there)] == ["ended"] * 2
            newcomer = alone(store=redis.url()).start()
            with newcomer.client() as client:
                assert [state(client, n) for n in (1, 2)] == ["ended", "active"]
            newcomer.stop()


def test_killed_while_it_is_done(alone):
    """What was acknowledged is so; what was not is done by doing it again."""
    daemon = alone().start()
    with daemon.client() as client:
        for number in range(1, 6):
            log_user_in(client, number, f"user{number}")
    for number in range(1, 6):
        acknowledged = False
        with daemon.client() as client:
            client.send("SESSION.EPOCH", "END", f"user{number}")
            if number % 2 == 0:
                acknowledged = client.receive() > 0
            daemon.kill()
        daemon.start()
        with daemon.client() as client:
            if acknowledged:
                assert state(client, number) == "ended"
            assert client.call("SESSION.EPOCH", "END", f"user{number}") > 0
            assert [state(client, n) for n in range(1, 6)] == ["ended"] * number + ["active"] * (5 - number)


def test_rows_are_no_sessions(alone, store):
    daemon = alone().start()
    with daemon.client() as client:
        log_user_in(client, 1, option="STORE")
        assert client.call("SESSION.EPOCH", "LOGIN", "alice") == 1
        client.call("SESSION.EPOCH", "ENDALL")
        log_user_in(client, 2, option="STORE")
        assert client.call("SESSION.LIST", "-", "1000")[1][0][0] == key(1)
        assert len(client.call("SESSION.LIST", "-", "1000")[1]) == 2
        with contextlib.closing(sqlite3.connect(daemon.database)) as database:
            rows = [row[0].hex() for row in database.execute("SELECT key FROM session WHERE user = ''")]
        assert len(rows) == ROWS
        for words in (["SESSION.GET", rows[0]], ["SESSION.END", rows[0]], ["SESSION.APPLY", rows[0], "OPS", "SET", "alice", "1"]):
            with pytest.raises(DaemonError, match="INVALID"):
                client.call(*words)
        code, exported, _ = store(daemon, "export")
        assert code == 0 and all(row in exported for row in rows)
    copy = alone(store="file:copy.json")
    assert store(copy, "import", f"file:{copy.folder}/copy.json", lines=exported)[0] == 0
    copy.start()
    with copy.client() as client:
        assert [state(client, n) for n in (1, 2)] == ["ended", "active"]


def test_without_a_store_the_cache_knows_it(alone):
    daemon = alone(store="none").start()
    with daemon.client() as client:
        create(client, 1, "LOGIN", "alice")
        create(client, 2, "LOGIN", "bob")
        end_user(daemon.folder, "alice")
        create(client, 3, "LOGIN", "alice")
        assert [state(client, n) for n in (1, 2, 3)] == ["ended", "active", "active"]
        end_user(daemon.folder, "bob")
        assert [state(client, n) for n in (1, 2, 3)] == ["ended", "ended", "active"]
    daemon.kill()
    daemon.start()
    with daemon.client() as client:
        assert [state(client, n) for n in (1, 2, 3)] == ["ended", "ended", "active"]


def test_without_a_cache_the_store_knows_it(alone):
    daemon = alone(cache="0").start()
    with daemon.client() as client:
        for number, user in enumerate(("alice", "bob"), 1):
            create(client, number, "LOGIN", user)
        client.call("SESSION.EPOCH", "END", "alice")
        create(client, 3, "LOGIN", "alice")
        assert [state(client, n) for n in (1, 2, 3)] == ["ended", "active", "active"]


# ---- what a browser sees

def user_of(browser):
    session = browser.get("/app/probe").session
    return session.get("SESSION_USER")


def test_browsers_are_logged_out_everywhere(servers):
    """By the administrator, by the application; whoever stays has his fields and a new id."""
    server = servers.start()
    browsers = [server.browser() for _ in range(4)]
    for browser in browsers[:3]:
        change(browser, "X-Session-Login: alice")
        change(browser, "X-Session-Set: theme=dark")
    log_in(browsers[3])
    bob = server.browser()
    change(bob, "X-Session-Login: bob")
    old = browsers[0].id
    assert change(browsers[0], "X-Session-Logout-Others: 1").status == 200
    assert browsers[0].id != old
    assert browsers[0].get("/app/probe").session["SESSION_FIELD_THEME"] == "dark"
    assert [user_of(browser) for browser in (*browsers, bob)] == ["alice", None, None, None, "bob"]
    assert browsers[3].get("/member/index.html").status == 401

    change(browsers[1], ["X-Session-Login: alice", "X-Session-Logout-Others: 1"])  # a new password
    assert [user_of(browser) for browser in (*browsers, bob)] == [None, "alice", None, None, "bob"]
    assert change(browsers[2], "X-Session-Logout-Others: 1").status == 500  # of nobody
    end_user(server.instance, "--all")
    assert [user_of(browser) for browser in (*browsers, bob)] == [None] * 5
    change(bob, "X-Session-Login: bob")
    assert user_of(bob) == "bob"
