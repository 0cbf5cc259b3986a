# SPDX-License-Identifier: Apache-2.0
"""
The story of a visitor through httpd, on the stores that need no server. On those that do, and with memcached, it is told in test_store_*.py
and test_l2.py.
"""
import json
import sqlite3

import pytest

from harness.store_suites import assert_story

REVEALED = {"sessions.db": lambda path: sqlite3.connect(path).execute("SELECT ended FROM session WHERE user = 'alice'").fetchall(),
            "sessions.json": lambda path: [(1,) for row in json.loads(path.read_text())["sessions"].values()
                                           if row["user"] == "alice" and row["ended"] == "logout"]}


@pytest.mark.parametrize("url", ["sqlite:sessions.db", "file:sessions.json"])
def test_on_a_file(servers, url):
    web = assert_story(servers, url)
    web.stop()
    assert REVEALED[url.split(":")[1]](web.instance / url.split(":")[1]) == [(1,)]


def test_in_memory_alone(servers):
    """A restart without the cache would lose everything, as it should; one that keeps it loses nothing."""
    assert_story(servers, "memory:x", keeps_cache=True)
