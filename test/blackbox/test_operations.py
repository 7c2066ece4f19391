"""Listeners, TLS, drain, reload, metrics, data files (promises HT-05, HT-09, LG-05)."""

import contextlib
import fcntl
import os
import re
import shutil
import signal
import socket
import ssl
import stat
import struct
import subprocess
import sys
import termios
import time

import pytest

from harness import ALICE, API, C1, CC, Answer, basic, form_encode, free_port, uauth_form, \
    wait_until

CREDENTIALS = {"grant_type": "client_credentials", "scope": "read"}
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command")


def make_certificate(folder, name, days=2):
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", str(days), "-subj",
                    f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", key, "-out", certificate], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return certificate, key


class Tls:
    """A server with a TLS listener of its own."""

    def __init__(self, new_server, folder):
        self.certificate, self.key = make_certificate(folder, "first.example")
        self.port = free_port()
        self.server = new_server(args=["--tls-listen", f"127.0.0.1:{self.port}",
                                       "--tls-certificate", str(self.certificate),
                                       "--tls-key", str(self.key)])

    def connect(self, context=None):
        if context is None:
            context = ssl.create_default_context(cafile=self.certificate)
        line = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        return context.wrap_socket(line, server_hostname="localhost")

    def common_name(self):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with self.connect(context) as line:
            der = line.getpeercert(binary_form=True)
        return "second.example" if b"second.example" in der else "first.example"


@pytest.fixture
def tls(new_server, tmp_path):
    return Tls(new_server, tmp_path)


