"""Metadata, keys and signed access tokens (RFC 8414, 7517, 9068; promises MD, KY, JT)."""

import concurrent.futures
import json
import threading

import pytest

from harness import (ALICE, API, C1, CC, JWTS, P1, UAUTH, UAUTH_SERVICE, jwt_part,
                     uauth_form)
from person import Person
from relying_party import RelyingParty

JWKS = "/.well-known/jwks.json"
RFC8414 = "/.well-known/oauth-authorization-server"
OIDC = "/.well-known/openid-configuration"
ISSUER = "https://auth.example.com"


def metadata(server, path=RFC8414, **more):
    answer = server.get(path, **more)
    assert answer.status == 200, answer
    return answer.json


def test_md_01_both_documents_are_served(jeton):
    """RFC 8414 3; OIDC Discovery 4."""
    first, second = metadata(jeton, RFC8414), metadata(jeton, OIDC)
    assert first["issuer"] == second["issuer"]
    for member in ("token_endpoint", "introspection_endpoint", "revocation_endpoint", "jwks_uri"):
        assert first[member] == second[member]


@pytest.mark.parametrize("issuer, base", [
    (ISSUER, ""), (ISSUER + "/tenant", "/tenant"), (ISSUER + "/a/b", "/a/b")])
def test_md_01_issuer_is_byte_equal_and_paths_follow_it(new_server, issuer, base):
    """RFC 8414 3.1: the well-known part goes between host and path; OIDC appends it."""
    server = new_server(args=["--issuer", issuer])
    document = metadata(server, RFC8414 + base)
    assert document["issuer"] == issuer
    assert metadata(server, base + OIDC)["issuer"] == issuer
    for name, value in document.items():
        if name.endswith(("_endpoint", "_uri")):
            assert value.startswith(ISSUER + "/"), (name, value)
    token = server.client_token(C1, "jread")["access_token"]
    assert jwt_part(token, 1)["iss"] == issuer
    assert server.introspect(token, JWTS).json["iss"] == issuer


@pytest.mark.parametrize("issuer", [
    "http://auth.example.com?x=1", "https://auth.example.com/#f", "auth.example.com", "ftp://x", "",
    "https://auth.example.com/a b", "https://"])
def test_md_01_impossible_issuers_are_refused(new_server, issuer):
    """RFC 8414 2: no query, no fragment."""
    server = new_server(start=False)
    done = server.cli("serve", "--listen", "127.0.0.1:0", "--issuer", issuer, status=None)
    assert done.status in (1, 2) and done.err.strip(), done


def test_md_01_both_documents_say_the_same(jeton):
    """OpenID Connect Discovery 4; RFC 8414 5: whichever a program reads."""
    assert metadata(jeton, RFC8414) == metadata(jeton, OIDC)


SECRET_OR_KEY = {"client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth",
                 "self_signed_tls_client_auth"}
