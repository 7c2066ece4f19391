"""What administrators see and do in the pages: tokens, accounts, keys, the audit trail."""

import json
import re

import pytest

from harness import ALICE, BOB, CC as API_CLIENT
from person import Person
from token_people import OPEN, add_account, add_open_service, field_of, make, row

ADMIN = ("chief", "the password of an administrator 7")
SECOND = ("deputy", "the password of another administrator 8")
PAGES = ("/admin/tokens", "/admin/accounts", "/admin/accounts/new", "/admin/keys",
         "/admin/keys/rotate", "/admin/events")
ACTS = ("disable", "enable", "unlock", "reset-factors", "end-sessions", "revoke-tokens")


@pytest.fixture(scope="module")
def jeton(module_server):
    server = add_open_service(module_server())
    server.add_user(*ADMIN, "--admin")
    server.add_user(*SECOND, "--admin")
    return server


@pytest.fixture
def admin(jeton):
    return Person(jeton).sign_in(ADMIN)


@pytest.fixture
def user(jeton):
    return add_account(jeton)


def id_of(jeton, user):
    return json.loads(jeton.cli("user", "show", user[0], "--json").out)["id"]


def events(jeton, **wanted):
    lines = jeton.cli("audit", "export", "--last", "40").out.splitlines()
    return [event for event in map(json.loads, lines)
            if all(event.get(name) == value for name, value in wanted.items())]


def search(admin, text):
    return admin.open("/admin/tokens").fill("q", text).press("search")


def find(admin, value):
    return admin.open("/admin/tokens").fill("token-value", value).press("find-value")


def act(admin, jeton, user, button):
    return admin.open(f"/admin/accounts/{id_of(jeton, user)}").press(button)


# -- who may -------------------------------------------------------------------------------------

def paths(jeton):
    alice = id_of(jeton, ALICE)
    return PAGES + (f"/admin/accounts/{alice}", "/admin/accounts/999999", "/admin/tokens/1/revoke",
                    ) + tuple(f"/admin/accounts/{alice}/{name}" for name in ACTS)


def test_others_are_refused_without_a_hint(jeton):
    person = Person(jeton).sign_in(BOB)
    assert not person.has("nav-admin")
    csrf = field_of(person, "csrf")
    for path in paths(jeton):
        assert person.open(path).status == 403, path
        assert "alice" not in person.text, path
        if path not in ("/admin/tokens", "/admin/accounts", "/admin/keys", "/admin/events"):
            status = person.send("POST", path, f"csrf={csrf}").status
            assert status in (403, 405), path
    assert person.send("POST", "/admin/tokens/find", f"csrf={csrf}&value=x").status == 403
    assert Person(jeton).sign_in(ALICE).has("sign-out")


def test_nobody_is_sent_to_the_sign_in(jeton):
    for path in paths(jeton):
        assert Person(jeton).open(path).path.startswith("/sign-in"), path


def test_acts_need_the_forms_own_value(jeton, admin, user):
    make(Person(jeton).sign_in(user))
    number = id_of(jeton, user)
    for name in ACTS:
        for csrf in ("", "csrf=", "csrf=" + "A" * 43):
            assert admin.send("POST", f"/admin/accounts/{number}/{name}", csrf).status == 403
    assert admin.send("POST", "/admin/keys/rotate", "").status == 403
    assert admin.send("POST", "/admin/accounts/new", "username=forged").status == 403
    assert "active" in row(Person(jeton).sign_in(user))


def test_acts_need_a_fresh_proof_and_looking_does_not(faked_time):
    jeton, set_time = faked_time
    jeton.add_user(*ADMIN, "--admin")
    admin = Person(jeton).sign_in(ADMIN)
    number = id_of(jeton, ALICE)
    set_time(700)
    for path in ("/admin/tokens", "/admin/accounts", f"/admin/accounts/{number}", "/admin/keys",
                 "/admin/events"):
        assert admin.open(path).status == 200 and admin.path == path
    act(admin, jeton, ALICE, "disable")
    assert admin.path.startswith("/sign-in/again")
    admin.prove(ADMIN)
    assert admin.has("ok"), admin.text
    post = admin.post_of("ok")
    set_time(1400)
    assert admin.send(*post).path.startswith("/sign-in/again")
    assert Person(jeton).sign_in(ALICE).has("sign-out")


