"""Client authentication (RFC 6749 2.3; promises CA-01 to CA-13)."""

import base64
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from dpop import Key
from harness import (ALICE, API, C1, C2, CC, FORM, P1, UAUTH, VECTORS, basic,
                     form_encode, short, uauth_form)

CREDENTIALS = {"grant_type": "client_credentials"}
BASIC_VECTORS = json.loads((VECTORS / "rfc" / "client_secret_basic.json").read_text())


def with_header(jeton, value, fields=None, path="/oauth2/token"):
    return jeton.post_form(path, fields or CREDENTIALS, {"Authorization": value})


@pytest.mark.parametrize("index", range(len(BASIC_VECTORS["cases"])))
def test_ca_01_basic_decodes_both_halves_first(jeton, index):
    case = BASIC_VECTORS["cases"][index]
    client_id, header = case["client_id"], case["header"]
    options = ["--secret-stdin", "--grant", "client_credentials", "--service", API[0]]
    done = jeton.cli("client", "add", client_id, *options, stdin=case["client_secret"] + "\n",
                     status=None)
    if done.status != 0:  # an id that may not be registered here: its secret with another id
        client_id = f"plain-{index}"
        header = basic(client_id, case["client_secret"])
        jeton.cli("client", "add", client_id, *options, stdin=case["client_secret"] + "\n")
    answer = with_header(jeton, header)
    assert answer.status == 200, answer
    token = answer.json["access_token"]
    assert jeton.introspect(token, API).json["client_id"] == client_id


@pytest.mark.parametrize("case", BASIC_VECTORS["reject"], ids=lambda case: case["why"])
def test_ca_01_malformed_basic_is_refused(jeton, case):
    answer = with_header(jeton, case["header"])
    assert (answer.status, answer.error) in [(401, "invalid_client"), (400, "invalid_request")]


def test_ca_01_scheme_is_compared_without_case(jeton):
    value = basic(*CC)
    for scheme in ("basic", "BASIC", "bAsIc"):
        assert with_header(jeton, scheme + value[5:]).status == 200


def test_ca_02_two_methods_in_one_request_are_refused(jeton):
    """RFC 6749 2.3: the client must not use more than one method."""
    fields = {**CREDENTIALS, "client_id": CC[0], "client_secret": CC[1]}
    answer = jeton.token(fields, client=CC)
    assert (answer.status, answer.error) == (400, "invalid_request"), answer


def test_ca_02_client_id_of_another_client_in_the_body_is_refused(jeton):
    answer = jeton.token({**CREDENTIALS, "client_id": C1[0]}, client=CC)
    assert answer.status in (400, 401), answer
    assert answer.error in ("invalid_request", "invalid_client")


def test_ca_02_the_same_client_id_in_the_body_is_no_second_method(jeton):
    assert jeton.token({**CREDENTIALS, "client_id": CC[0]}, client=CC).status == 200


def test_ca_02_two_authorization_headers_are_refused(jeton):
    answer = jeton.request("POST", "/oauth2/token", form_encode(CREDENTIALS),
                           [("Content-Type", FORM), ("Authorization", basic(*CC)),
                            ("Authorization", basic(*C1))])
    assert answer.status in (400, 401), answer


def authentication(method):
    """Headers and fields that carry each method, for C1, P1 and nonsense."""
    return {
        "basic": ({"Authorization": basic(*C1)}, {}),
        "body": ({}, {"client_id": C1[0], "client_secret": C1[1]}),
        "confidential client without its secret": ({}, {"client_id": C1[0]}),
        "empty secret": ({"Authorization": basic(C1[0], "")}, {}),
        "empty secret in the body": ({}, {"client_id": C1[0], "client_secret": ""}),
        "public client": ({}, {"client_id": P1[0]}),
        "public client with a secret": ({}, {"client_id": P1[0], "client_secret": "x"}),
        "public client with Basic": ({"Authorization": basic(P1[0], "x")}, {}),
        "assertion of an unknown type": ({}, {
            "client_id": C1[0], "client_assertion": "e30.e30.",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}),
        "bearer": ({"Authorization": "Bearer " + C1[1]}, {}),
        "nothing": ({}, {}),
    }[method]


ENDPOINTS = {
    "/oauth2/token": {"grant_type": "password", "username": ALICE[0], "password": ALICE[1],
                      "scope": "read"},
    "/oauth2/introspect": {"token": "jta_none"},
    "/oauth2/revoke": {"token": "jta_none"},
}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("method", ["basic", "body"])
def test_ca_03_registered_method_works_at_every_endpoint(jeton, endpoint, method):
    headers, fields = authentication(method)
    assert jeton.post_form(endpoint, {**ENDPOINTS[endpoint], **fields}, headers).status == 200


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("method", [
    "confidential client without its secret", "empty secret", "empty secret in the body",
    "public client with a secret", "public client with Basic", "assertion of an unknown type",
    "bearer", "nothing"])