def s_client(port, *args):
    """openssl with all its own prohibitions lifted, so that only the server refuses."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-cipher",
                           "ALL:@SECLEVEL=0", *args], input=b"", stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=30, check=False,
                          env={**os.environ, "OPENSSL_CONF": "/dev/null"})
    found = re.search(rb"^New, (\S+), Cipher is (\S+)$", done.stdout, re.MULTILINE)
    return found.group(1, 2) if found and found.group(2) != b"(NONE)" else None


@needs_openssl
def test_ht_05_old_protocols_are_refused(tls, tmp_path):
    """RFC 8996; BCP 195. A server of openssl that takes them shows that the client does ask."""
    port = free_port()
    control = subprocess.Popen(["openssl", "s_server", "-accept", str(port), "-cert",
                                tls.certificate, "-key", tls.key, "-cipher", "ALL:@SECLEVEL=0",
                                "-quiet"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, cwd=tmp_path,
                               env={**os.environ, "OPENSSL_CONF": "/dev/null"})
    try:
        wait_until(lambda: s_client(port, "-tls1_2"), 10, "the control server answers")
        for version in ("-tls1", "-tls1_1"):
            assert s_client(port, version), "the control must take " + version
            assert s_client(tls.port, version) is None, version
    finally:
        control.terminate()
        control.wait()
    assert s_client(tls.port, "-tls1_2")
    assert s_client(tls.port, "-tls1_3")


@needs_openssl
@pytest.mark.parametrize("cipher", ["AES128-SHA", "AES256-GCM-SHA384", "DES-CBC3-SHA", "RC4-SHA",
                                    "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384",
                                    "AECDH-AES128-SHA", "eNULL", "aNULL"])
def test_ht_05_ciphers_without_forward_secrecy_or_aead_are_refused(tls, cipher):
    """RFC 9325 4.2."""
    assert s_client(tls.port, "-tls1_2", "-cipher", cipher + ":@SECLEVEL=0") is None


@needs_openssl
def test_ht_05_forward_secrecy_in_both_versions(tls):
    for version in ("-tls1_2", "-tls1_3"):
        _, cipher = s_client(tls.port, version)
        assert cipher.startswith((b"ECDHE-", b"TLS_")), cipher


@needs_openssl
def test_ht_05_tokens_over_tls(tls):
    form = form_encode(CREDENTIALS)
    with tls.connect() as line:
        line.sendall((f"POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\n"
                      f"Content-Type: application/x-www-form-urlencoded\r\n"
                      f"Authorization: {basic(*CC)}\r\nContent-Length: {len(form)}\r\n"
                      f"Connection: close\r\n\r\n{form}").encode())
        received = b""
        while True:
            piece = line.recv(65536)
            if not piece:
                break
            received += piece
    assert received.startswith(b"HTTP/1.1 200 "), received
    token = re.search(rb'"access_token":"([^"]+)"', received).group(1).decode()
    assert tls.server.is_active(token, API)


@needs_openssl
def test_ht_05_plain_http_on_the_tls_port_is_refused(tls):
    received, closed = tls.server.raw(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", port=tls.port)
    assert b"200" not in received and closed, received


@needs_openssl
def test_ht_05_no_renegotiation_and_no_compression(tls):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{tls.port}", "-tls1_2"],
                          input=b"R\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=30, check=False)
    assert b"Compression: NONE" in done.stdout
    assert tls.server.get("/livez").status == 200


@needs_openssl
def test_ht_05_certificate_is_read_again_on_sighup(tls, tmp_path):
    assert tls.common_name() == "first.example"
    with tls.connect() as old:
        certificate, key = make_certificate(tmp_path, "second.example")
        os.replace(key, tls.key)
        os.replace(certificate, tls.certificate)
        tls.server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: tls.common_name() == "second.example", 10, "the new certificate")
        old.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert old.recv(4096).startswith(b"HTTP/1.1 200 "), "open connections are not disturbed"
    before = tls.server.log()
    tls.certificate.write_text("not a certificate")
    tls.server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: tls.server.log() != before, 10, "a word about the bad certificate")
    assert tls.common_name() == "second.example", "the old one stays when the new one is bad"


@needs_openssl
@pytest.mark.parametrize("fault", ["missing file", "not a certificate", "key of another"])
def test_ht_05_bad_tls_files_stop_the_start(new_server, tmp_path, fault):
    certificate, key = make_certificate(tmp_path, "first.example")
    if fault == "missing file":
        key = tmp_path / "nowhere.key"
    elif fault == "not a certificate":
        certificate.write_text("hello")
    else:
        _, key = make_certificate(tmp_path, "second.example")
    done = new_server(start=False).cli("serve", "--listen", "127.0.0.1:0", "--tls-listen",
                                       "127.0.0.1:0", "--tls-certificate", str(certificate),
                                       "--tls-key", str(key), status=None)
    assert done.status in (1, 2) and done.err.strip(), done


def test_ht_05_stalled_handshake_does_not_stop_others(new_server, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("no openssl command")
    tls = Tls(new_server, tmp_path)
    stalled = [socket.create_connection(("127.0.0.1", tls.port)) for _ in range(20)]
    try:
        with tls.connect() as line:
            line.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert line.recv(4096).startswith(b"HTTP/1.1 200 ")
    finally:
        for line in stalled:
            line.close()


def test_ht_09_metrics_are_off_by_default_and_never_on_the_main_listener(jeton, new_server):
    assert jeton.get("/metrics").status == 404
    port = free_port()
    server = new_server(args=["--metrics-listen", f"127.0.0.1:{port}"])
    server.client_token(CC)
    assert server.get("/metrics").status == 404
    text = metrics(server, port)
    assert re.search(r"^# TYPE \w+ (counter|gauge|histogram)$", text, re.MULTILINE)
    assert re.search(r"^jeton_\w+(\{[^}]*\})? \d+", text, re.MULTILINE), text[:2000]
    for path in ("/oauth2/token", "/oauth2/introspect", "/", "/forward-auth", "/oauth2/jwks"):
        received, _ = server.raw(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
                                 .encode(), port=port, until=lambda data: b"\r\n\r\n" in data)
        assert re.match(rb"HTTP/1\.1 (404|405) ", received), (path, received)


def metrics(server, port):
    received, _ = server.raw(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                             port=port)
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ") and b"text/plain" in head, head
    return body.decode()


def test_ht_09_metrics_are_prometheus_text(new_server):
    """Each sample line parses, each family has a type, and counting counts."""
    port = free_port()
    server = new_server(args=["--metrics-listen", f"127.0.0.1:{port}"])
    sample = re.compile(r'^[a-z_][a-z0-9_]*(\{[a-z_]+="[^"\\\n]*"(,[a-z_]+="[^"\\\n]*")*\})? '
                        r'[-+0-9.eEinfNa]+$')
    text = metrics(server, port)
    for line in text.splitlines():
        assert line.startswith("#") or not line or sample.match(line), line
    typed = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))
    for name in re.findall(r"^([a-z_][a-z0-9_]*)[ {]", text, re.MULTILINE):
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        assert name in typed or base in typed, name

    def total():
        return sum(float(value) for value in re.findall(
            r"^jeton_\w*(?:token|issued)\w*(?:\{[^}]*\})? ([0-9.]+)$", metrics(server, port),
            re.MULTILINE))

    before = total()
    for _ in range(5):
        server.client_token(CC)
    assert total() >= before + 5


def test_drain_finishes_requests_under_way(new_server):
    """SIGTERM: what was begun is answered, what is idle is closed, nothing new is taken."""
    server = new_server()
    idle = socket.create_connection(("127.0.0.1", server.port))
    lines = []
    form = form_encode(uauth_form(ALICE))
    for _ in range(2):
        line = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        line.sendall((f"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: "
                      f"application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n\r\n"
                      f"{form}").encode())
        lines.append(line)
    wait_until(lambda: all(has_sent(line) for line in lines), 5, "requests sent")
    server.process.send_signal(signal.SIGTERM)
    for line in lines:
        received = b""
        while True:
            piece = line.recv(65536)
            if not piece:
                break
            received += piece
        assert received.startswith(b"HTTP/1.1 200 "), received
        for token in re.findall(rb'"access_token":"([^"]+)"', received):
            server.secrets.add(token.decode())
    assert idle.recv(10) == b""
    began = time.monotonic()
    server.wait()
    assert time.monotonic() - began < 5
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", server.port), timeout=2)


def has_sent(line):
    """Whether the other end's kernel has taken all bytes of this socket."""
    return struct.unpack("i", fcntl.ioctl(line, termios.TIOCOUTQ, bytes(4)))[0] == 0


