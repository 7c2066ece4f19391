"""What /api/v1/admin does to sign-ins one by one: sessions, second factors, recovery codes; and the
mails that wait, the checkpoints, and who owns what.
"""

import json
import urllib.parse

import pytest

from harness import ALICE, BOB, C1, UAUTH_SERVICE, uauth_form, wait_until
from person import Person
from smtp_server import SmtpServer
from spectrum_calls import session_token, use
from test_admin_api import ADMIN, ROBOT, ROOT, WORDS, Caller, events, good, pages_of, problem
from threedm_calls import totp

UNKNOWN = ("999999999-1", "1-999999999", "x", "1", "-", "1-", "-1", "1-x", "1-2-3",
           "1-9223372036854775807", "1%2D2")


@pytest.fixture(scope="module")
def jeton(module_server):
    smtp = SmtpServer().start()
    server = module_server(args=["--smtp-url", smtp.url, "--mail-from", "j@mail.example"])
    server.smtp = smtp
    server.add_user(*ADMIN, "--admin")
    server.add_client(*ROBOT, "--grant", "client_credentials", "--scope", " ".join(WORDS))
    yield server
    server.smtp.stop()


@pytest.fixture
def robot(jeton):
    return Caller(jeton, jeton.client_token(ROBOT, WORDS[0])["access_token"])


@pytest.fixture
def someone(jeton, robot, request):
    """An account: its name and password, and its path."""
    user = (request.node.name[5:45], "a password of the one in question 4")
    jeton.secrets.add(user[1])
    made = robot("POST", "/accounts", {"name": user[0], "password": user[1],
                                       "email": user[0] + "@mail.example"})
    good(made, 201)
    return user, made.header("Location")[len(ROOT):]


def told(jeton, user):
    return [event["detail"] for event in events(jeton, account=user[0])
            if "by client robot by the API" in event.get("detail", "")]


# -- sessions ------------------------------------------------------------------------------------

def test_one_session_of_several_ends(jeton, robot, someone):
    user, place = someone
    first, second = Person(jeton).sign_in(user), Person(jeton).sign_in(user)
    token, session = session_token(jeton, user)
    assert use(jeton, token, session).status == 200
    found = pages_of(robot, place + "/sessions")
    assert [one["kind"] for one in found] == ["token", "browser", "browser"]
    assert len({one["id"] for one in found}) == 3
    assert robot("DELETE", "/sessions/" + found[2]["id"]).status == 204
    assert first.open("/account").path.startswith("/sign-in")
    assert second.open("/account").path == "/account"
    assert use(jeton, token, session).status == 200
    assert robot("DELETE", "/sessions/" + found[0]["id"]).status == 204
    assert use(jeton, token, session).status == 401
    assert [one["id"] for one in pages_of(robot, place + "/sessions")] == [found[1]["id"]]
    assert sum("a session ended by" in detail for detail in told(jeton, user)) == 2
    problem(robot("DELETE", "/sessions/" + found[0]["id"]), 404, "not_found")
    assert sum("a session ended by" in detail for detail in told(jeton, user)) == 2


def test_a_session_is_its_accounts(jeton, robot, someone):
    """Another account's number before it leads nowhere."""
    user, place = someone
    person = Person(jeton).sign_in(user)
    account, number = pages_of(robot, place + "/sessions")[0]["id"].split("-")
    other = pages_of(robot, "/accounts?q=" + BOB[0])[0]["id"]
    assert account != other
    problem(robot("DELETE", f"/sessions/{other}-{number}"), 404, "not_found")
    for text in UNKNOWN:
        problem(robot("DELETE", "/sessions/" + text), 404, "not_found")
        problem(robot("DELETE", "/factors/" + text), 404, "not_found")
    problem(robot("GET", f"/sessions/{account}-{number}"), 405, "method_not_allowed")
    assert person.open("/account").path == "/account"


