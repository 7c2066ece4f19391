"""The grant of signed assertions (RFC 7523 2.1)."""

import concurrent.futures
import json
import time
import uuid

import pytest

from dpop import Holder, Key, b64
from harness import ALICE, API, BOB
from person import Person
from test_authorization import CALLBACK, path_of, request_of

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Client:
    """A client with a key, and a secret to authenticate with."""

    def __init__(self, server, name, grants=(GRANT, "authorization_code"), **metadata):
        self.server, self.name, self.key = server, name, Key()
        self.secret = f"{name}-secret-{name}-secret-1"
        options = [option for grant in grants for option in ("--grant", grant)]
        server.add_client(name, self.secret, *options, "--scope", "openid read write",
                          "--redirect-uri", CALLBACK, "--metadata",
                          json.dumps({"jwks": {"keys": [{**self.key.jwk, "kid": "1"}]},
                                      **metadata}))

    def assertion(self, key=None, header=(), **claims):
        now = int(time.time())
        merged = {"iss": self.name, "sub": ALICE[0], "aud": f"http://127.0.0.1:{self.server.port}",
                  "exp": now + 60, "iat": now, "jti": str(uuid.uuid4()), **claims}
        return (key or self.key).jws({"alg": "ES256", "kid": "1", **dict(header)}, {
            name: value for name, value in merged.items() if value is not None})

    def ask(self, assertion=None, scope="read", headers=(), **claims):
        fields = {"grant_type": GRANT, "assertion": assertion or self.assertion(**claims)}
        if scope:
            fields["scope"] = scope
        return self.server.token(fields, client=(self.name, self.secret), headers=headers)

    def consent(self, user=ALICE, scope="openid read"):
        person = Person(self.server).sign_in(user)
        person.open(path_of(request_of(self.name, scope=scope)))
        if person.has("allow"):
            person.press("allow")
        return person


@pytest.fixture(scope="module")
def server(module_server):
    return module_server()


@pytest.fixture(scope="module")
def client(server):
    made = Client(server, "asserting")
    made.consent()
    return made


@pytest.fixture(scope="module")
def trusted(server):
    return Client(server, "trusted", jeton_trusted=True)


def test_a_token_for_who_has_allowed_it(server, client):
    answer = client.ask()
    assert answer.status == 200, answer
    assert answer.json["scope"] == "read" and "refresh_token" not in answer.json
    assert "id_token" not in answer.json
    seen = server.introspect(answer.json["access_token"], API).json
    assert seen["username"] == ALICE[0] and seen["client_id"] == "asserting"
    assert "acr" not in seen and "auth_time" not in seen  # nobody was authenticated
    assert client.ask(sub=seen["sub"]).status == 200  # the subject as the client knows it


def test_nothing_for_who_has_not(server, client):
    for claims in ({"sub": BOB[0]}, {"sub": "nobody"}, {"sub": "account:999999"}, {"sub": ""},
                   {"sub": "asserting"}, {"sub": "x" * 300}):
        answer = client.ask(**claims)
        assert (answer.status, answer.error) == (400, "invalid_grant"), (claims, answer)
    assert client.ask(scope="write").error == "invalid_grant"
    assert client.ask(scope="openid read").error == "invalid_scope"
    assert client.ask(scope="peek").error == "invalid_scope"


def test_a_trusted_client_needs_no_consent(server, trusted):
    assert trusted.ask(sub=BOB[0]).status == 200
    server.cli("user", "disable", BOB[0])
    assert trusted.ask(sub=BOB[0]).error == "invalid_grant"
    server.cli("user", "enable", BOB[0])
    assert trusted.ask(sub=BOB[0]).status == 200


def test_no_second_factor_is_skipped(server, trusted, client):
    server.add_user("two", ALICE[1])
    assert trusted.ask(sub="two").status == 200
    server.cli("user", "totp", "two")
    assert trusted.ask(sub="two").error == "invalid_grant"


def test_ended_when_the_consent_is_taken_back(server):
    made = Client(server, "taken-back")
    server.add_user("taker", ALICE[1])
    person = made.consent(("taker", ALICE[1]))
    token = made.ask(sub="taker").json["access_token"]
    person.open("/applications").press("revoke-1")
    person.press("ok")
    assert not server.is_active(token, API) and made.ask(sub="taker").error == "invalid_grant"


