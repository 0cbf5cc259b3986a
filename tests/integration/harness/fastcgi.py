# SPDX-License-Identifier: Apache-2.0
"""A FastCGI client that says exactly what a test wants said."""
import socket
import struct

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR = range(1, 8)


def record(kind, content=b"", request=1, padding=0):
    return struct.pack(">BBHHBB", 1, kind, request, len(content), padding, 0) + content + b"\0" * padding


def begin(role=1, keep=False, request=1):
    return record(BEGIN, struct.pack(">HB5x", role, keep), request)


def _length(size):
    return bytes([size]) if size < 128 else struct.pack(">I", size | 0x80000000)


def pairs(variables):
    return b"".join(_length(len(name)) + _length(len(value)) + name.encode() + value.encode()
                    for name, value in variables.items())


def request(path, variables=None, body=b"", keep=False, number=1):
    """A whole request, as bytes."""
    every = {"REQUEST_METHOD": "POST" if body else "GET", "SCRIPT_NAME": path, "REQUEST_URI": path, "QUERY_STRING": "",
             "CONTENT_LENGTH": str(len(body)) if body else "", **(variables or {})}
    parts = b"".join(record(STDIN, body[at:at + 65528], number) for at in range(0, len(body), 65528))
    return (begin(keep=keep, request=number) + record(PARAMS, pairs(every), number) + record(PARAMS, b"", number)
            + parts + record(STDIN, b"", number))


class Answer:
    def __init__(self):
        self.output, self.errors, self.status = b"", b"", None  # status: None until the end of the request

    @property
    def head(self):
        return self.output.partition(b"\r\n\r\n")[0].decode("latin-1")

    @property
    def body(self):
        return self.output.partition(b"\r\n\r\n")[2]


class Client:
    def __init__(self, path, deadline=15.0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(deadline)
        self.socket.connect(str(path))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                return None
            data += part
        return data

    def records(self):
        """Until the connection ends."""
        while (head := self._exactly(8)) is not None:
            _, kind, number, size, padding, _ = struct.unpack(">BBHHBB", head)
            content = self._exactly(size) if size else b""
            if padding:
                self._exactly(padding)
            yield kind, number, content

    def answer(self):
        """Of one request; its status stays None when the connection ends before."""
        answer = Answer()
        for kind, _, content in self.records():
            if kind == STDOUT:
                answer.output += content
            elif kind == STDERR:
                answer.errors += content
            elif kind == END:
                answer.status = struct.unpack(">IB3x", content)
                break
        return answer

    def is_closed(self):
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True


def ask(path, *arguments, **options):
    with Client(path) as client:
        client.send(request(*arguments, **options))
        return client.answer()
