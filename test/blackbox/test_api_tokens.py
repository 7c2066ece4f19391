"""Permanent tokens for scripts: /api/v1/tokens, as docs/api-tokens.md has it."""

import concurrent.futures
import json
import time

import pytest

from harness import ALICE, API, BOB, C1, UAUTH, bearer, short, wait_until
from person import Person
from token_people import OPEN, OWN_WORD, add_account, add_open_service, manager

ROOT = "/api/v1/tokens"
DAY_S = 86400
MEMBERS = ["id", "name", "scopes", "addresses", "cnf", "state", "created_at", "expires_at",
           "revoked_at", "last_used_at", "last_used_from", "replaced_by"]


@pytest.fixture(scope="module")
def jeton(module_server):
    return add_open_service(module_server())


class Caller:
    """Whoever calls the API with a token."""

    def __init__(self, jeton, token):
        self.jeton, self.token = jeton, token

    def call(self, method, path, value=None, headers=()):
        headers = list(headers)
        if self.token is not None:
            headers.append(("Authorization", "Bearer " + self.token))
        if value is not None and not any(name == "Content-Type" for name, _ in headers):
            headers.append(("Content-Type", "application/json"))
        if value is not None and not isinstance(value, (str, bytes)):
            value = json.dumps(value)
        answer = self.jeton.request(method, path, value, headers)
        if answer.status == 201:
            self.jeton.secrets.add(answer.json["token"])
        return answer

    def make(self, name="script", scopes=("see",), **more):
        answer = self.call("POST", ROOT, {"name": name, "scopes": list(scopes), **more})
        assert answer.status == 201, answer
        return answer.json

    def show(self, identity):
        return self.call("GET", f"{ROOT}/{identity}").json


@pytest.fixture
def user(jeton):
    return add_account(jeton)


@pytest.fixture
def caller(jeton, user):
    return Caller(jeton, manager(jeton, user))


def problem(answer, status, error, field=None):
    """RFC 9457: a problem of this kind, and nothing else; returns its members."""
    assert answer.status == status, answer
    assert answer.header("Content-Type") == "application/problem+json"
    assert answer.header("Cache-Control") == "no-store"
    members = json.loads(answer.body)
    assert members["status"] == status and members["title"] and members["error"] == error, members
    assert members.get("field") == field, members
    return members


# -- verbs ---------------------------------------------------------------------------------------

def test_make_show_list_rename_rotate_revoke(jeton, caller):
    now = time.time()
    made = caller.call("POST", ROOT, {"name": "ci", "scopes": ["see", OPEN[0]],
                                      "addresses": ["127.0.0.0/8"], "expires_in_days": 30})
    assert made.status == 201 and made.members == MEMBERS + ["token"], made
    body = made.json
    assert made.header("Location") == f"{ROOT}/{body['id']}"
    assert made.header("Cache-Control") == "no-store"
    assert body["name"] == "ci" and body["scopes"] == ["see", "service_id=" + OPEN[0]]
    assert body["addresses"] == ["127.0.0.0/8"] and body["state"] == "active"
    assert abs(body["created_at"] - now) < 60
    assert body["expires_at"] - body["created_at"] == 30 * DAY_S
    assert [body[name] for name in MEMBERS[8:]] == [None] * 4
    token = body.pop("token")
    assert caller.show(body["id"]) == body
    assert jeton.forward_auth(token, "?scope=see").status == 200
    introspected = jeton.post_form("/oauth2/introspect", {
        "token": token, "client_address": "127.0.0.1"}, client=OPEN).json
    assert introspected["active"] and introspected["jti"] == body["id"]

    listed = caller.call("GET", ROOT).json
    assert [each["name"] for each in listed["tokens"]] == ["ci", "manager"]
    assert listed["next"] is None and "token" not in listed["tokens"][0]

    renamed = caller.call("PATCH", f"{ROOT}/{body['id']}", {"name": " deploy "})
    assert renamed.status == 200 and renamed.json["name"] == "deploy"

    rotated = caller.call("POST", f"{ROOT}/{body['id']}/rotate")
    assert rotated.status == 201 and rotated.json["token"] != token
    assert rotated.json["name"] == "deploy" and rotated.json["scopes"] == body["scopes"]
    assert rotated.json["addresses"] == body["addresses"]
    old = caller.show(body["id"])
    assert old["state"] == "replaced" and old["replaced_by"] == rotated.json["id"]
    for value in (token, rotated.json["token"]):
        assert jeton.forward_auth(value, "?scope=see").status == 200

    ended = caller.call("DELETE", f"{ROOT}/{body['id']}")
    assert ended.status == 204 and ended.body == b"" and ended.header("Content-Type") is None
    assert jeton.forward_auth(token).status == 401
    old = caller.show(body["id"])
    assert old["state"] == "revoked" and abs(old["revoked_at"] - now) < 60
    assert caller.call("DELETE", f"{ROOT}/{body['id']}").status == 204, "again is fine"


