# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that does to a connection what networks and broken servers do; of use to every store that speaks TCP."""
import select
import socket
import struct
import threading

PIECE = 65536


class Chaos:
    """
    What `fault` says now, for connections that are there and those that come:
    None        passes everything on
    "refuse"    resets at once
    "silent"    takes everything and answers nothing
    "lost"      as that, and who wants to connect has no answer either: his packets are dropped
    "half"      the first half of the next answer, then a reset
    "slow"      an answer of one byte a second
    "shift"     each answer is the one to the request before
    With `only` for those connections that have sent these bytes.
    """

    def __init__(self, port):
        self.target = ("127.0.0.1", port)
        self.changed = threading.Event()  # what `fault` says
        self.fillers = []
        self.fault = None
        self.only = b""
        self.faults = 0  # done to somebody
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
        kept = b""
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
                            server.sendall(data)
                        else:
                            kept = self.answer(client, data, kept, self.fault if is_meant else None)
        except OSError:
            pass

    def answer(self, client, data, kept, fault):
        self.faults += fault is not None
        if fault is None:
            client.sendall(kept + data)
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
            client.sendall(kept or b"+OK\r\n")
            return data
        return b""

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
