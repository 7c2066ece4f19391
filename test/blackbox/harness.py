"""Starts a Jeton of its own for a test, talks to it, and looks at what it leaves behind.

Everything here is plain standard library, so that what goes over the wire is what the test wrote.
A Server owns one process and one folder, and where JETON_TEST_STORE is `postgresql` one database in
the cluster of JETON_TEST_DATABASE (stores.py). It ends only that process. Every secret that a test
sends or receives is remembered, and none of them may be found in what the process wrote (LG-01).
"""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse

import stores

ROOT = pathlib.Path(__file__).resolve().parents[2]
VECTORS = ROOT / "test" / "vectors"
FORM = "application/x-www-form-urlencoded"
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
REPORTS = re.compile(
    r"ERROR: (Address|Leak|Thread|Memory)Sanitizer|runtime error:|SUMMARY: \w+Sanitizer|"
    r"[Aa]ssertion .*failed")


def find_binary():
    """The binary under test: JETON_BINARY, else the sanitized build, else the release build."""
    return _first_of([os.environ.get("JETON_BINARY"), ROOT / "build/asan/src/daemon/jeton",
                      ROOT / "build/jeton"])


def find_plain_binary():
    """A build without sanitizers, for load, faked clocks and memory figures."""
    return _first_of([os.environ.get("JETON_BINARY_PLAIN"), ROOT / "build/jeton",
                      os.environ.get("JETON_BINARY")])


def _first_of(candidates):
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK):
            return str(pathlib.Path(candidate).resolve())
    raise RuntimeError("no jeton binary: build it with ./do build, or set JETON_BINARY")


def is_sanitized(binary):
    """Whether a sanitizer is linked in; it cannot live with some preloaded libraries."""
    text = pathlib.Path(binary).read_bytes()
    return b"__asan_init" in text or b"__tsan_init" in text


