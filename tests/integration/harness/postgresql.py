# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of the test's own: data, socket and log in a temporary folder, ended by process id."""
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

from .processes import all_processes, children_of, free_port, living, send
from .waiting import wait_until

# It refuses to run as root.
UID = 65534


def programs():
    """Folder of the newest server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    assert found, "no PostgreSQL server: apt-get install postgresql"
    return found[-1].parent


def unprivileged(command):
    if os.geteuid() != 0:
        return command
    return ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", *command]


class PostgreSQL:
    """Anybody may come by the socket; by TCP a password is asked for."""

    LOCK = "LOCK TABLE session_fast_session IN ACCESS EXCLUSIVE MODE"
    COUNT_SESSIONS_OF_APP = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'"
    VERSION_OF = "SELECT version FROM session_fast_session WHERE encode(key, 'hex') = "

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sf-postgresql-"))
        self.folder.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(self.folder, UID, UID)
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.port = free_port()
        self.process = None
        self.run(programs() / "initdb", "-D", self.data, "-U", "owner", "-E", "UTF8", "--locale=C", "-A", "trust", "--no-sync")
        (self.data / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")

    def run(self, *command):
        subprocess.run(unprivileged([str(word) for word in command]), cwd=self.folder, check=True, timeout=120,
                       stdin=subprocess.DEVNULL, capture_output=True)

    def start(self, *settings):
        options = [word for setting in (f"port={self.port}", f"unix_socket_directories={self.folder}",
                                        "listen_addresses=127.0.0.1", "max_wal_senders=0", "wal_level=minimal", *settings)
                   for word in ("-c", setting)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(unprivileged([str(programs() / "postgres"), "-D", str(self.data), *options]),
                                            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        wait_until(lambda: self.answers() or self.process.poll() is not None, "PostgreSQL to be ready", 60)
        assert self.process.poll() is None, self.log.read_text()
        return self

    def command(self, text, database="postgres"):
        return ["env", "PGOPTIONS=-c default_transaction_read_only=off", "psql", "-h", str(self.folder), "-p", str(self.port), "-U", "owner", "-d", database, "-X", "-A", "-t", "-q",
                "-v", "ON_ERROR_STOP=1", "-c", text]

    def answers(self):
        return subprocess.run(self.command("SELECT 1"), capture_output=True, timeout=60).returncode == 0

    def ask(self, text, database="postgres"):
        done = subprocess.run(self.command(text, database), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def session(self, text, database="postgres"):
        """One that stays in its transaction until it is killed."""
        session = subprocess.Popen(self.command("", database)[:-2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        session.stdin.write(f"BEGIN;\n{text};\n\\echo done\n")
        session.stdin.flush()
        assert session.stdout.readline() == "done\n"
        return session

    def url(self, database="postgres", options="", user="owner"):
        return f"postgresql://{user}@{quote(str(self.folder), safe='')}:{self.port}/{database}?{options}"

    def tcp_url(self, user, password, database="postgres", options=""):
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}{options}"

    def all_pids(self):
        return [self.process.pid] + [child.pid for child in children_of(self.process.pid)]

    def freeze(self):
        for pid in self.all_pids():
            send(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in self.all_pids():
            send(pid, signal.SIGCONT)

    def end(self, number):
        """SIGKILL: as if the machine had lost its power, for all its processes."""
        pids = self.all_pids()
        for pid in pids if number == signal.SIGKILL else [self.process.pid]:
            send(pid, number)
        self.process.wait(60)
        wait_until(lambda: not [process for process in living(all_processes()) if process.pid in pids], "its processes to end")

    def stop(self):
        self.end(signal.SIGINT)

    def clean_up(self):
        if self.process is not None and self.process.poll() is None:
            self.end(signal.SIGKILL)
        shutil.rmtree(self.folder)
