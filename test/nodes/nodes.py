"""Several nodes of one service: each a process in a room of its own, all on one database.

They are one service to the world: one issuer, one port, and the host that clients name is the
issuer's whichever node they come to. A Town has the nodes, the accounts and clients of all tests,
and a look into the database.
"""

import base64
import http.client
import json
import os
import select
import signal
import socket
import subprocess
import time

from dpop import Key
from harness import START_TIMEOUT_S, Server, sanitizer_environment, wait_until
from network import end_with_parent
from postgres import SUPERUSER, find_program

ALICE = ("alice", "correct horse battery staple A1")
CAROL = ("carol", "a third long enough password C3")
API = ("api.example", "api-service-secret-4Jw8")
SIDE = ("side.example", "side-service-secret-9Kd2")
APP = ("app", "app-secret-app-secret-app-secret")
SECOND = ("second", "second-secret-second-secret-2")
SIGNER = "signer"
CALLBACK = "https://app.example/cb"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def free_port(addresses):
    """A port that is free at all of these addresses, which are of this process's network."""
    while True:
        with socket.socket() as first:
            first.bind((addresses[0], 0))
            port = first.getsockname()[1]
            try:
                for address in addresses[1:]:
                    with socket.socket() as other:
                        other.bind((address, port))
                return port
            except OSError:
                continue


class Node(Server):
    """One node. host: where it listens; prefix: what its commands are begun with."""

    def __init__(self, folder, url, key_file, host, port, binary=None, prefix=(), args=()):
        super().__init__(folder, binary, args, None, f"{host}:{port}", prefix)
        self.url, self.key_file, self.host = url, key_file, host
        self.port = port
        self.authority = f"127.0.0.1:{port}"

    @property
    def address(self):
        return self.host, self.port

    def place(self):
        return ["--database", self.url, "--master-key-file", str(self.key_file)]

    def serve_words(self):
        return [*self.place(), "--listen", self.listen, "--issuer", "http://" + self.authority]

    def begin(self):
        """Starts the process and does not wait until it serves."""
        self.log_from = self.log_path.stat().st_size if self.log_path.exists() else 0
        command = [*self.prefix, self.binary, "serve", *self.serve_words(), *self.args]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=self.folder,
                                            preexec_fn=end_with_parent,
                                            env={**sanitizer_environment(), **self.env})

    def start(self):
        self.begin()
        self.ready_line = wait_until(lambda: self._ready(self.log_from), START_TIMEOUT_S, "ready")
        return self

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def connection(self, source=None, timeout=30):
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def request(self, method, path, body=None, headers=(), source=None, connection=None):
        headers = list(headers.items() if isinstance(headers, dict) else headers)
        return super().request(method, path, body, [("Host", self.authority), *headers], source,
                               connection)

    def is_ready(self):
        """What a load balancer is told."""
        try:
            line = self.connection(timeout=3)
            line.request("GET", "/readyz", headers={"Host": self.authority})
            return line.getresponse().status == 200
        except OSError:
            return False
        finally:
            line.close()

    # -- requests as bytes, for lines --------------------------------------------------------------

    def wire(self, method, path, form=None, headers=(), client=None):
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.authority}",
                 *(f"{name}: {value}" for name, value in headers)]
        if client:
            pair = base64.b64encode(f"{client[0]}:{client[1]}".encode()).decode()
            lines.append("Authorization: Basic " + pair)
        if form is not None:
            lines += ["Content-Type: application/x-www-form-urlencoded",
                      f"Content-Length: {len(form)}"]
        return ("\r\n".join(lines) + "\r\n\r\n" + (form or "")).encode()

    def wire_issue(self, client=APP, scope="read", more=""):
        return self.wire("POST", "/oauth2/token",
                         f"grant_type=client_credentials&scope={scope}{more}", client=client)

    def wire_introspect(self, token, caller=API):
        return self.wire("POST", "/oauth2/introspect", "token=" + token, client=caller)

    def wire_revoke(self, token, client=APP):
        return self.wire("POST", "/oauth2/revoke", "token=" + token, client=client)

    def wire_refresh(self, token, client=APP):
        return self.wire("POST", "/oauth2/token",
                         "grant_type=refresh_token&refresh_token=" + token, client=client)


def superuser_url(cluster, name):
    """Over the Unix socket: another namespace is no hindrance."""
    return cluster.socket_url.replace(f"///{SUPERUSER}?", f"///{name}?")


