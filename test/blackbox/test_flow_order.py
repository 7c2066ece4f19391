"""Every flow of several steps, walked out of order: jumped ahead in, gone back in, its forms sent
twice, in another browser, with another account's (fault classes 12, 13 and 26 to 28 of the peers).

What belongs to the order of one flow alone stands with that flow; here each step is tried where and
when it does not belong.
"""

import json
import urllib.parse

import pytest

from harness import wait_until
from link_people import (NEW, OLD, Post, add_person, ask_reset, can_sign_in, mail_settings,
                         reset_link)
from person import Person
from smtp_server import SmtpServer
from test_account_pages import CODE, key_of, second_factor
from test_sign_in import at_code, cookie_of, csrf_of, once, wait_step
from threedm_calls import enrol, totp
from token_people import add_open_service, begin, make, value_shown

NOBODY = "A" * 43
FORMS = ["/account", "/account/password", "/account/factors/new", "/account/passkeys/new",
         "/account/recovery-codes", "/account/verify-email", "/sessions/end-others", "/tokens/new",
         "/admin/accounts/new", "/admin/keys/rotate"]


@pytest.fixture(scope="module")
def smtp():
    with SmtpServer() as server:
        yield server


@pytest.fixture(scope="module")
def shared(module_server, smtp):
    return add_open_service(module_server(args=mail_settings(smtp, "--registration", "on")))


@pytest.fixture
def ada(shared):
    return add_person(shared)


@pytest.fixture
def eve(shared):
    return add_person(shared)


def show(server, user):
    return json.loads(server.cli("user", "show", user[0], "--json").out)


def tokens_of(person):
    person.open("/tokens")
    return sum(person.has(f"token-{number}") for number in range(1, 30))


def is_refused_form(answer):
    """The form's own value is not this browser's, or not of now."""
    return answer.status == 403 and b"did not come from here" in answer.body


def pairs_of(triple):
    return dict(urllib.parse.parse_qsl(triple[2], keep_blank_values=True))


# -- signing in, the code, step-up ----------------------------------------------------------------


@pytest.mark.parametrize("path", FORMS)
def test_no_form_is_taken_from_somebody_who_is_not_signed_in(shared, ada, path):
    """Neither without a session nor between password and code (PW-13)."""
    user, _ = ada
    stranger = Person(shared).open("/sign-in")
    answer = once(stranger, "POST", path, {"csrf": csrf_of(stranger)})
    assert answer.status == 303
    assert answer.header("Location").partition("?")[0] == "/sign-in"
    enrol(shared, user)
    waiting = at_code(shared, user)
    answer = once(waiting, "POST", path, {"csrf": csrf_of(waiting), "password": user[1]})
    assert answer.status == 303 and answer.header("Location").startswith("/sign-in/code")


def test_a_form_that_was_sent_before_signs_nobody_in(shared, ada):
    """SE-01, SE-03: with the step the browser's value changes, and with it that of its forms."""
    user, _ = ada
    person = Person(shared).open("/sign-in").fill("username", user[0]).fill("password", user[1])
    first = person.post_of("sign-in")
    person.send(*first)
    assert person.has("sign-out")
    assert is_refused_form(once(person, *first[:2], pairs_of(first)))
    last = person.post_of("sign-out")
    person.send(*last)
    assert is_refused_form(once(person, *first[:2], pairs_of(first))), "nor when signed out"
    again = Person(shared).sign_in(user)
    assert is_refused_form(once(again, *last[:2], pairs_of(last))), "another browser's way out"
    assert again.open("/account").has("sign-out")


def test_the_code_is_for_the_sign_in_that_it_was_asked_in(shared, ada, eve):
    """Whoever knows eve's password and ada's code is neither; the form sent later is void."""
    secrets = [enrol(shared, user) for user, _ in (ada, eve)]
    wait_step()
    person = at_code(shared, eve[0])
    person.fill("code", totp(secrets[0])).press("sign-in")
    assert person.status == 403 and person.has("code"), "another account's code"
    held = person.fill("code", totp(secrets[1])).post_of("sign-in")
    person.open("/sign-in").fill("username", ada[0][0]).fill("password", ada[0][1])
    person.press("sign-in")
    assert is_refused_form(once(person, *held[:2], pairs_of(held))), "begun anew meanwhile"
    assert not person.open("/").has("sign-out")
    # In another browser the code's form is nobody's.
    other = Person(shared).open("/sign-in")
    answer = once(other, *held[:2], {**pairs_of(held), "csrf": csrf_of(other)})
    assert answer.status == 303 and answer.header("Location").startswith("/sign-in")


