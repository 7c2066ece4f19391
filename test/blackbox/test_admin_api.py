"""Administration by programs: /api/v1/admin, as docs/api-admin.md has it."""

import concurrent.futures
import json
import pathlib
import re
import subprocess
import time
import urllib.parse

import pytest

from dpop import Holder
from harness import ALICE, API, BOB, C1, CC, ROOT as TREE, UAUTH, basic
from person import Person
from token_people import make, manager

ROOT = "/api/v1/admin"
ADMIN = ("chief", "the password of an administrator 7")
WORDS = ("jeton:admin", "jeton:admin:read")
ROBOT = ("robot", "the secret of a machine that administers 5")
NUMBER = iter(range(10 ** 6))


@pytest.fixture(scope="module")
def jeton(module_server):
    server = module_server()
    server.add_user(*ADMIN, "--admin")
    server.add_client(*ROBOT, "--grant", "client_credentials", "--scope", " ".join(WORDS))
    return server


class Caller:
    """A program with a token."""

    def __init__(self, jeton, token):
        self.jeton, self.token = jeton, token

    def __call__(self, method, path, value=None, **headers):
        lines = [("Authorization", "Bearer " + self.token)] if self.token else []
        lines += [(name.replace("_", "-"), text) for name, text in headers.items()]
        if value is not None and "Content_Type" not in headers:
            lines.append(("Content-Type", "application/json"))
        if value is not None and not isinstance(value, (str, bytes)):
            value = json.dumps(value)
        answer = self.jeton.request(method, ROOT + path, value, lines)
        if answer.status in (200, 201) and b'"secret"' in answer.body:
            self.jeton.secrets.add(answer.json["secret"])
        return answer


def robot_token(jeton, scope=WORDS[0]):
    return jeton.client_token(ROBOT, scope)["access_token"]


@pytest.fixture
def robot(jeton):
    return Caller(jeton, robot_token(jeton))


@pytest.fixture
def name():
    return f"made{next(NUMBER)}"


def good(answer, status=200):
    assert answer.status == status, answer
    assert answer.header("Cache-Control") == "no-store"
    return answer.json


def problem(answer, status, error, field=None):
    """RFC 9457: a problem of this kind, and nothing else."""
    assert answer.status == status, answer
    assert answer.header("Content-Type") == "application/problem+json"
    assert answer.header("Cache-Control") == "no-store"
    members = json.loads(answer.body)
    assert members["status"] == status and members["title"] and members["error"] == error, members
    assert members.get("field") == field, members


def pages_of(call, path):
    """All items of a list, page by page."""
    items, next_path = [], path
    while next_path:
        answer = call("GET", next_path)
        page = good(answer)
        items += page["items"]
        link = answer.header("Link")
        assert link == (f'<{page["next"]}>; rel="next"' if page["next"] else None)  # RFC 8288 3
        next_path = page["next"][len(ROOT):] if page["next"] else None
    return items


def events(jeton, **wanted):
    lines = jeton.cli("audit", "export", "--last", "80").out.splitlines()
    return [event for event in map(json.loads, lines)
            if all(event.get(member) == value for member, value in wanted.items())]


# -- who may call --------------------------------------------------------------------------------

def test_without_a_token_nothing(jeton):
    for path in ("/accounts", "/keys/rotate", "/accounts/1/unlock"):
        answer = Caller(jeton, None)("POST", path, {})
        problem(answer, 401, "invalid_token")
        assert answer.header("WWW-Authenticate").startswith("Bearer")
    assert jeton.request("OPTIONS", ROOT + "/accounts",
                         headers=[("Origin", "https://x.example")]).header(
                             "Access-Control-Allow-Origin") is None


def test_cookies_are_not_looked_at(jeton):
    person = Person(jeton).sign_in(ADMIN)
    answer = jeton.request("GET", ROOT + "/accounts", headers=[
        ("Cookie", "; ".join(f"{key}={value}" for key, value in person.cookies.items()))])
    problem(answer, 401, "invalid_token")


