"""Proof of possession by DPoP (RFC 9449; promises DP-01 to DP-05, BE-01, BE-06, RT-07, IN-06)."""

import concurrent.futures
import json
import time

import pytest

from dpop import ALGS, Holder, Key, b64
from harness import ALICE, API, C1, CC, JWTS, P1, VECTORS, bearer, jwt_part
from test_api_tokens import Caller
from token_people import add_account, add_open_service, manager

# Whose users manage their own permanent tokens by REST.
SCRIPTS = ("scripts", "a-client-secret-for-scripts-5Tk9")
SELF = {"grant_type": "password", "username": ALICE[0], "password": ALICE[1],
        "scope": "jeton:tokens"}
CREDENTIALS = {"grant_type": "client_credentials", "scope": "read"}
TOKENS = "/api/v1/tokens"


def add_scripts(jeton):
    jeton.add_client(*SCRIPTS, "--grant", "password", "--scope", "jeton:tokens")


@pytest.fixture(scope="module")
def jeton(module_server):
    server = add_open_service(module_server(args=["--trusted-proxy", "127.0.0.2"]))
    add_scripts(server)
    return server


@pytest.fixture(scope="module")
def holder(jeton):
    return Holder(jeton)


def assert_bad_proof(answer):
    assert answer.status == 400, answer
    assert answer.error == "invalid_dpop_proof", answer


def challenges(answer):
    return answer.all_headers("WWW-Authenticate")


# -- at the token endpoint ------------------------------------------------------------------------

@pytest.mark.parametrize("alg", ALGS)
def test_dp_01_token_is_bound_to_the_key(jeton, alg):
    """RFC 9449 5 and 6.1."""
    holder = Holder(jeton, alg)
    answer = holder.token(CREDENTIALS, CC)
    assert answer.status == 200, answer
    assert answer.json["token_type"] == "DPoP"
    assert len(answer.header("DPoP-Nonce")) == 22
    claims = jeton.introspect(answer.json["access_token"], API).json
    assert claims["cnf"] == {"jkt": holder.key.thumbprint} and claims["token_type"] == "DPoP"


def test_dp_01_jwt_names_the_key(jeton, holder):
    token = holder.client_token(C1, "jread")
    assert jwt_part(token, 1)["cnf"] == {"jkt": holder.key.thumbprint}
    assert jeton.introspect(token, JWTS).json["cnf"] == {"jkt": holder.key.thumbprint}


def test_dp_01_without_a_proof_it_is_a_bearer_token(jeton):
    answer = jeton.token(CREDENTIALS, client=CC)
    assert answer.json["token_type"] == "Bearer" and answer.header("DPoP-Nonce") is None
    assert "cnf" not in jeton.introspect(answer.json["access_token"], API).json


HEADERS = [{"typ": None}, {"typ": "JWT"}, {"typ": "at+jwt"}, {"typ": "DPoP+JWT"}, {"alg": None},
           {"alg": "none"}, {"alg": "HS256"}, {"alg": "RS256"}, {"alg": "ES384"}, {"jwk": None},
           {"jwk": {}}, {"jwk": "x"}, {"jwk": {"kty": "oct", "k": "AAAA"}},
           {"crit": ["exp"]}, {"jku": "https://a.example/"},
           {"x5u": "https://a.example/"}, {"x5c": ["AAAA"]}, {"b64": False}, {"zip": "DEF"}]
CLAIMS = [{"jti": None}, {"jti": ""}, {"jti": 7}, {"jti": "j" * 257}, {"htm": None},
          {"htm": "GET"}, {"htm": "post"}, {"htm": ["POST"]}, {"htu": None}, {"htu": ""},
          {"htu": "/oauth2/token"}, {"htu": "http://127.0.0.1:1/oauth2/token"}, {"htu": 1},
          {"iat": None}, {"iat": "now"}, {"iat": 0}, {"iat": -1}, {"iat": 2 ** 62},
          {"iat": 1e300}, {"ath": 5}, {"nonce": 5}]


