# SPDX-License-Identifier: Apache-2.0
"""Processes of one test instance: found by its folder's name or by descent, ended by process id only."""
import os
import signal
import socket
from pathlib import Path


_holders = []


def free_port():
    """
    Nobody else is given it while the tests run, though others are looking for one at the same time: bound and not listening,
    it can still be used by a server that asks for SO_REUSEADDR, as they all do.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    _holders.append(holder)
    return holder.getsockname()[1]


class Process:
    """One line of /proc, as it was when we looked."""

    def __init__(self, pid):
        stat = Path(f"/proc/{pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        self.pid = pid
        self.name = stat[stat.index("(") + 1:stat.rindex(")")]
        self.state, self.parent, self.session = fields[0], int(fields[1]), int(fields[3])
        self.threads = len(os.listdir(f"/proc/{pid}/task"))
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        self.command = command.replace(b"\0", b" ").decode("utf-8", "replace").strip()

    def __repr__(self):
        return f"{self.pid} ({self.name}, {self.state}) {self.command}"


def all_processes():
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                yield Process(int(entry))
            except (FileNotFoundError, ProcessLookupError):
                pass


def living(processes):
    """
    Zombies are dead: in a container nobody may be there to collect those that lost their parent. But the first thread of a
    process is a zombie as soon as it has ended, while others may still be there, and with them sockets and locks.
    """
    return [process for process in processes if process.state not in "ZX" or process.threads > 1]


def of_instance(folder, session=None):
    """Everything alive that names the folder in its command, or belongs to the session (setsid) of the test's server."""
    return [process for process in living(all_processes())
            if process.pid != os.getpid() and (str(folder) in process.command or process.session == session)]


def of_session(session):
    """Everything alive that belongs to it (setsid)."""
    return [process for process in living(all_processes()) if process.session == session]


def children_of(pid):
    return [process for process in living(all_processes()) if process.parent == pid]


def send(pid, number):
    """False: it is gone already."""
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def kill(processes):
    for process in processes:
        send(process.pid, signal.SIGKILL)


class OneProcess:
    """A server that is one process: `process`, which its own class starts."""

    process = None

    def freeze(self):
        send(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        send(self.process.pid, signal.SIGCONT)

    def end(self):
        send(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def end_if_running(self):
        if self.process is not None and self.process.poll() is None:
            self.end()