def test_scope_decides(jeton, robot, name):
    reader = Caller(jeton, robot_token(jeton, WORDS[1]))
    good(reader("GET", "/accounts"))
    good(reader("GET", "/events"))
    for method, path, body in (("POST", "/accounts", {"name": name}),
                               ("PATCH", "/clients/robot", {}),
                               ("DELETE", "/accounts/1/sessions", None),
                               ("POST", "/tokens/lookup", {"token": "x"})):
        answer = reader(method, path, body)
        problem(answer, 403, "insufficient_scope")
        assert 'scope="jeton:admin"' in answer.header("WWW-Authenticate")
    for_a_service = jeton.client_token(C1, "read")["access_token"]
    other = Caller(jeton, for_a_service)
    problem(other("GET", "/accounts"), 401, "invalid_token")


def test_scope_comes_by_name_alone(jeton):
    """No default, not for people, not for who registers itself."""
    plain = jeton.token({"grant_type": "client_credentials"}, client=ROBOT)
    assert "jeton:admin" not in plain.json.get("scope", ""), plain
    problem(Caller(jeton, plain.json["access_token"])("GET", "/server"), 403, "insufficient_scope")
    assert jeton.token({"grant_type": "client_credentials", "scope": WORDS[0]},
                       client=CC).error == "invalid_scope"
    mixed = ("mixed", "a secret for a client of people 5")
    jeton.add_client(*mixed, "--grant", "password", "--grant", "refresh_token", "--scope", WORDS[0],
                     "--service", API[0])
    for user in (ALICE, ADMIN):
        answer = jeton.token({"grant_type": "password", "username": user[0], "password": user[1],
                              "scope": WORDS[0]}, client=mixed)
        assert answer.error == "invalid_scope", answer
    assert WORDS[0] not in json.dumps(jeton.get("/.well-known/oauth-authorization-server").json)


def test_permanent_token_of_an_administrator(jeton):
    person = Person(jeton).sign_in(ADMIN)
    call = Caller(jeton, make(person, "tool", (WORDS[0],)))
    good(call("GET", "/server"))
    me = next(one for one in pages_of(call, "/accounts?q=chief") if one["name"] == "chief")
    problem(call("PATCH", f"/accounts/{me['id']}", {"disabled": True}), 403, "forbidden")
    problem(call("PATCH", f"/accounts/{me['id']}", {"admin": False}), 403, "forbidden")
    token = next(one for one in pages_of(call, f"/accounts/{me['id']}/tokens")
                 if one["name"] == "tool")
    assert token["scopes"] == [WORDS[0]]
    assert call("DELETE", "/tokens/" + token["id"]).status == 204
    problem(call("GET", "/server"), 401, "invalid_token")


def test_nobody_else_gets_one(jeton):
    person = Person(jeton).sign_in(ALICE)
    person.open("/tokens/new").fill("token-name", "no").fill("token-scope", WORDS[0])
    person.press("add-scope")
    if person.status == 200:
        person.press("create-token")
    assert person.status == 422, person.text
    owner = manager(jeton, ADMIN)
    body = json.dumps({"name": "x", "scopes": [WORDS[0]]})
    answer = jeton.request("POST", "/api/v1/tokens", body,
                           [("Authorization", "Bearer " + owner),
                            ("Content-Type", "application/json")])
    problem(answer, 422, "invalid_field", "scopes")


def test_an_administrator_no_more(jeton, robot):
    user = ("deputy", "the password of a deputy, long 8")
    jeton.add_user(*user, "--admin")
    call = Caller(jeton, make(Person(jeton).sign_in(user), "tool", (WORDS[1],)))
    good(call("GET", "/server"))
    identity = pages_of(robot, "/accounts?q=deputy")[0]["id"]
    good(robot("PATCH", f"/accounts/{identity}", {"admin": False}))
    problem(call("GET", "/server"), 403, "insufficient_scope")
    good(robot("PATCH", f"/accounts/{identity}", {"admin": True}))
    good(call("GET", "/server"))
    good(robot("PATCH", f"/accounts/{identity}", {"disabled": True}))
    problem(call("GET", "/server"), 401, "invalid_token")


def test_bound_token_needs_its_key(jeton):
    holder = Holder(jeton)
    token = holder.client_token(ROBOT, WORDS[0])
    assert holder.use("GET", ROOT + "/server", token).status == 200
    made = holder.use("POST", ROOT + "/accounts", token, json.dumps(
        {"name": "bound", "password": "a password that is long enough 3"}),
        [("Content-Type", "application/json")])
    assert made.status == 201, made
    problem(Caller(jeton, token)("GET", "/server"), 401, "invalid_token")


