# SPDX-License-Identifier: Apache-2.0
"""Servers of all kinds behind one face: started, emptied, put back to an older copy; each behind a proxy that does harm."""
import shutil
import signal

from .chaos import Chaos
from .mysql import MySQL
from .postgresql import PostgreSQL
from .redis import Redis

PASSWORD = "Xq7-not-in-any-log"


class RedisBackend:
    def __init__(self):
        self.server = Redis().start()
        self.chaos = Chaos(self.server.port)
        self.url = self.server.tcp_url(port=self.chaos.port)

    def snapshot(self):
        """What a later start begins with; returns how often the server was restarted for it."""
        self.server.ask("SAVE")
        return 0

    def kill(self):
        self.server.end()

    def start_older(self):
        self.server.start()

    def start_empty(self):
        (self.server.folder / "dump.rdb").unlink(missing_ok=True)
        self.server.start()

    def clean_up(self):
        self.chaos.clean_up()
        print(self.server.log.read_text()[-2000:])
        self.server.clean_up()


class SqlBackend:
    def __init__(self, server, scheme, options=""):
        self.server = server.start()
        self.chaos = Chaos(server.port)
        self.copy = server.folder / "copy"
        self.url = f"{scheme}://app:{PASSWORD}@127.0.0.1:{self.chaos.port}/sessions{options}"

    def snapshot(self):
        self.server.stop()
        shutil.rmtree(self.copy, ignore_errors=True)
        self.server.run("cp", "-a", self.server.data, self.copy)
        self.server.start()
        return 1

    def kill(self):
        self.server.end(signal.SIGKILL)

    def start_older(self):
        shutil.rmtree(self.server.data)
        self.copy.rename(self.server.data)
        self.server.start()

    def start_empty(self):
        """Nobody comes in before it is empty."""
        former, self.chaos.fault = self.chaos.fault, "refuse"
        self.server.start()
        self.server.ask("TRUNCATE TABLE session_fast_session", "sessions")
        self.chaos.fault = former

    def clean_up(self):
        self.chaos.clean_up()
        print(self.server.log.read_text()[-2000:])
        self.server.clean_up()


def postgresql():
    backend = SqlBackend(PostgreSQL(), "postgresql", "?sslmode=disable")
    backend.server.ask(f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'")
    backend.server.ask("CREATE DATABASE sessions OWNER app")
    return backend


def mysql():
    backend = SqlBackend(MySQL(), "mysql")
    backend.server.ask(f"CREATE USER app@127.0.0.1 IDENTIFIED BY '{PASSWORD}'; CREATE DATABASE sessions;"
                       "GRANT ALL ON sessions.* TO app@127.0.0.1")
    return backend


ALL = {"redis": RedisBackend, "postgresql": postgresql, "mysql": mysql}
