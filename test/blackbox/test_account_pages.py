"""What people see and change of their own account: names, password, second factors, sessions,
applications (SE-06, SE-08, PW-01 to PW-03, PW-10, AZ-15)."""

import html.parser
import json
import re
import time
import urllib.parse

import pytest

from harness import ALICE, API, BOB, C1, C2, ROOT, UAUTH_SERVICE, uauth_form
from person import Person
from spectrum_calls import session_token, use
from test_sign_in import at_code, csrf_of, once, wait_step
from threedm_calls import enrol, totp

COMMON = (ROOT / "src/account/common_passwords/list.txt").read_text().split("\n")[:-1]
CODE = re.compile(r"[A-Z2-7]{5}(?:-[A-Z2-7]{5}){3}-[A-Z2-7]{6}")
SPECTRUM = ["--spectrum", "on"]
HOSTILE = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onmouseover='alert(1)",
    "</title><svg/onload=alert(1)>", "{{frame.csrf}}", "{name}", "&lt;b&gt;", "%s%n%x",
    "\u202egnp.exe", "a\u0308\u0301", "javascript:alert(1)", "</textarea><script>", "<!--", "]]>",
    "`${alert(1)}`", "\u0663 \u05d0\u05d1 \u4e2d\u6587"]


class Elements(html.parser.HTMLParser):
    """Counts what could run in a document."""

    def __init__(self, source):
        super().__init__()
        self.scripts, self.strange = 0, []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.scripts += tag == "script"
        if tag in ("img", "svg", "iframe", "b", "textarea") or any(
                name.startswith("on") or name == "style" for name, _ in attributes):
            self.strange.append((tag, attributes))


@pytest.fixture(scope="module")
def shared(module_server):
    return module_server()


def events(server, kind):
    lines = server.cli("audit", "export").out.splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def show(server, name):
    return json.loads(server.cli("user", "show", name, "--json").out)


def key_of(person):
    """The secret that the page shows, which goes nowhere else."""
    key = person.text_of("totp-key")
    assert re.fullmatch("[A-Z2-7]{32}", key)
    person.server.secrets.add(key)
    return key


def add_app(person, name="phone"):
    """Sets up an app by the pages; its key."""
    person.open("/account").press("add-factor")
    key = key_of(person)
    person.fill("factor-name", name).fill("code", totp(key)).press("confirm")
    assert person.status == 200, person.answer
    return key


# -- names ----------------------------------------------------------------------------------------

def test_names_are_shown_and_changed(new_server):
    server = new_server()
    person = Person(server).sign_in(ALICE).press("nav-account")
    assert person.value_of("full-name") == "Alice Example"
    assert person.value_of("email") == "alice@mail.example"
    person.fill("full-name", "  \u00c4lice \u4e2d ").fill("email", "new@mail.example").press("save")
    assert person.path.startswith("/account?") and "Saved." in person.text
    assert person.value_of("full-name") == "\u00c4lice \u4e2d"
    shown = show(server, ALICE[0])
    assert (shown["full_name"], shown["email"]) == ("\u00c4lice \u4e2d", "new@mail.example")
    assert len(events(server, "account_changed")) >= 1
    person.fill("full-name", "").fill("email", "").press("save")
    assert "Saved." in person.text and person.value_of("email") == ""


@pytest.mark.parametrize("field, text", [
    ("full-name", "x" * 256), ("full-name", "a\tb"), ("full-name", "a\x7fb"), ("email", "alice"),
    ("email", "@mail.example"), ("email", "a@b"), ("email", "a@@mail.example"),
    ("email", "a b@mail.example"), ("email", "a@mail.example\nBcc: x@y.z"), ("email", "a@.x"),
    ("email", "a@" + "x" * 250 + ".example")], ids=lambda text: text[:20])