def test_an_administrator_who_was_disabled_is_out_at_once(jeton, admin):
    deputy = Person(jeton).sign_in(SECOND)
    act(admin, jeton, SECOND, "disable").press("ok")
    assert deputy.open("/admin/tokens").path.startswith("/sign-in")
    act(admin, jeton, SECOND, "enable").press("ok")
    assert Person(jeton).sign_in(SECOND).has("nav-admin")


# -- tokens --------------------------------------------------------------------------------------

def test_token_is_found_in_every_way_and_revoked(jeton, admin, user):
    token = make(Person(jeton).sign_in(user), "nightly build <7>", ("see",))
    search(admin, "NIGHTLY build <")
    assert user[0] in admin.text_of("token-1") and "active" in admin.text_of("token-1")
    identity = re.search(r'action="/admin/tokens/([^/"]+)/revoke"',
                         admin.answer.body.decode()).group(1)
    for text in (user[0], identity):
        assert "nightly build <7>" in search(admin, text).text_of("token-1"), text
    assert OPEN[0] not in user[0] and search(admin, OPEN[0]).has("token-1")
    assert search(admin, "no such thing").has("nothing")
    find(admin, token)
    assert "nightly build <7>" in admin.text_of("token-1") and not admin.has("token-2")
    assert token not in admin.answer.body.decode()
    admin.press("revoke-1")
    assert admin.has("ok") and jeton.is_active(token, OPEN)
    admin.press("ok")
    assert not jeton.is_active(token, OPEN)
    assert "revoked" in find(admin, token).text_of("token-1") and not admin.has("revoke-1")
    event = events(jeton, event="grant_ended", account=user[0])[0]
    assert event["detail"] == f"revoked by administrator {ADMIN[0]}" and event["address"]


def test_tokens_of_other_kinds_are_found_by_value(jeton, admin):
    token = jeton.client_token(API_CLIENT)["access_token"]
    find(admin, token)
    assert "access" in admin.text_of("token-1") and API_CLIENT[0] in admin.text_of("token-1")
    admin.press("revoke-1").press("ok")
    assert "revoked" in find(admin, token).text_of("token-1")


def test_wrong_values_find_nothing_and_are_not_shown(jeton, admin, user):
    token = make(Person(jeton).sign_in(user))
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    for value in ("", "x", changed, token[:-1], token + "x", "'\"><script>", "a.b.c"):
        find(admin, value)
        assert admin.status == 404 and admin.has("nothing") and not admin.has("token-1"), value
        assert not value or len(value) < 3 or value not in admin.answer.body.decode()
    search(admin, token)
    assert admin.status == 422 and token not in admin.answer.body.decode()
    jeton.assert_clean()


def test_list_is_paged(jeton, admin):
    for _ in range(2):
        person = Person(jeton).sign_in(add_account(jeton))
        for number in range(11):
            make(person, f"paged {number}", ("see",))
    search(admin, "paged")
    assert admin.has("token-20") and not admin.has("token-21")
    admin.press("older")
    assert admin.has("token-2") and not admin.has("token-3") and not admin.has("older")
    assert "paged 0" in admin.text_of("token-2")
    admin.press("newer")
    assert admin.has("token-20")


def test_unknown_tokens_are_not_found(admin):
    for name in ("999999", "x" * 22, "A" * 400, "%2e%2e", "0", "-1", "9" * 30):
        assert admin.open(f"/admin/tokens/{name}/revoke").status == 404, name


# -- accounts ------------------------------------------------------------------------------------

