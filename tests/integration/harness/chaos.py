# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that does to a connection what networks and broken servers do; of use to every store that speaks TCP."""
import select
import socket
import struct
import threading

PIECE = 65536


class Answers:
    """Of one connection: what has come since the last request, and what came before that."""

    def __init__(self):
        self.this = self.former = b""
        self.is_replaced = False  # the one to this request
        self.is_shifted = False   # any so far

    def begin(self):
        """A request; a part of a long one if nothing has been said since the last part."""
        if self.this:
            self.this, self.former, self.is_replaced = b"", self.this, False

    def shift(self, data):
        """What the client gets instead."""
        is_first, self.is_replaced = not self.is_replaced, True
        self.is_shifted |= self.former != b""
        return (self.former if is_first else b"") if self.former else data


class Chaos:
    """
    What `fault` says now, for connections that are there and those that come:
    None        passes everything on
    "refuse"    resets at once
    "silent"    takes everything and answers nothing
    "lost"      as that, and who wants to connect has no answer either: his packets are dropped
    "half"      the first half of the next answer, then a reset
    "slow"      an answer of one byte a second
    "shift"     each answer is the one to the request before, on the same connection; its first one is as it should be
    With `only` for those connections that have sent these bytes.
    """

    def __init__(self, port):
        self.target = ("127.0.0.1", port)
        self.changed = threading.Event()  # what `fault` says
        self.fillers = []
        self.fault = None
        self.only = b""
        self.faults = 0  # done to somebody
        self.shifted = 0  # answers that were given to another request
        self.is_over = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.threads = []
        self.begin(self.accept)

    @property
    def fault(self):
        return self.current

    @fault.setter
    def fault(self, fault):
        self.current = fault
        before, self.changed = self.changed, threading.Event()
        before.set()
        if fault == "lost":
            self.drop_who_comes()
        elif self.fillers:
            self.let_in_again()

    def drop_who_comes(self):
        """The queue of connections that wait to be accepted is full: the kernel drops what begins another."""
        self.listener.listen(0)
        while not self.fillers or select.select([], self.fillers[-1:], [], 0.1)[1]:
            self.fillers.append(socket.socket())
            self.fillers[-1].setblocking(False)
            self.fillers[-1].connect_ex(("127.0.0.1", self.port))

    def let_in_again(self):
        while self.fillers:
            self.fillers.pop().close()
        self.listener.listen()

    def begin(self, work, *arguments):
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        thread.start()
        self.threads.append(thread)

    def accept(self):
        while not self.is_over:
            if self.fault == "lost":
                self.changed.wait(0.1)
                continue
            if not select.select([self.listener], [], [], 0.1)[0]:
                continue
            client = self.listener.accept()[0]
            if self.fault == "refuse" and not self.only:
                self.faults += 1
                self.reset(client)
            else:
                self.begin(self.serve, client)

    def serve(self, client):
        answers = Answers()
        is_meant = False
        try:
            with client, socket.create_connection(self.target) as server:
                while not self.is_over:
                    for ready in select.select([client, server], [], [], 0.1)[0]:
                        data = ready.recv(PIECE)
                        if not data:
                            return
                        if ready is client:
                            is_meant |= self.only in data
                            answers.begin()
                            server.sendall(data)
                        else:
                            answers.this += data
                            self.answer(client, data, answers, self.fault if is_meant else None)
        except OSError:
            pass

    def answer(self, client, data, answers, fault):
        self.faults += fault is not None
        if fault is None and not answers.is_shifted:
            client.sendall(data)
        elif fault is None:
            raise OSError  # nobody knows any more what belongs to what
        elif fault in ("half", "refuse"):
            client.sendall(data[:len(data) // 2] if fault == "half" else b"")
            self.reset(client)
            raise OSError
        elif fault == "slow":
            changed = self.changed
            for byte in data:
                client.sendall(bytes([byte]))
                if self.is_over or self.fault != fault or changed.wait(1):
                    raise OSError
        elif fault == "shift":
            self.shifted += answers.former != b"" and not answers.is_replaced
            client.sendall(answers.shift(data))

    @staticmethod
    def reset(client):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()

    def clean_up(self):
        self.is_over = True
        self.fault = None
        for thread in self.threads:
            thread.join(5)
        self.listener.close()
