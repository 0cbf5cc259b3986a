# SPDX-License-Identifier: Apache-2.0
"""The stores redis: and rediss: on real servers, which are stopped, frozen, killed, emptied and filled up."""
import contextlib
import socket
import time

import pytest

from harness.daemon import DaemonError, create, key
from harness.redis import ADMIN, Redis
from harness.store_suites import (AT_ONCE, CACHED, LINES, LOAD_DEADLINE, PAGES, STORED, Outage, assert_story, check_import_and_export,
                                    keeps_what_it_has_stored, logged, run_suite)
from harness.waiting import wait_until

pytestmark = pytest.mark.backends


@pytest.fixture
def server():
    server = Redis().start()
    yield server
    print(server.log.read_text()[-2000:])
    server.clean_up()


def reason(daemon):
    wait_until(lambda: "SF0113" in daemon.log_text(), "the daemon to say why")
    return [line for line in daemon.log_text().splitlines() if "SF0113" in line][0]


# ---- the contract ----

def test_import_and_export(server, alone, store):
    check_import_and_export(alone().start(), store, server.url())


@pytest.mark.parametrize("suite", ["check_store_contract", "check_store_hosts", "check_store_news"])
def test_contract(server, suite):
    """By socket, by TCP as a user with few rights, by TLS."""
    run_suite(suite, server.url("prefix=a%n:", database=3), server.tcp_url("prefix=session:b%n:"),
              server.tls_url("prefix=session:c%n:"))


def test_story_through_httpd(servers, server):
    """And what redis-cli shows meanwhile."""
    def has_ended():
        name = server.ask("KEYS", "session:[0-9a-f]*")
        assert server.ask("HGET", name, "@user") == "alice"
        assert server.ask("HGET", name, "pages") in (str(PAGES), "")
        return {"0": False, "1": True}[server.ask("HGET", name, "@ended")]

    assert_story(servers, server.url(), ask=has_ended)


def test_every_key_has_a_time_to_live(server, alone):
    daemon = alone(LINES, store=server.url()).start()
    with daemon.client() as client:
        for number in range(20):
            create(client, number, "SET", "page_views", "1", "LOGIN", f"user{number % 3}", options=("STORE",))
    now = time.time() * 1000
    names = [name for name in server.ask("KEYS", "*").split() if name != "session:@layout"]
    assert len(names) == 20 + 3
    for name in names:
        assert now < int(server.ask("PEXPIRETIME", name))
    assert server.ask("HGET", f"session:{key(1)}", "page_views") == "1"


# ---- what is refused, and why ----

def test_server_that_has_too_many_clients(server, alone):
    """It is told so, not that the password is wrong."""
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        server.ask("CONFIG", "SET", "maxclients", "1")
        daemon = alone(LINES, store=server.tcp_url()).start()
        assert "the server has reached maxclients" in reason(daemon)


@pytest.mark.parametrize("user, why", [("app:wrong@", "WRONGPASS"), (f"guest:{ADMIN}@", "NOPERM")])
def test_wrong_user_is_an_outage_that_says_why(server, alone, user, why):
    daemon = alone(LINES, store=server.tcp_url(user=user)).start()
    assert why in reason(daemon)
    assert ADMIN not in daemon.log_text() and "wrong" not in daemon.log_text()


def test_password_file(server, alone, tmp_path):
    path = tmp_path / "password"
    path.write_text(ADMIN + "\n")
    path.chmod(0o600)
    daemon = alone(LINES, store=server.tcp_url(f"password-file={path}", user="app@")).start()
    with daemon.client() as client:
        create(client, 1, "SET", "a", "1", options=("STORE",))
    assert logged(daemon) == [0, 0, 0, 0]


def test_certificate_is_checked(server, alone):
    assert "certificate" in reason(alone(LINES, store=server.tls_url(host="127.0.0.1")).start())
    other = server.tls_url().replace(str(server.ca), "/etc/ssl/certs/ca-certificates.crt")
    assert "certificate" in reason(alone(LINES, store=other).start())


def test_sessions_of_a_later_version_are_refused(server, alone):
    server.ask("SET", "session:@layout", "99")
    done = alone(LINES, store=server.url()).run()
    assert done.returncode == 1 and "SF0103" in done.stderr and "later" in done.stderr, done.stderr


def test_replica_is_not_taken_for_its_master(server, alone):
    server.ask("REPLICAOF", "127.0.0.1", "1")
    assert "replica" in reason(alone(LINES, store=server.url()).start())


