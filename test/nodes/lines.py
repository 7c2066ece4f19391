"""Many keep-alive connections to several nodes on one thread, so that what is sent over all of them
is under way at once."""

import re
import selectors
import socket
import time

LENGTH = re.compile(rb"\r\nContent-Length: *(\d+)", re.IGNORECASE)


class Reply:
    """What came back: a status, or None when the connection ended or nothing came in time."""

    def __init__(self, node, status=None, head=b"", body=b"", sent_at=0.0, came_at=0.0):
        self.node, self.status, self.head, self.body = node, status, head, body
        self.sent_at, self.came_at = sent_at, came_at

    def header(self, name):
        found = re.search(rb"\r\n" + name.encode() + rb": *([^\r]*)", self.head, re.IGNORECASE)
        return found.group(1).decode() if found else None

    def member(self, name):
        """A text of the JSON body."""
        found = re.search(rb'"' + name.encode() + rb'"\s*:\s*"([^"]*)"', self.body)
        return found.group(1).decode() if found else None

    @property
    def is_active(self):
        """What an introspection said: True, False, or None when it said nothing."""
        if self.status != 200:
            return None
        return b'"active":true' in self.body

    def __repr__(self):
        return f"<node {self.node}: {self.status} {self.body[:160]!r}>"


class Line:
    """One connection; it is made again when it is needed and the other end has closed it."""

    def __init__(self, node, address):
        self.node, self.address = node, address
        self.socket = None
        self.received = b""
        self.note = None
        self.sent_at = 0.0

    def connect(self, timeout_s=5):
        self.close()
        self.socket = socket.create_connection(self.address, timeout=timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None

    def send(self, request):
        self.sent_at = time.monotonic()
        self.socket.sendall(request)

    def take(self):
        """The whole answer, if it is here."""
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return None
        found = LENGTH.search(self.received, 0, end + 2)
        length = int(found.group(1)) if found else 0
        if len(self.received) < end + 4 + length:
            return None
        head, body = self.received[:end], self.received[end + 4:end + 4 + length]
        self.received = self.received[end + 4 + length:]
        return Reply(self.node, int(head[9:12]), head, body, self.sent_at, time.monotonic())

    def ask(self, request, timeout_s=10):
        """One request by itself. A status of None says that there was no answer."""
        try:
            if self.socket is None:
                self.connect(timeout_s)
            self.socket.settimeout(timeout_s)
            self.send(request)
            while (reply := self.take()) is None:
                piece = self.socket.recv(65536)
                if not piece:
                    raise ConnectionResetError
                self.received += piece
        except OSError:
            self.close()
            return Reply(self.node, None, sent_at=self.sent_at, came_at=time.monotonic())
        if (reply.header("Connection") or "").lower() == "close":
            self.close()
        return reply


class Lines:
    """count connections, by turns to each of the addresses."""

    def __init__(self, addresses, count):
        self.selector = selectors.DefaultSelector()
        self.lines = [Line(number % len(addresses), addresses[number % len(addresses)])
                      for number in range(count)]
        for line in self.lines:
            self.open(line)

    def open(self, line):
        line.connect()
        self.selector.register(line.socket, selectors.EVENT_READ, line)

    def drop(self, line):
        if line.socket is not None:
            self.selector.unregister(line.socket)
            line.close()

    def send(self, line, request, note):
        if line.socket is None:
            self.open(line)
        line.note = note
        try:
            line.send(request)
        except OSError:
            self.drop(line)
            self.open(line)
            line.send(request)

    def step(self, timeout_s):
        """What came by now: (line, reply)."""
        came = []
        for key, _ in self.selector.select(timeout_s):
            line = key.data
            try:
                piece = line.socket.recv(65536)
            except OSError:
                piece = b""
            line.received += piece
            reply = line.take()
            if reply is None and not piece:
                self.drop(line)
                reply = Reply(line.node)
            elif reply is not None and (reply.header("Connection") or "").lower() == "close":
                self.drop(line)
            if reply is not None:
                came.append((line, reply))
        return came

    def ask_all(self, requests, timeout_s=120):
        """Sends each request once, over whichever connection is free; the replies in order."""
        replies = [None] * len(requests)
        waiting = iter(range(len(requests)))
        idle, under_way = list(self.lines), 0
        deadline = time.monotonic() + timeout_s
        while True:
            for line in idle:
                index = next(waiting, None)
                if index is not None:
                    self.send(line, requests[index], index)
                    under_way += 1
            if under_way == 0:
                return replies
            assert time.monotonic() < deadline, f"{under_way} requests were not answered"
            idle = []
            for line, reply in self.step(1.0):
                replies[line.note] = reply
                idle.append(line)
                under_way -= 1

    def race(self, requests, timeout_s=20):
        """Sends one request over each connection, all at once; all replies. Fewer requests than
        connections are used by turns."""
        for number, line in enumerate(self.lines):
            if line.socket is None:
                self.open(line)
        for number, line in enumerate(self.lines):
            self.send(line, requests[number % len(requests)], number)
        replies = []
        deadline = time.monotonic() + timeout_s
        while len(replies) < len(self.lines):
            assert time.monotonic() < deadline, f"{len(self.lines) - len(replies)} got no answer"
            replies += [reply for _, reply in self.step(1.0)]
        return replies

    def close(self):
        for line in self.lines:
            self.drop(line)
        self.selector.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
