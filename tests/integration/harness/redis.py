# SPDX-License-Identifier: Apache-2.0
"""A Redis server of the test's own: socket, port and log in a temporary folder, nothing on disk, ended by process id."""
import shutil
import subprocess
import tempfile
from pathlib import Path

from .certificates import Certificates
from .processes import OneProcess, free_port
from .waiting import wait_until

ADMIN = "Kd3-not-in-any-log"
# What docs/stores.md says is enough.
RIGHTS = ("~session:* &__redis__:invalidate -@all +ping +select +role +info +script|load +evalsha +get +set +exists +hgetall "
          "+hmget +hset +del +pttl +pexpireat +persist +zadd +zrem +zremrangebyscore +zrange +time +scan "
          "+client|id +client|tracking +subscribe")


class Redis(OneProcess):
    """By its socket and port: the user "app" with just the rights that are needed, "guest" with none; TLS on a port of its own."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sf-redis-"))
        self.folder.chmod(0o755)
        self.socket = self.folder / "redis.sock"
        self.log = self.folder / "log"
        self.port, self.tls_port = free_port(), free_port()
        self.certificates = Certificates(self.folder)
        self.ca = self.certificates.ca

    def start(self, *settings):
        lines = (f"port {self.port}", "bind 127.0.0.1", f"unixsocket {self.socket}", "unixsocketperm 777", 'save ""', f"dir {self.folder}",
                 *self.certificates.of_redis(self.tls_port), f"user app on >{ADMIN} {RIGHTS}",
                 f"user guest on >{ADMIN} -@all", *settings)
        config = self.folder / "redis.conf"
        config.write_text("\n".join(lines) + "\n")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(["redis-server", str(config)], cwd=self.folder, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        wait_until(lambda: self.answers() or self.process.poll() is not None, "Redis to be ready", 30)
        assert self.process.poll() is None, self.log.read_text()
        return self

    def cli(self, *words, database=0):
        return ["redis-cli", "-s", str(self.socket), "-n", str(database), *map(str, words)]

    def answers(self):
        done = subprocess.run(self.cli("PING"), capture_output=True, text=True, timeout=30)
        return done.stdout.strip() == "PONG"

    def ask(self, *words, database=0):
        done = subprocess.run(self.cli(*words, database=database), capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def url(self, options="", database=0):
        return f"redis://{'/' + str(database) if database else ''}?socket={self.socket}{options and '&' + options}"

    def tcp_url(self, options="", user=f"app:{ADMIN}@", port=None, host="127.0.0.1"):
        return f"redis://{user}{host}:{port or self.port}{options and '?' + options}"

    def tls_url(self, options="", host="localhost"):
        return f"rediss://app:{ADMIN}@{host}:{self.tls_port}?ca={self.ca}{options and '&' + options}"

    def clean_up(self):
        self.end_if_running()
        shutil.rmtree(self.folder)