def test_drain_tokens_told_before_the_stop_are_there_after_it(new_server):
    server = new_server()
    tokens = [server.client_token(CC, "read")["access_token"] for _ in range(20)]
    server.restart()
    assert all(server.is_active(token, API) for token in tokens)


@pytest.mark.sqlite("a database may have several servers")
def test_second_server_on_the_same_data_is_refused(new_server):
    server = new_server()
    done = server.cli("serve", "--listen", "127.0.0.1:0", status=None)
    assert done.status == 1 and done.err.strip(), done
    assert server.get("/livez").status == 200


def test_listener_in_use_is_told_and_refused(new_server):
    server = new_server()
    other = new_server(start=False)
    done = other.cli("serve", "--listen", f"127.0.0.1:{server.port}", status=None)
    assert done.status == 1 and str(server.port) in done.err, done


def exchange(line, path, headers=""):
    line.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\n\r\n".encode())
    received = b""
    while True:
        piece = line.recv(65536)
        if not piece:
            break
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = [tuple(line.split(": ", 1)) for line in lines[1:]]
    return Answer(int(lines[0].split()[1]), headers, body)


def test_listener_on_a_unix_socket(new_server, tmp_path):
    path = tmp_path / "s"
    server = new_server(listen=f"unix:{path}", args=["--issuer", "https://jeton.example"])
    for _ in range(2):
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(path))
            assert exchange(line, "/livez").status == 200
    assert stat.S_IMODE(path.stat().st_mode) & 0o002 == 0, "not for everyone on the machine"
    server.stop()
    server.start()
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(path))
        assert exchange(line, "/livez").status == 200


def test_listener_on_ipv6(new_server):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    server = new_server(listen="[::1]:0")
    with socket.create_connection(("::1", server.port), timeout=5) as line:
        assert exchange(line, "/livez").status == 200


def test_listeners_more_than_one(new_server, tmp_path):
    path = tmp_path / "s"
    server = new_server(args=["--listen", f"unix:{path}"])
    assert server.get("/livez").status == 200
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(path))
        assert exchange(line, "/livez").status == 200