def test_names_that_are_refused(shared, field, text):
    person = Person(shared).sign_in(ALICE).open("/account")
    person.fill(field, text).press("save")
    assert person.status == 400 and person.page.attributes[field]["aria-invalid"] == "true"
    assert person.has("errors")
    assert show(shared, ALICE[0])["full_name"] == "Alice Example"


def test_az_15_hostile_names_are_shown_as_text(shared):
    person = Person(shared, [("User-Agent", HOSTILE[1])]).sign_in(BOB)
    for text in HOSTILE:
        person.open("/account").fill("full-name", text).press("save")
        assert person.value_of("full-name") == text
        for path in ("/account", "/sessions", "/"):
            person.open(path)
            seen = Elements(person.answer.body.decode())
            assert seen.scripts <= 1 and not seen.strange, (text, path, seen.strange)
    assert HOSTILE[1] in person.open("/sessions").text


# -- the password ---------------------------------------------------------------------------------

def change(person, current, wanted, ends=True):
    person.open("/account/password")
    person.fill("current-password", current).fill("password", wanted)
    person.server.secrets.update({wanted} - {" "})
    if not ends:
        for form in person.page.forms:
            form.fields = [field for field in form.fields if field[0] != "end-sessions"]
    return person.press("save")


def test_se_06_a_new_password_ends_other_sessions(new_server):
    server = new_server()
    here, there = Person(server).sign_in(ALICE), Person(server).sign_in(ALICE)
    before = dict(here.cookies)
    change(here, ALICE[1], "a new password of alice")
    assert here.path.startswith("/account?") and "The password is changed." in here.text
    assert here.open("/account").path == "/account" and here.cookies != before
    assert once(here, "GET", "/account", cookies=before).status == 303, "SE-01"
    assert there.open("/account").has("username")
    old = Person(server).open("/sign-in").fill("username", ALICE[0]).fill("password", ALICE[1])
    assert old.press("sign-in").status == 403
    Person(server).sign_in((ALICE[0], "a new password of alice"))


def test_se_06_other_sessions_may_stay_but_unfinished_sign_ins_do_not(new_server):
    server = new_server()
    here, there = Person(server).sign_in(BOB), Person(server).sign_in(BOB)
    change(here, BOB[1], "a new password of bob's", ends=False)
    assert there.open("/account").path == "/account"
    key = add_app(here)
    bob = (BOB[0], "a new password of bob's")
    waiting = at_code(server, bob)
    server.secrets.add(key)
    change(here, bob[1], "one more, short", ends=False)
    assert "The password is changed." in here.text, here.text
    assert waiting.open("/sign-in/code").has("username"), "the unfinished one is over"
    assert here.open("/account").path == "/account"


@pytest.mark.parametrize("wanted, words", [
    ("fourteen chars", "At least 15 characters"), ("", "At least 15"), ("x" * 1025, "At most 1024"),
    ("aaaaaaaaaaaaaaaa", "attackers try first"), ("abcabcabcabcabcabc", "attackers try first"),
    ("passwordpassword", "attackers try first"), ("PassWordPASSWORD", "attackers try first"),
    ("tab\tin the middle", "not allowed"), (ALICE[1], "have already"),
    ("alice@mail.example", "must not be your user name")], ids=lambda text: text[:16])
def test_pw_01_pw_03_passwords_that_are_refused(shared, wanted, words):
    person = Person(shared).sign_in(ALICE)
    change(person, ALICE[1], wanted or " ")
    assert person.status == 400 and words in person.text, person.text
    assert person.page.attributes["password"]["aria-invalid"] == "true"
    assert person.value_of("password") == "" and person.value_of("current-password") == ""
    Person(shared).sign_in(ALICE)


@pytest.mark.parametrize("wanted", [
    "fifteen chars!!", "\u00e4\u00f6\u00fc\u4e2d\u6587\u20ac\u00e4\u00f6\u00fc\u4e2d\u6587\u20ac"
    "\u00e4\u00f6\u00fc", "only lower case letters", "x y " * 50 + "z" * 824, "123456 and 123456"],
    ids=lambda text: text[:16])
