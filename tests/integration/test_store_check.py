# SPDX-License-Identifier: Apache-2.0
"""session-fast store check: stores that are well, and stores that are broken in one way each."""
import shutil
import socketserver
import subprocess
import threading

import pytest

from harness.findings import Findings
from harness.memcached import Memcached
from harness.redis import ADMIN, Redis
from harness.redis_cache import RedisCache

STEPS = ["reach it, and its schema", "ask for a session that is not there", "write one", "read it back, byte by byte",
         "refuse to replace another version", "note an access", "list", "end it", "remove what has expired"]


def is_lived(findings):
    return [found["what"] for found in findings if found["what"] in STEPS] == STEPS


# ---- files ----

@pytest.mark.parametrize("url", ["sqlite:probe.db", "file:probe.json"])
def test_store_that_works(check, url):
    code, findings = check(url)
    assert code == 0 and is_lived(findings)
    assert findings.bad() == set() and findings.level("write and fsync") == "ok"
    assert all(found["microseconds"] >= 0 for found in findings if found["what"] in STEPS)


@pytest.mark.parametrize("url, code, what, why", [
    ("fail:write=UNAVAILABLE", 3, "write one", "fail store: write answers UNAVAILABLE"),
    ("fail:load=UNAVAILABLE", 3, "ask for a session that is not there", "UNAVAILABLE"),
    ("fail:write=OK*2+FULL", 1, "note an access", "FULL"),
    ("fail:sweep=CORRUPT", 1, "remove what has expired", "CORRUPT"),
    ("sqlite:/nowhere/sessions.db", 3, "folder", "/nowhere"),
    ("sqlite:/proc/self/sessions.db", 3, "folder", "cannot write there"),
])
def test_what_does_not_work(check, url, code, what, why):
    found, findings = check(url)
    assert (found, findings.level(what)) == (code, "error") and why in findings.why(what)


@pytest.mark.parametrize("url, says", [("sqlite:", "the path is missing"), ("carrier-pigeon:coo", "known are sqlite:")])
def test_url_that_is_none(alone, store, url, says):
    code, _, errors = store(alone(), "check", url)
    assert code == 1 and says in errors


def test_lines_for_people(alone, store):
    code, text, _ = store(alone(), "check", "memory:x")
    assert code == 4
    assert "warning  durability: memory: forgets everything when the daemon ends -> name a store" in text
    assert "ok       write one: works (" in text


def test_database_of_another_program(alone, store):
    daemon = alone()
    (daemon.folder / "notes.db").write_text("shopping list\n" * 100)
    code, text, _ = store(daemon, "check", "sqlite:notes.db")
    assert code == 1 and "error    format:" in text and "not a database" in text


def test_files_belong_to_the_owner_of_the_state_folder(alone, store, as_root):
    daemon = alone()
    subprocess.run(["chown", "www-data:www-data", daemon.folder], check=True)
    assert store(daemon, "check", "sqlite:made.db")[0] == 0
    assert (daemon.folder / "made.db").owner() == "www-data"


def test_folder_of_somebody_else(alone, store, as_root, tmp_path):
    """Who the daemon is cannot write there, and is not told that root could."""
    daemon = alone()
    subprocess.run(["chown", "www-data:www-data", daemon.folder], check=True)
    theirs = daemon.folder / "theirs"
    theirs.mkdir(mode=0o755)
    code, text, _ = store(daemon, "check", f"sqlite:{theirs}/sessions.db", as_json=True)
    assert code == 3 and "cannot write there" in Findings(text).why("folder")