def test_step_up_is_for_this_account_and_this_browser(faked_time):
    server, set_time = faked_time
    ada, eve = add_person(server)[0], add_person(server)[0]
    server.cli("user", "passwd", eve[0], stdin="the other password of eve 3\n")
    person, other = Person(server).sign_in(ada), Person(server).sign_in(ada)
    set_time(1200)
    for browser in (person, other):
        browser.open("/account/factors/new")
        assert browser.path.startswith("/sign-in/again"), "a fresh proof is asked for"
    # Another account's name and password prove nothing about this one.
    hidden = pairs_of(person.post_of("confirm"))
    answer = once(person, "POST", "/sign-in/again", {**hidden, "username": eve[0],
                                                     "password": "the other password of eve 3"})
    assert answer.status == 403 and not answer.all_headers("Set-Cookie")
    # Jumped over: the act itself, sent at once.
    answer = once(person, "POST", "/account/factors/new", {"csrf": csrf_of(person), "code": "1"})
    assert answer.status == 303 and answer.header("Location").startswith("/sign-in/again")
    proof = person.fill("password", ada[1]).post_of("confirm")
    person.send(*proof)
    assert person.path == "/account/factors/new" and person.has("code")
    assert is_refused_form(once(person, *proof[:2], pairs_of(proof))), "sent once more"
    assert other.open("/account/factors/new").path.startswith("/sign-in/again"), "not this browser"
    assert is_refused_form(once(other, *proof[:2], pairs_of(proof)))


# -- links ----------------------------------------------------------------------------------------


def test_a_link_is_for_one_form_and_its_form_for_one_browser(shared, smtp, ada, eve):
    """Reset: no link, another's form value, and what the form says beside the link counts not."""
    path = reset_link(shared, smtp, *ada)
    link = path.partition("=")[2]
    person = Person(shared).open(path).fill("password", NEW)
    triple = person.post_of("save")
    bare = {name: value for name, value in pairs_of(triple).items() if name != "link"}
    for value in (None, "", NOBODY, link[:-1], link + "A", cookie_of(person)):
        pairs = bare if value is None else {**bare, "link": value}
        assert once(person, "POST", "/password-reset", pairs).status == 410, value
    stranger = Person(shared)
    assert once(stranger, *triple[:2], pairs_of(triple)).status == 403, "no form of its browser"
    # The name in the form is for password managers; the link says whose password it is.
    answer = once(person, *triple[:2], {**pairs_of(triple), "username": eve[0][0], "login": "eve"})
    assert answer.status == 200
    assert can_sign_in(shared, ada[0][0], NEW) and can_sign_in(shared, *eve[0])
    assert not can_sign_in(shared, eve[0][0], NEW)


def test_a_reset_finishes_no_sign_in_and_skips_no_step_of_one(shared, smtp, ada):
    """Fault classes 26, 27: with the link alone one is where one was; the code is still asked."""
    user, email = ada
    secret = enrol(shared, user)
    path = reset_link(shared, smtp, user, email)
    waiting = at_code(shared, user)
    assert not waiting.open(path).has("sign-out")
    form = waiting.fill("password", NEW).fill("code", "").post_of("save")
    without = {name: value for name, value in pairs_of(form).items() if name != "code"}
    assert once(waiting, *form[:2], without).status == 400, "the code is not left out"
    assert once(waiting, *form[:2], {**without, "code": NOBODY}).status == 403
    assert show(shared, user)["has_password"] and can_sign_in(shared, *user)
    wait_step()
    done = once(waiting, *form[:2], {**without, "code": totp(secret)})
    assert done.status == 200 and b"sign-out" not in done.body
    assert waiting.open("/sign-in/code").has("username"), "SE-06: the unfinished one is over"
    assert at_code(shared, (user[0], NEW)).open("/account").has("code")


def test_links_of_one_account_do_nothing_to_another(shared, smtp, ada, eve):
    """Fault class 28: whoever is signed in when a link is followed, it is its own account's."""
    new = Post(smtp, "new-" + ada[1])
    Person(shared).sign_in(ada[0]).open("/account").fill("email", new.address).press("save")
    path, _ = new.next_link(shared)
    at_eve = Person(shared).sign_in(eve[0]).open(path)
    assert ada[0][0] in at_eve.text, "it says whose it is"
    at_eve.press("confirm")
    assert show(shared, ada[0])["email"] == new.address and show(shared, eve[0])["email"] == eve[1]
    assert Person(shared).open(path).status == 410, "once"
    path = reset_link(shared, smtp, eve[0], eve[1])
    at_ada = Person(shared).sign_in(ada[0]).open(path).fill("password", NEW).press("save")
    assert at_ada.status == 200 and can_sign_in(shared, eve[0][0], NEW)
    assert can_sign_in(shared, *ada[0]) and not at_ada.open("/").has("sign-out")


