# SPDX-License-Identifier: Apache-2.0
"""
The store is away, the journal at its limit, the cache full of changes: visitors give way first, users go on for as long as
there is room, who logs out always finds some; and when the store is back it gets all that was acknowledged.
"""
import re
import sqlite3

import pytest

from harness.alone import Alone
from harness.daemon import Daemon, DaemonError
from harness.site import change
from harness.waiting import wait_until

SMALL = "SessionFastJournalLimit 4M\nSessionFastFlushDelay 200ms\nSessionFastStopTimeout 1s"
TEXT = "x" * 800
BLOCK, SLAB = 1088, 131072  # what such a record takes, and where they are


@pytest.fixture
def daemon():
    one = Alone(SMALL, cache="4M").start()
    yield one
    print(one.log_text())
    one.clean_up()


class Away:
    """The store is there, and takes nothing."""

    def __init__(self, database):
        self.other = sqlite3.connect(database, isolation_level=None, timeout=5, check_same_thread=False)
        self.other.execute("BEGIN EXCLUSIVE")

    def end(self):
        self.other.execute("ROLLBACK")
        self.other.close()


class Sessions:
    """What was acknowledged, by key: version and, once it has ended, None."""

    def __init__(self, server):
        self.server = server
        self.reconnect()
        self.made = {}
        self.users = []
        self.visitors = []
        self.is_away = False

    def reconnect(self):
        self.client = Daemon(self.server.socket, 20.0)

    def apply(self, key, *ops):
        self.made[key] = self.client.call("SESSION.APPLY", key, "OPS", *ops)[1]

    def create(self, text, *ops):
        key = f"{len(self.made) + 1:032x}"
        self.made[key] = self.client.call("SESSION.APPLY", "-", "NEWKEY", key, "CREATE", "OPS", *ops, "SET", "a", text)[1]
        self.pace()
        return key

    def pace(self):
        """Waits for the daemon to see how full the cache is, once it knows that the store is away."""
        if self.is_away and len(self.made) % 40 == 0:
            wait_until(self.is_counted, "the daemon to count", 20)

    def is_counted(self):
        status = self.client.pairs("SESSION.STATUS")
        share = 100 * status["cache_blocks_dirty"] * BLOCK // (status["cache_slabs"] * 7 // 8 * SLAB)
        return status["spill_dirty_percent"] >= share - 5

    def add_visitor(self):
        self.visitors.append(self.create(TEXT))

    def add_user(self):
        self.users.append(self.create(TEXT[:-5], "LOGIN", "alice"))

    def end(self, key):
        """Class journal."""
        assert self.client.call("SESSION.END", key) == 1
        self.made[key] = None

    def until_refused(self, work):
        with pytest.raises(DaemonError) as refused:
            while True:
                work()
        return str(refused.value)

    def level(self):
        return self.client.pairs("SESSION.STATUS")["pressure"]

    def wait_for_level(self, level):
        wait_until(lambda: self.level() == level, f"level {level}", 20)

    def fill_to_level_1(self):
        """Returns what the first who was refused has heard."""
        for _ in range(1000):  # for a while the store is only slow
            self.add_visitor()
        wait_until(lambda: self.client.pairs("SESSION.STATUS")["spill_dirty_percent"] > 20, "the store to be away", 20)
        self.is_away = True
        self.is_away = True
        return self.until_refused(self.add_visitor)

    def fill_to_level_2(self):
        self.apply(self.visitors[-1], "SET", "b", "1")  # at level 1 they may still change
        while self.level() < 2:
            self.add_user()
        return self.until_refused(lambda: self.apply(self.visitors[-1], "SET", "b", "2"))

    def fill_to_level_3(self):
        said = self.until_refused(self.add_user)
        self.wait_for_level(3)
        return said

    def fill(self):
        """Up to the last block."""
        return self.fill_to_level_1(), self.fill_to_level_2(), self.fill_to_level_3()

    def check(self):
        """Here and in the store."""
        for key, version in self.made.items():
            seen = self.client.pairs("SESSION.GET", key)
            assert (seen["@version"] if seen["@state"] == "active" else None) == version, key
        assert self.client.call("SESSION.FLUSH", "WAIT", 30000) == "OK"
        stored = dict(sqlite3.connect(self.server.database).execute("SELECT lower(hex(key)), version FROM session"))
        wrong = [key for key, version in self.made.items() if version is not None and stored.get(key) != version]
        assert not wrong


