# SPDX-License-Identifier: Apache-2.0
"""session-fastd without httpd: its life and death, who may reach it, and what it refuses to begin with."""
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from harness.daemon import create, key
from harness.waiting import wait_until

PING = b"*1\r\n$4\r\nPING\r\n"


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
    assert modes.pop("instance.conf") == 0o640
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