def test_links_of_one_purpose_are_none_of_another(shared, smtp, ada):
    """Fault class 6: one-time values are typed."""
    user, email = ada
    reset = reset_link(shared, smtp, user, email).partition("=")[2]
    new, joiner = Post(smtp, "new-" + email), Post(smtp, "joiner-" + email)
    person = Person(shared).sign_in(user).open("/account").fill("email", new.address).press("save")
    verify = new.next_link(shared)[0].partition("=")[2]
    form = Person(shared).open("/register").fill("username", "joiner-" + user[0])
    form.fill("email", joiner.address).fill("password", NEW).press("register")
    register = joiner.next_link(shared)[0].partition("=")[2]
    shared.cli("user", "add", "guest-" + user[0], "--invite", "--email", joiner.address)
    invitation = joiner.next_link(shared)[0].partition("=")[2]
    for path, values in (("/email-verify", (reset, invitation, NOBODY)),
                         ("/password-reset", (verify, register, NOBODY))):
        for value in values:
            assert Person(shared).open(f"{path}?link={value}").status == 410
            answer = once(person, "POST", path, {"csrf": csrf_of(person), "link": value,
                                                 "password": NEW})
            assert answer.status == 410, (path, value)
    for value in (reset, verify, register, invitation):
        for name in ("jeton", "__Host-jeton"):
            assert shared.get("/account", {"Cookie": f"{name}={value}"}).status == 303
        assert shared.forward_auth(value).status == 401
    answer = once(person, "GET", f"/password-reset?link={cookie_of(person)}")
    assert answer.status == 410, "nor is a session's value a link"


# -- registration ---------------------------------------------------------------------------------


def test_a_registration_is_nothing_until_its_link_is_followed(shared, smtp):
    post = Post(smtp, "early@order.example")
    person = Person(shared).open("/register").fill("username", "early").fill("email", post.address)
    triple = person.fill("password", OLD).post_of("register")
    extra = {"is_admin": "yes", "email_verified_at": "1", "id": "1", "account_id": "1"}
    assert once(person, *triple[:2], {**pairs_of(triple), **extra}).status == 200
    path, _ = post.next_link(shared)
    assert not can_sign_in(shared, "early", OLD)
    ask_reset(shared, "early")
    ask_reset(shared, post.address)
    wait_until(lambda: not shared.cli("mail", "list").out.splitlines()[1:], 30, "an empty queue")
    assert post.count() == 0, "and no password is reset for it"
    follower = Person(shared).open(path)
    twice = follower.post_of("confirm")
    follower.send(*twice)
    assert follower.status == 200 and not follower.has("sign-out"), "nobody is signed in by it"
    assert once(follower, *twice[:2], pairs_of(twice)).status == 410
    assert can_sign_in(shared, "early", OLD)
    account = show(shared, ("early",))
    assert not account["admin"] and account["email"] == post.address


# -- second factors -------------------------------------------------------------------------------


def test_an_app_is_not_set_up_out_of_order(shared, ada, eve):
    """Confirmed before it was begun, for somebody else, after signing out."""
    person, other = Person(shared).sign_in(ada[0]), Person(shared).sign_in(eve[0])
    answer = once(person, "POST", "/account/factors/new",
                  {"csrf": csrf_of(person.open("/account")), "code": "123456", "name": "x"})
    assert answer.status == 400 and not show(shared, ada[0])["second_factor"]
    person.open("/account/factors/new")
    key = key_of(person)
    wait_step()
    triple = person.fill("code", totp(key)).post_of("confirm")
    other.open("/account/factors/new")
    answer = once(other, *triple[:2], {**pairs_of(triple), "csrf": csrf_of(other)})
    assert answer.status == 400 and not show(shared, eve[0])["second_factor"]
    person.open("/").press("sign-out")
    answer = once(person, *triple[:2], pairs_of(triple))
    assert answer.status in (303, 403) and not show(shared, ada[0])["second_factor"]


