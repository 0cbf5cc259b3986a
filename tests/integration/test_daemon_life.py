# SPDX-License-Identifier: Apache-2.0
"""httpd's parent and session-fastd: which one is started, kept, replaced, left alone and ended, and by whom."""
import ctypes
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness import build
from harness.processes import Process, children_of, living, send
from harness.servers import MPMS
from harness.site import change, log_in
from harness.waiting import wait_until

PR_SET_CHILD_SUBREAPER = 36
LAST_PID = Path("/proc/sys/kernel/ns_last_pid")


@pytest.fixture(params=MPMS)
def mpm(request):
    return request.param


@pytest.fixture
def server(servers, mpm):
    return servers.start(mpm)


def kill_httpd_alone(server):
    """The daemon lives on."""
    server.parent.kill()
    server.parent.wait(10)
    for process in server.tree():
        if not process.name.startswith("session-fastd"):
            send(process.pid, signal.SIGKILL)
    wait_until(lambda: not [process for process in server.tree() if process.name.startswith("apache2")], "httpd to go")


def second_of(servers, first, lines=""):
    """Another httpd on the same instance, by default with the same options."""
    second = servers.make(first.mpm)
    second.instance, second.socket, second.database = first.instance, first.socket, first.database
    second.write_configuration(instance=f'SessionFastDaemon "{first.folder}/bin/session-fastd"\n{lines}')
    return second.start()


def is_alive(pid):
    try:
        return bool(living([Process(pid)]))
    except (FileNotFoundError, ProcessLookupError):
        return False


def theme(browser):
    return browser.get("/app/probe").session.get("SESSION_FIELD_THEME")


def wait_for_other_daemon(server, old, seconds=1.0):
    return wait_until(lambda: server.daemon_pid() not in (None, old) and server.daemon_pid(), "another daemon", seconds)


def test_orphan_is_replaced_at_start(server):
    """It would be nobody's child: its end would be heard late, and its number may become another process's."""
    browser = server.browser()
    change(browser, "X-Session-Set: theme=dark")
    orphan = server.daemon_pid()
    kill_httpd_alone(server)
    assert is_alive(orphan)
    server.start()
    own = server.daemon_pid()
    assert not is_alive(orphan)
    assert Process(own).parent == server.parent.pid
    assert theme(browser) == "dark"
    assert server.count_in_log("SF0535") == 1
    send(own, signal.SIGKILL)
    wait_for_other_daemon(server, own)
    assert theme(browser) == "dark"


def test_stopped_orphan_is_replaced_at_start(server):
    browser = server.browser()
    change(browser, "X-Session-Set: theme=dark")
    orphan = server.daemon_pid()
    kill_httpd_alone(server)
    send(orphan, signal.SIGSTOP)
    server.start()
    assert not is_alive(orphan)
    assert theme(browser) == "dark"


def test_stopped_daemon_ends_with_httpd(server):
    browser = server.browser()
    log_in(browser)
    change(browser, "X-Session-Set: theme=dark")
    daemon = server.daemon_pid()
    send(daemon, signal.SIGSTOP)
    server.stop()
    assert not is_alive(daemon)
    server.start()
    assert theme(browser) == "dark"


def test_daemon_that_dies_as_the_parent_falls_asleep(servers, mpm):
    """Its signal comes when nothing can be interrupted by it any more."""
    server = servers.make(mpm)
    preloaded = server.folder / "bin/late_sleep.so"
    victim = server.folder / "run/victim"
    build.compile_c(build.APPLICATIONS / "late_sleep.c", preloaded, "-shared", "-fPIC", "-ldl")
    server.environment = {"LD_PRELOAD": str(preloaded), "SF_VICTIM": str(victim)}
    server.start()
    for _ in range(3):
        daemon = server.daemon_pid()
        (server.folder / "run/next").write_text(str(daemon))
        (server.folder / "run/next").rename(victim)
        wait_until(lambda: not victim.exists(), "the parent to fall asleep")
        wait_for_other_daemon(server, daemon, 10)


DEAF = """#!/usr/bin/python3
import fcntl, os, signal, socket, sys
if "--check-config" in sys.argv:
    sys.exit(0)
folder = os.path.dirname(sys.argv[sys.argv.index("--config") + 1])
signal.signal(signal.SIGTERM, signal.SIG_IGN)
lock = os.open(folder + "/daemon.lock", os.O_RDWR | os.O_CREAT, 0o640)
fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
listener = socket.socket(socket.AF_UNIX)
listener.bind(folder + "/daemon.sock")
listener.listen()
while True:
    client = listener.accept()[0]
    try:
        while client.recv(1000):
            client.sendall(b"+PONG\\r\\n")
    except OSError:
        pass  # who asked has gone
"""


