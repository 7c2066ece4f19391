"""Jeton as it is measured: data folders with an account, services and a client, and the requests.

A folder with many live tokens is made through the token endpoint and kept for later runs, with the
values of its tokens in a file beside it.
"""

import hashlib
import json
import shutil
import subprocess
import time

import filler
from servers import Request, Server, Skip, exchange, exchange_json, free_port, request_text

ACCOUNT, PASSWORD = "alice", "correct horse battery staple"
SERVICE, SERVICE_SECRET = "api.example", "service-secret-0123456789abcdef"
JWT_SERVICE = "jwt.example"
CLIENT, CLIENT_SECRET = "bench", "client-secret-0123456789abcdef"
LIFETIME_S = 24 * 3600
USABLE_S = 2 * 3600  # a kept folder is made again when its tokens have less than this left

AS_CLIENT = f"{CLIENT}:{CLIENT_SECRET}"
AS_SERVICE = f"{SERVICE}:{SERVICE_SECRET}"
READY = request_text("GET", "/readyz")


def issue_request(scope="read"):
    return Request(request_text("POST", "/oauth2/token",
                                f"grant_type=client_credentials&scope={scope}", AS_CLIENT))


def introspect_request(values):
    return Request(request_text("POST", "/oauth2/introspect", "token={value}", AS_SERVICE), values,
                   expect='"active":true')


def forward_auth_request(values):
    headers = ["X-Forwarded-Method: GET", "X-Forwarded-Proto: https",
               "X-Forwarded-Host: api.example", "X-Forwarded-Uri: /items/17?part=2"]
    return Request(request_text("GET", "/forward-auth", bearer="{value}", headers=headers), values)


def password_request():
    form = (f"grant_type=password&username={ACCOUNT}&scope=read&password="
            + PASSWORD.replace(" ", "+"))
    return Request(request_text("POST", "/oauth2/token", form, AS_CLIENT))


def spectrum_request(what):
    return Request(request_text("GET", f"/security/rest/token/access/{what}",
                                basic=f"{ACCOUNT}:{PASSWORD}"))


def session_use_request(token, session):
    return Request(request_text("GET", "/forward-auth", bearer=token,
                                headers=[f"Cookie: SESSION={session}"]))


def threedm_request():
    form = (f"grant_type=password&username={ACCOUNT}&password=" + PASSWORD.replace(" ", "+"))
    return Request(request_text("POST", "/oauth/oauth/token", form, AS_CLIENT))


def refresh_request(chains):
    return Request(request_text("POST", "/oauth2/token",
                                "grant_type=refresh_token&refresh_token={value}", AS_CLIENT),
                   chains, ["--chain", "--member", "refresh_token", "--save", chains])


def revoke_request(values):
    return Request(request_text("POST", "/oauth2/revoke", "token={value}", AS_CLIENT), values,
                   ["--once"])


def metadata_request():
    return Request(request_text("GET", "/.well-known/oauth-authorization-server"))