def test_pages_and_api_show_the_same_tokens(jeton, user, caller):
    body = caller.make("by the api")
    person = Person(jeton).sign_in(user).open("/tokens")
    assert "by the api" in person.text_of("token-1") and "manager" in person.text_of("token-2")
    person.press("revoke-1").press("ok")
    assert caller.show(body["id"])["state"] == "revoked"


def test_last_use_is_told(jeton, caller):
    body = caller.make()
    assert jeton.forward_auth(body["token"], source="127.0.0.9").status == 200
    shown = wait_until(lambda: caller.show(body["id"])["last_used_at"] and caller.show(body["id"]),
                       20, "the last use")
    assert abs(shown["last_used_at"] - time.time()) < 60 and shown["last_used_from"] == "127.0.0.9"


def test_list_is_paged_newest_first(jeton, caller):
    made = [caller.make(f"n{number}")["id"] for number in range(45)]
    seen, path = [], ROOT
    while path:
        page = caller.call("GET", path).json
        assert 0 < len(page["tokens"]) <= 20
        seen += [each["id"] for each in page["tokens"]]
        path = page["next"]
    assert seen[:-1] == made[::-1] and len(set(seen)) == 46


@pytest.mark.parametrize("query", ["?before=", "?before=x", "?before=1", "?after=1",
                                   "?before=a&b=c", "?before=a&before=b", "?%zz"])
def test_malformed_query_is_refused(caller, query):
    problem(caller.call("GET", ROOT + query), 400, "invalid_request")


# -- how long ------------------------------------------------------------------------------------

def test_expiry(caller):
    assert caller.make()["expires_at"] - time.time() > 89 * DAY_S
    assert caller.make(expires_in_days=None)["expires_at"] is None
    assert caller.make(expires_at=None)["expires_at"] is None
    at = int(time.time()) + 1000
    assert abs(caller.make(expires_at=at)["expires_at"] - at) <= 1
    assert caller.make(expires_in_days=1)["state"] == "expires_soon"


@pytest.mark.parametrize("more, field", [
    ({"expires_in_days": 0}, "expires_in_days"), ({"expires_in_days": -1}, "expires_in_days"),
    ({"expires_in_days": 36501}, "expires_in_days"), ({"expires_in_days": 1.5}, "expires_in_days"),
    ({"expires_in_days": "30"}, "expires_in_days"), ({"expires_in_days": True}, "expires_in_days"),
    ({"expires_in_days": 9223372036854775807}, "expires_in_days"),
    ({"expires_at": 1}, "expires_at"), ({"expires_at": "tomorrow"}, "expires_at"),
    ({"expires_at": -9223372036854775807}, "expires_at"),
    ({"expires_at": 9223372036854775807}, "expires_at"),
    ({"expires_in_days": 1, "expires_at": None}, "expires_at"),
], ids=short)
def test_wrong_expiry_is_refused(caller, more, field):
    answer = caller.call("POST", ROOT, {"name": "n", "scopes": ["see"], **more})
    problem(answer, 422, "invalid_field", field)


def test_policy_holds_for_the_api(new_server):
    jeton = new_server(args=["--permanent-lifetime-max", "10"])
    caller = Caller(jeton, manager(jeton, ALICE))
    body = caller.make(scopes=(UAUTH,))
    assert body["expires_at"] - body["created_at"] == 10 * DAY_S
    for more in ({"expires_in_days": 11}, {"expires_in_days": None}, {"expires_at": None},
                 {"expires_at": int(time.time()) + 10 * DAY_S + 100}):
        answer = caller.call("POST", ROOT, {"name": "n", "scopes": [UAUTH], **more})
        problem(answer, 422, "invalid_field", "expires_in_days")


