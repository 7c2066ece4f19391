"""Token exchange (RFC 8693): TX-01 to TX-04."""

import concurrent.futures
import json

import pytest

from dpop import Holder, b64
from harness import ALICE, API, JWTS, OTHER, jwt_part
from person import Person
from test_authorization import CALLBACK, RP, allow, request_of
from test_authorization import token as code_token

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
FRONT = ("front", "front-secret-front-secret")  # whom people sign in to
BACK = ("back", "back-secret-back-secret-1")    # exchanges what it gets
DEEP = ("deep", "deep-secret-deep-secret-1")    # and what it gets from that one
IDLE = ("idle", "idle-secret-idle-secret-1")    # has the grant type, and no policy
PLAIN = ("plain", "plain-secret-plain-secret")  # has not even that


def add_clients(server):
    grants = ["--grant", "password", "--grant", "client_credentials"]
    services = ["--service", API[0], "--service", JWTS[0]]
    server.add_client(*FRONT, *grants, "--grant", "refresh_token", *services)

    def exchanges(client, subjects, audiences, *more):
        server.add_client(*client, "--grant", GRANT, "--grant", "client_credentials", *more,
                          "--metadata", json.dumps({"jeton_exchange_subjects": subjects,
                                                    "jeton_exchange_audiences": audiences}))

    exchanges(BACK, ["front"], [API[0], JWTS[0], OTHER[0]], *services, "--service", OTHER[0])
    exchanges(DEEP, [API[0]], [API[0], OTHER[0]], "--service", OTHER[0], "--scope", "read")
    server.add_client(*IDLE, "--grant", GRANT, *services)
    server.add_client(*PLAIN, *grants, *services)


@pytest.fixture(scope="module")
def server(module_server):
    made = module_server()
    add_clients(made)
    return made


def exchange(server, subject, client=BACK, headers=(), **more):
    fields = {"grant_type": GRANT, "subject_token": subject, "subject_token_type": ACCESS,
              "audience": API[0], **more}
    pairs = [(name, item) for name, value in fields.items() if value is not None
             for item in (value if isinstance(value, list) else [value])]
    return server.token(pairs, client=client, headers=headers)


def good(server, subject, client=BACK, **more):
    answer = exchange(server, subject, client, **more)
    assert answer.status == 200, answer
    assert answer.json["issued_token_type"] == ACCESS and "refresh_token" not in answer.json
    return answer.json


def alices(server, scope="read write", client=FRONT):
    return server.user_token(client, ALICE, scope)["access_token"]


# -- what is given ----------------------------------------------------------------------------


def test_tx_02_a_narrower_token_of_the_same_person(server):
    subject = alices(server)
    told = good(server, subject, scope="read")
    assert told["scope"] == "read" and told["token_type"] == "Bearer"
    before, after = (server.introspect(token, API).json for token in (subject,
                                                                      told["access_token"]))
    assert after["sub"] == before["sub"] and after["client_id"] == "back"
    assert after["username"] == ALICE[0] and "act" not in after
    assert after["exp"] <= before["exp"] and told["expires_in"] <= 600
    assert server.is_active(subject, API)


def test_tx_02_what_is_not_asked_for_is_what_both_may_have(server):
    subject = alices(server, "read write jread")
    assert set(good(server, subject)["scope"].split()) == {"read", "write"}
    both = good(server, subject, audience=[API[0], JWTS[0]])
    assert set(both["scope"].split()) == {"read", "write", "jread"}
    assert good(server, subject, audience=None, resource="https://jwt.example")["scope"] == "jread"
    assert good(server, subject, DEEP)["scope"] == "read"  # all that it is registered for


@pytest.mark.parametrize("scope", ["read write", "write", "admin", "read admin", "jread", "peek"])
def test_tx_02_never_wider(server, scope):
    answer = exchange(server, alices(server, "read"), scope=scope)
    assert (answer.status, answer.error) == (400, "invalid_scope"), answer


def test_tx_02_another_service_gets_no_word_that_was_not_there(server):
    told = good(server, alices(server, "read"), audience=OTHER[0])
    assert "scope" not in told
    seen = server.introspect(told["access_token"], OTHER).json
    assert seen["aud"] == OTHER[0] and "scope" not in seen
    assert not server.is_active(told["access_token"], API)  # JT-05


def test_tx_02_never_longer(faked_time):
    server, set_time = faked_time
    add_clients(server)
    subject = server.user_token(FRONT, ALICE, "jread")["access_token"]
    set_time(600)
    told = good(server, subject, audience=JWTS[0])
    assert 200 <= told["expires_in"] <= 300
    set_time(860)
    assert server.is_active(told["access_token"], JWTS)
    set_time(902)
    assert not server.is_active(told["access_token"], JWTS)
    assert exchange(server, subject, audience=JWTS[0]).error == "invalid_request"