@pytest.mark.parametrize("change", HEADERS, ids=repr)
def test_dp_01_header_is_checked(holder, change):
    """RFC 9449 4.3, 2 to 7."""
    assert_bad_proof(holder.token(CREDENTIALS, CC, holder.proof(header=change)))


@pytest.mark.parametrize("change", CLAIMS, ids=lambda change: repr(change)[:40])
def test_dp_01_claims_are_checked(holder, change):
    """RFC 9449 4.3, 3 and 8 to 11."""
    assert_bad_proof(holder.token(CREDENTIALS, CC, holder.proof(**change)))


def test_dp_01_private_key_in_the_header_is_refused(holder):
    """RFC 9449 4.3, 7."""
    for member in ("d", "p", "q", "dp", "dq", "qi", "oth", "k"):
        jwk = {**holder.key.jwk, member: "AAAA"}
        assert_bad_proof(holder.token(CREDENTIALS, CC, holder.proof(header={"jwk": jwk})))


def test_dp_01_key_of_another_is_refused(holder):
    """RFC 9449 4.3, 6."""
    assert_bad_proof(holder.token(CREDENTIALS, CC, holder.proof(header={"jwk": Key().jwk})))


def test_dp_01_age_of_a_proof(holder):
    """RFC 9449 11.1."""
    now = int(time.time())
    assert_bad_proof(holder.token(CREDENTIALS, CC, holder.proof(iat=now - 65)))
    assert_bad_proof(holder.token(CREDENTIALS, CC, holder.proof(iat=now + 30)))
    assert holder.token(CREDENTIALS, CC, holder.proof(iat=now - 40)).status == 200


def test_dp_01_signature_is_checked(holder):
    """RFC 9449 4.3, 6."""
    head, claims, signature = holder.proof().split(".")
    other = holder.proof().split(".")
    for proof in (f"{head}.{other[1]}.{signature}", f"{head}.{claims}.{other[2]}",
                  f"{head}.{claims}.", f"{head}.{claims}", f"{head}.{claims}.{signature}.",
                  f"{head}.{claims}.{signature}=", f"{head}.{claims}.{signature[:-2]}",
                  b64(b"{}") + f".{claims}.{signature}", "x", "..", "a.b.c", "." * 3000):
        assert_bad_proof(holder.token(CREDENTIALS, CC, proof))


def test_dp_01_two_headers_are_refused(jeton, holder):
    """RFC 9449 4.3, 1."""
    answer = jeton.token(CREDENTIALS, client=CC, headers=holder.header() + holder.header())
    assert_bad_proof(answer)
    assert_bad_proof(jeton.token(CREDENTIALS, client=CC, headers=[("DPoP", "")]))


def test_dp_01_refusal_says_what_is_wrong_without_an_echo(holder):
    answer = holder.token(CREDENTIALS, CC, holder.proof(htu="https://echo.example/"))
    assert_bad_proof(answer)
    assert "htu" in answer.json["error_description"] and b"echo" not in answer.body
    assert answer.header("DPoP-Nonce")


def test_jt_03_no_vector_is_a_proof(jeton):
    """Wycheproof's signatures at this place: good or not, none of them is a proof of anything."""
    connection = jeton.connection()
    count = 0
    for name in ("json_web_signature_test", "json_web_key_test", "json_web_crypto_test"):
        groups = json.loads((VECTORS / "wycheproof" / f"{name}.json").read_text())["testGroups"]
        for test in (test for group in groups for test in group["tests"]):
            value = test.get("jws") or test.get("jwe")
            if not isinstance(value, str) or len(value) > 8000 or not value.isprintable():
                continue
            answer = jeton.token(CREDENTIALS, client=CC, headers=[("DPoP", value)],
                                 connection=connection)
            assert_bad_proof(answer)
            count += 1
    connection.close()
    assert count > 400


# -- once -----------------------------------------------------------------------------------------

