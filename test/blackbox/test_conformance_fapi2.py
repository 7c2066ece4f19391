"""The modules of the OpenID Foundation's plan fapi2-security-profile-final-test-plan (plain FAPI,
private_key_jwt, DPoP, OpenID Connect), one test each, named after it without the plan's prefix.

The two of the plan that wait for a code or a pushed request to expire use a clock that is set.
"""

import json
import re
import time
import uuid

import pytest

from conformance import form_decode
from dpop import Key
from harness import ALICE, FORM, form_encode, jwt_part
from person import Person
from relying_party import CHALLENGE, VERIFIER

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPE = "openid profile email"
PROFILE = ["--auth-method", "private_key_jwt", "--bind-dpop", "--require-pushed"]


class FapiClient:
    """A client as the profile wants it (FAPI 2.0 Security Profile 5.3.3)."""

    def __init__(self, server, client_id, alg="ES256"):
        self.server, self.client_id = server, client_id
        self.root = f"http://127.0.0.1:{server.port}"
        self.callback = f"https://{client_id}.example/callback"
        self.key, self.holder = Key(alg), Key()
        self.rs256 = Key("RS256")
        keys = [{**self.key.jwk, "kid": "its"}, {**self.rs256.jwk, "kid": "rs"}]
        server.cli("client", "add", client_id, "--grant", "authorization_code", "--grant",
                   "refresh_token", "--scope", SCOPE, "--redirect-uri", self.callback, *PROFILE,
                   "--jwks", json.dumps({"keys": keys}))

    def assertion(self, key=None, kid="its", **changes):
        claims = {"iss": self.client_id, "sub": self.client_id, "aud": self.root,
                  "jti": str(uuid.uuid4()), "iat": int(time.time()),
                  "exp": int(time.time()) + 60, **changes}
        key = key or self.key
        return key.jws({"alg": key.alg, "kid": kid},
                       {name: value for name, value in claims.items() if value is not None})

    def post(self, path, pairs, proof=None, assertion=None, method="POST", client_id=None):
        """With a fresh assertion unless one is given; "" sends none."""
        pairs = [(name, value) for name, value in dict(pairs).items() if value is not None]
        if assertion != "":
            pairs += [("client_assertion_type", ASSERTION_TYPE),
                      ("client_assertion", assertion or self.assertion())]
        pairs.append(("client_id", client_id or self.client_id))
        headers = [("Content-Type", FORM)] + ([("DPoP", proof)] if proof else [])
        return self.server.request(method, path, form_encode(pairs), headers)

    def request(self, **changes):
        return {"redirect_uri": self.callback, "response_type": "code", "scope": SCOPE,
                "state": "st-1", "nonce": "n-1", "code_challenge": CHALLENGE,
                "code_challenge_method": "S256", **changes}

    def push(self, proof=None, assertion=None, **changes):
        return self.post("/oauth2/par", self.request(**changes), proof, assertion)

    def pushed(self, **changes):
        answer = self.push(**changes)
        assert answer.status == 201 and answer.json["expires_in"] < 600, answer
        return answer.json["request_uri"]

    def start(self, person, uri, **more):
        return person.open("/oauth2/authorize?" + form_encode(
            {"client_id": self.client_id, "request_uri": uri, **more}))

    def go_on(self, person, button="allow"):
        if person.has("username"):
            person.fill("username", ALICE[0]).fill("password", ALICE[1]).press("sign-in")
        if person.has(button):
            person.press(button)
        return person

    def answer(self, person):
        location = person.answer.header("Location") or ""
        assert location.startswith(self.callback + "?"), person.answer
        found = form_decode(location.partition("?")[2])
        assert found["iss"] == self.root
        return found

    def authorize(self, outside=(), **changes):
        person = Person(self.server)
        self.start(person, self.pushed(**changes), **dict(outside))
        return self.answer(self.go_on(person))

    def proof(self, path="/oauth2/token", method="POST", key=None, **more):
        return (key or self.holder).proof(method, self.root + path, **more)

    def redeem(self, code, proof=None, assertion=None, client_id=None, **changes):
        pairs = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.callback,
                 "code_verifier": VERIFIER, **changes}
        return self.post("/oauth2/token", pairs, self.proof() if proof is None else proof,
                         assertion, client_id=client_id)

    def tokens(self, outside=(), **changes):
        answer = self.redeem(self.authorize(outside, **changes)["code"])
        assert answer.status == 200 and answer.json["token_type"] == "DPoP", answer
        return answer.json

    def refresh(self, token, proof=None, assertion=None):
        return self.post("/oauth2/token", {"grant_type": "refresh_token", "refresh_token": token},
                         self.proof() if proof is None else proof, assertion)

    def use(self, token, proof=None, scheme="DPoP", method="GET"):
        """The resource of the suite's configuration: userinfo."""
        proof = proof or self.proof("/oauth2/userinfo", method, token=token)
        headers = [("Authorization", f"{scheme} {token}")] + ([("DPoP", proof)] if proof else [])
        return self.server.request(method, "/oauth2/userinfo", None, headers)


