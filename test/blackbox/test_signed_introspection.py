"""Signed introspection (RFC 9701), what is published of services (RFC 9728), and step-up challenges
(RFC 9470)."""

import base64
import json
import time
import urllib.parse

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from harness import API, C1, C2, JWTS, form_encode, jwt_part
from person import Person
from test_authorization import CALLBACK, RP, allow, request_of, token

MEDIA_TYPE = "application/token-introspection+jwt"
ED = ("ed.example", "ed-service-secret-ed-1")
ES = ("es-client", "es-secret-es-secret-es-1")


@pytest.fixture(scope="module")
def server(module_server):
    made = module_server()
    made.add_service(*ED, "--scope", "edread", "--alg", "EdDSA")
    made.add_service("https://uri.example/a", "uri-service-secret-1", "--scope", "uriread")
    made.add_client(*ES, "--grant", "client_credentials", "--service", API[0], "--service", ED[0],
                    "--metadata", json.dumps({"introspection_signed_response_alg": "ES256"}))
    made.add_client(*RP, "--grant", "authorization_code", "--scope", "openid read write",
                    "--redirect-uri", CALLBACK)
    return made


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text):
    return int.from_bytes(decode(text), "big")


def verify(server, jwt):
    """The claims of a JWT whose signature one of the published keys has made."""
    head, payload, signature = jwt.split(".")
    header = json.loads(decode(head))
    keys = {key["kid"]: key for key in server.get("/oauth2/jwks").json["keys"]}
    key, data, made = keys[header["kid"]], f"{head}.{payload}".encode(), decode(signature)
    if header["alg"] == "ES256":
        public = ec.EllipticCurvePublicNumbers(number(key["x"]), number(key["y"]),
                                               ec.SECP256R1()).public_key()
        made = encode_dss_signature(int.from_bytes(made[:32], "big"),
                                    int.from_bytes(made[32:], "big"))
        public.verify(made, data, ec.ECDSA(hashes.SHA256()))
    elif header["alg"] == "EdDSA":
        ed25519.Ed25519PublicKey.from_public_bytes(decode(key["x"])).verify(made, data)
    else:
        public = rsa.RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key()
        public.verify(made, data, padding.PKCS1v15(), hashes.SHA256())
    return header, json.loads(decode(payload))


def ask(server, value, caller, accept=MEDIA_TYPE):
    return server.introspect(value, caller, headers=[("Accept", accept)])


@pytest.mark.parametrize("caller, alg", [(API, "ES256"), (ED, "EdDSA"), (ES, "ES256")])
def test_a_signed_answer(server, caller, alg):
    value = server.client_token(ES, "read edread")["access_token"]
    answer = ask(server, value, caller)
    assert answer.status == 200 and answer.header("Content-Type") == MEDIA_TYPE, answer
    assert answer.header("Cache-Control") == "no-store"
    header, claims = verify(server, answer.body.decode())
    assert header["typ"] == "token-introspection+jwt" and header["alg"] == alg
    assert claims["iss"] == f"http://127.0.0.1:{server.port}" and claims["aud"] == caller[0]
    assert abs(claims["iat"] - time.time()) < 60
    assert set(claims) == {"iss", "aud", "iat", "token_introspection"}
    plain = server.introspect(value, caller).json
    assert claims["token_introspection"] == plain and plain["active"] is True


def test_rs256_where_nothing_is_registered(server):
    value = server.client_token(C1, "read")["access_token"]
    header, claims = verify(server, ask(server, value, C1).body.decode())
    assert header["alg"] == "RS256" and claims["aud"] == C1[0]


def test_what_is_not_the_callers_is_signed_as_inactive(server):
    value = server.client_token(C1, "read")["access_token"]
    for caller in (JWTS, C2):
        claims = verify(server, ask(server, value, caller).body.decode())[1]
        assert claims["token_introspection"] == {"active": False}
    assert ask(server, value, (API[0], "wrong-secret-wrong")).status == 401
    assert ask(server, value, None).status == 401


def test_a_changed_answer_does_not_verify(server):
    value = server.client_token(C1, "read")["access_token"]
    head, payload, signature = ask(server, value, API).body.decode().split(".")
    other = json.loads(decode(payload))
    other["token_introspection"]["scope"] = "admin"
    forged = base64.urlsafe_b64encode(json.dumps(other).encode()).decode().rstrip("=")
    with pytest.raises(InvalidSignature):
        verify(server, f"{head}.{forged}.{signature}")


@pytest.mark.parametrize("accept, is_signed", [
    (MEDIA_TYPE, True), ("application/json, " + MEDIA_TYPE, True), (MEDIA_TYPE + ";q=0.5", True),
    (MEDIA_TYPE.upper(), True), ("application/json", False), ("*/*", False),
    (MEDIA_TYPE + "; q=0", False), (MEDIA_TYPE + "x", False), ("", False), (",,;", False)])
def test_who_asks_for_it(server, accept, is_signed):
    value = server.client_token(C1, "read")["access_token"]
    answer = ask(server, value, API, accept)
    assert answer.header("Content-Type") == (MEDIA_TYPE if is_signed else "application/json")


