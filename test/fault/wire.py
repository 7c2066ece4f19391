"""Many keep-alive connections on one thread, for load that Python threads could not make.

Each connection has at most one request under way. step() waits a little and gives back what came:
the connection, and the status and body of its answer, or None and None when the other end closed.
"""

import collections
import re
import selectors
import socket

LENGTH = re.compile(rb"\r\nContent-Length: (\d+)", re.IGNORECASE)
TOO_BUSY = 503  # nothing was done
ASKED_AGAIN_MAX = 1000


class Line:
    """One connection and what was read of its answer so far."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.received = b""
        self.is_waiting = False
        self.note = None

    def answer(self):
        """Status and body when the answer is whole, else None."""
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return None
        length = int(LENGTH.search(self.received, 0, end + 2).group(1))
        if len(self.received) < end + 4 + length:
            return None
        status, body = int(self.received[9:12]), self.received[end + 4:end + 4 + length]
        self.received = self.received[end + 4 + length:]
        self.is_waiting = False
        return status, body


class Wire:
    def __init__(self, port, count):
        self.selector = selectors.DefaultSelector()
        self.lines = [Line(port) for _ in range(count)]
        for line in self.lines:
            self.selector.register(line.socket, selectors.EVENT_READ, line)

    def send(self, line, request, note=None):
        """Requests are far smaller than a socket's buffer, so one send takes them whole."""
        assert not line.is_waiting
        line.note = note
        line.is_waiting = True
        try:
            sent = line.socket.send(request)
            assert sent == len(request)
        except (BrokenPipeError, ConnectionResetError):
            pass  # step() will find it closed

    def step(self, timeout=1.0):
        """What came: a list of (line, status, body)."""
        came = []
        for key, _ in self.selector.select(timeout):
            line = key.data
            try:
                piece = line.socket.recv(65536)
            except BlockingIOError:
                continue
            except ConnectionResetError:
                piece = b""
            line.received += piece
            answer = line.answer() if line.received else None
            if answer is not None:
                came.append((line, *answer))
            elif not piece:
                self.close_line(line)
                came.append((line, None, None))
        return came

    def ask_all(self, requests):
        """Sends each request, over all connections, and gives back the answers in order. What the
        server was too busy for is sent again."""
        answers = [None] * len(requests)
        todo = collections.deque(range(len(requests)))
        asked_again_count = 0
        idle = list(self.lines)
        under_way = 0
        while True:
            for line in idle:
                if todo:
                    index = todo.popleft()
                    self.send(line, requests[index], index)
                    under_way += 1
            if under_way == 0:
                return answers
            idle = []
            for line, status, body in self.step():
                assert status is not None, "the server closed a connection"
                answers[line.note] = (status, body)
                idle.append(line)
                under_way -= 1
                if status == TOO_BUSY and asked_again_count < ASKED_AGAIN_MAX:
                    asked_again_count += 1
                    todo.append(line.note)

    def close_line(self, line):
        self.selector.unregister(line.socket)
        line.socket.close()
        self.lines.remove(line)

    def close(self):
        for line in list(self.lines):
            self.close_line(line)
        self.selector.close()


def post(path, form, authorization=None):
    """The bytes of a form POST."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    if authorization:
        head += f"Authorization: {authorization}\r\n"
    return f"{head}Content-Length: {len(form)}\r\n\r\n{form}".encode()