@pytest.fixture(scope="module")
def server(module_server):
    return module_server()


@pytest.fixture(scope="module")
def first(server):
    return FapiClient(server, "fapi-one")


@pytest.fixture(scope="module")
def second(server):
    return FapiClient(server, "fapi-two", "PS256")


def shown(person, error):
    assert person.status == 400 and person.text_of("error") == error, person.answer


# -- what has to work -------------------------------------------------------------------------


def test_discovery_end_point_verification(server):
    found = server.get("/.well-known/openid-configuration").json
    assert found["authorization_response_iss_parameter_supported"] is True
    assert "S256" in found["code_challenge_methods_supported"]
    assert "plain" not in found["code_challenge_methods_supported"]
    assert "private_key_jwt" in found["token_endpoint_auth_methods_supported"]
    algs = set(found["token_endpoint_auth_signing_alg_values_supported"])
    assert {"PS256", "ES256", "EdDSA"} <= algs
    assert {"ES256", "EdDSA"} <= set(found["dpop_signing_alg_values_supported"])
    assert found["pushed_authorization_request_endpoint"].startswith(found["issuer"])
    assert "authorization_code" in found["grant_types_supported"]
    assert "code" in found["response_types_supported"]


@pytest.mark.parametrize("who", ["first", "second"])
def test_happy_flow(request, first, second, who):
    client = request.getfixturevalue(who)
    other = second if client is first else first
    tokens = client.tokens()
    claims = jwt_part(tokens["id_token"], 1)
    assert claims["aud"] == client.client_id and claims["nonce"] == "n-1"
    assert client.use(tokens["access_token"]).json["sub"] == claims["sub"]
    wrong = other.proof("/oauth2/userinfo", "GET", token=tokens["access_token"])
    assert client.use(tokens["access_token"], wrong).status == 401


def test_ensure_authorization_request_without_state_success(first):
    assert "state" not in first.authorize(state=None)


def test_ensure_authorization_request_without_nonce_success(first):
    assert "nonce" not in jwt_part(first.tokens(nonce=None)["id_token"], 1)


def test_ensure_other_scope_order_succeeds(first):
    first.tokens(scope="email profile openid")


@pytest.mark.parametrize("scheme", ["dpop", "DPOP", "DpOp"])
def test_access_token_type_header_case_sensitivity(first, scheme):
    assert first.use(first.tokens()["access_token"], scheme=scheme).status == 200


def test_ensure_authorization_request_with_64_char_nonce_success(first):
    nonce = "n" * 64
    assert jwt_part(first.tokens(nonce=nonce)["id_token"], 1)["nonce"] == nonce


def test_ensure_authorization_request_with_long_nonce(first):
    nonce = "n" * 384
    assert jwt_part(first.tokens(nonce=nonce)["id_token"], 1)["nonce"] == nonce


def test_ensure_authorization_request_with_long_state(first):
    assert first.authorize(state="s" * 1000)["state"] == "s" * 1000


