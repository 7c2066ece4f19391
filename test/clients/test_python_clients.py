"""requests-oauthlib and Authlib, from Debian."""

import time

import pytest

from harness import ALICE, API, C1, CC, JWTS, P1, UAUTH

requests = pytest.importorskip("requests")


@pytest.fixture
def base(jeton, monkeypatch):
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    return f"http://127.0.0.1:{jeton.port}"


def protected(base, token):
    """A protected resource: the reverse proxy's question, asked directly."""
    answer = requests.get(base + "/forward-auth?scope=read", timeout=30,
                          headers={"Authorization": "Bearer " + token})
    return answer.status_code


def test_requests_oauthlib_backend_application_client(jeton, base):
    oauthlib = pytest.importorskip("oauthlib.oauth2")
    session_of = pytest.importorskip("requests_oauthlib").OAuth2Session
    session = session_of(client=oauthlib.BackendApplicationClient(client_id=CC[0], scope=["read"]))
    token = session.fetch_token(base + "/oauth2/token", client_id=CC[0], client_secret=CC[1])
    jeton.secrets.add(token["access_token"])
    assert token["token_type"] == "Bearer" and token["scope"] == ["read"]
    assert token["expires_at"] > time.time()
    answer = session.get(base + "/forward-auth?scope=read", timeout=30)
    assert answer.status_code == 200 and answer.headers["X-Auth-Client"] == CC[0]


@pytest.mark.parametrize("client", [C1, P1], ids=["confidential", "public"])
def test_requests_oauthlib_legacy_application_client(jeton, base, client):
    """The password grant, and the library's own refresh."""
    oauthlib = pytest.importorskip("oauthlib.oauth2")
    session_of = pytest.importorskip("requests_oauthlib").OAuth2Session
    session = session_of(client=oauthlib.LegacyApplicationClient(client_id=client[0],
                                                                 scope=["read", "write"]))
    options = {"client_secret": client[1]} if client[1] else {"include_client_id": True}
    token = session.fetch_token(base + "/oauth2/token", username=ALICE[0], password=ALICE[1],
                                client_id=client[0], **options)
    jeton.secrets.update((token["access_token"], token["refresh_token"]))
    assert protected(base, token["access_token"]) == 200
    extra = {"client_id": client[0]}
    if client[1]:
        extra["client_secret"] = client[1]
    refreshed = session.refresh_token(base + "/oauth2/token", **extra)
    jeton.secrets.update((refreshed["access_token"], refreshed["refresh_token"]))
    assert refreshed["refresh_token"] != token["refresh_token"]
    assert protected(base, refreshed["access_token"]) == 200


def test_requests_oauthlib_uauth_without_a_client(jeton, base):
    """What u-Auth's Python users write: requests.post(url, data=…)."""
    form = {"grant_type": "password", "username": ALICE[0], "password": ALICE[1],
            "scope": "service_id=" + UAUTH}
    answer = requests.post(base + "/oauth2/token/", data=form, timeout=30)
    assert answer.status_code == 200
    token = answer.json()["access_token"]
    jeton.secrets.add(token)
    assert requests.get(base + "/forward-auth?service=" + UAUTH, timeout=30,
                        headers={"Authorization": "Bearer " + token}).status_code == 200


def test_requests_oauthlib_raises_the_error_that_was_sent(base):
    oauthlib = pytest.importorskip("oauthlib.oauth2")
    session_of = pytest.importorskip("requests_oauthlib").OAuth2Session
    session = session_of(client=oauthlib.LegacyApplicationClient(client_id=C1[0]))
    with pytest.raises(oauthlib.InvalidGrantError):
        session.fetch_token(base + "/oauth2/token", username=ALICE[0], password="not hers",
                            client_id=C1[0], client_secret=C1[1])
    session = session_of(client=oauthlib.BackendApplicationClient(client_id=CC[0],
                                                                  scope=["nonsense"]))
    with pytest.raises(oauthlib.InvalidScopeError):
        session.fetch_token(base + "/oauth2/token", client_id=CC[0], client_secret=CC[1])


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib_token_introspect_refresh_revoke(jeton, base, method):
    session_of = pytest.importorskip("authlib.integrations.requests_client").OAuth2Session
    session = session_of(C1[0], C1[1], token_endpoint_auth_method=method, scope="read",
                         revocation_endpoint_auth_method=method,
                         token_endpoint=base + "/oauth2/token")
    token = dict(session.fetch_token(base + "/oauth2/token", grant_type="password",
                                     username=ALICE[0], password=ALICE[1]))
    jeton.secrets.update((token["access_token"], token["refresh_token"]))
    assert session.get(base + "/forward-auth", timeout=30).status_code == 200
    seen = session.introspect_token(base + "/oauth2/introspect", token=token["access_token"]).json()
    assert seen["active"] is True and seen["username"] == ALICE[0]
    refreshed = session.refresh_token(base + "/oauth2/token", refresh_token=token["refresh_token"])
    jeton.secrets.update((refreshed["access_token"], refreshed["refresh_token"]))
    assert refreshed["access_token"] != token["access_token"]
    answer = session.revoke_token(base + "/oauth2/revoke", token=refreshed["refresh_token"],
                                  token_type_hint="refresh_token")
    assert answer.status_code == 200
    service = session_of(API[0], API[1], token_endpoint_auth_method=method)
    for value in (token["access_token"], refreshed["access_token"]):
        assert service.introspect_token(base + "/oauth2/introspect", token=value).json() == {
            "active": False}


