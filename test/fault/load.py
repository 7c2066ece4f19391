"""Load, and what a server under it uses: for the tests that press it.

The requests of good clients come from bench/load.c, which is another process, so that what a test
does beside it in Python does not slow them. Crowd holds many connections on one thread.
"""

import json
import os
import pathlib
import resource
import selectors
import socket
import statistics
import subprocess
import time

from harness import API, CC, ROOT, basic, form_encode

TICKS = os.sysconf("SC_CLK_TCK")
SERVER_CORE, LOAD_CORE = "0", "1"


def compile_load(folder):
    """The load generator of bench/."""
    program = pathlib.Path(folder) / "load"
    subprocess.run([os.environ.get("CC", "cc"), "-std=c17", "-D_GNU_SOURCE", "-O2", "-o", program,
                    "load.c", "request.c"], cwd=ROOT / "bench", check=True)
    return program


def raise_descriptor_limit(wanted):
    """How many descriptors this process may have now, at most as many as wanted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


def request_text(path, form, client):
    """A request as bench/load.c takes it: `{value}` and `{length}` are filled in by it."""
    body = form if isinstance(form, str) else form_encode(form)
    return (f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(*client)}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {{length}}\r\n\r\n{body}")


ISSUE = request_text("/oauth2/token", "grant_type=client_credentials&scope=read", CC)
INTROSPECT = request_text("/oauth2/introspect", "token={value}", API)


class Load:
    """Runs of the load generator against one server."""

    def __init__(self, program, folder):
        self.program = program
        self.folder = pathlib.Path(folder)
        self.count = 0

    def begin(self, port, text, seconds, connections=16, rate=None, values=None, more=(),
              cores=None):
        """A run that goes on beside whatever else the test does; finish() has its figures."""
        self.count += 1
        request = self.folder / f"request-{self.count}"
        request.write_text(text, newline="")
        command = ["taskset", "-c", cores] if cores else []
        command += [self.program, "--port", port, "--request", request, "--seconds", seconds,
                    "--connections", connections, "--seed", self.count, *more]
        if rate:
            command += ["--rate", rate]
        if values:
            listed = self.folder / f"values-{self.count}"
            listed.write_text("".join(value + "\n" for value in values))
            command += ["--values", listed]
        return subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    @staticmethod
    def finish(process):
        out, error = process.communicate(timeout=600)
        assert process.returncode == 0, error
        return json.loads(out)

    def run(self, *args, **more):
        return self.finish(self.begin(*args, **more))

    def windows(self, count, port, text, seconds, **more):
        """The figures of so many runs, one behind the other."""
        return [self.run(port, text, seconds, **more) for _ in range(count)]


def median_of(results, name):
    return statistics.median(result[name] for result in results)


# ---- what a process uses ------------------------------------------------------------------------


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_share(pid, seconds):
    """The share of one core that it used over so many seconds from now."""
    before, began = cpu_s(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_s(pid) - before) / (time.monotonic() - began)


def memory_kib(pid, name="VmRSS"):
    """VmRSS, RssAnon, VmHWM … of /proc/PID/status."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise KeyError(name)


def descriptor_count(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


# ---- many connections ---------------------------------------------------------------------------


class Member:
    """One connection of a crowd."""

    def __init__(self, line, kind, drop=b""):
        self.line, self.kind, self.drop = line, kind, drop
        self.began = time.monotonic()
        self.ended_after = None  # seconds until the other end closed it


class Crowd:
    """Connections that are held, and fed a byte now and then."""

    def __init__(self):
        self.members = []
        self.selector = selectors.DefaultSelector()

    def add(self, port, kind, start=b"", drop=b"", reads=True, source=None, receive_bytes=None):
        line = socket.socket()
        if receive_bytes:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        if source:
            line.bind((source, 0))
        line.settimeout(10)
        line.connect(("127.0.0.1", port))
        member = Member(line, kind, drop)
        line.setblocking(False)
        if start:
            try:
                line.send(start)
            except OSError:
                pass
        self.members.append(member)
        # Who does not read still hears of a reset (EPOLLERR, EPOLLHUP) when it asks for nothing.
        self.selector.register(line, selectors.EVENT_READ if reads else selectors.EVENT_WRITE,
                               member)
        return member

    def _end(self, member):
        member.ended_after = time.monotonic() - member.began
        self.selector.unregister(member.line)
        member.line.close()

    def drip(self):
        """One byte more on each connection that still is."""
        for member in self.members:
            if member.ended_after is None and member.drop:
                try:
                    member.line.send(member.drop)
                except BlockingIOError:
                    pass
                except OSError:
                    self._end(member)

    def look(self, timeout_s=0.0):
        """Notes which have been closed by the other end."""
        for key, _ in self.selector.select(timeout_s):
            member = key.data
            if key.events & selectors.EVENT_WRITE:
                if member.line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0:
                    self._end(member)
                continue
            try:
                if member.line.recv(65536) == b"":
                    self._end(member)
            except BlockingIOError:
                pass
            except OSError:
                self._end(member)

    def open_count(self):
        return sum(member.ended_after is None for member in self.members)

    def close(self):
        for member in self.members:
            if member.ended_after is None:
                member.line.close()
        self.selector.close()
