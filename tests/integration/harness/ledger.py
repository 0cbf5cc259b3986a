# SPDX-License-Identifier: Apache-2.0
"""Clients that change sessions at the daemon's socket, and what was acknowledged to them."""
import secrets
import threading

from .daemon import Daemon, DaemonError
from .waiting import wait_until


class Writer:
    """One session, counted up again and again; a change counts when its answer has come."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.key = secrets.token_hex(16)
        self.version = 0     # acknowledged
        self.count = 0
        self.promised = None  # the version at `close`, once it was called
        self.findings = []
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.ledger.must_stop.is_set():
            try:
                with Daemon(self.ledger.socket, 5.0) as client:
                    while not self.ledger.must_stop.is_set():
                        self.change(client)
            except (OSError, AssertionError, DaemonError):
                self.ledger.must_stop.wait(0.005)  # nobody listens: not as fast as possible

    def change(self, client):
        words = [self.key] if self.version else ["-", "NEWKEY", self.key, "CREATE"]
        _, version, flags = client.call("SESSION.APPLY", *words, self.ledger.durability, "OPS", "SET", "text", "x" * 500,
                                        "INCREMENT", "count", 1)
        if version <= self.version:
            self.findings.append(f"version {version} after {self.version} ({flags})")
        self.version = version
        self.count += 1


class Ledger:
    def __init__(self, socket, durability, writers=8):
        self.socket = socket
        self.durability = durability
        self.must_stop = threading.Event()
        self.writers = [Writer(self) for _ in range(writers)]

    def __enter__(self):
        for writer in self.writers:
            writer.thread.start()
        return self

    def __exit__(self, *_):
        self.must_stop.set()
        for writer in self.writers:
            writer.thread.join(20)
            assert not writer.thread.is_alive()

    @property
    def acknowledged(self):
        return sum(writer.count for writer in self.writers)

    def wait_for(self, more):
        """Until so many more were acknowledged: a moment of its own, however fast the machine is."""
        goal = self.acknowledged + more
        wait_until(lambda: self.acknowledged >= goal, f"{more} more changes", 60)

    def close(self):
        """What is acknowledged now is promised; an answer that comes later is none."""
        for writer in self.writers:
            writer.promised = writer.version

    def check(self, client, merges=False):
        """
        Whatever was acknowledged is there. A first answer that was lost leaves a session that its writer cannot make. A shared
        store merges: that makes versions of its own.
        """
        for writer in self.writers:
            assert not writer.findings, writer.findings
            version = writer.version if writer.promised is None else writer.promised
            if version:
                found = client.pairs("SESSION.GET", writer.key)
                assert found, f"a session is gone that had version {version}"
                assert found["@version"] >= version, f"{found['@version']} of {version}"
                assert found["text"] == "x" * 500
                if merges:
                    assert writer.count <= found["count"] <= found["@version"]
                else:
                    assert found["count"] == found["@version"]