def test_pw_02_no_rules_of_composition(new_server, wanted):
    """Length counts, in characters of any script, up to 1024 bytes, every byte of them (PW-01)."""
    server = new_server()
    person = Person(server).sign_in(ALICE)
    change(person, ALICE[1], wanted)
    assert "The password is changed." in person.text, person.text
    cut = Person(server).open("/sign-in").fill("username", ALICE[0]).fill("password", wanted[:-1])
    assert cut.press("sign-in").status == 403
    Person(server).sign_in((ALICE[0], wanted))


def test_pw_03_the_list_is_refused(new_server):
    """With a second factor eight characters are enough; then the list is what keeps them out."""
    server = new_server()
    person = Person(server).sign_in(BOB)
    add_app(person)
    person.open("/account/password")
    path, csrf = "/account/password", csrf_of(person)
    for wanted in COMMON[:40] + COMMON[3000:3010] + [COMMON[-1], COMMON[7].upper()]:
        answer = once(person, "POST", path, {"csrf": csrf, "current_password": BOB[1],
                                             "password": wanted})
        assert answer.status == 400 and b"attackers try first" in answer.body, wanted
    answer = once(person, "POST", path, {"csrf": csrf, "current_password": BOB[1],
                                         "password": "1234567"})
    assert b"At least 8 characters" in answer.body


def test_the_current_password_has_to_be_right(new_server):
    server = new_server()
    person = Person(server).sign_in(ALICE)
    for _ in range(7):
        change(person, "not the right one", "a new password of alice")
        assert person.status == 403 and "current password is not right" in person.text
    # Its failures are those of any sign-in: the name is held up now, in the same words.
    change(person, ALICE[1], "a new password of alice")
    assert person.status in (303, 403, 200)
    assert len(events(server, "password_failed")) >= 7


# -- second factors -------------------------------------------------------------------------------

def test_an_app_is_set_up_used_renamed_and_removed(new_server):
    server = new_server()
    person, other = Person(server).sign_in(BOB), Person(server).sign_in(BOB)
    person.open("/account").press("add-factor")
    assert b'<svg class="qr"' in person.answer.body and b"M4 4h7v1h-7z" in person.answer.body
    key = key_of(person)
    person.fill("factor-name", "my phone").fill("code", "000000").press("confirm")
    assert person.status == 400 and "not right" in person.text
    assert key_of(person) == key, "what was scanned stays good"
    assert person.value_of("factor-name") == "my phone"
    assert show(server, BOB[0])["second_factor"] is False, "and counts for nothing yet"
    wait_step()
    code = totp(key)
    person.fill("code", code).press("confirm")
    assert person.path.startswith("/account/recovery-codes")
    assert "my phone is your second factor now." in person.text
    assert show(server, BOB[0])["second_factor"] is True
    assert other.open("/account").has("username"), "SE-06"
    first = at_code(server, BOB).fill("code", code).press("sign-in")
    assert first.status == 403, "the first code is used up (PW-10)"
    first.fill("code", totp(key, step_offset=1)).press("sign-in")
    assert first.has("sign-out")
    person.open("/account").press("rename-factor-1")
    person.fill("factor-name", HOSTILE[0]).press("save")
    assert HOSTILE[0] in person.text and b"<script>alert" not in person.answer.body
    person.press("remove-factor-1")
    assert "last second factor" in person.text
    person.fill("password", BOB[1]).press("ok")
    assert "is removed." in person.text and show(server, BOB[0])["second_factor"] is False
    assert first.open("/account").has("username"), "SE-06"
    Person(server).sign_in(BOB)
    changes = events(server, "factor_changed")
    assert [event["address"] for event in changes] == ["127.0.0.1"] * 3, "from where is told"