def test_account_is_made_and_signs_in(jeton, admin):
    admin.open("/admin/accounts").press("new-account")
    admin.fill("username", "new person").fill("full-name", "New <b>Person</b>")
    admin.fill("email", "new@example.com").fill("password", "a good long password 1")
    admin.press("create")
    assert admin.status == 200 and "new person" in admin.text and "New <b>Person</b>" in admin.text
    person = Person(jeton).sign_in(("new person", "a good long password 1"))
    assert not person.has("nav-admin")
    event = events(jeton, account="new person")[-1]
    assert event["detail"] == f"added by administrator {ADMIN[0]}"
    admin.open("/admin/accounts").fill("q", "EW@EXAMPLE").press("search")
    assert admin.text_of("account-1") == "new person" and not admin.has("account-2")


def test_wrong_accounts_are_refused_with_the_reason(jeton, admin):
    jeton.cli("user", "add", "holder", "--password-stdin", "--email", "held@mail.example",
              stdin="a good password 12\n")
    good = {"username": "somebody", "full-name": "", "email": "", "password": "a good password 12"}
    for field, value in (("username", ""), ("username", "a:b"), ("username", ALICE[0]),
                         ("username", ALICE[0].upper()), ("username", "x" * 256),
                         ("email", "nobody"), ("email", "Held@mail.example"),
                         ("password", ""), ("password", "short"),
                         ("password", "a" * 16),
                         ("full-name", "\x07")):
        admin.open("/admin/accounts/new")
        for name, text in {**good, field: value}.items():
            admin.fill(name, text)
        admin.press("create")
        assert admin.status == 422 and admin.has(f"{field}-error"), (field, value, admin.text)
        assert "a good password 12" not in admin.answer.body.decode()
    assert "somebody" not in jeton.cli("user", "list").out


def test_disabling_ends_everything_and_enabling_lets_in_again(jeton, admin, user):
    person = Person(jeton).sign_in(user)
    token = make(person)
    act(admin, jeton, user, "disable")
    assert admin.has("ok") and jeton.is_active(token, OPEN)
    admin.press("ok")
    assert "disabled" in admin.text and admin.has("enable") and not admin.has("disable")
    assert not jeton.is_active(token, OPEN)
    assert person.open("/tokens").path.startswith("/sign-in")
    details = {event["detail"] for event in events(jeton, account=user[0])}
    assert {f"{what} by administrator {ADMIN[0]}" for what in ("disabled", "ended")} <= details
    admin.press("enable").press("ok")
    assert Person(jeton).sign_in(user).has("sign-out")


def test_nobody_disables_himself(jeton, admin):
    number = id_of(jeton, ADMIN)
    admin.open(f"/admin/accounts/{number}")
    assert not admin.has("disable")
    csrf = field_of(admin, "csrf")
    assert admin.open(f"/admin/accounts/{number}/disable").status == 403
    assert admin.send("POST", f"/admin/accounts/{number}/disable", f"csrf={csrf}").status == 403
    assert admin.open("/admin/accounts").status == 200


def test_unlocking_lets_the_owner_in(new_server):
    jeton = new_server(start=False)
    jeton.add_user(*ADMIN, "--admin")
    path = jeton.folder / "jeton.yaml"
    path.write_text("lockout-mode: timed\nlockout-duration: 86400\n")
    jeton.args = ["--config", str(path)]
    jeton.start()
    admin = Person(jeton).sign_in(ADMIN)

    def can_sign_in(password):
        person = Person(jeton).open("/sign-in")
        person.fill("username", ALICE[0]).fill("password", password).press("sign-in")
        return person.has("sign-out")

    for _ in range(5):
        assert not can_sign_in("wrong")
    assert not can_sign_in(ALICE[1])
    act(admin, jeton, ALICE, "unlock").press("ok")
    assert can_sign_in(ALICE[1])
    assert events(jeton, account=ALICE[0], detail=f"unlocked by administrator {ADMIN[0]}")


def test_factors_are_reset(jeton, admin, user):
    jeton.cli("user", "totp", user[0])
    assert json.loads(jeton.cli("user", "show", user[0], "--json").out)["second_factor"]
    act(admin, jeton, user, "reset-factors").press("ok")
    assert not json.loads(jeton.cli("user", "show", user[0], "--json").out)["second_factor"]
    assert Person(jeton).sign_in(user).has("sign-out")