def test_tx_02_what_a_person_allowed(server):
    """acr and auth_time stay; OpenID Connect's words are for clients registered for them."""
    server.add_client(*RP, "--grant", "authorization_code", "--scope", "openid read write",
                      "--redirect-uri", CALLBACK)
    knows = ("knows", "knows-secret-knows-secret")
    server.add_client(*knows, "--grant", GRANT, "--scope", "openid read", "--metadata",
                      json.dumps({"jeton_exchange_subjects": [RP[0]],
                                  "jeton_exchange_audiences": [API[0]]}))
    subject = code_token(server, allow(Person(server), request_of())["code"]).json["access_token"]
    before = server.introspect(subject, API).json
    for client, scope in ((DEEP, "read"), (knows, "openid read")):
        told = good(server, subject, client)
        after = server.introspect(told["access_token"], API).json
        assert told["scope"] == scope and "id_token" not in told
        assert all(after[name] == before[name] for name in ("sub", "acr", "auth_time"))


def test_a_jwt_is_exchanged_for_a_jwt(server):
    subject = alices(server, "jread")
    told = good(server, subject, audience=JWTS[0], subject_token_type=JWT)
    claims = jwt_part(told["access_token"], 1)
    assert claims["client_id"] == "back" and claims["aud"] == JWTS[0]
    assert claims["sub"] == jwt_part(subject, 1)["sub"]
    assert claims["exp"] <= jwt_part(subject, 1)["exp"]


# -- policy -----------------------------------------------------------------------------------


def test_tx_01_off_by_default(server):
    assert exchange(server, alices(server), PLAIN).error == "unauthorized_client"
    answer = exchange(server, alices(server), IDLE)
    assert (answer.status, answer.error) == (400, "invalid_request"), answer
    own = server.client_token(PLAIN, "read")["access_token"]
    assert exchange(server, own, IDLE).error == "invalid_request"


def test_tx_01_public_clients_do_not_exchange(server):
    server.add_client("tx-public", None, "--grant", GRANT, "--service", API[0], "--metadata",
                      json.dumps({"jeton_exchange_subjects": ["front"],
                                  "jeton_exchange_audiences": [API[0]]}))
    answer = exchange(server, alices(server), None, client_id="tx-public")
    assert (answer.status, answer.error) == (400, "unauthorized_client"), answer


def test_tx_01_subjects_and_audiences_by_policy(server):
    assert exchange(server, alices(server, client=PLAIN)).error == "invalid_request"
    assert exchange(server, alices(server), audience="closed.example").error == "invalid_target"
    assert exchange(server, alices(server), audience="nobody.example").error == "invalid_target"
    assert exchange(server, alices(server, "read jread"), DEEP,
                    audience=JWTS[0]).error == "invalid_target"
    # Of a service's tokens, whoever they were issued to.
    assert exchange(server, alices(server, client=PLAIN), DEEP, scope="read").status == 200
    # Without a service there is no policy that allows it.
    server.add_client("words", "words-secret-words-secret", "--grant", GRANT, "--grant",
                      "client_credentials", "--scope", "own", "--metadata",
                      json.dumps({"jeton_exchange_audiences": [API[0]]}))
    words = ("words", "words-secret-words-secret")
    own = server.client_token(words, "own")["access_token"]
    assert exchange(server, own, words, audience=None).error == "invalid_target"


def test_tx_01_a_clients_own_token_is_for_itself_alone(server):
    own = server.client_token(BACK, "read write")["access_token"]
    told = good(server, own, scope="read")
    assert server.introspect(told["access_token"], API).json["sub"] == "back"
    fronts = server.client_token(FRONT, "read")["access_token"]
    assert exchange(server, fronts).error == "invalid_request"  # its subject would be another


# -- subjects that are no good ----------------------------------------------------------------


def test_tx_03_bad_subjects(server):
    opaque, signed = alices(server), alices(server, "jread")
    header, payload, signature = signed.split(".")
    none = ".".join([b64(b'{"alg":"none","typ":"at+jwt"}'), payload, ""])
    swapped = ".".join([b64(b'{"alg":"HS256","typ":"at+jwt"}'), payload, signature])
    foreign = json.loads(json.dumps(jwt_part(signed, 1)))
    foreign["iss"] = "https://evil.example"
    revoked = alices(server)
    assert server.revoke(revoked, FRONT).status == 200
    refresh = server.user_token(FRONT, ALICE, "read")["refresh_token"]
    bad = [none, swapped, ".".join([header, b64(json.dumps(foreign).encode()), signature]),
           signed[:-2], signed + "x", opaque[:-1], opaque + "x", revoked, refresh, "x", "a.b.c",
           "." * 1000]
    for value in bad:
        answer = exchange(server, value)
        assert (answer.status, answer.error) == (400, "invalid_request"), (value, answer)
    for kind in ("urn:ietf:params:oauth:token-type:id_token",
                 "urn:ietf:params:oauth:token-type:refresh_token", "access_token", JWT):
        assert exchange(server, opaque, subject_token_type=kind).error == "invalid_request", kind