def test_full_disk(alone, store, as_root, tmp_path):
    """A file system of its own, of 64 KiB, filled up."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", tmp_path]).returncode != 0:
        pytest.skip("no right to mount")
    try:
        (tmp_path / "fill").write_bytes(bytes(65536))
        code, text, _ = store(alone(), "check", f"sqlite:{tmp_path}/sessions.db", as_json=True)
        findings = Findings(text)
        assert code == 3 and findings.level("room") == "error" and "No space left" in findings.why("write and fsync")
    finally:
        subprocess.run(["umount", tmp_path], check=True)


# ---- Redis ----

@pytest.fixture(scope="module")
def server():
    server = Redis().start("maxmemory 100mb", "appendonly yes", "appendfsync always")
    yield server
    server.clean_up()


@pytest.fixture
def settings(server):
    """CONFIG SET, until the test is over."""
    before = {}

    def change(name, value):
        before[name] = server.ask("CONFIG", "GET", name).split("\n", 1)[1].strip()
        assert server.ask("CONFIG", "SET", name, value) == "OK"
    yield change
    for name, value in before.items():
        assert server.ask("CONFIG", "SET", name, value) == "OK"


@pytest.mark.backends
def test_redis_that_is_well(server, check):
    """By socket, and by TLS as the user with just the rights of docs/stores.md; what is left expires in minutes."""
    code, findings = check(server.url())
    assert code == 0 and is_lived(findings) and findings.bad() == set()
    assert findings.why("version").startswith("Redis 7")
    code, findings = check(server.tls_url())
    assert code == 0 and is_lived(findings) and findings.bad() == set()
    assert findings.of("TLS, log in")[0]["microseconds"] > 0
    left = [name for name in server.ask("KEYS", "*").split() if name != "session:@layout"]
    assert left and all(0 < int(server.ask("TTL", name)) <= 180 for name in left)


@pytest.mark.backends
@pytest.mark.parametrize("name, value, what, level, why", [
    ("maxmemory-policy", "allkeys-lru", "maxmemory-policy", "error", "removes any session"),
    ("maxmemory-policy", "volatile-ttl", "maxmemory-policy", "warning", "would expire first"),
    ("maxmemory", "0", "maxmemory", "warning", "no limit"),
    ("appendonly", "no", "persistence", "error", "forgets all sessions"),
    ("appendfsync", "no", "persistence", "warning", "half a minute"),
])
def test_redis_that_is_set_up_badly(server, settings, check, name, value, what, level, why):
    settings(name, value)
    code, findings = check(server.url())
    assert (code, findings.level(what), findings.bad()) == ({"error": 1, "warning": 4}[level], level, {what})
    assert why in findings.why(what)


@pytest.mark.backends
def test_doctor_looks_at_the_store_and_leaves_nothing_there(server, settings, doctor, alone):
    settings("maxmemory-policy", "allkeys-lru")
    server.ask("FLUSHALL")
    code, findings = doctor(alone(store=server.url()))
    assert (code, findings.errors(), server.ask("DBSIZE")) == (1, {("store", "maxmemory-policy")}, "0")


@pytest.mark.backends
def test_redis_sessions_that_never_expire(server, check):
    server.ask("HSET", "session:" + "a" * 32, "n", "1", database=4)
    code, findings = check(server.url(database=4))
    assert (code, findings.why("time to live")) == (4, "1 of 1 sessions never expire: they fill the server")


@pytest.mark.backends
def test_redis_rows_that_are_no_sessions(server, check):
    """What hosts tell each other while they move never expires, and fills nothing."""
    server.ask("HSET", "session:" + b"sf-migrate-hosts".hex(), "n", "1", database=5)
    code, findings = check(server.url(database=5))
    assert (code, findings.why("time to live")) == (0, "no session was met")


@pytest.mark.backends
def test_redis_rights(server, check):
    """Each that is missing is named; without those for news the store works."""
    code, findings = check(server.tcp_url(user=f"guest:{ADMIN}@"))
    assert code == 3 and findings.level("rights") == "error"
    assert {"evalsha", "hset", "zadd", "scan"} <= {found["why"].split(":")[0] for found in findings.of("rights")}
    server.ask("ACL", "SETUSER", "deaf", "on", f">{ADMIN}", "~session:*", "+@all", "-hset", "-subscribe", "-pttl")
    server.ask("HSET", "session:" + "b" * 32, "n", "1")
    code, findings = check(server.tcp_url(user=f"deaf:{ADMIN}@"))
    server.ask("DEL", "session:" + "b" * 32)
    assert findings.why("time to live").startswith("not looked at")
    missing = {found["why"].split(":")[0]: found["level"] for found in findings.of("rights")}
    assert missing == {"hset": "error", "pttl": "error", "subscribe &__redis__": "warning"}
    assert findings.of("rights")[0]["mend"] == "ACL SETUSER deaf +hset ~session:*"
    server.ask("ACL", "SETUSER", "strange", "on", f">{ADMIN}", "~other:*", "&*", "+@all")
    code, findings = check(server.tcp_url(user=f"strange:{ADMIN}@"))
    assert findings.level("rights") == "error" and "keys" in findings.why("rights")


@pytest.mark.backends
@pytest.mark.parametrize("url, what, why", [
    (lambda server: server.tcp_url(user="app:wrong@"), "log in", "WRONGPASS"),
    (lambda server: server.tls_url(host="127.0.0.1"), "TLS, log in", "certificate"),
    (lambda server: server.tcp_url(port=1), "connect", "refused"),
    (lambda server: server.tcp_url(host="no-such-host.invalid"), "look up", ""),
    (lambda server: server.url(database=99), "database", "out of range"),
])
def test_redis_that_cannot_be_used(server, check, url, what, why):
    code, findings = check(url(server))
    assert code in (1, 3) and findings.level(what) == "error" and why in findings.why(what)


@pytest.mark.backends
def test_redis_that_asks_for_a_password(server, check):
    """One error says so; nothing is said of rights, and nobody is told to give them to everybody."""
    server.ask("CONFIG", "SET", "requirepass", ADMIN)
    try:
        code, findings = check(server.tcp_url(user=""))
    finally:
        server.ask("-a", ADMIN, "CONFIG", "SET", "requirepass", "")
    assert (code, findings.bad(), findings.why("log in")) == (3, {"log in"}, "the server asks for a password")


class SomethingElse(socketserver.BaseRequestHandler):
    def handle(self):
        if self.request.recv(100):
            self.request.sendall(b"ERROR\r\n")


@pytest.mark.backends
def test_redis_that_is_something_else(check):
    """Whoever listens there is not said to be without a password."""
    with socketserver.TCPServer(("127.0.0.1", 0), SomethingElse) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        code, findings = check(f"redis://127.0.0.1:{other.server_address[1]}")
        other.shutdown()
    assert (code, findings.bad()) == (3, {"log in"}) and "not the Redis protocol" in findings.why("log in")


@pytest.mark.backends
def test_redis_that_is_a_replica(server, check):
    server.ask("REPLICAOF", "127.0.0.1", "1")
    try:
        code, findings = check(server.url())
        assert (code, findings.level("role")) == (3, "error") and "slave" in findings.why("role")
    finally:
        server.ask("REPLICAOF", "NO", "ONE")


# ---- SessionFastL2 ----

L2_STEPS = ["take a lease where nothing is", "put 64 KiB in its place", "find them, byte by byte", "put a mark over them",
            "put nothing over a mark", "take the mark away"]


def is_used(findings):
    return [found["what"] for found in findings if found["what"] in L2_STEPS] == L2_STEPS


@pytest.fixture
def cache(request):
    server = request.param[0]().start(*request.param[1:])
    yield server
    server.clean_up()


@pytest.fixture
def instance(alone):
    """With its configuration where whoever starts a daemon writes it."""
    def make(lines):
        host = alone(lines)
        shutil.copy(host.config, host.folder / "instance.conf")
        return host
    return make


def on(server, *settings):
    return pytest.mark.parametrize("cache", [(server, *settings)], indirect=True, ids=[server.__name__])


@on(Memcached)
@pytest.mark.backends
def test_memcached_that_is_well(cache, check):
    code, findings = check(cache.url())
    assert code == 0 and findings.bad() == set() and is_used(findings)
    assert findings.why("version").startswith("memcached 1.6") and findings.why("listens") == "at 127.0.0.1 alone"
    assert b"STAT curr_items 0\r\n" in cache.ask("stats", b"END\r\n")


@on(Memcached, "-M", "-I", "512k")
@pytest.mark.backends
def test_memcached_that_is_set_up_badly(cache, check, doctor, alone):
    code, findings = check(cache.url())
    assert (code, findings.bad()) == (4, {"evictions", "item size"}) and is_used(findings)
    code, findings = doctor(alone(f"SessionFastL2 {cache.url()}"))
    bad = {found["what"] for found in findings if found["area"] == "l2" and found["level"] != "ok"}
    assert bad == {"evictions", "item size"} and not is_used(findings)


@on(Memcached, "-C")
@pytest.mark.backends
def test_memcached_that_cannot_be_used(cache, check):
    code, findings = check(cache.url())
    assert (code, findings.bad()) == (3, {"CAS", L2_STEPS[0]})


@on(RedisCache, "maxmemory 100mb", "maxmemory-policy allkeys-lru")
@pytest.mark.backends
def test_redis_as_a_cache(cache, check, store, instance):
    """As the user with just the rights of docs/stores.md; what is right for a store is wrong here, and the other way round."""
    host = instance(f"SessionFastL2 {cache.url()}")
    for words in ([], [cache.url()], ["--l2", cache.url()]):
        code, text, _ = store(host, "check", *words, as_json=True)
        findings = Findings(text)
        assert code == 0 and findings.bad() == set() and is_used(findings)
        assert is_lived(findings) == (words == [])
    cache.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    cache.ask("ACL", "SETUSER", "cache", "-getrange")
    code, text, _ = store(host, "check", "--l2", cache.url(), as_json=True)
    findings = Findings(text)
    assert findings.level("maxmemory-policy") == "warning" and findings.why("rights").startswith("getrange")
    assert findings.of("rights")[0]["mend"] == "ACL SETUSER cache +getrange ~session-l2:*"
    assert check(cache.tcp_url())[1].level("maxmemory-policy") == "ok"


@pytest.mark.backends
def test_l2_that_is_away(check, store, instance):
    assert check("memcached://127.0.0.1:1")[0] == 3
    code, text, _ = store(instance("SessionFastL2 memcached://127.0.0.1:1"), "check", as_json=True)
    findings = Findings(text)
    assert code == 1 and is_lived(findings) and findings.bad() == {"connect"}


@pytest.mark.parametrize("words, code", [(["check", "--l2"], 2), (["export", "--l2", "memcached://h"], 2), (["check", "--l2", "sqlite:x"], 1)])
def test_l2_that_is_none(alone, store, words, code):
    assert store(alone(), *words)[0] == code