def test_dp_02_proof_is_good_once(jeton, holder):
    """RFC 9449 11.1: also after a restart, and for no other grant."""
    proof = holder.proof()
    assert holder.token(CREDENTIALS, CC, proof).status == 200
    assert_bad_proof(holder.token(CREDENTIALS, CC, proof))
    jeton.restart()
    again = Holder(jeton)
    again.key = holder.key
    answer = again.token(CREDENTIALS, CC, proof)
    assert_bad_proof(answer)
    holder.root = again.root


def test_dp_02_replay_in_parallel_gets_one_token(holder):
    for _ in range(5):
        proof = holder.proof()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: holder.token(CREDENTIALS, CC, proof), range(16)))
        assert [answer.status for answer in answers].count(200) == 1
        for answer in answers:
            if answer.status != 200:
                assert_bad_proof(answer)


def test_dp_02_replay_in_parallel_at_a_resource(holder):
    token = holder.token(SELF, SCRIPTS).json["access_token"]
    proof = holder.proof(TOKENS, "GET", token=token)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: holder.use("GET", TOKENS, token, proof=proof), range(16)))
    assert sorted(answer.status for answer in answers) == [200] + [401] * 15


# -- nonces ---------------------------------------------------------------------------------------

def test_dp_03_nonce_is_offered_and_a_wrong_one_refused(holder):
    nonce = holder.token(CREDENTIALS, CC).header("DPoP-Nonce")
    assert holder.token(CREDENTIALS, CC, holder.proof(nonce=nonce)).status == 200
    for wrong in ("x", nonce[:-1] + ("A" if nonce[-1] != "A" else "B"), nonce + "A", ""):
        answer = holder.token(CREDENTIALS, CC, holder.proof(nonce=wrong))
        assert answer.status == 400 and answer.error == "use_dpop_nonce", answer
        assert len(answer.header("DPoP-Nonce")) == 22


def test_dp_03_nonce_is_required(new_server):
    """RFC 9449 8 and 9: 400 at the token endpoint, 401 with a challenge at a resource."""
    jeton = new_server(args=["--dpop-nonce", "required"])
    add_scripts(jeton)
    holder = Holder(jeton)
    answer = holder.token(CREDENTIALS, CC)
    assert answer.status == 400 and answer.error == "use_dpop_nonce", answer
    nonce = answer.header("DPoP-Nonce")
    assert holder.token(CREDENTIALS, CC, holder.proof(nonce=nonce)).status == 200
    token = holder.token(SELF, SCRIPTS, holder.proof(nonce=nonce)).json["access_token"]
    answer = holder.use("GET", TOKENS, token)
    assert answer.status == 401, answer
    assert challenges(answer)[0].startswith("DPoP ")
    assert 'error="use_dpop_nonce"' in challenges(answer)[0]
    answer = holder.use("GET", TOKENS, token, nonce=answer.header("DPoP-Nonce"))
    assert answer.status == 200 and answer.header("DPoP-Nonce"), answer


def test_dp_03_nonce_rotates(faked_time):
    server, set_time = faked_time
    holder = Holder(server)

    def ask(offset_s, nonce=None):
        set_time(offset_s)
        return holder.token(CREDENTIALS, CC,
                            holder.proof(nonce=nonce, iat=int(time.time()) + offset_s))

    first = ask(0).header("DPoP-Nonce")
    later = ask(300, first)
    assert later.status == 200 and later.header("DPoP-Nonce") != first, later
    answer = ask(900, first)
    assert answer.error == "use_dpop_nonce", answer
    assert ask(900, answer.header("DPoP-Nonce")).status == 200


def test_dp_03_setting_is_checked(new_server):
    jeton = new_server(start=False)
    done = jeton.cli("serve", "--listen", "127.0.0.1:0", "--dpop-nonce", "maybe", status=2)
    assert "dpop-nonce" in done.err


# -- the address ----------------------------------------------------------------------------------