def test_claims_parameter_identity_claims(server, first):
    """test-claims-parameter-identity-claims"""
    known = set(server.get("/.well-known/openid-configuration").json["claims_supported"])
    asked = known & {"name", "preferred_username", "email", "email_verified"}
    request = {"userinfo": {name: {"essential": True} for name in sorted(asked)}}
    tokens = first.tokens(scope="openid", claims=json.dumps(request))
    assert asked <= set(first.use(tokens["access_token"]).json)


def test_refresh_token(first, second):
    tokens = first.tokens()
    again = first.refresh(tokens["refresh_token"])
    assert again.status == 200 and first.use(again.json["access_token"]).status == 200
    value = again.json.get("refresh_token", tokens["refresh_token"])
    assert first.refresh(value, assertion="").status in (400, 401)
    assert first.refresh(value, proof="").status == 400
    assert second.refresh(value).error == "invalid_grant"
    assert first.refresh(value).status == 200


def test_user_rejects_authentication(first, second):
    for client in (first, second):
        person = Person(client.server)
        client.start(person, client.pushed(prompt="consent"))
        answer = client.answer(client.go_on(person, "deny"))
        assert answer["error"] == "access_denied" and answer["state"] == "st-1"


# -- client authentication --------------------------------------------------------------------


def test_ensure_client_id_in_token_endpoint(first, second):
    answer = first.redeem(first.authorize()["code"], client_id=second.client_id)
    assert answer.status in (400, 401) and answer.error in ("invalid_client", "invalid_request")


def test_ensure_client_assertion_in_token_endpoint(first):
    answer = first.redeem(first.authorize()["code"], assertion="")
    assert answer.status in (400, 401) and answer.error == "invalid_client"