def test_methods_are_told(robot):
    answer = robot("DELETE", "/accounts")
    problem(answer, 405, "method_not_allowed")
    assert answer.header("Allow") == "GET, HEAD, POST"
    assert robot("HEAD", "/accounts").status == 200


# -- accounts ------------------------------------------------------------------------------------

def test_account_from_its_making_to_its_end(jeton, robot, name):
    password = "the first password of this one 4"
    jeton.secrets.add(password)
    made = robot("POST", "/accounts", {"name": name, "full_name": "Some One", "password": password,
                                       "email": f"{name}@mail.example"})
    body = good(made, 201)
    place = made.header("Location")[len(ROOT):]
    assert place == "/accounts/" + body["id"] and body["has_password"] and not body["admin"]
    shown = robot("GET", place)
    assert good(shown) == body and shown.header("ETag") == made.header("ETag")
    assert jeton.user_token(C1, (name, password), "read")

    changed = robot("PATCH", place, {"full_name": None, "admin": True},
                    If_Match=shown.header("ETag"))
    assert good(changed)["full_name"] == "" and changed.json["admin"]
    problem(robot("PATCH", place, {"admin": False}, If_Match=shown.header("ETag")), 412,
            "changed_meanwhile")
    person = Person(jeton).sign_in((name, password))
    assert [one["kind"] for one in pages_of(robot, place + "/sessions")] == ["browser"]
    assert [one["client"] for one in pages_of(robot, place + "/grants")] == [C1[0]]
    assert robot("DELETE", place + "/sessions").status == 204
    assert pages_of(robot, place + "/sessions") == []
    assert person.open("/account").path.startswith("/sign-in")
    # RFC 9110 8.8.3.2: a weak one is never the same.
    now = robot("GET", place).header("ETag")
    problem(robot("PATCH", place, {"admin": False}, If_Match="W/" + now), 412,
            "changed_meanwhile")
    assert robot("PATCH", place, {"admin": False}, If_Match=f'"other", {now}').status == 200

    second = "the second password of this one 5"
    jeton.secrets.add(second)
    good(robot("PATCH", place, {"password": second}))
    token = jeton.user_token(C1, (name, second), "read")["access_token"]
    problem(robot("DELETE", place + "/grants?client="), 404, "not_found")
    assert jeton.is_active(token, API)
    assert robot("DELETE", place + "/grants").status == 204
    assert not jeton.is_active(token, API)
    assert robot("POST", place + "/unlock").status == 204
    assert robot("DELETE", place + "/factors").status == 204

    for _ in range(2):
        assert good(robot("PATCH", place, {"disabled": True}))["disabled"]
    assert jeton.token({"grant_type": "password", "username": name, "password": second},
                       client=C1).status == 400
    assert not good(robot("PATCH", place, {"disabled": False}))["disabled"]
    assert jeton.user_token(C1, (name, second), "read")
    told = [event["detail"] for event in events(jeton, account=name)
            if "by client robot by the API" in event.get("detail", "")]
    assert any("disabled" in detail for detail in told) and any("added" in one for one in told)


def test_account_that_is_wrong(robot, name):
    long = "a password that is long enough 3"
    for body, field in (({}, "name"), ({"name": "a:b", "password": long}, "name"),
                        ({"name": ALICE[0], "password": long}, "name"),
                        ({"name": name}, "password"),
                        ({"name": name, "password": "short"}, "password"),
                        ({"name": name, "password": long, "email": "no address"}, "email"),
                        ({"name": name, "password": 7}, "password"),
                        ({"name": name, "password": long, "admin": "yes"}, "admin"),
                        ({"name": name, "password": long, "full_name": 1}, "full_name"),
                        ({"name": name, "password": long, "disabled": True}, "disabled"),
                        ({"name": name, "password": long, "id": "7"}, None)):
        problem(robot("POST", "/accounts", body), 422, "invalid_field", field)
    problem(robot("POST", "/accounts", "[]"), 400, "invalid_request")
    problem(robot("POST", "/accounts", "{"), 400, "invalid_request")
    problem(robot("POST", "/accounts", "{}", Content_Type="text/plain"), 415,
            "unsupported_media_type")
    for path in ("/accounts/999999999", "/accounts/x", "/accounts/%31%2F2"):
        problem(robot("GET", path), 404, "not_found")
    for query in ("limit=0", "limit=51", "limit=x", "after=x", "nope=1", "q=a&q=b"):
        assert robot("GET", "/accounts?" + query).status == 400, query