class Instance:
    """One data folder and the server on it."""

    def __init__(self, binary, folder, cores):
        self.binary = binary
        self.folder = folder
        self.data = folder / "data"
        self.values = folder / "values"
        self.chains = folder / "chains"
        self.cores = cores
        self.port = free_port()
        self.server = None

    ready = READY
    database = None

    @staticmethod
    def new_port():
        return free_port()

    def place(self):
        """Where its store is."""
        return ["--data", self.data]

    def command(self, *words, text=None):
        done = subprocess.run([self.binary, *words, *self.place()], input=text,
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise Skip(f"jeton {' '.join(words[:3])}: {done.stderr.strip()[-300:]}")

    def make(self):
        """A fresh folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.register()

    def register(self):
        """The account, the services and the client."""
        lifetime = ("--lifetime", str(LIFETIME_S))
        self.command("user", "add", ACCOUNT, "--password-stdin", text=PASSWORD)
        self.command("service", "add", SERVICE, "--scope", "read write", "--secret-stdin",
                     *lifetime, text=SERVICE_SECRET)
        self.command("service", "add", JWT_SERVICE, "--scope", "sign", "--format", "jwt",
                     "--secret-stdin", *lifetime, text=SERVICE_SECRET)
        self.command("client", "add", CLIENT, "--grant", "client_credentials", "--grant",
                     "password", "--grant", "refresh_token", "--scope", "read write sign",
                     "--service", SERVICE, "--service", JWT_SERVICE, "--secret-stdin",
                     text=CLIENT_SECRET)

    def start(self, until=READY):
        """Starts the server; seconds from there to the first answer to `until`."""
        self.server = Server(
            "Jeton", [self.binary, "serve", *self.place(), "--listen",
                      f"127.0.0.1:{self.port}"], self.port, self.cores, self.folder / "log")
        return self.server.wait(until)

    def warm(self):
        """Shows it the secrets once: the first look at each costs an Argon2id hash."""
        exchange_json(self.port, issue_request().text)
        exchange_json(self.port, introspect_request(None).text)

    def all_servers(self):
        return [self.server]

    def begin_session(self):
        """A Spectrum session: its token and its id."""
        answer = exchange_json(self.port, spectrum_request("session/0").text)
        return answer["access_token"], answer["session"]

    def stop(self):
        if self.server is not None:
            self.server.stop()
            self.server = None

    def disk_bytes(self):
        """Bytes of the store on the disk, with its log."""
        return sum(path.stat().st_size for path in self.data.iterdir() if path.is_file())

    def is_usable(self, count):
        """Whether the folder was kept from an earlier run with this many living tokens."""
        try:
            made = json.loads((self.folder / "made").read_text())
        except (OSError, ValueError):
            return False
        if made["count"] != count or made["at"] + LIFETIME_S < time.time() + USABLE_S:
            return False
        try:
            self.start()
            for value in self.sample():
                text = introspect_request(None).text.replace("{value}", value)
                if not exchange_json(self.port, text)["active"]:
                    raise Skip("a token is not active any more")
            return True
        except (Skip, OSError):
            return False
        finally:
            self.stop()

    def sample(self):
        """The first and the last value."""
        with open(self.values, "rb") as file:
            first = file.readline()
            file.seek(-len(first), 2)
            last = file.read()
        return first.decode().strip(), last.decode().strip()

    def fill(self, load, count, say):
        """Makes the folder with `count` living tokens, unless it was kept."""
        if self.is_usable(count):
            return
        self.make()
        before = self.disk_bytes()
        if count == 0:
            self.note(0, before, 0)
            return
        say(f"issuing {count:,} tokens for the {self.folder.name} folder")
        cores, self.cores = self.cores, None
        self.start()
        self.cores = cores
        self.warm()
        result = load(self.server, issue_request(), seconds=600, connections=256, cores=None,
                      more=["--count", count, "--member", "access_token", "--save", self.values])
        self.stop()
        if result["measured"] != count or result["unexpected"]:
            raise Skip(f"only {result['measured'] - result['unexpected']:,} tokens were issued")
        self.note(count, before, self.disk_bytes())
        (self.folder / "log").unlink()  # a line for each token
        say(f"  at {result['rate']:,.0f} a second")

    def rows(self):
        return filler.SqliteRows(self.data / "jeton.db")

    def master_key(self):
        return (self.data / "master.key").read_bytes()

    def fill_rows(self, count, known_count, say):
        """Makes the folder with `count` living tokens written as rows, unless it was kept."""
        if self.is_usable(count):
            return
        self.make()
        before = self.disk_bytes()
        self.start()
        exchange_json(self.port, issue_request().text)
        self.stop()
        say(f"writing {count:,} tokens for the {self.folder.name} folder")
        filler.fill(self.rows(), self.master_key(), self.values, count, known_count)
        self.note(count, before, self.disk_bytes())

    def note(self, count, before, after):
        made = {"count": count, "at": time.time(), "bytes_before": before, "bytes_after": after}
        (self.folder / "made").write_text(json.dumps(made))

    def made_count(self):
        return json.loads((self.folder / "made").read_text())["count"]

    def disk_bytes_per_token(self):
        made = json.loads((self.folder / "made").read_text())
        return (made["bytes_after"] - made["bytes_before"]) / made["count"]

    def issue_values(self, load, path, count, scope="read", connections=64):
        """Issues tokens and writes their values to a file."""
        load(self.server, issue_request(scope), seconds=60, connections=connections, cores=None,
             more=["--count", count, "--member", "access_token", "--save", path])

    def begin_chains(self, load, count):
        """One family of refresh tokens for each connection."""
        load(self.server, password_request(), seconds=60, connections=2, cores=None,
             more=["--count", count, "--member", "refresh_token", "--save", self.chains])


def answer_size(port, request):
    """Bytes of the whole answer, head and body, to a request for the first of its values."""
    text = request.text
    if request.values is not None:
        with open(request.values, encoding="ascii") as file:
            text = text.replace("{value}", file.readline().strip())
    status, body, size = exchange(port, text)
    if status != 200:
        raise Skip(f"{text.splitlines()[0]} was answered {status} {body[:200]}")
    return size


def digest(path):
    """Which binary was measured."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