def test_ca_03_other_methods_are_refused_at_every_endpoint(jeton, endpoint, method):
    headers, fields = authentication(method)
    answer = jeton.post_form(endpoint, {**ENDPOINTS[endpoint], **fields}, headers)
    assert answer.status in (400, 401), (endpoint, method, answer)
    if answer.status == 401:
        assert answer.error == "invalid_client", answer
    else:
        assert answer.error in ("invalid_request", "invalid_scope"), answer
        assert method in ("nothing", "bearer", "assertion of an unknown type",
                          "public client with Basic", "public client with a secret"), answer


def test_ca_03_public_client_may_not_introspect(jeton):
    """RFC 7662 2.1: the introspection endpoint needs authorization; an id alone is none."""
    answer = jeton.post_form("/oauth2/introspect", {"token": "x", "client_id": P1[0]})
    assert answer.status == 401, answer


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_ca_04_failure_is_401_with_a_challenge_when_a_header_was_used(jeton, endpoint):
    """RFC 6749 5.2; RFC 9110 15.5.2."""
    for secret in ("wrong", C1[1] + "x", C1[1][:-1]):
        answer = jeton.post_form(endpoint, ENDPOINTS[endpoint], client=(C1[0], secret))
        assert (answer.status, answer.error) == (401, "invalid_client"), answer
        assert answer.header("WWW-Authenticate").lower().startswith("basic realm="), answer
        assert answer.header("Cache-Control") == "no-store"


def test_ca_04_failure_in_the_body_is_401(jeton):
    answer = jeton.token({**CREDENTIALS, "client_id": C1[0], "client_secret": "wrong"})
    assert (answer.status, answer.error) == (401, "invalid_client"), answer


def comparable(answer):
    """All that a caller sees but what differs between any two answers."""
    skipped = ("date", "x-request-id")
    return answer.status, [pair for pair in answer.headers if pair[0].lower() not in skipped], \
        answer.body


@pytest.mark.alone
def test_ca_05_unknown_client_and_wrong_secret_get_the_same_answer_and_time(jeton):
    tries = {"unknown": ("no-such-client", "some-secret-of-length-24"),
             "wrong": (C1[0], "some-secret-of-length-24")}
    jeton.client_token(C1)
    times = {name: [] for name in tries}
    answers = {}
    for _ in range(14):
        for name, client in tries.items():
            began = time.perf_counter()
            answer = jeton.token(CREDENTIALS, client=client)
            times[name].append(time.perf_counter() - began)
            assert answer.status == 401, answer
            answers.setdefault(name, comparable(answer))
    assert answers["unknown"] == answers["wrong"]
    least = {name: min(values) for name, values in times.items()}
    assert max(least.values()) < 1.5 * min(least.values()) + 0.005, times


def test_ca_10_public_client_cannot_use_client_credentials(jeton):
    """RFC 6749 2.1 and RFC 6749 4.4: only confidential clients."""
    answer = jeton.token({**CREDENTIALS, "client_id": P1[0]})
    assert (answer.status, answer.error) in [(400, "unauthorized_client"),
                                             (401, "invalid_client")], answer


def test_ca_10_a_public_client_cannot_be_registered_for_client_credentials(jeton):
    done = jeton.cli("client", "add", "public-machine", "--public", "--grant",
                     "client_credentials", "--service", API[0], status=None)
    if done.status == 0:
        answer = jeton.token({**CREDENTIALS, "client_id": "public-machine"})
        assert answer.status in (400, 401), answer
    else:
        assert done.status in (1, 2) and done.err.strip()


GRANTS = {
    "client_credentials": {},
    "password": {"username": ALICE[0], "password": ALICE[1], "scope": "read"},
    "refresh_token": {"refresh_token": "jtr_none"},
}


@pytest.mark.parametrize("registered", ["client_credentials", "password"])
def test_ca_11_a_grant_that_is_not_registered_is_unauthorized_client(jeton, registered):
    client = ("only-" + registered, "only-one-grant-secret-" + registered)
    jeton.add_client(*client, "--grant", registered, "--service", API[0])
    for grant, fields in GRANTS.items():
        answer = jeton.token({"grant_type": grant, **fields}, client=client)
        if grant != registered:
            assert (answer.status, answer.error) == (400, "unauthorized_client"), answer
        else:
            assert answer.status == 200, answer
            assert ("refresh_token" in answer.json) is False


