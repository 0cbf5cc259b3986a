# SPDX-License-Identifier: Apache-2.0
"""An instance moves to another store while it is used: nobody is logged out, no acknowledged change is lost."""
import json
import random
import signal
import subprocess
import threading

import pytest

from harness import build
from harness.daemon import DaemonError, create, key
from harness.ledger import Ledger
from harness.postgresql import PostgreSQL
from harness.redis import Redis
from harness.site import change, log_in
from harness.store_suites import run_suite
from harness.waiting import wait_until

LINES = "SessionFastFlushDelay 100ms\n"
OTHERS = 300  # sessions that nobody changes


def migrate(daemon, *words, lines=None):
    program = build.program("session-fast", "command_line")
    return subprocess.run([program, "-i", daemon.folder, "--json", "migrate", *words], input=lines, capture_output=True,
                          text=True, timeout=120)


def done(daemon, *words, **options):
    """What it prints, when its answer is yes."""
    answer = migrate(daemon, *words, **options)
    assert answer.returncode == 0, (words, answer.stdout, answer.stderr)
    return json.loads(answer.stdout)


def state(daemon):
    with daemon.client() as client:
        return client.pairs("SESSION.MIGRATE", "STATUS")


def fill(daemon, count=OTHERS):
    with daemon.client() as client:
        for number in range(1, count + 1):
            create(client, number, "SET", "n", str(number))
        client.call("SESSION.FLUSH")


def assert_filled(daemon, count=OTHERS):
    with daemon.client() as client:
        for number in range(1, count + 1):
            assert client.pairs("SESSION.GET", key(number))["n"] == str(number)


def kill_and_start(daemon, ledger):
    """The cache goes with it: what was acknowledged is in the stores, and asked of them."""
    daemon.kill(signal.SIGKILL)
    (daemon.folder / "l1.cache").unlink()
    daemon.start()
    ledger.wait_for(16)


def move(daemon, ledger, url, chance):
    """With a kill at each step, and somewhere in the middle of it."""
    fewer_kills = {0, 50}
    done(daemon, "start", "-", lines=url + "\n")
    for percent in 0, 10, 50, 100:
        done(daemon, "percent", str(percent))
        ledger.wait_for(chance.randrange(1, 40))
        if percent in fewer_kills:
            kill_and_start(daemon, ledger)
        assert_filled(daemon, 20)
    assert done(daemon, "status", "--wait")["state"] == "verified"
    finish(daemon)
    kill_and_start(daemon, ledger)  # SessionFastStore still names the old one
    report = state(daemon)
    assert (report["state"], report["percent"]) == ("finished", 100)
    assert "SF0240" in daemon.log_text()
    wait_until(lambda: state(daemon)["owed"] == 0, "what was under way at the kill to be in both", 30)
    answer = done(daemon, "diff")
    assert answer["compared"] > OTHERS and not answer["differences"], answer


def finish(daemon):
    """Under load the other store may owe something at any moment: then it is asked for once more."""
    wait_until(lambda: migrate(daemon, "finish").returncode == 0, "the migration to be finished", 30)


def name_in_configuration(daemon, ledger, url):
    assert daemon.stop() == 0
    daemon.configure(LINES, store=url, cache="4M")
    daemon.start()
    ledger.wait_for(16)
    assert state(daemon)["state"] == "none"
    assert not (daemon.folder / "migration").exists()


@pytest.fixture(scope="module")
def redis():
    server = Redis().start()
    yield server
    server.clean_up()


@pytest.fixture(scope="module")
def postgresql():
    server = PostgreSQL().start()
    server.ask("CREATE DATABASE sessions")
    yield server
    server.clean_up()