def test_authlib_client_credentials(jeton, base):
    session_of = pytest.importorskip("authlib.integrations.requests_client").OAuth2Session
    session = session_of(CC[0], CC[1], scope="read write")
    token = session.fetch_token(base + "/oauth2/token", grant_type="client_credentials")
    jeton.secrets.add(token["access_token"])
    assert token["scope"] == "read write" and session.get(base + "/forward-auth").status_code == 200


def test_authlib_validates_the_metadata(base):
    metadata = pytest.importorskip("authlib.oauth2.rfc8414").AuthorizationServerMetadata
    document = requests.get(base + "/.well-known/oauth-authorization-server", timeout=30).json()
    held = metadata(document)
    for name in ("validate_token_endpoint", "validate_grant_types_supported",
                 "validate_token_endpoint_auth_methods_supported",
                 "validate_scopes_supported"):
        try:
            getattr(held, name)()
        except ValueError as error:
            assert "https" in str(error), error  # plain HTTP on loopback is this test's own choice


REQUIRED = ("iss", "exp", "aud", "sub", "client_id", "iat", "jti")


@pytest.mark.parametrize("who", ["client", "user"])
def test_jt_01_authlib_verifies_signature_and_required_claims(jeton, base, who):
    """RFC 9068 2.2 and 4 with Authlib's JOSE, which every release has."""
    jose = pytest.importorskip("authlib.jose")
    errors = pytest.importorskip("authlib.jose.errors")
    body = jeton.client_token(C1, "jread") if who == "client" else \
        jeton.user_token(C1, ALICE, "jread")
    keys = jose.JsonWebKey.import_key_set(
        requests.get(base + "/.well-known/jwks.json", timeout=30).json())
    options = {name: {"essential": True} for name in REQUIRED}
    issuer = requests.get(base + "/.well-known/oauth-authorization-server",
                          timeout=30).json()["issuer"]
    options["iss"]["value"] = issuer
    options["aud"]["value"] = JWTS[0]
    claims = jose.JsonWebToken(["ES256"]).decode(body["access_token"], keys,
                                                 claims_options=options)
    claims.validate()
    assert claims.header["typ"] == "at+jwt" and claims["scope"] == "jread"
    options["aud"]["value"] = API[0]
    claims = jose.JsonWebToken(["ES256"]).decode(body["access_token"], keys,
                                                 claims_options=options)
    with pytest.raises(errors.InvalidClaimError):
        claims.validate()


def access_token_validator(base):
    """Authlib's validator of RFC 9068 access tokens (since 1.3), with the keys from the JWKS."""
    rfc9068 = pytest.importorskip("authlib.oauth2.rfc9068")
    issuer = requests.get(base + "/.well-known/oauth-authorization-server",
                          timeout=30).json()["issuer"]

    class Validator(rfc9068.JWTBearerTokenValidator):
        def get_jwks(self):
            return requests.get(base + "/.well-known/jwks.json", timeout=30).json()

    return Validator(issuer=issuer, resource_server=JWTS[0])


@pytest.mark.parametrize("who", ["client", "user"])
def test_jt_01_authlib_validates_access_tokens_from_the_jwks(jeton, base, who):
    """RFC 9068 4: typ, iss, aud, exp, signature, and the required claims."""
    body = jeton.client_token(C1, "jread") if who == "client" else \
        jeton.user_token(C1, ALICE, "jread")
    validator = access_token_validator(base)
    token = validator.authenticate_token(body["access_token"])
    validator.validate_token(token, ["jread"], None)
    assert token["client_id"] == C1[0]
    insufficient = pytest.importorskip("authlib.oauth2.rfc6750").InsufficientScopeError
    with pytest.raises(insufficient):
        validator.validate_token(token, ["jwrite"], None)


def test_jt_01_authlib_refuses_an_altered_token(jeton, base):
    invalid = pytest.importorskip("authlib.oauth2.rfc6750").InvalidTokenError
    bad = pytest.importorskip("authlib.jose.errors").BadSignatureError
    token = jeton.client_token(C1, "jread")["access_token"]
    head, claims, signature = token.split(".")
    at = 10
    flipped = signature[:at] + ("A" if signature[at] != "A" else "B") + signature[at + 1:]
    validator = access_token_validator(base)
    with pytest.raises((invalid, bad)):
        validator.validate_token(validator.authenticate_token(f"{head}.{claims}.{flipped}"),
                                 ["jread"], None)


def test_jt_01_uauth_token_is_verified_from_the_jwks(jeton, base):
    jose = pytest.importorskip("authlib.jose")
    keys = requests.get(base + "/oauth2/jwks", timeout=30).json()
    form = {"grant_type": "password", "username": ALICE[0], "password": ALICE[1],
            "scope": "service_id=" + UAUTH}
    token = jeton.token(form).json["access_token"]
    claims = jose.JsonWebToken(["ES256"]).decode(token, jose.JsonWebKey.import_key_set(keys))
    claims.validate()
    assert claims["exp"] > time.time()