@pytest.mark.parametrize("changes", [
    {"subject_token": None}, {"subject_token": ""}, {"subject_token_type": None},
    {"actor_token_type": ACCESS}, {"actor_token": "x"},
    {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
    {"actor_token": "x", "actor_token_type": ACCESS},
])
def test_tx_04_what_is_missing_is_an_error(server, changes):
    answer = exchange(server, alices(server), **changes)
    assert (answer.status, answer.error) == (400, "invalid_request"), answer


# -- who acts ---------------------------------------------------------------------------------


def test_tx_04_the_chain_of_actors_is_kept(server):
    subject = alices(server)
    actor = server.client_token(BACK, "read")["access_token"]
    first = good(server, subject, actor_token=actor, actor_token_type=ACCESS)["access_token"]
    assert server.introspect(first, API).json["act"] == {"sub": "back", "client_id": "back"}
    kept = good(server, first, DEEP)["access_token"]  # nobody new acts: who acted stays
    assert server.introspect(kept, API).json["act"] == {"sub": "back", "client_id": "back"}
    deeps = server.client_token(DEEP, "read")["access_token"]
    second = good(server, first, DEEP, actor_token=deeps, actor_token_type=ACCESS)["access_token"]
    assert server.introspect(second, API).json["act"] == {
        "sub": "deep", "client_id": "deep", "act": {"sub": "back", "client_id": "back"}}


def test_tx_04_an_actor_is_the_client_itself(server):
    for other in (alices(server), server.client_token(PLAIN, "read")["access_token"]):
        answer = exchange(server, alices(server), actor_token=other, actor_token_type=ACCESS)
        assert (answer.status, answer.error) == (400, "invalid_request"), answer


def test_tx_02_exchanges_end_somewhere(server):
    token = good(server, alices(server, "read"))["access_token"]
    answers = []
    for _ in range(12):
        answer = exchange(server, token)
        answers.append(answer.status)
        if answer.status != 200:
            break
        token = answer.json["access_token"]
    assert answers[-1] == 400 and 4 <= len(answers) <= 9


# -- keys, and the end ------------------------------------------------------------------------


def test_bound_tokens_by_their_holder_alone(server):
    holder, other = Holder(server), Holder(server)
    fields = {"grant_type": "password", "username": ALICE[0], "password": ALICE[1],
              "scope": "read"}
    subject = holder.token(fields, FRONT).json["access_token"]
    assert exchange(server, subject).error == "invalid_request"
    assert exchange(server, subject, headers=other.header()).error == "invalid_request"
    told = exchange(server, subject, headers=holder.header())
    assert told.status == 200 and told.json["token_type"] == "DPoP", told
    seen = server.introspect(told.json["access_token"], API).json
    assert seen["cnf"] == {"jkt": holder.key.thumbprint}


def test_tx_02_ends_with_the_subjects_grant(server):
    issued = server.user_token(FRONT, ALICE, "read write")
    first = good(server, issued["access_token"])["access_token"]
    second = good(server, first, DEEP)["access_token"]
    assert server.is_active(first, API) and server.is_active(second, API)
    assert server.revoke(issued["refresh_token"], FRONT).status == 200
    for token in (issued["access_token"], first, second):
        assert not server.is_active(token, API)


def test_tx_02_the_end_holds_after_a_restart(new_server):
    server = new_server()
    add_clients(server)
    issued, lasting = (server.user_token(FRONT, ALICE, "read write") for _ in range(2))
    pairs = []
    for told in (issued, lasting):
        first = good(server, told["access_token"])["access_token"]
        pairs.append((first, good(server, first, DEEP)["access_token"]))
    server.revoke(issued["refresh_token"], FRONT)
    server.restart()
    assert [server.is_active(token, API) for pair in pairs for token in pair] == [
        False, False, True, True]


def test_tx_02_a_disabled_exchanger_ends_what_came_of_it(server):
    server.add_client("mid", "mid-secret-mid-secret-mid", "--grant", GRANT, "--service", API[0],
                      "--metadata", json.dumps({"jeton_exchange_subjects": ["front"],
                                                "jeton_exchange_audiences": [API[0]]}))
    first = good(server, alices(server), ("mid", "mid-secret-mid-secret-mid"))["access_token"]
    second = good(server, first, DEEP)["access_token"]
    server.cli("client", "disable", "mid")
    assert not server.is_active(first, API) and not server.is_active(second, API)


def test_a_race_with_the_end_leaves_nothing(server):
    for _ in range(3):
        issued = server.user_token(FRONT, ALICE, "read write")
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            asked = [pool.submit(exchange, server, issued["access_token"]) for _ in range(5)]
            assert pool.submit(server.revoke, issued["refresh_token"], FRONT).result().status == 200
        told = [one.result() for one in asked]
        assert all(answer.status in (200, 400) for answer in told), told
        assert not any(server.is_active(answer.json["access_token"], API)
                       for answer in told if answer.status == 200)