def second_factor(person):
    """An app, set up in the pages; its key."""
    person.open("/account/factors/new")
    key = key_of(person)
    wait_step()
    person.fill("code", totp(key)).press("confirm")
    assert person.path.startswith(("/account/recovery-codes", "/account?")), person.answer
    return key


def test_pw_01_the_last_factor_stays_while_the_password_is_short(new_server):
    """Eight characters are enough beside a second factor, and not alone."""
    server, short_one = new_server(), "k7 Gp! zQ"
    person = Person(server).sign_in(BOB)
    second_factor(person)
    person.open("/account/password").fill("current-password", BOB[1])
    person.fill("password", short_one).press("save")
    assert "The password is changed." in person.text
    person.open("/account").press("remove-factor-1")
    assert "at least 15 characters" in person.text and person.has("change-password")
    person.fill("password", "not it at all").press("ok")
    assert person.status == 403 and show(server, BOB[0])["second_factor"] is True
    person.fill("password", short_one).press("ok")
    assert person.status == 409 and "fewer than 15 characters" in person.text
    assert show(server, BOB[0])["second_factor"] is True
    person.press("change-password").fill("current-password", short_one)
    person.fill("password", BOB[1]).press("save")
    person.open("/account").press("remove-factor-1").fill("password", BOB[1]).press("ok")
    assert "is removed." in person.text and show(server, BOB[0])["second_factor"] is False


def test_one_of_two_factors_goes_without_the_password(new_server):
    server = new_server()
    person = Person(server).sign_in(BOB)
    second_factor(person)
    second_factor(person)
    person.open("/account").press("remove-factor-2")
    assert not person.has("password")
    late = once(person, *person.post_of("ok")[:2], {"csrf": csrf_of(person)})
    assert late.status == 303 and show(server, BOB[0])["second_factor"] is True
    # The form for one of two does not take away the last one.
    person.open("/account").press("remove-factor-1")
    answer = once(person, *person.post_of("ok")[:2], {"csrf": csrf_of(person)})
    assert answer.status == 403 and show(server, BOB[0])["second_factor"] is True


def test_an_administrator_removes_the_last_factor_of_any_password(new_server):
    server = new_server()
    server.cli("user", "passwd", BOB[0], stdin="short\n")
    person = Person(server)
    enrol(server, BOB)
    server.cli("user", "totp", BOB[0], "--remove")
    person.sign_in((BOB[0], "short"))


@pytest.mark.parametrize("way", ["page", "command line"])
def test_se_06_a_change_of_the_factors_ends_other_sessions(new_server, way):
    """Those of other browsers, unfinished sign-ins, and Spectrum's, by page as by command line."""
    server = new_server(args=SPECTRUM)
    browser = session_token(server, user=BOB)
    person, other = Person(server).sign_in(BOB), Person(server).sign_in(BOB)
    assert use(server, *browser).status == 200
    if way == "command line":
        enrol(server, BOB)
    else:
        second_factor(person)
        assert person.open("/account").has("sign-out"), "the one that did it goes on"
    assert other.open("/account").has("username")
    assert use(server, *browser).status != 200
    waiting = at_code(server, BOB)
    if way == "command line":
        server.cli("user", "totp", BOB[0], "--remove")
    else:
        person.open("/account").press("remove-factor-1").fill("password", BOB[1]).press("ok")
    assert waiting.open("/sign-in/code").has("username"), "an unfinished one, too"


