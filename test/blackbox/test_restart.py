"""Another program in the place of the running one, and the way out of a load balancer."""

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest

from harness import ALICE, ALL_GRANTS, API, CC, free_port, wait_until

RESTART_COUNT = 10
WORKER_COUNT = 64
CHAIN_COUNT = 12
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command")


def events(server, name):
    return [line for line in server.log_lines() if line["event"] == name]


def restart(server, count=1):
    """SIGUSR2, and wait until the next program says that it has started."""
    for _ in range(count):
        before = len(events(server, "started"))
        os.kill(server.pid, signal.SIGUSR2)
        wait_until(lambda: len(events(server, "started")) > before, 30, "started again")


@pytest.fixture
def installed(new_server, binary, tmp_path):
    """Makes a server whose program is a file of its own, which can be replaced."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("jeton-fetch", "jeton-postgres.so"):
        for place in ("", "../fetch", "../store"):
            beside = os.path.join(os.path.dirname(binary), place, name)
            if os.path.exists(beside):
                (folder / name).symlink_to(os.path.realpath(beside))
    program = folder / "jeton"
    shutil.copy2(binary, program)

    def make(**options):
        server = new_server(binary=str(program), **options)
        server.program = program
        server.original = binary
        return server

    return make


def install(server, script=None):
    """Replaces the program as a package manager does: by a rename. None: the real one."""
    fresh = server.program.with_name("fresh")
    if script is None:
        shutil.copy2(server.original, fresh)
    else:
        fresh.write_text("#!/bin/sh\n" + script)
        fresh.chmod(0o755)
    fresh.replace(server.program)


def add_made(server, noun, name, *args):
    """Secrets that the server has made: no password hash is due when it has forgotten that it has
    seen them, so that no machine is too slow for all of them at once."""
    secret = server.cli(noun, "add", name, *args).out.strip()
    server.secrets.add(secret)
    return name, secret


class Load:
    """Clients of which each opens a connection for each request; nothing may go wrong."""

    def __init__(self, new_server, binary):
        server = self.server = new_server(start=False, binary=binary)
        self.service = add_made(server, "service", "made.example", "--scope", "made")
        self.client = add_made(server, "client", "made", "--service", "made.example", *ALL_GRANTS)
        server.start()
        self.chains = [server.user_token(self.client, ALICE, "made")["refresh_token"]
                       for _ in range(CHAIN_COUNT)]
        self.tokens = []
        self.failures = []
        self.request_count = 0
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(number,))
                        for number in range(WORKER_COUNT)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join()

    def work(self, number):
        step = self.refresh if number < len(self.chains) else \
            self.issue if number % 2 else self.introspect
        while not self.is_over.is_set() and not self.failures:
            try:
                step(number)
                self.request_count += 1
            except Exception as why:  # noqa: BLE001  whatever it is, it must not be
                self.failures.append(repr(why))

    def issue(self, _):
        self.tokens.append(self.server.client_token(self.client, "made")["access_token"])

    def introspect(self, _):
        if self.tokens:
            assert self.server.is_active(self.tokens[-1], self.service)

    def refresh(self, number):
        answer = self.server.refresh(self.chains[number], self.client)
        assert answer.status == 200, answer
        self.chains[number] = answer.json["refresh_token"]
        self.tokens.append(answer.json["access_token"])


@pytest.mark.alone
def test_nothing_is_refused_or_lost_in_ten_restarts_under_load(new_server, plain_binary):
    """Nothing runs beside it: on a database an answer that takes too long is a 503."""
    with Load(new_server, plain_binary) as load:
        server = load.server
        for _ in range(RESTART_COUNT):
            done = load.request_count
            wait_until(lambda: load.request_count > done + 50 or load.failures, 30, "some load")
            if load.failures:
                break
            restart(server)
    assert not load.failures, load.failures[:5]
    assert len(events(server, "started")) == RESTART_COUNT + 1
    assert len(load.tokens) > RESTART_COUNT * 10
    for token in load.tokens:
        assert server.is_active(token, load.service)
    for chain in load.chains:
        assert server.refresh(chain, load.client).status == 200


def test_process_address_and_sockets_stay(new_server):
    server = new_server()
    pid, port = server.pid, server.port
    restart(server, 2)
    assert server.is_running() and server.pid == pid
    assert server.get("/livez").status == 200, "on the port that the kernel had chosen"
    assert all(line["issuer"] == f"http://127.0.0.1:{port}" for line in events(server, "started"))
    restart(server, 3)
    assert len(listening_sockets(pid)) == 2, "the listener, and that of commands"


def listening_sockets(pid):
    """As the kernel counts them: none is left over."""
    listening = set()
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/net/{name}") as table:
            listening |= {row.split()[9] for row in table if row.split()[3] == "0A"}
    with open(f"/proc/{pid}/net/unix") as table:
        listening |= {row.split()[6] for row in table if row.split()[3] == "00010000"}
    own = set()
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            own |= set(re.findall(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{number}")))
    return own & listening


def read_all(line):
    received = b""
    while True:
        piece = line.recv(65536)
        if not piece:
            return received
        received += piece


def test_what_is_under_way_is_finished_and_who_comes_meanwhile_waits(new_server):
    """RFC 9112 9.6: connections end with Connection: close."""
    server = new_server()
    idle = server.connection()
    assert server.get("/livez", connection=idle).status == 200
    with contextlib.closing(idle), socket.create_connection(("127.0.0.1", server.port), 20) as slow:
        slow.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
        wait_until(lambda: server.get("/livez").status == 200, 5, "the loop has seen it")
        os.kill(server.pid, signal.SIGUSR2)
        assert idle.sock.recv(1) == b"", "idle connections are closed: it drains"
        late = socket.create_connection(("127.0.0.1", server.port), 20)
        late.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        slow.sendall(b"\r\n")
        received = read_all(slow)
    assert received.startswith(b"HTTP/1.1 200 ") and b"\r\nConnection: close\r\n" in received
    with late:
        assert read_all(late).startswith(b"HTTP/1.1 200 ")
    assert len(events(server, "started")) == 2


def test_who_has_connected_may_send_a_request(new_server):
    """A connection that was accepted a moment before is as new as one that waits in the queue."""
    server = new_server()
    with socket.create_connection(("127.0.0.1", server.port), 20) as line:
        assert server.get("/livez").status == 200  # the first is accepted, too
        os.kill(server.pid, signal.SIGUSR2)
        wait_until(lambda: events(server, "restarting"), 30, "the check is over")
        line.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        received = read_all(line)
    # The check may take longer than such a connection is waited for; then it was simply idle.
    assert received == b"" or received.startswith(b"HTTP/1.1 200 ")
    wait_until(lambda: len(events(server, "started")) == 2, 30, "started again")


# -- which program, and whether -------------------------------------------------------------------


def test_the_program_that_is_installed_now_is_taken(installed):
    server = installed()
    before = os.stat(f"/proc/{server.pid}/exe").st_ino
    install(server)
    restart(server)
    after = os.stat(f"/proc/{server.pid}/exe").st_ino
    assert after == os.stat(server.program).st_ino and after != before
    arguments = open(f"/proc/{server.pid}/cmdline", "rb").read().split(b"\0")
    assert arguments[1:2] == [b"serve"] and b"--check" not in arguments


@pytest.mark.parametrize("script, words", [
    ("echo 'jeton: serve: not with this file' >&2; exit 1", "not with this file"),
    ("exit 3", "3"),
    ("kill -9 $$", "137"),
    ("head -c 100000 /dev/zero | tr '\\0' x; printf '\\nat last\\n'; exit 1", "at last"),
    (None, "No such file"),
])
def test_a_program_that_would_not_start_is_not_taken(installed, script, words):
    server = installed()
    if script is None:
        server.program.unlink()
    else:
        install(server, script)
    os.kill(server.pid, signal.SIGUSR2)
    line = wait_until(lambda: events(server, "restart_refused"), 30, "refused")[0]
    assert words in line["why"] and line["program"] == str(server.program), line
    assert server.get("/livez").status == 200
    assert len(events(server, "started")) == 1
    install(server)
    restart(server)


def test_a_program_that_is_gone_in_the_last_moment_leaves_the_old_one(installed):
    """There is no way back to before: it starts again as it was."""
    server = installed()
    install(server, 'case "$*" in *--check*) rm "$0"; echo fine;; esac')
    restart(server)
    assert events(server, "restarts_as_it_was")
    token = server.client_token(CC, "read")["access_token"]
    install(server)
    restart(server)
    assert server.is_active(token, API)
    assert os.stat(f"/proc/{server.pid}/exe").st_ino == os.stat(server.program).st_ino


def test_told_to_stop_while_it_checks(installed):
    server = installed()
    install(server, "echo $$ > $0.pid; exec sleep 600")
    os.kill(server.pid, signal.SIGUSR2)
    wait_until(lambda: (server.program.parent / "jeton.pid").exists(), 10, "the check runs")
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 8


def test_the_file_is_checked_and_read_again(new_server, tmp_path):
    second = free_port()
    server = new_server(start=False)
    config = tmp_path / "jeton.yaml"
    config.write_text("log-level: info\n")
    server.args = ["--config", str(config)]
    server.start()
    config.write_text("no-such-setting: 1\n")
    os.kill(server.pid, signal.SIGUSR2)
    line = wait_until(lambda: events(server, "restart_refused"), 30, "refused")[0]
    assert "no-such-setting" in line["why"], line
    config.write_text(f"metrics-listen: 127.0.0.1:{second}\n")
    restart(server)
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", second, timeout=5)) as line:
        line.request("GET", "/metrics")
        assert line.getresponse().status == 200
    config.write_text("log-level: info\n")
    restart(server)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", second), timeout=5)


# -- every way in ---------------------------------------------------------------------------------


def has_ipv6():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


@needs_openssl
def test_several_listeners_of_all_kinds(new_server, tmp_path):
    certificate, key = tmp_path / "a.pem", tmp_path / "a.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=a",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tls_port, six_port = free_port(), free_port()
    path = tmp_path / "socket"
    args = ["--tls-listen", f"127.0.0.1:{tls_port}", "--tls-certificate", str(certificate),
            "--tls-key", str(key), "--listen", f"unix:{path}"]
    if has_ipv6():
        args += ["--listen", f"[::1]:{six_port}"]
    server = new_server(args=args)
    context = ssl.create_default_context(cafile=certificate)

    def ask(line):
        with line:
            line.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return read_all(line)

    def connect_unix():
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(10)
        line.connect(str(path))
        return line

    def ask_all():
        yield ask(context.wrap_socket(socket.create_connection(("127.0.0.1", tls_port), 10),
                                      server_hostname="127.0.0.1"))
        yield ask(connect_unix())
        yield ask(socket.create_connection(("127.0.0.1", server.port), 10))
        if has_ipv6():
            yield ask(socket.create_connection(("::1", six_port), 10))

    inode = path.stat().st_ino
    for _ in range(3):
        assert all(reply.startswith(b"HTTP/1.1 200 ") for reply in ask_all())
        restart(server)
    assert all(reply.startswith(b"HTTP/1.1 200 ") for reply in ask_all())
    assert path.stat().st_ino == inode
    server.stop()
    assert not path.exists(), "the last one removes it"


ACTIVATE = """
import os, socket, sys
line = socket.create_server(("127.0.0.1", 0))
print(line.getsockname()[1], flush=True)
if line.fileno() != 3:
    os.dup2(line.fileno(), 3)
