# SPDX-License-Identifier: Apache-2.0
"""A Redis as SessionFastL2: with the methods of harness/memcached.py, and a user who may do what docs/stores.md says is enough."""
import subprocess

from .redis import ADMIN, Redis

RIGHTS = "~session-l2:* -@all +ping +select +role +info +script|load +evalsha +get +set +getrange +del"
DATABASE = 1
LEASE, MARK = b"L", b"M"
HEAD = 9  # bytes of a lease, or of a mark


class RedisCache(Redis):
    def start(self, *settings):
        return super().start(f"user cache on >{ADMIN} {RIGHTS}", *settings)

    def url(self, port=None, options="timeout=5000"):
        return f"redis://cache:{ADMIN}@127.0.0.1:{port or self.port}/{DATABASE}?names=cache&{options}"

    def urls(self):
        """By port, by socket and by TLS: the same server to all who look at its name."""
        more = "names=cache&timeout=5000"
        return [self.url(), f"redis://cache:{ADMIN}@/{DATABASE}?socket={self.socket}&{more}",
                f"rediss://cache:{ADMIN}@localhost:{self.tls_port}/{DATABASE}?ca={self.ca}&{more}"]

    def said(self, *words, given=b""):
        done = subprocess.run(self.cli(*words, database=DATABASE), capture_output=True, input=given, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout[:-1]

    def value(self, key):
        """What it holds for a session: None, b"" (a lease), b"-" (a mark), or what only we can read."""
        found = self.said("GET", f"session-l2:{key}")
        if len(found) == HEAD and found[:1] in (LEASE, MARK):
            return b"" if found[:1] == LEASE else b"-"
        return found or None

    def put(self, key, value):
        assert self.said("-x", "SET", f"session-l2:{key}", given=value) == b"OK"