def test_a_known_address_is_one_account_s(jeton, robot, name):
    """By the API, the command line and the page: else a reset's mail would go to the older one."""
    long, email = "a password that is long enough 3", f"{name}@mail.example"
    made = {"name": name, "password": long, "email": email}
    good(robot("POST", "/accounts", made), 201)
    again = {**made, "name": name + "2", "email": email.upper()}
    problem(robot("POST", "/accounts", again), 422, "invalid_field", "email")
    told = jeton.cli("user", "add", name + "2", "--password-stdin", "--email", email,
                     stdin=long + "\n", status=1)
    assert "the address is another account's" in told.err
    assert name + "2" not in jeton.cli("user", "list").out
    good(robot("POST", "/accounts", {**again, "email": "2" + email}), 201)


def test_nobody_undoes_what_another_changes_at_the_same_time(jeton, robot, name):
    made = robot("POST", "/accounts", {"name": name, "password": "a password of many races 7"})
    place = made.header("Location")[len(ROOT):]
    etag = made.header("ETag")
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(
            lambda number: robot("PATCH", place, {"full_name": f"Racer {number}"}, If_Match=etag),
            range(12)))
    assert sorted(answer.status for answer in answers) == [200] + [412] * 11
    # Without a tag: what was answered 200 is there, whoever wrote another member meanwhile.
    for number in range(6):
        wanted = {"full_name": f"Full {number}", "email": f"{name}{number}@mail.example",
                  "disabled": number % 2 == 0, "admin": number % 3 == 0}
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda member: (member, robot("PATCH", place, dict([member]))),
                                 wanted.items()))
        now = good(robot("GET", place))
        for (member, value), answer in done:
            if answer.status == 200:
                assert now[member] == value, member
            else:
                problem(answer, 409, "changed_meanwhile")


def test_list_goes_on_while_others_come(jeton, robot):
    first = [f"list{number:02}" for number in range(12)]
    for user in first:
        jeton.cli("user", "add", user, "--password-stdin", stdin="a long password of many 6\n")
    page = good(robot("GET", "/accounts?q=list&limit=5"))
    seen = [one["name"] for one in page["items"]]
    jeton.cli("user", "add", "listnew", "--password-stdin", stdin="a long password of many 6\n")
    seen += [one["name"] for one in pages_of(robot, page["next"][len(ROOT):])]
    assert seen == first[::-1], "each once, and nothing that came later"


# -- services and clients ------------------------------------------------------------------------

def test_service_from_its_making_to_its_end(jeton, robot, name):
    made = robot("POST", "/services", {"id": name, "scopes": [name + ".see"], "lifetime_s": 60})
    body = good(made, 201)
    place = "/services/" + name
    assert made.header("Location") == ROOT + place and body["has_secret"] and body["name"] == name
    secret = body.pop("secret")
    assert good(robot("GET", place)) == body
    client = good(robot("POST", "/clients", {"id": name + "c", "services": [name],
                                             "grant_types": ["client_credentials"]}), 201)
    token = jeton.client_token((name + "c", client["secret"]), name + ".see")["access_token"]
    assert jeton.is_active(token, (name, secret))
    renewed = good(robot("POST", place + "/secret"))["secret"]
    assert jeton.is_active(token, (name, renewed))
    assert jeton.introspect(token, (name, secret)).status == 401
    assert good(robot("PATCH", place, {"name": "Nice", "format": "jwt", "alg": "EdDSA"}))["alg"] \
        == "EdDSA"
    assert good(robot("PATCH", place, {"disabled": True}))["disabled"]
    assert good(robot("GET", f"/tokens?q={name}c"))["items"][0]["state"] == "ended"
    good(robot("PATCH", place, {"disabled": False}))
    assert robot("DELETE", place + "/secret").status == 204
    assert not good(robot("GET", place))["has_secret"]
    plain = robot("POST", "/services", {"id": name + "2", "with_secret": False})
    assert "secret" not in good(plain, 201)
    for value, field in (({"id": name}, "id"), ({"id": ""}, "id"), ({"id": "a b"}, "id"),
                         ({"id": name + "3", "scopes": "see"}, "scopes"),
                         ({"id": name + "3", "scopes": ['"']}, "scopes"),
                         ({"id": name + "3", "scopes": ["read"]}, "scopes"),
                         ({"id": name + "3", "format": "jwe"}, "format"),
                         ({"id": name + "3", "lifetime_s": 0}, "lifetime_s"),
                         ({"id": name + "3", "lifetime_s": "60"}, "lifetime_s"),
                         ({"id": name + "3", "with_secret": 1}, "with_secret")):
        problem(robot("POST", "/services", value), 422, "invalid_field", field)