def test_a_passkey_is_not_made_out_of_order(shared, ada):
    """Without a challenge that this browser asked for, whatever is sent."""
    person = Person(shared, headers=[("Host", f"localhost:{shared.port}")]).sign_in(ada[0])
    junk = {"credential": "AAAA", "client_data": "e30", "attestation": "oA", "transports": "usb",
            "name": "x"}
    for _ in range(2):
        answer = once(person, "POST", "/account/passkeys/new",
                      {"csrf": csrf_of(person.open("/account")), **junk},
                      [("Host", f"localhost:{shared.port}")])
        assert answer.status in (403, 404), answer
    assert not show(shared, ada[0])["second_factor"]
    waiting = Person(shared).open("/sign-in")
    answer = once(waiting, "POST", "/sign-in/passkey",
                  {"csrf": csrf_of(waiting), "credential": "AAAA", "client_data": "e30",
                   "authenticator_data": "AAAA", "signature": "AAAA", "user_handle": "AAAA"})
    assert answer.status == 403 and not waiting.open("/").has("sign-out")


def test_recovery_codes_are_not_made_out_of_order(shared, ada):
    person = Person(shared).sign_in(ada[0])
    answer = once(person, "POST", "/account/recovery-codes",
                  {"csrf": csrf_of(person.open("/account"))})
    assert answer.status == 303 and not CODE.search(answer.body.decode()), "there is no factor yet"
    key = second_factor(person)
    person.open("/account/recovery-codes")
    triple = person.post_of("ok")
    person.send(*triple)
    old = CODE.findall(person.text)
    shared.secrets.update(old)
    assert len(old) == 10
    assert not CODE.search(person.open("/account/recovery-codes").text), "going back shows none"
    person.send(*triple)
    new = CODE.findall(person.text)
    shared.secrets.update(new)
    assert len(new) == 10 and not set(new) & set(old), "once more: others, the old are void"
    for code, is_good in ((old[0], False), (new[0], True), (new[0], False)):
        guest = at_code(shared, ada[0]).fill("code", code).press("sign-in")
        assert guest.has("sign-out") == is_good, (code in old, is_good)
    person.open("/account").press("remove-factor-1").fill("password", ada[0][1]).press("ok")
    secret = enrol(shared, ada[0])
    guest = at_code(shared, ada[0]).fill("code", new[1]).press("sign-in")
    assert guest.status == 403, "codes of before are none of the new factor's"
    assert key != secret


# -- tokens ---------------------------------------------------------------------------------------


def test_a_token_is_made_once_by_one_form_of_one_account(shared, ada, eve):
    person, other = Person(shared).sign_in(ada[0]), Person(shared).sign_in(eve[0])
    begin(person, "only one")
    triple = person.post_of("create-token")
    person.send(*triple)
    value = value_shown(person)
    for _ in range(2):
        answer = once(person, *triple[:2], pairs_of(triple))
        assert value.encode() not in answer.body, "going back shows no value again"
    assert tokens_of(person) == 1
    # Another account's form is as good as none: what it makes is of who sends it.
    begin(other, "of eve")
    answer = once(other, *triple[:2], {**pairs_of(triple), "csrf": csrf_of(other)})
    assert answer.status == 200 and value.encode() not in answer.body
    assert tokens_of(other) == 1 and tokens_of(person) == 1
    # Jumped ahead: no scope was added, none was typed.
    person.open("/tokens/new").fill("token-name", "empty").press("create-token")
    assert person.status == 422 and tokens_of(person) == 1


def test_a_token_is_revoked_and_rotated_by_its_owner_alone(shared, ada, eve):
    person, other = Person(shared).sign_in(ada[0]), Person(shared).sign_in(eve[0])
    value = make(person, "mine")
    person.open("/tokens")
    other.open("/account")
    for button, act in (("revoke-1", "ok"), ("rotate-1", "rotate"), ("rename-1", "save")):
        triple = person.open("/tokens").press(button).post_of(act)
        assert once(other, "GET", triple[1]).status == 404, button
        answer = once(other, *triple[:2], {**pairs_of(triple), "csrf": csrf_of(other)})
        assert answer.status == 404, button
        assert is_refused_form(once(other, *triple[:2], pairs_of(triple)))
    assert shared.forward_auth(value).status == 200 and tokens_of(person) == 1
    person.open("/tokens").press("rotate-1")
    triple = person.post_of("rotate")
    person.send(*triple)
    second = value_shown(person)
    answer = once(person, *triple[:2], pairs_of(triple))
    assert answer.status == 303 and tokens_of(person) == 2, "a rotation is done once"
    assert shared.forward_auth(second).status == 200