ACTIVATE = """
import os, socket, sys
line = socket.socket()
line.bind(("127.0.0.1", 0))
line.listen(64)
print(line.getsockname()[1], flush=True)
if line.fileno() != 3:
    os.dup2(line.fileno(), 3)
os.set_inheritable(3, True)
os.environ["LISTEN_FDS"] = "1"
os.environ["LISTEN_PID"] = sys.argv[1] if sys.argv[1] != "mine" else str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_listener_from_systemd(new_server):
    """sd_listen_fds(3): LISTEN_FDS and LISTEN_PID hand over descriptor 3."""
    server = new_server(listen=None, prefix=[sys.executable, "-c", ACTIVATE, "mine"],
                        args=["--sandbox", "required"])
    port = int(re.search(r"^(\d+)$", server.log(), re.MULTILINE).group(1))
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        assert exchange(line, "/livez").status == 200


def test_listener_of_another_process_is_not_taken(new_server):
    """LISTEN_PID of someone else: the variables were not meant for us."""
    server = new_server(prefix=[sys.executable, "-c", ACTIVATE, "1"])
    assert server.get("/livez").status == 200


def test_client_address_comes_from_trusted_proxies_only(new_server):
    """Fault class 31: the log tells the address that counts for throttling."""
    server = new_server()
    server.token(uauth_form((ALICE[0], "wrong password 1")), headers=forwarded("198.51.100.7"))
    assert "198.51.100.7" not in server.log()
    trusting = new_server(args=["--trusted-proxy", "127.0.0.1"])
    trusting.token(uauth_form((ALICE[0], "wrong password 1")), headers=forwarded("198.51.100.7"))
    assert "198.51.100.7" in trusting.log()
    trusting.token(uauth_form((ALICE[0], "wrong password 2")),
                   headers=forwarded("203.0.113.9, 198.51.100.8"))
    assert "198.51.100.8" in trusting.log() and "203.0.113.9" not in trusting.log(), \
        "what the client itself wrote into the header is not believed"
    for junk in ("a", "", ",", "999.1.1.1", "::gg", "1.2.3.4, a", "\"x\"", "-", "1" * 500):
        answer = trusting.token(uauth_form((ALICE[0], "wrong password 3")),
                                headers=forwarded(junk))
        assert answer.status == 400, (junk, answer)


def forwarded(value):
    return {"X-Forwarded-For": value}


def test_lg_05_data_files_are_for_the_owner_alone(new_server):
    server = new_server(seeded=False)
    server.add_service("a.example", "a-service-secret", "--scope", "a")
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700
    files = [path for path in server.data.rglob("*") if not path.is_dir()]
    assert files
    for path in files:
        assert stat.S_IMODE(path.lstat().st_mode) & 0o077 == 0, path


def test_lg_05_refuses_to_start_when_too_open(new_server):
    server = new_server(start=False)
    for path in [path for path in server.data.rglob("*") if path.is_file()]:
        mode = stat.S_IMODE(path.stat().st_mode)
        path.chmod(0o644)
        done = server.cli("serve", "--listen", "127.0.0.1:0", status=None)
        assert done.status == 1 and path.name in done.err, (path, done)
        path.chmod(mode)
    server.start()
    assert server.get("/livez").status == 200


CONFIG = """
listen:
  - 127.0.0.1:0
issuer: https://auth.example.com
log-level: info
trusted-proxy:
  - 127.0.0.1
