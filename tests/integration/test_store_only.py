# SPDX-License-Identifier: Apache-2.0
"""SessionFastCacheSize 0: each session is read from the store and changed there; hosts need nothing else in common."""
import os
import shutil
import signal
import sqlite3
import subprocess
import threading

import pytest

from harness import build
from harness.daemon import DaemonError, create, key
from harness.redis import Redis
from harness.site import change, log_in
from harness.waiting import wait_until

STORE_ONLY = "SessionFastCacheSize 0\n"
# Nothing is seen or stored because it was time for it.
AT_ONCE = STORE_ONLY + "SessionFastFreshness 1h\nSessionFastFlushDelay 1h\nSessionFastFlushBatch 100000\n"
ANONYMOUS = """
ScriptAlias /easy/ "{folder}/cgi/"
<Location "/easy/">
    SessionFast On
    SessionFastOnError anonymous
</Location>
"""
SHARED = "SessionFastSharedStore on\nSessionFastFreshness 1h\n"


def versions(database):
    """What the store has of living sessions at this moment."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)
    try:
        return [row[0] for row in connection.execute("SELECT version FROM session WHERE NOT ended ORDER BY version")]
    finally:
        connection.close()


def command(server, *words):
    done = subprocess.run([build.program("session-fast", "command_line"), "-i", server.instance, *words],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_what_is_acknowledged_is_stored_and_nothing_is_kept(servers):
    server = servers.start("event", instance=AT_ONCE)
    browser = server.browser()
    for count in range(1, 6):
        assert change(browser, "X-Session-Increment: n").status == 200
        assert versions(server.database) == [count]
    written = server.status()["store_writes_calls"]
    for _ in range(5):
        assert browser.get("/app/probe").session["SESSION_FIELD_N"] == "5"
    status = server.status()
    assert status["tier"] == "store only" and status["cache_blocks_live"] == 0
    assert status["store_writes_calls"] == written
    assert "SessionFastCacheSize 0" in command(server, "list", "--cached")
    assert "second read, from the store" in command(server, "probe")
    os.kill(server.daemon_pid(), signal.SIGKILL)
    wait_until(lambda: server.log_text().count("SF0101") == 2, "the next daemon")
    assert change(browser, "X-Session-Increment: n").session["SESSION_FIELD_N"] == "5"
    assert log_in(browser).status == 302
    assert browser.get("/member/index.html").status == 200
    assert browser.get("/logout").status == 307
    assert browser.get("/member/index.html").status == 401
    assert server.log_lines("SF0121") and not list(server.instance.glob("journal-*"))


# ---- several hosts

@pytest.fixture
def redis():
    server = Redis().start("appendonly yes", "appendfsync always")
    yield server
    print(server.log.read_text()[-2000:])
    server.clean_up()


def two_hosts(servers, gateways, url):
    """One behind httpd, one behind the gateway, and a browser of each; they have nothing but secrets and store in common."""
    lines = AT_ONCE + f"SessionFastStore {url}\nSessionFastSharedStore on\n"
    httpd = servers.start("event", instance=lines, extra=ANONYMOUS)
    gateway = gateways(lines)
    gateway.instance.mkdir(mode=0o750)
    shutil.copy(httpd.instance / "secret.keys", gateway.instance)
    for path in (gateway.instance, gateway.instance / "secret.keys"):
        owner = httpd.instance.stat()
        os.chown(path, owner.st_uid, owner.st_gid)
    gateway.start()
    return httpd, gateway


def assert_no_affinity(at_httpd, at_gateway):
    change(at_httpd, "X-Session-Set: n=0")
    at_gateway.cookies = at_httpd.cookies
    for count in range(0, 20, 2):
        assert at_gateway.get("/cgi/probe").session["SESSION_FIELD_N"] == str(count)
        change(at_gateway, "X-Session-Increment: n", "/cgi/probe")
        assert at_httpd.get("/app/probe").session["SESSION_FIELD_N"] == str(count + 1)
        change(at_httpd, "X-Session-Increment: n")
    change(at_httpd, "X-Session-Login: alice")
    at_gateway.cookies = at_httpd.cookies
    assert at_gateway.get("/cgi/probe").session["SESSION_USER"] == "alice"
    change(at_gateway, "X-Session-Logout: 1", "/cgi/probe")
    assert "SESSION_USER" not in at_httpd.get("/app/probe").session


def test_another_host_sees_a_change_when_it_is_acknowledged(servers, gateways, tmp_path):
    folder = servers.make("event").folder / "shared"
    folder.mkdir()
    if os.geteuid() == 0:
        shutil.chown(folder, "www-data", "www-data")
    httpd, gateway = two_hosts(servers, gateways, f"sqlite:{folder}/sessions.db")
    assert_no_affinity(httpd.browser(), gateway.browser())


@pytest.mark.backends
def test_without_the_store_nothing_old_is_shown(servers, gateways, redis):
    httpd, gateway = two_hosts(servers, gateways, redis.url())
    assert_no_affinity(httpd.browser(), gateway.browser())
    browser, other = httpd.browser(), gateway.browser()
    change(browser, "X-Session-Set: theme=dark")
    other.cookies = dict(browser.cookies)
    redis.end()
    for _ in range(2):
        for response in (browser.get("/app/probe"), change(browser, "X-Session-Set: theme=light"), other.get("/cgi/probe")):
            assert response.status == 503 and not response.all("Set-Cookie")
        response = browser.get("/easy/probe")
        assert response.status == 200 and response.session["SESSION_STATE"] == "none"
    redis.start("appendonly yes", "appendfsync always")
    wait_until(lambda: browser.get("/app/probe").status == other.get("/cgi/probe").status == 200, "the store", 30)
    assert browser.get("/app/probe").session["SESSION_FIELD_THEME"] == "dark"
    change(other, "X-Session-Set: theme=light", "/cgi/probe")
    assert browser.get("/app/probe").session["SESSION_FIELD_THEME"] == "light"


def count_up(daemon, number, times, failures):
    """As an application without a field that counts: reads, and writes one more where nobody else has."""
    try:
        with daemon.client() as client:
            while times > 0:
                n = client.pairs("SESSION.GET", key(number))["n"]
                try:
                    client.call("SESSION.APPLY", key(number), "OPS", "CAS", "n", n, str(int(n) + 1), "INCREMENT", "all", "1")
                    times -= 1
                except DaemonError as error:
                    assert str(error).startswith("CONFLICT"), error
    except (AssertionError, DaemonError, OSError) as error:
        failures.append(error)


def test_comparisons_hold_between_hosts(alone, tmp_path):
    store = f"sqlite:{tmp_path}/shared.db"
    tmp_path.chmod(0o700)
    daemons = [alone(SHARED, store=store, cache="0").start() for _ in range(2)]
    with daemons[0].client() as client:
        create(client, 1, "SET", "n", "0")
    failures = []
    threads = [threading.Thread(target=count_up, args=(daemon, 1, 15, failures)) for daemon in daemons for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with daemons[1].client() as client:
        found = client.pairs("SESSION.GET", key(1))
    assert (found["n"], found["all"], found["@version"]) == ("60", 60, 61)


def test_changes_go_to_the_id_that_took_the_place(alone, doctor):
    daemon = alone(cache="0").start()
    assert doctor(daemon)[1].why("tier") == "store only"
    daemon.configure(cache="4M")
    assert "started as store only, and the configuration says cached store" in doctor(daemon)[1].why("tier")
    with daemon.client() as client:
        create(client, 1, "SET", "n", "0")
        client.call("SESSION.APPLY", key(1), "NEWKEY", key(2), "GRACE", "60000", "OPS", "ROTATE")
        assert client.call("SESSION.APPLY", key(1), "OPS", "INCREMENT", "late", "1")[0] == key(2)
        assert client.pairs("SESSION.GET", key(2))["late"] == 1
        assert client.pairs("SESSION.GET", key(1))["@state"] == "former"
        client.call("SESSION.APPLY", key(2), "NEWKEY", key(3), "OPS", "LOGIN", "alice")
        for old in (1, 2):
            with pytest.raises(DaemonError, match="NOT_FOUND"):
                client.call("SESSION.APPLY", key(old), "OPS", "INCREMENT", "late", "1")
        assert client.call("SESSION.END", key(3)) == 1
        assert client.call("SESSION.END", key(3)) == 0


# ---- from one tier to another

def restart(daemon, **options):
    daemon.kill()
    daemon.configure(**options)
    daemon.start()


def field(client, number):
    return client.pairs("SESSION.GET", key(number))["n"]


def test_size_goes_to_0_and_back(alone):
    """With the same segment all the time: what waits there is no answer until it is stored, and nothing of it is lost."""
    daemon = alone(store="fail:write=UNAVAILABLE", cache="8M").start()
    with daemon.client() as client:
        create(client, 1, "SET", "n", "waits")
    restart(daemon, store="fail:write=UNAVAILABLE", cache="0")
    with daemon.client() as client:
        with pytest.raises(DaemonError, match="UNAVAILABLE"):
            field(client, 1)
        with pytest.raises(DaemonError, match="UNAVAILABLE"):
            client.call("SESSION.APPLY", key(1), "OPS", "SET", "n", "later")
    restart(daemon, cache="0")
    with daemon.client() as client:
        assert field(client, 1) == "waits"
        client.call("SESSION.APPLY", key(1), "OPS", "SET", "n", "later")
        assert daemon.status()["cache_blocks_live"] == 0
    restart(daemon, cache="8M")
    with daemon.client() as client:
        assert field(client, 1) == "later"
        assert daemon.status()["tier"] == "cached store"


def test_a_copy_from_before_is_never_an_answer(alone):
    daemon = alone(cache="8M").start()
    with daemon.client() as client:
        create(client, 1, "SET", "n", "old", options=("STORE",))
    restart(daemon, cache="0")
    with daemon.client() as client:
        client.call("SESSION.APPLY", key(1), "OPS", "SET", "n", "new")
    restart(daemon, cache="8M")
    with daemon.client() as client:
        assert field(client, 1) == "new"


@pytest.mark.parametrize("lines, why", [
    ("SessionFastStore none", "SessionFastStore none"), ("SessionFastL2 redis://127.0.0.1", "SessionFastL2"),
    ("SessionFastCacheSize 1000K", "at least 1M")])
def test_what_contradicts_it_is_said(alone, servers, lines, why):
    daemon = alone(lines, cache="0")
    done = daemon.run()
    assert done.returncode != 0 and why in daemon.log_text() + done.stderr
    server = servers.make("event", instance=STORE_ONLY + lines)
    done = subprocess.run([build.HTTPD, "-t", "-f", server.folder / "httpd.conf"], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and why in done.stderr, done.stderr