def sanitizer_environment(env=None):
    """The environment for a child: reports end the process, and freed memory is not hoarded."""
    merged = dict(os.environ if env is None else env)
    merged["ASAN_OPTIONS"] = "detect_leaks=1:quarantine_size_mb=16:exitcode=99"
    merged["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1:exitcode=99"
    merged["TSAN_OPTIONS"] = f"suppressions={ROOT}/test/tsan.txt:exitcode=99"
    merged.pop("JETON_LOG", None)
    return merged


def wait_until(condition, timeout_s, what):
    """Polls until condition() is true, and fails after timeout_s."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {timeout_s} s: {what}")


def free_port():
    """A port that was free a moment ago, for what cannot be told to choose one itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def form_encode(pairs):
    """application/x-www-form-urlencoded of a dict or a list of pairs."""
    if isinstance(pairs, dict):
        pairs = list(pairs.items())
    return urllib.parse.urlencode(pairs)


def basic(client_id, secret):
    """An Authorization value as RFC 6749 2.3.1 has it: both halves form-encoded, then base64."""
    pair = f"{urllib.parse.quote_plus(client_id)}:{urllib.parse.quote_plus(secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def bearer(token):
    return {"Authorization": "Bearer " + token}


def jwt_part(token, index):
    """Header (0) or claims (1) of a compact JWT, not verified."""
    part = token.split(".")[index]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def short(value):
    """A test id that fits a line."""
    return repr(value)[:30]


class Answer:
    """One HTTP answer: status, headers as a list of pairs, body bytes."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def header(self, name):
        values = self.all_headers(name)
        return values[0] if values else None

    def all_headers(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def json(self):
        media_type = (self.header("Content-Type") or "").split(";")[0].strip()
        assert media_type == "application/json", f"not JSON: {self}"
        return json.loads(self.body)

    @property
    def members(self):
        """Names of the JSON members in the order in which they were sent."""
        return [name for name, _ in json.loads(self.body, object_pairs_hook=list)]

    @property
    def error(self):
        return self.json.get("error") if self.body else None

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:400]!r}>"


class Finished:
    """What a command line call left: exit status and both outputs."""

    def __init__(self, status, out, err):
        self.status = status
        self.out = out
        self.err = err

    def __repr__(self):
        return f"<exit {self.status}: {self.out!r} {self.err!r}>"


class Server:
    """One Jeton on a folder of its own."""

    def __init__(self, folder, binary=None, args=(), env=None, listen="127.0.0.1:0", prefix=()):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.store = stores.new_store()
        self.binary = binary or find_binary()
        self.args = list(args)
        self.always = []  # what a test that sets args keeps
        self.env = env or {}
        self.listen = listen
        self.prefix = list(prefix)
        self.log_path = self.folder / "stderr.log"
        self.secrets = set()
        self.process = None
        self.port = None
        self.ready_line = None
        self.reported = 0
        self.folder.mkdir(parents=True, exist_ok=True)

    def place(self):
        """The options that name the store."""
        return ["--data", str(self.data), *self.store.options()]

    # -- the process ------------------------------------------------------------------------

    def start(self):
        command = self.prefix + [self.binary, "serve", *self.place()]
        if self.listen:
            command += ["--listen", self.listen]
        log_from = self.log_path.stat().st_size if self.log_path.exists() else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command + self.always + self.args,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.folder,
                                            env={**sanitizer_environment(), **self.env})
        self.ready_line = wait_until(lambda: self._ready(log_from), START_TIMEOUT_S, "ready")
        found = re.search(r":(\d+)(?=[\s/,]|$)", self.ready_line)
        self.port = int(found.group(1)) if found else None
        return self

    def _ready(self, log_from):
        text = self.log_path.read_bytes()[log_from:].decode("utf-8", "replace")
        if self.process.poll() is not None:
            raise AssertionError(f"serve ended with {self.process.returncode}: {text[-3000:]}")
        for line in text.splitlines(keepends=True):
            if line.startswith("ready") and line.endswith("\n"):
                return line
        return None

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """SIGTERM, and the process must end by itself with status 0."""
        if self.is_running():
            self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self):
        try:
            status = self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("still running after SIGTERM: " + self.log()[-3000:]) from None
        assert status == 0, f"ended with {status}: {self.log()[-3000:]}"
        return status

    def kill(self):
        """kill -9."""
        if self.is_running():
            self.process.kill()
        self.process.wait()

    def restart(self):
        self.stop()
        return self.start()

    def log(self):
        return self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""

    def log_lines(self):
        """The structured lines, parsed."""
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]

    def assert_clean(self):
        """No sanitizer report and none of the secrets in all that the process wrote."""
        text = self.log()
        report = REPORTS.search(text)
        assert not report, text[max(0, report.start() - 200):report.start() + 4000]
        for secret in self.secrets:
            at = text.find(secret)
            assert at < 0, f"secret {secret!r} in the log: {text[max(0, at - 200):at + 200]!r}"

    # -- the command line -------------------------------------------------------------------

    def cli(self, *args, stdin=None, status=0, data=True):
        """Runs a command on this data folder; `status` None takes any exit status."""
        command = [self.binary, *args] + (self.place() if data else [])
        done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=120, check=False, cwd=self.folder,
                              env={**sanitizer_environment(), **self.env})
        report = REPORTS.search(done.stderr)
        assert not report, done.stderr
        assert status is None or done.returncode == status, \
            f"{args}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return Finished(done.returncode, done.stdout, done.stderr)

    def add_user(self, name, password, *args):
        self.secrets.add(password)
        return self.cli("user", "add", name, "--password-stdin", *args, stdin=password + "\n")

    def add_service(self, service_id, secret, *args):
        self.secrets.add(secret)
        return self.cli("service", "add", service_id, "--secret-stdin", *args, stdin=secret + "\n")

    def add_client(self, client_id, secret, *args):
        """A confidential client with a chosen secret, or a public one where secret is None."""
        if secret is None:
            return self.cli("client", "add", client_id, "--public", *args)
        self.secrets.add(secret)
        return self.cli("client", "add", client_id, "--secret-stdin", *args, stdin=secret + "\n")

    # -- what it stores ---------------------------------------------------------------------

    def query(self, statement):
        """Runs one statement on the store, past the server; the rows it answers, as texts."""
        return self.store.query(self.data, statement)

    def stored(self):
        """All that is stored: pairs of a file or table, and its content."""
        files = [(str(path), path.read_bytes()) for path in self.data.rglob("*") if path.is_file()]
        return files + self.store.tables()

    # -- HTTP -------------------------------------------------------------------------------

    def connection(self, source=None, timeout=60):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout,
                                          source_address=(source, 0) if source else None)

    def request(self, method, path, body=None, headers=(), source=None, connection=None):
        """One request, on a connection of its own unless one is given."""
        if isinstance(headers, dict):
            headers = list(headers.items())
        if isinstance(body, str):
            body = body.encode()
        names = {name.lower() for name, _ in headers}
        own = connection is None
        line = connection or self.connection(source)
        try:
            line.putrequest(method, path, skip_host="host" in names, skip_accept_encoding=True)
            for name, value in headers:
                line.putheader(name, value)
            if body is not None and "content-length" not in names:
                line.putheader("Content-Length", str(len(body)))
            line.endheaders(body)
            reply = line.getresponse()
            answer = Answer(reply.status, reply.getheaders(), reply.read())
        finally:
            if own:
                line.close()
        self._remember(answer)
        return answer

    def _remember(self, answer):
        for found in re.finditer(rb'"(?:access|refresh)_token"\s*:\s*"([^"]+)"', answer.body):
            self.secrets.add(found.group(1).decode())

    def revoke_by_command(self, token):
        """`token revoke` reads the value from its standard input: arguments are no place for it."""
        return self.cli("token", "revoke", stdin=token + "\n")

    def get(self, path, headers=(), **more):
        return self.request("GET", path, None, headers, **more)

    def post_form(self, path, fields, headers=(), client=None, **more):
        """POST of a form. `fields` is a dict, pairs, or the body as it stands; `client` a pair for
        Basic."""
        headers = list(headers.items() if isinstance(headers, dict) else headers)
        if not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", FORM))
        if client:
            headers.append(("Authorization", basic(*client)))
        if not isinstance(fields, (str, bytes)):
            fields = form_encode(fields)
        return self.request("POST", path, fields, headers, **more)

    def post_json(self, path, value, headers=(), **more):
        body = value if isinstance(value, (str, bytes)) else json.dumps(value)
        headers = list(headers.items() if isinstance(headers, dict) else headers)
        return self.request("POST", path, body, headers + [("Content-Type", "application/json")],
                            **more)

    def token(self, fields, client=None, **more):
        return self.post_form("/oauth2/token", fields, client=client, **more)

    def client_token(self, client, scope=None, **more):
        """The body of a client_credentials answer that must succeed."""
        fields = {"grant_type": "client_credentials"}
        if scope:
            fields["scope"] = scope
        answer = self.token(fields, client=client, **more)
        assert answer.status == 200, answer
        return answer.json

    def user_token(self, client, user, scope=None, **more):
        """The body of a password answer for a registered client that must succeed."""
        fields = {"grant_type": "password", "username": user[0], "password": user[1]}
        if scope:
            fields["scope"] = scope
        if client[1] is None:
            fields["client_id"] = client[0]
        answer = self.token(fields, client=client if client[1] is not None else None, **more)
        assert answer.status == 200, answer
        return answer.json

    def refresh(self, refresh_token, client, scope=None, **more):
        fields = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        if scope:
            fields["scope"] = scope
        if client[1] is None:
            fields["client_id"] = client[0]
        return self.token(fields, client=client if client[1] is not None else None, **more)

    def introspect(self, token, caller, **more):
        return self.post_form("/oauth2/introspect", {"token": token}, client=caller, **more)

    def is_active(self, token, caller, **more):
        answer = self.introspect(token, caller, **more)
        assert answer.status == 200, answer
        return answer.json["active"]

    def revoke(self, token, client, **fields):
        form = {"token": token, **fields}
        if client[1] is None:
            form["client_id"] = client[0]
        return self.post_form("/oauth2/revoke", form,
                              client=client if client[1] is not None else None)

    def forward_auth(self, token=None, query="", headers=(), method="GET", **more):
        headers = list(headers.items() if isinstance(headers, dict) else headers)
        if token is not None:
            headers.append(("Authorization", "Bearer " + token))
        return self.request(method, "/forward-auth" + query, None, headers, **more)

    def raw(self, data, timeout=5.0, until=None, half_close=False, port=None):
        """Sends bytes as they are; returns all that came back and whether the other end closed.

        until       stop reading as soon as until(received) is true
        half_close  shut down our writing side after sending
        """
        received = b""
        with socket.create_connection(("127.0.0.1", port or self.port), timeout=timeout) as line:
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                line.sendall(data)
                if half_close:
                    line.shutdown(socket.SHUT_WR)
            while until is None or not until(received):
                try:
                    piece = line.recv(65536)
                except socket.timeout:
                    return received, False
                except ConnectionResetError:
                    return received, True
                if not piece:
                    return received, True
                received += piece
        return received, False


# -- what most tests find already there ---------------------------------------------------------

UAUTH = "uslicer.iponweb.com"          # password grant without client authentication
API = ("api.example", "api-service-secret-4Jw8")
OTHER = ("other.example", "other-service-secret-9Kd2")
JWTS = ("jwt.example", "jwt-service-secret-3Vn6")
UAUTH_SERVICE = (UAUTH, "uauth-service-secret-7Qm1")
C1 = ("c1", "first-client-secret-1Xz5")
C2 = ("c2", "second-client-secret-8Bt3")
CC = ("cc-only", "machine-client-secret-6Pf0")
P1 = ("p1", None)
ALICE = ("alice", "correct horse battery staple A1")
BOB = ("bob", "another long enough password B2")
ALL_GRANTS = ["--grant", "client_credentials", "--grant", "password", "--grant", "refresh_token"]


def seed(server):
    """Services, clients and accounts by the command line, with no server running."""
    server.add_user(*ALICE, "--full-name", "Alice Example", "--email", "alice@mail.example")
    server.add_user(*BOB)
    server.add_service(*UAUTH_SERVICE, "--allow-password", "--format", "jwt", "--lifetime", "3600")
    server.add_service(*API, "--scope", "read write admin", "--lifetime", "600")
    server.add_service(*OTHER, "--scope", "peek poke", "--lifetime", "600")
    server.add_service(*JWTS, "--scope", "jread jwrite", "--format", "jwt", "--lifetime", "900")
    server.add_service("closed.example", "closed-service-secret-5Rc4", "--scope", "closed")
    both = ["--service", API[0], "--service", JWTS[0]]
    server.add_client(*C1, *ALL_GRANTS, *both, "--service", OTHER[0])
    server.add_client(*C2, *ALL_GRANTS, *both)
    server.add_client(*CC, "--grant", "client_credentials", "--service", API[0])
    server.add_client(*P1, "--grant", "password", "--grant", "refresh_token", "--service", API[0])


KNOWN_SECRETS = [API[1], OTHER[1], JWTS[1], UAUTH_SERVICE[1], C1[1], C2[1], CC[1], ALICE[1], BOB[1],
                 "closed-service-secret-5Rc4"]


def copy_seeded(template, server):
    """Gives a new server the data folder, and the database, of one that is seeded."""
    shutil.copytree(template.data, server.data, ignore=shutil.ignore_patterns(stores.MARK))
    server.store.copy(template.store)
    server.secrets.update(KNOWN_SECRETS)


def uauth_form(user=ALICE, service=UAUTH, **more):
    """u-Auth's documented request."""
    return {"grant_type": "password", "username": user[0], "password": user[1],
            "scope": "service_id=" + service, **more}