def test_client_from_its_making_to_its_end(jeton, robot, name):
    address, back = "app/" + name, "https://app.example/back"
    made = robot("POST", "/clients", {"id": address, "grant_types": ["authorization_code"],
                                      "redirect_uris": [back], "services": [API[0]],
                                      "metadata": {"jeton_trusted": True}})
    body = good(made, 201)
    place = made.header("Location")[len(ROOT):]
    assert place == "/clients/" + urllib.parse.quote(address, safe="")
    assert len(body.pop("secret")) == 43 and body["metadata"]["jeton_trusted"] is True
    assert good(robot("GET", place)) == body
    changed = good(robot("PATCH", place, {"grant_types": ["client_credentials"],
                                          "redirect_uris": None, "scopes": ["own"]}))
    assert changed["grant_types"] == ["client_credentials"] and changed["redirect_uris"] == []
    first = good(robot("POST", place + "/secret", {}))["secret"]
    second = good(robot("POST", place + "/secret", {"overlap_s": 600}))
    assert second["previous_secret_until"]
    token = jeton.client_token((address, first), "own")["access_token"]
    assert robot("DELETE", place + "/previous-secret").status == 204
    assert jeton.token({"grant_type": "client_credentials"}, client=(address, first)).status == 401
    assert robot("DELETE", place + "/grants").status == 204
    looked = robot("POST", "/tokens/lookup", {"token": token})
    assert good(looked)["state"] == "ended" and looked.json["client"] == address
    for name_then in ("Gone", "Gone for good"):
        body = good(robot("PATCH", place, {"disabled": True, "name": name_then}))
        assert body["disabled"] and body["name"] == name_then
    assert jeton.token({"grant_type": "client_credentials"},
                       client=(address, second["secret"])).status == 401
    assert not good(robot("PATCH", place, {"disabled": False}))["disabled"]
    assert jeton.client_token((address, second["secret"]), "own")
    for value, field in (({"id": C1[0], "grant_types": ["password"]}, "id"),
                         ({"id": name, "grant_types": ["implicit"]}, "grant_types"),
                         ({"id": name, "type": "secret"}, "type"),
                         ({"id": name, "type": "public", "auth_method": "client_secret_basic",
                           "grant_types": ["password"]}, "auth_method"),
                         ({"id": name, "grant_types": ["password"], "services": ["nobody"]},
                          "services"),
                         ({"id": name, "grant_types": ["authorization_code"],
                           "redirect_uris": ["javascript:x"]}, "redirect_uris"),
                         ({"id": name, "grant_types": ["password"], "metadata": []}, "metadata"),
                         ({"id": name, "grant_types": ["password"],
                           "metadata": {"jwks_uri": "x"}}, "metadata")):
        problem(robot("POST", "/clients", value), 422, "invalid_field", field)
    problem(robot("PATCH", place, {"type": "public"}), 422, "invalid_field", "type")
    problem(robot("POST", place + "/secret", {"overlap_s": -1}), 422, "invalid_field", "overlap_s")
    problem(robot("GET", "/clients/nobody"), 404, "not_found")


def test_built_in_client_stays(robot):
    shown = good(robot("GET", "/clients/public_client"))
    assert shown["built_in"] and shown["type"] == "public"
    assert good(robot("PATCH", "/clients/public_client", {"name": shown["name"]})) == shown
    problem(robot("POST", "/clients/public_client/secret", {}), 409, "conflict")


# -- tokens, events, keys, server ----------------------------------------------------------------

