"""The modules of the OpenID Foundation's plans oidcc-basic-certification-test-plan and
oidcc-formpost-basic-certification-test-plan, one test each, named after it.

What the suite does by its configuration is done here by this server's command line; where a module
is content with several outcomes, the one that this server has is asked for.
"""

import base64
import json
import time

import pytest
from jwcrypto import jwk, jws

from conformance import EVERY_SCOPE, Suite
from harness import ALICE
from person import Person
from relying_party import CHALLENGE, VERIFIER


@pytest.fixture(scope="module")
def server(module_server):
    return module_server()


@pytest.fixture(scope="module", params=[None, "form_post"], ids=["basic", "formpost"])
def suite(server, request):
    name = "formpost" if request.param else "basic"
    return Suite(server, name, f"{name}-secret-{name}-secret-{name}", request.param)


@pytest.fixture
def person(server):
    return Person(server)


def refused(suite, person, error):
    answer = suite.answer(person)
    assert answer["error"] == error and answer["state"] == "st-1" and "code" not in answer, answer


def test_oidcc_server(suite):
    tokens, claims = suite.tokens()
    assert tokens["token_type"] == "Bearer" and tokens["expires_in"] > 0
    answer = suite.userinfo(tokens)
    assert answer.status == 200 and answer.json["sub"] == claims["sub"]


def test_oidcc_response_type_missing(suite, person):
    refused(suite, suite.start(person, response_type=None), "invalid_request")


def test_oidcc_idtoken_signature(server, suite):
    tokens, _ = suite.tokens()
    keys = jwk.JWKSet.from_json(server.get("/oauth2/jwks").body.decode())
    token = jws.JWS()
    token.deserialize(tokens["id_token"])
    assert token.jose_header["alg"] == "RS256"
    token.verify(keys.get_key(token.jose_header["kid"]), "RS256")


def test_oidcc_idtoken_unsigned(server, suite):
    """The suite registers for none where that is offered; here it is not, to anybody."""
    found = server.get("/.well-known/openid-configuration").json
    assert "none" not in found["id_token_signing_alg_values_supported"]
    done = server.cli("client", "set", suite.client_id, "--id-token-alg", "none", status=None)
    assert done.status != 0


def test_oidcc_userinfo_get(suite):
    tokens, claims = suite.tokens()
    assert suite.userinfo(tokens).json["sub"] == claims["sub"]


def test_oidcc_userinfo_post_header(suite):
    tokens, claims = suite.tokens()
    assert suite.userinfo(tokens, "POST").json["sub"] == claims["sub"]


def test_oidcc_userinfo_post_body(suite):
    tokens, claims = suite.tokens()
    assert suite.userinfo(tokens, "POST", in_body=True).json["sub"] == claims["sub"]


def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(suite):
    _, claims = suite.tokens(nonce=None)
    assert "nonce" not in claims


@pytest.mark.parametrize("word, names", [
    ("profile", {"name", "preferred_username"}), ("email", {"email", "email_verified"})])
def test_oidcc_scope(suite, word, names):
    """oidcc-scope-profile, oidcc-scope-email"""
    tokens, _ = suite.tokens(scope="openid " + word)
    assert set(suite.userinfo(tokens).json) == {"sub"} | names


@pytest.mark.parametrize("word", ["address", "phone"])
def test_oidcc_scope_nothing_known(server, suite, word):
    """oidcc-scope-address, oidcc-scope-phone: nothing of the kind is kept, and the words do no
    harm."""
    tokens, _ = suite.tokens(scope="openid " + word)
    assert set(suite.userinfo(tokens).json) == {"sub"}
    assert word not in server.get("/.well-known/openid-configuration").json["claims_supported"]


def test_oidcc_scope_all(suite):
    tokens, _ = suite.tokens(scope="openid profile email address phone")
    assert set(suite.userinfo(tokens).json) == {"sub", "name", "preferred_username", "email",
                                                "email_verified"}


def test_oidcc_ensure_other_scope_order_succeeds(suite):
    tokens, _ = suite.tokens(scope="email openid")
    assert suite.userinfo(tokens).json["email"] == "alice@mail.example"


@pytest.mark.parametrize("changes", [
    {"display": "page"}, {"display": "popup"}, {"login_hint": ALICE[0]}, {"ui_locales": "se"},
    {"ui_locales": "de en"}, {"claims_locales": "se"}, {"extra": "foobar"}],
    ids=["display-page", "display-popup", "login-hint", "ui-locales", "ui-locales-known",
         "claims-locales", "unknown-parameter"])
def test_oidcc_parameter_succeeds(suite, changes):
    """oidcc-display-page, oidcc-display-popup, oidcc-login-hint, oidcc-ui-locales,
    oidcc-claims-locales, oidcc-ensure-request-with-unknown-parameter-succeeds"""
    suite.tokens(**changes)


def test_oidcc_prompt_login(suite, person):
    """Two sign-ins of the same person, the second one later and asked for."""
    _, first = suite.tokens(person)
    suite.start(person, prompt="login")
    assert person.has("username") or person.has("confirm"), person.answer
    _, second = suite.tokens(person, prompt="login", max_age="10000")
    assert second["sub"] == first["sub"] and second["auth_time"] >= first["auth_time"]


def test_oidcc_prompt_none_not_logged_in(suite, person):
    refused(suite, suite.start(person, prompt="none"), "login_required")


def test_oidcc_prompt_none_logged_in(suite, person):
    _, first = suite.tokens(person)
    suite.start(person, prompt="none")
    second = suite.redeem(suite.answer(person)["code"]).json["id_token"]
    claims = json.loads(base64.urlsafe_b64decode(second.split(".")[1] + "=="))
    assert (claims["sub"], claims.get("auth_time")) == (first["sub"], first.get("auth_time"))


