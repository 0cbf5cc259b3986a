# SPDX-License-Identifier: Apache-2.0
"""A memcached of the test's own, on a free port of the loopback interface, ended by process id."""
import socket
import subprocess

from .processes import OneProcess, free_port
from .waiting import wait_until


class Memcached(OneProcess):
    def __init__(self):
        self.port = free_port()

    def start(self, *more):
        self.process = subprocess.Popen(["memcached", "-u", "root", "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-m", "64", *more],
                                        stdin=subprocess.DEVNULL, start_new_session=True)
        wait_until(lambda: self.answers() or self.process.poll() is not None, "memcached to be ready", 30)
        assert self.process.poll() is None
        return self

    def ask(self, command, end=b"\r\n"):
        with socket.create_connection(("127.0.0.1", self.port), 10) as client:
            client.sendall((command if isinstance(command, bytes) else command.encode()) + b"\r\n")
            said = b""
            while not said.endswith(end):
                piece = client.recv(65536)
                assert piece, said
                said += piece
        return said

    def answers(self):
        try:
            return self.ask("version").startswith(b"VERSION")
        except OSError:
            return False

    def value(self, key):
        """What it holds for a session: None, b"" (a lease), b"-" (a mark), or what only we can read."""
        said = self.ask(f"mg sf:{key} v\r\nmn", b"MN\r\n")
        return None if said.startswith(b"EN") else said.split(b"\r\n", 1)[1][:-len(b"\r\nMN\r\n")]

    def put(self, key, value):
        said = self.ask(f"set sf:{key} 0 60 {len(value)}\r\n".encode() + value)
        assert said == b"STORED\r\n", said

    def url(self, port=None, options="timeout=5000"):
        return f"memcached://127.0.0.1:{port or self.port}?names=cache&{options}"

    def urls(self):
        return [self.url()] * 3

    def clean_up(self):
        self.end_if_running()