def test_a_reader_ends_nothing(jeton, robot, someone):
    reader = Caller(jeton, jeton.client_token(ROBOT, WORDS[1])["access_token"])
    user, place = someone
    Person(jeton).sign_in(user)
    session = pages_of(reader, place + "/sessions")[0]["id"]
    for method, path, body in (("DELETE", "/sessions/" + session, None),
                               ("DELETE", "/factors/1-1", None),
                               ("POST", place + "/factors", {}),
                               ("POST", place + "/recovery-codes", None),
                               ("DELETE", "/services/" + UAUTH_SERVICE[0] + "/grants", None),
                               ("POST", "/mails/retry", None),
                               ("POST", "/mails/test", {"address": "a@mail.example"})):
        problem(reader(method, path, body), 403, "insufficient_scope")
    for path in (place + "/factors", place + "/recovery-codes", "/mails", "/checkpoints"):
        good(reader("GET", path))


# -- second factors ------------------------------------------------------------------------------

def enrol(jeton, robot, place, **members):
    answer = robot("POST", place + "/factors", members)
    uri = good(answer, 201)["uri"]
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(uri).query, strict_parsing=True)
    jeton.secrets.add(query["secret"][0])
    return query["secret"][0], query["issuer"][0], uri


def test_factors_come_and_go_one_by_one(jeton, robot, someone):
    user, place = someone
    assert pages_of(robot, place + "/factors") == []
    problem(robot("POST", place + "/recovery-codes"), 409, "conflict")
    person = Person(jeton).sign_in(user)
    secret, issuer, uri = enrol(jeton, robot, place, name="key ring", issuer="House & Co")
    assert issuer == "House & Co" and uri.startswith("otpauth://totp/House%20%26%20Co:")
    assert enrol(jeton, robot, place)[1] == "127.0.0.1"
    assert person.open("/account").path.startswith("/sign-in"), "SE-06"
    codes = good(robot("POST", place + "/recovery-codes"))
    jeton.secrets.update(codes["codes"])
    assert codes["left"] == 10 and len(set(codes["codes"])) == 10
    assert good(robot("GET", place + "/recovery-codes")) == {"left": 10}
    factors = pages_of(robot, place + "/factors")
    assert sorted(one["name"] for one in factors) == ["authenticator", "key ring"]
    assert {one["kind"] for one in factors} == {"totp"}
    by_name = {one["name"]: one["id"] for one in factors}

    person = Person(jeton).open("/sign-in")
    person.fill("username", user[0]).fill("password", user[1]).press("sign-in")
    person.fill("code", totp(secret)).press("sign-in")
    assert person.open("/account").path == "/account", person.text
    used = next(one for one in pages_of(robot, place + "/factors") if one["name"] == "key ring")
    assert used["last_used_at"] is not None
    assert robot("DELETE", "/factors/" + by_name["authenticator"]).status == 204
    assert person.open("/account").path.startswith("/sign-in"), "SE-06"
    assert good(robot("GET", place + "/recovery-codes")) == {"left": 10}
    problem(robot("DELETE", "/factors/" + by_name["authenticator"]), 404, "not_found")
    assert good(robot("GET", place))["second_factor"]
    assert robot("DELETE", "/factors/" + by_name["key ring"]).status == 204
    assert good(robot("GET", place + "/recovery-codes")) == {"left": 0}, "no second password"
    assert not good(robot("GET", place))["second_factor"]
    details = told(jeton, user)
    for words in ("authenticator enrolled", "recovery codes made", "a second factor removed",
                  "second factors removed"):
        assert any(words in detail for detail in details), words


def test_a_passkey_is_listed_and_removed(jeton, robot, someone):
    """As the store has one; how it is made is told in test/clients/test_passkeys.py."""
    user, place = someone
    secret = enrol(jeton, robot, place)[0]
    number = int(pages_of(robot, place + "/factors")[0]["id"].split("-")[1])
    jeton.query(f"UPDATE factor SET kind = 1 WHERE id = {number}")
    factor = pages_of(robot, place + "/factors")[0]
    assert factor["kind"] == "passkey" and secret not in json.dumps(factor)
    assert robot("DELETE", "/factors/" + factor["id"]).status == 204
    assert pages_of(robot, place + "/factors") == []


