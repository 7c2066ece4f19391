"""Figure 26: the values of RFCs that are seen from outside (test/vectors/rfc); those that are not
are read by the unit tests. OI-01, CP-02, CP-03, MT-01."""

import base64
import hashlib
import json

import pytest

from harness import API, VECTORS, basic
from person import Person
from test_authorization import (add_clients, allow, at_consent, claims_of, new_code, request_of,
                                token)

BOUND = ("bound", "bound-secret-bound-secret-bound")


def vectors(name):
    return json.loads((VECTORS / "rfc" / f"{name}.json").read_text(encoding="utf-8"))


PKCE = vectors("rfc7636_pkce")["cases"]


@pytest.fixture(scope="module")
def server(module_server):
    made = module_server(args=["--trusted-proxy", "127.0.0.1",
                               "--tls-client-certificate-header", "Client-Cert"])
    add_clients(made)
    return made


@pytest.mark.parametrize("case", PKCE, ids=[case["name"] for case in PKCE])
def test_cp_02_every_case_of_rfc_7636(server, case):
    """A bad one is refused where it is asked, or where the code is spent."""
    person = Person(server)
    pairs = request_of(code_challenge=case["challenge"], code_challenge_method=case["method"])
    at_consent(person, pairs)
    if person.has("allow") or "code=" in (person.answer.header("Location") or ""):
        answer = token(server, allow(person, pairs)["code"], code_verifier=case["verifier"])
        assert answer.status == (200 if case["expect"] == "accept" else 400), answer
        assert answer.status == 200 or answer.error in ("invalid_grant", "invalid_request")
    else:
        assert case["expect"] == "reject", person.answer
        assert "error=invalid_request" in (person.answer.header("Location") or ""), person.answer


def half_hash(alg, value):
    """OpenID Connect Core 3.1.3.6."""
    name = "sha512" if alg.startswith("EdDSA") else "sha" + alg[2:]
    digest = hashlib.new(name, value.encode()).digest()
    return base64.urlsafe_b64encode(digest[:len(digest) // 2]).decode().rstrip("=")


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "RS256"])
def test_oi_01_half_hashes(module_server, alg):
    """This test's own function gives the values of the specification, and the server those of the
    function, for each algorithm that it signs ID tokens with."""
    for case in vectors("oidc_half_hashes")["cases"]:
        assert half_hash(case["alg"], case["input"]) == case["value"]
    server = module_server()
    add_clients(server)
    server.cli("client", "set", "rp", "--metadata",
               json.dumps({"id_token_signed_response_alg": alg}))
    tokens = token(server, new_code(server)).json
    assert json.loads(base64.urlsafe_b64decode(tokens["id_token"].split(".")[0] + "=="))[
        "alg"] == alg
    assert claims_of(tokens["id_token"])["at_hash"] == half_hash(alg, tokens["access_token"])


def test_mt_01_thumbprint_of_rfc_8705(server):
    """Appendix A's certificate, as a proxy hands it on: it binds, and its thumbprint is theirs."""
    known = vectors("rfc8705_cert_thumbprint")
    text = "".join(known["certificate_pem"].splitlines()[1:-1])
    server.cli("client", "add", BOUND[0], "--service", API[0], "--secret-stdin", "--metadata",
               json.dumps({"grant_types": ["client_credentials"],
                           "tls_client_certificate_bound_access_tokens": True}), stdin=BOUND[1])
    headers = [("Authorization", basic(*BOUND)), ("Client-Cert", f":{text}:")]
    answer = server.post_form("/oauth2/token", {"grant_type": "client_credentials"}, headers)
    assert answer.status == 200, answer
    server.secrets.add(answer.json["access_token"])
    told = server.introspect(answer.json["access_token"], API).json
    assert told["cnf"] == {"x5t#S256": known["x5t#S256"]}