def test_a_rotation_is_held_to_the_policy_of_today(new_server):
    """By the API and in the pages; the reason is said, and the old token stays as it is."""
    jeton = new_server()
    caller = Caller(jeton, manager(jeton, ALICE))
    endless, month, week = (caller.make(scopes=(UAUTH,), name=name, expires_in_days=days)
                            for name, days in (("endless", None), ("month", 30), ("week", 7)))
    jeton.stop()
    jeton.args = ["--permanent-lifetime-max", "10"]
    jeton.start()
    for body in (endless, month):
        answer = caller.call("POST", f"{ROOT}/{body['id']}/rotate")
        problem(answer, 422, "invalid_field", "expires_in_days")
        assert caller.show(body["id"])["replaced_by"] is None
    assert caller.call("POST", f"{ROOT}/{week['id']}/rotate").status == 201
    person = Person(jeton).sign_in(ALICE).open("/tokens")
    row, = [n for n in range(1, 6) if person.has(f"token-{n}")
            and person.text_of(f"token-{n}").startswith("month")]
    person.press(f"rotate-{row}").press("rotate")
    assert person.status == 422 and "at most 10 days" in person.text, person.text
    assert caller.show(month["id"])["state"] == "active"


def test_expired_token_shows_as_expired(faked_time):
    jeton, set_time = faked_time
    add_open_service(jeton)
    caller = Caller(jeton, manager(jeton, ALICE, lifetime="365"))
    body = caller.make(expires_in_days=2)
    set_time(2 * DAY_S + 60)
    wait_until(lambda: caller.show(body["id"])["state"] == "expired", 20, "expired")
    assert jeton.forward_auth(body["token"]).status == 401
    problem(caller.call("POST", f"{ROOT}/{body['id']}/rotate"), 409, "not_active")


# -- what is wrong -------------------------------------------------------------------------------

@pytest.mark.parametrize("change, field, value", [
    ({"name": None}, "name", None), ({"name": 7}, "name", None), ({"name": ""}, "name", None),
    ({"name": "n" * 101}, "name", None), ({"name": "a\nb"}, "name", None),
    ({"scopes": []}, "scopes", None), ({"scopes": "see"}, "scopes", None),
    ({"scopes": ["see touch"]}, "scopes", None), ({"scopes": [1]}, "scopes", None),
    ({"scopes": [""]}, "scopes", None), ({"scopes": ["w"] * 129}, "scopes", None),
    ({"scopes": ["x" * 5000]}, "scopes", None),
    ({"scopes": ["see", "nowhere"]}, "scopes", "nowhere"),
    ({"scopes": ["closed"]}, "scopes", "closed"),
    ({"scopes": ["service_id=" + API[0]]}, "scopes", API[0]),
    ({"scopes": [OWN_WORD]}, "scopes", OWN_WORD),
    ({"scopes": ["see", OWN_WORD]}, "scopes", OWN_WORD),
    ({"addresses": ["10.0.0.0/33"]}, "addresses", "10.0.0.0/33"),
    ({"addresses": ["10.0.0.1/8"]}, "addresses", "10.0.0.0/8"),
    ({"addresses": ["here"]}, "addresses", "here"), ({"addresses": "10.0.0.1"}, "addresses", None),
    ({"addresses": ["10.0.0.1"] * 65}, "addresses", None), ({"addresses": {}}, "addresses", None),
], ids=short)
def test_wrong_member_is_named(caller, change, field, value):
    answer = caller.call("POST", ROOT, {"name": "n", "scopes": ["see"], **change})
    members = problem(answer, 422, "invalid_field", field)
    assert members["detail"]
    if value is not None:
        assert members["value"] == value
    assert len(caller.call("GET", ROOT).json["tokens"]) == 1


def test_unknown_member_is_refused(caller):
    """A slip in a name must not make a token without limits."""
    for member in ("adresses", "scope", "admin", "", "name scopes"):
        answer = caller.call("POST", ROOT, {"name": "n", "scopes": ["see"], member: ["10.0.0.1"]})
        assert json.loads(answer.body).get("value", "") == member
        assert answer.status == 422, answer
    identity = caller.make()["id"]
    assert caller.call("PATCH", f"{ROOT}/{identity}", {"scopes": ["touch"]}).status == 422
    assert caller.show(identity)["scopes"] == ["see"]