def test_factors_that_are_wrong(robot, someone):
    place = someone[1]
    for body, field in (({"name": ""}, "name"), ({"name": "a:b"}, "name"),
                        ({"name": "x" * 200}, "name"), ({"name": 7}, "name"),
                        ({"issuer": "a\nb"}, "issuer"), ({"kind": "totp"}, None)):
        problem(robot("POST", place + "/factors", body), 422, "invalid_field", field)
    for _ in range(16):
        good(robot("POST", place + "/factors", {}), 201)
    problem(robot("POST", place + "/factors", {}), 409, "conflict")
    assert len(pages_of(robot, place + "/factors")) == 16


def test_a_key_that_was_made_twice_is_made_once(jeton, robot, someone):
    """Idempotency-Key: the second answer holds the same secret."""
    place = someone[1]
    for path, body in (("/factors", {}), ("/recovery-codes", None)):
        answers = [robot("POST", place + path, body, Idempotency_Key='"once%s"' % path[:4])
                   for _ in range(2)]
        assert answers[0].body == answers[1].body
        assert answers[0].status == answers[1].status and answers[1].status in (200, 201)
    assert len(pages_of(robot, place + "/factors")) == 1


def test_whose_address_is_known_is_told(jeton, robot, someone):
    user, place = someone
    before = len(jeton.smtp.mails)
    email = user[0] + "@mail.example"
    enrol(jeton, robot, place, name="telephone")
    enrol(jeton, robot, place)
    good(robot("POST", place + "/recovery-codes"))
    first = pages_of(robot, place + "/factors")[0]["id"]
    assert robot("DELETE", "/factors/" + first).status == 204
    wait_until(lambda: len(jeton.smtp.to(email)) >= 4, 20, "mails")
    about = [mail for mail in jeton.smtp.mails[before:] if user[0].encode() in mail[2]]
    assert all(mail[1] == [email] for mail in about), "nobody else"


# -- tokens for a service ------------------------------------------------------------------------

def test_all_tokens_for_a_service_end(jeton, robot):
    token = jeton.token(uauth_form(ALICE)).json["access_token"]
    assert jeton.is_active(token, UAUTH_SERVICE)
    assert robot("DELETE", "/services/" + UAUTH_SERVICE[0] + "/grants").status == 204
    assert not jeton.is_active(token, UAUTH_SERVICE)
    problem(robot("DELETE", "/services/none/grants"), 404, "not_found")
    assert jeton.user_token(C1, ALICE, "read")


# -- mails ---------------------------------------------------------------------------------------

def test_a_mail_is_sent_to_see_whether_it_arrives(jeton, robot):
    assert robot("POST", "/mails/test", {"address": "ada@mail.example"}).status == 204
    wait_until(lambda: jeton.smtp.to("ada@mail.example"), 20, "a mail")
    assert len(jeton.smtp.to("ada@mail.example")) == 1
    wait_until(lambda: good(robot("GET", "/mails"))["items"] == [], 20, "an empty queue")
    for body, field in (({}, "address"), ({"address": "nowhere"}, "address"),
                        ({"address": 5}, "address"), ({"to": "a@mail.example"}, None)):
        problem(robot("POST", "/mails/test", body), 422, "invalid_field", field)