def test_sessions_are_shown_and_ended(jeton, admin, user):
    person = Person(jeton, headers=[("User-Agent", "Browser <9>")]).sign_in(user)
    token = make(person)
    act(admin, jeton, user, "end-sessions")
    assert "Browser <9>" in admin.open(f"/admin/accounts/{id_of(jeton, user)}").text
    admin.press("end-sessions").press("ok")
    assert "Browser <9>" not in admin.text
    assert person.open("/tokens").path.startswith("/sign-in")
    assert jeton.is_active(token, OPEN)
    assert events(jeton, account=user[0], detail=f"all sessions ended by administrator {ADMIN[0]}")


def test_all_tokens_of_an_account_are_revoked(jeton, admin, user):
    person = Person(jeton).sign_in(user)
    tokens = [make(person, f"one of {number}") for number in range(3)]
    act(admin, jeton, user, "revoke-tokens").press("ok")
    assert not any(jeton.is_active(token, OPEN) for token in tokens)
    assert person.open("/tokens").has("token-3")


def test_unknown_accounts_are_not_found(admin):
    for name in ("999999", "0", "-1", "1x", "x", "9" * 30, "1/2"):
        assert admin.open(f"/admin/accounts/{name}").status == 404, name
        assert admin.open(f"/admin/accounts/{name}/disable").status == 404, name


# -- keys and events -----------------------------------------------------------------------------

def test_keys_are_shown_and_rotated(new_server):
    jeton = new_server()
    jeton.add_user(*ADMIN, "--admin")
    admin = Person(jeton).sign_in(ADMIN).open("/admin/keys")
    before = {key["kid"] for key in jeton.get("/oauth2/jwks").json["keys"]}
    assert all(kid in admin.text for kid in before) and admin.text.count("signs") >= 2
    admin.press("rotate-keys")
    assert {key["kid"] for key in jeton.get("/oauth2/jwks").json["keys"]} == before
    admin.press("ok")
    after = {key["kid"] for key in jeton.get("/oauth2/jwks").json["keys"]}
    assert before < after and len(after) == 2 * len(before)
    assert all(kid in admin.text for kid in after) and "waits" in admin.text
    details = [event["detail"] for event in events(jeton, event="key_changed")]
    for kid in after - before:
        assert f"{kid} by administrator {ADMIN[0]}" in details


def test_events_are_filtered(jeton, admin, user):
    person = Person(jeton).sign_in(user)
    make(person)
    admin.open("/admin/events")
    assert admin.has("events") and user[0] in admin.text_of("events")
    admin.fill("account", user[0].upper()).press("search")
    assert "signed_in" in admin.text_of("events") and ADMIN[0] not in admin.text_of("events")
    admin.fill("kind", "signed_in").press("search")
    assert admin.text_of("events").count("signed_in") == 1
    assert admin.fill("address", "127.0.0.1").press("search").has("events")
    assert admin.fill("address", "192.0.2.1").press("search").has("nothing")
    admin.fill("address", "somewhere").press("search")
    assert admin.status == 422 and admin.value_of("address") == "somewhere"
    for field in ("account", "client"):
        admin.open("/admin/events").fill(field, "nobody <'\">").press("search")
        assert admin.has("nothing") and admin.value_of(field) == "nobody <'\">"
    assert admin.open("/admin/events?client=" + OPEN[0]).status == 200


def test_events_are_paged(jeton, admin, user):
    for number in range(60):
        admin.send("POST", f"/admin/accounts/{id_of(jeton, user)}/unlock",
                   "csrf=" + field_of(admin, "csrf"))
        assert admin.status == 200
    admin.open(f"/admin/events?account={user[0]}")
    assert admin.text_of("events").count("unlocked by") == 50
    admin.press("older")
    assert admin.text_of("events").count("unlocked by") == 10 and not admin.has("older")
    admin.press("newer")
    assert admin.text_of("events").count("unlocked by") == 50
