"""openid-client and oauth4webapi with a person: authorization codes and what goes with them.

The libraries check what the RFCs have a client check: state, nonce, iss, PKCE, the ID token's
signature and claims, the proof's nonce. The person is test/clients/person.mjs.
"""

import base64
import json

import pytest

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from harness import ALICE, API
from node_clients import run

WORDS = "openid profile email offline_access read write"
CALLBACK = "https://rp.example/cb"
LEFT = "https://rp.example/out"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


def number(value, size):
    return base64.urlsafe_b64encode(value.to_bytes(size, "big")).rstrip(b"=").decode()


def ec_key():
    private = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    point = private.public_numbers
    return {"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "ec", "use": "sig",
            "x": number(point.x, 32), "y": number(point.y, 32),
            "d": number(private.private_value, 32)}


def rsa_key():
    private = rsa.generate_private_key(65537, 2048).private_numbers()
    return {"kty": "RSA", "alg": "PS256", "kid": "rsa", "use": "sig",
            "n": number(private.public_numbers.n, 256), "e": "AQAB", "d": number(private.d, 256),
            "p": number(private.p, 128), "q": number(private.q, 128),
            "dp": number(private.dmp1, 128), "dq": number(private.dmq1, 128),
            "qi": number(private.iqmp, 128)}


def public_set(key):
    public = {name: value for name, value in key.items()
              if name not in ("d", "p", "q", "dp", "dq", "qi")}
    return json.dumps({"keys": [public]})


def clients_of():
    return {
        "web": {"id": "web", "secret": "web-secret-web-secret-web"},
        "poster": {"id": "poster", "secret": "poster-secret-poster-secret"},
        "spa": {"id": "spa", "secret": None},
        "keyed": {"id": "keyed", "secret": None, "jwk": ec_key()},
        "fapi": {"id": "fapi", "secret": None, "jwk": rsa_key()},
        "tv": {"id": "tv", "secret": None},
    }


def register(server, clients):
    common = ["--grant", "authorization_code", "--grant", "refresh_token", "--scope", WORDS,
              "--redirect-uri", CALLBACK]
    server.add_client("web", clients["web"]["secret"], *common, "--post-logout-uri", LEFT)
    server.add_client("poster", clients["poster"]["secret"], *common, "--auth-method",
                      "client_secret_post")
    server.add_client("spa", None, *common)
    server.add_client("tv", None, "--grant", DEVICE, "--grant", "refresh_token", "--scope", WORDS)
    for name, more in (("keyed", []), ("fapi", ["--bind-dpop", "--require-pushed"])):
        server.cli("client", "add", name, *common, "--auth-method", "private_key_jwt", "--jwks",
                   public_set(clients[name]["jwk"]), *more)


@pytest.fixture(scope="module")
def jeton(module_server):
    made = module_server(start=False)
    made.clients = clients_of()
    register(made, made.clients)
    return made.start()


@pytest.fixture(params=["openid_client", "oauth4webapi"])
def flow(jeton, node, request):
    def go(name):
        return run(node, request.param + "_flows.mjs", {
            "flow": name, "issuer": f"http://127.0.0.1:{jeton.port}", "clients": jeton.clients,
            "user": {"name": ALICE[0], "password": ALICE[1]}, "scope": "openid email read",
            "service": {"id": API[0], "secret": API[1]}})
    return go


def is_sign_in(seen, client, bound=False):
    claims = seen["claims"]
    assert seen["token_type"] == ("dpop" if bound else "bearer")
    assert seen["scope"].split() == ["openid", "email", "read"] and claims["aud"] == client
    return True


def test_code_userinfo_refresh(flow):
    seen = flow("code")
    assert is_sign_in(seen, "web") and seen["rotated"] is True
    assert seen["user"]["sub"] == seen["claims"]["sub"] == seen["refreshed"]["sub"]
    assert seen["user"]["email"] == "alice@mail.example"


def test_client_secret_post(flow):
    assert is_sign_in(flow("post"), "poster")


def test_public_client(flow):
    assert is_sign_in(flow("public"), "spa")


def test_form_post(flow):
    assert is_sign_in(flow("form_post"), "web")


def test_pushed_request(flow):
    seen = flow("pushed")
    assert is_sign_in(seen, "web") and seen["parameters"] == ["client_id", "request_uri"]


def test_signed_request(flow):
    seen = flow("signed")
    assert is_sign_in(seen, "keyed") and seen["parameters"] == ["client_id", "request"]


def test_private_key_jwt(flow):
    seen = flow("private_key_jwt")
    assert is_sign_in(seen, "keyed") and seen["refreshed"]["sub"] == seen["claims"]["sub"]


def test_dpop(flow):
    seen = flow("dpop")
    assert is_sign_in(seen, "spa", bound=True) and seen["refreshed"] == "dpop"
    assert seen["refused"] in ("invalid_dpop_proof", "invalid_grant"), seen
    assert seen["user"]["sub"] == seen["claims"]["sub"]


def test_fapi2(flow):
    seen = flow("fapi2")
    assert is_sign_in(seen, "fapi", bound=True)
    assert seen["parameters"] == ["client_id", "request_uri"]
    assert seen["user"]["sub"] == seen["claims"]["sub"]


def test_device(flow):
    seen = flow("device")
    assert seen["early"] == "authorization_pending" and seen["claims"]["aud"] == "tv"


def test_logout(flow):
    seen = flow("logout")
    assert seen["away"] == LEFT + "?state=bye" and seen["silent"] == "login_required"


def test_revocation_and_introspection(flow):
    seen = flow("revocation")
    assert seen["before"]["active"] is True and seen["before"]["client_id"] == "web"
    assert seen["after"] == {"active": False}


def test_errors_reach_the_library(flow):
    assert flow("errors") == {"silent": "login_required", "scope": "invalid_scope",
                              "target": "invalid_target"}