def test_mails_wait_and_are_tried_again(jeton, robot):
    jeton.smtp.stop()
    for number in range(3):
        assert robot("POST", "/mails/test", {"address": f"w{number}@mail.example"}).status == 204
    wait_until(lambda: any(one["last_code"] < 0 for one in pages_of(robot, "/mails")), 20, "a try")
    waiting = pages_of(robot, "/mails?limit=1")
    assert len(waiting) == 3
    assert [int(one["id"]) for one in waiting] == sorted(int(one["id"]) for one in waiting)
    assert waiting[0]["attempts"] > 0 and all(one["until"] > one["queued_at"] for one in waiting)
    assert "mail.example" not in json.dumps(waiting), "not to whom"
    jeton.smtp = SmtpServer(port=jeton.smtp.port).start()
    assert robot("POST", "/mails/retry").status == 204
    wait_until(lambda: len(jeton.smtp.mails) >= 3, 40, "mails")


def test_a_server_without_mail_says_so(new_server):
    server = new_server()
    server.add_client(*ROBOT, "--grant", "client_credentials", "--scope", " ".join(WORDS))
    call = Caller(server, server.client_token(ROBOT, WORDS[0])["access_token"])
    problem(call("POST", "/mails/test", {"address": "a@mail.example"}), 409, "conflict")
    assert pages_of(call, "/mails") == []
    shown = good(call("GET", "/server"))
    assert shown["restored_at"] is None and shown["backup_taken_at"] is None


# -- what seals the trail, and who owns what -----------------------------------------------------

def test_checkpoints_are_listed_newest_first(jeton, robot):
    wait_until(lambda: len(pages_of(robot, "/checkpoints?limit=1")) > 0, 90, "a checkpoint")
    found = pages_of(robot, "/checkpoints?limit=1")
    assert [one["number"] for one in found] == list(range(found[0]["number"], 0, -1))
    key = jeton.cli("audit", "key").out.strip()
    for one in found:
        assert one["public_key"] == key and len(one["digest"]) == 64
        assert len(one["signature"]) == 128 and one["event_count"] > 0
        assert one["trimmed_at"] is None and int(one["last_event"]) > 0
    assert [int(one["last_event"]) for one in found] == sorted(
        (int(one["last_event"]) for one in found), reverse=True)
    done = jeton.cli("audit", "verify", "--checkpoint",
                     f"{found[0]['number']}:{found[0]['digest']}", "--public-key", key)
    assert done.status == 0


def test_what_a_file_owns_says_so(jeton, robot):
    (jeton.folder / "owned.yaml").write_text("""name: house
services: [{ id: owned.service }]
clients: [{ id: owned-client, grant: [client_credentials], scope: [x], public: false,
            secret: { env: OWNED } }]
accounts: [{ name: owned-account }]
""")
    jeton.env["OWNED"] = "a secret that is long enough 1"
    jeton.secrets.add(jeton.env["OWNED"])
    jeton.cli("apply", "owned.yaml")
    assert good(robot("GET", "/services/owned.service"))["managed_by"] == "house"
    assert good(robot("GET", "/clients/owned-client"))["managed_by"] == "house"
    assert pages_of(robot, "/accounts?q=owned-account")[0]["managed_by"] == "house"
    assert pages_of(robot, "/accounts?q=" + ALICE[0])[0]["managed_by"] is None
    assert good(robot("GET", "/clients/" + C1[0]))["managed_by"] is None


# -- clients that administer ---------------------------------------------------------------------

def test_rt_10_a_client_that_lost_the_scope_is_out_at_once(jeton):
    """Else it would give it back to itself."""
    keeper = ("keeper", "the secret of a client that administers 3")
    jeton.add_client(*keeper, "--grant", "client_credentials", "--scope", " ".join(WORDS))
    caller = Caller(jeton, jeton.client_token(keeper, WORDS[0])["access_token"])
    good(caller("PATCH", "/clients/keeper", {"name": "Keeper"}))
    jeton.cli("client", "set", "keeper", "--scope", WORDS[1])
    good(caller("GET", "/accounts"))
    problem(caller("PATCH", "/clients/keeper", {"scopes": list(WORDS)}), 401, "invalid_token")
    jeton.cli("client", "set", "keeper", "--scope", "read")
    problem(caller("GET", "/accounts"), 401, "invalid_token")
