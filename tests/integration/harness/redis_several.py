# SPDX-License-Identifier: Apache-2.0
"""Several Redis servers of the test's own that stand in for each other: with Sentinels. Ended by process id."""
import os
import shutil
import signal
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .certificates import Certificates
from .processes import free_port, send
from .redis import ADMIN, RIGHTS
from .waiting import wait_until


class Node:
    """One process, in a folder of its own below `folder`."""

    def __init__(self, folder, *settings, kind=(), password=None):
        self.password = password
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
        environment = {**os.environ, "REDISCLI_AUTH": self.password} if self.password else None
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=30, env=environment).stdout.strip()

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

    def add(self, *settings, **options):
        self.nodes.append(Node(self.folder, *settings, **options))
        return self.nodes[-1]

    def add_with_tls(self, *settings, **options):
        """By its port plain, too, for redis-cli. Found as localhost, which may be either number."""
        port = free_port()
        node = self.add("bind 127.0.0.1 -::1", *self.certificates.of_redis(port), *settings, **options)
        node.tls_port = port
        return node

    def clean_up(self):
        for node in self.nodes:
            if node.process is not None and node.process.poll() is None:
                node.end()
        shutil.rmtree(self.folder)


class WatchedByTls(Several):
    """A master and a Sentinel, which knows it by its name; they speak TLS with each other, too."""

    def __init__(self):
        super().__init__()
        self.certificates = Certificates(self.folder)
        master = self.add_with_tls('save ""', f"user app on >{ADMIN} {RIGHTS}")
        sentinel = self.add_with_tls("tls-replication yes", "sentinel resolve-hostnames yes", "sentinel announce-hostnames yes",
                                     f"sentinel monitor main localhost {master.tls_port} 1", kind=("--sentinel",))
        self.master, self.sentinel = master, sentinel

    def start(self):
        start_all(self.nodes)
        return self

    def url(self, host="localhost"):
        return f"rediss-sentinel://app:{ADMIN}@{host}:{self.sentinel.tls_port}?master=main&ca={self.certificates.ca}"


class Watched(Several):
    """A master, a replica, and three Sentinels that know it as "main". Each side has its own password."""

    SENTINELS = "Sentinels-have-another"

    def __init__(self):
        super().__init__()
        data = ('save ""', "repl-diskless-sync-delay 0", f"requirepass {ADMIN}", f"masterauth {ADMIN}",
                f"user app on >{ADMIN} {RIGHTS} +wait")
        master = self.add(*data, password=ADMIN)
        replica = self.add(*data, f"replicaof 127.0.0.1 {master.port}", password=ADMIN)
        self.servers = [master, replica]
        watch = (f"sentinel monitor main 127.0.0.1 {master.port} 2", "sentinel down-after-milliseconds main 400",
                 "sentinel failover-timeout main 3000", f"sentinel auth-pass main {ADMIN}", f"sentinel sentinel-pass {self.SENTINELS}",
                 f"requirepass {self.SENTINELS}")
        self.sentinels = [self.add(*watch, kind=("--sentinel",), password=self.SENTINELS) for _ in range(3)]
        self.password_file = self.folder / "password"
        self.password_file.write_text(self.SENTINELS + "\n")
        self.password_file.chmod(0o600)

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
        return f"redis-sentinel://app:{ADMIN}@{hosts}?master=main&sentinel-password-file={self.password_file}{options and '&' + options}"

    def master(self):
        masters = [server for server in self.servers if server.process.poll() is None and server.is_master()]
        return masters[0] if len(masters) == 1 else None


SLOTS = 16384


class Cluster(Several):
    """Masters that share the slots, each with so many replicas."""

    def __init__(self, masters=3, replicas=0, has_tls=False):
        super().__init__()
        self.certificates = Certificates(self.folder) if has_tls else None
        settings = ('save ""', "cluster-enabled yes", "cluster-node-timeout 1000", "repl-diskless-sync-delay 0",
                    "cluster-require-full-coverage no",
                    f"user app on >{ADMIN} {RIGHTS} +cluster|slots +cluster|nodes +asking +zscore", "cluster-allow-replica-migration no", "repl-ping-replica-period 1")
        named = ("tls-cluster yes", "cluster-announce-hostname localhost", "cluster-preferred-endpoint-type hostname")
        for _ in range(masters * (1 + replicas)):
            if has_tls:
                self.add_with_tls(*settings, *named, f"cluster-port {free_port()}")
            else:
                self.add(*settings, f"cluster-port {free_port()}")
        self.masters = self.nodes[:masters]

    def start(self):
        start_all(self.nodes)
        bounds = [SLOTS * index // len(self.masters) for index in range(len(self.masters) + 1)]
        for node, first, behind in zip(self.masters, bounds, bounds[1:]):
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, behind - 1)
        for number, node in enumerate(self.nodes[1:], 2):
            bus = (node.folder / "redis.conf").read_text().split("cluster-port ")[1].split()[0]
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number)
            port = node.port if self.certificates is None else node.tls_port
            self.nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", port, bus)
        wait_until(lambda: all(self.knows_all(node) for node in self.nodes), "the nodes to know each other", 30)
        for number, node in enumerate(self.nodes[len(self.masters):]):
            node.ask("CLUSTER", "REPLICATE", self.id_of(self.masters[number % len(self.masters)]))
        wait_until(lambda: all(self.is_whole(node) for node in self.nodes), "the Cluster", 30)
        return self

    def knows_all(self, node):
        return f"cluster_known_nodes:{len(self.nodes)}" in node.ask("CLUSTER", "INFO")

    def is_whole(self, node):
        is_linked = node in self.masters or "master_link_status:up" in node.ask("INFO", "replication")
        return is_linked and "cluster_state:ok" in node.ask("CLUSTER", "INFO")

    def id_of(self, node):
        return node.ask("CLUSTER", "MYID")

    def url(self, options=""):
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.masters)
        return f"redis-cluster://app:{ADMIN}@{hosts}{options and '?' + options}"

    def tls_url(self, host="localhost"):
        hosts = ",".join(f"{host}:{node.tls_port}" for node in self.masters)
        return f"rediss-cluster://app:{ADMIN}@{hosts}?ca={self.certificates.ca}"

    def ask(self, *words):
        """As one command to the Cluster, which follows redirects."""
        node = next(node for node in self.nodes if node.process.poll() is None)
        done = subprocess.run(["redis-cli", "-c", "-p", str(node.port), *map(str, words)], capture_output=True, text=True, timeout=30)
        return done.stdout.strip()

    def reshard(self, source, target, count):
        """So many slots, with all that is in them."""
        subprocess.run(["redis-cli", "--cluster", "reshard", f"127.0.0.1:{source.port}", "--cluster-from", self.id_of(source),
                        "--cluster-to", self.id_of(target), "--cluster-slots", str(count), "--cluster-yes"],
                       check=True, timeout=60, capture_output=True)
