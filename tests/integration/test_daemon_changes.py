# SPDX-License-Identifier: Apache-2.0
"""session-fastd without httpd: changes, lists, and sessions that are over."""
import sqlite3
import time

import pytest

from harness.daemon import DaemonError, create, key
from harness.load import at_once
from harness.waiting import wait_until


def test_increments_of_many_clients_add_up(daemon):
    with daemon.client() as client:
        create(client, 1, "SET", "n", "0")

    def work():
        with daemon.client() as client:
            for _ in range(100):
                client.call("SESSION.APPLY", key(1), "OPS", "INCREMENT", "n", "1")

    at_once([work] * 8)
    with daemon.client() as client:
        assert int(client.pairs("SESSION.GET", key(1))["n"]) == 800


def test_changes_to_what_only_the_store_knows(daemon):
    with daemon.client() as client:
        create(client, 1, "SET", "a", "1")
        assert client.call("SESSION.FLUSH") == "OK"
    daemon.kill()
    (daemon.folder / "l1.cache").unlink()
    daemon.start()
    with daemon.client() as client:
        client.call("SESSION.APPLY", key(1), "OPS", "SET", "b", "2")
        session = client.pairs("SESSION.GET", key(1))
        assert (session["a"], session["b"], session["@version"]) == ("1", "2", 2)


def test_list_comes_in_pages(daemon):
    with daemon.client() as client:
        for i in range(25):
            create(client, i, "SET", "a", "1", *(["LOGIN", "joe"] if i % 5 == 0 else []))
        after, seen = "-", []
        while after:
            after, rows = client.call("SESSION.LIST", after, "10")
            seen += [row[0] for row in rows]
        assert seen == [key(i) for i in range(25)]
        assert [row[0] for row in client.call("SESSION.LIST", "-", "1000", "joe")[1]] == [key(i) for i in range(0, 25, 5)]


def test_session_that_is_over_is_nil(daemon):
    with daemon.client() as client:
        create(client, 1, "SET", "a", "1", options=("IDLE", "1000"))
        client.call("SESSION.FLUSH")
    daemon.kill()
    (daemon.folder / "l1.cache").unlink()
    wait_until(lambda: time.time() > daemon_created(daemon, 1) + 1.1, "the session to expire")
    daemon.start()
    with daemon.client() as client:
        assert client.call("SESSION.LOAD", key(1)) is None
        with pytest.raises(DaemonError, match="^NOT_FOUND"):
            client.call("SESSION.APPLY", key(1), "OPS", "SET", "a", "2")


def daemon_created(daemon, number):
    with sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True) as connection:
        query = "SELECT last_access FROM session WHERE hex(key) = upper(?)"
        return connection.execute(query, (key(number),)).fetchone()[0] / 1000