@pytest.mark.parametrize("grant", [
    "authorization_code", "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "urn:ietf:params:oauth:grant-type:jwt-bearer"])
def test_ca_11_grants_of_other_clients_are_unauthorized_client(jeton, grant):
    """RFC 6749 5.2. Whatever comes with it is not looked at."""
    answer = jeton.token({"grant_type": grant, "code": "x", "device_code": "x", "assertion": "x"},
                         client=C1)
    assert (answer.status, answer.error) == (400, "unauthorized_client"), answer


@pytest.mark.parametrize("grant", ["implicit", "PASSWORD", "password ", "device_code", "x" * 4000],
                         ids=short)
def test_ca_11_other_grants_are_unsupported(jeton, grant):
    answer = jeton.token({"grant_type": grant}, client=C1)
    if grant == "password ":
        assert answer.status == 400, answer
    else:
        assert (answer.status, answer.error) == (400, "unsupported_grant_type"), answer


def test_ca_12_password_grant_only_where_an_administrator_opened_it(jeton):
    """RFC 6749 4.3; RFC 9700 2.4."""
    user = {"username": ALICE[0], "password": ALICE[1]}
    assert jeton.token({"grant_type": "password", **user, "scope": "read"}, client=C1).status == 200
    answer = jeton.token({"grant_type": "password", **user, "scope": "read"}, client=CC)
    assert (answer.status, answer.error) == (400, "unauthorized_client"), answer
    answer = jeton.token(uauth_form(service=API[0]))
    assert (answer.status, answer.error) == (400, "invalid_scope"), answer
    answer = jeton.token({"grant_type": "password", **user, "scope": "read"})
    assert answer.status in (400, 401) and "access_token" not in answer.json, answer
    assert jeton.token(uauth_form(service=UAUTH)).status == 200


def test_ca_12_anonymous_caller_gets_no_more_than_the_service_it_named(jeton):
    for scope in (f"service_id={UAUTH} read", f"read service_id={UAUTH}",
                  f"service_id={UAUTH} service_id={API[0]}", f"service_id={API[0]}"):
        answer = jeton.token({**uauth_form(), "scope": scope})
        assert (answer.status, answer.error) == (400, "invalid_scope"), (scope, answer)


def test_ca_13_secrets_are_kept_hashed_and_shown_once(new_server):
    server = new_server()
    done = server.cli("client", "add", "made", "--grant", "client_credentials", "--service", API[0])
    made = max(done.out.split(), key=len)
    assert len(made) >= 22, done
    server.secrets.add(made)
    token = server.client_token(("made", made))["access_token"]
    shown_again = server.cli("client", "list", status=None)
    assert made not in shown_again.out + shown_again.err
    server.client_token(C2)
    server.stop()
    needles = [secret.encode() for secret in server.secrets]
    needles += [base64.b64encode(needle) for needle in needles]
    stored = server.stored()
    assert stored and token.encode() in needles
    for where, content in stored:
        for needle in needles:
            assert needle not in content, f"{needle!r} in {where}"


def test_ca_13_empty_secret_client_matches_only_the_empty_secret(jeton):
    """Such a client is real; an unset secret must not match anything."""
    jeton.cli("client", "add", "utopia-plugin", "--no-secret", "--grant", "password", "--grant",
              "refresh_token", "--service", API[0])
    user = {"grant_type": "password", "username": ALICE[0], "password": ALICE[1]}
    assert with_header(jeton, "Basic dXRvcGlhLXBsdWdpbjo=", user).status == 200
    answer = jeton.token(user, client=("utopia-plugin", "anything"))
    assert (answer.status, answer.error) == (401, "invalid_client"), answer


def test_ca_13_refusals_of_an_empty_secret_are_for_the_log_alone(new_server):
    """Anybody has it, and nobody fills the trail."""
    server = new_server()
    server.cli("client", "add", "anybody", "--no-secret", "--grant", "password")
    keeper = ("keeper", "the secret of a client that keeps it 1")
    server.add_client(*keeper, "--grant", "password")

    def count_denied():
        return sum(json.loads(line)["event"] == "denied"
                   for line in server.cli("audit", "export").out.splitlines())

    for _ in range(3):
        assert server.token({"grant_type": "client_credentials", "client_id": "anybody"}
                            ).error == "unauthorized_client"
    assert count_denied() == 0
    assert server.token({"grant_type": "client_credentials"}, client=keeper
                        ).error == "unauthorized_client"
    assert count_denied() == 1


# -- private_key_jwt ---------------------------------------------------------------------------

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Signer:
    """A client that authenticates with a key of its own."""

    def __init__(self, jeton, client_id, alg="ES256", **metadata):
        self.jeton = jeton
        self.client_id = client_id
        self.key = Key(alg)
        jeton.cli("client", "add", client_id, "--service", API[0], "--metadata", json.dumps({
            "grant_types": ["client_credentials", "password"],
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": {"keys": [{**self.key.jwk, "kid": "1"}]}, **metadata}))

    def assertion(self, header=(), **claims):
        now = int(time.time())
        merged = {"iss": self.client_id, "sub": self.client_id, "jti": str(uuid.uuid4()),
                  "aud": f"http://127.0.0.1:{self.jeton.port}", "exp": now + 60, "iat": now,
                  **claims}
        return self.key.jws({"alg": self.key.alg, "kid": "1", **dict(header)},
                            {name: value for name, value in merged.items() if value is not None})

    def fields(self, assertion=None):
        return {"client_assertion_type": ASSERTION_TYPE,
                "client_assertion": assertion or self.assertion()}


@pytest.fixture(scope="module")
def signer(jeton):
    return Signer(jeton, "signer")


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "RS256", "PS256"])
def test_ca_06_an_assertion_of_each_algorithm(jeton, alg):
    made = Signer(jeton, f"signs-{alg}", alg)
    answer = jeton.token({**CREDENTIALS, **made.fields()})
    assert answer.status == 200, answer
    token = answer.json["access_token"]
    assert jeton.introspect(token, API).json["client_id"] == made.client_id


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_ca_06_an_assertion_at_every_endpoint_and_once(jeton, signer, endpoint):
    """RFC 7523 3: at one endpoint as at another, a second time is one too many."""
    fields = signer.fields()
    assert jeton.post_form(endpoint, {**ENDPOINTS[endpoint], **fields}).status == 200
    for again in ENDPOINTS:
        answer = jeton.post_form(again, {**ENDPOINTS[again], **fields})
        assert (answer.status, answer.error) == (401, "invalid_client"), (again, answer)


def test_ca_06_a_refused_request_uses_its_assertion_up(jeton, signer):
    fields = signer.fields()
    answer = jeton.token({**CREDENTIALS, "scope": "not-mine", **fields})
    assert (answer.status, answer.error) == (400, "invalid_scope"), answer
    answer = jeton.token({**CREDENTIALS, **fields})
    assert (answer.status, answer.error) == (401, "invalid_client"), answer


def test_ca_06_parallel_replays_have_one_winner(jeton, signer):
    for _ in range(5):
        fields = signer.fields()
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: jeton.token({**CREDENTIALS, **fields}), range(16)))
        assert sorted(answer.status for answer in answers) == [200] + [401] * 15, answers


def test_ca_06_a_replay_after_a_restart_is_refused(new_server):
    server = new_server()
    made = Signer(server, "signer")
    issuer = f"http://127.0.0.1:{server.port}"
    fields = made.fields()
    assert server.token({**CREDENTIALS, **fields}).status == 200
    server.stop()
    server.start()
    fields = {**fields}
    answer = server.token({**CREDENTIALS, **fields})
    assert (answer.status, answer.error) == (401, "invalid_client"), (issuer, answer)


MUTATIONS = {
    "another issuer": {"iss": "other"}, "another subject": {"sub": CC[0]},
    "another audience": {"aud": "https://other.example"}, "no audience": {"aud": None},
    "two audiences": {"aud": ["https://other.example", "x"]}, "no exp": {"exp": None},
    "expired": {"exp": 1}, "exp in ten years": {"exp": int(time.time()) + 315360000},
    "not yet good": {"nbf": int(time.time()) + 3600},
    "made later": {"iat": int(time.time()) + 3600},
    "no jti": {"jti": None}, "no issuer": {"iss": None}, "no subject": {"sub": None},
}


@pytest.mark.parametrize("why", MUTATIONS)
def test_ca_06_mutations(jeton, signer, why):
    answer = jeton.token({**CREDENTIALS, "client_id": "signer",
                          **signer.fields(signer.assertion(**MUTATIONS[why]))})
    assert (answer.status, answer.error) == (401, "invalid_client"), answer


@pytest.mark.parametrize("header", [
    {"alg": "none"}, {"alg": "HS256"}, {"jku": "https://evil.example/"}, {"kid": "2"},
    {"x5u": "https://evil.example/"}, {"crit": ["exp"]}, {"typ": "at+jwt"}, {"typ": "dpop+jwt"}],
    ids=short)
def test_ca_07_headers(jeton, signer, header):
    answer = jeton.token({**CREDENTIALS, **signer.fields(signer.assertion(header))})
    assert (answer.status, answer.error) == (401, "invalid_client"), answer


def test_ca_07_an_embedded_key_and_an_hmac_of_the_public_one(jeton, signer):
    import hashlib
    import hmac
    other = Signer.__new__(Signer)
    other.jeton, other.client_id, other.key = jeton, "signer", Key("ES256")
    assertions = [other.assertion(), other.assertion({"jwk": other.key.jwk, "kid": "1"})]
    text = signer.assertion({"alg": "HS256"}).rsplit(".", 1)[0]
    for secret in (json.dumps(signer.key.jwk), signer.key.jwk["x"], ""):
        mac = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
        assertions.append(text + "." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode())
    for assertion in assertions:
        answer = jeton.token({**CREDENTIALS, **signer.fields(assertion)})
        assert (answer.status, answer.error) == (401, "invalid_client"), answer


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_ca_03_a_signer_has_no_other_method(jeton, signer, endpoint):
    for headers, fields in (({}, {"client_id": "signer"}),
                            ({}, {"client_id": "signer", "client_secret": ""}),
                            ({}, {"client_id": "signer", "client_secret": "x"}),
                            ({"Authorization": basic("signer", "x")}, {}),
                            ({"Authorization": basic("signer", "")}, {})):
        answer = jeton.post_form(endpoint, {**ENDPOINTS[endpoint], **fields}, headers)
        assert (answer.status, answer.error) == (401, "invalid_client"), answer
    answer = jeton.post_form(endpoint, {**ENDPOINTS[endpoint], **signer.fields()}, client=C1)
    assert (answer.status, answer.error) == (400, "invalid_request"), answer  # CA-02


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("method,good,bad", [("client_secret_basic", "basic", "body"),
                                             ("client_secret_post", "body", "basic")])
def test_ca_03_one_way_for_a_secret(jeton, endpoint, method, good, bad):
    client = (f"{method}-{endpoint[8:]}", "a-secret-for-one-way-alone")
    jeton.add_client(*client, "--auth-method", method, "--service", API[0], "--grant", "password")
    ways = {"basic": ({"Authorization": basic(*client)}, {}),
            "body": ({}, {"client_id": client[0], "client_secret": client[1]})}
    for way, status in ((good, 200), (bad, 401)):
        headers, fields = ways[way]
        answer = jeton.post_form(endpoint, {**ENDPOINTS[endpoint], **fields}, headers)
        assert answer.status == status, (way, answer)


def test_ca_03_a_change_of_method_ends_the_secret(jeton):
    client = ("changes", "the-secret-before-the-change")
    jeton.add_client(*client, "--service", API[0], "--grant", "client_credentials")
    assert jeton.token(CREDENTIALS, client=client).status == 200
    jeton.cli("client", "set", client[0], "--auth-method", "private_key_jwt", "--jwks",
              json.dumps({"keys": [Key("ES256").jwk]}))
    assert jeton.token(CREDENTIALS, client=client).status == 401
    done = jeton.cli("client", "set", client[0], "--auth-method", "client_secret_basic")
    made = done.out.strip()
    jeton.secrets.add(made)
    assert jeton.token(CREDENTIALS, client=client).status == 401
    assert jeton.token(CREDENTIALS, client=(client[0], made)).status == 200


@pytest.mark.parametrize("options", [
    ["--auth-method", "private_key_jwt"], ["--auth-method", "client_secret_jwt"],
    ["--auth-method", "tls_client_auth"],
    ["--jwks", "{}"], ["--jwks", "{"], ["--jwks-uri", "http://a.example/"],
    ["--metadata", "[]"], ["--metadata", '{"redirect_uris":["javascript:alert(1)"]}'],
    ["--redirect-uri", "http://a.example/cb"], ["--redirect-uri", "DATA:text/html,x"],
    ["--post-logout-uri", "javascript:alert(1)"], ["--back-channel-logout-uri", "http://a.example"],
    ["--id-token-alg", "HS256"], ["--grant", "authorization_code"], ["--require-signed"]],
    ids=" ".join)
def test_registrations_that_are_refused(jeton, options):
    done = jeton.cli("client", "add", "unsound", *options, status=None)
    assert done.status == 1 and done.err.strip(), done
    assert jeton.cli("client", "show", "unsound", status=None).status == 1
