# SPDX-License-Identifier: Apache-2.0
"""session-fastd without httpd: its protocol, used well, wrongly and without end."""
import random
import resource
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from harness.daemon import DaemonError, key
from harness.waiting import wait_until

PING = b"*1\r\n$4\r\nPING\r\n"


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
        wait_until(Rest(daemon.process.pid), "the daemon to come to rest")
        assert first.call("PING") == "PONG"
        for client in clients:
            client.close()
        with daemon.client() as late:
            assert late.call("PING") == "PONG"
    assert daemon.log_text().count("SF0112") <= 2


class Rest:
    """True when all threads of a process have been asleep, and none of them has run for long, so many looks in a row."""
    LOOKS = 20

    def __init__(self, pid):
        self.tasks = Path(f"/proc/{pid}/task")
        self.looks = 0
        self.before = None

    def __call__(self):
        seen = [self.look(task) for task in sorted(self.tasks.iterdir())]
        is_asleep = all(state == "S" for state, _ in seen)
        self.looks = self.looks + 1 if is_asleep and seen == self.before else 0
        self.before = seen
        return self.looks == self.LOOKS

    @staticmethod
    def look(task):
        fields = (task / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return fields[0], int(fields[11]) + int(fields[12])