def test_dp_05_htu_is_normalised(holder):
    """RFC 3986 6.2.2 and 6.2.3; RFC 9449 4.3, 9."""
    root = holder.root
    for htu in ("/oauth2/token?a=b", "/oauth2/token#f", "/oauth2/%74oken", "/x/../oauth2/token",
                "/./oauth2/token", "/%2e/oauth2/token", "/oauth2/token?"):
        answer = holder.token(CREDENTIALS, CC, holder.proof(htu=root + htu))
        assert answer.status == 200, (htu, answer)
    loud = root.replace("http", "HTTP") + "/oauth2/token"
    assert holder.token(CREDENTIALS, CC, holder.proof(htu=loud)).status == 200
    for htu in (root + "/oauth2/Token", root + "/oauth2/token/", root + "//oauth2/token",
                root + "/oauth2%2Ftoken", root.replace("http", "https") + "/oauth2/token",
                root.replace("127.0.0.1", "localhost") + "/oauth2/token",
                root.replace("//", "//a@") + "/oauth2/token", root, root + "/oauth2/token%00"):
        assert_bad_proof(holder.token(CREDENTIALS, CC, holder.proof(htu=htu)))


def test_dp_05_address_is_the_issuers_not_the_requests(jeton, holder):
    """A Host header of the client's choice makes no proof for elsewhere good."""
    proof = holder.key.proof("POST", "http://evil.example/oauth2/token")
    answer = jeton.token(CREDENTIALS, client=CC,
                         headers=[("DPoP", proof), ("Host", "evil.example"),
                                  ("X-Forwarded-Host", "evil.example")])
    assert_bad_proof(answer)


# -- refresh --------------------------------------------------------------------------------------

PASSWORD = {"grant_type": "password", "username": ALICE[0], "password": ALICE[1], "scope": "read"}


def test_rt_07_public_client_needs_the_same_key(jeton, holder):
    """RFC 9449 5."""
    first = holder.token(PASSWORD, P1).json
    thief = Holder(jeton)
    assert_bad_proof(jeton.refresh(first["refresh_token"], P1))
    answer = thief.refresh(first["refresh_token"], P1)
    assert answer.status == 400 and answer.error == "invalid_grant", answer
    answer = holder.refresh(first["refresh_token"], P1)
    assert answer.status == 200 and answer.json["token_type"] == "DPoP", answer
    # Who lacks the key does not end the family by a second use.
    assert thief.refresh(first["refresh_token"], P1).status == 400
    assert jeton.is_active(answer.json["access_token"], API)


def test_rt_07_confidential_client_may_have_a_new_key(jeton, holder):
    first = holder.token(PASSWORD, C1).json
    other = Holder(jeton, "EdDSA")
    answer = other.refresh(first["refresh_token"], C1)
    assert answer.status == 200, answer
    claims = jeton.introspect(answer.json["access_token"], API).json
    assert claims["cnf"] == {"jkt": other.key.thumbprint}
    assert_bad_proof(jeton.refresh(answer.json["refresh_token"], C1))


def test_rt_07_replayed_proof_spends_no_refresh_token(holder):
    proof = holder.proof()
    first = holder.token(PASSWORD, P1, proof).json
    assert_bad_proof(holder.refresh(first["refresh_token"], P1, proof))
    assert holder.refresh(first["refresh_token"], P1).status == 200


# -- at resources ---------------------------------------------------------------------------------

def test_be_01_both_schemes_are_named_without_an_error(jeton):
    """RFC 6750 3.1, RFC 9449 7.1."""
    for path in (TOKENS, "/forward-auth"):
        first, second = challenges(jeton.get(path))
        assert first == 'Bearer realm="jeton"'
        assert second == f'DPoP realm="jeton", algs="{" ".join(ALGS)}"'


def test_be_06_bound_token_is_no_bearer_token(jeton, holder):
    """RFC 9449 7.2: also with a good proof beside it."""
    token = holder.token(SELF, SCRIPTS).json["access_token"]
    for headers in ([], holder.header(TOKENS, "GET", token=token)):
        answer = jeton.get(TOKENS, headers + list(bearer(token).items()))
        assert answer.status == 401, answer
        assert 'error="invalid_token"' in challenges(answer)[0]
        assert challenges(answer)[1].startswith("DPoP ")
    assert jeton.forward_auth(token).status == 401
    answer = holder.use("GET", TOKENS, token)
    assert answer.status == 200 and answer.header("DPoP-Nonce"), answer


