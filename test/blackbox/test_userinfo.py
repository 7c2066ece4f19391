"""The UserInfo endpoint (OpenID Connect Core 5.3): OI-04, BE-01 to BE-06, TK-02, JT-02, RT-10."""

import json

import pytest
from jwcrypto import jwk, jws

from dpop import Key
from harness import ALICE, API, BOB, C1, CC, FORM, bearer, jwt_part
from person import Person
from relying_party import RelyingParty

PATH = "/oauth2/userinfo"


@pytest.fixture(scope="module")
def server(module_server):
    return module_server()


@pytest.fixture(scope="module")
def rp(server):
    return RelyingParty(server)


@pytest.fixture(scope="module")
def alice(server):
    return Person(server)


@pytest.fixture(scope="module")
def tokens(rp, alice):
    return rp.tokens(alice, scope="openid profile email")


def refused(answer, status, error):
    assert answer.status == status, answer
    challenge = answer.header("WWW-Authenticate")
    assert f'error="{error}"' in challenge, answer
    assert answer.header("Cache-Control") == "no-store"
    return challenge


# -- what is told -----------------------------------------------------------------------------


@pytest.mark.parametrize("scope, names", [
    ("openid", set()), ("openid profile", {"name", "preferred_username"}),
    ("openid email", {"email", "email_verified"}),
    ("openid profile email read", {"name", "preferred_username", "email", "email_verified"})])
def test_oi_04_only_what_was_granted(server, rp, alice, scope, names):
    got = rp.tokens(alice, scope=scope)
    answer = server.get(PATH, bearer(got["access_token"]))
    assert answer.status == 200 and set(answer.json) == {"sub"} | names, answer
    assert answer.json["sub"] == jwt_part(got["id_token"], 1)["sub"]
    if "name" in names:
        assert answer.json["name"] == "Alice Example"
        assert answer.json["preferred_username"] == ALICE[0]
    if "email" in names:
        assert answer.json["email"] == "alice@mail.example"
        assert isinstance(answer.json["email_verified"], bool)


def test_oi_04_claims_that_were_named(server, rp, alice):
    """OpenID Connect Core 5.5: userinfo and ID token each have their own."""
    named = json.dumps({"userinfo": {"email": None, "nonsense": {"essential": True}},
                        "id_token": {"name": {"essential": True}}})
    got = rp.tokens(alice, scope="openid", claims=named)
    assert set(server.get(PATH, bearer(got["access_token"])).json) == {"sub", "email"}
    claims = jwt_part(got["id_token"], 1)
    assert claims["name"] == "Alice Example" and "email" not in claims


def test_oi_04_claims_that_are_named_are_asked_about_too(server):
    """A person sees what a client is to learn, and no way of asking gets it more than scope would:
    neither what it is not registered for, nor what nobody allowed."""
    everything = {"name": None, "preferred_username": None, "email": {"essential": True},
                  "email_verified": None}
    named = json.dumps({"userinfo": everything, "id_token": everything})
    party = RelyingParty(server, "named", scope="openid email")
    person = Person(server)
    first = party.tokens(person, scope="openid")
    assert set(server.get(PATH, bearer(first["access_token"])).json) == {"sub"}
    assert "error=consent_required" in person.open(
        party.path(claims=named, prompt="none")).answer.header("Location")
    person.open(party.path(claims=named))
    assert "know that it is you see your e-mail address" == person.text_of("scopes")
    got = party.tokens(person, scope="openid", claims=named)
    told = {"email", "email_verified"}
    assert set(server.get(PATH, bearer(got["access_token"])).json) == {"sub"} | told
    assert set(jwt_part(got["id_token"], 1)) & set(everything) == told
    assert got.get("scope", "openid") == "openid", "it is no scope of the token"
    assert "code=" in person.open(party.path(claims=named, prompt="none")).answer.header("Location")


def test_oi_08_pairwise_subjects_differ_by_sector_and_are_stable(server):
    """OpenID Connect Core 8.1: the host of the redirect URIs is the sector."""
    own, other = (RelyingParty(server, name, options=("--pairwise",)) for name in ("pw8", "pw9"))
    subjects = [jwt_part(party.tokens(user=user, scope="openid")["id_token"], 1)["sub"]
                for party, user in ((own, ALICE), (own, ALICE), (other, ALICE), (own, BOB))]
    assert subjects[0] == subjects[1] and len(set(subjects)) == 3