def test_an_enrolment_is_for_one_account_and_not_for_ever(faked_time):
    server, set_time = faked_time
    alice, bob = Person(server).sign_in(ALICE), Person(server).sign_in(BOB)
    alice.open("/account/factors/new")
    key = key_of(alice)
    sealed = next(field[2] for form in alice.page.forms for field in form.fields
                  if field[1] == "enrolment")
    bob.open("/account/factors/new")
    pairs = {"csrf": csrf_of(bob), "enrolment": sealed, "code": totp(key), "name": "x"}
    assert b"no longer valid" in once(bob, "POST", "/account/factors/new", pairs).body
    for broken in ("", "x", sealed[:-1], sealed[:-2] + "AA", "A" * 76):
        answer = once(bob, "POST", "/account/factors/new", {**pairs, "enrolment": broken})
        assert answer.status == 400 and b"no longer valid" in answer.body, broken
    set_time(590)
    alice.open("/account")
    set_time(901)
    pairs = {"csrf": csrf_of(alice), "enrolment": sealed,
             "code": totp(key, at=time.time() + 901), "name": "x"}
    answer = once(alice, "POST", "/account/factors/new", pairs)
    assert answer.status == 303, "a fresh proof is asked for by now"
    alice.open("/sign-in/again").fill("password", ALICE[1]).press("confirm").open("/account")
    answer = once(alice, "POST", "/account/factors/new", {**pairs, "csrf": csrf_of(alice)})
    assert answer.status == 400 and b"no longer valid" in answer.body
    assert show(server, ALICE[0])["second_factor"] is False


def test_the_same_confirmation_twice_makes_one_factor(new_server):
    server = new_server()
    person = Person(server).sign_in(BOB).open("/account/factors/new")
    key = key_of(person)
    person.fill("code", totp(key)).fill("factor-name", "one")
    method, path, body = person.post_of("confirm")
    person.send(method, path, body).send(method, path, body)
    person.open("/account")
    assert person.has("rename-factor-1") and not person.has("rename-factor-2")


def test_recovery_codes_are_shown_once(new_server):
    server = new_server()
    person = Person(server).sign_in(BOB)
    assert person.open("/account/recovery-codes").path == "/account", "they replace a factor only"
    add_app(person)
    person.open("/account/recovery-codes").press("ok")
    codes = CODE.findall(person.text)
    server.secrets.update(codes)
    assert len(set(codes)) == 10
    assert not person.open("/account/recovery-codes").has("recovery-codes")
    assert "Codes left: 10." in person.open("/account").text
    other = at_code(server, BOB).press("use-recovery-code").fill("code", codes[3]).press("sign-in")
    assert other.has("sign-out")
    assert "Codes left: 9." in person.open("/account").text
    person.open("/account/recovery-codes").press("ok")
    new_codes = CODE.findall(person.text)
    server.secrets.update(new_codes)
    assert len(new_codes) == 10 and not set(codes) & set(new_codes)


def test_another_account_cannot_touch_a_factor(new_server):
    server = new_server()
    bob, alice = Person(server).sign_in(BOB), Person(server).sign_in(ALICE)
    add_app(bob)
    for button in ("rename-factor-1", "remove-factor-1"):
        _, path, _ = bob.open("/account").post_of(button)
        assert once(alice, "GET", path).status == 404
        pairs = {"csrf": csrf_of(alice.open("/account")), "name": "x"}
        assert once(alice, "POST", path, pairs).status == 404
        other = path[:30] + ("A" if path[30] != "A" else "B") + path[31:]
        for wrong in (other, "/account/factors/1/remove",
                      "/account/factors/" + "A" * 50 + "/remove"):
            assert once(bob, "GET", wrong).status == 404
    assert bob.open("/account").has("rename-factor-1")


# -- step-up --------------------------------------------------------------------------------------

SENSITIVE = ["/account/factors/new", "/account/recovery-codes"]