os.set_inheritable(3, True)
os.environ["LISTEN_FDS"] = "1"
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize("listen", [None, "fd:3"])
def test_sockets_and_words_of_a_service_manager(new_server, tmp_path, listen):
    """sd_listen_fds(3), sd_notify(3): RELOADING=1, then READY=1 of the same process."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(30)
        server = new_server(listen=listen, prefix=[sys.executable, "-c", ACTIVATE],
                            args=["--issuer", "http://localhost"],
                            env={"NOTIFY_SOCKET": str(path)})
        server.port = int(re.search(r"^(\d+)$", server.log(), re.MULTILINE).group(1))
        assert manager.recv(1000) == b"READY=1"
        for _ in range(2):
            restart(server)
            words = manager.recv(1000).decode().split("\n")
            assert words[0] == "RELOADING=1" and words[1].startswith("MONOTONIC_USEC=")
            assert int(words[1].split("=")[1]) <= time.monotonic_ns() // 1000
            assert manager.recv(1000) == b"READY=1"
            assert server.get("/livez").status == 200
        server.stop()
        assert manager.recv(1000) == b"STOPPING=1"


# -- the check that an operator runs --------------------------------------------------------------


def test_check_says_whether_the_server_would_start(new_server, tmp_path):
    server = new_server()
    assert "would start" in server.cli("serve", "--check").out, "beside the running one"
    assert server.get("/livez").status == 200
    refused = [
        (["--listen", "nowhere"], "listen nowhere"),
        (["--tls-listen", "127.0.0.1:1", "--tls-certificate", "/none", "--tls-key", "/none"],
         "/none"),
        (["--trusted-proxy", "10.0.0.0/99"], "trusted-proxy"),
        (["--issuer", "http://a.example"], "issuer"),
        (["--listen", "192.0.2.1:80"], "--issuer URL is needed"),
        (["--tls-client-ca", "/none"], "/none"),
    ]
    for args, words in refused:
        done = server.cli("serve", "--check", *args, status=1)
        assert words in done.err and done.err.count("jeton: serve: ") == 1, done
    other = tmp_path / "other.key"
    other.write_bytes(bytes(range(32)))
    other.chmod(0o600)
    assert "master key" in server.cli("serve", "--check", "--master-key-file", str(other),
                                      status=1).err
    assert server.cli("serve", "--check", "--no-such-option", status=2)


@pytest.mark.sqlite("a database is made by its administrator")
def test_check_makes_nothing(new_server, tmp_path):
    server = new_server(seeded=False, start=False)
    assert "would start" in server.cli("serve", "--check").out
    assert not server.data.exists()


# -- load balancers -------------------------------------------------------------------------------


def test_drain_delay_serves_on_while_readyz_says_no(new_server):
    server = new_server(args=["--drain-delay", "600"])
    assert server.get("/readyz").status == 200
    os.kill(server.pid, signal.SIGTERM)
    answer = wait_until(lambda: (found := server.get("/readyz")).status == 503 and found, 10, "503")
    assert b"draining" in answer.body
    assert server.get("/livez").status == 200
    token = server.client_token(CC, "read")["access_token"]
    assert server.is_active(token, API), "new connections are taken and served"
    os.kill(server.pid, signal.SIGUSR2)
    os.kill(server.pid, signal.SIGHUP)
    assert server.get("/readyz").status == 503
    os.kill(server.pid, signal.SIGTERM)  # told again: at once
    server.wait()


def test_drain_delay_has_an_end(new_server):
    server = new_server(args=["--drain-delay", "1"])
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began >= 1
    assert events(server, "stopping")[0]["drain_delay"] == 1


def test_readyz_goes_on_during_a_restart(new_server):
    """A load balancer has no reason to send requests elsewhere."""
    server = new_server()
    seen = []
    is_over = threading.Event()

    def look():
        while not is_over.is_set():
            seen.append(server.get("/readyz").status)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        restart(server, 3)
    finally:
        is_over.set()
        thread.join()
    assert set(seen) == {200} and len(seen) > 3
