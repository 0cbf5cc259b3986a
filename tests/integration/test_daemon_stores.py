# SPDX-License-Identifier: Apache-2.0
"""session-fastd without httpd: a cache that is too small, and a store that is away."""
import sqlite3
import time

import pytest

from harness.daemon import DaemonError, create, key
from harness.load import at_once
from harness.waiting import wait_until

NEVER = "SessionFastFlushBatch 100000\nSessionFastFlushDelay 1h"


# ---- a cache that is too small ----

def test_more_than_the_cache_holds(alone):
    """Nothing is written by age or number here: only the want of room makes the daemon write."""
    daemon = alone(NEVER, cache="1M").start()
    with daemon.client() as client:
        for i in range(300):
            create(client, i, "SET", "big", "x" * 10000, "SET", "i", str(i))
        for i in range(300):
            assert client.pairs("SESSION.GET", key(i))["i"] == str(i)
            client.call("SESSION.APPLY", key(i), "OPS", "INCREMENT", "i", "1000")
        for i in range(300):
            assert int(client.pairs("SESSION.GET", key(i))["i"]) == i + 1000


def test_session_larger_than_any_block_is_kept_by_the_store_alone(alone):
    daemon = alone(NEVER, cache="1M").start()
    large = ("MAXBYTES", "1048576")
    with daemon.client() as client:
        _, version, flags = create(client, 1, "SET", "big", "x" * 300000, "SET", "n", "0", options=large)
        assert version == 1 and flags.split() == ["created", "changed", "stored"]

    def work():
        with daemon.client(30) as client:
            for _ in range(10):
                client.call("SESSION.APPLY", key(1), *large, "OPS", "INCREMENT", "n", "1")

    at_once([work] * 4)
    with daemon.client() as client:
        session = client.pairs("SESSION.GET", key(1))
        assert (int(session["n"]), session["@version"]) == (40, 41) and len(session["big"]) == 300000
        moved, _, flags = client.call("SESSION.APPLY", key(1), "NEWKEY", key(2), *large, "OPS", "LOGIN", "joe")
        assert moved == key(2) and "rotated" in flags
        assert client.pairs("SESSION.GET", key(1))["@state"] == "former"
        with pytest.raises(DaemonError, match="^NOT_FOUND"):
            client.call("SESSION.APPLY", key(1), *large, "OPS", "SET", "a", "1")
        assert client.pairs("SESSION.GET", key(2))["@user"] == "joe"
        assert client.call("SESSION.END", key(2)) == 1
        assert client.call("SESSION.END", key(2)) == 0
        assert client.pairs("SESSION.GET", key(2))["@state"] == "ended"


def stays_alive(use):
    """A session without any use lives for two seconds."""
    end = time.monotonic() + 3

    def is_past_its_end():
        use()
        return time.monotonic() > end

    wait_until(is_past_its_end, "the end of an unused session, and a second more")


@pytest.mark.parametrize("words", [["SESSION.LOAD", key(1)],
                                   ["SESSION.APPLY", key(1), "MAXBYTES", "1048576", "OPS", "TOUCH"]])
def test_session_of_the_store_alone_lives_while_it_is_used(alone, words):
    daemon = alone(NEVER, cache="1M").start()
    with daemon.client() as client:
        create(client, 1, "SET", "big", "x" * 300000, options=("MAXBYTES", "1048576", "IDLE", "2000"))
        stays_alive(lambda: client.call(*words))
        assert client.pairs("SESSION.GET", key(1))["@state"] == "active"


def test_session_lives_while_fronts_that_see_no_cache_load_it(daemon):
    with daemon.client() as client:
        create(client, 1, "SET", "a", "1", options=("IDLE", "2000"))
        stays_alive(lambda: client.call("SESSION.LOAD", key(1)))
        assert client.pairs("SESSION.GET", key(1))["@state"] == "active"
        wait_until(lambda: client.pairs("SESSION.GET", key(1))["@state"] == "expired", "the session to expire")
        client.call("SESSION.LOAD", key(1))
        assert client.pairs("SESSION.GET", key(1))["@state"] == "expired"


def test_store_hears_of_an_access_only_when_it_matters(alone):
    daemon = alone(NEVER, cache="1M").start()
    with daemon.client() as client:
        create(client, 1, "SET", "big", "x" * 300000, options=("MAXBYTES", "1048576", "IDLE", "5000"))
        began = time.monotonic()
        while time.monotonic() < began + 1.2:
            client.call("SESSION.LOAD", key(1))
        written = client.pairs("SESSION.STATUS")["flushed_touches"]
        # Each of them once more, if a load had read the row just before it was written.
        assert 0 < written <= 2 * ((time.monotonic() - began) / 0.5 + 1)