def test_be_06_bearer_token_is_no_bound_token(jeton, holder):
    """RFC 9449 7.1."""
    token = jeton.token(SELF, client=SCRIPTS).json["access_token"]
    answer = holder.use("GET", TOKENS, token)
    assert answer.status == 401 and 'error="invalid_token"' in challenges(answer)[0], answer
    assert challenges(answer)[0].startswith("DPoP ") and len(challenges(answer)) == 1
    assert jeton.get(TOKENS, bearer(token)).status == 200


def test_be_06_bound_token_is_no_token_of_a_dialect(jeton, holder):
    token = holder.client_token(C1, "read")
    answer = jeton.get("/security/forward-auth", bearer(token))
    assert answer.status == 401, answer
    free = jeton.client_token(C1, "read")["access_token"]
    assert jeton.get("/security/forward-auth", bearer(free)).status == 200


def test_dp_01_key_and_token_belong_together(jeton, holder):
    """RFC 9449 4.3, 12."""
    token = holder.token(SELF, SCRIPTS).json["access_token"]
    other = Holder(jeton)
    answer = other.use("GET", TOKENS, token)
    assert answer.status == 401 and 'error="invalid_token"' in challenges(answer)[0], answer
    for proof in (holder.proof(TOKENS, "GET"), holder.proof(TOKENS, "GET", token="another"),
                  holder.proof(TOKENS, "GET", token=token, ath=""),
                  holder.proof(TOKENS, "POST", token=token),
                  holder.proof("/api/v1/token", "GET", token=token)):
        answer = holder.use("GET", TOKENS, token, proof=proof)
        assert answer.status == 401, answer
        assert 'error="invalid_dpop_proof"' in challenges(answer)[0], answer
    answer = jeton.get(TOKENS, [("Authorization", "DPoP " + token)])
    assert answer.status == 401 and 'error="invalid_dpop_proof"' in challenges(answer)[0], answer


def test_be_05_scheme_without_case(holder):
    token = holder.token(SELF, SCRIPTS).json["access_token"]
    for scheme in ("dpop", "DPOP", "dPoP"):
        answer = holder.jeton.get(TOKENS, [("Authorization", f"{scheme} {token}"),
                                           *holder.header(TOKENS, "GET", token=token)])
        assert answer.status == 200, answer


# -- permanent tokens -----------------------------------------------------------------------------

def make(holder, caller, path=TOKENS, **more):
    return caller.call("POST", path, {"name": "bound", "scopes": ["see"]},
                       holder.header(path, **more))


def test_be_06_permanent_token_of_a_key(jeton, holder):
    caller = Caller(jeton, manager(jeton, add_account(jeton)))
    made = make(holder, caller)
    assert made.status == 201, made
    assert made.json["cnf"] == {"jkt": holder.key.thumbprint}
    shown = caller.call("GET", TOKENS).json["tokens"]
    assert [each["cnf"] for each in shown] == [{"jkt": holder.key.thumbprint}, None]
    assert jeton.forward_auth(made.json["token"]).status == 401
    rotated = caller.call("POST", f"{TOKENS}/{made.json['id']}/rotate")
    assert rotated.json["cnf"] == made.json["cnf"]
    assert jeton.forward_auth(rotated.json["token"]).status == 401
    for token in (made.json["token"], rotated.json["token"]):
        assert asked_by_proxy(holder, token).status == 200


def test_be_06_bad_proof_makes_no_permanent_token(jeton, holder):
    caller = Caller(jeton, manager(jeton, add_account(jeton)))
    answer = make(holder, caller, htm="GET")
    assert answer.status == 401 and json.loads(answer.body)["error"] == "invalid_dpop_proof", answer
    assert len(caller.call("GET", TOKENS).json["tokens"]) == 1