def test_oi_04_pairwise_subjects_are_the_same_in_both(server):
    first, second = (RelyingParty(server, name, options=("--pairwise",)) for name in ("pw1", "pw2"))
    subjects = set()
    for party in (first, second):
        got = party.tokens(scope="openid")
        subject = server.get(PATH, bearer(got["access_token"])).json["sub"]
        assert subject == jwt_part(got["id_token"], 1)["sub"] and ":" not in subject
        subjects.add(subject)
    assert len(subjects) == 2


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_oi_04_signed_where_the_client_asks(server, alg):
    party = RelyingParty(server, f"signed-{alg.lower()}",
                         {"userinfo_signed_response_alg": alg})
    got = party.tokens(scope="openid email")
    answer = server.get(PATH, bearer(got["access_token"]))
    assert answer.status == 200 and answer.header("Content-Type") == "application/jwt", answer
    text = answer.body.decode()
    header = jwt_part(text, 0)
    keys = server.get("/oauth2/jwks").json["keys"]
    key = next(one for one in keys if one["kid"] == header["kid"])
    token = jws.JWS()
    token.allowed_algs = [alg]
    token.deserialize(text, jwk.JWK(**key))
    claims = json.loads(token.payload)
    assert header["alg"] == alg
    assert claims["iss"] == f"http://127.0.0.1:{server.port}"
    assert claims["aud"] == party.client_id and claims["email"] == "alice@mail.example"
    assert claims["sub"] == jwt_part(got["id_token"], 1)["sub"]
    for value in (bearer(text), {"Authorization": "DPoP " + text}):  # JT-02
        refused(server.get(PATH, value), 401, "invalid_token")
    assert not party.is_active(text)


# -- how the token comes ----------------------------------------------------------------------


def test_tk_02_three_ways_and_no_store(server, tokens):
    """OpenID Connect Core 5.3.1; RFC 6750 2.1, 2.2."""
    token = tokens["access_token"]
    answers = [server.get(PATH, bearer(token)),
               server.request("POST", PATH, None, bearer(token)),
               server.request("POST", PATH, "", {**bearer(token), "Content-Type": FORM}),
               server.request("POST", PATH, "a=b", {**bearer(token), "Content-Type": FORM}),
               server.post_form(PATH, {"access_token": token})]
    for answer in answers:
        assert answer.status == 200 and answer.json == answers[0].json, answer
        assert answer.header("Cache-Control") == "no-store"
        assert answer.header("Content-Type") == "application/json"
    assert server.request("PUT", PATH, None, bearer(token)).status == 405


def test_be_01_no_token_no_error_code(server):
    for answer in (server.get(PATH), server.request("POST", PATH),
                   server.post_form(PATH, {"access_token": ""}),
                   server.get(PATH, {"Authorization": "Basic eDp5"})):
        assert answer.status == 401, answer
        assert answer.all_headers("WWW-Authenticate")[0] == 'Bearer realm="jeton"'


def test_be_02_scope_and_activity(server, rp, tokens):
    machine = server.client_token(CC, "read")["access_token"]
    challenge = refused(server.get(PATH, bearer(machine)), 403, "insufficient_scope")
    assert 'scope="openid"' in challenge
    person = server.user_token(C1, ALICE, "read")["access_token"]
    refused(server.get(PATH, bearer(person)), 403, "insufficient_scope")
    answer = server.post_form(PATH, {"scope": "a\r\nb: c"}, headers=bearer(machine))
    assert 'scope="openid"' in refused(answer, 403, "insufficient_scope")
    fresh = rp.tokens(scope="openid")["access_token"]
    assert server.get(PATH, bearer(fresh)).status == 200
    server.revoke(fresh, rp.pair)
    refused(server.get(PATH, bearer(fresh)), 401, "invalid_token")
    for wrong in ("x", tokens["access_token"][:-1], tokens["access_token"] + "A",
                  tokens["refresh_token"]):
        refused(server.get(PATH, bearer(wrong)), 401, "invalid_token")