def test_tokens_are_found_and_revoked(jeton, robot):
    issued = jeton.user_token(C1, BOB, "read")
    jeton.secrets.update([issued["access_token"], issued["refresh_token"]])
    shown = good(robot("POST", "/tokens/lookup", {"token": issued["access_token"]}))
    assert (shown["kind"], shown["state"], shown["account"]) == ("access", "living", BOB[0])
    assert good(robot("GET", "/tokens/" + shown["id"])) == shown
    assert shown["id"] in [one["id"] for one in pages_of(robot, "/tokens?q=bob&limit=3")]
    assert robot("DELETE", "/tokens/" + shown["id"]).status == 204
    assert not jeton.is_active(issued["access_token"], API)
    assert good(robot("GET", "/tokens/" + shown["id"]))["state"] == "revoked"
    family = good(robot("POST", "/tokens/lookup", {"token": issued["refresh_token"]}))
    assert family["kind"] == "refresh" and robot("DELETE", "/tokens/" + family["id"]).status == 204
    assert jeton.refresh(issued["refresh_token"], C1).status == 400
    problem(robot("POST", "/tokens/lookup", {"token": "jta_nonsense"}), 404, "not_found")
    problem(robot("POST", "/tokens/lookup", {}), 422, "invalid_field", "token")
    problem(robot("GET", "/tokens?q=" + issued["access_token"]), 400, "invalid_request")


def test_events_are_filtered(robot):
    kinds = {one["kind"] for one in pages_of(robot, "/events?kind=token_issued&limit=50")}
    assert kinds == {"token_issued"}
    found = pages_of(robot, f"/events?client={ROBOT[0]}&address=127.0.0.1&limit=50")
    assert found and {one["client"] for one in found} == {ROBOT[0]}
    assert pages_of(robot, "/events?account=nobody") == []
    problem(robot("GET", "/events?kind=unknown"), 400, "invalid_request")
    problem(robot("GET", "/events?address=x"), 400, "invalid_request")


def test_events_of_a_time(robot, name):
    made = good(robot("POST", "/accounts", {"name": name, "password": "long enough for one 1"}),
                201)
    mine = f"/events?account={name}"
    [event] = pages_of(robot, mine)
    at, text = event["at"], time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(event["at"]))
    assert made["created_at"] <= at
    for wanted in (f"&since={at}", f"&until={at}", f"&since={text}&until={text}",
                   f"&since={at - 5}&until={at + 5}"):
        assert pages_of(robot, mine + wanted) == [event], wanted
    for wanted in (f"&since={at + 1}", f"&until={at - 1}", "&until=1", f"&since={at + 9}&until=9"):
        assert pages_of(robot, mine + wanted) == [], wanted
    for wrong in ("since=yesterday", "until=2026-02-31T00:00:00Z", "since=-1"):
        problem(robot("GET", "/events?" + wrong), 400, "invalid_request")


def test_one_of_many_changes_at_once_wins(robot, name):
    """RFC 9110 13.1.1: what If-Match names is compared and changed in one."""
    shown = robot("POST", "/accounts", {"name": name, "password": "long enough for one 1"})
    place = f"/accounts/{good(shown, 201)['id']}"
    for kind in ("full_name", "disabled", "full_name"):
        tag = robot("GET", place).header("ETag")
        values = [{"full_name": f"Number {kind} {n} {tag}"} if kind == "full_name"
                  else {"disabled": True} for n in range(16)]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda value: robot("PATCH", place, value, If_Match=tag),
                                    values))
        assert sorted(answer.status for answer in answers) == [200] + 15 * [412], answers
        won = next(answer for answer in answers if answer.status == 200)
        assert good(robot("GET", place)) == won.json


def test_keys_follow_one_another(jeton, robot):
    jeton.user_token(C1, ALICE, "jread")
    before = good(robot("GET", "/keys"))["items"]
    after = good(robot("POST", "/keys/rotate"))["items"]
    assert len(after) > len(before) and {one["id"] for one in before} < {one["id"] for one in after}


def test_server_says_what_it_is(jeton, robot):
    body = good(robot("GET", "/server"))
    assert body["issuer"] == jeton.get("/.well-known/oauth-authorization-server").json["issuer"]
    assert body["version"] in jeton.cli("--version", data=False).out
    assert body["ready"] is True and body["tokens_issued"]["client_credentials"] > 0


# -- Idempotency-Key -----------------------------------------------------------------------------