def test_lost_answer_to_a_change_in_the_store_alone_is_asked_for_again(alone):
    daemon = alone(NEVER, store="fail:write=UNCERTAIN+OK", cache="1M").start()
    with daemon.client() as client:
        _, version, flags = create(client, 1, "SET", "big", "x" * 300000, options=("MAXBYTES", "1048576"))
        assert version == 1 and flags.split() == ["created", "changed", "stored"]


def test_record_that_the_store_refuses_is_in_nobodys_way(alone):
    daemon = alone(NEVER, store="fail:refuse=ff", cache="1M").start()
    with daemon.client() as client:
        client.call("SESSION.APPLY", "-", "NEWKEY", "f" * 32, "CREATE", "OPS", "SET", "a", "1")
        with pytest.raises(DaemonError, match="^UNAVAILABLE"):
            client.call("SESSION.FLUSH")
        for i in range(300):
            create(client, i, "SET", "big", "x" * 10000)
        rows = client.call("SESSION.LIST", "-", "1000")[1]
        assert [row[0] for row in rows] == [key(i) for i in range(300)]
        assert client.pairs("SESSION.GET", "f" * 32)["a"] == "1"


def test_too_large_a_session_is_refused(daemon):
    with daemon.client() as client:
        with pytest.raises(DaemonError, match="^FULL"):
            create(client, 1, "SET", "big", "x" * 70000)
        assert client.call("SESSION.LOAD", key(1)) is None


# ---- a store that is away ----

def test_store_that_does_not_load(alone):
    daemon = alone(store="fail:load=OK*1+UNAVAILABLE*2+OK").start()
    with daemon.client() as client:
        create(client, 1, "SET", "a", "1")
        assert client.call("SESSION.LOAD", key(5)) is None
        for _ in range(2):
            with pytest.raises(DaemonError, match="^UNAVAILABLE"):
                client.call("SESSION.LOAD", key(5))
            assert client.pairs("SESSION.GET", key(1))["a"] == "1"
            assert client.call("PING") == "PONG"
        assert client.call("SESSION.LOAD", key(5)) is None
    assert [daemon.log_text().count(id) for id in ("SF0113", "SF0114")] == [1, 1]


def test_store_that_does_not_write(alone):
    daemon = alone(NEVER, store="fail:write=UNAVAILABLE*2+OK").start()
    with daemon.client() as client:
        create(client, 1, "SET", "a", "1")
        with pytest.raises(DaemonError, match="^UNAVAILABLE"):
            client.call("SESSION.FLUSH")
        with pytest.raises(DaemonError, match="^UNCERTAIN"):
            create(client, 2, "SET", "a", "1", options=("STORE",))
        assert client.pairs("SESSION.GET", key(2))["a"] == "1"
        assert daemon.status()["store_state"] == "down"
        wait_until(lambda: daemon.status()["cache_blocks_dirty"] == 0, "the store to take what waits")
        assert client.call("SESSION.FLUSH") == "OK"
        assert daemon.status()["store_state"] == "up"


def test_full_cache_and_no_store(alone):
    """The journal takes it, up to its limit; then refused in words, not in silence; and nothing acknowledged is lost."""
    daemon = alone(NEVER + "\nSessionFastJournalLimit 4M", store="fail:write=UNAVAILABLE", cache="1M").start()
    made = []
    with daemon.client() as client:
        with pytest.raises(DaemonError, match="^FULL"):
            for i in range(20000):
                create(client, i, "SET", "big", "x" * 10000)
                made.append(i)
        assert len(made) > 300
        for i in made:
            assert len(client.pairs("SESSION.GET", key(i))["big"]) == 10000
    assert daemon.stop() == 0
    assert "SF0106" in daemon.log_text()


def test_store_that_cannot_be_opened_at_first(alone):
    daemon = alone(store="fail:attach=UNAVAILABLE,load=UNAVAILABLE*1+OK").start()
    assert daemon.log_text().count("SF0113") == 1
    with daemon.client() as client:
        create(client, 1, "SET", "a", "1")
        with pytest.raises(DaemonError, match="^UNAVAILABLE"):
            client.call("SESSION.LOAD", key(2))
        assert client.call("SESSION.LOAD", key(2)) is None


def test_database_from_the_future_is_refused(alone):
    daemon = alone().start()
    daemon.stop()
    with sqlite3.connect(daemon.database) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    done = daemon.run()
    assert done.returncode == 1 and "SF0103" in done.stderr, done.stderr