def test_be_03_never_in_the_url(server, tokens):
    path = f"{PATH}?access_token={tokens['access_token']}"
    for answer in (server.get(path), server.get(path, bearer(tokens["access_token"])),
                   server.request("POST", path)):
        assert answer.status == 400 and answer.error == "invalid_request", answer


def test_be_04_one_way_at_a_time(server, tokens):
    token = tokens["access_token"]
    both = server.post_form(PATH, {"access_token": token}, headers=bearer(token))
    assert both.status == 400 and both.error == "invalid_request"
    twice = server.post_form(PATH, [("access_token", token), ("access_token", token)])
    assert twice.status == 400 and twice.error == "invalid_request"
    headers = [("Authorization", "Bearer " + token)] * 2
    assert server.request("GET", PATH, None, headers).status == 400


def test_be_06_a_bound_token_needs_its_proof(server, rp, alice):
    key = Key()
    base = f"http://127.0.0.1:{server.port}"
    code = rp.authorize(alice, scope="openid")["code"]
    done = rp.redeem(code, [("DPoP", key.proof("POST", base + "/oauth2/token"))])
    assert done.status == 200 and done.json["token_type"] == "DPoP", done
    token = done.json["access_token"]
    for answer in (server.get(PATH, bearer(token)),
                   server.post_form(PATH, {"access_token": token})):
        refused(answer, 401, "invalid_token")

    def present(method, proof):
        return server.request(method, PATH, None,
                              [("Authorization", "DPoP " + token), ("DPoP", proof)])

    for method in ("GET", "POST"):
        good = key.proof(method, base + PATH, token=token)
        assert present(method, good).status == 200
        assert present(method, good).status == 401  # once (RFC 9449 11.1)
    assert present("GET", key.proof("POST", base + PATH, token=token)).status == 401
    assert present("GET", Key().proof("GET", base + PATH, token=token)).status == 401


# -- whom it is about -------------------------------------------------------------------------


def test_rt_10_a_disabled_person_or_client_is_not_told_of(server):
    party = RelyingParty(server, "closing")
    bobs = party.tokens(user=BOB, scope="openid profile")["access_token"]
    hers = party.tokens(scope="openid profile")["access_token"]
    assert server.get(PATH, bearer(bobs)).json["preferred_username"] == BOB[0]
    server.cli("user", "disable", BOB[0])
    refused(server.get(PATH, bearer(bobs)), 401, "invalid_token")
    server.cli("user", "enable", BOB[0])
    refused(server.get(PATH, bearer(bobs)), 401, "invalid_token")
    assert server.get(PATH, bearer(hers)).status == 200
    server.cli("client", "disable", "closing")
    refused(server.get(PATH, bearer(hers)), 401, "invalid_token")


def test_jt_02_an_id_token_is_no_access_token(server, rp, tokens):
    """Everywhere that takes an access token."""
    id_token = tokens["id_token"]
    refused(server.get(PATH, bearer(id_token)), 401, "invalid_token")
    refused(server.post_form(PATH, {"access_token": id_token}), 401, "invalid_token")
    assert server.forward_auth(id_token).status == 401
    assert server.get("/api/v1/tokens", bearer(id_token)).status == 401
    for caller in (rp.pair, API):
        assert server.introspect(id_token, caller).json == {"active": False}
    assert rp.refresh(id_token).error == "invalid_grant"
    assert server.revoke(id_token, rp.pair).status == 200
    assert rp.is_active(tokens["access_token"])


def test_jt_02_an_access_token_is_no_id_token(server, rp, alice):
    """JWTs of other kinds as id_token_hint are as if none was sent: nobody is signed out."""
    service = server.user_token(C1, ALICE, "jread")["access_token"]
    for hint in (service, rp.tokens(alice, scope="openid")["access_token"]):
        alice.open(f"/oauth2/logout?id_token_hint={hint}")
        assert alice.has("logout") and alice.has("ok"), alice.answer
        assert "sign-out" in alice.open("/account").page.attributes


def test_lg_01_the_log_says_who_asked_and_no_claims(server, tokens):
    assert server.get(PATH, bearer(tokens["access_token"])).status == 200
    lines = [line for line in server.log_lines() if line.get("event") == "userinfo"]
    assert lines and lines[-1]["client_id"] == "rp", server.log()[-2000:]
    assert "alice@mail.example" not in json.dumps(lines)