def test_somebody_else_s_key_is_a_damaged_session(server, alone):
    daemon = alone(LINES, store=server.url()).start()
    server.ask("SET", f"session:{key(1)}", "mine")
    with daemon.client() as client:
        create(client, 2, "SET", "a", "1", options=("STORE",))
        with pytest.raises(DaemonError, match="^CORRUPT"):
            client.call("SESSION.LOAD", key(1))
    assert logged(daemon) == [0, 0, 0, 0]


# ---- outages ----

def assert_outage(outage, begin, end, changes):
    begin()
    outage.assert_cache_goes_on()
    outage.assert_nothing_is_loaded()
    outage.wait_for_failed_write()
    outage.assert_cache_goes_on()
    end()
    assert outage.assert_over() == changes


def test_frozen(server, alone):
    outage = Outage(alone, server.url())
    assert_outage(outage, server.freeze, server.thaw, [1, 1, 1, 1])


def test_daemon_that_dies_while_nothing_answers(server, alone):
    """The next one does not wait for the store for as long as a load does: logins wait for it."""
    outage = Outage(alone, server.url())
    server.freeze()
    outage.daemon.kill()
    began = time.monotonic()
    outage.daemon.start()
    with outage.daemon.client() as client:
        client.call("SESSION.APPLY", key(CACHED), "JOURNAL", "OPS", "INCREMENT", "n", "1")
    outage.acknowledged += 1
    assert time.monotonic() - began < LOAD_DEADLINE
    server.thaw()
    outage.flush()
    assert server.ask("HGET", f"session:{key(CACHED)}", "n") == str(outage.acknowledged)


def test_loads_are_refused_at_once_while_nothing_answers(server, alone):
    """After three that waited for their deadline; and one is let through from time to time."""
    outage = Outage(alone, server.url())
    server.freeze()
    for _ in range(3):
        outage.assert_nothing_is_loaded()
    began = time.monotonic()
    outage.assert_nothing_is_loaded()
    assert time.monotonic() - began < AT_ONCE
    server.thaw()
    assert outage.assert_over()[:2] == [1, 1]


def assert_put_again(server, outage, changes):
    """What the cache has is there again, and what only the store had is gone."""
    wait_until(lambda: outage.daemon.status()["restore_runs"] == 1, "all to be put again", 30)
    status = outage.daemon.status()
    assert (status["restore_state"], status["restore_put"], status["restore_news"]) == ("idle", 1, 1)
    assert server.ask("HGET", f"session:{key(CACHED)}", "n") == str(outage.acknowledged)
    assert outage.daemon.log_text().count("SF0207") == 1
    assert logged(outage.daemon) == changes


def test_killed_and_back_without_its_data(server, alone):
    outage = Outage(alone, server.url())
    outage.flush()
    server.end()
    outage.assert_nothing_is_loaded()
    server.start()
    with pytest.raises(DaemonError, match="^UNAVAILABLE"):
        outage.load(STORED)
    assert_put_again(server, outage, [1, 1, 0, 0])
    with pytest.raises(DaemonError, match="^UNAVAILABLE"):
        outage.load(STORED)  # another host may have it, and is given its time
    wait_until(outage.is_gone, "the other session to be given up", 30)


def test_killed_under_load(server, alone):
    settings = "appendonly yes", "appendfsync always"
    server.end()
    server.start(*settings)
    outage = Outage(alone, server.url())
    keeps_what_it_has_stored(outage, server.end, lambda: server.start(*settings),
                             lambda session: server.ask("HGET", f"session:{session}", "@version"))


def test_flushed_while_it_runs(server, alone):
    outage = Outage(alone, server.url())
    outage.flush()
    server.ask("FLUSHALL")
    with pytest.raises(DaemonError, match="^UNAVAILABLE"):
        outage.load(STORED)
    assert_put_again(server, outage, [0, 0, 0, 0])


def test_restart_with_its_data_is_no_outage(server, alone):
    outage = Outage(alone, server.url())
    outage.flush()
    server.ask("SAVE")
    server.end()
    server.start()
    outage.increment()
    assert outage.assert_over() == [0, 0, 0, 0]


def test_script_is_forgotten_and_given_again(server, alone):
    outage = Outage(alone, server.url())
    server.ask("SCRIPT", "FLUSH")
    outage.increment()
    assert outage.assert_over() == [0, 0, 0, 0]


def test_no_memory_left(server, alone):
    """Loads go on."""
    outage = Outage(alone, server.url())
    server.ask("CONFIG", "SET", "maxmemory", "1")
    outage.increment()
    outage.wait_for_failed_write()
    assert outage.is_loaded()
    outage.assert_cache_goes_on()
    assert "OOM" in outage.daemon.log_text()
    server.ask("CONFIG", "SET", "maxmemory", "0")
    assert outage.assert_over() == [0, 0, 1, 1]
