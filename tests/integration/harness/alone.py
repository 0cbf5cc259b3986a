# SPDX-License-Identifier: Apache-2.0
"""session-fastd alone in a temporary folder, without httpd."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from . import build
from .daemon import Daemon
from .waiting import wait_until


class Alone:
    def __init__(self, lines="", store="sqlite:sessions.db", cache="4M"):
        self.folder = Path(tempfile.mkdtemp(prefix="sf-test-"))
        self.folder.chmod(0o750)
        self.socket = self.folder / "daemon.sock"
        self.database = self.folder / "sessions.db"
        self.config = self.folder / "test.conf"
        self.log = self.folder / "log"
        self.process = None
        self.user = "root"
        self.spawned = []
        self.configure(lines, store, cache)

    def configure(self, lines="", store="sqlite:sessions.db", cache="4M"):
        self.config.write_text(f"SessionFastInstance {self.folder}\nSessionFastStore {store}\n"
                               f"SessionFastCacheSize {cache}\n{lines}\n")

    def command(self, *arguments):
        user = ["--user", self.user] if os.geteuid() == 0 else []
        return [build.program("session-fastd", "session_daemon"), "--config", self.config, *user, *arguments]

    def spawn(self, *arguments, **options):
        with self.log.open("ab") as log:
            self.spawned.append(subprocess.Popen(self.command(*arguments), stderr=log, **options))
        return self.spawned[-1]

    def start(self, *arguments, **options):
        self.process = self.spawn(*arguments, **options)
        wait_until(lambda: self.is_ready() or self.process.poll() is not None, "the daemon to be ready")
        assert self.process.poll() is None, self.log_text()
        return self

    def is_ready(self):
        return f"process {self.process.pid}" in self.log_text()

    def run(self, *arguments):
        """One that is expected to end by itself."""
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=20)

    def log_text(self):
        return self.log.read_text() if self.log.exists() else ""

    def client(self, deadline=10.0):
        return Daemon(self.socket, deadline)

    def raw(self):
        """A socket for whatever is no RESP."""
        raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        raw.settimeout(10)
        raw.connect(str(self.socket))
        return raw

    def status(self):
        with self.client() as client:
            return client.pairs("SESSION.STATUS")

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        return self.process.wait(20)

    def stop(self):
        return self.kill(signal.SIGTERM)

    def clean_up(self):
        for process in self.spawned:
            if process.poll() is None:
                process.kill()
                process.wait(20)
        shutil.rmtree(self.folder)
