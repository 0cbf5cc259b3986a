# SPDX-License-Identifier: Apache-2.0
"""session-fast doctor on installations that are well, and on some that are broken in one way each."""
import signal
import subprocess
import tempfile

import pytest

from harness import build
from harness.daemon import DaemonError, create


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_one_that_is_well(alone, doctor):
    daemon = alone().start()
    with daemon.client() as client:
        create(client, 1, "SET", "a", "1", options=("STORE",))
    code, findings = doctor(daemon)
    assert code in (0, 4) and findings.errors() == set(), findings
    assert {found["area"] for found in findings} == {"configuration", "user", "memory", "run folder", "state folder", "cache",
                                                    "keys", "journal", "daemon", "limits", "clock", "store"}
    assert findings.of("daemon")[0]["microseconds"] > 0
    assert findings.why("segment").endswith("4 MiB") and findings.why("secret.keys").startswith("1 secret, by name ")


def test_nothing_is_changed_and_no_daemon_is_needed(alone, doctor):
    daemon = alone().start()
    assert daemon.stop() == 0
    before = contents(daemon.folder)
    code, findings = doctor(daemon)
    assert code == 4 and findings.errors() == set() and "no daemon runs" in findings.why("socket")
    assert contents(daemon.folder) == before


def test_sessions_that_are_in_another_store(alone, doctor):
    """The configuration still names the one that they have left."""
    daemon = alone().start()
    program = build.program("session-fast", "command_line")
    for words in (("start", "file:other.json", "--wait"), ("finish",)):
        subprocess.run([program, "-i", daemon.folder, "migrate", *words], check=True, capture_output=True, timeout=60)
    code, findings = doctor(daemon)
    assert code == 4 and findings.level("migration") == "warning"
    assert findings.why("migration") == "finished: the sessions are in file:other.json"


def test_daemon_that_was_killed(alone, doctor):
    daemon = alone().start()
    daemon.kill(signal.SIGKILL)
    code, findings = doctor(daemon)
    assert code == 1 and findings.errors() == {("daemon", "daemon")}


@pytest.mark.backends
def test_store_that_is_down_is_told_by_the_daemon_too(alone, doctor):
    daemon = alone(store="redis://127.0.0.1:1").start()
    with daemon.client() as client, pytest.raises(DaemonError):
        create(client, 1, "SET", "a", "1", options=("STORE",))
    code, findings = doctor(daemon)
    assert code == 1 and {("daemon", "store"), ("store", "connect")} <= findings.errors()


@pytest.mark.parametrize("line, area, what", [
    ("SessionFastFlushDelay soon", "configuration", "file"),
    ("SessionFastStore carrier-pigeon:coo", "store", "URL"),
    pytest.param("SessionFastL2 memcached://127.0.0.1:1", "l2", "connect", marks=pytest.mark.backends),
    pytest.param("SessionFastL2 redis://127.0.0.1:1", "l2", "connect", marks=pytest.mark.backends),
    ("SessionFastStateDirectory /nowhere/at/all", "state folder", "folder"),
])
def test_configuration(alone, doctor, line, area, what):
    """What is wrong in one part does not hide the others."""
    code, findings = doctor(alone(line))
    assert code == 1 and (area, what) in findings.errors()
    assert {"memory", "daemon", "clock", "store"} <= {found["area"] for found in findings}


def test_modes_that_let_others_in(alone, doctor):
    daemon = alone().start()
    daemon.socket.chmod(0o666)
    (daemon.folder / "secret.keys").chmod(0o644)
    daemon.database.chmod(0o644)
    daemon.folder.chmod(0o757)
    assert {("daemon", "socket"), ("keys", "secret.keys"), ("store", "file"), ("state folder", "mode of the folder")} <= \
        doctor(daemon)[1].errors()


def test_folders_of_different_users(alone, doctor, as_root):
    with tempfile.TemporaryDirectory(prefix="sf-state-") as state:
        subprocess.run(["chown", "www-data:www-data", state], check=True)
        code, findings = doctor(alone(f"SessionFastStateDirectory {state}"))
        assert code == 1 and {("state folder", "owner"), ("run folder", "folder")} <= findings.errors()


def test_no_room_for_the_cache(alone, doctor, as_root):
    """A file system of its own, of 1 MiB, for an instance with a cache of 4 MiB; then filled up."""
    daemon = alone()
    written = daemon.config.read_text()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=750", "none", daemon.folder]).returncode != 0:
        pytest.skip("no right to mount")
    try:
        daemon.config.write_text(written)
        assert ("run folder", "room for the cache") in doctor(daemon)[1].errors()
        with (daemon.folder / "fill").open("wb", buffering=0) as fill:
            with pytest.raises(OSError):
                while True:
                    fill.write(bytes(4096))
        assert {("state folder", "room"), ("store", "write and fsync")} <= doctor(daemon)[1].errors()
    finally:
        subprocess.run(["umount", daemon.folder], check=True)


def test_wrong_usage():
    program = build.program("session-fast", "command_line")
    assert subprocess.run([program, "doctor", "a", "b"], capture_output=True).returncode == 2
