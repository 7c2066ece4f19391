"""Client authentication (RFC 6749 2.3; promises CA-01 to CA-13)."""

import base64
import json
import time

import pytest

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


@pytest.mark.parametrize("grant", ["authorization_code", "implicit", "PASSWORD", "password ",
                                   "urn:ietf:params:oauth:grant-type:device_code", "x" * 4000],
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
    files = [path for path in server.data.rglob("*") if path.is_file()]
    assert files and token.encode() in needles
    for path in files:
        content = path.read_bytes()
        for needle in needles:
            assert needle not in content, f"{needle!r} in {path}"


def test_ca_13_empty_secret_client_matches_only_the_empty_secret(jeton):
    """Such a client is real; an unset secret must not match anything."""
    jeton.cli("client", "add", "utopia-plugin", "--no-secret", "--grant", "password", "--grant",
              "refresh_token", "--service", API[0])
    user = {"grant_type": "password", "username": ALICE[0], "password": ALICE[1]}
    assert with_header(jeton, "Basic dXRvcGlhLXBsdWdpbjo=", user).status == 200
    answer = jeton.token(user, client=("utopia-plugin", "anything"))
    assert (answer.status, answer.error) == (401, "invalid_client"), answer