def test_jt_02_an_answer_is_no_token(server):
    value = server.client_token(C1, "read")["access_token"]
    signed = ask(server, value, API).body.decode()
    assert server.forward_auth(signed).status == 401
    assert not server.is_active(signed, API)


def test_metadata_names_the_algorithms(server):
    body = server.get("/.well-known/oauth-authorization-server").json
    assert set(body["introspection_signing_alg_values_supported"]) == {"ES256", "EdDSA", "RS256"}


# -- RFC 9728 ---------------------------------------------------------------------------------


def test_what_is_published_of_a_service(server):
    answer = server.get("/.well-known/oauth-protected-resource/" + API[0])
    assert answer.status == 200 and answer.header("Access-Control-Allow-Origin") == "*", answer
    body = answer.json
    assert body["resource"] == "https://api.example"
    assert body["authorization_servers"] == [f"http://127.0.0.1:{server.port}"]
    assert body["scopes_supported"] == ["read", "write", "admin"]
    assert body["bearer_methods_supported"] == ["header"]
    assert "ES256" in body["dpop_signing_alg_values_supported"]
    assert body["tls_client_certificate_bound_access_tokens"] is True
    path = "/.well-known/oauth-protected-resource/https%3A%2F%2Furi.example%2Fa"
    assert server.get(path).json["resource"] == "https://uri.example/a"
    for gone in ("nobody.example", "", "%FF", API[0] + "/x", C1[0]):
        assert server.get("/.well-known/oauth-protected-resource/" + gone).status == 404, gone


def parameters_of(challenge):
    pairs = (part.partition("=") for part in challenge.partition(" ")[2].split(", "))
    return {name: value.strip('"') for name, _, value in pairs}


@pytest.mark.parametrize("service", [API[0], "https://uri.example/a", 'x", error="y'])
def test_challenges_name_it(server, service):
    answer = server.forward_auth(query="?" + form_encode([("service", service)]))
    challenges = answer.all_headers("WWW-Authenticate")
    assert answer.status == 401 and len(challenges) == 2
    for challenge in challenges:
        told = parameters_of(challenge)
        assert "error" not in told
        url = urllib.parse.urlsplit(told["resource_metadata"])
        assert url.netloc == f"127.0.0.1:{server.port}"
        found = server.get(url.path)
        assert found.status == (404 if '"' in service else 200)
    plain = server.forward_auth().header("WWW-Authenticate")
    assert "resource_metadata" not in plain


# -- RFC 9470 ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def of_person(server):
    code = allow(Person(server), request_of(scope="openid read"))["code"]
    return token(server, code).json["access_token"]


def demand(server, value, **parameters):
    return server.forward_auth(value, "?" + form_encode(list(parameters.items())))


def test_step_up_is_demanded(server, of_person):
    seen = server.introspect(of_person, API).json
    assert seen["acr"] == "urn:jeton:acr:1fa" and abs(seen["auth_time"] - time.time()) < 600
    assert demand(server, of_person, acr_values="urn:jeton:acr:1fa").status == 200
    assert demand(server, of_person, acr_values="phr urn:jeton:acr:1fa").status == 200
    assert demand(server, of_person, max_age="3600").status == 200
    for asked in ({"acr_values": "phr"}, {"acr_values": "urn:jeton:acr:2fa phr"},
                  {"acr_values": "urn:other:class"}):
        answer = demand(server, of_person, service=API[0], **asked)
        told = parameters_of(answer.header("WWW-Authenticate"))
        assert answer.status == 401 and told["error"] == "insufficient_user_authentication"
        assert told["acr_values"] == asked["acr_values"] and "resource_metadata" in told


def test_step_up_max_age(faked_time):
    server, set_time = faked_time
    server.add_client(*RP, "--grant", "authorization_code", "--scope", "openid read write",
                      "--redirect-uri", CALLBACK)
    value = token(server, allow(Person(server), request_of())["code"]).json["access_token"]
    set_time(100)
    assert demand(server, value, max_age="120").status == 200
    answer = demand(server, value, max_age="90", acr_values="urn:jeton:acr:1fa")
    told = parameters_of(answer.header("WWW-Authenticate"))
    assert answer.status == 401 and told["error"] == "insufficient_user_authentication"
    assert told["max_age"] == "90" and told["acr_values"] == "urn:jeton:acr:1fa"


def test_tokens_without_a_person_reach_no_class(server):
    value = server.client_token(C1, "read")["access_token"]
    assert demand(server, value, acr_values="urn:jeton:acr:1fa").status == 401
    assert demand(server, value, max_age="100000").status == 401
    assert demand(server, value, scope="read").status == 200


@pytest.mark.parametrize("query", [
    "max_age=x", "max_age=-1", "max_age=99999999999", "acr_values=%22", "acr_values=a%20%20b",
    "acr_values=" + "a" * 600, "service=" + "s" * 256, "max_age=1&max_age=2"])
def test_malformed_demands(server, of_person, query):
    answer = server.forward_auth(of_person, "?" + query)
    assert answer.status == 400 and answer.error == "invalid_request", answer