class Database:
    """A look into the database through psql, and objects that are made there by the hundred."""

    def __init__(self, url):
        self.url = url
        self.process = None

    def run(self, text, timeout_s=60):
        """Runs statements; what they answer as lines of values with | between."""
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [find_program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", self.url],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.process.stdin.write((text.rstrip("; \n") + ";\n\\echo -- end\n").encode())
        self.process.stdin.flush()
        out = b""
        deadline = time.monotonic() + timeout_s
        while not out.endswith(b"-- end\n"):
            left = deadline - time.monotonic()
            ready = left > 0 and select.select([self.process.stdout], [], [], left)[0]
            assert ready, f"psql did not answer: {text[:200]}"
            piece = os.read(self.process.stdout.fileno(), 65536)
            assert piece, f"psql ended: {out.decode()}"
            out += piece
        return out[:-len("-- end\n")].decode().split("\n")[:-1]

    def clone(self, table, where, count, **changes):
        """Copies the one row that is meant by `where`, count times; in `changes` are expressions
        of what differs, in which n counts from 1. The ids of the copies, from the store's own
        sequence."""
        first = int(self.run(f"UPDATE sequence SET next = next + {count} WHERE number = 0"
                             f" RETURNING next - {count}")[0])
        pairs = ", ".join(f"'{name}', {value}" for name, value in changes.items())
        self.run(f"INSERT INTO {table} SELECT made.* FROM {table} AS t,"
                 f" generate_series(1, {count}) AS n, jsonb_populate_record(t,"
                 f" jsonb_build_object('id', {first - 1} + n, {pairs})) AS made WHERE {where}")
        return range(first, first + count)

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None


class Town:
    """Nodes on a database of their own in a cluster."""

    names = iter(range(1, 1000))

    def __init__(self, folder, network, cluster, count=2, binary=None, args=(), url=None,
                 seeded=True):
        self.folder, self.network = folder, network
        self.name = f"town{next(self.names)}"
        cluster.create_database(self.name)
        self.url = url(self.name) if url else cluster.url(self.name)
        self.database = Database(superuser_url(cluster, self.name))
        self.key_file = folder / "master.key"
        self.key_file.touch(0o600)
        self.key_file.write_bytes(os.urandom(32))
        self.rooms = [network.room() for _ in range(count)] if network else []
        hosts = [room.address for room in self.rooms] or \
            [f"127.0.0.{number + 1}" for number in range(count)]
        port = 8080 if network else free_port(hosts)
        prefixes = [room.prefix for room in self.rooms] or [()] * count
        self.nodes = [Node(folder / f"node{number}", self.url, self.key_file, host, port, binary,
                           prefix, args)
                      for number, (host, prefix) in enumerate(zip(hosts, prefixes))]
        self.signer = Key()
        if seeded:
            self.seed()

    def seed(self):
        """Accounts, services and clients, by the command line."""
        node = self.nodes[0]
        for name, secret in (ALICE, CAROL):
            node.add_user(name, secret, "--email", f"{name}@mail.example")
        node.add_service(*API, "--scope", "read write", "--lifetime", "3600")
        node.add_service(*SIDE, "--scope", "peek", "--lifetime", "3600")
        grants = ["client_credentials", "password", "refresh_token", "authorization_code",
                  DEVICE_GRANT]
        node.add_client(*APP, *(word for grant in grants for word in ("--grant", grant)),
                        "--scope", "openid offline_access read write peek", "--redirect-uri",
                        CALLBACK)
        node.add_client(*SECOND, "--grant", "client_credentials", "--scope", "read")
        node.cli("client", "add", SIGNER, "--grant", "client_credentials", "--scope", "read",
                 "--auth-method", "private_key_jwt", "--jwks",
                 json.dumps({"keys": [{**self.signer.jwk, "kid": "1"}]}))

    def start(self):
        for node in self.nodes:
            node.begin()
        for node in self.nodes:
            node.ready_line = wait_until(lambda node=node: node._ready(node.log_from),
                                         START_TIMEOUT_S, "ready")
        return self

    @property
    def addresses(self):
        return [node.address for node in self.nodes]

    @property
    def issuer(self):
        return "http://" + self.nodes[0].authority

    def refresh_tokens(self, count):
        """Of as many families. Where the machine is busy with other things, a password may wait
        too long for its hash and be told so."""
        fields = {"grant_type": "password", "username": ALICE[0], "password": ALICE[1],
                  "scope": "read"}

        def one():
            answer = self.nodes[0].token(fields, client=APP)
            assert answer.status in (200, 503), answer
            return answer.json["refresh_token"] if answer.status == 200 else None

        return [wait_until(one, 20, "a password's hash") for _ in range(count)]

    def warm(self):
        """Each node looks at each secret once with care, and remembers it."""
        for node in self.nodes:
            token = node.client_token(APP, "read")["access_token"]
            assert node.is_active(token, API)
        return self

    def close(self, is_checked=True):
        self.database.close()
        for node in self.nodes:
            if node.is_running():
                node.go_on()
                node.stop() if is_checked else node.kill()
            if is_checked:
                node.assert_clean()
        for room in self.rooms:
            room.close()