OURS, CLIENTS = {"ES256", "EdDSA", "RS256"}, {"ES256", "EdDSA", "RS256", "PS256"}
LISTS = {
    "response_types_supported": {"code"}, "response_modes_supported": {"query", "form_post"},
    "code_challenge_methods_supported": {"S256"}, "subject_types_supported": {"public", "pairwise"},
    "grant_types_supported": {
        "password", "client_credentials", "refresh_token", "authorization_code",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:ietf:params:oauth:grant-type:jwt-bearer"},
    "token_endpoint_auth_methods_supported": SECRET_OR_KEY | {"none"},
    "revocation_endpoint_auth_methods_supported": SECRET_OR_KEY | {"none"},
    "introspection_endpoint_auth_methods_supported": SECRET_OR_KEY,
    "token_endpoint_auth_signing_alg_values_supported": CLIENTS,
    "revocation_endpoint_auth_signing_alg_values_supported": CLIENTS,
    "introspection_endpoint_auth_signing_alg_values_supported": CLIENTS,
    "introspection_signing_alg_values_supported": OURS,
    "request_object_signing_alg_values_supported": CLIENTS,
    "dpop_signing_alg_values_supported": CLIENTS,
    "id_token_signing_alg_values_supported": OURS, "userinfo_signing_alg_values_supported": OURS,
    "prompt_values_supported": {"none", "login", "consent", "select_account"},
    "acr_values_supported": {"urn:jeton:acr:1fa", "urn:jeton:acr:2fa", "phr"},
    "claim_types_supported": {"normal"}, "ui_locales_supported": {"en", "de", "es", "fr"},
    "claims_supported": {"iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "nonce", "acr",
                         "amr", "sid", "at_hash", "name", "preferred_username", "email",
                         "email_verified"},
    "scopes_supported": {"openid", "profile", "email", "offline_access", "read", "write", "admin",
                         "jread", "jwrite", "peek", "poke", "closed"}}
FLAGS = {
    "authorization_response_iss_parameter_supported": True, "claims_parameter_supported": True,
    "request_parameter_supported": True, "request_uri_parameter_supported": False,
    "require_request_uri_registration": False, "require_signed_request_object": False,
    "require_pushed_authorization_requests": False, "backchannel_logout_supported": True,
    "backchannel_logout_session_supported": True,
    "tls_client_certificate_bound_access_tokens": True}
LINKS = {
    "authorization_endpoint": "/oauth2/authorize", "token_endpoint": "/oauth2/token",
    "introspection_endpoint": "/oauth2/introspect", "revocation_endpoint": "/oauth2/revoke",
    "jwks_uri": "/oauth2/jwks", "userinfo_endpoint": "/oauth2/userinfo",
    "end_session_endpoint": "/oauth2/logout",
    "pushed_authorization_request_endpoint": "/oauth2/par",
    "device_authorization_endpoint": "/oauth2/device_authorization"}


def test_md_02_every_member_is_known_here(jeton):
    """What is new in the document is new in this file, and used by a test below or another."""
    document = metadata(jeton)
    for name, words in LISTS.items():
        assert len(document[name]) == len(words) and set(document[name]) == words, name
    for name, value in FLAGS.items():
        assert document[name] is value, name
    assert set(document) == {"issuer", *LISTS, *FLAGS, *LINKS}


def test_md_02_every_link_leads_somewhere(jeton):
    """RFC 8414 2: an endpoint of that kind answers; none is 404 or 5xx."""
    document = metadata(jeton)
    root = document["issuer"]
    for name, path in LINKS.items():
        assert document[name] == root + path
        statuses = {jeton.get(path).status, jeton.post_form(path, {"x": "y"}).status}
        assert not statuses & {404, 500, 501, 503}, (name, statuses)
        assert statuses != {405}, name


@pytest.fixture(scope="module")
def rp(jeton):
    return RelyingParty(jeton)


@pytest.mark.parametrize("mode", sorted(LISTS["response_modes_supported"]))
def test_md_02_response_modes(rp, mode):
    person = Person(rp.server)
    rp.authorize(person)
    person.open(rp.path(response_mode=mode, state="st"))
    if mode == "query":
        assert "code=" in person.answer.header("Location")
    else:
        assert person.post_of("continue")[:2] == ("POST", rp.callback)
    other = rp.path(response_mode="fragment")
    assert "code=" not in (person.open(other).answer.header("Location") or "")


@pytest.mark.parametrize("scope", ["openid", "openid profile", "openid email",
                                   "openid offline_access", "read", "read write"])
def test_md_02_scopes(rp, scope):
    assert set(rp.tokens(scope=scope).get("scope", scope).split()) == set(scope.split())


@pytest.mark.parametrize("prompt", sorted(LISTS["prompt_values_supported"]))
def test_md_02_prompts(rp, prompt):
    person = Person(rp.server)
    rp.authorize(person)
    person.open(rp.path(prompt=prompt))
    location = person.answer.header("Location") or ""
    if prompt == "none":
        assert "code=" in location
    else:
        assert person.status in (200, 303) and "error=invalid_request" not in location
    assert "error=" in Person(rp.server).open(rp.path(prompt=prompt + "x")).answer.header(
        "Location")


def test_md_02_people_may_register_where_it_says_so(new_server):
    server = new_server(args=["--registration", "on", "--smtp-url", "smtp://127.0.0.1:9",
                              "--mail-from", "jeton@mail.example"])
    assert "create" in metadata(server)["prompt_values_supported"]
    person = Person(server).open(RelyingParty(server).path(prompt="create"))
    assert person.status == 200 and person.has("register"), person.answer


@pytest.mark.parametrize("alg", sorted(OURS))
def test_md_02_id_tokens_are_signed_so(jeton, alg):
    party = RelyingParty(jeton, "alg-" + alg.lower(), {"id_token_signed_response_alg": alg})
    header = jwt_part(party.tokens()["id_token"], 0)
    assert header["alg"] == alg
    assert header["kid"] in {key["kid"] for key in keys(jeton)}
    done = jeton.cli("client", "add", "alg-none", "--public", "--grant", "authorization_code",
                     "--redirect-uri", "https://a.example/cb", "--metadata",
                     '{"id_token_signed_response_alg":"none"}', status=None)
    assert done.status == 1, done


def test_md_02_claims_are_told(rp):
    named = {name: None for name in ("name", "preferred_username", "email", "email_verified")}
    got = rp.tokens(scope="openid", nonce="n-1", claims=json.dumps({"id_token": named}))
    assert set(jwt_part(got["id_token"], 1)) == LISTS["claims_supported"]


@pytest.mark.parametrize("locale", sorted(LISTS["ui_locales_supported"]))
def test_md_02_languages_are_spoken(rp, locale):
    person = Person(rp.server)
    rp.authorize(person)
    page = person.open(f"/oauth2/logout?ui_locales={locale}").answer.body.decode()
    assert f'<html lang="{locale}"' in page


def test_md_02_grant_types_advertised_are_those_that_work(jeton):
    """Each is known, and asks for what it needs; others are not."""
    for grant in metadata(jeton)["grant_types_supported"]:
        answer = jeton.token({"grant_type": grant}, client=C1)
        assert answer.error != "unsupported_grant_type", (grant, answer)
    for grant in ("implicit", "hybrid", "urn:ietf:params:oauth:grant-type:saml2-bearer",
                  "urn:openid:params:grant-type:ciba"):
        answer = jeton.token({"grant_type": grant}, client=C1)
        assert answer.error == "unsupported_grant_type", answer


@pytest.mark.parametrize("endpoint, path, form", [
    ("token_endpoint", "/oauth2/token", {"grant_type": "client_credentials"}),
    ("introspection_endpoint", "/oauth2/introspect", {"token": "x"}),
    ("revocation_endpoint", "/oauth2/revoke", {"token": "x"})])
def test_md_02_authentication_methods_advertised_are_those_that_work(jeton, endpoint, path, form):
    """Those with keys and certificates: test_client_authentication.py, test_mtls.py."""
    methods = set(metadata(jeton)[endpoint + "_auth_methods_supported"])
    works = {"client_secret_basic": jeton.post_form(path, form, client=C1).status == 200,
             "client_secret_post": jeton.post_form(
                 path, {**form, "client_id": C1[0], "client_secret": C1[1]}).status == 200}
    password = {"grant_type": "password", "username": ALICE[0], "password": ALICE[1],
                "scope": "read"}
    public = password if endpoint == "token_endpoint" else form
    works["none"] = jeton.post_form(path, {**public, "client_id": P1[0]}).status == 200
    assert methods & set(works) == {name for name, does in works.items() if does}


@pytest.mark.parametrize("headers", [
    {"Host": "evil.example"}, {"X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Proto": "https", "X-Forwarded-Port": "666"},
    {"Forwarded": "host=evil.example;proto=https"}, {"X-Original-URL": "//evil.example/"},
    {"X-Forwarded-Prefix": "/evil.example"}])
def test_md_03_links_never_come_from_the_request(jeton, new_server, headers):
    """Fault class 31."""
    for path in (RFC8414, OIDC):
        plain = jeton.get(path)
        answer = jeton.get(path, headers)
        assert answer.body == plain.body and b"evil" not in answer.body, answer
    page = jeton.get("/", headers)
    assert b"evil" not in page.body
    assert "evil" not in (page.header("Location") or "")


def test_md_02_documents_may_be_cached_and_read_by_any_origin(jeton):
    for path in (RFC8414, OIDC, JWKS):
        answer = jeton.get(path)
        assert "no-store" not in (answer.header("Cache-Control") or ""), answer
        assert jeton.request("HEAD", path).status == 200
        assert jeton.request("HEAD", path).body == b""


def keys(server, path=JWKS):
    answer = server.get(path)
    assert answer.status == 200
    assert (answer.header("Content-Type") or "").split(";")[0] in (
        "application/json", "application/jwk-set+json")
    return json.loads(answer.body)["keys"]


@pytest.mark.parametrize("path", [JWKS, "/oauth2/jwks"])
def test_ky_01_public_parts_only_with_unique_kids(jeton, path):
    """RFC 7517 4, RFC 7517 5."""
    found = keys(jeton, path)
    assert found and len({key["kid"] for key in found}) == len(found)
    for key in found:
        assert not set(key) & {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}, key
        assert key["use"] == "sig"
        assert (key["alg"], key["kty"]) in [("ES256", "EC"), ("EdDSA", "OKP"), ("RS256", "RSA")]
    assert found == keys(jeton, JWKS)


def test_ky_01_private_keys_are_sealed_on_disk(jeton):
    """No private scalar in clear: the files hold neither PEM nor a JWK with d."""
    for where, content in jeton.stored():
        assert b"PRIVATE KEY" not in content and b'"d":"' not in content, where


def test_ky_02_rotation_under_load(new_server):
    """OIDC Core 10.1.1: no token is signed with a key that was not yet published."""
    server = new_server()
    before = {key["kid"] for key in keys(server)}
    stop = threading.Event()
    faults = []
    tokens = []

    def issue():
        while not stop.is_set():
            published = {key["kid"] for key in keys(server)}
            answer = server.token({"grant_type": "client_credentials", "scope": "jread"},
                                  client=C1)
            if answer.status == 503:  # the disk was slow
                continue
            token = answer.json["access_token"]
            if jwt_part(token, 0)["kid"] not in published:
                faults.append(jwt_part(token, 0))
            tokens.append(token)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(issue) for _ in range(4)]
        try:
            for _ in range(3):
                server.cli("key", "rotate")
        finally:
            stop.set()
        for load in loads:
            load.result()
    assert not faults, faults
    after = {key["kid"] for key in keys(server)}
    assert len(after) > len(before) and before <= after, "the old key stays for its tokens' life"
    for token in tokens:
        assert jwt_part(token, 0)["kid"] in after
    for token in tokens[::max(1, len(tokens) // 20)]:
        assert server.is_active(token, JWTS)
    listed = server.cli("key", "list").out
    assert all(kid in listed for kid in after)
    server.restart()
    assert {key["kid"] for key in keys(server)} == after
    assert server.is_active(tokens[0], JWTS)


def test_ky_02_nobody_rotates_so_often_that_no_server_starts(new_server):
    server = new_server()
    for _ in range(64):
        done = server.cli("key", "rotate", status=None)
        if done.status != 0:
            break
    assert done.status == 1 and "there are as many keys as there may be" in done.err, done
    server.restart()
    assert len(server.get(JWKS).json["keys"]) >= 40
    assert server.introspect(server.client_token(C1, "jread")["access_token"], JWTS).json["active"]


def test_ky_03_key_strength(jeton):
    """FAPI2 5.4: RSA of 3072 bits when new; curves of the registered algorithms only."""
    import base64
    for key in keys(jeton):
        if key["kty"] == "RSA":
            bits = len(base64.urlsafe_b64decode(key["n"] + "==")) * 8
            assert bits >= 3072
        else:
            assert key["crv"] in ("P-256", "Ed25519")


def test_jt_01_claims_and_header_of_rfc_9068(jeton):
    """RFC 9068 2.1, 2.2."""
    body = jeton.user_token(C1, ALICE, "jread jwrite")
    header, claims = jwt_part(body["access_token"], 0), jwt_part(body["access_token"], 1)
    assert header["typ"] == "at+jwt" and header["alg"] == "ES256"
    assert header["kid"] in {key["kid"] for key in keys(jeton)}
    assert {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"} <= set(claims)
    assert claims["iss"] == metadata(jeton)["issuer"]
    assert claims["aud"] in (JWTS[0], [JWTS[0]])
    assert claims["client_id"] == C1[0]
    assert claims["exp"] - claims["iat"] == 900 == body["expires_in"]
    assert sorted(claims["scope"].split()) == ["jread", "jwrite"]
    shown = jeton.introspect(body["access_token"], JWTS).json
    for name in ("sub", "aud", "iss", "exp", "iat", "client_id", "jti"):
        assert shown[name] == claims[name], name


def test_jt_01_jti_is_never_repeated(jeton):
    seen = {jwt_part(jeton.client_token(C1, "jread")["access_token"], 1)["jti"]
            for _ in range(200)}
    assert len(seen) == 200


def test_jt_01_uauth_token_names_its_service(jeton):
    token = jeton.token(uauth_form()).json["access_token"]
    claims = jwt_part(token, 1)
    assert UAUTH in (claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]])
    assert claims["client_id"] == "public_client"
    assert claims["exp"] - claims["iat"] == 3600


def test_jt_01_signature_verifies_with_an_independent_library(jeton):
    jwcrypto_jwk = pytest.importorskip("jwcrypto.jwk")
    jwcrypto_jwt = pytest.importorskip("jwcrypto.jwt")
    key_set = jwcrypto_jwk.JWKSet.from_json(json.dumps({"keys": keys(jeton)}))
    for token in (jeton.client_token(C1, "jread")["access_token"],
                  jeton.token(uauth_form()).json["access_token"]):
        checked = jwcrypto_jwt.JWT(jwt=token, key=key_set, algs=["ES256", "EdDSA", "RS256"])
        assert json.loads(checked.claims)["iss"] == metadata(jeton)["issuer"]


def test_jt_06_subject_of_a_client_cannot_collide_with_a_users(jeton):
    """RFC 9700 4.15."""
    token = jeton.user_token(C1, ALICE, "read")["access_token"]
    subject = jeton.introspect(token, API).json["sub"]
    for client_id in (subject, ALICE[0]):
        done = jeton.cli("client", "add", client_id, "--secret-stdin", "--grant",
                         "client_credentials", "--service", API[0], stdin="colliding-secret-8\n",
                         status=None)
        if done.status != 0:
            continue
        machine = jeton.client_token((client_id, "colliding-secret-8"), "read")["access_token"]
        claims = jeton.introspect(machine, API).json
        assert claims["sub"] != subject, claims
        assert jeton.forward_auth(machine).header("Remote-User") is None


def test_jt_06_client_and_service_ids_share_one_namespace(jeton):
    done = jeton.cli("client", "add", API[0], "--public", "--grant", "password", status=None)
    assert done.status == 1 and done.err.strip(), done
    done = jeton.cli("client", "add", "public_client", "--public", "--grant", "password",
                     status=None)
    assert done.status == 1 and done.err.strip(), done


def test_jt_01_uauth_introspection_shows_the_same_claims(jeton):
    token = jeton.token(uauth_form()).json["access_token"]
    shown = jeton.introspect(token, UAUTH_SERVICE).json
    claims = jwt_part(token, 1)
    assert {name: shown[name] for name in ("sub", "iss", "exp", "iat", "jti")} == \
        {name: claims[name] for name in ("sub", "iss", "exp", "iat", "jti")}