def test_deaf_daemon_is_killed_with_httpd(servers, mpm):
    server = servers.make(mpm, instance="SessionFastStopTimeout 100ms")
    daemon = server.folder / "bin/session-fastd"
    daemon.write_text(DEAF)
    daemon.chmod(0o755)
    server.start()
    (child,) = [child for child in children_of(server.parent.pid) if "bin/session-fastd" in child.command]
    server.stop()
    assert not is_alive(child.pid)
    (line,) = server.log_lines("SF0532")
    assert "killed" in line


# Two httpds

def test_second_httpd_goes_along(server, servers):
    daemon = server.daemon_pid()
    second = second_of(servers, server)
    assert second.daemon_pid() == daemon
    assert second.count_in_log("SF0536") == 1
    browser = server.browser()
    change(browser, "X-Session-Set: theme=dark")
    other = second.browser()
    other.cookies = dict(browser.cookies)
    assert theme(other) == "dark"
    second.graceful()
    second.restart()
    assert second.daemon_pid() == daemon
    assert second.count_in_log("SF0536") == 1
    second.stop()
    assert server.daemon_pid() == daemon
    assert not second.log_lines("SF053[1-57-9]")
    assert not server.log_lines("SF053[2-9]")


def test_second_httpd_takes_over_and_back(server, servers):
    daemon = server.daemon_pid()
    second = second_of(servers, server)
    server.stop()
    taken_over = wait_for_other_daemon(second, daemon)
    assert Process(taken_over).parent == second.parent.pid
    server.start()
    assert server.daemon_pid() == taken_over
    assert server.count_in_log("SF0536") == 1
    assert second.count_in_log("SF0539") == 1
    second.stop()
    wait_for_other_daemon(server, taken_over)
    assert not server.log_lines("SF053[2345]") and not second.log_lines("SF053[2345]")


def test_daemon_of_two_is_killed(server, servers):
    """One new daemon, whichever httpd is faster; the other one goes along, and nobody tries again and again."""
    daemon = server.daemon_pid()
    second = second_of(servers, server)
    for _ in range(3):
        send(daemon, signal.SIGKILL)
        daemon = wait_for_other_daemon(server, daemon)
        wait_until(lambda: second.log_lines(rf"SF053[16].*process {daemon}\)"), "the second to go along with it")
    assert server.daemon_pid() == daemon
    assert len(server.log_lines("SF0534") + second.log_lines("SF0534")) == 3


def test_killed_httpd_of_two(server, servers):
    """Its daemon is an orphan: it serves the other httpd, and ends with that."""
    daemon = server.daemon_pid()
    second = second_of(servers, server)
    kill_httpd_alone(server)
    assert second.daemon_pid() == daemon
    second.stop()
    assert not is_alive(daemon)


def test_second_httpd_with_wrong_options(server, servers):
    daemon = server.daemon_pid()
    second = second_of(servers, server)
    second.write_configuration(instance=second.instance_lines + "SessionFastStore sqlite:")
    second.graceful()
    browser = second.browser()
    change(browser, "X-Session-Set: theme=dark")
    assert theme(browser) == "dark"
    assert second.daemon_pid() == daemon
    assert len(second.log_lines("error]")) == 1


def test_two_httpds_that_disagree(server, servers):
    daemon = server.daemon_pid()
    second = second_of(servers, server, "SessionFastFlushBatch 77")
    (line,) = second.log_lines("SF0538")
    assert str(server.instance / "instance.conf") in line and "SessionFastFlushBatch" in line
    for one in (server, second, server, second):
        one.graceful()
        assert one.daemon_pid() == daemon
    assert not server.log_lines("SF053[2-9]")
    assert not second.log_lines("SF053[1-5]")
    assert "FlushBatch" not in (server.instance / "instance.conf").read_text()
    server.stop()
    wait_for_other_daemon(second, daemon)
    assert "SessionFastFlushBatch 77" in (server.instance / "instance.conf").read_text()
    second.stop()


def make_process_with(pid):
    """None: the kernel does not let us choose numbers, or somebody else was faster."""
    for _ in range(50):
        LAST_PID.write_text(str(pid - 1))
        process = subprocess.Popen(["sleep", "100"], start_new_session=True)
        if process.pid == pid:
            return process
        process.kill()
        process.wait()
    return None


