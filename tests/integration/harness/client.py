# SPDX-License-Identifier: Apache-2.0
"""
An HTTP/1.1 client that hides nothing: every header as sent and as received, in order, duplicates kept.

Python's own client folds headers, normalises targets and retries; the tests must see what is on the wire.
"""
import socket

DEADLINE = 15.0  # seconds for one operation on a socket


class Closed(Exception):
    """The server closed or reset the connection before a whole response had arrived."""


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # pairs, as received
        self.body = body

    def all(self, name):
        return [value for other, value in self.headers if other.lower() == name.lower()]

    def one(self, name):
        """The value of a header that must stand there at most once."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} more than once: {values}"
        return values[0] if values else None

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def variables(self):
        """The environment of a probe: NAME=value, each ended by a NUL."""
        pairs = (item.split("=", 1) for item in self.text.split("\0") if "=" in item)
        return dict(pairs)

    @property
    def session(self):
        """Only what a probe saw of its session."""
        return {name: value for name, value in self.variables.items() if name.startswith("SESSION_")}

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.text[:200]!r}>"


class Connection:
    """One keep-alive connection."""

    def __init__(self, port, deadline=DEADLINE):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=deadline)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def close(self):
        self.socket.close()

    def request(self, method, target, headers=(), body=b""):
        self.send(method, target, headers, body)
        return self.receive(method)

    def send(self, method, target, headers=(), body=b""):
        lines = [f"{method} {target} HTTP/1.1"]
        if not any(name.lower() == "host" for name, _ in headers):
            lines.append("Host: localhost")
        lines += [f"{name}: {value}" for name, value in headers]
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        # Latin-1: any byte that a test wants to put into a header arrives as it is.
        self.send_raw("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    def send_raw(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Closed(str(error)) from error

    def receive(self, method="GET"):
        while True:
            status, headers = self._head()
            if status >= 200:
                break
        response = Response(status, headers, b"")
        if method != "HEAD" and status not in (204, 304):
            response.body = self._body(response)
        return response

    def _head(self):
        head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = []
        for line in head[1:]:
            name, _, value = line.partition(":")
            headers.append((name, value.strip()))
        return int(head[0].split(" ")[1]), headers

    def _body(self, response):
        if (response.one("Transfer-Encoding") or "").lower() == "chunked":
            return self._chunks()
        length = response.one("Content-Length")
        if length is not None:
            return self._exactly(int(length))
        return self._rest()

    def _chunks(self):
        body = b""
        while True:
            size = int(self._until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                while self._until(b"\r\n"):
                    pass
                return body
            body += self._exactly(size)
            self._until(b"\r\n")

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionError as error:
            raise Closed(str(error)) from error
        if not data:
            raise Closed("end of stream")
        self.buffer += data

    def _until(self, end):
        while end not in self.buffer:
            self._more()
        part, _, self.buffer = self.buffer.partition(end)
        return part

    def _exactly(self, size):
        while len(self.buffer) < size:
            self._more()
        part, self.buffer = self.buffer[:size], self.buffer[size:]
        return part

    def _rest(self):
        try:
            while True:
                self._more()
        except Closed:
            rest, self.buffer = self.buffer, b""
            return rest


class Cookie:
    """One Set-Cookie header, taken apart."""

    def __init__(self, header):
        pair, *attributes = [part.strip() for part in header.split(";")]
        self.name, _, self.value = pair.partition("=")
        self.attributes = {}
        for attribute in attributes:
            name, _, value = attribute.partition("=")
            assert name.lower() not in self.attributes, f"attribute twice: {header}"
            self.attributes[name.lower()] = value
        self.header = header

    @property
    def is_removal(self):
        return self.attributes.get("max-age") == "0"


class Browser:
    """Keeps cookies like a browser of one host, and a connection that it opens again when the server has closed it."""

    def __init__(self, port):
        self.port = port
        self.cookies = {}
        self.connection = None

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def get(self, target, headers=()):
        return self.request("GET", target, headers)

    def post(self, target, form, headers=()):
        headers = [("Content-Type", "application/x-www-form-urlencoded"), *headers]
        return self.request("POST", target, headers, form.encode())

    def request(self, method, target, headers=(), body=b""):
        headers = list(headers)
        if self.cookies and not any(name.lower() == "cookie" for name, _ in headers):
            headers.append(("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items())))
        is_reused = self.connection is not None
        try:
            response = self._exchange(method, target, headers, body)
        except Closed:
            # A server may close an idle connection at any time; as browsers do, once more on a new one.
            if not is_reused:
                raise
            response = self._exchange(method, target, headers, body)
        self._keep_cookies(response)
        return response

    def _exchange(self, method, target, headers, body):
        try:
            if self.connection is None:
                self.connection = Connection(self.port)
            response = self.connection.request(method, target, headers, body)
        except (Closed, OSError):
            self.close()
            raise
        if (response.one("Connection") or "").lower() == "close":
            self.close()
        return response

    def _keep_cookies(self, response):
        for header in response.all("Set-Cookie"):
            cookie = Cookie(header)
            if cookie.is_removal:
                self.cookies.pop(cookie.name, None)
            else:
                self.cookies[cookie.name] = cookie.value

    @property
    def id(self):
        """The session id that the browser holds, or None."""
        return self.cookies.get("__Host-id")