@pytest.mark.parametrize("body", ["", "null", "[]", "{", "\"name\"", "{}x", b"\xff", "[" * 3000,
                                  '{"name":"a","name":"b","scopes":["see"]}',
                                  '{"name":"\\ud800","scopes":["see"]}'], ids=short)
def test_malformed_json_is_refused(caller, body):
    problem(caller.call("POST", ROOT, body), 400, "invalid_request")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded",
                                          "multipart/form-data", "application/jsonx"])
def test_other_media_types_are_refused(caller, content_type):
    """Those that a page of another site can send without being asked about it."""
    answer = caller.call("POST", ROOT, '{"name":"n","scopes":["see"]}',
                         [("Content-Type", content_type)])
    problem(answer, 415, "unsupported_media_type")
    assert len(caller.call("GET", ROOT).json["tokens"]) == 1


def test_wrong_methods_name_the_right_ones(caller):
    identity = caller.make()["id"]
    for path, method, allowed in [
            (ROOT, "DELETE", "GET, HEAD, POST"), (ROOT, "PUT", "GET, HEAD, POST"),
            (f"{ROOT}/{identity}", "POST", "GET, HEAD, PATCH, DELETE"),
            (f"{ROOT}/{identity}", "PUT", "GET, HEAD, PATCH, DELETE"),
            (f"{ROOT}/{identity}/rotate", "GET", "POST")]:
        answer = caller.call(method, path)
        problem(answer, 405, "method_not_allowed")
        assert answer.header("Allow") == allowed
    assert caller.call("HEAD", ROOT).status == 200


@pytest.mark.parametrize("identity", ["1", "0", "-1", "x", "A" * 22, "a/b", "", "..", "%41",
                                      "A" * 500, "00000000-0000-0000-0000-000000000000"], ids=short)
def test_unknown_ids_are_not_found(caller, identity):
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate")):
        value = {"name": "x"} if method == "PATCH" else None
        problem(caller.call(method, f"{ROOT}/{identity}{path}", value), 404, "not_found")


def test_ids_of_other_accounts_are_not_found(jeton, caller):
    """Fault class 26."""
    body = caller.make()
    other = Caller(jeton, manager(jeton, BOB))
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate")):
        value = {"name": "stolen"} if method == "PATCH" else None
        problem(other.call(method, f"{ROOT}/{body['id']}{path}", value), 404, "not_found")
    problem(other.call("GET", f"{ROOT}?before={body['id']}"), 400, "invalid_request")
    assert jeton.forward_auth(body["token"]).status == 200
    assert caller.show(body["id"])["name"] == "script"


def test_ids_of_tokens_that_are_not_permanent_are_not_found(jeton, caller, user):
    token = jeton.post_form("/oauth2/token", {
        "grant_type": "password", "username": user[0], "password": user[1],
        "scope": "service_id=" + OPEN[0]}).json["access_token"]
    identity = jeton.introspect(token, OPEN).json["jti"]
    problem(caller.call("DELETE", f"{ROOT}/{identity}"), 404, "not_found")
    assert jeton.is_active(token, OPEN)


# -- who may -------------------------------------------------------------------------------------

def test_calls_without_a_good_token(jeton, caller, user):
    """RFC 6750 3: a challenge, and no error code where no token was sent."""
    body = caller.make()
    for token, status, error, challenge in [
            (None, 401, "invalid_token", 'Bearer realm="jeton"'),
            ("nonsense", 401, "invalid_token", 'Bearer realm="jeton", error="invalid_token", '
             'error_description="the token is not active"'),
            ("a b", 401, "invalid_token", 'Bearer realm="jeton", error="invalid_token", '
             'error_description="the token is malformed"'),
            (body["token"], 403, "insufficient_scope",
             'Bearer realm="jeton", error="insufficient_scope", '
             'error_description="the token lacks a required scope", scope="jeton:tokens"')]:
        for method, path in (("GET", ROOT), ("POST", ROOT), ("DELETE", f"{ROOT}/{body['id']}"),
                             ("POST", f"{ROOT}/{body['id']}/rotate")):
            answer = Caller(jeton, token).call(method, path)
            problem(answer, status, error)
            assert answer.header("WWW-Authenticate") == challenge, (token, method)
    assert jeton.forward_auth(body["token"]).status == 200