"""


def test_configuration_file_says_the_same_as_the_options(new_server, tmp_path):
    path = tmp_path / "jeton.yaml"
    path.write_text(CONFIG)
    server = new_server(listen=None, args=["--config", str(path)])
    document = server.get("/.well-known/oauth-authorization-server").json
    assert document["issuer"] == "https://auth.example.com"
    server.token(uauth_form((ALICE[0], "wrong password 1")), headers=forwarded("198.51.100.9"))
    assert "198.51.100.9" in server.log()
    overruled = new_server(args=["--config", str(path), "--issuer", "https://other.example"])
    document = overruled.get("/.well-known/oauth-authorization-server").json
    assert document["issuer"] == "https://other.example", "the command line replaces the file"


@pytest.mark.parametrize("text, line, key", [
    ("listen:\n  - 127.0.0.1:0\nissuerr: https://a.example\n", "3", "issuerr"),
    ("log-level: loud\n", "1", "log-level"),
    ("\nlisten:\n  - nonsense\n", "2", "listen"),
    ("work-threads: many\n", "1", "work-threads"),
    ("issuer: [a, b]\n", "1", "issuer"),
    ("listen: {\n", "", ""),
])
def test_configuration_errors_name_line_and_key(new_server, tmp_path, text, line, key):
    path = tmp_path / "jeton.yaml"
    path.write_text(text)
    done = new_server(start=False).cli("serve", "--config", str(path), status=None)
    assert done.status in (1, 2), done
    assert str(path) in done.err and key in done.err and line in done.err.replace(str(path), ""), \
        done


@pytest.mark.sqlite("test/nodes fills the database's disk")
def test_full_disk_is_503_and_passes_by_itself(new_server, tmp_path):
    """Figure 8: known tokens are still answered; when there is room again, new ones are given."""
    folder = tmp_path / "small"
    folder.mkdir(mode=0o700)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs", folder],
                          stderr=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        pytest.skip("may not mount a tmpfs here")
    try:
        server = new_server(start=False)
        shutil.copytree(server.data, folder / "data")
        server.data = folder / "data"
        server.start()
        token = server.client_token(C1, "read")["access_token"]
        assert server.is_active(token, API), "and the service's secret is known from now on"
        filler = folder / "filler"
        with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        statuses = set()
        for _ in range(200):
            answer = server.token(CREDENTIALS, client=CC)
            statuses.add(answer.status)
            if answer.status != 200:
                break
        assert 503 in statuses and statuses <= {200, 503}, statuses
        assert server.is_active(token, API) and server.forward_auth(token).status == 200
        assert server.revoke(token, C1).status in (200, 503)
        filler.unlink()
        wait_until(lambda: server.token(CREDENTIALS, client=CC).status == 200, 10,
                   "tokens again, without a restart")
        server.stop()
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def test_a_start_without_a_data_folder_makes_one(new_server):
    server = new_server(seeded=False)
    assert server.data.is_dir() and server.get("/readyz").status == 200
    document = server.get("/.well-known/oauth-authorization-server").json
    assert document["issuer"].startswith("http")


def mappings(pid):
    """(start, end, flags) of every readable mapping of a process."""
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
        span = None
        for line in file:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (r\S+) ", line)
            if head or re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                span = (int(head.group(1), 16), int(head.group(2), 16)) if head else None
            elif line.startswith("VmFlags:") and span:
                yield (*span, line.split()[1:])


def test_lg_04_master_key_is_locked_and_left_out_of_dumps(new_server, plain_binary):
    """Wherever its bytes are in memory, the page is locked and marked as not to be dumped."""
    if os.geteuid() != 0:
        pytest.skip("only root may read that memory")
    server = new_server(binary=plain_binary)
    key = (server.data / "master.key").read_bytes()
    found = 0
    with open(f"/proc/{server.pid}/mem", "rb", buffering=0) as memory:
        for start, end, flags in mappings(server.pid):
            try:
                memory.seek(start)
                content = memory.read(end - start)
            except (OSError, ValueError, OverflowError):
                continue
            if key in content:
                assert "dd" in flags and "lo" in flags, f"key at {start:x} in {flags}"
                found += 1
    assert found == 1, "it has one place, and this test sees it"


def test_lg_04_no_core_dump(new_server):
    server = new_server()
    with open(f"/proc/{server.pid}/limits", encoding="ascii") as file:
        assert re.search(r"^Max core file size\s+0\s", file.read(), re.MULTILINE)
    # Nor would one that is written all the same have memory in it.
    with open(f"/proc/{server.pid}/coredump_filter", encoding="ascii") as file:
        assert int(file.read(), 16) == 0


def test_c1_token_works_over_every_listener(new_server, tmp_path):
    path = tmp_path / "s"
    server = new_server(args=["--listen", f"unix:{path}"])
    token = server.client_token(C1, "read")["access_token"]
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(path))
        answer = exchange(line, "/forward-auth", f"Authorization: Bearer {token}\r\n")
    assert answer.status == 200 and answer.header("X-Auth-Client") == C1[0]