WRONG = {
    "with_exp_is_5_minutes_in_past": {"exp": int(time.time()) - 300},
    "with_wrong_aud": {"aud": "https://other.example"},
    "with_no_sub": {"sub": None},
    "without_iss": {"iss": None},
    "without_aud": {"aud": None},
    "without_exp": {"exp": None},
    "without_jti": {"jti": None},
    "iss_of_another": {"iss": "fapi-two"},
    "sub_of_another": {"sub": "fapi-two"},
    "aud_is_the_token_endpoint": {"aud": "/oauth2/token"},
    "aud_is_the_par_endpoint": {"aud": "/oauth2/par"},
    "aud_is_a_list": {"aud": ["issuer"]},
    "nbf_is_far_away": {"nbf": int(time.time()) + 3600},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_ensure_invalid_client_assertions_fail(first, changes):
    """ensure-invalid-client-assertions-fail, ensure-client-assertion-with-exp-is-5-minutes-in-past-
    fails, ensure-client-assertion-with-wrong-aud-fails, ensure-client-assertion-with-no-sub-fails
    """
    audience = changes.get("aud")
    if isinstance(audience, str) and audience.startswith("/"):
        changes = {"aud": first.root + audience}
    elif isinstance(audience, list):
        changes = {"aud": [first.root, "https://other.example"]}
    answer = first.push(assertion=first.assertion(**changes))
    assert answer.status in (400, 401) and answer.error == "invalid_client", answer
    assert first.push().status == 201


def test_ensure_invalid_client_assertions_fail_when_they_come_again(first):
    assertion = first.assertion()
    assert first.push(assertion=assertion).status == 201
    assert first.push(assertion=assertion).error == "invalid_client"


def test_ensure_signed_client_assertion_with_rs256_fails(first):
    answer = first.push(assertion=first.assertion(first.rs256, "rs"))
    assert answer.status in (400, 401) and answer.error == "invalid_client"


# -- proofs -----------------------------------------------------------------------------------


def test_ensure_holder_of_key_required(first):
    answer = first.redeem(first.authorize()["code"], proof="")
    assert answer.status == 400 and answer.error in ("invalid_dpop_proof", "invalid_request")


def test_ensure_mismatched_dpop_jkt_fails(first):
    answer = first.push(proof=first.proof("/oauth2/par"), dpop_jkt=Key().thumbprint)
    assert answer.status == 400 and answer.error in ("invalid_dpop_proof", "invalid_request")


def test_ensure_token_endpoint_fails_with_mismatched_dpop_jkt(first):
    code = first.authorize(dpop_jkt=first.holder.thumbprint)["code"]
    answer = first.redeem(code, proof=first.proof(key=Key()))
    assert answer.status == 400 and answer.error in ("invalid_dpop_proof", "invalid_grant")


def test_ensure_token_endpoint_fails_with_mismatched_dpop_proof_jkt(first):
    code = first.authorize(proof=first.proof("/oauth2/par"))["code"]
    answer = first.redeem(code, proof=first.proof(key=Key()))
    assert answer.status == 400 and answer.error in ("invalid_dpop_proof", "invalid_grant")


def test_ensure_dpopproof_at_par_endpoint_binding_success(first):
    first.tokens(proof=first.proof("/oauth2/par"))


def test_ensure_dpop_auth_code_binding_success(first):
    first.tokens(proof=first.proof("/oauth2/par"), dpop_jkt=first.holder.thumbprint)


def test_check_dpop_proof_nbf_exp(first):
    times = {"nbf": int(time.time()) - 10, "exp": int(time.time()) + 60}
    answer = first.redeem(first.authorize()["code"], proof=first.proof(**times))
    token = answer.json["access_token"]
    proof = first.proof("/oauth2/userinfo", "GET", token=token, **times)
    assert first.use(token, proof).status == 200


@pytest.mark.parametrize("offset_s", [-10, 10], ids=["before", "after"])
def test_ensure_dpopproof_with_iat_10seconds_succeeds(first, offset_s):
    """ensure-dpopproof-with-iat-10seconds-before-succeeds, -after-succeeds"""
    then = int(time.time()) + offset_s
    code = first.authorize(proof=first.proof("/oauth2/par", iat=then))["code"]
    token = first.redeem(code, proof=first.proof(iat=then)).json["access_token"]
    proof = first.proof("/oauth2/userinfo", "GET", token=token, iat=then)
    assert first.use(token, proof).status == 200


def test_dpop_negative_tests(first):
    token = first.tokens()["access_token"]
    good = {"path": "/oauth2/userinfo", "method": "GET", "token": token}
    for name, changes in {
            "no ath": {"token": None}, "other ath": {"token": "another"},
            "other method": {"method": "POST"}, "other address": {"path": "/oauth2/other"},
            "no jti": {"jti": None}, "no htm": {"htm": None}, "no htu": {"htu": None},
            "no iat": {"iat": None}, "old": {"iat": int(time.time()) - 3600},
            "too new": {"iat": int(time.time()) + 3600}, "other key": {"key": Key()},
            "wrong type": {"header": {"typ": "JWT"}}, "no type": {"header": {"typ": None}},
            "no key": {"header": {"jwk": None}}, "none": {"header": {"alg": "none"}},
            "symmetric": {"header": {"alg": "HS256"}}}.items():
        answer = first.use(token, first.proof(**{**good, **changes}))
        assert answer.status == 401, (name, answer)
        assert re.match("DPoP ", answer.header("WWW-Authenticate")), name
    proof = first.proof(**good)
    assert first.use(token, proof).status == 200
    assert first.use(token, proof).status == 401
    assert first.use(token, first.proof(**good), scheme="Bearer").status == 401


# -- codes ------------------------------------------------------------------------------------


def test_ensure_authorization_code_is_bound_to_client(first, second):
    answer = second.redeem(first.authorize()["code"], redirect_uri=first.callback)
    assert answer.status == 400 and answer.error == "invalid_grant"


def test_attempt_reuse_authorization_code_after_one_second(first):
    code = first.authorize()["code"]
    token = first.redeem(code).json["access_token"]
    again = first.redeem(code)
    assert again.status == 400 and again.error == "invalid_grant"
    assert first.use(token).status == 401


@pytest.mark.parametrize("verifier", [None, "x" * 43], ids=["required", "incorrect"])
def test_ensure_pkce_code_verifier_required(first, verifier):
    """ensure-pkce-code-verifier-required, incorrect-pkce-code-verifier-rejected"""
    answer = first.redeem(first.authorize()["code"], code_verifier=verifier)
    assert answer.status == 400 and answer.error == "invalid_grant"


def test_ensure_token_endpoint_fails_with_expired_auth_code(faked_time):
    server, set_time = faked_time
    client = FapiClient(server, "fapi-late")
    code = client.authorize()["code"]
    set_time(62)
    then = int(time.time()) + 62
    answer = client.redeem(code, proof=client.proof(iat=then),
                           assertion=client.assertion(iat=then, exp=then + 60))
    assert answer.status == 400 and answer.error == "invalid_grant"


# -- pushed requests --------------------------------------------------------------------------


@pytest.mark.parametrize("changes, error", [
    ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ({"code_challenge": VERIFIER, "code_challenge_method": "plain"}, "invalid_request"),
    ({"redirect_uri": None}, "invalid_request"),
    ({"redirect_uri": "https://fapi-one.example/other"}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "code id_token"}, "unsupported_response_type"),
    ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
    ({"request": "a.b.c"}, "invalid_request_object"),
], ids=["pkce-required", "plain-pkce-rejected", "without-redirect-uri", "registered-redirect-uri",
        "response-type-token", "response-type-code-idtoken", "request_uri-form-param",
        "request-object-nonsense"])