def test_pairwise_clients_learn_no_account(server):
    made = Client(server, "pairwise-jb", subject_type="pairwise", jeton_trusted=True)
    seen = server.introspect(made.ask().json["access_token"], API).json
    assert not seen["sub"].startswith("account:") and "username" not in seen
    alices = server.introspect(Client(server, "open-jb", jeton_trusted=True).ask()
                               .json["access_token"], API).json["sub"]
    assert made.ask(sub=alices).error == "invalid_grant"


def test_only_clients_that_an_operator_gave_it(server):
    without = Client(server, "without-jb", grants=("authorization_code",))
    assert without.ask().error == "unauthorized_client"
    server.add_client("public-jb", None, "--grant", GRANT, "--scope", "read")
    answer = server.token({"grant_type": GRANT, "assertion": "a.b.c", "client_id": "public-jb"})
    assert answer.error == "unauthorized_client"
    missing = server.token({"grant_type": GRANT}, client=(without.name, without.secret))
    assert missing.status == 400


@pytest.mark.parametrize("claims", [
    {"iss": "trusted"}, {"iss": None}, {"aud": None}, {"aud": "https://other.example"},
    {"aud": ["https://other.example", "x"]}, {"exp": None}, {"exp": 1}, {"exp": "soon"},
    {"exp": int(time.time()) + 86400}, {"nbf": int(time.time()) + 600},
    {"iat": int(time.time()) + 600}, {"jti": None}, {"jti": ""}, {"sub": None}, {"sub": 17}])
def test_jt_03_each_claim_counts(client, claims):
    answer = client.ask(**claims)
    assert (answer.status, answer.error) == (400, "invalid_grant"), answer


def test_jt_03_keys_and_headers(client, trusted):
    good = client.assertion()
    header, payload, signature = good.split(".")
    none = b64(b'{"alg":"none"}')
    bad = [client.assertion(key=trusted.key), client.assertion(key=Key()), good[:-2],
           f"{none}.{payload}.", f"{none}.{payload}.{signature}", "a.b.c", "." * 1000, "x",
           client.assertion(header={"typ": "at+jwt"}), client.assertion(header={"typ": "dpop+jwt"}),
           client.assertion(header={"typ": "client-authentication+jwt"}),
           client.assertion(header={"crit": ["b64"]}), client.assertion(header={"kid": "2"}),
           client.assertion(header={"jwk": client.key.jwk}),
           client.assertion(header={"jku": "https://evil.example/keys"})]
    for value in bad:
        answer = client.ask(value)
        assert (answer.status, answer.error) == (400, "invalid_grant"), (value, answer)
    assert client.ask(good).status == 200


def test_once(server, client):
    value = client.assertion()
    assert client.ask(value).status == 200
    assert client.ask(value).error == "invalid_grant"
    raced = client.assertion()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.ask(raced), range(8)))
    assert [answer.status for answer in answers].count(200) == 1, answers


def test_an_assertion_for_one_purpose_is_none_for_another(server):
    made = Client(server, "both-jb", token_endpoint_auth_method="private_key_jwt",
                  jeton_trusted=True)
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

    def ask(grant, authentication):
        return server.token({"grant_type": GRANT, "assertion": grant, "scope": "read",
                             "client_assertion_type": kind, "client_assertion": authentication})

    assert ask(made.assertion(), made.assertion(sub="both-jb")).status == 200
    assert ask(made.assertion(), made.assertion()).error == "invalid_client"
    server.add_user("both-jb", ALICE[1])  # an account of the client's name
    twice = made.assertion(sub="both-jb")
    assert ask(twice, twice).status in (400, 401)
    fresh = made.assertion(sub="both-jb")
    assert ask(made.assertion(), fresh).status == 200
    assert ask(fresh, made.assertion(sub="both-jb")).error == "invalid_grant"


def test_bound_to_a_key(server, client):
    holder = Holder(server)
    answer = client.ask(headers=holder.header())
    assert answer.status == 200 and answer.json["token_type"] == "DPoP"