def test_be_06_bound_caller_makes_tokens_of_its_key(jeton, holder):
    token = holder.token(SELF, SCRIPTS).json["access_token"]
    body = json.dumps({"name": "of a key", "scopes": ["see"]})
    made = holder.use("POST", TOKENS, token, body, [("Content-Type", "application/json")])
    assert made.status == 201, made
    jeton.secrets.add(made.json["token"])
    assert made.json["cnf"] == {"jkt": holder.key.thumbprint}


# -- behind a reverse proxy -----------------------------------------------------------------------

TRAEFIK = [("X-Forwarded-Method", "PUT"), ("X-Forwarded-Proto", "https"),
           ("X-Forwarded-Host", "app.example"), ("X-Forwarded-Uri", "/things/7?x=y")]
NGINX = [("X-Original-Method", "PUT"), ("X-Original-URL", "https://app.example/things/7?x=y")]


def asked_by_proxy(holder, token, headers=TRAEFIK, source="127.0.0.2", method="PUT",
                   url="https://app.example/things/7"):
    proof = holder.key.proof(method, url, token=token)
    sent = [("Authorization", "DPoP " + token), ("DPoP", proof), *headers,
            ("X-Forwarded-For", "192.0.2.7")]
    return holder.jeton.request("GET", "/forward-auth", None, sent, source=source)


@pytest.mark.parametrize("headers", [TRAEFIK, NGINX], ids=["traefik", "nginx"])
def test_dp_01_forward_auth_is_for_the_request_asked_about(holder, headers):
    token = holder.client_token(C1, "read")
    answer = asked_by_proxy(holder, token, headers)
    assert answer.status == 200 and answer.header("X-Auth-Client") == C1[0], answer
    for other in ({"method": "GET"}, {"url": "https://app.example/things/8"},
                  {"url": "https://other.example/things/7"},
                  {"url": f"{holder.root}/forward-auth", "method": "GET"}):
        answer = asked_by_proxy(holder, token, headers, **other)
        assert answer.status == 401, (other, answer)
        assert 'error="invalid_dpop_proof"' in challenges(answer)[0]


@pytest.mark.parametrize("headers, own", [
    (TRAEFIK, NGINX[:1]), (TRAEFIK, NGINX[1:]), (TRAEFIK, [("X-Original-URI", "/things/7")]),
    (NGINX, TRAEFIK[:1]), (NGINX, TRAEFIK[3:])])
def test_dp_01_a_client_has_no_say_in_what_is_asked_about(holder, headers, own):
    """A proxy sets the headers of one way, and may let a client's own of the other through."""
    token = holder.client_token(C1, "read")
    assert asked_by_proxy(holder, token, headers).status == 200
    assert asked_by_proxy(holder, token, headers + own).status == 401
    other = [(name, value.replace("PUT", "DELETE").replace("things/7", "things/8"))
             for name, value in headers]
    assert asked_by_proxy(holder, token, other + own).status == 401


def test_dp_01_forward_auth_without_a_trusted_word_is_refused(holder):
    token = holder.client_token(C1, "read")
    assert asked_by_proxy(holder, token, source="127.0.0.3").status == 401
    for left_out in TRAEFIK:
        rest = [header for header in TRAEFIK if header != left_out]
        assert asked_by_proxy(holder, token, rest).status == 401, left_out
    assert asked_by_proxy(holder, token, TRAEFIK + [TRAEFIK[3]]).status == 401
    assert asked_by_proxy(holder, token, []).status == 401


# -- metadata -------------------------------------------------------------------------------------

@pytest.mark.parametrize("document", ["oauth-authorization-server", "openid-configuration"])
def test_dp_01_metadata_names_the_algorithms(jeton, document):
    """RFC 9449 5.1, RFC 8705 3.3."""
    metadata = jeton.get("/.well-known/" + document).json
    assert metadata["dpop_signing_alg_values_supported"] == ALGS
    assert metadata["tls_client_certificate_bound_access_tokens"] is True