def test_par_rejects(first, changes, error):
    """par-ensure-pkce-required, par-plain-pkce-rejected, ensure-redirect-uri-in-authorization-
    request, ensure-request-object-without-redirect-uri-fails, ensure-registered-redirect-uri,
    plain-fapi-tolerate-unregistered-redirect-uri, ensure-response-type-token-fails, ensure-
    response-type-code-idtoken-fails, par-authorization-request-containing-request_uri-form-param
    """
    answer = first.push(**changes)
    assert answer.status == 400 and answer.error == error, answer


@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_par_attempt_invalid_http_method(first, method):
    assert first.post("/oauth2/par", first.request(), method=method).status == 405


def test_ensure_unsigned_authorization_request_without_using_par_fails(server, first):
    person = Person(server).open("/oauth2/authorize?" + form_encode(
        {**first.request(), "client_id": first.client_id}))
    if person.status == 400:
        assert person.has("error")
    else:
        assert first.answer(person)["error"] == "invalid_request"


def test_par_without_duplicate_parameters(first):
    assert first.authorize()["state"] == "st-1"


@pytest.mark.parametrize("outside", [{"state": "other"}, {"nonce": "other"}, {"scope": "read"},
                                     {"redirect_uri": "https://evil.example/"}], ids=str)
def test_ensure_different_inside_and_outside_request_object(first, outside):
    """ensure-different-nonce-inside-and-outside-request-object, ensure-different-state-inside-and-
    outside-request-object: what stands outside is ignored."""
    tokens = first.tokens(outside)
    assert jwt_part(tokens["id_token"], 1)["nonce"] == "n-1" and tokens["scope"] == SCOPE


def test_state_only_outside_request_object_not_used(first):
    answer = first.authorize({"state": "outside"}, state=None)
    assert "state" not in answer and first.redeem(answer["code"]).status == 200


def test_par_ensure_reused_request_uri_prior_to_auth_completion_succeeds(server, first):
    uri = first.pushed()
    first.start(Person(server), uri)
    person = first.start(Person(server), uri)
    assert "code" in first.answer(first.go_on(person))


def test_par_attempt_reuse_request_uri(server, first):
    uri, person = first.pushed(), Person(server)
    assert "code" in first.answer(first.go_on(first.start(person, uri)))
    shown(first.start(Person(server), uri), "invalid_request_uri")


def test_par_attempt_to_use_request_uri_for_different_client(server, first, second):
    shown(second.start(Person(server), first.pushed()), "invalid_request_uri")


def test_par_attempt_to_use_expired_request_uri(faked_time):
    server, set_time = faked_time
    client = FapiClient(server, "fapi-slow")
    answer = client.push()
    set_time(answer.json["expires_in"] + 1)
    shown(client.start(Person(server), answer.json["request_uri"]), "invalid_request_uri")
