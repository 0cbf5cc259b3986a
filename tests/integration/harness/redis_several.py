# SPDX-License-Identifier: Apache-2.0
"""Several Redis servers of the test's own that stand in for each other: with Sentinels. Ended by process id."""
import shutil
import signal
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .processes import free_port, send
from .waiting import wait_until


class Node:
    """One process, in a folder of its own below `folder`."""

    def __init__(self, folder, *settings, kind=()):
        self.port = free_port()
        self.folder = folder / str(self.port)
        self.folder.mkdir()
        self.log = self.folder / "log"
        self.kind = kind
        self.process = None
        lines = (f"port {self.port}", "bind 127.0.0.1", f"dir {self.folder}", *settings)
        (self.folder / "redis.conf").write_text("\n".join(lines) + "\n")

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(["redis-server", str(self.folder / "redis.conf"), *self.kind], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        wait_until(lambda: self.ask("PING") == "PONG" or self.process.poll() is not None, "Redis to be ready", 30)
        assert self.process.poll() is None, self.log.read_text()
        return self

    def command(self, *words):
        return ["redis-cli", "-p", str(self.port), *map(str, words)]

    def ask(self, *words):
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=30).stdout.strip()

    def is_master(self):
        return self.ask("ROLE").startswith("master")

    def end(self):
        send(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def freeze(self):
        send(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        send(self.process.pid, signal.SIGCONT)


def start_all(nodes):
    with ThreadPoolExecutor(len(nodes)) as pool:
        list(pool.map(Node.start, nodes))


class Several:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sf-redis-"))
        self.nodes = []

    def add(self, *settings, kind=()):
        self.nodes.append(Node(self.folder, *settings, kind=kind))
        return self.nodes[-1]

    def clean_up(self):
        for node in self.nodes:
            if node.process is not None and node.process.poll() is None:
                node.end()
        shutil.rmtree(self.folder)


class Watched(Several):
    """A master, a replica, and three Sentinels that know it as "main"."""

    def __init__(self):
        super().__init__()
        data = ('save ""', "repl-diskless-sync-delay 0")
        master = self.add(*data)
        replica = self.add(*data, f"replicaof 127.0.0.1 {master.port}")
        self.servers = [master, replica]
        watch = (f"sentinel monitor main 127.0.0.1 {master.port} 2", "sentinel down-after-milliseconds main 400",
                 "sentinel failover-timeout main 3000")
        self.sentinels = [self.add(*watch, kind=("--sentinel",)) for _ in range(3)]

    def start(self):
        start_all(self.servers)
        wait_until(lambda: "master_link_status:up" in self.servers[1].ask("INFO", "replication"), "the replica", 30)
        start_all(self.sentinels)
        wait_until(self.is_complete, "the Sentinels to know each other", 30)
        return self

    def is_complete(self):
        known = [sentinel.ask("SENTINEL", "MASTER", "main").split("\n") for sentinel in self.sentinels]
        known = [dict(zip(flat[::2], flat[1::2])) for flat in known]
        return all(one.get("num-slaves") == "1" and one.get("num-other-sentinels") == "2" for one in known)

    def url(self, options=""):
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis-sentinel://{hosts}?master=main{options and '&' + options}"

    def master(self):
        masters = [server for server in self.servers if server.process.poll() is None and server.is_master()]
        return masters[0] if len(masters) == 1 else None
