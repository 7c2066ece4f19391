"""Figure 9: allocation n fails, once and for ever: nothing crashes, nothing leaks, nobody gets what
they should not have.

Each scenario is one request. It is made once while allocations are counted, then again and again
while one of them fails, or all from that one on; of the server, of SQLite, of OpenSSL and of every
other library. The answer is the right one or an error, never another one, and the server goes on.
With the sanitized binary leaks are found when it ends. JETON_CAMPAIGN=1 takes every number, or so
many of each scenario as JETON_ALLOCATIONS says.
"""

import contextlib
import errno
import http.client
import os
import socket
import subprocess

import pytest

import inject
import test_spectrum_soap as soap
from dpop import Holder
from harness import (ALICE, API, BOB, C1, CC, JWTS, bearer, is_sanitized, sanitizer_environment,
                     uauth_form, wait_until)
from person import Person
from spectrum_calls import SESSION_PATH, user_basic
from test_authorization import CALLBACK, RP, add_clients, allow, path_of, request_of
from test_authorization import token as redeem
from test_token_exchange import BACK, exchange
from test_token_exchange import add_clients as add_exchangers

IS_CAMPAIGN = os.environ.get("JETON_CAMPAIGN") == "1"
EACH = os.environ.get("JETON_ALLOCATIONS", "all")
CAMPAIGN_COUNT = 1 << 30 if EACH == "all" else int(EACH)
NUMBER_COUNT = CAMPAIGN_COUNT if IS_CAMPAIGN else 24
SLOW_COUNT = CAMPAIGN_COUNT if IS_CAMPAIGN else 6  # of what hashes a password
SEGMENT_RECORDS = 1024  # token/live.c
CROWD_COUNT = 100  # more than the exchanges that are kept for later
HEAD = b"GET /oauth2/jwks HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
CLOSED = (ConnectionError, http.client.HTTPException)

pytestmark = pytest.mark.sqlite("what fails is in the server's own process")


class Scene:
    """A server with all that the scenarios need."""

    def __init__(self, server, injector):
        self.server, self.injector = server, injector
        self.wrong_count = 0
        self.good = server.client_token(C1, "read")["access_token"]
        self.jwt = server.client_token(C1, "jread")["access_token"]
        self.dead = server.client_token(C1, "read")["access_token"]
        assert server.revoke(self.dead, C1).status == 200
        self.refresh_token = server.user_token(C1, ALICE, "read")["refresh_token"]
        self.subject = server.user_token(("front", "front-secret-front-secret"), ALICE,
                                         "read")["access_token"]
        self.person = Person(server)
        self.code = allow(self.person, request_of())["code"]
        self.holder = Holder(server)
        self.proof = self.holder.proof()
        first = self.holder.token({"grant_type": "client_credentials", "scope": "read"}, C1,
                                  self.proof)
        assert first.status == 200, first
        self.device = server.post_form("/oauth2/device_authorization", {"scope": "openid read"},
                                       client=("tv", "tv-secret-tv-secret-tv-secret")).json
        server.user_token(C1, ALICE)

    # -- requests that must succeed, or fail with an error ---------------------------------------

    def refresh(self):
        answer = self.server.refresh(self.refresh_token, C1)
        if answer.status == 200:
            self.refresh_token = answer.json["refresh_token"]
        return answer

    def redeem(self):
        """A code may be spent by an answer that never came: each try has its own."""
        return redeem(self.server, self.code)

    def new_code(self):
        self.code = allow(self.person, request_of())["code"]

    def authorize(self):
        return self.person.open(path_of(request_of())).answer

    def revoke(self):
        answer = self.server.revoke(self.good, C1)
        self.injector.disarm()
        is_active = self.server.is_active(self.good, API)
        assert not (answer.status == 200 and is_active), "revoked, and still active"
        if not is_active:
            self.good = self.server.client_token(C1, "read")["access_token"]
        return answer

    def introspect(self, token=None):
        answer = self.server.introspect(token or self.good, API if token is None else JWTS)
        assert answer.status != 200 or answer.json["active"] is True, answer
        return answer

    def device_ask(self):
        return self.server.post_form("/oauth2/device_authorization", {"scope": "openid read"},
                                     client=("tv", "tv-secret-tv-secret-tv-secret"))

    def exchange(self):
        return exchange(self.server, self.subject)

    def par(self):
        return self.server.post_form("/oauth2/par", [
            pair for pair in request_of() if pair[0] != "client_id"], client=RP)

    def dpop(self):
        return self.holder.token({"grant_type": "client_credentials", "scope": "read"}, C1)

    def spectrum(self):
        return self.server.get(f"{SESSION_PATH}60", user_basic(ALICE))

    def soap(self):
        return soap.sign_in(self.server)

    # -- what must never succeed -----------------------------------------------------------------

    def wrong_secret(self):
        """Of a client of its own, from an address of its own: nobody is to be held up."""
        self.wrong_count += 1
        source = f"127.7.{self.wrong_count // 250}.{self.wrong_count % 250 + 1}"
        return self.server.token({"grant_type": "client_credentials"}, source=source,
                                 client=("guessed", "not-the-secret"))

    def introspect_dead(self):
        answer = self.server.introspect(self.dead, API)
        assert answer.status != 200 or answer.json == {"active": False}, answer
        return answer

    def replay(self):
        return self.holder.token({"grant_type": "client_credentials", "scope": "read"}, C1,
                                 self.proof)

    def poll(self):
        return self.server.token(
            {"grant_type": "urn:ietf:params:oauth:grant-type:device_code",
             "device_code": self.device["device_code"]},
            client=("tv", "tv-secret-tv-secret-tv-secret"))


