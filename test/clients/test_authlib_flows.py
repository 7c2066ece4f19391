"""Authlib with a person: codes with PKCE, the ID token, private_key_jwt; and RFC 9068 tokens that
rest on a person's consent.

Authlib has no DPoP (RFC 9449); openid-client and oauth4webapi are the clients for that.
"""

import secrets

import pytest

from harness import ALICE, JWTS, jwt_part
from person import Person
from relying_party import RelyingParty
from test_python_clients import access_token_validator

client = pytest.importorskip("authlib.integrations.requests_client")
jose = pytest.importorskip("authlib.jose")
oidc = pytest.importorskip("authlib.oidc.core")

VERIFIER = secrets.token_urlsafe(48)


@pytest.fixture(scope="module")
def jeton(module_server):
    return module_server()


@pytest.fixture(autouse=True)
def base(jeton, monkeypatch):
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    return f"http://127.0.0.1:{jeton.port}"


@pytest.fixture(scope="module")
def rp(jeton):
    return RelyingParty(jeton, "authlib", scope="openid email read jread")


def sign_in(jeton, rp, session, base, **more):
    """What Authlib's documentation has a client do."""
    url, state = session.create_authorization_url(base + "/oauth2/authorize", nonce="n-1",
                                                  code_verifier=VERIFIER, **more)
    person = Person(jeton).sign_in(ALICE)
    person.open(url[len(base):])
    if person.has("allow"):
        person.press("allow")
    answer = person.answer.header("Location")
    assert answer.startswith(rp.callback + "?"), person.answer
    token = session.fetch_token(base + "/oauth2/token", authorization_response=answer, state=state,
                                code_verifier=VERIFIER)
    jeton.secrets.update(token[name] for name in ("access_token", "refresh_token", "id_token"))
    return token


def check_id_token(jeton, base, token, client_id):
    keys = jose.JsonWebKey.import_key_set(jeton.get("/oauth2/jwks").json)
    claims = jose.JsonWebToken(["RS256"]).decode(
        token["id_token"], keys, claims_cls=oidc.CodeIDToken,
        claims_options={"iss": {"value": base}, "aud": {"value": client_id}},
        claims_params={"nonce": "n-1", "client_id": client_id,
                       "access_token": token["access_token"]})
    claims.validate()
    return claims


def test_code_pkce_id_token_userinfo_refresh(jeton, rp, base):
    session = client.OAuth2Session(*rp.pair, scope="openid email read", redirect_uri=rp.callback,
                                   code_challenge_method="S256")
    token = sign_in(jeton, rp, session, base)
    claims = check_id_token(jeton, base, token, rp.client_id)
    user = session.get(base + "/oauth2/userinfo", timeout=30).json()
    assert user["sub"] == claims["sub"] and user["email"] == "alice@mail.example"
    again = session.refresh_token(base + "/oauth2/token", refresh_token=token["refresh_token"])
    jeton.secrets.update((again["access_token"], again["refresh_token"]))
    assert jwt_part(again["id_token"], 1)["sub"] == claims["sub"]


def test_private_key_jwt(jeton, base):
    """Authlib signs the assertion (RFC 7523) for the token endpoint."""
    method = pytest.importorskip("authlib.oauth2.rfc7523").PrivateKeyJWT
    key = jose.JsonWebKey.generate_key("EC", "P-256", {"use": "sig", "alg": "ES256"},
                                       is_private=True)
    public = jose.KeySet([key]).as_json(is_private=False)
    jeton.cli("client", "add", "signer", "--grant", "authorization_code", "--grant",
              "refresh_token", "--grant", "client_credentials", "--scope", "openid email read",
              "--redirect-uri", "https://signer.example/cb", "--auth-method", "private_key_jwt",
              "--jwks", public)
    session = client.OAuth2Session("signer", key.as_dict(is_private=True), scope="read",
                                   token_endpoint_auth_method="private_key_jwt")
    session.register_client_auth_method(method(base + "/oauth2/token", alg="ES256"))
    token = session.fetch_token(base + "/oauth2/token", grant_type="client_credentials")
    jeton.secrets.add(token["access_token"])
    assert token["scope"] == "read"
    again = session.fetch_token(base + "/oauth2/token", grant_type="client_credentials")
    jeton.secrets.add(again["access_token"])
    assert again["access_token"] != token["access_token"]


def test_jt_01_token_of_a_person_is_valid_for_its_resource(jeton, rp, base):
    """RFC 9068 2.2.1: with how and when the person was authenticated; the ID token is none."""
    session = client.OAuth2Session(*rp.pair, scope="openid jread", redirect_uri=rp.callback,
                                   code_challenge_method="S256")
    token = sign_in(jeton, rp, session, base, resource="https://" + JWTS[0])
    validator = access_token_validator(base)
    claims = validator.authenticate_token(token["access_token"])
    validator.validate_token(claims, ["jread"], None)
    assert claims["client_id"] == rp.client_id and claims["acr"] == "urn:jeton:acr:1fa"
    assert claims["auth_time"] == jwt_part(token["id_token"], 1)["auth_time"]
    errors = pytest.importorskip("authlib.oauth2.rfc6750")
    with pytest.raises((errors.InvalidTokenError, jose.errors.JoseError)):
        validator.validate_token(validator.authenticate_token(token["id_token"]), ["jread"], None)