def test_cookie_of_a_browser_opens_nothing(jeton, user):
    """So no page can call in its visitor's name."""
    person = Person(jeton).sign_in(user)
    cookie = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
    for method, value in (("GET", None), ("POST", '{"name":"n","scopes":["see"]}')):
        answer = jeton.request(method, ROOT, value,
                               [("Cookie", cookie), ("Content-Type", "application/json")])
        problem(answer, 401, "invalid_token")
    answer = jeton.request("OPTIONS", ROOT, None, [("Origin", "https://pages.example"),
                                                   ("Access-Control-Request-Method", "POST")])
    assert answer.header("Access-Control-Allow-Origin") is None


def test_scope_word_of_another_audience_is_not_enough(jeton, caller):
    """A service that owns the word, or a token that a service sees, too, opens nothing here."""
    jeton.add_client("confused", "a-confused-client-secret-5Vx8", "--grant", "password",
                     "--service", API[0], "--scope", OWN_WORD)
    client = ("confused", "a-confused-client-secret-5Vx8")
    mixed = jeton.user_token(client, ALICE, "read " + OWN_WORD)["access_token"]
    problem(Caller(jeton, mixed).call("GET", ROOT), 401, "invalid_token")
    alone = jeton.user_token(client, ALICE, OWN_WORD)["access_token"]
    assert Caller(jeton, alone).call("GET", ROOT).status == 200


def test_client_without_a_user_opens_nothing(jeton):
    jeton.add_client("machine", "a-machine-client-secret-7Hq3", "--grant", "client_credentials",
                     "--scope", OWN_WORD)
    token = jeton.client_token(("machine", "a-machine-client-secret-7Hq3"), OWN_WORD)
    problem(Caller(jeton, token["access_token"]).call("GET", ROOT), 401, "invalid_token")
    token = jeton.client_token(C1, "read")["access_token"]
    problem(Caller(jeton, token).call("GET", ROOT), 403, "insufficient_scope")


def test_revoked_manager_is_refused_at_once(jeton, user, caller):
    body = caller.make()
    own = next(each["id"] for each in caller.call("GET", ROOT).json["tokens"]
               if each["name"] == "manager")
    assert caller.call("DELETE", f"{ROOT}/{own}").status == 204
    problem(caller.call("GET", ROOT), 401, "invalid_token")
    assert jeton.forward_auth(body["token"]).status == 200, "what it made lives on"


def test_manager_cannot_renew_itself(jeton, caller):
    own = next(each for each in caller.call("GET", ROOT).json["tokens"]
               if each["name"] == "manager")
    assert own["scopes"] == [OWN_WORD]
    problem(caller.call("POST", f"{ROOT}/{own['id']}/rotate"), 403, "forbidden")
    assert len(caller.call("GET", ROOT).json["tokens"]) == 1


def test_manager_is_bound_to_its_addresses(jeton, user):
    caller = Caller(jeton, manager(jeton, user, addresses="127.0.0.7"))
    problem(caller.call("GET", ROOT), 401, "invalid_token")
    assert jeton.get(ROOT, bearer(caller.token), source="127.0.0.7").status == 200


def test_disabled_account_is_refused(jeton, user, caller):
    jeton.cli("user", "disable", user[0])
    problem(caller.call("GET", ROOT), 401, "invalid_token")


# -- at once -------------------------------------------------------------------------------------

def test_rotations_at_once_make_one_successor(caller):
    identity = caller.make()["id"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: caller.call("POST", f"{ROOT}/{identity}/rotate"),
                                range(16)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 15
    for answer in answers:
        if answer.status == 409:
            problem(answer, 409, "replaced_already")
    assert len(caller.call("GET", ROOT).json["tokens"]) == 3


def test_an_operator_is_told_from_where_a_token_is_good(jeton, caller):
    token = caller.make(addresses=["10.0.0.0/8", "2001:db8::/32"])["token"]

    def explain(address):
        return jeton.cli("token", "explain", "--address", address, stdin=token).out

    for address in ("10.1.2.3", "2001:db8::7"):
        assert "active    yes" in explain(address), address
    for address in ("192.0.2.1", "2001:db9::7"):
        out = explain(address)
        assert f"because   it may not be used from {address}\n" in out, out
        assert "active    no" in out