# name → (what is asked, the status without faults, how many numbers)
SCENARIOS = {
    "client_credentials": (lambda s: s.server.token({"grant_type": "client_credentials"},
                                                    client=CC), 200, NUMBER_COUNT),
    "jwt": (lambda s: s.server.token({"grant_type": "client_credentials", "scope": "jread"},
                                     client=C1), 200, NUMBER_COUNT),
    "password": (lambda s: s.server.token(
        {"grant_type": "password", "username": ALICE[0], "password": ALICE[1]}, client=C1),
        200, SLOW_COUNT),
    "refresh": (Scene.refresh, 200, NUMBER_COUNT),
    "code": (Scene.redeem, 200, NUMBER_COUNT),
    "authorize": (Scene.authorize, 303, NUMBER_COUNT),
    "introspect": (Scene.introspect, 200, NUMBER_COUNT),
    "introspect_jwt": (lambda s: s.introspect(s.jwt), 200, NUMBER_COUNT),
    "introspect_dead": (Scene.introspect_dead, 200, NUMBER_COUNT),
    "forward_auth": (lambda s: s.server.forward_auth(s.good), 200, NUMBER_COUNT),
    "forward_auth_dead": (lambda s: s.server.forward_auth(s.dead), 401, NUMBER_COUNT),
    "wrong_secret": (Scene.wrong_secret, 401, SLOW_COUNT),
    "revoke": (Scene.revoke, 200, NUMBER_COUNT),
    "par": (Scene.par, 201, NUMBER_COUNT),
    "dpop": (Scene.dpop, 200, NUMBER_COUNT),
    "dpop_replay": (Scene.replay, 400, NUMBER_COUNT),
    "device": (Scene.device_ask, 200, NUMBER_COUNT),
    "device_unanswered": (Scene.poll, 400, NUMBER_COUNT),
    "exchange": (Scene.exchange, 200, NUMBER_COUNT),
    "uauth": (lambda s: s.server.token(uauth_form()), 200, SLOW_COUNT),
    "spectrum": (Scene.spectrum, 200, SLOW_COUNT),
    "spectrum_soap": (Scene.soap, 200, SLOW_COUNT),
    "userinfo_dead": (lambda s: s.server.get("/oauth2/userinfo", bearer(s.dead)), 401,
                      NUMBER_COUNT),
    "sign_in_page": (lambda s: Person(s.server).open("/sign-in").answer, 200, NUMBER_COUNT),
    "account_page": (lambda s: s.person.open("/account").answer, 200, NUMBER_COUNT),
    "admin_page_of_a_person": (lambda s: s.person.open("/admin/accounts").answer, 403,
                               NUMBER_COUNT),
    "metadata": (lambda s: s.server.get("/.well-known/openid-configuration"), 200, NUMBER_COUNT),
    "keys": (lambda s: s.server.get("/oauth2/jwks"), 200, NUMBER_COUNT),
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return inject.compile_library(tmp_path_factory.mktemp("inject"))


def prepare(server):
    add_clients(server)
    add_exchangers(server)
    server.add_client("guessed", "a secret that nobody guesses", "--grant", "client_credentials")
    server.add_client("tv", "tv-secret-tv-secret-tv-secret", "--grant",
                      "urn:ietf:params:oauth:grant-type:device_code", "--scope", "openid read")


@pytest.fixture(scope="module", params=["plain", "sanitized"])
def scene(request, module_server, library, plain_binary, binary, tmp_path_factory):
    if request.param == "sanitized" and not is_sanitized(binary):
        pytest.skip("the binary under test is not sanitized (JETON_BINARY)")
    server = module_server(start=False, binary=plain_binary if request.param == "plain" else binary)
    prepare(server)
    injector = inject.Injector(library, tmp_path_factory.mktemp("control") / "page", server.data)
    server.env = injector.environment()
    server.start()
    yield Scene(server, injector)
    injector.disarm()


def ask(call, scene):
    """The answer; None where the server closed the connection rather than answer."""
    try:
        return call(scene)
    except CLOSED:
        return None
    finally:
        scene.injector.disarm()


def spread(count, most):
    """So many numbers of 1 to count, the first and the last among them."""
    if count <= most:
        return range(1, count + 1)
    return sorted({1 + at * (count - 1) // (most - 1) for at in range(most)})


@pytest.mark.parametrize("name", SCENARIOS)
def test_figure_9_allocation_fails(scene, name):
    call, status, most = SCENARIOS[name]
    scene.injector.arm(inject.MEMORY)
    answer = call(scene)
    assert answer.status == status, answer
    count = max(scene.injector.counted, 1)
    scene.injector.disarm()
    if is_sanitized(scene.server.binary) and not IS_CAMPAIGN:
        most = min(most, 8)
    for is_sticky in (False, True):
        for number in spread(count, most):
            if name == "code":
                scene.new_code()
            scene.injector.arm(inject.MEMORY, number, errno.ENOMEM, is_sticky)
            answer = ask(call, scene)
            assert scene.server.is_running(), (number, is_sticky, scene.server.log()[-3000:])
            assert answer is None or answer.status == status or answer.status >= 400, \
                (number, is_sticky, answer)
    if name == "code":
        scene.new_code()
    answer = ask(call, scene)
    assert answer is not None and answer.status == status, answer


def read_start(connection):
    """The status line; nothing where the server closed the connection rather than answer."""
    try:
        return connection.recv(12, socket.MSG_WAITALL)
    except ConnectionError:
        return b""


def test_figure_9_nothing_can_be_mapped(scene):
    """The live-token table and memory for requests are mapped: without a page for its record a
    token is looked for in the store, and no connection is answered wrongly."""
    server, injector = scene.server, scene.injector
    # Their secrets are known from here on: to hash one needs memory that is mapped.
    assert server.is_active(server.client_token(CC, "read")["access_token"], API)
    injector.arm(inject.MAPPING, 1, errno.ENOMEM, True)
    tokens = []
    with contextlib.closing(server.connection()) as line:
        for _ in range(SEGMENT_RECORDS + 1):  # over the end of a segment
            tokens.append(server.client_token(CC, "read", connection=line)["access_token"])
        assert injector.failed > 0
        assert server.revoke(tokens[-1], CC).status == 200
        for token in tokens[::100]:
            assert server.is_active(token, API, connection=line)
        assert not server.is_active(tokens[-1], API, connection=line)
    failed = injector.failed
    crowd = [socket.create_connection(("127.0.0.1", server.port), timeout=60)
             for _ in range(CROWD_COUNT)]
    try:
        for one in crowd:
            with contextlib.suppress(ConnectionError):
                one.sendall(HEAD[:-2])
        wait_until(lambda: injector.failed > failed, 60, "a connection that gets no memory")
        for one in crowd:
            with contextlib.suppress(ConnectionError):
                one.sendall(HEAD[-2:])
        answers = [read_start(one) for one in crowd]
    finally:
        for one in crowd:
            one.close()
    injector.disarm()
    assert {answer[:12] for answer in answers} <= {b"", b"HTTP/1.1 200", b"HTTP/1.1 503"}
    assert server.is_running()
    with contextlib.closing(server.connection()) as line:
        assert all(server.is_active(token, API, connection=line) for token in tokens[:-1:100])
        assert not server.is_active(tokens[-1], API, connection=line)


def test_figure_9_a_password_that_cannot_be_hashed_is_not_called_wrong(scene):
    """Argon2 maps its memory. Nor does it count as a failure: nobody is locked out by that."""
    form = {"grant_type": "password", "username": BOB[0], "password": BOB[1]}
    scene.injector.arm(inject.MAPPING, 1, errno.ENOMEM, True)
    answers = [scene.server.token(form, client=C1) for _ in range(8)]
    scene.injector.disarm()
    assert {answer.status // 100 for answer in answers} == {5}, answers
    assert scene.server.token(form, client=C1).status == 200


def run(command, env, stdin=None):
    return subprocess.run(command, env=env, input=stdin, capture_output=True, text=True, timeout=60,
                          check=False)


@pytest.mark.parametrize("words", [["key", "list"], ["user", "list"],
                                   ["client", "add", "new-client", "--public", "--grant",
                                    "authorization_code", "--redirect-uri", CALLBACK]],
                         ids=["keys", "users", "add"])
def test_figure_9_allocation_fails_in_a_command(new_server, library, plain_binary, tmp_path, words):
    """It works, or ends with a line that says why: its own or, as at start, a broken promise."""
    server = new_server(start=False, binary=plain_binary)
    injector = inject.Injector(library, tmp_path / "page", server.data)
    env = {**sanitizer_environment(), **injector.environment()}
    command = [server.binary, *words, *server.place()]
    injector.arm(inject.MEMORY)
    run(command, env)
    count = injector.counted
    for number in spread(count, CAMPAIGN_COUNT if IS_CAMPAIGN else 30):
        injector.arm(inject.MEMORY, number, errno.ENOMEM, number % 2 == 0)
        done = run(command, env)
        is_abort = done.returncode == -6 and "broken promise" in done.stderr
        assert done.returncode >= 0 or is_abort, \
            (number, done.returncode, done.stderr[-2000:])
        assert done.returncode == 0 or done.stderr or done.stdout, number
    injector.disarm()
    assert run(command, env).returncode in (0, 1)
