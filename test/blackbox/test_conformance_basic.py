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

from conformance import EVERY_SCOPE, Suite, docs_modules
from harness import ALICE, form_encode
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


def test_docs_name_every_module():
    rows = docs_modules("oidcc-")
    assert len(rows) == 38
    for module in rows:
        assert "test_oidcc_" + module.replace("-", "_") in globals(), module


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


def test_oidcc_scope_profile(suite):
    """Not updated_at: accounts have no time of their last change."""
    tokens, _ = suite.tokens(scope="openid profile")
    assert set(suite.userinfo(tokens).json) == {"sub", "name", "preferred_username"}


def test_oidcc_scope_email(suite):
    tokens, claims = suite.tokens(scope="openid email")
    assert set(suite.userinfo(tokens).json) == {"sub", "email", "email_verified"}
    assert "email" not in claims


def nothing_known(suite, word):
    """Nothing of the kind is kept, and the word does no harm."""
    tokens, _ = suite.tokens(scope="openid " + word)
    assert set(suite.userinfo(tokens).json) == {"sub"}
    found = suite.server.get("/.well-known/openid-configuration").json
    assert word not in found["claims_supported"]


def test_oidcc_scope_address(suite):
    nothing_known(suite, "address")


def test_oidcc_scope_phone(suite):
    nothing_known(suite, "phone")


def test_oidcc_scope_all(suite):
    tokens, _ = suite.tokens(scope="openid profile email address phone")
    assert set(suite.userinfo(tokens).json) == {"sub", "name", "preferred_username", "email",
                                                "email_verified"}


def test_oidcc_alternate_happy_flow(suite, person):
    """The words of the scope, and the parameters, in another order."""
    pairs = suite.request(scope="email openid")[::-1]
    suite.go_on(person.open("/oauth2/authorize?" + form_encode(pairs)))
    answer = suite.redeem(suite.answer(person)["code"])
    assert suite.userinfo(answer.json).json["email"] == "alice@mail.example"


def test_oidcc_display_page(suite):
    suite.tokens(display="page")


def test_oidcc_display_popup(suite):
    suite.tokens(display="popup")


def test_oidcc_login_hint(suite, person):
    """The name stands in the form already; another hint does no harm."""
    suite.start(person, login_hint=ALICE[0])
    assert person.value_of("username") == ALICE[0]
    suite.tokens(login_hint="buffy@127.0.0.1")


def test_oidcc_ui_locales(suite, person):
    """The first of them that there are pages in; "se" is none."""
    for locales, found in (("se", "en"), ("de en", "de"), ("se fr", "fr")):
        suite.start(person, ui_locales=locales)
        assert f'lang="{found}"' in person.answer.body.decode(), locales
    suite.tokens(ui_locales="se")


def test_oidcc_claims_locales(suite):
    suite.tokens(claims_locales="se")


def test_oidcc_ensure_request_with_unknown_parameter_succeeds(suite):
    suite.tokens(extra="foobar")


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
    _, first = suite.tokens(person, max_age="15000")
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
    """And what the first use gave is gone."""
    code = suite.authorize()["code"]
    tokens = suite.redeem(code).json
    again = suite.redeem(code)
    assert again.status == 400 and again.error == "invalid_grant"
    assert suite.userinfo(tokens).status == 401


def test_oidcc_codereuse_30seconds(faked_time):
    server, set_time = faked_time
    late = Suite(server, "late", "late-secret-late-secret-late")
    code = late.authorize()["code"]
    tokens = late.redeem(code).json
    set_time(31)
    assert late.userinfo(tokens).status == 200
    again = late.redeem(code)
    assert again.status == 400 and again.error == "invalid_grant"
    assert late.userinfo(tokens).status == 401


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


def unsigned(pairs):
    """A request object that nobody signed (OpenID Connect Core 6.1)."""
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
               for part in ({"alg": "none"}, dict(pairs))]
    return ".".join(encoded) + "."


def test_oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(
        server, suite, person):
    refused(suite, suite.start(person, request=unsigned(suite.request())),
            "request_not_supported")
    found = server.get("/.well-known/openid-configuration").json
    assert "none" not in found["request_object_signing_alg_values_supported"]


def test_oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported(
        server, suite, person):
    refused(suite, suite.start(person, request_uri="https://rp.example/request.jwt"),
            "request_uri_not_supported")
    found = server.get("/.well-known/openid-configuration").json
    assert found["request_uri_parameter_supported"] is False


def test_oidcc_ensure_request_object_with_redirect_uri(suite, person):
    """An unsigned object with another redirect URI than the query's: it is not supported, and
    nothing is sent to an address out of it."""
    inside = unsigned(suite.request(redirect_uri="https://evil.example/"))
    refused(suite, suite.start(person, request=inside), "request_not_supported")


def test_oidcc_claims_essential(suite):
    tokens, claims = suite.tokens(claims='{"userinfo":{"name":{"essential":true}}}')
    assert suite.userinfo(tokens).json["name"] == "Alice Example" and "name" not in claims


def test_oidcc_refresh_token(server, suite):
    tokens, first = suite.tokens(scope=EVERY_SCOPE, prompt="consent")
    answer = suite.refresh(tokens["refresh_token"])
    claims = json.loads(base64.urlsafe_b64decode(answer.json["id_token"].split(".")[1] + "=="))
    for name in ("iss", "sub", "aud", "auth_time"):
        assert claims[name] == first[name]
    assert claims["iat"] >= first["iat"]
    assert suite.userinfo(answer.json).json["sub"] == first["sub"]
    value = answer.json["refresh_token"]
    server.add_client(f"second-{suite.client_id}", "second-secret-second-secret", "--grant",
                      "authorization_code", "--grant", "refresh_token", "--redirect-uri",
                      suite.callback, "--scope", "openid")
    assert server.refresh(value, (f"second-{suite.client_id}",
                                  "second-secret-second-secret")).error == "invalid_grant"
    assert suite.refresh(value).status == 200


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