def test_sensitive_pages_ask_for_a_fresh_proof(faked_time):
    server, set_time = faked_time
    person = Person(server).sign_in(BOB)
    add_app(person)
    person.open("/account")
    rename, remove = (person.post_of(button)[1] for button in ("rename-factor-1",
                                                                "remove-factor-1"))
    csrf = csrf_of(person)
    set_time(595)
    assert once(person, "GET", "/account/factors/new").status == 200
    set_time(602)
    for path in SENSITIVE + [rename, remove]:
        for method, pairs in (("GET", None), ("POST", {"csrf": csrf, "name": "x"})):
            answer = once(person, method, path, pairs)
            assert answer.status == 303, (method, path, answer)
            assert answer.header("Location") == \
                "/sign-in/again?next=" + urllib.parse.quote(path, safe="")
    for path in ("/account", "/sessions", "/applications"):
        assert once(person, "GET", path).status == 200, path
    answer = once(person, "POST", "/account", {"csrf": csrf, "email": "x@mail.example"})
    assert answer.status == 303 and "/sign-in/again" in answer.header("Location")
    answer = once(person, "POST", "/account", {"csrf": csrf, "full_name": "Bob", "email": ""})
    assert answer.status == 303 and answer.header("Location").startswith("/account")
    person.open(remove)
    assert person.has("confirm") and person.has("code")
    person.fill("password", BOB[1]).press("confirm")
    assert person.status == 403 and "code" in person.text, "the code is asked for as well"
    person.fill("password", "wrong").fill("code", "123456").press("confirm")
    assert person.status == 403 and "current password is not right" in person.text


def test_step_up_brings_one_back(faked_time):
    server, set_time = faked_time
    person = Person(server).sign_in(ALICE)
    set_time(700)
    person.open("/account").press("add-factor")
    assert person.path.startswith("/sign-in/again")
    person.fill("password", ALICE[1]).press("confirm")
    assert person.path == "/account/factors/new" and person.has("totp-key")


# -- sessions -------------------------------------------------------------------------------------

def test_se_08_sessions_are_shown_and_ended_at_once(new_server):
    server = new_server()
    here = Person(server, [("User-Agent", "Here/1.0")]).sign_in(ALICE)
    there = Person(server, [("User-Agent", "There/2.0 \u00e9".encode().decode("latin-1"))])
    there.sign_in(ALICE)
    bobs = Person(server, [("User-Agent", "Bobs/1.0")]).sign_in(BOB)
    here.press("nav-sessions")
    assert "Here/1.0" in here.text and "There/2.0" in here.text and "Bobs" not in here.text
    assert "127.0.0.1" in here.text and here.text.count("this one") == 1
    assert "this one" in here.text_of("session-2") and "Here" in here.text_of("session-2")
    here.press("end-1")
    assert "The session is ended." in here.text and "There/2.0" not in here.text
    assert there.open("/account").has("username"), "at once"
    assert not here.has("end-others")
    third = Person(server).sign_in(ALICE)
    here.press("nav-sessions").press("end-others")
    assert "All other sessions are ended." in here.text
    assert third.open("/account").has("username")
    assert bobs.open("/account").path == "/account" and here.open("/account").path == "/account"


def test_se_08_spectrum_sessions_too(new_server):
    server = new_server(SPECTRUM)
    token, session = session_token(server, ALICE)
    other_token, other_session = session_token(server, ALICE)
    assert use(server, token, session).status == 200
    here = Person(server).sign_in(ALICE).press("nav-sessions")
    assert here.text.count("Spectrum") == 2
    here.press("end-2")
    assert use(server, other_token, other_session).status == 401
    assert use(server, token, session).status == 200
    here.press("end-others")
    assert use(server, token, session).status == 401
    assert "Spectrum" not in here.text


def test_se_08_nobody_ends_anothers_session(new_server):
    server = new_server()
    alice, bob = Person(server).sign_in(ALICE), Person(server).sign_in(BOB)
    second = Person(server).sign_in(ALICE)
    _, path, _ = alice.press("nav-sessions").post_of("end-1")
    pairs = {"csrf": csrf_of(bob)}
    assert once(bob, "POST", path, pairs).status == 404
    for wrong in ("/sessions/1/end", "/sessions/x/end", "/applications/x/revoke",
                  path.replace("/end", "x/end")):
        assert once(bob, "POST", wrong, pairs).status == 404
    assert second.open("/account").path == "/account"
    assert once(alice, "GET", path).status == 405


