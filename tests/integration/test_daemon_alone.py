# SPDX-License-Identifier: Apache-2.0
"""session-fastd without httpd: its protocol under abuse, its store away, its cache too small, its life and death."""
import os
import random
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from harness.alone import Alone
from harness.daemon import DaemonError
from harness.waiting import wait_until

PING = b"*1\r\n$4\r\nPING\r\n"
NEVER = "SessionFastFlushBatch 100000\nSessionFastFlushDelay 1h"


@pytest.fixture
def alone():
    made = []

    def make(*arguments, **options):
        made.append(Alone(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        print(one.log_text())
        one.clean_up()


@pytest.fixture
def daemon(alone):
    return alone().start()


def key(number):
    return f"{number:032x}"


def create(client, number, *ops, options=()):
    return client.call("SESSION.APPLY", "-", "NEWKEY", key(number), *options, "CREATE", "OPS", *ops)


def in_threads(count, work):
    """Runs work(0), work(1)... at the same time; returns what they return."""
    results = [None] * count

    def run(i):
        try:
            results[i] = work(i)
        except Exception as error:  # pylint: disable=broad-except
            results[i] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# ---- protocol ----

def test_requests_may_come_byte_by_byte(daemon):
    with daemon.raw() as raw:
        for byte in PING + PING:
            raw.sendall(bytes([byte]))
        received = b""
        while len(received) < 14:
            received += raw.recv(100)
        assert received == b"+PONG\r\n" * 2


def test_many_requests_at_once_are_answered_in_order(daemon):
    with daemon.raw() as raw:
        words = [b"*2\r\n$4\r\nPING\r\n$4\r\n%04d\r\n" % i for i in range(5000)]
        sender = threading.Thread(target=raw.sendall, args=(b"".join(words),))
        sender.start()
        stream = raw.makefile("rb")
        for i in range(5000):
            assert stream.readline() == b"$4\r\n"
            assert stream.readline() == b"%04d\r\n" % i
        sender.join()


def test_a_load_does_not_overtake_what_stands_before_it(daemon):
    """The first of three waits for the store; the others wait for it."""
    with daemon.raw() as raw:
        load = b"*2\r\n$12\r\nSESSION.LOAD\r\n$32\r\n" + key(1).encode() + b"\r\n"
        raw.sendall(load + PING + load + PING)
        stream = raw.makefile("rb")
        assert [stream.readline() for _ in range(4)] == [b"$-1\r\n", b"+PONG\r\n"] * 2


@pytest.mark.parametrize("rubbish", [
    b"GET / HTTP/1.0\r\n\r\n", b"PING\r\n", b"*1\r\n:1\r\n", b"*-1\r\n", b"*99999\r\n", b"*1\r\n$999999999\r\n",
    b"\x16\x03\x01\x02\x00", b"\0" * 1000, b"*1\r\n$4\r\nPINGxx",
], ids=lambda rubbish: repr(rubbish[:12]))
def test_what_is_no_request_closes_the_connection(daemon, rubbish):
    with daemon.raw() as raw:
        raw.sendall(PING + rubbish)
        received = b""
        while chunk := raw.recv(1000):
            received += chunk
        assert received.startswith(b"+PONG\r\n-INVALID ")
    with daemon.client() as client:
        assert client.call("PING") == "PONG"


WORDS = ["SESSION.LOAD", "SESSION.GET", "SESSION.APPLY", "SESSION.END", "SESSION.FLUSH", "SESSION.LIST", "SESSION.STATUS",
         "PING", "COMMAND", "CLIENT", "HELLO", "INFO", "-", key(1), key(2), key(3), "NEWKEY", "CREATE", "MAXBYTES", "IDLE",
         "ABSOLUTE", "GRACE", "TOMBSTONE", "REASON", "logout", "admin", "STORE", "OPS", "SET", "UNSET", "INCREMENT",
         "APPEND", "CAS", "ADD", "POP", "CLEAR", "LOGIN", "ROTATE", "TOUCH", "END", "SETINT", "a", "joe", "1", "2",
         "100000", "-1", "99999999999999999999", "", "x" * 100]


def random_request(numbers):
    """Half of them begin as a change does: that command has the most words."""
    begin = ["SESSION.APPLY", numbers.choice([key(1), "-"])] if numbers.random() < 0.5 else [numbers.choice(WORDS[:12])]
    return begin + [numbers.choice(WORDS) for _ in range(numbers.randrange(8))]


def test_whatever_is_asked_has_exactly_one_reply(daemon):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    numbers = random.Random(seed)
    requests = [["SESSION.APPLY", "-", "CREATE", "NEWKEY"], ["SESSION.APPLY", "-", "NEWKEY", key(1), "CREATE", "REASON"]]
    requests += [random_request(numbers) for _ in range(3000)]
    with daemon.client() as client:
        for i, request in enumerate(requests):
            client.send(*request)
            client.send("PING", f"behind {i}")
            try:
                client.receive()
            except DaemonError:
                pass
            assert client.receive() == f"behind {i}", request


def test_half_a_request_and_good_bye(daemon):
    for cut in range(1, len(PING)):
        with daemon.raw() as raw:
            raw.sendall(PING[:cut])
    with daemon.client() as client:
        assert client.call("PING") == "PONG"


def test_replies_reach_a_client_that_has_stopped_sending(daemon):
    with daemon.raw() as raw:
        raw.sendall(b"*2\r\n$12\r\nSESSION.LOAD\r\n$32\r\n" + key(1).encode() + b"\r\n" + PING)
        raw.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := raw.recv(100):
            received += chunk
        assert received == b"$-1\r\n+PONG\r\n"


def test_client_that_does_not_read_is_not_served_without_end(daemon):
    """Its replies are bounded, nobody else notices, and it gets all of them when it reads."""
    big = b"*2\r\n$4\r\nPING\r\n$100000\r\n" + b"x" * 100000 + b"\r\n"
    count = 400
    with daemon.raw() as raw:
        sender = threading.Thread(target=raw.sendall, args=(big * count,))
        sender.start()
        before = memory_of(daemon.process.pid)
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            with daemon.client() as client:
                assert client.call("PING") == "PONG"
        assert memory_of(daemon.process.pid) - before < 12 << 20
        received = 0
        while received < count * (100000 + len("$100000\r\n\r\n")):
            received += len(raw.recv(1 << 20))
        sender.join()


def memory_of(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def test_clients_that_leave_while_they_wait(daemon):
    for i in range(200):
        with daemon.raw() as raw:
            raw.sendall(b"*2\r\n$12\r\nSESSION.LOAD\r\n$32\r\n" + key(i).encode() + b"\r\n")
    with daemon.client() as client:
        assert client.call("PING") == "PONG"
    wait_until(lambda: daemon.status()["connections"] == 1, "the connections to be given back")


def test_one_load_for_each_key_however_many_ask(daemon):
    clients = [daemon.client() for _ in range(40)]
    daemon.process.send_signal(signal.SIGSTOP)
    request = b"*2\r\n$12\r\nSESSION.LOAD\r\n$32\r\n" + key(7).encode() + b"\r\n"
    for client in clients:
        client.socket.sendall(request)
    daemon.process.send_signal(signal.SIGCONT)
    for client in clients:
        assert client.stream.readline() == b"$-1\r\n"
    assert daemon.status()["loads_missing"] == 1


def test_session_that_is_made_while_the_store_is_asked_for_it_is_there(daemon):
    """Both requests have arrived before the daemon looks; the store then says that it has no such session."""
    with daemon.client() as asking, daemon.client() as making:
        assert asking.call("PING") == making.call("PING") == "PONG"
        daemon.process.send_signal(signal.SIGSTOP)
        asking.send("SESSION.GET", key(1))
        making.send("SESSION.APPLY", "-", "NEWKEY", key(1), "CREATE", "OPS", "SET", "a", "1")
        daemon.process.send_signal(signal.SIGCONT)
        assert making.receive()[0] == key(1)
        assert asking.receive()[0] == "@state"


def test_no_more_descriptors_is_no_busy_loop(alone):
    def few_descriptors():
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    daemon = alone().start(preexec_fn=few_descriptors)
    clients = []
    with daemon.client() as first:
        for _ in range(60):
            clients.append(daemon.raw())
        wait_until(lambda: "SF0112" in daemon.log_text(), "the log to tell")
        before = sum(os.times()[2:4])
        busy_before = cpu_of(daemon.process.pid)
        time.sleep(0.5)
        assert cpu_of(daemon.process.pid) - busy_before < 0.2, before
        assert first.call("PING") == "PONG"
        for client in clients:
            client.close()
        with daemon.client() as late:
            assert late.call("PING") == "PONG"
    assert daemon.log_text().count("SF0112") <= 2


def cpu_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- changes ----

def test_increments_of_many_clients_add_up(daemon):
    with daemon.client() as client:
        create(client, 1, "SET", "n", "0")

    def work(_):
        with daemon.client() as client:
            for _ in range(100):
                client.call("SESSION.APPLY", key(1), "OPS", "INCREMENT", "n", "1")

    assert in_threads(8, work) == [None] * 8
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

    def work(_):
        with daemon.client(30) as client:
            for _ in range(10):
                client.call("SESSION.APPLY", key(1), *large, "OPS", "INCREMENT", "n", "1")

    assert in_threads(4, work) == [None] * 4
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
    began = time.monotonic()
    while time.monotonic() < began + 3:
        use()
        time.sleep(0.3)


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
        assert 0 < written <= (time.monotonic() - began) / 0.5 + 1


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


# ---- life ----

def test_second_one_leaves_and_says_so(daemon):
    done = daemon.run()
    assert done.returncode == 0 and "SF0102" in done.stderr
    with daemon.client() as client:
        assert client.call("PING") == "PONG"


def test_second_one_waits_if_it_is_told_to(daemon):
    second = daemon.spawn("--wait", "20")
    wait_until(lambda: daemon.log_text().count("as --user says") == 2 or os.geteuid() != 0, "the second to begin")
    assert daemon.stop() == 0
    wait_until(lambda: f"process {second.pid}" in daemon.log_text(), "the second to take over")
    daemon.process = second
    with daemon.client() as client:
        assert client.call("PING") == "PONG"


def test_killed_at_any_time_nothing_is_lost(alone):
    daemon = alone("SessionFastFlushBatch 3\nSessionFastFlushDelay 10ms").start()
    acknowledged = 0
    for round_ in range(5):
        with daemon.client() as client:
            for i in range(40):
                create(client, 1000 * round_ + i, "SET", "i", str(i))
                acknowledged += 1
        daemon.kill()
        daemon.start()
        assert "found and kept" in daemon.log_text()
    daemon.stop()
    with sqlite3.connect(daemon.database) as connection:
        assert connection.execute("SELECT count(*) FROM session").fetchone()[0] == acknowledged
    connection.close()


def test_sigterm_answers_what_is_under_way(daemon):
    """Requests that have arrived are answered; then the connection ends, not before."""
    with daemon.raw() as raw:
        raw.sendall(PING)
        assert raw.recv(100) == b"+PONG\r\n"
        daemon.process.send_signal(signal.SIGSTOP)
        raw.sendall(b"*2\r\n$12\r\nSESSION.LOAD\r\n$32\r\n" + key(1).encode() + b"\r\n" + PING)
        daemon.process.send_signal(signal.SIGTERM)
        daemon.process.send_signal(signal.SIGCONT)
        received = b""
        while chunk := raw.recv(100):
            received += chunk
    assert received == b"$-1\r\n+PONG\r\n"
    assert daemon.process.wait(10) == 0
    assert not daemon.socket.exists()


def test_sigterm_ends_in_time_with_idle_clients(daemon):
    clients = [daemon.client() for _ in range(20)]
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 2
    assert all(client.stream.read() == b"" for client in clients)


def test_signals_that_do_not_end_it(daemon):
    for number in (signal.SIGHUP, signal.SIGPIPE):
        daemon.process.send_signal(number)
    with daemon.client() as client:
        assert client.call("PING") == "PONG"


def test_files_are_for_nobody_else(daemon):
    modes = {path.name: path.stat().st_mode & 0o777 for path in daemon.folder.iterdir()}
    assert modes.pop("daemon.sock") == 0o660
    modes.pop("test.conf"), modes.pop("log")
    assert all(mode & 0o077 == 0 for mode in modes.values()), modes


def test_other_users_are_refused(alone):
    """Even where the modes of folder and socket would let them in."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    daemon = alone().start()
    daemon.folder.chmod(0o755)
    daemon.socket.chmod(0o666)
    code = (f"import socket; s = socket.socket(socket.AF_UNIX); s.connect('{daemon.socket}'); "
            f"print(s.recv(100)); print(s.recv(100))")
    done = subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", sys.executable, "-c", code],
                          capture_output=True, text=True, timeout=20)
    assert done.stdout == "b'-INVALID this user may not connect\\r\\n'\nb''\n", done
    assert "SF0111" in daemon.log_text()


def test_as_root_only_with_a_user(alone):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    daemon = alone()
    command = daemon.command()
    assert subprocess.run(command[:3], capture_output=True, timeout=20).returncode == 2
    daemon.folder.chmod(0o755)
    os.chown(daemon.folder, 65534, 65534)
    daemon.user = "65534:65534"
    daemon.process = daemon.spawn()
    wait_until(lambda: "SF0101" in daemon.log_text() or daemon.process.poll() is not None, "the daemon to be ready")
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as status:
        ids = [line.split()[1:] for line in status if line.startswith(("Uid", "Gid", "Groups"))]
    assert ids == [["65534"] * 4, ["65534"] * 4, ["65534"]]


@pytest.mark.parametrize("make", [
    lambda folder: (folder / "daemon.lock").symlink_to(folder / "victim"),
    lambda folder: (folder / "secret.keys").symlink_to(folder / "victim"),
    lambda folder: (folder / "l1.cache").symlink_to(folder / "victim"),
    lambda folder: (folder / "daemon.lock").mkdir(),
    lambda folder: os.mkfifo(folder / "secret.keys"),
    lambda folder: folder.chmod(0o777),
])
def test_planted_files_are_refused(alone, make):
    daemon = alone()
    victim = daemon.folder / "victim"
    victim.write_text("precious")
    make(daemon.folder)
    done = daemon.run()
    assert done.returncode == 1 and "SF0103" in done.stderr, done.stderr
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("lines, words", [
    ("SessionFastFlushBatch 0", "SessionFastFlushBatch"), ("SessionFastNonsense 1", "SessionFastNonsense"),
    ("SessionFastStore nonsense:x", "unknown scheme"),
])
def test_bad_configuration_is_told(alone, lines, words):
    daemon = alone(lines)
    for done in (daemon.run("--check-config"), daemon.run()):
        assert done.returncode == 1 and words in done.stderr, done.stderr
    assert not daemon.socket.exists()


def test_calls_that_are_wrong(alone):
    daemon = alone()
    assert daemon.run("--check-config").stdout == "the configuration is good\n"
    for arguments in (["--nonsense"], ["--wait", "x"], ["--wait"], ["behind"]):
        assert daemon.run(*arguments).returncode == 2
    assert daemon.run("--version").stdout.startswith("session-fastd ")
