# SPDX-License-Identifier: Apache-2.0
"""A MariaDB server of the test's own: data, socket and log in a temporary folder, ended by process id."""
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from .postgresql import UID, unprivileged
from .processes import free_port, send
from .waiting import wait_until

PROGRAM = "/usr/sbin/mariadbd"


class MySQL:
    LOCK = "LOCK TABLES session_fast_session WRITE"
    COUNT_SESSIONS_OF_APP = "SELECT count(*) FROM information_schema.processlist WHERE user = 'app'"
    VERSION_OF = "SELECT version FROM session_fast_session WHERE lower(hex(`key`)) = "

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sf-mysql-"))
        self.folder.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(self.folder, UID, UID)
        self.data = self.folder / "data"
        self.socket = self.folder / "mysql.sock"
        self.log = self.folder / "log"
        self.port = free_port()
        self.process = None
        self.ready = 0.0
        self.run("mariadb-install-db", "--no-defaults", f"--datadir={self.data}", "--skip-test-db",
                 "--auth-root-authentication-method=normal")

    def run(self, *command):
        done = subprocess.run(unprivileged([str(word) for word in command]), cwd=self.folder, timeout=120,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, *options):
        """Never within the second of the last one: that is all that MySQL tells two runs apart by."""
        wait_until(lambda: time.time() > int(self.ready) + 1.1, "the next second", 5)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                unprivileged([PROGRAM, "--no-defaults", f"--datadir={self.data}", f"--socket={self.socket}",
                              f"--port={self.port}", "--bind-address=127.0.0.1", "--skip-name-resolve",
                              f"--pid-file={self.folder}/pid", "--innodb-buffer-pool-size=32M", *options]),
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        wait_until(lambda: self.answers() or self.process.poll() is not None, "MariaDB to be ready", 60)
        assert self.process.poll() is None, self.log.read_text()
        self.ready = time.time()
        return self

    def command(self, database="mysql", user="root"):
        return ["mariadb", "--no-defaults", f"--socket={self.socket}", "-u", user, "-N", "-B", database]

    def answers(self):
        return subprocess.run([*self.command(), "-e", "SELECT 1"], capture_output=True, timeout=60).returncode == 0

    def ask(self, text, database="mysql"):
        done = subprocess.run([*self.command(database), "-e", text], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def session(self, text, database="mysql", user="root"):
        """One that keeps its locks until it is killed."""
        session = subprocess.Popen([*self.command(database, user), "--unbuffered"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        session.stdin.write(f"{text};\nSELECT 'done';\n")
        session.stdin.flush()
        assert session.stdout.readline() == "done\n"
        return session

    def url(self, database, options="", user="app"):
        return f"mysql://{user}@/{database}?socket={self.socket}{options}"

    def tcp_url(self, user, password, database, options=""):
        return f"mysql://{user}:{password}@127.0.0.1:{self.port}/{database}{options}"

    def freeze(self):
        send(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        send(self.process.pid, signal.SIGCONT)

    def end(self, number):
        """SIGKILL: as if the machine had lost its power."""
        send(self.process.pid, number)
        self.process.wait(60)

    def stop(self):
        self.end(signal.SIGTERM)

    def clean_up(self):
        if self.process is not None and self.process.poll() is None:
            self.end(signal.SIGKILL)
        shutil.rmtree(self.folder)
