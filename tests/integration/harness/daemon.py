# SPDX-License-Identifier: Apache-2.0
"""A RESP2 client for session-fastd's socket, as any Redis client would speak to it."""
import socket


def key(number):
    return f"{number:032x}"


def create(client, number, *ops, options=()):
    return client.call("SESSION.APPLY", "-", "NEWKEY", key(number), *options, "CREATE", "OPS", *ops)


class DaemonError(Exception):
    """An error reply; its text begins with the name of a status."""


class Daemon:
    def __init__(self, path, deadline=10.0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(deadline)
        self.socket.connect(str(path))
        self.stream = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def call(self, *words):
        self.send(*words)
        return self.receive()

    def send(self, *words):
        encoded = [str(word).encode() for word in words]
        request = b"*%d\r\n" % len(encoded)
        for word in encoded:
            request += b"$%d\r\n%s\r\n" % (len(word), word)
        self.socket.sendall(request)

    def pairs(self, *words):
        """A reply that is a flat list of names and values."""
        flat = self.call(*words)
        return None if flat is None else dict(zip(flat[::2], flat[1::2]))

    def receive(self):
        line = self.stream.readline()
        assert line.endswith(b"\r\n"), f"the daemon closed the connection: {line!r}"
        kind, text = line[:1], line[1:-2].decode()
        if kind == b"+":
            return text
        if kind == b"-":
            raise DaemonError(text)
        if kind == b":":
            return int(text)
        if kind == b"$":
            return None if text == "-1" else self.stream.read(int(text) + 2)[:-2].decode("utf-8", "replace")
        assert kind == b"*", line
        return None if text == "-1" else [self.receive() for _ in range(int(text))]
