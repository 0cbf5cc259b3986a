# SPDX-License-Identifier: Apache-2.0
"""Class journal under load: whatever dies, and whatever memory is lost with it, what was acknowledged is there."""
import random
import sqlite3

import pytest

from harness.ledger import Ledger
from harness.site import change
from harness.waiting import wait_until


def journal_files(daemon):
    return [path.name for path in daemon.folder.glob("journal-*")]


def start_again(daemon, loses_cache):
    if loses_cache:
        daemon.folder.joinpath("l1.cache").unlink()
    daemon.start()


@pytest.mark.parametrize("loses_cache", [True, False], ids=["cache lost", "cache kept"])
def test_kill_at_random_moments(alone, loses_cache):
    """With the cache goes all memory: only what is in files is left, as after the death of all processes and a reboot."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    moments = random.Random(seed)
    daemon = alone().start()
    with Ledger(daemon.socket, "JOURNAL") as ledger:
        for _ in range(12):
            ledger.wait_for(moments.randrange(300))
            daemon.kill()
            start_again(daemon, loses_cache)
        ledger.wait_for(20)
    with daemon.client() as client:
        ledger.check(client)
    assert ledger.acknowledged > 100
    assert daemon.stop() == 0
    assert journal_files(daemon) == []


def test_kill_while_the_store_is_away(alone):
    """Then the journal is all there is: it says so, it has everything, and the store gets it when it is back."""
    daemon = alone("SessionFastStopTimeout 1s").start()
    with daemon.client() as client:
        client.call("SESSION.APPLY", "-", "NEWKEY", "0" * 31 + "1", "CREATE", "STORE", "OPS", "SET", "a", "1")
    other = sqlite3.connect(daemon.database, isolation_level=None, timeout=5, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with Ledger(daemon.socket, "JOURNAL") as ledger:
        wait_until(lambda: ledger.acknowledged > 200 and all(writer.count for writer in ledger.writers),
                   "changes of each session that the store does not have", 20)
        daemon.kill()
        start_again(daemon, True)
        assert daemon.status()["journal_sessions"] == len(ledger.writers)  # orphans, until somebody changes them again
        other.execute("ROLLBACK")
        other.close()
        ledger.wait_for(50)
    wait_until(lambda: daemon.status()["journal_orphans"] == 0, "the journal to be drained", 20)
    with daemon.client() as client:
        ledger.check(client)
        client.call("SESSION.FLUSH")
    stored = sqlite3.connect(daemon.database).execute("SELECT count(*) FROM session").fetchone()[0]
    assert stored == len(ledger.writers) + 1


def test_store_down_and_up_under_load(alone):
    daemon = alone("SessionFastFlushDelay 100ms").start()
    with daemon.client() as client:
        client.call("SESSION.APPLY", "-", "NEWKEY", "0" * 31 + "1", "CREATE", "STORE", "OPS", "SET", "a", "1")
    with Ledger(daemon.socket, "JOURNAL") as ledger:
        for _ in range(3):
            other = sqlite3.connect(daemon.database, isolation_level=None, timeout=5)
            other.execute("BEGIN EXCLUSIVE")
            ledger.wait_for(100)
            other.execute("ROLLBACK")
            other.close()
            wait_until(lambda: daemon.status()["store_state"] == "up", "the store to be used again", 20)
    with daemon.client() as client:
        assert client.call("SESSION.FLUSH", "WAIT", 20000) == "OK"
        ledger.check(client)
    assert daemon.status()["journal_sessions"] == 0
    daemon.kill()
    start_again(daemon, True)
    with daemon.client() as client:
        ledger.check(client)


def test_more_changes_than_the_cache_holds_while_the_store_is_away(alone):
    """They move to the journal: nobody is refused, everything can be read, and the store gets it when it is back."""
    daemon = alone("SessionFastFlushDelay 200ms\nSessionFastDirtyLimit 30", cache="1M").start()
    keys = {f"{number:032x}": 0 for number in range(1, 2001)}
    with daemon.client() as client:
        client.call("SESSION.APPLY", "-", "NEWKEY", "f" * 32, "CREATE", "STORE", "OPS", "SET", "a", "1")
        other = sqlite3.connect(daemon.database, isolation_level=None, timeout=5)
        other.execute("BEGIN EXCLUSIVE")
        for key in keys:
            keys[key] = client.call("SESSION.APPLY", "-", "NEWKEY", key, "CREATE", "OPS", "SET", "a", "x" * 800)[1]
        for key in list(keys)[::3]:
            keys[key] = client.call("SESSION.APPLY", key, "OPS", "INCREMENT", "n", 1)[1]
        status = daemon.status()
        assert status["cache_bytes"] == 1 << 20 and status["spill_moved"] > 1000
        for key, version in list(keys.items())[::7]:
            assert client.pairs("SESSION.GET", key)["@version"] == version
        other.execute("ROLLBACK")
        other.close()
        assert client.call("SESSION.FLUSH", "WAIT", 30000) == "OK"
        assert daemon.status()["journal_orphans"] == 0
    stored = dict(sqlite3.connect(daemon.database).execute("SELECT lower(hex(key)), version FROM session"))
    assert {key: stored.get(key) for key in keys} == keys
    assert "SF0216" in daemon.log_text()


def damage(daemon, keys, count):
    """One bit of the last keys that the journal has, wherever it has them. Returns them."""
    path = min(daemon.folder.glob("journal-*-wal"))
    content = path.read_bytes()
    places = {key: content.find(bytes.fromhex(key)) for key in keys}
    keys = sorted((key for key in keys if places[key] >= 0), key=places.get)[-count:]
    with path.open("r+b") as file:
        for key in keys:
            at = places[key]
            while at >= 0:
                file.seek(at)
                file.write(bytes([content[at] ^ 1]))
                at = content.find(bytes.fromhex(key), at + 1)
    return keys


def test_rows_that_go_bad_while_the_daemon_runs_hold_nobody_up(alone):
    """Those that have left the cache are lost, and told: only the journal had them. All others reach the store."""
    daemon = alone("SessionFastFlushDelay 200ms\nSessionFastDirtyLimit 30", cache="1M").start()
    keys = [f"{number:032x}" for number in range(0xfedcba9800000001, 0xfedcba9800000001 + 1500)]
    with daemon.client() as client:
        client.call("SESSION.APPLY", "-", "NEWKEY", "f" * 32, "CREATE", "STORE", "OPS", "SET", "a", "1")
        other = sqlite3.connect(daemon.database, isolation_level=None, timeout=5)
        other.execute("BEGIN EXCLUSIVE")
        for key in keys:
            client.call("SESSION.APPLY", "-", "NEWKEY", key, "CREATE", "OPS", "SET", "a", "x" * 800)
        wait_until(lambda: daemon.status()["spill_moved"] > 900, "changes to move to the journal")
        damaged = damage(daemon, keys, 40)  # of the first 500 the daemon may have a copy in its hands
        assert len(damaged) == 40
        other.execute("ROLLBACK")
        other.close()
        assert client.call("SESSION.FLUSH", "WAIT", 30000) == "OK"
        status = daemon.status()
        assert status["journal_orphans"] == 0
        stored = {row[0] for row in sqlite3.connect(daemon.database).execute("SELECT lower(hex(key)) FROM session")}
        lost = {*keys} - stored
        assert lost <= {*damaged} and len(lost) == status["journal_damaged"]
        assert all(client.call("SESSION.GET", key) is None for key in lost)
    assert f"{len(lost)} are lost" in daemon.log_text() and "SF0220" in daemon.log_text()


def test_journal_that_cannot_be_written_is_told_and_comes_back(alone):
    """Somebody takes the folder's place away: no file can be made there, and the one that is there has gone."""
    daemon = alone().start()
    with daemon.client() as client:
        key = "0" * 31 + "2"
        assert "journalled" in client.call("SESSION.APPLY", "-", "NEWKEY", key, "CREATE", "JOURNAL", "OPS", "SET", "a", "1")[2]
        for path in daemon.folder.glob("journal-*"):
            path.unlink()
        for number in range(1, 200):
            daemon.folder.joinpath(f"journal-{number:08d}.db").mkdir()
        with pytest.raises(Exception, match="UNCERTAIN"):
            client.call("SESSION.APPLY", key, "JOURNAL", "OPS", "SET", "a", "2")
        assert daemon.status()["journal_state"] == "down"
        assert client.call("SESSION.APPLY", key, "OPS", "SET", "a", "3")[2] == "changed"
        for number in range(1, 200):
            daemon.folder.joinpath(f"journal-{number:08d}.db").rmdir()

        def confirmed():
            try:  # what was made, but not confirmed, is confirmed when it is asked for again
                return "journalled" in client.call("SESSION.APPLY", key, "JOURNAL", "OPS", "SET", "b", "4")[2]
            except Exception:
                return False
        wait_until(confirmed, "the journal to be used again", 20)
    assert daemon.status()["journal_state"] == "up"
    for line in ("SF0211", "SF0212", "SF0213"):
        assert daemon.log_text().count(line) == 1, daemon.log_text()
    daemon.kill()
    start_again(daemon, True)
    with daemon.client() as client:
        found = client.pairs("SESSION.GET", key)
        assert (found["a"], found["b"]) == ("3", "4")


# ---- behind httpd ----

def test_application_raises_the_durability_of_one_response(servers):
    server = servers.start("event")
    browser = server.browser()
    change(browser, "X-Session-Set: theme=light")
    assert server.status()["journal_rows"] == 0
    response = change(browser, ["X-Session-Set: theme=dark", "X-Session-Durability: journal"])
    assert response.status == 200 and not response.all("X-Session-Durability")
    assert server.status()["journal_rows"] == 1
    change(browser, "X-Session-Increment: visits")
    assert server.status()["journal_rows"] == 1
    before = server.status()["writer_records"]
    change(browser, ["X-Session-Set: theme=blue", "X-Session-Durability: store"])
    assert server.status()["writer_records"] > before
    assert change(browser, ["X-Session-Set: theme=red", "X-Session-Durability: disk"]).status == 500
    assert server.log_lines("SF0519.*X-Session-Durability")
    assert change(browser, ()).session["SESSION_FIELD_THEME"] == "blue"