def test_the_same_key_gets_the_same_answer(jeton, robot, name):
    body = {"id": name, "grant_types": ["client_credentials"], "scopes": ["own"]}
    first = robot("POST", "/clients", body, Idempotency_Key='"one-%s"' % name)
    again = robot("POST", "/clients", body, Idempotency_Key='"one-%s"' % name)
    assert good(first, 201) == good(again, 201)
    for header in ("Location", "ETag", "Content-Type"):
        assert first.header(header) == again.header(header) is not None
    assert jeton.client_token((name, first.json["secret"]), "own")
    assert len([one for one in events(jeton, client=name) if "added" in one.get("detail", "")]) == 1
    other = robot("POST", "/clients", {**body, "name": "x"}, Idempotency_Key='"one-%s"' % name)
    problem(other, 422, "idempotency_key_reused")
    wrong = {"id": name, "grant_types": []}
    for _ in range(2):
        problem(robot("POST", "/clients", wrong, Idempotency_Key='"two-%s"' % name), 422,
                "invalid_field", "grant_types")
    for key in ('""', '"a"b"', "x" * 256):
        problem(robot("POST", "/clients", body, Idempotency_Key=key), 400, "invalid_request")


def test_a_key_is_its_callers(jeton, robot, name):
    other = (name + "r", "a secret for another machine 55")
    jeton.add_client(*other, "--grant", "client_credentials", "--scope", WORDS[0])
    call = Caller(jeton, jeton.client_token(other, WORDS[0])["access_token"])
    body = {"id": name, "with_secret": False}
    good(robot("POST", "/services", body, Idempotency_Key='"%s"' % name), 201)
    problem(call("POST", "/services", body, Idempotency_Key='"%s"' % name), 422, "invalid_field",
            "id")


def test_at_once_it_is_done_once(jeton, robot, name):
    body = {"id": name, "grant_types": ["client_credentials"]}

    def ask(_):
        return robot("POST", "/clients", body, Idempotency_Key='"once-%s"' % name)

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(ask, range(32)))
    assert {answer.status for answer in answers} <= {201, 409}
    assert len({answer.json["secret"] for answer in answers if answer.status == 201}) == 1
    for answer in answers:
        if answer.status == 409:
            problem(answer, 409, "under_way")
    assert ask(0).status == 201
    assert len([one for one in events(jeton, client=name) if "added" in one.get("detail", "")]) == 1


def test_what_is_kept_of_an_answer_is_sealed(jeton, robot, name):
    secret = good(robot("POST", "/clients", {"id": name, "grant_types": ["client_credentials"]},
                        Idempotency_Key='"sealed-%s"' % name), 201)["secret"]
    for place, content in jeton.stored():
        content = content if isinstance(content, bytes) else str(content).encode()
        for form in (secret, secret.encode().hex()):
            assert form.encode() not in content, place


def test_a_request_that_was_cut_off_is_not_done_again(jeton, robot, name):
    body = {"id": name, "with_secret": False}
    key = '"cut-%s"' % name
    good(robot("POST", "/services", body, Idempotency_Key=key), 201)
    last = jeton.query("SELECT max(id) FROM answered")[0]
    number = last[0] if isinstance(last, (list, tuple)) else last
    jeton.query(f"UPDATE answered SET status = 0 WHERE id = {number}")
    problem(robot("POST", "/services", body, Idempotency_Key=key), 409, "under_way")


# -- the document --------------------------------------------------------------------------------

def test_examples_of_the_document_work(jeton, tmp_path):
    """docs/api-admin.md, its calls one after the other."""
    text = (pathlib.Path(TREE) / "docs/api-admin.md").read_text()
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S))
    assert script.count("curl ") >= 5
    environment = {"PATH": "/usr/bin:/bin", "SERVER": f"http://127.0.0.1:{jeton.port}",
                   "CLIENT": ":".join(ROBOT), "PERSON": BOB[0], "HOME": str(tmp_path)}
    person = Person(jeton).sign_in(BOB)
    done = subprocess.run(["/bin/bash", "-eu", "-o", "pipefail", "-c", script], cwd=tmp_path,
                          env=environment, text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    jeton.secrets.update(re.findall(r'"secret":"([^"]+)"', done.stdout))
    assert '"id":"reports"' in done.stdout and '"next":' in done.stdout
    assert person.open("/account").path.startswith("/sign-in")
    assert robot_token(jeton) and basic(*ROBOT) and UAUTH


def test_page_for_people(jeton):
    answer = jeton.get("/api", headers=[("Accept", "text/html"), ("Accept-Language", "de")])
    text = answer.body.decode()
    assert answer.status == 200 and "/api/v1/admin/accounts/{id}" in text
    for path in jeton.get("/openapi.json").json["paths"]:
        assert path in text, path