def test_oidcc_max_age_1(suite, person):
    """The second request is made when the sign-in is too old."""
    _, first = suite.tokens(person)
    # In whole seconds; a server's clock may be read some milliseconds ago.
    while time.time() < first["auth_time"] + 2.1:
        time.sleep(0.1)
    suite.start(person, max_age="1")
    assert person.has("username") or person.has("confirm"), person.answer
    answer = suite.redeem(suite.answer(suite.go_on(person))["code"]).json
    claims = json.loads(base64.urlsafe_b64decode(answer["id_token"].split(".")[1] + "=="))
    assert claims["auth_time"] > first["auth_time"] and claims["sub"] == first["sub"]


def test_oidcc_max_age_10000(suite, person):
    _, first = suite.tokens(person)
    suite.start(person, max_age="10000")
    answer = suite.redeem(suite.answer(person)["code"]).json
    claims = json.loads(base64.urlsafe_b64decode(answer["id_token"].split(".")[1] + "=="))
    assert claims["auth_time"] == first["auth_time"] and claims["sub"] == first["sub"]


def test_oidcc_id_token_hint(suite, person):
    tokens, first = suite.tokens(person)
    suite.start(person, prompt="none", id_token_hint=tokens["id_token"])
    answer = suite.redeem(suite.answer(person)["code"]).json
    claims = json.loads(base64.urlsafe_b64decode(answer["id_token"].split(".")[1] + "=="))
    assert claims["sub"] == first["sub"]


def test_oidcc_ensure_request_with_acr_values_succeeds(suite):
    """Values that are not known are a wish, and the class that was reached is told."""
    _, claims = suite.tokens(acr_values="1 2")
    assert claims["acr"] == "urn:jeton:acr:1fa"
    _, claims = suite.tokens(acr_values="urn:jeton:acr:1fa")
    assert claims["acr"] == "urn:jeton:acr:1fa"


def test_oidcc_codereuse(suite):
    """oidcc-codereuse, oidcc-codereuse-30seconds: and what the first use gave is gone."""
    code = suite.authorize()["code"]
    tokens = suite.redeem(code).json
    again = suite.redeem(code)
    assert again.status == 400 and again.error == "invalid_grant"
    assert suite.userinfo(tokens).status == 401


def test_oidcc_ensure_registered_redirect_uri(suite, person):
    suite.start(person, redirect_uri=suite.callback + "/not-registered")
    assert person.status == 400 and person.answer.header("Location") is None
    assert person.has("error") and person.has("message")


def test_oidcc_ensure_post_request_succeeds(suite):
    code = suite.authorize(by_post=True)["code"]
    assert suite.redeem(code).status == 200


def test_oidcc_server_client_secret_post(suite):
    answer = suite.redeem(suite.authorize()["code"], by_body=True)
    assert answer.status == 200 and "id_token" in answer.json


@pytest.mark.parametrize("name", ["request", "request_uri"])
def test_oidcc_unsigned_request_object_rejected_as_unsupported(server, suite, person, name):
    """oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported,
    oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported"""
    parts = [{"alg": "none"}, dict(suite.request())]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
               for part in parts]
    value = ".".join(encoded) + "." if name == "request" else "https://rp.example/request.jwt"
    answer = suite.answer(suite.start(person, **{name: value}))
    assert answer["error"] == name + "_not_supported" and answer["state"] == "st-1"
    if name == "request_uri":
        found = server.get("/.well-known/openid-configuration").json
        assert found["request_uri_parameter_supported"] is False


def test_oidcc_ensure_request_object_with_redirect_uri(suite, person):
    """An unsigned object with another redirect URI than the query's: it is not supported, and
    nothing is sent to an address out of it."""
    inside = dict(suite.request(redirect_uri="https://evil.example/"))
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
               for part in ({"alg": "none"}, inside)]
    refused(suite, suite.start(person, request=".".join(encoded) + "."), "request_not_supported")


def test_oidcc_claims_essential(suite):
    tokens, claims = suite.tokens(claims='{"userinfo":{"name":{"essential":true}}}')
    assert suite.userinfo(tokens).json["name"] == "Alice Example" and "name" not in claims


def test_oidcc_refresh_token(suite):
    tokens, first = suite.tokens(scope=EVERY_SCOPE, prompt="consent")
    answer = suite.refresh(tokens["refresh_token"])
    claims = json.loads(base64.urlsafe_b64decode(answer.json["id_token"].split(".")[1] + "=="))
    for name in ("iss", "sub", "aud", "auth_time"):
        assert claims[name] == first[name]
    assert claims["iat"] >= first["iat"]
    assert suite.userinfo(answer.json).json["sub"] == first["sub"]


def test_oidcc_ensure_request_with_valid_pkce_succeeds(suite):
    answer = suite.authorize(code_challenge=CHALLENGE, code_challenge_method="S256")
    assert suite.redeem(answer["code"], code_verifier=VERIFIER).status == 200


# -- what the plan needs of this server -------------------------------------------------------


def test_cp_01_only_who_is_registered_so_may_omit_proof_keys(server, suite, person):
    """RFC 9700 2.1.1, 4.8.2: and neither half of one without the other."""
    refused(suite, suite.start(person, code_challenge_method="S256"), "invalid_request")
    code = suite.authorize()["code"]
    assert suite.redeem(code, code_verifier=VERIFIER).error == "invalid_grant"
    server.add_client(f"open-{suite.client_id}", None, "--grant", "authorization_code",
                      "--redirect-uri", suite.callback, "--scope", "openid", "--metadata",
                      json.dumps({"jeton_may_omit_pkce": True}))
    refused(suite, suite.start(Person(server), client_id=f"open-{suite.client_id}"),
            "invalid_request")