def test_many_sessions_are_paged(new_server):
    server = new_server(SPECTRUM)
    for _ in range(60):
        session_token(server, BOB)
    person = Person(server).sign_in(BOB).press("nav-sessions")
    assert person.has("session-50") and not person.has("session-51") and person.has("older")
    person.press("older")
    assert person.has("session-11") and not person.has("session-12") and not person.has("older")


# -- applications ---------------------------------------------------------------------------------

def test_se_08_applications_are_shown_and_revoked_at_once(new_server):
    server = new_server()
    person = Person(server).sign_in(ALICE).press("nav-applications")
    assert person.has("no-applications")
    first = server.user_token(C1, ALICE, "read write")
    more = server.user_token(C1, ALICE, "jread")
    second = server.user_token(C2, ALICE, "read")
    bobs = server.user_token(C1, BOB, "read")
    own = server.client_token(C1, "read")
    person.press("nav-applications")
    assert person.has("application-2") and not person.has("application-3")
    assert "c2" in person.text_of("application-1") and "c1" in person.text_of("application-2")
    assert sorted(re.findall("jread|read|write", person.text_of("application-2"))) == \
        ["jread", "read", "write"]
    person.press("revoke-2")
    assert "Revoke c1?" in person.text
    assert server.is_active(first["access_token"], API), "not before OK"
    person.press("ok")
    assert "has lost its access" in person.text and not person.has("application-2")
    for body in (first, more):
        assert not server.is_active(body["access_token"], API)
        assert server.refresh(body["refresh_token"], C1).status == 400
    assert server.is_active(second["access_token"], API)
    assert server.is_active(bobs["access_token"], API)
    assert server.is_active(own["access_token"], API)
    assert len(events(server, "grant_ended")) == 1


@pytest.mark.parametrize("ticked", [True, False])
def test_se_06_a_new_password_may_end_applications_too(new_server, ticked):
    server = new_server()
    body = server.user_token(C1, ALICE, "read")
    person = Person(server).sign_in(ALICE).open("/account/password")
    pairs = {"csrf": csrf_of(person), "current_password": ALICE[1],
             "password": "a new password of alice", "end_sessions": "yes"}
    if ticked:
        pairs["end_applications"] = "yes"
    assert person.has("end-applications")
    assert "checked" in person.page.attributes["end-applications"], "RT-10: unless one says so"
    answer = once(person, "POST", "/account/password", pairs)
    assert answer.status == 303
    server.secrets.add(answer.header("Set-Cookie").split(";")[0].partition("=")[2])
    assert server.is_active(body["access_token"], API) is not ticked
    assert (server.refresh(body["refresh_token"], C1).status == 200) is not ticked


def test_permanent_tokens_and_sessions_are_no_applications(new_server):
    server = new_server(SPECTRUM)
    token, session = session_token(server, ALICE)
    plain = server.token(uauth_form()).json["access_token"]
    person = Person(server).sign_in(ALICE).press("nav-applications")
    assert person.has("application-1") and not person.has("application-2")
    person.press("revoke-1").press("ok")
    assert not server.is_active(plain, UAUTH_SERVICE)
    assert use(server, token, session).status == 200
    assert person.has("no-applications")


def test_every_page_of_the_account_is_complete(shared):
    """Whole documents, with a title, a main part, one h1 and no id twice."""
    person = Person(shared).sign_in(ALICE)
    for path in ("/account", "/account/password", "/account/factors/new", "/sessions",
                 "/applications", "/sign-in/again", "/"):
        person.open(path)
        source = person.answer.body.decode()
        assert person.status == 200 and source.startswith("<!doctype html>"), path
        assert source.rstrip().endswith("</html>") and source.count("<h1") == 1, path
        assert person.has("main") and "<title>" in source
        assert "{{" not in source and len(source) < 50_000