def told(server):
    return re.findall(r"SF022[12]: .*level (\d)", server.log_text())


def test_visitors_give_way_to_users_and_users_to_who_logs_out(daemon):
    sessions = Sessions(daemon)
    sessions.add_visitor()
    sessions.client.call("SESSION.FLUSH")
    away = Away(daemon.database)
    said = sessions.fill()
    assert said[0].startswith("FULL changes fill the cache") and "level 1: no new anonymous" in said[0]
    assert "level 2: " in said[1] and "no changes" in said[1]
    assert said[2].startswith("FULL ") and "level" not in said[2]
    assert told(daemon) == ["1", "2", "3"]
    for key in sessions.users[-10:]:
        sessions.end(key)  # journalled, at the limit of the journal
    for key in sessions.visitors[-10:]:
        sessions.end(key)
    status = daemon.status()
    assert status["journal_state"] == "down" and status["pressure_refused"] >= 2
    assert status["cache_bytes"] == 4 << 20 and status["journal_bytes"] < 6 << 20
    away.end()
    sessions.wait_for_level(0)
    assert told(daemon) == ["1", "2", "3", "2", "1", "0"]
    sessions.add_visitor()
    sessions.check()


def test_a_daemon_that_is_killed_leaves_its_level_to_the_next(daemon):
    sessions = Sessions(daemon)
    sessions.add_visitor()
    sessions.client.call("SESSION.FLUSH")
    away = Away(daemon.database)
    sessions.fill()
    daemon.kill()
    daemon.start()
    sessions.reconnect()
    assert "level" in sessions.until_refused(sessions.add_visitor)
    sessions.end(sessions.users[-1])
    assert sessions.level() > 0
    away.end()
    sessions.wait_for_level(0)
    sessions.check()


def test_through_httpd(servers):
    """Whoever is logged in goes on, a new visitor gets his page without a session, and all can log out."""
    server = servers.start("event", instance=SMALL + "\nSessionFastCacheSize 4M")
    sessions = Sessions(server)
    visitor, user, other = server.browser(), server.browser(), server.browser()
    assert change(visitor, "X-Session-Set: a=1").status == 200 and visitor.id
    for browser in (user, other):
        assert change(browser, "X-Session-Login: alice").status == 200
    server.flush()
    away = Away(server.database)

    sessions.fill_to_level_1()
    late = server.browser()
    response = change(late, "X-Session-Set: a=1")
    assert response.status == 200 and not late.id
    assert change(late, ["X-Session-Set: a=1", "X-Session-Durability: journal"]).status == 503
    assert change(visitor, "X-Session-Set: a=2").status == 200

    sessions.fill_to_level_2()
    assert change(visitor, "X-Session-Set: a=3").status == 503
    assert visitor.get("/app/probe").session["SESSION_FIELD_A"] == "2"
    assert change(user, "X-Session-Set: a=1").status == 200

    sessions.fill_to_level_3()
    assert user.get("/app/probe").session["SESSION_FIELD_A"] == "1"
    assert change(other, "X-Session-Logout: 1").status == 200 and not other.id
    assert change(visitor, "X-Session-Logout: 1").status == 200 and not visitor.id
    assert change(late, "X-Session-Set: a=1").status == 200 and not late.id
    assert told(server) == ["1", "2", "3"]

    away.end()
    sessions.wait_for_level(0)
    assert told(server) == ["1", "2", "3", "2", "1", "0"]
    assert change(late, "X-Session-Set: a=1").status == 200 and late.id
    assert user.get("/app/probe").session["SESSION_FIELD_A"] == "1"
    sessions.check()