@pytest.mark.backends
def test_round_trip_under_load_with_kills(alone, redis, postgresql):
    """SQLite, Redis, PostgreSQL, SQLite."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    daemon = alone(LINES).start()
    fill(daemon)
    with Ledger(daemon.socket, "STORE") as ledger:
        ledger.wait_for(16)
        for url in redis.url(), postgresql.url("sessions"), "sqlite:other.db":
            move(daemon, ledger, url, chance)
            name_in_configuration(daemon, ledger, url)
    with daemon.client() as client:
        client.call("SESSION.FLUSH")
        ledger.check(client, merges=True)
    assert_filled(daemon)


@pytest.mark.backends
def test_contract_of_a_pair(redis, postgresql):
    run_suite("check_store_contract", f"pair:{postgresql.url('sessions', 'schema=d%n')}+{redis.url('prefix=b%n:')}")


@pytest.mark.backends
def test_new_store_that_hangs_is_not_noticed(alone, redis):
    """Half of the sessions are read there; nobody waits for it, nothing is lost, and it catches up."""
    daemon = alone(LINES).start()
    fill(daemon, 60)
    done(daemon, "start", redis.url("prefix=hangs:"), "--percent", "50", "--wait")
    redis.freeze()
    try:
        daemon.kill(signal.SIGKILL)
        (daemon.folder / "l1.cache").unlink()
        daemon.start()
        for number in range(1, 61):
            with daemon.client() as client:
                durability = ["STORE"] if number <= 3 else []
                client.call("SESSION.APPLY", key(number), *durability, "OPS", "INCREMENT", "count", "1")
        # Of three that wait for the store, and thirty that are loaded from there; and a load within a change.
        assert 1 <= state(daemon)["waits"] <= 2
        with daemon.client(30) as client:
            client.call("SESSION.FLUSH", "WAIT", "20000")
        assert state(daemon)["owed"] >= 60
        assert migrate(daemon, "finish").returncode == 1
    finally:
        redis.thaw()
    assert done(daemon, "status", "--wait")["trouble"] == ""
    wait_until(lambda: state(daemon)["owed"] == 0, "the new store to have everything", 40)
    assert done(daemon, "diff")["found"] == 0
    finish(daemon)
    daemon.kill(signal.SIGKILL)
    (daemon.folder / "l1.cache").unlink()
    daemon.start()
    with daemon.client() as client:
        assert all(client.pairs("SESSION.GET", key(number))["count"] == 1 for number in range(1, 61))


class Incrementer:
    """One client of one host, which counts in all sessions at random; a lost answer may count or not."""

    def __init__(self, daemon, sessions, seed):
        self.daemon, self.sessions, self.chance = daemon, sessions, random.Random(seed)
        self.must_stop = threading.Event()
        self.acknowledged = self.unknown = 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.must_stop.is_set():
            try:
                with self.daemon.client(20) as client:
                    while not self.must_stop.is_set():
                        self.unknown += 1
                        client.call("SESSION.APPLY", key(self.chance.randrange(self.sessions) + 1), "OPS", "INCREMENT", "n", "1")
                        self.unknown -= 1
                        self.acknowledged += 1
            except (OSError, AssertionError):
                self.must_stop.wait(0.01)

    def wait_for(self, more):
        goal = self.acknowledged + more
        wait_until(lambda: self.acknowledged >= goal, f"{more} more increments", 60)

    def stop(self):
        self.must_stop.set()
        self.thread.join(30)
        assert not self.thread.is_alive()


def log_out(daemon, numbers):
    with daemon.client(30) as client:
        for number in numbers:
            client.call("SESSION.END", key(number))


@pytest.mark.backends
@pytest.mark.parametrize("kind", ["redis", "postgresql"])
def test_two_hosts_move_together(alone, tmp_path, request, kind):
    """Under load, with a kill; what either has acknowledged is in the new store, and who logged out stays so."""
    server = request.getfixturevalue(kind)
    url = server.url("prefix=two:") if kind == "redis" else server.url("sessions", "schema=two")
    lines = LINES + "SessionFastSharedStore on\n"
    hosts = [alone(lines, store=f"sqlite:{tmp_path}/shared.db").start() for _ in range(2)]
    sessions, users = 20, range(101, 141)
    with hosts[0].client() as client:
        for number in range(1, sessions + 1):
            create(client, number, "SETINT", "n", "0")
        for number in users:
            create(client, number, "LOGIN", "alice")
        client.call("SESSION.FLUSH")
    for host in hosts:
        done(host, "start", url)
    load = [Incrementer(host, sessions, seed) for seed, host in enumerate(hosts)]
    for host in hosts:
        done(host, "status", "--wait")
    wait_until(lambda: all(state(host)["hosts"] == 2 for host in hosts), "the hosts to know of each other")
    assert "other hosts" in migrate(hosts[0], "percent", "50").stderr
    answer = migrate(hosts[0], "forget", state(hosts[1])["host"])
    assert answer.returncode == 1 and "still there" in answer.stderr, answer
    log_out(hosts[0], users[:20])
    hosts[1].kill(signal.SIGKILL)
    hosts[1].start()
    finish(hosts[0])
    log_out(hosts[1], users[20:])
    for one in load:
        one.wait_for(50)
    wait_until(lambda: all(state(host)["state"] == "finished" for host in hosts), "both to have changed over", 30)
    for one in load:
        one.stop()
    for host in hosts:
        with host.client(30) as client:
            client.call("SESSION.FLUSH")
        assert host.status()["restore_runs"] == 0  # it was no restart of the store
        assert host.stop() == 0
        (host.folder / "l1.cache").unlink()
        host.configure(lines, store=url)
    assert_moved([host.start() for host in hosts], load, sessions, users)


def assert_moved(hosts, load, sessions, users):
    acknowledged, unknown = sum(one.acknowledged for one in load), sum(one.unknown for one in load)
    for host in hosts:
        assert state(host)["state"] == "none"
        with host.client() as client:
            counted = sum(client.pairs("SESSION.GET", key(number))["n"] for number in range(1, sessions + 1))
            assert acknowledged <= counted <= acknowledged + unknown
            assert all(client.pairs("SESSION.GET", key(number))["@state"] == "ended" for number in users)


def test_percentage_is_no_alarm(alone):
    """Who asks for it is told that the stores are compared once more, and not that something is wrong."""
    daemon = alone(LINES).start()
    fill(daemon, 3)
    done(daemon, "start", "file:other.json", "--wait")
    done(daemon, "percent", "10")
    wait_until(lambda: "SF0248: migration: 10 %" in daemon.log_text(), "the line about it")
    assert done(daemon, "status", "--wait")["state"] == "verified"
    assert "SF0247" not in daemon.log_text()


def test_differences_are_listed_without_contents(alone):
    daemon = alone(LINES).start()
    fill(daemon, 5)
    done(daemon, "start", "sqlite:new.db", "--wait")
    subprocess.run(["sqlite3", daemon.folder / "new.db", f"DELETE FROM session WHERE key = x'{key(3)}'"], check=True)
    answer = migrate(daemon, "diff")
    assert answer.returncode == 1
    found = json.loads(answer.stdout)
    assert found["found"] == 1 and len(found["differences"]) == 1
    assert found["differences"][0]["key"] == key(3)[:8]
    assert (found["differences"][0]["kind"], found["differences"][0]["repaired"]) == ("missing", 1)
    assert done(daemon, "diff")["found"] == 0


def test_import_and_export_wait_for_the_end(alone):
    daemon = alone(LINES).start()
    fill(daemon, 2)
    done(daemon, "start", "sqlite:new.db", "--wait")

    def store(*words, lines=""):
        program = build.program("session-fast", "command_line")
        return subprocess.run([program, "-i", daemon.folder, "store", *words], input=lines, capture_output=True, text=True,
                              timeout=30)

    for words in ["export"], ["import"], ["import", "sqlite:new.db"]:
        answer = store(*words)
        assert answer.returncode == 1 and "are being moved" in answer.stderr, (words, answer)
    exported = store("export", "sqlite:sessions.db")
    assert exported.returncode == 0 and len(exported.stdout.splitlines()) == 2
    assert store("import", "sqlite:third.db", lines=exported.stdout).returncode == 0
    done(daemon, "abort")
    assert len(store("export").stdout.splitlines()) == 2
    (daemon.folder / "migration").write_text("nonsense")
    assert "damaged" in store("export").stderr


def test_words_that_are_refused(alone):
    daemon = alone(LINES).start()
    for code, *words in [(2,), (2, "start"), (2, "percent"), (2, "status", "--percent", "1"), (2, "finish", "now"),
                         (2, "begin"), (1, "percent", "10"), (1, "finish"), (1, "abort"), (1, "diff"),
                         (1, "start", "pigeon:coo"), (1, "start", "sqlite:sessions.db"),
                         (1, "start", "sqlite:new.db", "--percent", "101"),
                         (3, "start", "sqlite:/proc/nothing/new.db")]:
        assert migrate(daemon, *words).returncode == code, words
    assert state(daemon)["state"] == "none"
    with daemon.client() as client, pytest.raises(DaemonError, match="^INVALID"):
        client.call("SESSION.MIGRATE", "START", "sqlite:new.db", "PERCENT")


def test_password_is_shown_nowhere(alone, redis):
    daemon = alone(LINES).start()
    assert migrate(daemon, "start", redis.tcp_url("prefix=session:pw:")).returncode == 0
    password = redis.tcp_url().split(":")[2].split("@")[0]
    texts = [daemon.log_text(), str(daemon.status()), str(state(daemon)), migrate(daemon, "status").stdout]
    assert not [text for text in texts if password in text]
    assert (daemon.folder / "migration").stat().st_mode & 0o777 == 0o600
    assert done(daemon, "abort")["state"] == "aborted"


def test_option_of_the_server(servers):
    """Begun by SessionFastMigrate, finished by the command; the browser is logged in all the time."""
    web = servers.start("event", instance='SessionFastMigrate file:new.json percent=100')
    browser = web.browser()
    assert log_in(browser).status == 302
    change(browser, "X-Session-Set: theme=dark")
    web.flush()
    program = build.program("session-fast", "command_line")
    command = [program, "-i", web.instance, "--json", "migrate"]
    subprocess.run([*command, "status", "--wait"], check=True, timeout=60, capture_output=True)
    subprocess.run([*command, "finish"], check=True, timeout=60, capture_output=True)
    web.stop()
    (web.instance / "l1.cache").unlink()
    web.start()
    assert browser.get("/app/probe").session["SESSION_FIELD_THEME"] == "dark"
    report = json.loads(subprocess.run([*command, "status"], check=True, timeout=60, capture_output=True).stdout)
    assert (report["state"], report["store"]) == ("finished", "file:new.json")