def test_reused_number_is_nobodys_daemon(servers, as_root):
    """What a foreign daemon's number means later is none of our business, least of all when httpd stops."""
    if not os.access(LAST_PID, os.W_OK):
        pytest.skip("the kernel does not let us choose numbers of processes")
    server = servers.start("event")
    daemon = server.daemon_pid()
    second = second_of(servers, server)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    kill_httpd_alone(server)
    send(daemon, signal.SIGKILL)
    os.waitpid(daemon, 0)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    victim = make_process_with(daemon)
    if victim is None:
        pytest.skip("the number was taken")
    second.stop()
    is_spared = victim.poll() is None
    victim.kill()
    victim.wait()
    assert is_spared


# Options that are no good

@pytest.mark.parametrize("how", ["graceful", "restart"])
def test_refused_options_leave_the_daemon_alone(server, how):
    """The start of a daemon would fail; `apachectl -t` alone cannot know that."""
    browser = server.browser()
    change(browser, "X-Session-Set: theme=dark")
    daemon, told = server.daemon_pid(), (server.instance / "instance.conf").read_bytes()
    server.write_configuration(instance="SessionFastDaemon /bin/false")
    getattr(server, how)()
    assert server.daemon_pid() == daemon
    assert (server.instance / "instance.conf").read_bytes() == told
    assert theme(browser) == "dark"
    assert len(server.log_lines(":error]")) == len(server.log_lines("SF0537")) == 1
    send(daemon, signal.SIGKILL)
    wait_for_other_daemon(server, daemon)
    assert (server.instance / "instance.conf").read_bytes() == told
    server.write_configuration(instance="")
    server.graceful()
    assert theme(browser) == "dark"


@pytest.mark.parametrize("line", ["SessionFastStore sqlite:", "SessionFastStore sqlite:/tmp",
                                  "SessionFastInstance /nonexistent/folder/instance", "SessionFastDaemon /nonexistent"])
def test_wrong_options_at_a_restart(server, line):
    """`apachectl graceful` would have refused them; a signal alone must not end httpd or its daemon either."""
    browser = server.browser()
    change(browser, "X-Session-Set: theme=dark")
    daemon, told = server.daemon_pid(), (server.instance / "instance.conf").read_bytes()
    server.write_configuration(instance=line)
    server.graceful()
    assert server.daemon_pid() == daemon
    assert (server.instance / "instance.conf").read_bytes() == told
    assert theme(browser) == "dark"
    (error,) = server.log_lines("error]")
    assert "SF0537" in error and f"{server.folder}/httpd.conf, line " in error and line.split()[0] in error
    server.write_configuration(instance="")
    server.graceful()
    assert server.daemon_pid() == daemon
    assert theme(browser) == "dark"


@pytest.mark.parametrize("how", ["graceful", "restart"])
def test_options_that_no_daemon_can_start_with(server, how):
    """Nobody but a daemon that opens it can tell: the one that ran before is started again."""
    browser = server.browser()
    change(browser, "X-Session-Set: theme=dark")
    daemon, told = server.daemon_pid(), (server.instance / "instance.conf").read_bytes()
    picture = server.instance / "picture"
    picture.write_bytes(b"no database" * 1000)
    if os.geteuid() == 0:
        shutil.chown(picture, "www-data", "www-data")
    server.write_configuration(instance=f"SessionFastStore sqlite:{picture}")
    getattr(server, how)()
    wait_for_other_daemon(server, daemon)
    assert (server.instance / "instance.conf").read_bytes() == told
    assert theme(browser) == "dark"
    assert server.status()["store"] == "sqlite:sessions.db"
    assert len(server.log_lines("SF0537")) == 1


def test_refused_options_at_start(servers):
    server = servers.make("event", instance="SessionFastDaemon /bin/false")
    done = subprocess.run([build.HTTPD, "-f", server.folder / "httpd.conf", "-DFOREGROUND"], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=20)
    assert done.returncode != 0
    assert len(server.log_lines("SF0537")) == 1
    assert not (server.instance / "instance.conf.new").exists()


def test_only_what_changes_something_replaces_the_daemon(server):
    daemon = server.daemon_pid()
    server.write_configuration(instance="SessionFastFlushDelay 5000ms")  # the default, in other words
    server.graceful()
    assert server.daemon_pid() == daemon
    server.write_configuration(instance="SessionFastFlushDelay 2s")
    began = time.monotonic()
    server.graceful()
    wait_for_other_daemon(server, daemon)
    assert time.monotonic() - began < 5
    (line,) = server.log_lines("SF0535")
    assert "SessionFastFlushDelay" in line
