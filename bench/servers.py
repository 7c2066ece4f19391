"""The servers that are measured: started, watched and ended.

A server is a process on a port of this machine, with the processes that it started. Its CPU time
and its memory are those of them all. Only processes that were started here are ever ended.
"""

import json
import os
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class Skip(Exception):
    """Why something is not measured."""


@dataclass
class Request:
    """One kind of request: its text is a template as bench/load.c describes it."""

    text: str
    values: Path | None = None
    flags: list = field(default_factory=list)
    expect: str = "HTTP/1.1 200"


def request_text(method, target, form=None, basic=None, bearer=None, headers=()):
    """The text of a request; `form` is the body as it is sent."""
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1"]
    if basic:
        import base64

        lines.append("Authorization: Basic " + base64.b64encode(basic.encode()).decode())
    if bearer:
        lines.append("Authorization: Bearer " + bearer)
    lines.extend(headers)
    if form is not None:
        lines.append("Content-Type: application/x-www-form-urlencoded")
        lines.append("Content-Length: {length}")
    return "\r\n".join(lines) + "\r\n\r\n" + (form or "")


def free_port():
    """A port that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def exchange(port, text, timeout_s=10):
    """Sends one request and returns (status, body, bytes of the answer)."""
    head, _, body = text.partition("\r\n\r\n")
    data = (head.replace("{length}", str(len(body))) + "\r\n\r\n" + body).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
        connection.sendall(data)
        answer = b""
        while b"\r\n\r\n" not in answer:
            piece = connection.recv(65536)
            if not piece:
                raise ConnectionError("the server closed the connection")
            answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while len(body) < length:
            piece = connection.recv(65536)
            if not piece:
                raise ConnectionError("the server closed the connection")
            body += piece
    return int(answer[9:12]), body.decode(), len(head) + 4 + len(body)


def exchange_json(port, text):
    """Sends one request and returns the members of its 200."""
    status, body, _ = exchange(port, text)
    if status != 200:
        raise Skip(f"{text.splitlines()[0]} was answered {status} {body[:200]}")
    return json.loads(body)


class Server:
    """A running server."""

    def __init__(self, name, command, port, cores=None, log=None, environment=None, nice=0):
        self.name = name
        self.port = port
        prefix = [] if cores is None else ["taskset", "-c", cores]
        self.log = open(log or os.devnull, "ab")
        self.started_at = time.monotonic()
        # A group of its own for the kernel, as a service manager makes it: else the processes of a
        # database, which have one, wait for a core longer than a second behind two busy servers.
        self.process = subprocess.Popen(
            prefix + [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log, env=environment, start_new_session=True)
        self.pid = self.process.pid

    def wait(self, text, timeout_s=30):
        """Waits for the first answer to `text`; seconds since the start."""
        while True:
            try:
                exchange(self.port, text)
                return time.monotonic() - self.started_at
            except OSError:
                pass
            if self.process.poll() is not None:
                raise Skip(f"{self.name} ended with status {self.process.returncode}")
            if time.monotonic() - self.started_at > timeout_s:
                self.stop()
                raise Skip(f"{self.name} did not answer within {timeout_s} s")
            time.sleep(0.0005)

    def pids(self):
        """The process and all that descend from it."""
        found = [self.pid]
        for pid in found:
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    children = Path(f"/proc/{pid}/task/{task}/children").read_text()
                    found.extend(int(child) for child in children.split())
            except OSError:
                continue
        return found

    def cpu_s(self):
        """CPU seconds that it has used, user and system."""
        total = 0
        for pid in self.pids():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                total += int(fields[11]) + int(fields[12])
            except OSError:
                continue
        return total / TICKS

    def pin(self, core):
        """Keeps all its threads on one core, or on none in particular."""
        cores = {int(core)} if core is not None else set(range(os.cpu_count() or 1))
        for pid in self.pids():
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    os.sched_setaffinity(int(task), cores)
            except OSError:
                continue

    def memory(self):
        """(resident, proportional) bytes."""
        resident = proportional = 0
        for pid in self.pids():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Rss:"):
                    resident += int(line.split()[1]) * 1024
                elif line.startswith("Pss:"):
                    proportional += int(line.split()[1]) * 1024
        return resident, proportional

    def stop(self):
        """Ends it, as an operator would, and by force when that takes more than 15 seconds."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
